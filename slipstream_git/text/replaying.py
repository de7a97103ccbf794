"""A text's changes made on another text: each hunk where its own lines are, with little context.

A guess for a person to look at, never a merge: git asks that changes stand a line apart, this
does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from slipstream_git.records import NamedTuple
from slipstream_git.text import alignment, matching
from slipstream_git.text.histogram import Edit

# Lines on either side that tell apart two places with the same lines.
MOST_CONTEXT = 3


class _Placed(NamedTuple):
    """The target's lines [start, end) become these."""

    start: int
    end: int
    lines: Sequence[bytes]


def replay(base: bytes, side: bytes, target: bytes, *, after_others: bool = False) -> bytes | None:
    """``target`` with what ``side`` changed of ``base``; None where a change has no one place.

    A change that the target has made alike is left as it is. after_others: what is inserted where
    the target has inserted something goes after that; otherwise it has no one place.
    """
    old, new, there = matching.lines(base), matching.lines(side), matching.lines(target)
    mine, theirs = alignment.quick_edits(old, new), alignment.quick_edits(old, there)
    kept = _kept(theirs, len(old), len(there))
    made = {(e.start, e.end, *there[e.low : e.high]) for e in theirs}
    placed = []
    for edit in mine:
        lines = new[edit.low : edit.high]
        if (edit.start, edit.end, *lines) in made:
            continue
        span = _where(edit, old, there, kept, after_others=after_others)
        if span is None:
            return None
        placed.append(_Placed(*span, lines))
    return _written(there, sorted(placed, key=lambda p: p[:2]))


def _kept(theirs: Sequence[Edit], old: int, there: int) -> dict[int, int]:
    """Where the base's lines that the target kept stand in it; and the ends of both."""
    kept = {-1: -1, old: there}
    start = growth = 0
    for edit in [*theirs, Edit(old, old, there, there)]:
        kept |= {number: number + growth for number in range(start, edit.start)}
        start, growth = edit.end, edit.high - edit.end
    return kept


def _where(
    edit: Edit,
    old: Sequence[bytes],
    there: Sequence[bytes],
    kept: dict[int, int],
    *,
    after_others: bool,
) -> tuple[int, int] | None:
    """The target's lines that an edit replaces; an empty range to insert before a line."""
    if edit.start == edit.end:
        before, after = kept.get(edit.start - 1), kept.get(edit.start)
        if before is not None and after is not None:
            return (after, after) if after_others or after == before + 1 else None
    else:
        first, last = kept.get(edit.start), kept.get(edit.end - 1)
        whole = first is not None and all(
            kept.get(edit.start + n) == first + n for n in range(edit.end - edit.start)
        )
        if first is not None and last is not None and whole:
            return first, last + 1
    return _found(edit, old, there)


def _found(edit: Edit, old: Sequence[bytes], there: Sequence[bytes]) -> tuple[int, int] | None:
    """The one place of the lines that an edit replaces, with as few lines around as tell it."""
    for context in range(0 if edit.end > edit.start else 1, MOST_CONTEXT + 1):
        start, end = max(0, edit.start - context), min(len(old), edit.end + context)
        block = old[start:end]
        if not any(line.strip() for line in block):
            continue
        at = _occurrences(block, there)
        if len(at) == 1:
            first = at[0] + edit.start - start
            return first, first + edit.end - edit.start
        if not at:
            return None
    return None


def _occurrences(block: Sequence[bytes], there: Sequence[bytes]) -> list[int]:
    size = len(block)
    return [
        n
        for n in range(len(there) - size + 1)
        if there[n] == block[0] and there[n : n + size] == block
    ]


def _written(there: list[bytes], placed: Sequence[_Placed]) -> bytes | None:
    """The target with these changes; None where two of them are at one place."""
    for one, other in pairwise(placed):
        if other.start < one.end or other[:2] == one[:2]:
            return None
    lines: list[bytes] = []
    done = 0
    for start, end, new in placed:
        lines += [*there[done:start], *new]
        done = end
    lines += there[done:]
    # A last line without its end has come to stand before others.
    if any(not line.endswith(b"\n") for line in lines[:-1]):
        return None
    return b"".join(lines)
