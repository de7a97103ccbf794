"""Where three versions of a text collide: ranges and texts of base, ours and theirs.

This explains a conflict; whether there is one is git's to say. The places are those of a
`merge.conflictStyle=diff3` merge (text/threeway), also where that merge gives up (text/alignment).
Ranges are 1-based and end-inclusive; an empty range ``[n, n-1]`` lies before line n.
"""

from __future__ import annotations

from slipstream_git.records import NamedTuple
from slipstream_git.text import alignment, matching, threeway
from slipstream_git.text.threeway import Place

# Longer texts, less what all three begin and end with, are one hunk: aligned, they would cost
# seconds.
MOST_LINES = 20_000

Lines = list[bytes]
Texts = tuple[Lines, Lines, Lines]


class Hunk(NamedTuple):
    """One place where both sides changed the same lines in different ways.

    lossy: a text is not UTF-8, and has U+FFFD for what is not. left_out: how many lines `clipped`
    took from the end of a side's text, where it did. symbols: what it stands in, where that is
    known: qualified names, ours first.
    """

    base: list[int]
    ours: list[int]
    theirs: list[int]
    base_text: str
    ours_text: str
    theirs_text: str
    lossy: bool | None = None
    left_out: dict[str, int] | None = None
    symbols: list[str] | None = None


def colliding(base: bytes, ours: bytes, theirs: bytes) -> list[Hunk]:
    """The hunks at which ``ours`` and ``theirs`` collide over ``base``; empty for binaries."""
    if any(map(matching.is_binary, (base, ours, theirs))):
        return []
    sides = matching.lines(base), matching.lines(ours), matching.lines(theirs)
    return [hunk(sides, place) for place in places(sides) if collides(sides, place)]


def places(sides: Texts) -> list[Place]:
    """Where either side changed the base; of texts that are too long all that differs is one."""
    if max(map(len, sides)) > MOST_LINES:
        head, tail = _shared(*sides)
        spans = [(head, len(lines) - tail) for lines in sides]
        if max(end - start for start, end in spans) > MOST_LINES:
            return [Place(spans[0], spans[1], spans[2], "both")]
    base, ours, theirs = sides
    return threeway.places(alignment.edits(base, ours), alignment.edits(base, theirs), ours, theirs)


def collides(sides: Texts, place: Place) -> bool:
    """Whether both sides changed these lines, in different ways."""
    return place.by == "both" and not threeway.is_alike(place, sides[1], sides[2])


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


def hunk(sides: Texts, place: Place) -> Hunk:
    """What collides at a place."""
    spans = (place.base, place.ours, place.theirs)
    first, second, third = ([start + 1, end] for start, end in spans)
    raw = [b"".join(lines[slice(*span)]) for lines, span in zip(sides, spans, strict=True)]
    texts = [text.decode("utf-8", "replace") for text in raw]
    lossy = any(text.encode() != data for text, data in zip(texts, raw, strict=True))
    return Hunk(first, second, third, texts[0], texts[1], texts[2], lossy or None)
