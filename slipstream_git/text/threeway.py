"""The three-way merge of a text as git makes it, where both sides changed it.

It follows git's xdl_merge (xmerge.c) over the changes that `histogram` finds, and knows of each
merge whether it is clean, conflicts, or only git can tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.records import NamedTuple
from slipstream_git.text import histogram
from slipstream_git.text.histogram import Change, GivenUpError

# As git has it: see `buffer_is_binary`.
LOOKED_AT = 8000
LARGEST_TEXT = 8 << 20

OURS, THEIRS, BOTH = 1, 2, 0


class Text(NamedTuple):
    """A merge. ``data`` is its text, None where the sides conflict."""

    data: bytes | None


class _Part(NamedTuple):
    """Lines of ours and of theirs that stand for one another, and who changed them."""

    who: int
    ours: int
    ours_size: int
    theirs: int
    theirs_size: int


def merged(base: bytes, ours: bytes, theirs: bytes) -> Text | None:
    """The merge of three texts; None where git is to be asked, as for binaries."""
    texts = (base, ours, theirs)
    if any(len(text) > LARGEST_TEXT or b"\0" in text[:LOOKED_AT] for text in texts):
        return None
    numbers: dict[bytes, int] = {}
    sides = [_lines(text) for text in texts]
    b, o, t = ([numbers.setdefault(line, len(numbers)) for line in side] for side in sides)
    try:
        parts = _parts(histogram.changes(b, o), histogram.changes(b, t), o, t)
    except GivenUpError:
        return None
    both = [part for part in parts if part.who == BOTH]
    if not both:
        return Text(_joined(parts, sides[1], sides[2]))
    if all(_is_equal(part, o, t) for part in both):
        return None  # what is done with equal lines depends on merge.conflictStyle
    return Text(None)


def _lines(text: bytes) -> list[bytes]:
    """Lines with their ends; only LF ends one."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _is_equal(part: _Part, ours: Sequence[int], theirs: Sequence[int]) -> bool:
    a = ours[part.ours : part.ours + part.ours_size]
    return a == theirs[part.theirs : part.theirs + part.theirs_size]


def _joined(parts: Sequence[_Part], ours: Sequence[bytes], theirs: Sequence[bytes]) -> bytes:
    """Ours, with what only theirs changed put in."""
    found: list[bytes] = []
    place = 0
    for part in parts:
        if part.who == THEIRS:
            found += ours[place : part.ours]
            found += theirs[part.theirs : part.theirs + part.theirs_size]
            place = part.ours + part.ours_size
    return b"".join([*found, *ours[place:]])


def _parts(
    mine: Sequence[Change], other: Sequence[Change], ours: Sequence[int], theirs: Sequence[int]
) -> list[_Part]:
    """What either side changed, in order, but for what both changed alike."""
    found: list[_Part] = []
    m = t = 0
    while m < len(mine) and t < len(other):
        a, b = mine[m], other[t]
        if a.old + a.old_size < b.old:
            _add(found, _Part(OURS, a.new, a.new_size, b.new - b.old + a.old, a.old_size))
            m += 1
            continue
        if b.old + b.old_size < a.old:
            _add(found, _Part(THEIRS, a.new - a.old + b.old, b.old_size, b.new, b.new_size))
            t += 1
            continue
        if not _alike(a, b, ours, theirs):
            _add(found, _collision(a, b))
        a_end, b_end = a.old + a.old_size, b.old + b.old_size
        m, t = m + (b_end >= a_end), t + (a_end >= b_end)
    # Behind the last change of a side, lines are counted from the end of the base.
    grown, more = _growth(other), _growth(mine)
    for a in mine[m:]:
        _add(found, _Part(OURS, a.new, a.new_size, a.old + grown, a.old_size))
    for b in other[t:]:
        _add(found, _Part(THEIRS, b.old + more, b.old_size, b.new, b.new_size))
    return found


def _growth(changes: Sequence[Change]) -> int:
    return sum(change.new_size - change.old_size for change in changes)


def _alike(a: Change, b: Change, ours: Sequence[int], theirs: Sequence[int]) -> bool:
    return (a.old, a.old_size, a.new_size) == (b.old, b.old_size, b.new_size) and (
        ours[a.new : a.new + a.new_size] == theirs[b.new : b.new + b.new_size]
    )


def _collision(a: Change, b: Change) -> _Part:
    """Both changes, widened to the same lines of the base."""
    start = min(a.old, b.old)
    end = max(a.old + a.old_size, b.old + b.old_size)
    ours = a.new - (a.old - start)
    theirs = b.new - (b.old - start)
    ours_end = a.new + a.new_size + end - (a.old + a.old_size)
    theirs_end = b.new + b.new_size + end - (b.old + b.old_size)
    return _Part(BOTH, ours, ours_end - ours, theirs, theirs_end - theirs)


def _add(found: list[_Part], part: _Part) -> None:
    """Append a part, or let it grow into the last one where they touch on either side."""
    last = found[-1] if found else None
    if last is None or (
        part.ours > last.ours + last.ours_size and part.theirs > last.theirs + last.theirs_size
    ):
        found.append(part)
        return
    found[-1] = _Part(
        last.who if last.who == part.who else BOTH,
        last.ours,
        part.ours + part.ours_size - last.ours,
        last.theirs,
        part.theirs + part.theirs_size - last.theirs,
    )
