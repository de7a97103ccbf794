"""The line diff by which git merges: the histogram algorithm, then changes moved as git moves them.

A merge is clean or not, and right or not, by how lines are aligned; so this follows git's xdiff
(xhistogram.c and xdl_change_compact in xdiffi.c) step for step. Where git would fall back to
another algorithm, or where this would take long, it gives up, unless it is told what to do there.

A text is a list of line numbers (see `numbered`). What has changed stands between the lines that
are common to both texts: a group of ``size`` lines before the common line number ``place``,
counted from 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

from slipstream_git.records import NamedTuple

# git's: a line that stands more often in a region is no start of a common one.
MOST_OCCURRENCES = 64
# Lines looked through, at some 100 ns each.
MOST_WORK = 200_000

Text = Sequence[int]
Groups = dict[int, int]


class Edit(NamedTuple):
    """Old lines [start, end) became new lines [low, high); 0-based, half-open."""

    start: int
    end: int
    low: int
    high: int


class GivenUpError(Exception):
    """The diff is not known here."""


class Block(NamedTuple):
    """A run of equal lines: where it is in both texts."""

    old: int
    new: int
    size: int


class Region(NamedTuple):
    """Old lines [old_start, old_end) against new lines [new_start, new_end)."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


# The runs of common lines in a region, in any order.
Otherwise = Callable[[Text, Text, Region], Iterable[Block]]


def given_up(_old: Text, _new: Text, _region: Region) -> NoReturn:
    """Look no further. Raises GivenUpError."""
    raise GivenUpError


def numbered(*texts: Sequence[bytes]) -> list[list[int]]:
    """The lines of each text as numbers: equal lines, equal numbers."""
    numbers: dict[bytes, int] = {}
    return [[numbers.setdefault(line, len(numbers)) for line in text] for text in texts]


def edits(
    old: Text,
    new: Text,
    work: int = MOST_WORK,
    frequent: Otherwise = given_up,
    long: Otherwise = given_up,
) -> list[Edit]:
    """What git's merges see as changed, in order; two edits never touch. Raises GivenUpError.

    frequent: what is common in a region whose common lines are all frequent; long: the same for
    a region that is reached when ``work`` lines have been looked through.
    """
    blocks = _common(old, new, work, frequent, long)
    removed, added = _groups(blocks, len(old), len(new))
    removed = _compacted(old, removed, added)
    added = _compacted(new, added, removed)
    found, gone, come = [], 0, 0
    for place in sorted(removed.keys() | added.keys()):
        start, low = place + gone, place + come
        gone, come = gone + removed.get(place, 0), come + added.get(place, 0)
        found.append(Edit(start, place + gone, low, place + come))
    return found


def _groups(blocks: Sequence[Block], old_end: int, new_end: int) -> tuple[Groups, Groups]:
    """What is not common in either text."""
    removed, added = {}, {}
    place = old = new = 0
    for block in (*blocks, Block(old_end, new_end, 0)):
        if block.old > old:
            removed[place] = block.old - old
        if block.new > new:
            added[place] = block.new - new
        place += block.size
        old, new = block.old + block.size, block.new + block.size
    return removed, added


# The common lines ---------------------------------------------------------------------------------


def _common(
    old: Text, new: Text, most_work: int, frequent: Otherwise, long: Otherwise
) -> list[Block]:
    """The runs of common lines, in order."""
    found: list[Block] = []
    work = 0
    regions = [Region(0, len(old), 0, len(new))]
    while regions:
        region = regions.pop()
        old_start, old_end, new_start, new_end = region
        if old_start == old_end or new_start == new_end:
            continue
        work += old_end - old_start + new_end - new_start
        if work > most_work:
            found += long(old, new, region)
            continue
        search = _Search(old, new, region)
        block = search.best()
        if search.is_frequent:
            found += frequent(old, new, region)
        elif block is not None:
            found.append(block)
            regions.append(Region(old_start, block.old, new_start, block.new))
            regions.append(Region(block.old + block.size, old_end, block.new + block.size, new_end))
    return sorted(found)


