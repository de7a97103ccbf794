"""What a caller hands over on standard input or in a file. Imports nothing: see `client`."""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False  # as `typing` has it, without its import
if TYPE_CHECKING:
    from typing import BinaryIO

LARGEST = 512 << 20
PIECE = 1 << 20


def standard() -> bytes | None:
    """All of this process's standard input; None where somebody would have to type it.

    Raises `too-large`.
    """
    if sys.stdin is None or sys.stdin.closed:
        return b""
    return None if sys.stdin.isatty() else all_of(sys.stdin.buffer, "standard input")


def file_at(path: str, name: str, *, stored: bool = False) -> bytes:
    """A file's bytes. name: what the caller calls it. Raises `usage`, `too-large`.

    stored: a regular file's, or none: nobody waits for who writes into a pipe.
    """
    from slipstream_git.errors import SlipError

    try:
        with open(path, "rb", opener=_opened_at_once if stored else None) as stream:
            if stored and not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise SlipError("usage", f"{name} is no regular file")
            return all_of(stream, name)
    except OSError as fault:
        raise SlipError("usage", f"{name}: {fault.strerror}") from None


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def all_of(stream: BinaryIO, name: str) -> bytes:
    """What is left in a stream, which may be a device that never ends. Raises `too-large`."""
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            from slipstream_git.errors import SlipError

            raise SlipError("too-large", f"{name} holds over {LARGEST} bytes")
    return b"".join(pieces)
