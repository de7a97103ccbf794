"""The ref locks that a killed `git update-ref` leaves, told from those of a living git.

A lock is a file that git creates empty, fills with the id to be, and renames. One that holds the
id which only the dead landing was to write is that landing's. An empty one (a deletion, HEAD's,
packed-refs') says nothing, one with the beginning of that id little, and packed-refs.new is
written under such a lock; so they are taken for the landing's only when they were made within the
moment in which the landing took its locks, and then do not change for a second. Every other lock is
left alone: git's own message names it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from slipstream_git.gitdb.refs import RefMove
from slipstream_git.records import NamedTuple

PATIENCE_S = 1.0
# From the intent's time to the first lock, and from one lock of a transaction to its last.
MOMENT_S = 2.0
_OWN = ("/refs/slip/", "/refs/notes/slip/")
SHARED_NAMES = ("packed-refs.lock", "packed-refs.new")


class _Lock(NamedTuple):
    path: str
    made_at_s: float
    content: bytes


def clear_dead(
    common_dir: str, git_dirs: Iterable[str], moves: Sequence[RefMove], *, intended_at_s: float
) -> None:
    """Remove the locks that the dead landing of ``moves`` left.

    git_dirs: of the worktrees whose HEAD may have been locked with the branch. intended_at_s: when
    the landing was about to take its locks, or a recovery renewed it: seconds since 1970 as the
    file system has it.
    """
    ids = {move.new.encode() for move in moves if move.new is not None}
    locks = list(_found(common_dir, git_dirs, moves))
    ours = [lock for lock in locks if lock.content.strip() in ids]
    # Nobody but slip deletes or moves its refs: their locks tell, too, when it took them.
    known = [lock for lock in locks if lock in ours or any(name in lock.path for name in _OWN)]
    known += _renamed(common_dir, moves)
    until = max([intended_at_s, *(lock.made_at_s for lock in known)]) + MOMENT_S
    silent = [
        lock
        for lock in locks
        if lock not in ours
        and _says_nothing(lock, ids)
        and intended_at_s - 1 <= lock.made_at_s <= until
    ]
    if silent:
        time.sleep(PATIENCE_S)
    for lock in ours + [lock for lock in silent if _read(lock.path) == lock]:
        with suppress(FileNotFoundError):
            os.unlink(lock.path)


def _says_nothing(lock: _Lock, ids: Iterable[bytes]) -> bool:
    """Whether a lock is empty or cut short, so that only its time can tell whose it is."""
    if not lock.content or lock.path.endswith("packed-refs.new"):
        return True
    return any(oid.startswith(lock.content) for oid in ids)


def _found(common_dir: str, git_dirs: Iterable[str], moves: Sequence[RefMove]) -> Iterable[_Lock]:
    paths = [os.path.join(common_dir, f"{move.name}.lock") for move in moves]
    paths += [os.path.join(common_dir, name) for name in SHARED_NAMES]
    paths += [os.path.join(git_dir, "HEAD.lock") for git_dir in {common_dir, *git_dirs}]
    return filter(None, map(_read, paths))


def _renamed(common_dir: str, moves: Sequence[RefMove]) -> Iterable[_Lock]:
    """The refs that have moved already: each is the lock that it was, with its time."""
    for move in moves:
        found = _read(os.path.join(common_dir, move.name))
        if found and move.new is not None and found.content.strip() == move.new.encode():
            yield found


def _read(path: str) -> _Lock | None:
    try:
        with open(path, "rb") as stream:
            return _Lock(path, os.fstat(stream.fileno()).st_mtime, stream.read(64))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
