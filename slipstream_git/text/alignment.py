"""Which lines of two texts belong together, for any two texts, where `histogram` may give up.

Where every common line of a region is frequent, Myers' greedy algorithm (An O(ND) Difference
Algorithm, 1986) aligns that region, as git does. Where run by run takes long, the lines that are
there once lead, all at one time; git has no such bound. tests/text/test_hunk_regions.py holds all
of it against git.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from slipstream_git.text import histogram
from slipstream_git.text.histogram import Block, Edit, Region, Text

# Past this a frequent-lines region counts as changed whole: it costs no more than a like one.
MOST_DIFFERENCES = 400
# Lines looked at again. Matching run by run is quadratic where, say, every other line has changed.
MOST_WORK = 1_000_000
QUICK_WORK = 10_000


def edits(old: Sequence[bytes], new: Sequence[bytes], work: int = MOST_WORK) -> list[Edit]:
    """How ``old`` became ``new``, in order; two edits never touch."""
    a, b = histogram.numbered(old, new)
    work += len(a) + len(b)  # all of it is looked at once
    return histogram.edits(a, b, work, frequent=_shortest, long=_led)


def quick_edits(old: Sequence[bytes], new: Sequence[bytes]) -> list[Edit]:
    """``edits`` less the work for what both texts begin and end with; may place them otherwise."""
    shortest = min(len(old), len(new))
    head = next((n for n in range(shortest) if old[n] != new[n]), shortest)
    rest = shortest - head
    tail = next((n for n in range(rest) if old[-n - 1] != new[-n - 1]), rest)
    found = edits(old[head : len(old) - tail], new[head : len(new) - tail], QUICK_WORK)
    return [Edit(*(number + head for number in edit)) for edit in found]


def _led(old: Text, new: Text, region: Region) -> Iterator[Block]:
    """Lines that are there once, and between those the same again."""
    waiting = [region]
    while waiting:
        a, b, c, d = region = waiting.pop()
        found = _unique(old, new, region)
        yield from (Block(i, j, 1) for i, j in found)
        ends = [(a - 1, c - 1), *found, (b, d)]
        gaps = pairwise(ends) if found else ()
        waiting += [
            Region(i + 1, k, j + 1, n) for (i, j), (k, n) in gaps if k > i + 1 and n > j + 1
        ]


def _unique(old: Text, new: Text, region: Region) -> list[tuple[int, int]]:
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
    places: list[dict[int, int | None]] = []
    for lines, start, end in ((old, a, b), (new, c, d)):
        once: dict[int, int | None] = {}
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


def _shortest(old: Text, new: Text, region: Region) -> Iterator[Block]:
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
                pairs = _walked_back(trace, (a, c), x, y)
                yield from (Block(i, j, 1) for i, j in pairs)
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
