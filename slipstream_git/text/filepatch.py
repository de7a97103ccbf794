"""The nouns of a patch: what it says of each file, and what came of applying it.

They stand by themselves because every reader makes them and every applier takes them, whatever
the text looked like: git's diff, a plain one, or ``*** Begin Patch``.
"""

from __future__ import annotations

from typing import Literal

from slipstream_git.records import NamedTuple

Change = Literal["modify", "add", "delete", "rename", "copy"]


class Hunk(NamedTuple):
    r"""One place of one file.

    body: the rows as the patch has them, each ending in LF: ``" "`` context, ``"-"`` removed,
        ``"+"`` added, ``"\\"`` a mark that the row above has no newline. An empty row is an empty
        context line.
    old_start, new_start: 1-based; None in ``*** Begin Patch`` texts, which have no numbers.
    anchors: the ``@@ text`` lines before it, in order; the search begins after them.
    at_end: ``*** End of File`` stood after it: it ends where the file ends.
    """

    body: bytes
    old_start: int | None
    old_count: int
    new_start: int | None
    new_count: int
    anchors: tuple[bytes, ...] = ()
    at_end: bool = False


class Binary(NamedTuple):
    """A ``GIT binary patch``: the new content itself, or a git delta that makes it from the old.

    data: inflated; of the size the patch declared.
    """

    kind: Literal["literal", "delta"]
    data: bytes


class FilePatch(NamedTuple):
    """What a patch does to one file.

    old_path is None for an add, new_path for a delete. Modes are ints such as 0o100755, None
    where the patch does not say (then: the file's own, or 0o100644 for an add). old_oid and new_oid
    are the hex of the index line, possibly abbreviated; only a binary delta is held to them. A
    type change is two of these: a delete, then an add of the same path.
    """

    old_path: bytes | None
    new_path: bytes | None
    change: Change
    old_mode: int | None = None
    new_mode: int | None = None
    hunks: tuple[Hunk, ...] = ()
    binary: Binary | None = None
    old_oid: bytes | None = None
    new_oid: bytes | None = None
    dialect: Literal["diff", "v4a"] = "diff"


class Placed(NamedTuple):
    """Where a hunk went.

    lines: the first and last line of the hunk, context included, in the *result*; 1-based; where
        nothing of the hunk is left the last is the first less one.
    offset: lines from the place the patch named to the place found, in the old file; 0 where the
        patch has no numbers.
    matched: ``eol`` where the file's CRLF stood for the patch's LF (``*** Begin Patch`` only).
    """

    lines: tuple[int, int]
    offset: int
    matched: Literal["exact", "eol"] = "exact"


class Patched(NamedTuple):
    data: bytes
    placed: tuple[Placed, ...]
