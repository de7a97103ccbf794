"""Warm worktrees in which hooks see exactly what lands: full checkouts of slip's own.

Each slot is a worktree in ``$GIT_COMMON_DIR/slip/pool/<n>`` that shares the repository's objects
and refs (``commondir``) and is not listed by `git worktree list`, so it keeps nobody from checking
out the branch that its HEAD names. Between uses a slot keeps its files: the next tree costs what
differs, and ignored files (a build's output, ``node_modules``) stay.

A slot belongs to whoever has the flock on it. What a use left behind, also one that was killed, is
put right by the next.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks, permissions
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Repository

SLOTS: Final = 4
PATIENCE_S: Final = 600.0
_POLL_S: Final = 0.05
# The slot's worktree is not the user's: what they told git about theirs does not hold here.
_PLAIN: Final = ("-c", "submodule.recurse=false", "-c", "core.untrackedCache=false")


class Slot:
    """One warm worktree, ours alone while `leased`. ``root`` is where its files are."""

    def __init__(self, repository: Repository, place: str) -> None:
        self.place = place
        self.root = os.path.join(place, "tree")
        self.git_dir = os.path.join(place, "git")
        self.index = os.path.join(self.git_dir, "index")
        self._repository = repository
        self.git = repository.git.at(self.root, self.git_dir)

    @property
    def exclude(self) -> str:
        """The file of patterns that git shall ignore here, beside the project's own."""
        return os.path.join(self.place, "exclude")

    def trusting(self) -> Git:
        """A git in this slot that runs hooks, found as a person's would be found from here."""
        return self._repository.trusting(self.root, f"core.excludesFile={self.exclude}")

    def check_out(self, tree: str, branch: str) -> None:
        """Bring index and files to ``tree`` exactly, HEAD naming ``branch``.

        Ignored files stay; all else that is not in the tree goes. Raises `git-failed`.
        """
        self._make()
        for name in ("index.lock", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.git_dir, name))
        _write(os.path.join(self.git_dir, "HEAD"), f"ref: {branch}\n")
        self.git.run(*_PLAIN, "read-tree", "--reset", "-u", tree)
        self.clean()

    def ignore(self, names: Sequence[str]) -> None:
        """Let git ignore these paths here, beside what the user has it ignore everywhere."""
        done = self._repository.git.run("config", "--type=path", "core.excludesFile", accept=(0, 1))
        own = os.fsdecode(done.out).strip() or _default_excludes(self._repository.git.caller)
        text = ""
        with suppress(OSError), open(own, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read().rstrip("\n") + "\n"
        _write(self.exclude, text + "".join(f"/{name}\n" for name in names))

    def clean(self) -> None:
        """Remove files that are neither tracked nor ignored."""
        ignoring = ("-c", f"core.excludesFile={self.exclude}")
        self.git.run(*_PLAIN, *ignoring, "clean", "-ffdq", accept=(0, 1))

    def staged_tree(self) -> str:
        """The tree of what the index holds now. Raises `git-failed`, for one that is unmerged."""
        return self.git.run("write-tree").out.decode().strip()

    def unstaged(self) -> list[bytes]:
        """Paths whose files are not as the index has them, and files it does not have; sorted."""
        ignoring = ("-c", f"core.excludesFile={self.exclude}")
        edited = self.git.run(*_PLAIN, "diff-files", "--name-only", "-z").out
        added = self.git.run(
            *_PLAIN,
            *ignoring,
            "ls-files",
            "-o",
            "-z",
            "--exclude-standard",
            "--directory",
            "--no-empty-directory",
        ).out
        return sorted({*filter(None, edited.split(b"\0")), *filter(None, added.split(b"\0"))})

    def _make(self) -> None:
        """Make what is missing of the slot; an unfinished one is as good as none."""
        try:
            for directory in (self.git_dir, self.root):
                permissions.make_directory(directory, self._repository.layout.sharing)
            common = os.path.relpath(self._repository.layout.common_dir, self.git_dir)
            _write(os.path.join(self.git_dir, "commondir"), f"{common}\n")
            _write(os.path.join(self.root, ".git"), f"gitdir: {self.git_dir}\n")
            if not os.path.exists(self.exclude):
                _write(self.exclude, "")
        except OSError as fault:
            raise SlipError(
                "git-failed", f"{self.place} cannot be written: {fault.strerror}"
            ) from None


@contextmanager
def leased(repository: Repository) -> Iterator[Slot]:
    """A slot that nobody else uses, until the end of the block. Raises `locked` after a wait."""
    parent = os.path.join(repository.layout.slip_dir, "pool")
    try:
        handle, place = _take(parent, repository.layout.sharing)
    except OSError as fault:
        raise SlipError("git-failed", f"{parent} cannot be written: {fault.strerror}") from None
    try:
        yield Slot(repository, place)
    finally:
        os.close(handle)


def _take(parent: str, sharing: int) -> tuple[int, str]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        for number in range(1, SLOTS + 1):
            place = os.path.join(parent, str(number))
            handle = locks.opened(os.path.join(place, "lock"), sharing)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
            else:
                return handle, place
        if time.monotonic() > deadline:
            raise SlipError("locked", f"all {SLOTS} warm worktrees of {parent} are in use")
        time.sleep(_POLL_S)


def remove(repository: Repository) -> int:
    """Remove the slots that nobody uses; how many. They are made again when they are needed."""
    parent = os.path.join(repository.layout.slip_dir, "pool")
    removed = 0
    for name in os.listdir(parent) if os.path.isdir(parent) else ():
        place = os.path.join(parent, name)
        with suppress(OSError):
            handle = os.open(os.path.join(place, "lock"), os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(place)
                removed += 1
            finally:
                os.close(handle)
    return removed


def _default_excludes(env: Mapping[str, str]) -> str:
    """Where git looks for patterns that hold everywhere, unless it is configured."""
    home = env.get("XDG_CONFIG_HOME") or os.path.join(env.get("HOME", "/"), ".config")
    return os.path.join(home, "git", "ignore")


def _write(path: str, text: str) -> None:
    """Write a small file whole, when it does not hold this already."""
    with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="surrogateescape") as old:
        if old.read() == text:
            return
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
