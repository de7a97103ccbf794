"""Brings one worktree's files and index from one tree to another, for a few changed paths.

The order of a landing, where each step can be the last before the power goes:

    writer.preflight()      nothing is changed; `dirty` or `locked` is raised here
    write_intent()          what recovery needs to know
    writer.hold()           index.lock taken, all looked at again, new index and files written aside
    (refs prepared)
    writer.place()          renames only; a late surprise takes everything back
    (refs committed)
    writer.settle()         what was set aside is let go, index.lock released
    drop_intent()

`Writer.roll_back` undoes `hold` and `place`, until `settle`. After a death, the caller looks at the
refs and calls `finish` (the branch moved) or `retreat` (it did not) for each worktree of the
intent. Both can be called, and killed, any number of times.

The index is git's to edit (`update-index --index-info` on a copy: version 4, split and sparse
indexes, the untracked cache); only the stat data of placed files is written here, because git
learns it by running the clean filter over each file, and calls a file changed whose filter
does not give back the very blob (a CRLF blob under autocrlf), where its own checkout does not.

Our index.lock is made whole, with a name inside and an flock held on it, by link(2): so a lock whose
owner died is told from a living one without process ids, and cleared by whoever needs it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import stat
import struct
import time
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.placing import (
    Acceptable,
    Checkpoint,
    Content,
    Files,
    Manner,
    Placement,
    Surprise,
    Trouble,
    fsync,
    leftovers,
    linked,
    shown,
    write_all,
)
from slipstream_git.gitdb.process import Git
from slipstream_git.model import ZERO, Entry

__all__ = [
    "Intent", "Manner", "Place", "Placement", "SessionMove", "Staged", "Trouble", "Worktree",
    "Writer", "drop_intent", "finish", "leftovers", "list_worktrees", "manner_of",
    "pending_intents", "retreat", "write_intent",
]  # fmt: skip

LOCK_WAIT_S: Final = 1.0
_LOCK_MAGIC = b"slip lock 1 "
_NAMED_PATHS = 200  # above that, the whole index is read: an argument list has an end
_SHOWN_PATHS = 5
_LITERAL = {"GIT_LITERAL_PATHSPECS": "1"}

# Under way in a worktree: the index and files belong to that, until it is over.
_UNDER_WAY = (
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or am"),
)


# -- worktrees -------------------------------------------------------------------------------------


class Worktree(NamedTuple):
    """One worktree. ``branch`` is a full ref name, None when detached; ``head`` None when unborn."""

    root: str
    git_dir: str
    branch: str | None
    head: str | None
    bare: bool = False
    locked: bool = False
    prunable: bool = False


def list_worktrees(git: Git) -> tuple[Worktree, ...]:
    """All worktrees, the main one first. One whose directory is missing is `prunable`.

    A bare repository's own entry has its git directory as root.
    """
    out = git.run("worktree", "list", "--porcelain", "-z").out
    blocks = [block.split(b"\0") for block in out.split(b"\0\0") if block.strip(b"\0")]
    return tuple(_worktree(git, block, is_main=n == 0) for n, block in enumerate(blocks))


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
    done = git.at(git_dir).run("config", "-z", "core.worktree", accept=(0, 1))
    root = os.fsdecode(done.out.rstrip(b"\0"))
    if not root:
        done = git.run("rev-parse", "--show-toplevel", accept=(0, 128))
        root = os.fsdecode(done.out.rstrip(b"\n"))
    root = os.path.normpath(os.path.join(git_dir, root)) if root else git_dir
    own = _git_dir_of(root)
    same = own is not None and os.path.realpath(own) == os.path.realpath(git_dir)
    return root, own if same else None


def manner_of(git: Git) -> Manner:
    """How the worktree that ``git`` runs in holds files, from its configuration: one process."""
    pattern = r"^core\.(filemode|symlinks|ignorecase|sparsecheckout)$"
    out = git.run("config", "-z", "--type=bool", "--get-regexp", pattern, accept=(0, 1)).out
    said = dict(item.partition(b"\n")[::2] for item in out.split(b"\0") if item)

    def flag(name: bytes, *, default: bool) -> bool:
        return said.get(b"core." + name, b"true" if default else b"false") == b"true"

    return Manner(
        flag(b"filemode", default=True),
        flag(b"symlinks", default=True),
        flag(b"ignorecase", default=False),
        flag(b"sparsecheckout", default=False),
    )


# -- the index -------------------------------------------------------------------------------------


class Staged(NamedTuple):
    """One entry of an index. ``tag`` as `git ls-files -v` has it."""

    path: bytes
    entry: Entry
    stage: int
    tag: str


class Index:
    """One worktree's index: locked, copied, edited by git, given stat data, published.

    Between `publish` and `release` the lock is still held and the former index kept, so that
    `restore` is exact.
    """

    def __init__(
        self, git: Git, git_dir: str, token: str, *, sync: bool, checkpoint: Checkpoint
    ) -> None:
        self.path = os.path.join(git_dir, "index")
        self._git = git
        self._git_dir = git_dir
        self._name = f"slip-index-{token}"
        self._copy = os.path.join(git_dir, self._name)
        self._former = self._copy + "-former"
        self._token = token
        self._sync = sync
        self._checkpoint = checkpoint
        self._lock: int | None = None
        self._had_one = False
        self._published = False

    @property
    def exists(self) -> bool:
        return os.path.lexists(self.path)

    def check_free(self) -> None:
        """Raises `locked` when somebody alive holds index.lock for longer than a second."""
        if not _waited(lambda: not os.path.lexists(self._lock_path) or self._clear_dead()):
            raise self._locked()

    def lock(self) -> None:
        """Take index.lock and copy the index. Raises `locked`."""
        if self._lock is not None:
            return
        self._drop_leftovers()
        if not _waited(self._try_lock):
            raise self._locked()
        self._checkpoint("index-locked")
        self._had_one = self.exists
        if self._had_one:
            _copy_with_times(self.path, self._copy)
        self._checkpoint("index-copied")

    @property
    def _lock_path(self) -> str:
        return self.path + ".lock"

    def _locked(self) -> SlipError:
        where = self._lock_path
        return SlipError(
            "locked", f"the index is locked by another program: {where}", data={"lock": where}
        )

    def _try_lock(self) -> bool:
        mine = os.path.join(self._git_dir, f"slip-lock-{self._token}")
        with suppress(FileNotFoundError):
            os.unlink(mine)
        fd = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            _flock(fd)
            write_all(fd, _LOCK_MAGIC + f"{self._token} {os.getpid()}\n".encode())
            self._checkpoint("lock-made")
            if not self._appears_as_lock(mine):
                os.close(fd)
                self._clear_dead()
                return False
        except BaseException:
            with suppress(OSError):
                os.close(fd)
            raise
        finally:
            with suppress(FileNotFoundError):
                os.unlink(mine)
        self._lock = fd
        return True

    def _appears_as_lock(self, mine: str) -> bool:
        try:
            os.link(mine, self._lock_path)
        except FileExistsError:
            return False
        except OSError as fault:
            if fault.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            # No hard links here. Taking the name empty first and then renaming over it is as good,
            # but that a death in between leaves a lock that nobody knows whose it is.
            try:
                os.close(os.open(self._lock_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            except FileExistsError:
                return False
            os.rename(mine, self._lock_path)
        return True

    def _clear_dead(self) -> bool:
        """Remove index.lock if it is a slip's that died. True when the name is free now."""
        try:
            fd = os.open(self._lock_path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            # While we have the flock nobody else clears this file, and its owner is not alive.
            if os.pread(fd, len(_LOCK_MAGIC), 0) != _LOCK_MAGIC or not _flock(fd):
                return False
            if os.path.samestat(os.fstat(fd), os.lstat(self._lock_path)):
                os.unlink(self._lock_path)
            return True
        except FileNotFoundError:
            return True
        finally:
            os.close(fd)

    def read(self, paths: Collection[bytes], *, of_copy: bool = False) -> list[Staged]:
        """The entries at these paths or, where a path is a directory in the index, below it."""
        env = dict(_LITERAL)
        if of_copy:
            env["GIT_INDEX_FILE"] = self._copy
        named = ["--", *sorted(paths)] if len(paths) <= _NAMED_PATHS else []
        out = self._git.run("ls-files", "-s", "-v", "-z", "--full-name", *named, env=env).out
        wanted = set(paths)
        entries = [_staged(record) for record in out.split(b"\0") if record]
        return entries if named else [e for e in entries if _is_within(e.path, wanted)]

    def edit(self, placements: Iterable[Placement], skipped: Collection[bytes]) -> None:
        """Let git bring the copy's entries to what is new; ``skipped`` keep their skip-worktree.

        Raises `dirty` when git would have to drop an entry that is not part of the change.
        """
        removals, additions, names = [], [], []
        for path, _, new in placements:
            names.append(path)
            if new is None:
                removals.append(b"0 " + ZERO.encode() + b"\t" + path)
            else:
                additions.append(b"%o %s\t%s" % (new.mode, new.oid.encode(), path))
        self._check_no_collision(placements)
        lines = b"".join(line + b"\0" for line in removals + additions)
        env = _LITERAL | {"GIT_INDEX_FILE": self._copy}
        if lines:
            self._git.run("update-index", "-z", "--index-info", stdin=lines, env=env)
        if skipped:
            names = b"".join(path + b"\0" for path in sorted(skipped))
            command = ("update-index", "-z", "--skip-worktree", "--stdin")
            self._git.run(*command, stdin=names, env=env)
        self._checkpoint("index-edited")
