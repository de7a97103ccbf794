"""Where three versions of a text collide: ranges and texts of base, ours and theirs.

This explains a conflict; whether there is one is git's to say. The places are those of a
`merge.conflictStyle=diff3` merge, over the lines as git's merge aligns them (text/alignment).
Ranges are 1-based and end-inclusive; an empty range ``[n, n-1]`` lies before line n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipstream_git.records import NamedTuple
from slipstream_git.text import alignment, matching
from slipstream_git.text.alignment import Edit

# Longer texts, less what all three begin and end with, are one hunk: aligned, they would cost
# seconds.
MOST_LINES = 20_000

Lines = list[bytes]
Span = tuple[int, int]


class Hunk(NamedTuple):
    """One place where both sides changed the same lines in different ways.

    lossy: a text is not UTF-8, and has U+FFFD for what is not. left_out: how many lines `clipped`
    took from the end of a side's text, where it did.
    """

    base: list[int]
    ours: list[int]
    theirs: list[int]
    base_text: str
    ours_text: str
    theirs_text: str
    lossy: bool | None = None
    left_out: dict[str, int] | None = None


class _Place(NamedTuple):
    """Lines [start, end) of the three, 0-based; who changed them: both, where they collide."""

    base: Span
    ours: Span
    theirs: Span
    by: str


def colliding(base: bytes, ours: bytes, theirs: bytes) -> list[Hunk]:
    """The hunks at which ``ours`` and ``theirs`` collide over ``base``; empty for binaries."""
    if any(map(matching.is_binary, (base, ours, theirs))):
        return []
    sides = matching.lines(base), matching.lines(ours), matching.lines(theirs)
    if max(map(len, sides)) > MOST_LINES:
        head, tail = _shared(*sides)
        spans = [(head, len(lines) - tail) for lines in sides]
        if max(end - start for start, end in spans) > MOST_LINES:
            return [_hunk(sides, _Place(spans[0], spans[1], spans[2], "both"))]
    return [_hunk(sides, place) for place in _places(sides) if _collides(sides, place)]


def clipped(hunk: Hunk, most_lines: int, most_characters: int) -> Hunk:
    """The hunk with no more of each text than this, whole lines where one fits."""
    texts = {"base": hunk.base_text, "ours": hunk.ours_text, "theirs": hunk.theirs_text}
    kept = {side: _head(text, most_lines, most_characters) for side, text in texts.items()}
    left_out = {
        side: len(text[len(kept[side]) :].splitlines())
        for side, text in texts.items()
        if len(kept[side]) < len(text)
    }
    return hunk._replace(
        base_text=kept["base"],
        ours_text=kept["ours"],
        theirs_text=kept["theirs"],
        left_out=left_out or None,
    )


def _head(text: str, most_lines: int, most_characters: int) -> str:
    kept = "".join(text.splitlines(keepends=True)[:most_lines])
    if len(kept) <= most_characters:
        return kept
    cut = kept.rfind("\n", 0, most_characters) + 1
    return kept[: cut or most_characters]


def _shared(base: Lines, ours: Lines, theirs: Lines) -> tuple[int, int]:
    """How many lines all three begin with alike, and end with."""
    shortest = min(len(base), len(ours), len(theirs))
    head = next((n for n in range(shortest) if not base[n] == ours[n] == theirs[n]), shortest)
    rest = shortest - head
    tail = next(
        (n for n in range(rest) if not base[-n - 1] == ours[-n - 1] == theirs[-n - 1]), rest
    )
    return head, tail


def _collides(sides: tuple[Lines, Lines, Lines], place: _Place) -> bool:
    _, ours, theirs = sides
    return place.by == "both" and ours[slice(*place.ours)] != theirs[slice(*place.theirs)]


def _places(sides: tuple[Lines, Lines, Lines]) -> list[_Place]:
    """Where either side changed the base, in order; a change both made alike is none.

    Two edits meet where their base lines touch. What lies side by side in either text afterwards
    is one place.
    """
    places: list[_Place] = []
    for place in _met(sides, *(alignment.edits(sides[0], side) for side in sides[1:])):
        last = places[-1] if places else None
        if last and (place.ours[0] <= last.ours[1] or place.theirs[0] <= last.theirs[1]):
            by = last.by if last.by == place.by else "both"
            spans = [(a[0], b[1]) for a, b in zip(last[:3], place[:3], strict=True)]
            places[-1] = _Place(spans[0], spans[1], spans[2], by)
        else:
            places.append(place)
    return places


def _met(
    sides: tuple[Lines, Lines, Lines], mine: Sequence[Edit], other: Sequence[Edit]
) -> Iterator[_Place]:
    """Each edit alone, or with those that it meets, pair by pair."""
    i = j = 0
    while i < len(mine) or j < len(other):
        left = mine[i] if i < len(mine) else None
        right = other[j] if j < len(other) else None
        if right is not None and (left is None or right.end < left.start):
            base, span = (right.start, right.end), (right.low, right.high)
            yield _Place(base, _moved(base, left, mine), span, "theirs")
            j += 1
        elif left is not None and (right is None or left.end < right.start):
            base, span = (left.start, left.end), (left.low, left.high)
            yield _Place(base, span, _moved(base, right, other), "ours")
            i += 1
        elif left is not None and right is not None:
            alike = sides[1][left.low : left.high] == sides[2][right.low : right.high]
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


def _together(left: Edit, right: Edit) -> _Place:
    """Two edits that touch, over the base lines of both."""
    start, end = min(left.start, right.start), max(left.end, right.end)
    spans = [
        (edit.low - (edit.start - start), edit.high + (end - edit.end)) for edit in (left, right)
    ]
    return _Place((start, end), spans[0], spans[1], "both")


def _hunk(sides: tuple[Lines, Lines, Lines], place: _Place) -> Hunk:
    spans = (place.base, place.ours, place.theirs)
    first, second, third = ([start + 1, end] for start, end in spans)
    raw = [b"".join(lines[slice(*span)]) for lines, span in zip(sides, spans, strict=True)]
    texts = [text.decode("utf-8", "replace") for text in raw]
    lossy = any(text.encode() != data for text, data in zip(texts, raw, strict=True))
    return Hunk(first, second, third, texts[0], texts[1], texts[2], lossy or None)
