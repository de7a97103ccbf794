"""A segment: the text of some blobs in one file, with signatures that tell where not to look.

Blobs stand behind one another, each ended by a line break, and are cut into units of about 4 kB
that begin and end with a line; a unit may hold many small blobs. A unit's signature is a set of
bits, one for each trigram of its text (folded to lower case); bit by bit across all units they make
rows, so that the units that may hold a text are the conjunction of its trigrams' rows. What may
match is then read.

A segment never changes. It is made whole under another name, and named after what it holds; so
the same content is the same file everywhere, and may be linked. All numbers are little-endian.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from slipstream_git.records import NamedTuple
from slipstream_git.text.required import AllOf, Need

MAGIC = b"slipseg2"
BITS = 4096
UNIT_BYTES = 4096
# What is made into one segment, at most; a single blob may be larger.
MOST_BYTES = 128 << 20
# So many units are worked on at once: about a megabyte of text.
_AT_ONCE = 256
# After so many rows it is seen whether any unit is left.
_BETWEEN_LOOKS = 3
_FOLDED = np.frombuffer(bytes(range(256)).lower(), np.uint8)
_LINE_BREAK = 10
# An s and a K that are ASCII letters to whoever ignores case.
_FOLDING = (b"\xc5\xbf", b"\xe2\x84\xaa")
_ALIGNED = 64

# A bit a unit, the first of them in the lowest bit of the first number.
Bits = NDArray[np.uint64]


class Broken(Exception):
    """A file that is no whole segment."""


class _Part(NamedTuple):
    """An array in the file."""

    name: str
    kind: str
    length: int


class Header(NamedTuple):
    """blobs, units: how many. id_bytes: 20, or 32."""

    blobs: int
    units: int
    id_bytes: int
    content_bytes: int

    @property
    def row_bytes(self) -> int:
        return -(-self.units // 64) * 8

    def parts(self) -> tuple[_Part, ...]:
        return (
            _Part("ids", "u1", self.blobs * self.id_bytes),
            _Part("numbers", "u4", self.blobs),
            _Part("blob_starts", "u8", self.blobs + 1),
            _Part("unit_starts", "u8", self.units + 1),
            _Part("lines", "u4", self.units),
            _Part("folding", "u1", self.row_bytes),
            _Part("rows", "u1", self.row_bytes * BITS),
            # For the first line, too, a line break stands before it.
            _Part("lead", "u1", _ALIGNED),
            _Part("content", "u1", self.content_bytes),
        )


class Segment:
    """A segment, mapped. Blobs are numbered in the order of their text.

    blob_starts, unit_starts: where each begins in the text, and the last ends. lines: the number of
    the line, in its blob, with which a unit begins.
    """

    def __init__(self, path: str) -> None:
        with open(path, "rb") as stream:
            self._size = os.fstat(stream.fileno()).st_size
            if self._size < len(MAGIC) + 4:
                raise Broken(path)
            self.text = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            self.view = memoryview(self.text)  # parts of it are no copies
            self._file = os.dup(stream.fileno())
        self.name = os.path.basename(path)
        self.header, place = _header(self.text, path)
        arrays = {}
        for part in self.header.parts():
            place = _aligned(place)
            size = part.length * int(part.kind[1:])
            if place + size > self._size:
                raise Broken(path)
            arrays[part.name] = np.frombuffer(self.text, "<" + part.kind, part.length, place)
            place += size
        self.base = place - self.header.content_bytes
        header = self.header
        self._ids = arrays["ids"].reshape(header.blobs, header.id_bytes)
        self._keys = _keys(self._ids)
        self._numbers = arrays["numbers"]
        self.blob_starts = arrays["blob_starts"].astype(np.int64)
        self.unit_starts = arrays["unit_starts"].astype(np.int64)
        self.lines = arrays["lines"]
        self._folding = arrays["folding"].view("<u8")
        self._rows = arrays["rows"].view("<u8").reshape(BITS, header.row_bytes // 8)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    @property
    def size_bytes(self) -> int:
        return self._size

    def is_whole(self) -> bool:
        """Whether the file still has its length; reading behind its end would kill the process."""
        return os.fstat(self._file).st_size == self._size

    def find(self, ids: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The numbers of blobs, given the rows of their ids; -1 for those that are not here."""
        found = np.full(len(ids), -1, np.int64)
        if not (len(ids) and self.header.blobs):
            return found
        keys = _keys(ids)
        places = np.searchsorted(self._keys, keys)
        places[places == len(self._keys)] = 0
        # Ids that share eight bytes are not to be had by chance; where there are some, only the
        # first is found, and the others are read from the repository.
        same = (self._ids[places] == ids).all(axis=1)
        found[same] = self._numbers[places[same]]
        return found

    def ids(self) -> Iterator[bytes]:
        """The ids of its blobs, in the order of their text."""
        order = np.argsort(self._numbers)
        return (row.tobytes() for row in self._ids[order])

    def blob(self, number: int) -> bytes:
        """A blob's text, with a line break at its end."""
        start, end = self.blob_starts[number : number + 2].tolist()
        return self.text[self.base + start : self.base + end]

    def may_hold(self, need: Need, *, folds: bool) -> Bits | None:
        """The units that may hold what is needed, a bit each; None for all of them.

        folds: an s and a k may also be letters beyond ASCII, which the rows do not show.
        """
        found = self._may_hold(need)
        if found is None:
            return None
        return found | self._folding if folds else found

    def _may_hold(self, need: Need) -> Bits | None:
        if need is None:
            return None
        if isinstance(need, bytes):
            wanted = _hashes(need)
            return self._conjunction(wanted) if wanted else None
        parts = [self._may_hold(part) for part in need.needs]
        told = [part for part in parts if part is not None]
        if isinstance(need, AllOf):
            return _joined(np.bitwise_and, told) if told else None
        return _joined(np.bitwise_or, told) if len(told) == len(parts) else None

    def _conjunction(self, wanted: Sequence[int]) -> Bits:
        """The units with all of these bits."""
        found: Bits = self._rows[wanted[0]].copy()
        for place, row in enumerate(wanted[1:], 1):
            np.bitwise_and(found, self._rows[row], out=found)
            if not place % _BETWEEN_LOOKS and not found.any():
                break
        return found


