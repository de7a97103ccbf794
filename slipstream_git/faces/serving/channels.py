"""How a server hears one client, line by line, and speaks to it: a socket, or standard streams."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from array import array
from collections.abc import Callable
from typing import Protocol

from slipstream_git.errors import SlipError

PIECE = 1 << 16
# Descriptors that come are for this process alone, and not for what it starts.
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Channel(Protocol):
    """Bytes from one client and to it."""

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Waits for a client that does not read."""
        ...


class SocketChannel:
    """A connection. handed: descriptors that came over it and that nobody has taken yet.

    most_handed: how many of them may lie there at once; the system closes what is more.
    """

    def __init__(self, connection: socket.socket, most_handed: int = 0) -> None:
        connection.settimeout(0)
        self._socket = connection
        self._most_handed = most_handed
        self.handed: list[int] = []

    async def read(self) -> bytes:
        while True:
            try:
                return self._received()
            except (BlockingIOError, InterruptedError):
                await self._readable()

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    def take(self) -> list[int]:
        """The descriptors that came; whoever takes them closes them."""
        taken, self.handed = self.handed, []
        return taken

    def close(self) -> None:
        for fd in self.take():
            os.close(fd)
        self._socket.close()

    def _received(self) -> bytes:
        if not self._most_handed:
            return self._socket.recv(PIECE)
        room = self._most_handed - len(self.handed)
        space = socket.CMSG_SPACE(room * array("i").itemsize) if room else 0
        data, ancillary, _, _ = self._socket.recvmsg(PIECE, space, _CLOEXEC)
        for level, kind, raw in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array("i")
                fds.frombytes(raw[: len(raw) - len(raw) % fds.itemsize])
                self.handed += fds
        while len(self.handed) > self._most_handed:  # the room for them is rounded up
            os.close(self.handed.pop())
        return data

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        came: asyncio.Future[None] = loop.create_future()
        number = self._socket.fileno()
        loop.add_reader(number, _settle, came)
        try:
            await came
        finally:
            loop.remove_reader(number)


def _settle(came: asyncio.Future[None]) -> None:
    if not came.done():
        came.set_result(None)


class FileChannel:
    """Two descriptors of any kind, read and written in threads that hold up no exit.

    Their own flags stay as they are: others may have them open, too.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink

    async def read(self) -> bytes:
        return await _aside(lambda: os.read(self._source, PIECE))

    async def write(self, data: bytes) -> None:
        await _aside(lambda: self._write(data))

    def _write(self, data: bytes) -> bytes:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._sink, rest) :]
        return b""


async def _aside(work: Callable[[], bytes]) -> bytes:
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[bytes] = loop.create_future()

    def settle(value: bytes, fault: OSError | None) -> None:
        if outcome.cancelled():
            return
        if fault is not None:
            outcome.set_exception(fault)
        else:
            outcome.set_result(value)

    def run() -> None:
        try:
            value, fault = work(), None
        except OSError as raised:
            value, fault = b"", raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, fault)

    threading.Thread(target=run, daemon=True).start()
    return await outcome


class Slow(Exception):
    """A message did not come within its time; nothing can be made of the rest of it."""


class Lines:
    """The messages of one client, at most ``longest`` bytes each (0: of any length).

    patience_s: how long the first one may take from now on, and each from its first byte to its
    last; 0 for any time. Between messages a client may be silent.
    """

    def __init__(self, channel: Channel, longest: int, patience_s: int = 0) -> None:
        self._channel = channel
        self._longest = longest
        self._patience_s = patience_s
        self._held = bytearray()
        self._ended = False
        self._until: float | None = None
        self._is_awaited = True

    async def next(self) -> bytes | None:
        """The next message, without its end; None when the client has said all.

        Raises `too-large` once for a message that is too long, when all of it has gone by; `Slow`.
        """
        self._until = None
        message = await self._next()
        self._is_awaited = False
        return message

    async def _next(self) -> bytes | None:
        seen = 0
        while True:
            end = self._held.find(b"\n", seen)
            if end >= 0:
                if self._is_over(end):
                    del self._held[: end + 1]
                    raise self._too_long()
                line = bytes(self._held[:end])
                del self._held[: end + 1]
                return line
            if self._is_over(len(self._held)):
                await self._skip()
                raise self._too_long()
            seen = len(self._held)
            if not await self._more():
                line = bytes(self._held)
                self._held.clear()
                return line or None

    def _is_over(self, size: int) -> bool:
        return bool(self._longest) and size > self._longest

    def _too_long(self) -> SlipError:
        return SlipError("too-large", f"a message has at most {self._longest} bytes")

    async def _skip(self) -> None:
        """Drop the rest of a message, as it comes."""
        while b"\n" not in self._held:
            self._held.clear()
            if not await self._more():
                return
        del self._held[: self._held.index(b"\n") + 1]

    async def _more(self) -> bool:
        if not self._ended:
            piece = await self._read()
            self._held += piece
            self._ended = not piece
        return not self._ended

    async def _read(self) -> bytes:
        if not self._patience_s or not (self._held or self._until or self._is_awaited):
            return await self._channel.read()
        loop = asyncio.get_running_loop()
        if self._until is None:
            self._until = loop.time() + self._patience_s
        try:
            async with asyncio.timeout_at(self._until):
                return await self._channel.read()
        except TimeoutError:
            raise Slow from None
