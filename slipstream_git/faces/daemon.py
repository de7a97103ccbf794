"""`slip serve`: one process that answers for many repositories and many clients.

The main thread waits for signals, and runs what can only be stopped by one (see `MainThread`).
A second thread has the sockets; every call of an operation is in a thread of a pool, alone in its
repository. What one client says is answered in the order in which it was said.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from slipstream_git import __version__, codec
from slipstream_git.errors import INTERRUPTED, SlipError
from slipstream_git.faces import fields, reports, rpc, sockets
from slipstream_git.faces.channels import Channel, FileChannel, Lines, SocketChannel
from slipstream_git.faces.mainthread import MainThread
from slipstream_git.faces.meters import Meters
from slipstream_git.faces.tenants import Tenants
from slipstream_git.operations import calling, registry
from slipstream_git.operations.registry import Operation
from slipstream_git.operations.serving import Wish
from slipstream_git.outcomes import Served

# They need a terminal, or the directory of whoever asks, or are servers themselves.
NOT_HERE = ("run", "demo", "serve")
# Connections that wait until they are among the clients that are served.
WAITING = 64
# How long calls may go on that run when the server is told to end.
GRACE_S = 10.0
MOST_FILES = 4096


def serve(wish: Wish) -> Served:
    """Serve until told to end. Raises `locked` where another server listens, `usage`."""
    for name in ("message_bytes", "clients", "rate", "repositories", "idle_s"):
        if getattr(wish, name) < (1 if name in ("clients", "repositories") else 0):
            option = name.removesuffix("_s").replace("_", "-")
            raise SlipError("usage", f"--{option} is too small", hint="slip serve --help")
    if wish.stdio and wish.socket is not None:
        raise SlipError("usage", "--stdio or --socket, not both", hint="slip serve --help")
    _allow_files()
    if wish.stdio:
        return Daemon(wish, None).run()
    path = os.path.abspath(wish.socket) if wish.socket else sockets.address(os.environ)
    claim = sockets.claim(path)
    try:
        print(f"slip: serving on {path}", file=sys.stderr, flush=True)
        return Daemon(wish, claim).run()
    finally:
        claim.listener.close()
        claim.release()


def _allow_files() -> None:
    """Let this process open more files than the 1,024 that are usual: clients, repositories."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Daemon:
    """One server, from its first client to its end.

    claim: its socket; None for standard streams.
    """

    def __init__(self, wish: Wish, claim: sockets.Claim | None) -> None:
        self.wish = wish
        self._claim = claim
        self._main = MainThread()
        self.meters = Meters()
        self._tenants = Tenants(os.environ, wish.repositories, self._main.do)
        # As many threads as clients: no call waits for one that belongs to another repository.
        self._pool = ThreadPoolExecutor(wish.clients, "slip-call")
        self._rows: dict[str, Operation] = {}
        self._clients: set[Client] = set()
        self._admitted: set[Client] = set()
        self._last = self._started = time.monotonic()
        self._ended = "end"
        self._is_stuck = False
        # Tells the thread that has the sockets; None until that runs.
        self._stop: Callable[[], object] | None = None

    # The process -----------------------------------------------------------------------------

    def run(self) -> Served:
        """Serve; returns when it has ended, by whatever of `Served.ended`."""
        fault: list[BaseException] = []

        def sockets_thread() -> None:
            try:
                asyncio.run(self._serve())
            except BaseException as raised:  # noqa: BLE001  (raised again below)
                fault.append(raised)
            finally:
                self._main.end()

        # Before anybody can be answered, who might then tell this to end.
        before = {n: signal.signal(n, self._told) for n in (signal.SIGTERM, signal.SIGINT)}
        thread = threading.Thread(target=sockets_thread, daemon=True)
        thread.start()
        self._main.run()
        thread.join()
        if fault:
            raise fault[0]
        for number, handler in before.items():
            signal.signal(number, handler)
        self._leave()
        path = self._claim.path if self._claim else None
        return Served(self._ended, self.meters.totals["requests"], path)

    def _told(self, _number: int, _frame: object) -> None:
        """A signal came."""
        if self._ended == "signal":
            os._exit(INTERRUPTED)  # twice
        self._ended = "signal"
        if self._stop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._stop()

    def _leave(self) -> None:
        """Close what is open; a call that never comes back does not hold up the end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._is_stuck:
            if self._claim is not None:
                self._claim.release()
            os._exit(0)
        self._tenants.close()

    # The sockets -----------------------------------------------------------------------------

    async def _serve(self) -> None:
        stopping = asyncio.Event()
        self._stop = partial(asyncio.get_running_loop().call_soon_threadsafe, stopping.set)
        if self._ended == "signal":
            stopping.set()
        if self._claim is None:
            await self._serve_streams(stopping)
            return
        server = await asyncio.start_unix_server(
            self._welcome, sock=self._claim.listener, backlog=sockets.BACKLOG
        )
        idle = asyncio.create_task(self._watch_idleness(stopping))
        await stopping.wait()
        idle.cancel()
        server.close()
        await self._see_off()

    async def _serve_streams(self, stopping: asyncio.Event) -> None:
        source, sink = os.dup(0), os.dup(1)
        # Whatever else prints here, or reads, does not disturb the conversation.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        client = Client(self, FileChannel(source, sink), self.wish)
        self._clients.add(client)
        client.task = asyncio.create_task(client.converse())
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({client.task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        await self._see_off()

    async def _see_off(self) -> None:
        """Let calls that run come to their end, and nothing new begin."""
        tasks: set[asyncio.Task[None]] = set()
        for client in list(self._clients):
            client.is_leaving = True
            if client.task is not None:
                tasks.add(client.task)
                if not client.is_answering:
                    client.task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=GRACE_S)
            self._is_stuck = bool(stuck)

    async def _watch_idleness(self, stopping: asyncio.Event) -> None:
        patience = self.wish.idle_s
        while patience:
            left = self._last + patience - time.monotonic()
            if left <= 0 and not self._clients:
                self._ended = "idle"
                stopping.set()
                return
            await asyncio.sleep(min(max(left, 0.05), 30.0) if not self._clients else 1.0)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(self, SocketChannel(reader, writer), self.wish)
        client.task = asyncio.current_task()
        refusal = self._refusal(writer.get_extra_info("socket"))
        try:
            if refusal is None:
                self._clients.add(client)
                self.meters.count("connections")
                await client.converse()
            else:
                self.meters.count("refused_clients")
                await client.tell(rpc.failed(None, rpc.REFUSED - refusal.exit_status, refusal))
        except (OSError, asyncio.CancelledError):
            pass  # gone, or told to end
        finally:
            self._clients.discard(client)
            self._admitted.discard(client)
            self._last = time.monotonic()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()  # what was said last is heard

    def _refusal(self, connection: socket.socket) -> SlipError | None:
        """Why somebody is not let in; None for who is."""
        try:
            user = sockets.peer(connection)
        except OSError:
            user = -1
        if user != os.geteuid():
            return SlipError("path-denied", "this server is another user's")
        if len(self._clients) >= self.wish.clients + WAITING:
            return self._full()
        return None

    def _full(self) -> SlipError:
        return SlipError("quota", f"{self.wish.clients} clients are served already; try later")

    # A call ----------------------------------------------------------------------------------

    async def answer(self, client: Client, method: str, params: Mapping[str, Any]) -> Any:
        """What a method answers, as JSON values. Raises SlipError, `Misasked`."""
        begun = self._last = time.monotonic()
        refusal: str | None = None
        known = method
        try:
            known = self._known(method)
            self._admit(client)
            if method == "ping":
                return {"ok": True, "version": __version__, "pid": os.getpid()}
            if method == "metrics":
                return self._metrics()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._called, method, params)
        except rpc.Misasked as fault:
            known = "unknown" if fault.number == rpc.METHOD_NOT_FOUND else known
            refusal = fault.error.code
            raise
        except SlipError as fault:
            refusal = fault.code
            raise
        finally:
            self.meters.answered(known, time.monotonic() - begun, refusal)

    def _known(self, method: str) -> str:
        if method in ("ping", "metrics") or method in registry.names():
            return method
        close = fields.nearest(method, registry.names())
        advice = f"; did you mean {close}?" if close else ""
        shown = method[: fields.LONGEST_NAME]
        raise rpc.Misasked(rpc.METHOD_NOT_FOUND, f"there is no method {shown!r}{advice}")

    def _admit(self, client: Client) -> None:
        if client not in self._admitted:
            if len(self._admitted) >= self.wish.clients:
                raise self._full()
            self._admitted.add(client)
        if self.wish.rate and not client.may_ask(self.wish.rate):
            raise SlipError("quota", f"over {self.wish.rate} requests a second; go slower")

    def _called(self, method: str, params: Mapping[str, Any]) -> Any:
        """An operation's answer. In a thread of the pool."""
        try:
            return self._operated(method, params)
        except (SlipError, rpc.Misasked):
            raise
        except Exception as fault:  # noqa: BLE001  (a fault of ours must not end the server)
            raise reports.translated(fault) from None

    def _operated(self, method: str, params: Mapping[str, Any]) -> Any:
        row = self._row(method)
        if method in NOT_HERE:
            raise SlipError("unsupported", f"{method} is for the command line alone")
        given = dict(params)
        directory = _directory(given.pop("repo", self.wish.repo))
        values = fields.values(row, given)
        notices: list[str] = []
        with self._tenants.entered(directory) as workspace:
            answer = calling.call(row, workspace._replace(notify=notices.append), values)
        told = {"ok": True, **codec.to_json(answer)}
        return told | {"notices": notices} if notices else told

    def _row(self, method: str) -> Operation:
        row = self._rows.get(method) or registry.find(method)
        if row is None:
            raise ValueError(method)
        self._rows[method] = row
        return row

    def _metrics(self) -> dict[str, Any]:
        return {
            "ok": True,
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 3),
            "clients": len(self._admitted),
            "repositories": len(self._tenants),
            "repositories_opened": self._tenants.opened,
            **self.meters.as_json(),
        }


