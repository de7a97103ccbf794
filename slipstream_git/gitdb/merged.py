"""What a merge of trees comes to, whoever has made it."""

from __future__ import annotations

import re
from typing import Final

from slipstream_git.model import Entry
from slipstream_git.records import NamedTuple

# What git adds to the name of a file that stands where the other side has a directory: the commit
# of its side, which here is one made up for the merge.
_ASIDE: Final = re.compile(rb"~[0-9a-f]{40}(_[0-9]+)?\Z")


def own_name(path: bytes) -> bytes:
    """The name that a file had before git's merge pushed it aside."""
    return _ASIDE.sub(b"", path)


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
