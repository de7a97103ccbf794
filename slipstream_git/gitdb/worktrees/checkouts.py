"""Which worktrees a repository has, and how each holds its files."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.layout import Layout
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Config
from slipstream_git.gitdb.worktrees.jobs import Manner, Worktree

# Under way in a worktree: the index and files belong to that, until it is over.
_UNDER_WAY = (
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or am"),
)


def list_worktrees(git: Git) -> tuple[Worktree, ...]:
    """All worktrees, the main one first. One whose directory is missing is `prunable`.

    A bare repository's own entry has its git directory as root.
    """
    out = git.run("worktree", "list", "--porcelain", "-z").out
    blocks = [block.split(b"\0") for block in out.split(b"\0\0") if block.strip(b"\0")]
    return tuple(_worktree(git, block, is_main=n == 0) for n, block in enumerate(blocks))


def is_only(layout: Layout) -> bool:
    """Whether a worktree that has its git directory in it is the only one; False where unsure.

    Then there is nothing that git would have to be asked.
    """
    if layout.root is None or layout.git_dir != os.path.join(layout.root, ".git"):
        return False
    if not os.path.samefile(layout.git_dir, layout.common_dir) or os.path.islink(layout.git_dir):
        return False
    try:
        return not os.listdir(os.path.join(layout.common_dir, "worktrees"))
    except FileNotFoundError:
        return True


def _worktree(git: Git, lines: Sequence[bytes], *, is_main: bool) -> Worktree:
    facts = dict(_fact(line) for line in lines if line)
    root, bare = facts["worktree"], "bare" in facts
    git_dir = root if bare else _git_dir_of(root)
    if git_dir is None and is_main:
        # A submodule, or --separate-git-dir: git lists the git directory as if it were the root.
        root, git_dir = _main_elsewhere(git, root)
    head = facts.get("HEAD")
    return Worktree(
        root,
        git_dir or "",
        facts.get("branch"),
        None if not head or not head.strip("0") else head,
        bare,
        "locked" in facts,
        "prunable" in facts or git_dir is None,
    )


def _fact(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b" ")
    return os.fsdecode(name), os.fsdecode(value)


def _git_dir_of(root: str) -> str | None:
    """What ``<root>/.git`` is or points at; None where there is none."""
    dot_git = os.path.join(root, ".git")
    try:
        if stat.S_ISDIR(os.stat(dot_git).st_mode):
            return dot_git
        with open(dot_git, "rb") as file:
            said = file.read(65536)
    except OSError:
        return None
    if not said.startswith(b"gitdir: "):
        return None
    return os.path.normpath(os.path.join(root, os.fsdecode(said[8:].rstrip(b"\r\n"))))


def _main_elsewhere(git: Git, git_dir: str) -> tuple[str, str | None]:
    done = git.inside(git_dir).run("config", "-z", "core.worktree", accept=(0, 1))
    root = os.fsdecode(done.out.rstrip(b"\0"))
    if not root:
        done = git.run("rev-parse", "--show-toplevel", accept=(0, 128))
        root = os.fsdecode(done.out.rstrip(b"\n"))
    root = os.path.normpath(os.path.join(git_dir, root)) if root else git_dir
    own = _git_dir_of(root)
    same = own is not None and os.path.realpath(own) == os.path.realpath(git_dir)
    return root, own if same else None


def manner_of(config: Config) -> Manner:
    """How a worktree with this configuration holds files."""
    return Manner(
        config.flag("core.fileMode", default=True),
        config.flag("core.symlinks", default=True),
        config.flag("core.ignoreCase"),
        config.flag("core.sparseCheckout"),
    )


def heads(common_dir: str) -> Mapping[str, bytes]:
    """What the HEAD of each worktree holds, by the path of its git directory.

    As long as this is the same, no worktree has come or gone, or switched its branch.
    """
    place = os.path.join(common_dir, "worktrees")
    names = os.listdir(place) if os.path.isdir(place) else ()
    found = {}
    for path in (common_dir, *(os.path.join(place, name) for name in names)):
        with suppress(OSError), open(os.path.join(path, "HEAD"), "rb") as stream:
            found[path] = stream.read()
    return found


def under_way_on(worktree: Worktree, branch: str) -> str | None:
    """What a worktree is doing with a branch that it has left for the while, if anything.

    A rebase detaches HEAD and moves the branch at its end; a bisection goes back to it.
    """
    for name, what in (
        ("rebase-merge/head-name", "a rebase"),
        ("rebase-apply/head-name", "a rebase"),
        ("BISECT_START", "a bisection"),
    ):
        try:
            with open(os.path.join(worktree.git_dir, name), "rb") as stream:
                held = os.fsdecode(stream.read()).strip()
        except OSError:
            continue
        if branch in (held, f"refs/heads/{held}"):
            return what
    return None


def check_nothing_under_way(worktree: Worktree) -> None:
    """Raises `dirty` for a merge, rebase or the like that has this worktree's index and files."""
    for name, what in _UNDER_WAY:
        if os.path.lexists(os.path.join(worktree.git_dir, name)):
            raise SlipError(
                "dirty",
                f"{what} is under way in {worktree.root}",
                hint="git status",
                data={"worktree": worktree.root, "paths": [], "under_way": name},
            )
