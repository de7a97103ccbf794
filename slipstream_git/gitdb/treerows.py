"""One tree object, read as it lies: its entries are taken from the raw bytes when asked for.

Of the trees that are read, most are versions of others and differ in a few ids. What they share,
names and modes in their order, is read and checked once and held once (`Shape`); two of a shape are
compared by comparing bytes.
"""

from __future__ import annotations

import re
import stat
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate

from slipstream_git.model import EXECUTABLE, FILE, GITLINK, SYMLINK, TREE, Entry
from slipstream_git.text import paths

MOST_SHAPES = 4096
_ID = 20
_IDS = re.compile(rb"\0.{20}", re.DOTALL)
# Old tools wrote a zero before 40000, and many a history has such trees. No kind of entry has more
# than six digits; git itself lets more run over.
_MODE = re.compile(rb"0?[1-7][0-7]{0,5}")
_TREE_MODES = (b"40000", b"040000")
_SUSPECT = re.compile(rb"[.gG\x80-\xff]")


class Shape:
    """The names and modes of a tree's entries.

    is_as_written: git would write all of its modes as they are.
    """

    def __init__(self, heads: Sequence[bytes], said: bytes) -> None:
        """heads: what stands before each id. said: all of them, each ended by a NUL.

        Raises ValueError for entries that git would not have written so. git reads unsorted trees
        and doubled names, each of its commands in its own way; written anew, entries would be lost
        or change their meaning. And no name may be one that git itself keeps off the disk. Modes
        are taken, and written anew, as git takes them: 40000 for 040000, 100644 for the 100664 of
        old histories.
        """
        rows = [head.partition(b" ") for head in heads]
        modes, _, names = zip(*rows, strict=True) if rows else ((), (), ())
        if not all(map(_MODE.fullmatch, set(modes))) or not all(names) or b"/" in said:
            raise ValueError("it has an entry that git would not write")
        keys = [name + b"/" if mode in _TREE_MODES else name for mode, _, name in rows]
        if keys != sorted(keys):
            raise ValueError("its entries are not in order")
        self.names: Sequence[bytes] = names
        self.numbers = dict(zip(names, range(len(names)), strict=True))
        if len(self.numbers) != len(names):
            raise ValueError("it has two entries of one name")
        # Most names are told by their first byte, and a tree may have very many.
        for name in filter(_SUSPECT.match, names):
            if paths.is_reserved(name):
                raise ValueError(f"it has an entry {paths.display(name)}")
        self.modes = tuple(map(_MODES.__getitem__, modes))
        self.is_as_written = _CANONICAL.issuperset(modes)
        # Where each row ends, and before the first of them 0.
        self.ends = array("I", accumulate((len(head) + 1 + _ID for head in heads), initial=0))


class Shapes:
    """The shapes of the trees that were read."""

    def __init__(self) -> None:
        self._known: dict[bytes, Shape] = {}

    def rows(self, raw: bytes) -> Rows:
        """The entries of a tree object. Raises ValueError as `Shape` does."""
        *heads, rest = _IDS.split(raw)
        if rest:
            raise ValueError("it has an entry that git would not write")
        said = b"\0".join((*heads, b""))
        shape = self._known.get(said)
        if shape is None:
            if len(self._known) >= MOST_SHAPES:
                self._known.clear()
            shape = self._known[said] = Shape(heads, said)
        return Rows(shape, raw)


class Rows:
    """A tree's entries by name, in its order."""

    __slots__ = ("_raw", "shape")

    def __init__(self, shape: Shape, raw: bytes) -> None:
        self.shape = shape
        self._raw = raw

    def get(self, name: bytes) -> Entry | None:
        number = self.shape.numbers.get(name)
        if number is None:
            return None
        end = self.shape.ends[number + 1]
        return Entry(self.shape.modes[number], self._raw[end - _ID : end].hex())

    def items(self) -> Iterator[tuple[bytes, Entry]]:
        ids = (self._raw[end - _ID : end].hex() for end in self.shape.ends[1:])
        return zip(self.shape.names, map(Entry, self.shape.modes, ids), strict=True)

    def differing(self, other: Rows) -> list[bytes]:
        """The names at which two trees differ."""
        if self.shape is other.shape:
            return [self.shape.names[number] for number in self._numbers(other)]
        mine, others = dict(self.items()), dict(other.items())
        return list({name for name, _ in mine.items() ^ others.items()})

    def _numbers(self, other: Rows) -> Iterator[int]:
        """The rows that differ in a tree of the same shape: halves that are equal are passed by."""
        ends, mine, others = self.shape.ends, self._raw, other._raw
        halves = [(0, len(ends) - 1)]
        while halves:
            first, last = halves.pop()
            begin, end = ends[first], ends[last]
            if mine[begin:end] == others[begin:end]:
                continue
            if last - first == 1:
                yield first
            else:
                middle = (first + last) // 2
                halves += [(middle, last), (first, middle)]


class _Modes(dict[bytes, int]):
    """Modes by their digits."""

    def __missing__(self, digits: bytes) -> int:
        return _mode(digits)


def _mode(digits: bytes) -> int:
    """What git makes of a mode (canon_mode)."""
    mode = int(digits, 8)
    if stat.S_ISREG(mode):
        return EXECUTABLE if mode & stat.S_IXUSR else FILE
    return next((m for m in (SYMLINK, TREE) if stat.S_IFMT(mode) == m), GITLINK)


_MODES = _Modes({b"%o" % mode: mode for mode in (FILE, EXECUTABLE, SYMLINK, GITLINK, TREE)})
_CANONICAL = frozenset(_MODES)

EMPTY = Shapes().rows(b"")