def _directory(repo: object) -> str:
    if repo is None:
        raise fields.wrong("repo is missing: the absolute path of the repository")
    if not isinstance(repo, str) or not os.path.isabs(repo) or "\0" in repo:
        raise fields.wrong("repo is an absolute path")
    return repo


class Client:
    """One client, heard line by line."""

    def __init__(self, daemon: Daemon, channel: Channel, wish: Wish) -> None:
        self._daemon = daemon
        self._channel = channel
        self.task: asyncio.Task[None] | None = None
        self.is_answering = False
        self.is_leaving = False
        self._allowed = float(wish.rate)
        self._longest = wish.message_bytes
        self._asked = time.monotonic()

    async def converse(self) -> None:
        """Answer until the client has said all, or the server ends."""
        lines = Lines(self._channel, self._longest)
        while not self.is_leaving:
            try:
                line = await lines.next()
            except SlipError as fault:
                await self.tell(rpc.failed(None, rpc.REFUSED - fault.exit_status, fault))
                continue
            if line is None:
                return
            self._daemon.meters.count("bytes_in", len(line) + 1)
            self.is_answering = True
            try:
                await self._reply(line)
            finally:
                self.is_answering = False

    async def _reply(self, line: bytes) -> None:
        try:
            said = await rpc.reply(line, self._answer)
        except Exception as raised:  # noqa: BLE001  (no message ends the conversation)
            fault = reports.translated(raised)
            said = rpc.failed(None, rpc.REFUSED - fault.exit_status, fault)
        if said is not None:
            await self.tell(said)

    async def tell(self, message: bytes) -> None:
        self._daemon.meters.count("bytes_out", len(message) + 1)
        await self._channel.write(message + b"\n")

    def may_ask(self, rate: int) -> bool:
        """Whether one more request is within the rate; as many as that may come at once."""
        now = time.monotonic()
        self._allowed = min(float(rate), self._allowed + (now - self._asked) * rate)
        self._asked = now
        if self._allowed < 1.0:
            return False
        self._allowed -= 1.0
        return True

    async def _answer(self, method: str, params: Mapping[str, Any]) -> Any:
        return await self._daemon.answer(self, method, params)
