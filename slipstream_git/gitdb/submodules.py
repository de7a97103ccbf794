"""Submodules as they stand in a worktree. git's own clean and listings do not go into them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from slipstream_git.gitdb.process import Git
from slipstream_git.model import GITLINK

_ENTRY: Final = re.compile(rb"(?:\A|\0)%o ([0-9a-f]+) \d\t([^\0]+)" % GITLINK)


def entries(git: Git) -> list[tuple[bytes, str]]:
    """The submodules in the index of the worktree that ``git`` is at: path and commit."""
    listed = git.run("ls-files", "-s", "-z").out
    return [(path, oid.decode()) for oid, path in _ENTRY.findall(listed)]


def unpopulated(git: Git, root: bytes) -> Iterator[bytes]:
    """Submodules that are not checked out and whose directories hold something all the same."""
    for path, _ in entries(git):
        place = os.path.join(root, path)
        if os.path.isdir(place) and os.listdir(place) and b".git" not in os.listdir(place):
            yield path


def restore(git: Git, root: bytes, private: bytes) -> None:
    """Bring every submodule to the commit that the index has, where its repository has that.

    Ignored files stay. One that is not checked out is made an empty directory; so is one whose
    repository is outside of ``private``, or is one of its own that lacks that commit.
    """
    for path, oid in entries(git):
        place = os.path.join(root, path)
        if not _is_directory(root, path):
            continue
        inner = _repository(git, place, private)
        # `git submodule` keeps the repository elsewhere, and a set-up may have fetched little.
        or_stay = [()] if os.path.isfile(os.path.join(place, b".git")) else []
        if inner is None or not any(
            inner.run("reset", "--hard", "--quiet", *commit, accept=range(256)).status == 0
            for commit in ((oid,), *or_stay)
        ):
            _empty(place)
            continue
        inner.run("clean", "-ffdq", accept=range(256))
        restore(inner, place, private)


def _is_directory(root: bytes, path: bytes) -> bool:
    """Whether there is a directory at a path, and no link to elsewhere on the way."""
    parts = path.split(b"/")
    places = (os.path.join(root, *parts[:end]) for end in range(1, len(parts) + 1))
    return all(os.path.isdir(place) and not os.path.islink(place) for place in places)


def _repository(git: Git, place: bytes, private: bytes) -> Git | None:
    """The git of what is checked out at a place; None where that is nobody's or somebody else's."""
    dot_git = os.path.join(place, b".git")
    git_dir = dot_git
    if os.path.isfile(dot_git):
        with open(dot_git, "rb") as stream:
            named = stream.read().removeprefix(b"gitdir:").strip()
        git_dir = os.path.join(place, named)
    git_dir = os.path.realpath(git_dir)
    if not git_dir.startswith(os.path.realpath(private) + b"/") or not os.path.isdir(git_dir):
        return None
    return git.at(os.fsdecode(place), os.fsdecode(git_dir))


def _empty(place: bytes) -> None:
    import shutil  # there is hardly ever anything

    with os.scandir(place) as items:
        for item in list(items):
            if item.is_dir(follow_symlinks=False):
                shutil.rmtree(item.path, ignore_errors=True)
            else:
                os.unlink(item.path)
