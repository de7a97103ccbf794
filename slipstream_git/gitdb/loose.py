"""Loose objects read by slip itself: git's are one file each, a header and content under zlib.

A crash or a full disk leaves them empty or cut short, and libgit2 1.9.7 loops for ever on one that
is cut. Here such a one is `Broken`, at once. Formats: gitformat-loose(5). Sizes in bytes.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO, Final

from slipstream_git.gitdb.packs import KIND_CODES, RawObject
from slipstream_git.records import NamedTuple
from slipstream_git.text.objectid import sha1

# As deep as git follows alternates of alternates.
_DEEPEST: Final = 5
# `commit` and a size of 19 digits; git writes no longer header.
_LONGEST_HEADER: Final = 32
_PIECE: Final = 1 << 20
_REST: Final = re.compile("[0-9a-f]{38}")


class Broken(Exception):
    """A loose object that cannot be read whole; says why."""


def directories(objects_dir: str) -> tuple[str, ...]:
    """The object directory, and those that `info/alternates` names, in git's order."""
    found = [objects_dir]
    level = [objects_dir]
    for _ in range(_DEEPEST):
        level = [path for directory in level for path in _alternates(directory)]
        found += [path for path in level if path not in found]
    return tuple(found)


def _alternates(objects_dir: str) -> list[str]:
    try:
        with open(os.path.join(objects_dir, "info", "alternates"), "rb") as stream:
            lines = stream.read().split(b"\n")
    except OSError:
        return []
    names = [os.fsdecode(line) for line in lines if line and not line.startswith(b"#")]
    return [os.path.normpath(os.path.join(objects_dir, name)) for name in names]


def read(places: Sequence[str], oid: str, largest: int) -> RawObject | None:
    """A loose object from the first directory that has it, None where none has. Raises `Broken`.

    None, too, where its header says that it is over ``largest``.
    """
    for place in places:
        name = f"{place}/{oid[:2]}/{oid[2:]}"
        if not os.path.lexists(name):  # most are packed, and this is a third of a refused open
            continue
        try:
            with open(name, "rb") as stream:
                return _read(stream, largest)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as fault:
            raise Broken(fault.strerror) from None
    return None


def _read(stream: BinaryIO, largest: int) -> RawObject | None:
    raw = stream.read(_PIECE)
    kind, size, _ = _header(raw)
    if size > largest:
        return None
    try:
        whole = zlib.decompress(raw + stream.read())
    except zlib.error as fault:
        raise Broken(str(fault)) from None
    data = whole[whole.index(b"\0") + 1 :]
    if len(data) != size:
        raise Broken(f"it holds {len(data)} bytes and says {size}")
    return RawObject(kind, data)


def _header(raw: bytes) -> tuple[str, int, int]:
    """The kind, the size, and how long the header is with its NUL."""
    if not raw:
        raise Broken("it is empty")
    try:
        text, end, _ = zlib.decompressobj().decompress(raw, _LONGEST_HEADER).partition(b"\0")
    except zlib.error as fault:
        raise Broken(str(fault)) from None
    kind, _, size = text.partition(b" ")
    if not end or not size.isdigit() or kind.decode("ascii", "replace") not in KIND_CODES:
        raise Broken("it has no header")
    return kind.decode(), int(size), len(text) + 1


class Scan(NamedTuple):
    """What a look at loose objects came to.

    broken: why, by id. stopped_at: the directory (``00`` to ``ff``) where time ran out, or None.
    """

    looked_at: int
    broken: dict[str, str]
    stopped_at: str | None


def scan(objects_dir: str, seconds: float) -> Scan:
    """Read loose objects to their ends, one by one, for at most so long (and one object more)."""
    until = time.monotonic() + seconds
    looked_at, broken = 0, dict[str, str]()
    for number in range(256):
        directory = os.path.join(objects_dir, f"{number:02x}")
        for name in _names(directory):
            if time.monotonic() >= until:
                return Scan(looked_at, broken, f"{number:02x}")
            oid = f"{number:02x}{name}"
            looked_at += 1
            try:
                check(os.path.join(directory, name), oid)
            except Broken as fault:
                broken[oid] = str(fault)
            except FileNotFoundError:  # git gc was quicker
                looked_at -= 1
            except OSError as fault:
                broken[oid] = fault.strerror or "it cannot be read"
    return Scan(looked_at, broken, None)


def _names(directory: str) -> list[str]:
    """Those of loose objects; git's temporary files have others."""
    try:
        return sorted(name for name in os.listdir(directory) if _REST.fullmatch(name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def drop_broken(objects_dir: str, oids: Iterable[str]) -> None:
    """Remove broken loose copies of objects that have just been written whole, into a pack.

    git 2.55 reads the loose copy of a blob first, also where a pack has it, and dies of a broken
    one. What cannot be removed stays; doctor tells of it.
    """
    for oid in oids:
        path = f"{objects_dir}/{oid[:2]}/{oid[2:]}"
        try:
            check(path, oid)
        except Broken:
            with suppress(OSError):
                os.unlink(path)
        except OSError:
            continue


def check(path: str, oid: str) -> None:
    """Read a loose object to its end, in pieces, and hash it.

    Raises `Broken`; OSError as the disk gives it.
    """
    unpacker, digest, length = zlib.decompressobj(), sha1(), 0
    with open(path, "rb") as stream:
        raw = stream.read(_PIECE)
        _, size, skipped = _header(raw)
        while raw:
            try:
                piece = unpacker.decompress(raw, _PIECE)
            except zlib.error as fault:
                raise Broken(str(fault)) from None
            digest.update(piece)
            length += len(piece)
            raw = unpacker.unconsumed_tail or stream.read(_PIECE)
    if not unpacker.eof:
        raise Broken("it is cut short")
    if length - skipped != size or digest.hexdigest() != oid:
        raise Broken("its content is not what its name says")
