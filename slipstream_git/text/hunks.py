"""Where three versions of a text collide: ranges and texts of base, ours and theirs.

This explains a conflict; whether there is one is git's to say. It is the classic three-way
alignment (Khanna, Kunal and Pierce, A Formal Investigation of Diff3, 2007) over line diffs.
Ranges are 1-based and end-inclusive; an empty range ``[n, n-1]`` lies before line n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipstream_git.records import NamedTuple
from slipstream_git.text import matching

MOST_LINES = 20_000


class Hunk(NamedTuple):
    """One place where both sides changed the same lines in different ways."""

    base: list[int]
    ours: list[int]
    theirs: list[int]
    base_text: str
    ours_text: str
    theirs_text: str


class _Edit(NamedTuple):
    """Base lines [start, end) became the side's lines [low, high); 0-based, half-open."""

    start: int
    end: int
    low: int
    high: int


def colliding(base: bytes, ours: bytes, theirs: bytes) -> list[Hunk]:
    """The hunks at which ``ours`` and ``theirs`` collide over ``base``; empty for binaries."""
    if any(map(matching.is_binary, (base, ours, theirs))):
        return []
    sides = matching.lines(base), matching.lines(ours), matching.lines(theirs)
    if max(map(len, sides)) > MOST_LINES:
        return [_hunk(sides, (0, len(sides[0])), (0, len(sides[1])), (0, len(sides[2])))]
    return list(_collisions(*sides))


def _collisions(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> Iterator[Hunk]:
    mine, other = _edits(base, ours), _edits(base, theirs)
    for left, right in _groups(mine, other):
        low = min(edit.start for edit in (*left, *right))
        high = max(edit.end for edit in (*left, *right))
        a, b = _range(left, low, high), _range(right, low, high)
        if ours[slice(*a)] != theirs[slice(*b)]:
            yield _hunk((base, ours, theirs), (low, high), a, b)


def _edits(base: Sequence[bytes], side: Sequence[bytes]) -> list[_Edit]:
    from difflib import SequenceMatcher  # 3 ms, and conflicts are rare

    matcher = SequenceMatcher(None, base, side, autojunk=False)
    return [_Edit(*rest) for tag, *rest in matcher.get_opcodes() if tag != "equal"]


def _groups(
    mine: Sequence[_Edit], other: Sequence[_Edit]
) -> Iterator[tuple[list[_Edit], list[_Edit]]]:
    """Edits of both sides whose base ranges touch, together."""
    tagged = sorted([(edit, 0) for edit in mine] + [(edit, 1) for edit in other])
    group: tuple[list[_Edit], list[_Edit]] = ([], [])
    reach = -1
    for edit, side in tagged:
        if edit.start > reach and any(group):
            if all(group):
                yield group
            group = ([], [])
        group[side].append(edit)
        reach = max(reach, edit.end)
    if all(group):
        yield group


def _range(edits: Sequence[_Edit], low: int, high: int) -> tuple[int, int]:
    """The side's lines that stand where base lines [low, high) stood."""
    first, last = edits[0], edits[-1]
    return first.low - (first.start - low), last.high + (high - last.end)


def _hunk(
    sides: tuple[list[bytes], list[bytes], list[bytes]],
    base: tuple[int, int],
    ours: tuple[int, int],
    theirs: tuple[int, int],
) -> Hunk:
    spans = (base, ours, theirs)
    first, second, third = ([start + 1, end] for start, end in spans)
    texts = [
        b"".join(lines[start:end]).decode("utf-8", "replace")
        for lines, (start, end) in zip(sides, spans, strict=True)
    ]
    return Hunk(first, second, third, *texts)