class _Search:
    """In a part of both texts, for the longest run of rare common lines.

    is_frequent: its common lines are all too frequent to lead to one.
    """

    def __init__(self, old: Text, new: Text, region: Region) -> None:
        self.old, self.new = old, new
        self.old_start, self.old_end, self.new_start, self.new_end = region
        part = old[self.old_start : self.old_end]
        places = range(self.old_end - 1, self.old_start - 1, -1)
        self.counts = Counter(part)
        self.first = dict(zip(reversed(part), places, strict=True))
        self.places: dict[int, list[int]] | None = None  # made for the first frequent line
        self.rarity = MOST_OCCURRENCES + 1
        self.found: Block | None = None
        self.is_frequent = False

    def best(self) -> Block | None:
        """The run that git takes."""
        place, has_common, counts = self.new_start, False, self.counts
        while place < self.new_end:
            count = counts.get(self.new[place], 0)
            has_common = has_common or count > 0
            if 0 < count <= self.rarity:
                place = self._tried(place)
            else:
                place += 1
        self.is_frequent = has_common and self.rarity > MOST_OCCURRENCES
        return self.found

    def _tried(self, place: int) -> int:
        """Look at each run through a line of the new text; where to look next."""
        line = self.new[place]
        following = place + 1
        start: int | None = self.first[line]
        while start is not None:
            block, rarity = self._run(start, place, self.counts[line])
            following = max(following, block.new + block.size)
            longest = self.found.size if self.found else 1
            if block.size > longest or rarity < self.rarity:
                self.found, self.rarity = block, rarity
            start = self._next(line, max(start + 1, block.old + block.size))
        return following

    def _next(self, line: int, after: int) -> int | None:
        if self.counts[line] == 1:
            return None
        if self.places is None:
            self.places = {}
            for place in range(self.old_start, self.old_end):
                self.places.setdefault(self.old[place], []).append(place)
        found = self.places[line]
        at = bisect_left(found, after)
        return found[at] if at < len(found) else None

    def _run(self, old: int, new: int, rarity: int) -> tuple[Block, int]:
        """The run of equal lines through a pair of them, and how often its rarest line stands."""
        above = min(old - self.old_start, new - self.new_start)
        size = 0
        while size < above and self.old[old - size - 1] == self.new[new - size - 1]:
            size += 1
        start_old, start_new = old - size, new - size
        size += _length(self.old, old, self.new, new, min(self.old_end - old, self.new_end - new))
        if rarity > 1:
            counts = self.counts
            rarity = min(counts[line] for line in self.old[start_old : start_old + size])
        return Block(start_old, start_new, size), rarity


def _length(old: Text, start: int, new: Text, other: int, most: int) -> int:
    """How many lines are equal from here on, at most ``most``."""
    low, step = 0, 16
    while low < most:
        high = min(low + step, most)
        if old[start + low : start + high] == new[other + low : other + high]:
            low, step = high, step * 2
            continue
        while low < high and old[start + low] == new[other + low]:
            if high - low > 16:
                middle = (low + high) // 2
                if old[start + low : start + middle] == new[other + low : other + middle]:
                    low = middle
                else:
                    high = middle
            else:
                low += 1
        return low
    return low


# Changes that may as well stand elsewhere ---------------------------------------------------------


def _compacted(text: Text, groups: Mapping[int, int], other: Mapping[int, int]) -> Groups:
    """Each group moved down as far as it goes, or to where the other text has changed, too.

    A group may move by a line where the line it leaves equals the one it takes in; groups that
    meet become one.
    """
    coming = [(place, groups[place]) for place in sorted(groups, reverse=True)]
    done: list[tuple[int, int]] = []
    before = 0
    while coming:
        place, size = coming.pop()
        group = _Group(text, place, place + before, size)
        before += group.settled(done, coming, other)
        done.append((group.place, group.size))
    return dict(done)


class _Group:
    """A group of changed lines while it moves."""

    def __init__(self, text: Text, place: int, start: int, size: int) -> None:
        self.text = text
        self.place, self.start, self.size = place, start, size

    def settled(
        self,
        done: list[tuple[int, int]],
        coming: list[tuple[int, int]],
        other: Mapping[int, int],
    ) -> int:
        """Move it; by how much the lines changed up to here have become more."""
        taken = 0
        while True:
            size = self.size
            while self._up():
                if done and done[-1][0] == self.place:
                    taken += self._join(done.pop()[1], above=True)
            highest = self.place
            match = self.place in other
            while self._down():
                if coming and coming[-1][0] == self.place:
                    self._join(coming.pop()[1], above=False)
                match = match or self.place in other
            if size == self.size:
                break
        if self.place != highest and match:
            while self.place not in other:
                self._up()
        return self.size - taken

    def _up(self) -> bool:
        start, text = self.start, self.text
        if start > 0 and text[start - 1] == text[start + self.size - 1]:
            self.start, self.place = start - 1, self.place - 1
            return True
        return False

    def _down(self) -> bool:
        start, text = self.start, self.text
        if start + self.size < len(text) and text[start] == text[start + self.size]:
            self.start, self.place = start + 1, self.place + 1
            return True
        return False

    def _join(self, size: int, *, above: bool) -> int:
        self.size += size
        if above:
            self.start -= size
        return size
