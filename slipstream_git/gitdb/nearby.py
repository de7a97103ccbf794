"""The repository that a directory is plainly in, found without a process.

For what runs so often that even one git would be felt. It knows the ordinary case alone: a `.git`
of the caller's own above the directory, or a linked worktree's file. Wherever anything might make
git see it otherwise, it is not sure, and git has to be asked. A core.sharedRepository that is not
the repository's own setting is not seen; what is found here is for events and what else can be
lost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from slipstream_git.gitdb.layout import Layout
from slipstream_git.records import NamedTuple

# Settings that make a repository another one than its place says, or shared by others.
_ODD: Final = (
    b"sharedrepository", b"include", b"refstorage", b"objectformat", b"worktree", b"bare = true",
    b"bare=true",
)  # fmt: skip
# Of git's variables, those that say where a repository is, or what it is.
_TELLING: Final = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_CONFIG", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS",
    "GIT_NAMESPACE", "GIT_TEST_ASSUME_DIFFERENT_OWNER",
})  # fmt: skip
_LARGEST: Final = 1 << 20


class Near(NamedTuple):
    """layout: None where there is none. is_sure: False where git has to be asked."""

    is_sure: bool
    layout: Layout | None = None


_UNSURE: Final = Near(is_sure=False)
_NOWHERE: Final = Near(is_sure=True)


def find(directory: str, env: Mapping[str, str]) -> Near:
    """The repository of a directory. env: the caller's environment. Raises nothing."""
    if any(name in env for name in _TELLING):
        return _UNSURE
    try:
        return _above(os.path.realpath(directory))
    except OSError:
        return _UNSURE


def _above(place: str) -> Near:
    device = os.stat(place).st_dev
    while True:
        dot_git = os.path.join(place, ".git")
        if os.path.lexists(dot_git):
            return _opened(place, dot_git)
        parent = os.path.dirname(place)
        # git's own looks for a bare repository in each directory, and stops at a file system's end.
        if os.path.lexists(os.path.join(place, "HEAD")) or os.stat(parent).st_dev != device:
            return _UNSURE
        if parent == place:
            return _NOWHERE
        place = parent


def _opened(root: str, dot_git: str) -> Near:
    git_dir = dot_git
    if os.path.isfile(dot_git):
        said = _text(dot_git)
        if not said.startswith("gitdir: "):
            return _UNSURE
        git_dir = os.path.join(root, said.removeprefix("gitdir: "))
    git_dir = os.path.realpath(git_dir)
    common = os.path.join(git_dir, "commondir")
    common_dir = git_dir
    if os.path.isfile(common):
        common_dir = os.path.realpath(os.path.join(git_dir, _text(common)))
    # Another user's is refused by git, unless safe.directory names it.
    owners = {os.stat(path).st_uid for path in (root, dot_git, git_dir)}
    if owners != {os.geteuid()} or not os.path.isfile(os.path.join(git_dir, "HEAD")):
        return _UNSURE
    with open(os.path.join(common_dir, "config"), "rb") as stream:
        config = stream.read(_LARGEST + 1).lower()
    if len(config) > _LARGEST or any(word in config for word in _ODD):
        return _UNSURE
    return Near(is_sure=True, layout=Layout(git_dir, common_dir, root, bare=False, hooks_dir=""))


def _text(path: str) -> str:
    with open(path, "rb") as stream:
        return os.fsdecode(stream.read(_LARGEST)).rstrip("\n")
