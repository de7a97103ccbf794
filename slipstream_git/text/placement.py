"""Where a hunk goes in a file: the place its header names, or the only other one where it fits.

Here are the rules that decide between a patch that fits and one that is refused (see
``patches.apply_file``), the index that keeps them linear, and the errors that say what stood there
instead.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NoReturn

from slipstream_git.errors import SlipError
from slipstream_git.text.filepatch import FilePatch, Hunk, Patched, Placed
from slipstream_git.text.hunkrows import LINES, context, sides_of
from slipstream_git.text.patchfaults import readable, said, shown

MANY_PLACES: Final = 20  # of an ambiguous hunk, so many places are named


class Lines:
    """A file's rows, and where blocks of them occur; the index is made when first asked for.

    A scan a hunk would be quadratic when one inserted line moves each of a million hunks.
    """

    __slots__ = ("_places", "rows")

    def __init__(self, rows: list[bytes]) -> None:
        self.rows = rows
        self._places: dict[bytes, list[int]] | None = None

    def places(self, row: bytes) -> list[int]:
        if self._places is None:
            self._places = {}
            for at, known in enumerate(self.rows):
                self._places.setdefault(known, []).append(at)
        return self._places.get(row, [])

    def holds(self, block: list[bytes], at: int) -> bool:
        return self.rows[at : at + len(block)] == block

    def find(self, block: list[bytes], start: int) -> Iterator[int]:
        """Each index not below start where the (non-empty) block stands, in order."""
        rarest = min(range(len(block)), key=lambda n: len(self.places(block[n])))
        hits = self.places(block[rarest])
        for n in range(bisect_left(hits, start + rarest), len(hits)):
            if self.holds(block, hits[n] - rarest):
                yield hits[n] - rarest


def unique(patch: FilePatch, number: int, places: Iterator[int]) -> int | None:
    found = [at for at, _ in zip(places, range(MANY_PLACES), strict=False)]
    if len(found) < 2:
        return found[0] if found else None
    lines = [at + 1 for at in found]
    raise SlipError(
        "ambiguous",
        f"{said(patch)}: hunk {number} fits at lines {', '.join(map(str, lines[:5]))}"
        f"{' and more' if len(lines) > 5 else ''}",
        data={"hunk": number, "lines": lines},
    )


def no_match(
    patch: FilePatch, number: int, lines: Lines, block: list[bytes], *, near: int, why: str = ""
) -> NoReturn:
    at = _best_place(lines, block, near)
    n = next((n for n, row in enumerate(block) if lines.rows[at + n : at + n + 1] != [row]), 0)
    found = lines.rows[at + n] if at + n < len(lines.rows) else None
    expected = block[n] if block else b""
    what = why or (
        f"expected {shown(expected)}, found {'the end' if found is None else shown(found)}"
    )
    raise SlipError(
        "no-match",
        f"{said(patch)}: hunk {number} does not fit near line {at + n + 1}: {what}",
        data={
            "hunk": number,
            "line": at + n + 1,
            "expected": readable(expected),
            "found": None if found is None else readable(found),
            "nearest": _around(lines, at + n),
        },
    )


def _around(lines: Lines, at: int) -> list[dict[str, object]]:
    """The row at ``at`` with its neighbours, in the shape of what is nearest to an `old`."""
    first, end = max(0, at - 1), min(len(lines.rows), at + 2)
    if first >= end:
        return []
    text = "".join(readable(row).rstrip("\r\n") + "\n" for row in lines.rows[first:end])
    return [{"start": first + 1, "end": end, "text": text}]


def _best_place(lines: Lines, block: list[bytes], near: int) -> int:
    """Where most rows of the block stand; on a tie the place nearest to where it was sought."""
    votes: dict[int, int] = {}
    for n, row in enumerate(block):
        for hit in lines.places(row)[:MANY_PLACES]:
            if hit >= n:
                votes[hit - n] = votes.get(hit - n, 0) + 1
    return max(
        votes, key=lambda at: (votes[at], -abs(at - near)), default=min(near, len(lines.rows))
    )


# --- hunks with numbers -----------------------------------------------------------------------


def apply_numbered(patch: FilePatch, data: bytes) -> Patched:
    lines = Lines(LINES.findall(data))
    made: list[bytes] = []
    placed: list[Placed] = []
    done, moved = 0, False
    for number, hunk in enumerate(patch.hunks, 1):
        old, new = sides_of(hunk.body)
        at = _place(patch, number, lines, (old, new), done=done, moved=moved)
        made += lines.rows[done:at]
        if new and made and not made[-1].endswith(b"\n"):
            why = "the line before it has no newline, which the patch does not say"
            no_match(patch, number, lines, old, near=at, why=why)
        offset = at - _stated(hunk)
        placed.append(Placed((len(made) + 1, len(made) + len(new)), offset))
        made += new
        done, moved = at + len(old), moved or offset != 0
    made += lines.rows[done:]
    result = b"".join(made)
    if patch.change == "delete" and result:
        why = f"{len(made)} lines are left of a file that is to be deleted"
        raise SlipError("no-match", f"{said(patch)}: {why}", data={"hunk": len(patch.hunks)})
    return Patched(result, tuple(placed))


def _stated(hunk: Hunk) -> int:
    """The index it says it begins at; without old rows the header names the row before."""
    start = hunk.old_start or 0
    return start - 1 if hunk.old_count else start


def _place(
    patch: FilePatch,
    number: int,
    lines: Lines,
    sides: tuple[list[bytes], list[bytes]],
    *,
    done: int,
    moved: bool,
) -> int:
    hunk, old = patch.hunks[number - 1], sides[0]
    stated, last = _stated(hunk), len(lines.rows) - len(old)
    # A side without a final newline is the end of its file.
    ends = _is_unended(old) or _is_unended(sides[1])
    fits = done <= stated <= last and lines.holds(old, stated) and (not ends or stated == last)
    if fits and not moved:
        return stated
    head, tail = context(hunk.body)
    if head or tail:
        pinned = stated <= 0 and head < tail
        places = (
            at
            for at in lines.find(old, done)
            if (at == last or not ends) and (at == stated or (not pinned and (tail or at == last)))
        )
        found = unique(patch, number, places)
    else:
        found = stated if fits else None
    if found is None:
        overlaps = stated < done and lines.holds(old, stated)  # as `git diff -W` can print them
        why = "its lines are partly those of the hunk before it" if overlaps else ""
        no_match(patch, number, lines, old, near=max(stated, done), why=why)
    return found


def _is_unended(rows: list[bytes]) -> bool:
    return bool(rows) and not rows[-1].endswith(b"\n")
