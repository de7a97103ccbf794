"""How many lines an edit adds and removes: the length of a shortest edit script.

Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986), lengths only: the number of
differing lines D and the two lengths give both counts. Past `MOST_DIFFERENCES` the answer is
an upper bound, so that two unlike files cost no more than two like ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.text import matching

MOST_DIFFERENCES = 400


def count(old: bytes, new: bytes) -> tuple[int, int] | None:
    """Lines (added, removed), or None when either side is binary."""
    if matching.is_binary(old) or matching.is_binary(new):
        return None
    before, after = map(matching.lines, middles(old, new))
    distance = _distance(before, after)
    if distance is None:
        return len(after), len(before)
    growth = len(after) - len(before)
    return (distance + growth) // 2, (distance - growth) // 2


def middles(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """Both texts without the whole lines that they begin and end with alike."""
    start = old.rfind(b"\n", 0, shared(old, new)) + 1
    old, new = old[start:], new[start:]
    alike = shared(old[::-1], new[::-1])
    # The first of the alike bytes may stand in the middle of a line: keep from the next line on.
    line_feed = old.find(b"\n", len(old) - alike)
    tail = len(old) - line_feed - 1 if line_feed >= 0 else 0
    return old[: len(old) - tail], new[: len(new) - tail]


def shared(a: bytes, b: bytes) -> int:
    """How many bytes two texts begin with alike, by halving: no loop over bytes in Python."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _distance(a: Sequence[bytes], b: Sequence[bytes]) -> int | None:
    """The fewest lines to remove and add that turn ``a`` into ``b``; None past the limit."""
    if not a or not b:
        return len(a) + len(b)
    furthest = {1: 0}
    for distance in range(MOST_DIFFERENCES):
        for diagonal in range(-distance, distance + 1, 2):
            x = _start(furthest, diagonal, distance)
            x += _alike(a, x, b, x - diagonal)
            furthest[diagonal] = x
            if x >= len(a) and x - diagonal >= len(b):
                return distance
    return None


def _alike(a: Sequence[bytes], x: int, b: Sequence[bytes], y: int) -> int:
    """How many lines ``a`` from ``x`` and ``b`` from ``y`` begin with alike, by slices."""
    most = min(len(a) - x, len(b) - y)
    found, step = 0, 1
    while step:
        if (
            found + step <= most
            and a[x + found : x + found + step] == b[y + found : y + found + step]
        ):
            found += step
            step *= 2
        else:
            step //= 2
    return max(found, 0)


def _start(furthest: dict[int, int], diagonal: int, distance: int) -> int:
    down = furthest.get(diagonal + 1, -1)
    right = furthest.get(diagonal - 1, -1)
    if diagonal == -distance or (diagonal != distance and right < down):
        return down
    return right + 1
