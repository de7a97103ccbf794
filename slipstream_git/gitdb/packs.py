"""One write, one pack: how new objects reach the disk.

A batch's blobs, trees and commit become visible together, as a pack with a ``.keep`` beside
it until the ref that reaches them has moved. Loose objects would be simpler to write, but
``git gc --prune=now`` works out what is reachable first and deletes later, so it destroys objects
written in between; git's own fetch uses the same ``.keep`` for the same reason. A pack is
also faster: 100 blobs cost 2 ms against 32.

Formats: gitformat-pack(5), pack version 2 and index version 2, no deltas. Sizes in bytes.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from slipstream_git.text.objectid import sha1

KIND_CODES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
# Git recompresses when it repacks; here the person waits.
COMPRESSION = zlib.Z_BEST_SPEED
LARGEST_SMALL_OFFSET = 0x7FFFFFFF


class RawObject(NamedTuple):
    kind: str
    data: bytes


class Kept(NamedTuple):
    """A published pack that gc will leave alone until `release` is called."""

    pack: str
    keep: str

    def release(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.keep)


def publish(objects_dir: str, objects: Mapping[str, RawObject], *, sync: bool) -> Kept:
    """Write ``objects`` (by id) as one pack; on return every git process can read them.

    sync: also wait until they survive a power cut. Raises OSError as the disk gives it; then
    nothing is visible, and what was written is removed.
    """
    pack, index, name = _encode(objects)
    directory = os.path.join(objects_dir, "pack")
    os.makedirs(directory, exist_ok=True)
    stem = os.path.join(directory, f"pack-{name}")
    keep = f"{stem}.keep"
    written: list[str] = []
    try:
        _place(keep, b"slip %d\n" % os.getpid(), written, sync=False, mode=0o644)
        _place(f"{stem}.pack", pack, written, sync=sync)
        # The index is what makes a pack visible, so it comes last.
        _place(f"{stem}.idx", index, written, sync=sync)
        if sync:
            sync_directory(directory)
    except OSError:
        for path in reversed(written):
            with suppress(OSError):
                os.unlink(path)
        raise
    return Kept(f"{stem}.pack", keep)


def sync_directory(path: str) -> None:
    """Make renames and unlinks in a directory survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _place(path: str, data: bytes, written: list[str], *, sync: bool, mode: int = 0o444) -> None:
    # gc deletes names that begin with tmp_, also those of the living.
    temporary = f"{os.path.dirname(path)}/.slip-{os.getpid()}-{os.path.basename(path)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb", closefd=False) as stream:
            stream.write(data)
        if sync:
            os.fsync(handle)
        os.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(handle)
    written.append(path)


def _encode(objects: Mapping[str, RawObject]) -> tuple[bytes, bytes, str]:
    """Pack bytes, index bytes, and the name: the hex checksum of the pack, as git names them."""
    parts = [b"PACK" + struct.pack(">II", 2, len(objects))]
    position = len(parts[0])
    rows: list[tuple[bytes, int, int]] = []
    for oid, item in objects.items():
        record = _header(item) + zlib.compress(item.data, COMPRESSION)
        rows.append((bytes.fromhex(oid), zlib.crc32(record), position))
        parts.append(record)
        position += len(record)
    body = b"".join(parts)
    checksum = sha1(body).digest()
    return body + checksum, _index(sorted(rows), checksum), checksum.hex()


def _header(item: RawObject) -> bytes:
    size = len(item.data)
    byte = KIND_CODES[item.kind] << 4 | size & 0x0F
    size >>= 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    out.append(byte)
    return bytes(out)


def _index(rows: list[tuple[bytes, int, int]], checksum: bytes) -> bytes:
    counts = [0] * 256
    for oid, _, _ in rows:
        counts[oid[0]] += 1
    fanout, total = [], 0
    for count in counts:
        total += count
        fanout.append(total)
    small, large = _offsets([offset for _, _, offset in rows])
    body = b"".join(
        (
            b"\xfftOc\0\0\0\2",
            struct.pack(">256I", *fanout),
            *(oid for oid, _, _ in rows),
            struct.pack(f">{len(rows)}I", *(crc for _, crc, _ in rows)),
            struct.pack(f">{len(small)}I", *small),
            struct.pack(f">{len(large)}Q", *large),
            checksum,
        )
    )
    checksum_of_index: bytes = sha1(body).digest()
    return body + checksum_of_index


def _offsets(offsets: list[int]) -> tuple[list[int], list[int]]:
    small: list[int] = []
    large: list[int] = []
    for offset in offsets:
        if offset > LARGEST_SMALL_OFFSET:
            small.append(0x80000000 | len(large))
            large.append(offset)
        else:
            small.append(offset)
    return small, large
