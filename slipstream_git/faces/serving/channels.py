"""How a server hears one client, line by line, and speaks to it: a socket, or standard streams."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Protocol

from slipstream_git.errors import SlipError

PIECE = 1 << 16


class Channel(Protocol):
    """Bytes from one client and to it."""

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Waits for a client that does not read."""
        ...


class SocketChannel:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(PIECE)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


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


class Lines:
    """The messages of one client, at most ``longest`` bytes each (0: of any length)."""

    def __init__(self, channel: Channel, longest: int) -> None:
        self._channel = channel
        self._longest = longest
        self._held = bytearray()
        self._ended = False

    async def next(self) -> bytes | None:
        """The next message, without its end; None when the client has said all.

        Raises `too-large` once for a message that is too long, when all of it has gone by.
        """
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
            piece = await self._channel.read()
            self._held += piece
            self._ended = not piece
        return not self._ended
