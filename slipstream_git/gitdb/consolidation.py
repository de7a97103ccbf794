"""Slip's own packs made fewer: every write makes one, and many packs slow every read.

A read is 1.6 times as slow with fifty packs, 3 times with two hundred. So when there are more than
`packs.MOST_PACKS` of slip's own, the small ones are copied into one, entry by entry: slip writes no
deltas, so nothing is unpacked. As in `git repack --geometric`, a pack is left alone once it is
larger than all the smaller ones together, so that a byte is copied some ten times in its life.

Nothing is ever dropped: what no ref reaches is git's to prune. A new pack is there, kept and on the
disk, before an old one goes; git and libgit2 look through the directory again when they do not
find an object, or the pack that they have listed. Packs that somebody keeps, and those that a
multi-pack-index names, are left alone, and so is every pack of git's.

Formats: gitformat-pack(5). Sizes in bytes.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Final

from slipstream_git.gitdb import locks, packs
from slipstream_git.gitdb.barriers import AT_ONCE
from slipstream_git.records import NamedTuple
from slipstream_git.text.objectid import sha1

# Somebody waits for his command: a larger pack is left to `slip gc` and `git gc`.
LARGEST_COPIED: Final = 16 << 20
_INDEX_HEADER: Final = 8 + 256 * 4
_PLAIN_KINDS: Final = frozenset(packs.KIND_CODES.values())
# Beside a pack, they say that it is more than a pack.
_SPECIAL: Final = (".keep", ".promisor", ".mtimes")


class _Pack(NamedTuple):
    stem: str
    size: int


class _Row(NamedTuple):
    """One entry of a pack: where it begins and ends there."""

    oid: bytes
    crc: int
    start: int
    end: int


class Own(NamedTuple):
    """How many packs of slip's own there are, and their size with their indexes."""

    packs: int
    size: int


def own(objects_dir: str) -> Own:
    """What stands in the pack directory now."""
    names = packs.own_names(objects_dir)
    stems = [os.path.join(objects_dir, "pack", name) for name in names]
    return Own(len(names), sum(size_of(stem) for stem in stems))


def size_of(stem: str) -> int:
    """The bytes of a pack and its index; 0 for what has gone meanwhile."""
    size = 0
    for ending in (".pack", ".idx"):
        with suppress(OSError):
            size += os.stat(stem + ending).st_size
    return size


def consolidate(objects_dir: str, slip_dir: str, *, sharing: int, everything: bool = False) -> bool:
    """Merge slip's own packs where there are too many; whether any was merged.

    everything: merge all of them, however few and large. Another process that is at it is not
    waited for. Raises OSError; then nothing is lost, and at worst a pack is there twice.
    """
    with locks.held_if_free(os.path.join(slip_dir, "packing"), sharing) as is_free:
        if not is_free:
            return False
        chosen = _free(objects_dir)
        if not everything:
            chosen = _small_ones(chosen) if len(chosen) > packs.MOST_PACKS else []
        return len(chosen) > 1 and _merge(os.path.join(objects_dir, "pack"), chosen, sharing)


def _free(objects_dir: str) -> list[_Pack]:
    """Slip's own packs that nobody has a claim on, the smallest first."""
    directory = os.path.join(objects_dir, "pack")
    claimed = _in_multi_pack_index(directory)
    found = []
    for name in packs.own_names(objects_dir):
        stem = os.path.join(directory, name)
        if claimed is None or f"{name}.idx".encode() in claimed or _is_special(stem):
            continue
        with suppress(FileNotFoundError):
            found.append(_Pack(stem, os.stat(f"{stem}.pack").st_size))
    return sorted(found, key=lambda pack: (pack.size, pack.stem))


def _is_special(stem: str) -> bool:
    return any(os.path.exists(stem + ending) for ending in _SPECIAL)


def _in_multi_pack_index(directory: str) -> frozenset[bytes] | None:
    """The indexes that a multi-pack-index stands for; None where it cannot be read."""
    try:
        with open(os.path.join(directory, "multi-pack-index"), "rb") as stream:
            head = stream.read(12)
            rows = stream.read(12 * (head[6] + 1))
            chunks = list(struct.iter_unpack(">4sQ", rows))
            for (name, start), (_, end) in pairwise(chunks):
                if name == b"PNAM":
                    stream.seek(start)
                    return frozenset(stream.read(end - start).split(b"\0"))
    except FileNotFoundError:
        return frozenset()
    except (OSError, IndexError, struct.error):
        pass
    return None


