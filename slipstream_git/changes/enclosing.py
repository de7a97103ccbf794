"""In which functions and classes a conflict stands, and whether a text parses.

Asked only where something conflicts: to load a parser takes longer than a small merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from slipstream_git.gitdb.merged import Conflict
from slipstream_git.text import paths
from slipstream_git.text.hunks import Hunk

if TYPE_CHECKING:
    from slipstream_git.readings import Outline

# Of a hunk: as many lines are looked at as are shown, and so many names told.
MOST_LINES = 200
MOST_NAMES = 8
# Longer texts are not outlined for this: it would take longer than all the rest.
MOST_BYTES = 1 << 20
# Outlines that are made for one answer.
MOST_OUTLINES = 200


class Enclosing:
    """For one answer: each version of a file is outlined once. blob: a blob's bytes."""

    def __init__(self, blob: Callable[[str], bytes]) -> None:
        self._blob = blob
        self._outlines: dict[tuple[str, str], Outline | None] = {}

    def named(self, path: bytes, conflict: Conflict, hunks: Iterable[Hunk]) -> list[Hunk]:
        """The hunks of a conflict, each with the symbols that ours and theirs have there."""
        return [
            hunk._replace(symbols=list(self._symbols(path, conflict, hunk)) or None)
            for hunk in hunks
        ]

    def _symbols(self, path: bytes, conflict: Conflict, hunk: Hunk) -> Iterable[str]:
        found: dict[str, None] = {}
        sides = (
            (conflict.ours, hunk.ours, hunk.ours_text),
            (conflict.theirs, hunk.theirs, hunk.theirs_text),
        )
        for entry, (first, last), text in sides:
            outline = self._outline(path, entry.oid) if entry else None
            if outline is not None:
                found.update(dict.fromkeys(_names(outline, first, last, text)))
        return list(found)[:MOST_NAMES]

    def _outline(self, path: bytes, oid: str) -> Outline | None:
        key = (paths.display(path), oid)
        if key not in self._outlines:
            self._outlines[key] = self._made(*key)
        return self._outlines[key]

    def _made(self, path: str, oid: str) -> Outline | None:
        if len(self._outlines) >= MOST_OUTLINES:
            return None
        data = self._blob(oid)
        if len(data) > MOST_BYTES:
            return None
        from slipstream_git.text import outline

        return outline.outline(path, data)


def parses(path: bytes, data: bytes, sides: Iterable[bytes]) -> bool | None:
    """Whether a text has no more faults for its parser than each of ``sides`` has.

    None where the language has no parser.
    """
    from slipstream_git.text import outline

    name = paths.display(path)
    faults = outline.faults(name, data)
    if not faults:
        return None if faults is None else True
    return all(faults <= (outline.faults(name, side) or 0) for side in sides)


def _names(outline: Outline, first: int, last: int, text: str) -> Iterator[str]:
    if last < first:
        name = outline.enclosing(first - 1, first)
        yield from [name] if name else []
        return
    for number, line in enumerate(text.split("\n")[:MOST_LINES], first):
        name = outline.enclosing(number) if line.strip() else None
        if name:
            yield name