def _joined(both: np.ufunc, bits: Sequence[Bits]) -> Bits:
    found: Bits = both.reduce(bits)
    return found


def _header(text: mmap.mmap, path: str) -> tuple[Header, int]:
    if text[: len(MAGIC)] != MAGIC:
        raise Broken(path)
    place = len(MAGIC) + 4
    (size,) = struct.unpack("<I", text[len(MAGIC) : place])
    try:
        header = Header(**json.loads(text[place : place + size]))
    except (ValueError, TypeError):
        raise Broken(path) from None
    return header, place + size


def _aligned(place: int) -> int:
    return -(-place // _ALIGNED) * _ALIGNED


def _keys(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first eight bytes of ids as numbers that sort as they do."""
    return np.ascontiguousarray(ids[:, :8]).view(">u8").reshape(-1).astype(np.uint64)


def rows_of_ids(ids: Sequence[str], id_bytes: int) -> NDArray[np.uint8]:
    """Hexadecimal ids as rows of bytes."""
    raw = bytes.fromhex("".join(ids))
    return np.frombuffer(raw, np.uint8).reshape(len(ids), id_bytes)


# Making one --------------------------------------------------------------------------------------


class Drafted(NamedTuple):
    """A segment that is not in a file yet: its name and its bytes, in pieces."""

    name: str
    pieces: list[bytes]


def draft(blobs: Iterable[tuple[str, bytes]], id_bytes: int) -> Drafted:
    """A segment of blobs, each an id and its text; a blob without text has no lines, but is known.

    A text that does not end in a line break gets one.
    """
    ids: list[str] = []
    content: list[bytes] = []
    blob_starts = [0]
    for oid, data in blobs:
        ids.append(oid)
        content.append(data if not data or data.endswith(b"\n") else data + b"\n")
        blob_starts.append(blob_starts[-1] + len(content[-1]))
    unit_starts, lines = _cut(content)
    whole = b"".join(content)
    del content
    header = Header(len(ids), len(lines), id_bytes, len(whole))
    rows, folding = _signed(whole, np.array(unit_starts, np.int64), header)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    arrays = {
        "ids": bytes.fromhex("".join(ids[number] for number in order)),
        "numbers": np.array(order, "<u4").tobytes(),
        "blob_starts": np.array(blob_starts, "<u8").tobytes(),
        "unit_starts": np.array(unit_starts, "<u8").tobytes(),
        "lines": np.array(lines, "<u4").tobytes(),
        "folding": folding,
        "rows": rows,
        "lead": b"\n" * _ALIGNED,
        "content": whole,
    }
    name = sha256(MAGIC + bytes.fromhex("".join(ids))).hexdigest()[:40]
    return Drafted(name, list(_pieces(header, arrays)))


def _pieces(header: Header, arrays: dict[str, bytes]) -> Iterator[bytes]:
    told = json.dumps(header._asdict()).encode()
    place = len(MAGIC) + 4 + len(told)
    yield MAGIC + struct.pack("<I", len(told)) + told
    for part in header.parts():
        gap = _aligned(place) - place
        data = arrays[part.name]
        yield bytes(gap)
        yield data
        place += gap + len(data)


def _cut(texts: Iterable[bytes]) -> tuple[list[int], list[int]]:
    """Where units of these texts begin, one behind the other, and with which line of its text."""
    starts, lines = [0], [1]
    base = 0
    for text in texts:
        place, line = 0, 1
        while base + len(text) - starts[-1] >= UNIT_BYTES:
            if starts[-1] < base and base - starts[-1] >= UNIT_BYTES // 2:
                end = 0  # small blobs before this one are enough
            else:
                end = text.find(b"\n", max(starts[-1] + UNIT_BYTES - 1 - base, 0)) + 1
            line += text.count(b"\n", place, end)
            starts.append(base + end)
            lines.append(line if end < len(text) else 1)
            place = end
        base += len(text)
    if starts[-1] < base:
        return [*starts, base], lines
    return starts, lines[:-1]


def _signed(text: bytes, starts: NDArray[np.int64], header: Header) -> tuple[bytes, bytes]:
    """The rows of all units, and which of them hold letters that fold to ASCII."""
    rows = np.zeros((BITS, header.row_bytes), np.uint8)
    bytes_of_text = np.frombuffer(text, np.uint8)
    for first in range(0, header.units, _AT_ONCE):
        behind = min(first + _AT_ONCE, header.units)
        bits = np.zeros((_AT_ONCE, BITS), np.uint8)
        part = bytes_of_text[starts[first] : starts[behind]]
        hashes = _hashed(_FOLDED[part])
        lengths = np.diff(starts[first : behind + 1])
        units = np.repeat(np.arange(behind - first, dtype=np.int32) * BITS, lengths)
        bits.reshape(-1)[units[: len(hashes)] + hashes] = 1
        packed = np.packbits(bits, axis=0, bitorder="little").T
        place = first // 8
        rows[:, place : place + packed.shape[1]] = packed[:, : header.row_bytes - place]
    folding = np.zeros(header.row_bytes * 8, np.uint8)
    for letter in _FOLDING:
        place = text.find(letter)
        while place >= 0:
            folding[np.searchsorted(starts, place, "right") - 1] = 1
            place = text.find(letter, place + 1)
    return rows.tobytes(), np.packbits(folding, bitorder="little").tobytes()


def _hashed(text: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The bit of the trigram at each place; 0 for one across a line break."""
    wide = text.astype(np.uint32)
    trigrams = wide[:-2] | (wide[1:-1] << 8) | (wide[2:] << 16)
    hashes = ((trigrams * np.uint32(0x9E3779B1)) >> np.uint32(20)).astype(np.int32)
    breaks = text == _LINE_BREAK
    hashes[breaks[:-2] | breaks[1:-1] | breaks[2:]] = 0
    return hashes


@lru_cache(maxsize=1024)
def _hashes(literal: bytes) -> Sequence[int]:
    """The bits of a literal's trigrams, each once."""
    if len(literal) < 3:
        return ()
    found = _hashed(np.frombuffer(literal.lower(), np.uint8)).tolist()
    return tuple(bit for bit in dict.fromkeys(found) if bit)
