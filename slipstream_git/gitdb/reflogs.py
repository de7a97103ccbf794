"""Commits that only a worktree's own files keep and that go with it: its reflog, its own refs."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Final

from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Repository

_LOG: Final = "logs/HEAD"
_MOVED: Final = re.compile(rb"^([0-9a-f]{40}) ([0-9a-f]{40}) [^\n\t]*(\tslip: )?", re.MULTILINE)
_ID: Final = re.compile(rb"[0-9a-f]{40}")
# Each begins with a commit.
_FILES: Final = (
    "HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD",
    "MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash",
)  # fmt: skip
_REFS: Final = ("refs/worktree", "refs/bisect", "refs/rewritten")


def only_there(repository: Repository, view: Repository) -> list[str]:
    """Commits that the worktree ``view`` has been at and no ref outside of it reaches.

    Descendants come before what they come from. Left out are objects that are gone, and what slip
    itself has put its HEAD at: where it was made, and wherever it was brought.
    """
    moves = _MOVED.findall(_read(view, _LOG))
    ours = {new for _, new, is_ours in moves if is_ours} | {old for old, *_ in moves[:1]}
    named = {oid for old, new, _ in moves for oid in (old, new)}
    named.update(view.git.run("for-each-ref", "--format=%(objectname)", *_REFS).out.split())
    named.update(oid for name in _FILES for oid in _ID.findall(_read(view, name))[:1])
    named = {oid for oid in named - ours if oid.strip(b"0")}
    # Asked where the HEAD, the bisection and the like are those of the main worktree.
    git = repository.git.inside(repository.layout.common_dir)
    listed = git.run(
        "rev-list", "--topo-order", "--ignore-missing", "--single-worktree",
        "--stdin", "--not", "--all",
        stdin=b"".join(oid + b"\n" for oid in sorted(named)),
    ).out.split()  # fmt: skip
    return [oid.decode() for oid in listed if oid in named]


def _read(view: Repository, name: str) -> bytes:
    place = os.path.join(view.layout.git_dir, name)
    with suppress(FileNotFoundError, NotADirectoryError), open(place, "rb") as stream:
        return stream.read()
    return b""


def has_branch(git: Git, commit: str) -> bool:
    """Whether a branch or tag, own or tracked, has a commit."""
    kinds = ("refs/heads", "refs/tags", "refs/remotes")
    return bool(git.run("for-each-ref", "--count=1", "--contains", commit, *kinds).out)
