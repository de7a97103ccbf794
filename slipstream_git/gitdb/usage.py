"""How much of the disk slip's sessions take: what only slip's refs reach, as git counts it.

What landed is the branch's and not counted, and neither is what no ref reaches any more: that is
git's to prune. git compares with the trees of the commits that it is given and not with all of
history, so it is given the commits that sessions landed as.

The count walks the sessions' commits (tens of milliseconds), so it is taken when it decides: what
was counted last is remembered with the packs that were there, and as long as it and the packs
written since stay below a limit together, the limit is kept and nothing is counted.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress

from slipstream_git.gitdb import consolidation, packs, permissions
from slipstream_git.gitdb.repository import Repository
from slipstream_git.records import NamedTuple

# What slip's refs reach and no other ref does. Aggressive: compare with every tree given.
_OWN = (
    "--objects-edge-aggressive", "--ignore-missing", "--stdin",
    "--glob=refs/slip/*", "--not", "--exclude=refs/slip/*", "--all",
)  # fmt: skip
_LANDED = "--format=%(contents:trailers:key=Slip-Landed,valueonly)"


_ID = re.compile(rb"[0-9a-f]{40}")


class Usage(NamedTuple):
    """Objects of open and closed sessions, and their size on the disk in bytes."""

    objects: int
    size: int


def measured(repository: Repository) -> Usage:
    """Counted by git. Raises `git-failed` where a ref or an object is broken."""
    landed = _landed(repository)
    return Usage(_count(repository, landed), _size(repository, landed))


def _landed(repository: Repository) -> bytes:
    """The commits that closed sessions landed as, as `rev-list` is told to leave them out."""
    out = repository.git.run("for-each-ref", _LANDED, "refs/slip/closed/").out
    return b"".join(b"^%s\n" % line for line in out.split() if _ID.fullmatch(line))


def _size(repository: Repository, landed: bytes) -> int:
    lines = repository.git.run("rev-list", "--disk-usage", *_OWN, stdin=landed).out.split()
    # The commits at the edge are listed before, each with a dash.
    return int(lines[-1]) if lines else 0


def _count(repository: Repository, landed: bytes) -> int:
    lines = repository.git.run("rev-list", "--no-object-names", *_OWN, stdin=landed).out.split()
    return sum(not line.startswith(b"-") for line in lines)


def size_above(repository: Repository, most: int) -> int | None:
    """The size in bytes where it is above ``most``, else None."""
    known = _known(repository)
    if known is not None and known <= most:
        return None
    # The names come first: what is written meanwhile counts twice rather than not at all.
    names = packs.own_names(repository.layout.objects_dir)
    size = _size(repository, _landed(repository))
    with suppress(OSError):
        _remember(repository, size, names)
    return size if size > most else None


def _known(repository: Repository) -> int | None:
    """At least the size there is now: the last count, and every pack that is new since."""
    try:
        with open(_path(repository), encoding="ascii") as stream:
            size, *names = stream.read().split("\n")
        total = int(size)
    except (OSError, ValueError):
        return None
    objects_dir = repository.layout.objects_dir
    for name in set(packs.own_names(objects_dir)) - set(names):
        total += consolidation.size_of(os.path.join(objects_dir, "pack", name))
    return total


def _remember(repository: Repository, size: int, names: list[str]) -> None:
    """Write a count down, aside and renamed; of two at once the later one wins."""
    path, sharing = _path(repository), repository.layout.sharing
    permissions.make_directory(os.path.dirname(path), sharing)
    with open(f"{path}.new", "w", encoding="ascii") as stream:
        stream.write("\n".join([str(size), *names]))
    permissions.adjust(f"{path}.new", sharing)
    os.rename(f"{path}.new", path)


def _path(repository: Repository) -> str:
    return os.path.join(repository.layout.slip_dir, "usage")
