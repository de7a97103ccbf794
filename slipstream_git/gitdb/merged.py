"""What a merge of trees comes to, whoever has made it."""

from __future__ import annotations

from slipstream_git.model import Entry
from slipstream_git.records import NamedTuple


class Conflict(NamedTuple):
    """One path that git leaves unmerged: the entries of base, ours and theirs, and why.

    beside: the paths that git names together with it in what it says of the conflict, itself among
    them, in git's order; empty where it names none.
    """

    path: bytes
    kind: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None
    beside: tuple[bytes, ...] = ()


class Merge(NamedTuple):
    """A merge: ``tree`` is clean when ``conflicts`` is empty, else git's with markers.

    engine: "trivial" when no merging was needed, "walk" where the answer was found by a walk over
    what theirs changed, else "git".
    """

    tree: str
    conflicts: tuple[Conflict, ...]
    engine: str
