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

from slipstream_git import addresses
from slipstream_git.errors import INTERRUPTED, SlipError
from slipstream_git.faces.serving import guests, sockets
from slipstream_git.faces.serving.answering import Answers, full
from slipstream_git.faces.serving.askers import Asker
from slipstream_git.faces.serving.channels import FileChannel, SocketChannel
from slipstream_git.faces.serving.clients import Client, refusal
from slipstream_git.faces.serving.exposition import expose
from slipstream_git.faces.serving.mainthread import MainThread
from slipstream_git.faces.serving.watchdog import Watchdog
from slipstream_git.gitdb.window import Reader
from slipstream_git.operations.serving import Wish
from slipstream_git.outcomes import Served

# Connections that wait until they are among the clients that are served.
WAITING = 64
# How long calls may go on that run when the server is told to end.
GRACE_S = 10.0
MOST_FILES = 4096
# A window has two for each pack, and a client one for each directory that it opened.
MOST_FILES_SHARED = 65536
# As malloc.h has it.
_M_ARENA_MAX = -8
LIMITS = (
    "message_bytes", "clients", "rate", "user_rate", "group_rate", "repositories", "sessions",
    "memory", "patience_s", "hang_s", "idle_s",
)  # fmt: skip


def serve(wish: Wish) -> Served:
    """Serve until told to end. Raises `locked` where another server listens, `usage`."""
    _check(wish)
    _allow_files(MOST_FILES if wish.shared is None else MOST_FILES_SHARED)
    _keep_one_heap()
    if wish.stdio:
        return Daemon(wish, None).run()
    path = os.path.abspath(wish.socket) if wish.socket else addresses.address(os.environ)
    if not path:
        raise SlipError("usage", "SLIP_SOCKET is empty: no server is wanted; or say --socket")
    group = None if wish.shared is None else sockets.group_of(wish.shared)
    claim = sockets.claim(path, group)
    try:
        watchdog = Watchdog(wish.hang_s) if wish.hang_s else None
        print(f"slip: serving on {path}", file=sys.stderr, flush=True)
        try:
            return Daemon(wish, claim, group).run()
        finally:
            if watchdog is not None:
                watchdog.end()
    finally:
        claim.listener.close()
        claim.release()


def _check(wish: Wish) -> None:
    """Raises `usage` for what no server can be."""
    why = None
    for name in LIMITS:
        if getattr(wish, name) < (1 if name in ("clients", "repositories") else 0):
            option = name.removesuffix("_s").replace("_", "-")
            why = f"--{option} is too small"
    if wish.stdio and not (wish.socket is None and wish.shared is None and wish.metrics is None):
        why = "--stdio has no --socket, --shared or --metrics beside it"
    elif wish.metrics is not None and not 0 < wish.metrics < 65536:
        why = "--metrics is a port from 1 to 65535"
    elif wish.shared is not None and wish.socket is None:
        why = "--shared needs --socket: a path that the group can reach"
    elif wish.shared is not None and wish.repo is not None:
        why = "--shared and --repo exclude each other: who asks opens what he asks for"
    elif wish.shared is not None and wish.metrics is not None:
        why = "--shared and --metrics exclude each other: every user could read them; ask `metrics`"
    if why is not None:
        raise SlipError("usage", why, hint="slip serve --help")
    if wish.shared is not None and sys.platform != "linux":
        raise SlipError("unsupported", "--shared needs Linux")


def _allow_files(most: int) -> None:
    """Let this process open more files than the 1,024 that are usual: clients, repositories."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _keep_one_heap() -> None:
    """Tell glibc to keep one heap for all threads: by itself it makes eight for each processor, and
    what a thread frees in one serves nobody in another. One thread computes at a time anyhow.
    """
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


class Daemon:
    """One server, from its first client to its end.

    claim: its socket; None for standard streams. group: of a shared server.
    """

    def __init__(self, wish: Wish, claim: sockets.Claim | None, group: int | None = None) -> None:
        self.wish = wish
        self._claim = claim
        self._group = group
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
        exposition = None
        if self.wish.metrics is not None:
            exposition = await expose(self.wish.metrics, self._answers.metrics)
        welcoming = asyncio.create_task(self._welcome_all(self._claim.listener))
        idle = asyncio.create_task(self._watch_idleness(stopping))
        await stopping.wait()
        for task in (idle, welcoming):
            task.cancel()
        self._claim.listener.close()
        if exposition is not None:
            exposition.close()
        await self._see_off()

    async def _welcome_all(self, listener: socket.socket) -> None:
        listener.settimeout(0)
        loop = asyncio.get_running_loop()
        tasks = set[asyncio.Task[None]]()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # no descriptors left, or gone already
                await asyncio.sleep(0.05)
                continue
            task = loop.create_task(self._welcome(connection))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _serve_streams(self, stopping: asyncio.Event) -> None:
        source, sink = os.dup(0), os.dup(1)
        # Whatever else prints here, or reads, does not disturb the conversation.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        asker = Asker(self._answers.rates.of(None))
        client = Client(self._answers, FileChannel(source, sink), asker)
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

    async def _welcome(self, connection: socket.socket) -> None:
        is_shared = self._group is not None
        channel = SocketChannel(connection, guests.MOST_HANDED if is_shared else 0)
        client: Client | None = None
        asker: Asker | None = None
        try:
            asker = self._asker(connection, channel)
            client = Client(self._answers, channel, asker, self.wish.patience_s)
            client.task = asyncio.current_task()
            if len(self._clients) >= self.wish.clients + WAITING:
                raise full(self.wish)
            self._clients.add(client)
            self._answers.meters.count("connections")
            await client.converse()
        except SlipError as fault:
            self._answers.meters.count("refused_clients")
            with suppress(OSError, asyncio.CancelledError):
                await channel.write(refusal(fault))
        except (OSError, asyncio.CancelledError):
            pass  # gone, or told to end
        finally:
            if client is not None:
                self._clients.discard(client)
                client.leave()
            if asker is not None and asker.guest is not None:
                asker.guest.leave()
            self._answers.last = time.monotonic()
            channel.close()

    def _asker(self, connection: socket.socket, channel: SocketChannel) -> Asker:
        """Who is at the other end. Raises `path-denied` for those who are not let in."""
        own = os.geteuid()
        try:
            user = addresses.peer(connection)
            groups = sockets.groups_of_peer(connection) if self._group is not None else frozenset()
        except OSError:
            user, groups = -1, frozenset()
        if user != own and (self._group is None or self._group not in groups):
            raise SlipError("path-denied", "this server is another user's")
        guest = None
        if self._group is not None:
            guest = guests.Guest(Reader(user, groups), channel.take)
        return Asker(self._answers.rates.of(user), guest, is_owner=user == own)
