"""The three-way merge of a text as git makes it, where both sides changed it.

It follows git's xdl_merge (xmerge.c) over the changes that `histogram` finds, and knows of each
merge whether it is clean, conflicts, or only git can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from slipstream_git.records import NamedTuple
from slipstream_git.text import histogram, matching
from slipstream_git.text.histogram import Edit, GivenUpError

LARGEST_TEXT = 8 << 20

Span = tuple[int, int]
Who = Literal["ours", "theirs", "both"]


class Text(NamedTuple):
    """A merge. ``data`` is its text, None where the sides conflict."""

    data: bytes | None


class Place(NamedTuple):
    """Lines [start, end) of the three, 0-based; who changed them: both, where they collide."""

    base: Span
    ours: Span
    theirs: Span
    by: Who


def merged(base: bytes, ours: bytes, theirs: bytes) -> Text | None:
    """The merge of three texts; None where git is to be asked, as for binaries."""
    texts = (base, ours, theirs)
    if any(len(text) > LARGEST_TEXT or matching.is_binary(text) for text in texts):
        return None
    sides = [matching.lines(text) for text in texts]
    b, o, t = histogram.numbered(*sides)
    try:
        found = places(histogram.edits(b, o), histogram.edits(b, t), o, t)
    except GivenUpError:
        return None
    both = [place for place in found if place.by == "both"]
    if not both:
        return Text(joined(found, sides[1], sides[2], (0, len(sides[1]))))
    if all(is_alike(place, o, t) for place in both):
        return None  # what is done with equal lines depends on merge.conflictStyle
    return Text(None)


def is_alike(place: Place, ours: Sequence[object], theirs: Sequence[object]) -> bool:
    """Whether both sides have the same lines there."""
    return ours[slice(*place.ours)] == theirs[slice(*place.theirs)]


def joined(
    found: Sequence[Place], ours: Sequence[bytes], theirs: Sequence[bytes], span: Span
) -> bytes:
    """These lines of ours, with what only theirs changed there put in."""
    lines: list[bytes] = []
    done, last = span
    for place in found:
        if place.by == "theirs":
            start, end = place.ours
            lines += [*ours[done:start], *theirs[slice(*place.theirs)]]
            done = end
    return b"".join([*lines, *ours[done:last]])


def places(
    mine: Sequence[Edit], other: Sequence[Edit], ours: Sequence[object], theirs: Sequence[object]
) -> list[Place]:
    """Where either side changed the base, in order; a change both made alike is none.

    Two edits meet where their base lines touch. What lies side by side in either text afterwards
    is one place.
    """
    found: list[Place] = []
    for place in _met(mine, other, ours, theirs):
        last = found[-1] if found else None
        if last and (place.ours[0] <= last.ours[1] or place.theirs[0] <= last.theirs[1]):
            by = last.by if last.by == place.by else "both"
            spans = [(a[0], b[1]) for a, b in zip(last[:3], place[:3], strict=True)]
            found[-1] = Place(spans[0], spans[1], spans[2], by)
        else:
            found.append(place)
    return found


def _met(
    mine: Sequence[Edit], other: Sequence[Edit], ours: Sequence[object], theirs: Sequence[object]
) -> Iterator[Place]:
    """Each edit alone, or with those that it meets, pair by pair."""
    i = j = 0
    while i < len(mine) or j < len(other):
        left = mine[i] if i < len(mine) else None
        right = other[j] if j < len(other) else None
        if right is not None and (left is None or right.end < left.start):
            base, span = (right.start, right.end), (right.low, right.high)
            yield Place(base, _moved(base, left, mine), span, "theirs")
            j += 1
        elif left is not None and (right is None or left.end < right.start):
            base, span = (left.start, left.end), (left.low, left.high)
            yield Place(base, span, _moved(base, right, other), "ours")
            i += 1
        elif left is not None and right is not None:
            alike = ours[left.low : left.high] == theirs[right.low : right.high]
            if left[:2] != right[:2] or not alike:
                yield _together(left, right)
            i, j = i + (right.end >= left.end), j + (left.end >= right.end)


def _moved(base: Span, following: Edit | None, edits: Sequence[Edit]) -> Span:
    """Where base lines that a side did not change stand in it; following: its next edit."""
    growth = 0
    if following is not None:
        growth = following.low - following.start
    elif edits:
        growth = edits[-1].high - edits[-1].end
    return base[0] + growth, base[1] + growth


def _together(left: Edit, right: Edit) -> Place:
    """Two edits that touch, over the base lines of both."""
    start, end = min(left.start, right.start), max(left.end, right.end)
    spans = [
        (edit.low - (edit.start - start), edit.high + (end - edit.end)) for edit in (left, right)
    ]
    return Place((start, end), spans[0], spans[1], "both")
