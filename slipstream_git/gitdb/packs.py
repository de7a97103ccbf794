"""One write, one pack: how new objects reach the disk.

A batch's blobs, trees and commit become visible together, as a pack with a ``.keep`` beside
it until the ref that reaches them has moved. Loose objects would be simpler to write, but
``git gc --prune=now`` works out what is reachable first and deletes later, so it destroys objects
written in between; git's own fetch uses the same ``.keep`` for the same reason. A pack is
also faster: 100 blobs cost 2 ms against 32.

A pack is slip's own when its name begins with `OWN`. git takes any 40 hex digits for a name and
never asks what they are, so the mark costs no file beside the pack, which git would report as
garbage and leave behind. The rest of the name is of no other pack: two processes that write the
same objects at once must not share one ``.keep``.

Formats: gitformat-pack(5), pack version 2 and index version 2, no deltas. Sizes in bytes.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.barriers import NEVER, Barrier
from slipstream_git.records import NamedTuple
from slipstream_git.text.objectid import digest

OWN = "511b511b"
OWN_START = f"pack-{OWN}"
# Above as many of slip's own, they are merged (`consolidation`). git's gc begins at 50 of all
# packs (gc.autoPackLimit), and these should not bring it about.
MOST_PACKS = 40
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
        # What was to be done is done: where the disk refuses, the next sweep lets go of the pack.
        with suppress(OSError):
            os.unlink(self.keep)


NOTHING_KEPT = Kept("", "")


def publish(
    objects_dir: str,
    objects: Mapping[str, RawObject],
    *,
    barrier: Barrier = NEVER,
    sharing: int = 0,
) -> Kept:
    """Write ``objects`` (by id) as one pack; on return every git process can read them.

    barrier: when it has been raised, they survive a power cut. sharing: see `permissions.parse`.
    Raises OSError as the disk gives it; then nothing is visible, and what was written is removed.
    """
    pack, index, checksum = _encode(objects)
    directory = os.path.join(objects_dir, "pack")
    permissions.make_directory(directory, sharing)
    return place(directory, [pack], lambda: index, checksum, barrier=barrier, sharing=sharing)


def place(
    directory: str,
    pack: Iterable[bytes],
    index: Callable[[], bytes],
    seed: bytes,
    *,
    barrier: Barrier,
    sharing: int,
) -> Kept:
    """Put a pack of slip's own into a pack directory, kept. The rest as for `publish`.

    index: asked for when the pack is written. seed: goes into the name.
    """
    stem = os.path.join(directory, f"pack-{_name(seed)}")
    keep = f"{stem}.keep"
    written: list[str] = []
    try:
        text = b"slip %d\n" % os.getpid()
        _place(keep, [text], written, barrier=NEVER, mode=0o644, sharing=sharing)
        _place(f"{stem}.pack", pack, written, barrier=barrier, sharing=sharing)
        # The index is what makes a pack visible, so it comes last.
        _place(f"{stem}.idx", [index()], written, barrier=barrier, sharing=sharing)
        barrier.leave_path(directory)
    except OSError:
        for path in reversed(written):
            with suppress(OSError):
                os.unlink(path)
        raise
    return Kept(f"{stem}.pack", keep)


def _name(seed: bytes) -> str:
    """A name that no other pack has, whoever writes the same objects at the same time."""
    told = b"%s %d %d" % (seed, os.getpid(), time.monotonic_ns())
    rest = digest(told).hex()
    return OWN + rest[: 40 - len(OWN)]


def own_names(objects_dir: str) -> list[str]:
    """Slip's own packs that are there to be read, as ``pack-…`` without an ending, sorted."""
    try:
        names = os.listdir(os.path.join(objects_dir, "pack"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    own = (name for name in names if name.startswith(OWN_START))
    return sorted(name[:-4] for name in own if name.endswith(".idx"))


def _place(
    path: str,
    pieces: Iterable[bytes],
    written: list[str],
    *,
    barrier: Barrier,
    sharing: int,
    mode: int = 0o444,
) -> None:
    # gc deletes names that begin with tmp_, also those of the living, and an .idx whose
    # .pack is not there.
    temporary = f"{os.path.dirname(path)}/.slip-{os.getpid()}-{os.path.basename(path)}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb", closefd=False) as stream:
            stream.writelines(pieces)
        permissions.adjust(temporary, sharing)
        barrier.now(handle)
        os.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(handle)
    written.append(path)


def _encode(objects: Mapping[str, RawObject]) -> tuple[bytes, bytes, bytes]:
    """Pack bytes, index bytes, and the checksum of the pack."""
    parts = [b"PACK" + struct.pack(">II", 2, len(objects))]
    position = len(parts[0])
    rows: list[tuple[bytes, int, int]] = []
    for oid, item in objects.items():
        record = _header(item) + zlib.compress(item.data, COMPRESSION)
        rows.append((bytes.fromhex(oid), zlib.crc32(record), position))
        parts.append(record)
        position += len(record)
    body = b"".join(parts)
    checksum = digest(body)
    return body + checksum, encode_index(sorted(rows), checksum), checksum


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


def encode_index(rows: list[tuple[bytes, int, int]], checksum: bytes) -> bytes:
    """An index of a pack with this checksum. Rows are id, CRC and offset, sorted by id."""
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
    checksum_of_index = digest(body)
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