def _small_ones(free: Sequence[_Pack]) -> list[_Pack]:
    """The packs up to the last that is not larger than all before it together."""
    total = cut = 0
    for number, (_, size) in enumerate(free):
        if size > LARGEST_COPIED:
            break
        if size <= 2 * total:
            cut = number + 1
        total += size
    return list(free[:cut])


def _merge(directory: str, chosen: Sequence[_Pack], sharing: int) -> bool:
    """Copy packs into one, then take those away that are in it whole."""
    copy = _Copy()
    copied = [pack.stem for pack in chosen if copy.takes(pack.stem)]
    try:
        if len(copied) < 2:
            return False
        seed = "\n".join(copied).encode("utf-8", "surrogateescape")
        kept = packs.place(
            directory, copy.pieces(), copy.index, seed, barrier=AT_ONCE, sharing=sharing
        )
    finally:
        copy.close()
    try:
        for stem in copied:
            _drop(stem)
    finally:
        kept.release()
    return True


def _drop(stem: str) -> None:
    """Remove a pack, its index first: without it nobody looks for the rest."""
    if _is_special(stem):
        return
    for ending in (".idx", ".pack", ".rev", ".bitmap"):
        with suppress(FileNotFoundError):
            os.unlink(stem + ending)


class _Copy:
    """A pack in the making, out of the entries of others; each object once."""

    def __init__(self) -> None:
        self._parts: list[tuple[mmap.mmap, list[_Row]]] = []
        self._seen: set[bytes] = set()
        self._checksum = sha1()
        self._rows: list[tuple[bytes, int, int]] = []
        self.checksum = b""

    def takes(self, stem: str) -> bool:
        """Take the entries of one pack, all of them or none: one that is not sound stays."""
        try:
            with open(f"{stem}.idx", "rb") as stream:
                index = stream.read()
            with open(f"{stem}.pack", "rb") as stream:
                data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return False
        try:
            rows = list(_rows(index, len(data)))
            is_sound = all(_is_sound(data, row) for row in rows)
        except (struct.error, IndexError):
            is_sound, rows = False, []
        if not is_sound:
            data.close()
            return False
        fresh = [row for row in rows if row.oid not in self._seen]
        self._seen.update(row.oid for row in rows)
        self._parts.append((data, fresh))
        return True

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the new pack; after the last one its index can be made."""
        head = b"PACK" + struct.pack(">II", 2, len(self._seen))
        self._checksum.update(head)
        position = len(head)
        yield head
        for data, rows in self._parts:
            for row in rows:
                piece = data[row.start : row.end]
                self._rows.append((row.oid, row.crc, position))
                self._checksum.update(piece)
                position += len(piece)
                yield piece
        self.checksum = self._checksum.digest()
        yield self.checksum

    def index(self) -> bytes:
        return packs.encode_index(sorted(self._rows), self.checksum)

    def close(self) -> None:
        for data, _ in self._parts:
            data.close()


def _rows(index: bytes, pack_size: int) -> Iterator[_Row]:
    """The entries of a version 2 index, in the order in which they stand in the pack."""
    if index[:8] != b"\xfftOc\0\0\0\2":
        raise IndexError
    count = struct.unpack_from(">I", index, _INDEX_HEADER - 4)[0]
    at = _INDEX_HEADER
    oids = [index[at + 20 * n : at + 20 * n + 20] for n in range(count)]
    crcs = struct.unpack_from(f">{count}I", index, at + 20 * count)
    small = struct.unpack_from(f">{count}I", index, at + 24 * count)
    large = at + 28 * count

    def offset(number: int) -> int:
        if number <= packs.LARGEST_SMALL_OFFSET:
            return number
        place = large + 8 * (number & packs.LARGEST_SMALL_OFFSET)
        found: int = struct.unpack_from(">Q", index, place)[0]
        return found

    offsets = [offset(number) for number in small]
    order = sorted(zip(offsets, oids, crcs, strict=True))
    ends = [*(start for start, _, _ in order[1:]), pack_size - 20]
    for (start, oid, crc), end in zip(order, ends[:count], strict=True):
        yield _Row(oid, crc, start, end)


def _is_sound(data: mmap.mmap, row: _Row) -> bool:
    """Whether an entry is whole, and an object and no delta."""
    kind = data[row.start] >> 4 & 7
    return kind in _PLAIN_KINDS and zlib.crc32(data[row.start : row.end]) == row.crc
