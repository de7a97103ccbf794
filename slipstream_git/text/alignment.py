"""Which lines of two texts belong together, as git's merge aligns them: the histogram diff.

The rarest common run of lines is matched first, then what lies before and after it in the same
way (JGit's HistogramDiff, which is what git's own merge uses by default). Where every common line
of a region is frequent, Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986) aligns that
region. At last each changed group slides to where the other side has changed too, else down as
far as it can. tests/text/test_hunks.py holds all of it against git.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise

from slipstream_git.records import NamedTuple

# git: a line that occurs more often than this in a region does not lead to a match there.
LONGEST_CHAIN = 64
# Past this a frequent-lines region counts as changed whole: it costs no more than a like one.
MOST_DIFFERENCES = 400
# Lines looked at again. Matching run by run is quadratic where, say, every other line has changed;
# past this the lines that are there once lead, all at one time.
MOST_WORK = 1_000_000
QUICK_WORK = 10_000

Lines = Sequence[Hashable]


class Edit(NamedTuple):
    """Old lines [start, end) became new lines [low, high); 0-based, half-open."""

    start: int
    end: int
    low: int
    high: int


class _Region(NamedTuple):
    """Old lines [a, b) against new lines [c, d)."""

    a: int
    b: int
    c: int
    d: int


class _Run(NamedTuple):
    """``length`` lines alike, from old line ``old`` and new line ``new``."""

    old: int
    new: int
    length: int


def edits(old: Lines, new: Lines, work: int = MOST_WORK) -> list[Edit]:
    """How ``old`` became ``new``, in order; two edits never touch."""
    pairs = sorted(_pairs(old, new, work))
    before = [-1, *(pair[0] for pair in pairs), len(old)]
    after = [-1, *(pair[1] for pair in pairs), len(new)]
    _slide(old, before, after)
    _slide(new, after, before)
    spans = zip(before, before[1:], after, after[1:], strict=False)
    return [Edit(i + 1, j, k + 1, n) for i, j, k, n in spans if j - i > 1 or n - k > 1]


def quick_edits(old: Lines, new: Lines) -> list[Edit]:
    """``edits`` less the work for what both texts begin and end with; may place them otherwise."""
    shortest = min(len(old), len(new))
    head = next((n for n in range(shortest) if old[n] != new[n]), shortest)
    rest = shortest - head
    tail = next((n for n in range(rest) if old[-n - 1] != new[-n - 1]), rest)
    found = edits(old[head : len(old) - tail], new[head : len(new) - tail], QUICK_WORK)
    return [Edit(*(number + head for number in edit)) for edit in found]


def _pairs(old: Lines, new: Lines, left: int) -> Iterator[tuple[int, int]]:
    """Old and new line numbers that are matched."""
    waiting = [_Region(0, len(old), 0, len(new))]
    left += len(old) + len(new)  # all of it is looked at once
    while waiting:
        region = waiting.pop()
        a, b, c, d = region
        if a == b or c == d:
            continue
        left -= b - a + d - c
        if left < 0:
            found = _unique(old, new, region)
            yield from found
            ends = [(a - 1, c - 1), *found, (b, d)]
            gaps = pairwise(ends) if found else ()
            waiting += [_Region(i + 1, k, j + 1, n) for (i, j), (k, n) in gaps]
            continue
        run = _rarest(old, new, region)
        if run is None:
            yield from _shortest(old, new, region)
        elif run.length:
            yield from ((run.old + n, run.new + n) for n in range(run.length))
            waiting.append(_Region(a, run.old, c, run.new))
            waiting.append(_Region(run.old + run.length, b, run.new + run.length, d))


def _rarest(old: Lines, new: Lines, region: _Region) -> _Run | None:
    """The run to match first; an empty one where nothing is common, None where all is frequent."""
    a, b, c, d = region
    places: dict[Hashable, list[int]] = {}
    for number in range(a, b):
        places.setdefault(old[number], []).append(number)
    best, fewest, common = _Run(a, c, 0), LONGEST_CHAIN + 1, False
    number = c
    while number < d:
        found = places.get(new[number], ())
        at, number = number, number + 1
        if len(found) > fewest:
            common = True
            continue
        beyond = -1
        for place in found:
            if place <= beyond:
                continue
            run = _grown(old, new, region, place, at)
            beyond = run.old + run.length - 1
            number = max(number, run.new + run.length)
            rarity = min(len(places[old[n]]) for n in range(run.old, beyond + 1))
            if run.length > best.length or rarity < fewest:
                best, fewest = run, rarity
    return None if common and fewest > LONGEST_CHAIN else best


def _unique(old: Lines, new: Lines, region: _Region) -> list[tuple[int, int]]:
    """Pairs of lines that stand once on either side, as many as keep their order; and the lines
    alike that the region begins and ends with (Cohen's patience diff).
    """
    a, b, c, d = region
    head = 0
    while a + head < b and c + head < d and old[a + head] == new[c + head]:
        head += 1
    tail = 0
    while a + head < b - tail and c + head < d - tail and old[b - tail - 1] == new[d - tail - 1]:
        tail += 1
    places: list[dict[Hashable, int | None]] = []
    for lines, start, end in ((old, a, b), (new, c, d)):
        once: dict[Hashable, int | None] = {}
        for number in range(start + head, end - tail):
            once[lines[number]] = None if lines[number] in once else number
        places.append(once)
    pairs = [
        (i, j) for line, i in places[0].items()
        if i is not None and (j := places[1].get(line)) is not None
    ]  # fmt: skip
    return [
        *((a + n, c + n) for n in range(head)),
        *_rising(sorted(pairs)),
        *((b - n, d - n) for n in range(tail, 0, -1)),
    ]


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of the pairs in which the second numbers rise, too."""
    ends: list[int] = []
    best: list[int] = []
    before: list[int] = []
    for number, (_, second) in enumerate(pairs):
        at = bisect_left(ends, second)
        before.append(best[at - 1] if at else -1)
        ends[at : at + 1] = [second]
        best[at : at + 1] = [number]
    found = []
    number = best[-1] if best else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _grown(old: Lines, new: Lines, region: _Region, i: int, j: int) -> _Run:
    """The whole run of lines alike around a pair."""
    a, b, c, d = region
    start = 0
    while i - start > a and j - start > c and old[i - start - 1] == new[j - start - 1]:
        start += 1
    end = 1
    while i + end < b and j + end < d and old[i + end] == new[j + end]:
        end += 1
    return _Run(i - start, j - start, start + end)


def _shortest(old: Lines, new: Lines, region: _Region) -> Iterator[tuple[int, int]]:
    """The pairs of a shortest edit script; none where it is longer than the limit."""
    a, b, c, d = region
    reached = {1: 0}
    trace = []
    for distance in range(MOST_DIFFERENCES):
        trace.append(dict(reached))
        for diagonal in range(-distance, distance + 1, 2):
            x = _start(reached, diagonal, distance)
            y = x - diagonal
            while a + x < b and c + y < d and old[a + x] == new[c + y]:
                x, y = x + 1, y + 1
            reached[diagonal] = x
            if a + x >= b and c + y >= d:
                yield from _walked_back(trace, (a, c), x, y)
                return


def _start(reached: dict[int, int], diagonal: int, distance: int) -> int:
    down, right = reached.get(diagonal + 1, -1), reached.get(diagonal - 1, -1)
    if diagonal == -distance or (diagonal != distance and right < down):
        return down
    return right + 1


def _walked_back(
    trace: Sequence[dict[int, int]], origin: tuple[int, int], x: int, y: int
) -> Iterator[tuple[int, int]]:
    for distance in range(len(trace) - 1, -1, -1):
        reached = trace[distance]
        diagonal = x - y
        begin = _start(reached, diagonal, distance)
        while x > begin and y > begin - diagonal:
            x, y = x - 1, y - 1
            yield origin[0] + x, origin[1] + y
        if begin == reached.get(diagonal + 1, -1) and (
            diagonal == -distance or begin != reached.get(diagonal - 1, -2) + 1
        ):
            x, y = begin, begin - diagonal - 1
        else:
            x, y = begin - 1, begin - diagonal


def _slide(lines: Lines, mine: list[int], other: Sequence[int]) -> None:
    """Move each changed group of one side to its place, by matching alike lines differently.

    mine and other: the matched line numbers of the two sides, between -1 and the number of lines.
    Gap k lies between the pairs k and k + 1; a group is a gap that is not empty.
    """
    gap = 0
    last = len(mine) - 2
    while gap <= last:
        if mine[gap + 1] - mine[gap] > 1:
            gap = _slid(lines, mine, other, gap)
        gap += 1


def _slid(lines: Lines, mine: list[int], other: Sequence[int], gap: int) -> int:
    """The gap at which the group of ``gap`` stands at last; it may have swallowed others."""

    def up() -> bool:
        nonlocal gap
        if gap == 0 or lines[mine[gap]] != lines[mine[gap + 1] - 1]:
            return False
        mine[gap] = mine[gap + 1] - 1
        gap -= 1
        return True

    def down() -> bool:
        nonlocal gap
        if gap == len(mine) - 2 or lines[mine[gap] + 1] != lines[mine[gap + 1]]:
            return False
        mine[gap + 1] = mine[gap] + 1
        gap += 1
        return True

    def faces() -> bool:
        return other[gap + 1] - other[gap] > 1

    size = -1
    facing = False
    while size != mine[gap + 1] - mine[gap]:
        size = mine[gap + 1] - mine[gap]
        while up():
            pass
        facing = faces()
        while down():
            facing = faces() or facing
    while facing and not faces() and up():
        pass
    return gap
