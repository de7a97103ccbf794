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
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from slipstream_git.errors import INTERRUPTED, SlipError
from slipstream_git.faces.serving import addresses, sockets
from slipstream_git.faces.serving.answering import Answers, full
from slipstream_git.faces.serving.channels import FileChannel, SocketChannel
from slipstream_git.faces.serving.clients import Client
from slipstream_git.faces.serving.mainthread import MainThread
from slipstream_git.operations.serving import Wish
from slipstream_git.outcomes import Served

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
    path = os.path.abspath(wish.socket) if wish.socket else addresses.address(os.environ)
    if not path:
        raise SlipError("usage", "SLIP_SOCKET is empty: no server is wanted; or say --socket")
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
        self._answers = Answers(wish, self._main.do)
        self._clients: set[Client] = set()
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
        return Served(self._ended, self._answers.meters.totals["requests"], path)

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
        self._answers.leave()
        if self._is_stuck:
            if self._claim is not None:
                self._claim.release()
            os._exit(0)
        self._answers.close()

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
        client = Client(self._answers, FileChannel(source, sink))
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
            left = self._answers.last + patience - time.monotonic()
            if left <= 0 and not self._clients:
                self._ended = "idle"
                stopping.set()
                return
            await asyncio.sleep(min(max(left, 0.05), 30.0) if not self._clients else 1.0)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(self._answers, SocketChannel(reader, writer))
        client.task = asyncio.current_task()
        refusal = self._refusal(writer.get_extra_info("socket"))
        try:
            if refusal is None:
                self._clients.add(client)
                self._answers.meters.count("connections")
                await client.converse()
            else:
                self._answers.meters.count("refused_clients")
                await client.refuse(refusal)
        except (OSError, asyncio.CancelledError):
            pass  # gone, or told to end
        finally:
            self._clients.discard(client)
            client.leave()
            self._answers.last = time.monotonic()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()  # what was said last is heard

    def _refusal(self, connection: socket.socket) -> SlipError | None:
        """Why somebody is not let in; None for who is."""
        try:
            user = addresses.peer(connection)
        except OSError:
            user = -1
        if user != os.geteuid():
            return SlipError("path-denied", "this server is another user's")
        if len(self._clients) >= self.wish.clients + WAITING:
            return full(self.wish)
        return None
