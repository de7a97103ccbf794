"""Warm worktrees in which hooks see exactly what lands: full checkouts of slip's own.

Each slot is a worktree in ``$GIT_COMMON_DIR/slip/pool/<n>`` that shares the repository's objects
and refs (``commondir``) and is not listed by `git worktree list`, so it keeps nobody from checking
out the branch that its HEAD names. Between uses a slot keeps its files: the next tree costs what
differs, and ignored files (a build's output, ``node_modules``) stay.

A slot belongs to whoever has the flock on it. What a use left behind, also one that was killed, is
put right by the next: the index that slip itself wrote last is kept beside the one that programs
see, and everything else in the slot's git directory goes.
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
from slipstream_git.gitdb import locks, permissions, submodules
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Repository

SLOTS: Final = 8
# Programs that may run for long leave the others to hooks.
SLOTS_FOR_LONG: Final = 6
PATIENCE_S: Final = 600.0
_POLL_S: Final = 0.05
# The slot's worktree is not the user's: what they told git about theirs does not hold here.
_PLAIN: Final = ("-c", "submodule.recurse=false", "-c", "core.untrackedCache=false")
# What a slot's git directory keeps between two uses: `modules` are a set-up's submodules.
_KEPT: Final = frozenset(("index", "commondir", "modules"))


class Slot:
    """One warm worktree, ours alone while `leased`. ``root`` is where its files are.

    lock: the descriptor of its lock; as long as a process has it, nobody else gets the slot.
    """

    def __init__(self, repository: Repository, place: str, lock: int) -> None:
        self.place = place
        self.lock = lock
        self.root = os.path.join(place, "tree")
        self.git_dir = os.path.join(place, "git")
        self.index = os.path.join(self.git_dir, "index")
        self._own_index = os.path.join(place, "index")
        self._repository = repository
        self.git = repository.git.at(self.root, self.git_dir)

    @property
    def exclude(self) -> str:
        """The file of patterns that git shall ignore here, beside the project's own."""
        return os.path.join(self.place, "exclude")

    def trusting(self) -> Git:
        """A git in this slot that runs hooks, found as a person's would be found from here."""
        return self._repository.trusting(self.root, f"core.excludesFile={self.exclude}")

    def check_out(self, tree: str, head: str) -> None:
        """Bring index and files to ``tree`` exactly, HEAD naming a ref or a commit.

        Ignored files stay; all else that is not in the tree goes. A slot that some program has
        ruined is made anew. Raises `git-failed`.
        """
        try:
            self._check_out(tree, head)
        except (SlipError, OSError):
            self._raze()
            try:
                self._check_out(tree, head)
            except (SlipError, OSError):
                self._raze()  # a full disk, say, which half a worktree would leave full
                raise

    def _check_out(self, tree: str, head: str) -> None:
        self._make()
        for name in set(os.listdir(self.git_dir)) - _KEPT:
            _remove(os.path.join(self.git_dir, name))
        said = f"ref: {head}\n" if head.startswith("refs/") else f"{head}\n"
        _write(os.path.join(self.git_dir, "HEAD"), said)
        self.restore_index()
        with suppress(FileNotFoundError):
            os.unlink(self._own_index)
        self.git.run(*_PLAIN, "read-tree", "--reset", "-u", tree)
        _link(self.index, self._own_index)
        self.clean()

    def restore_index(self) -> None:
        """Undo what programs did to the index: added to it, or told it not to look at a file."""
        if os.path.exists(self._own_index):
            with suppress(FileNotFoundError):
                os.unlink(self.index)
            _link(self._own_index, self.index)

    def seen_from(self) -> Repository:
        """The repository with this slot for its worktree, ignoring what is ignored here."""
        git = self.git.setting(f"core.excludesFile={self.exclude}")
        return self._repository.seen_from(self.root, self.git_dir, git)

    def ignore(self, names: Sequence[str]) -> None:
        """Let git ignore these paths here, beside what the user has it ignore everywhere."""
        done = self._repository.git.run("config", "--type=path", "core.excludesFile", accept=(0, 1))
        own = os.fsdecode(done.out).strip() or _default_excludes(self._repository.git.caller)
        text = ""
        with suppress(OSError), open(own, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read().rstrip("\n") + "\n"
        _write(self.exclude, text + "".join(f"/{name}\n" for name in names))

    def clean(self) -> None:
        """Remove files that are neither tracked nor ignored, in submodules, too."""
        ignoring = ("-c", f"core.excludesFile={self.exclude}")
        self.git.run(*_PLAIN, *ignoring, "clean", "-ffdq", accept=(0, 1))
        git = self.git.setting(_PLAIN[1], _PLAIN[3])
        submodules.restore(git, os.fsencode(self.root), os.fsencode(self.place))

    def set_apart(self) -> None:
        """Let git in here write nothing of the repository's, until the next `check_out`.

        Raises `git-failed`.
        """
        from slipstream_git.gitdb import apart  # for gates alone

        place = os.path.join(self.place, "apart")
        try:
            apart.make(self._repository, place)
            _write(os.path.join(self.git_dir, "commondir"), "../apart\n")
        except OSError as fault:
            raise SlipError("git-failed", f"{place} cannot be written: {fault.strerror}") from None

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
            if os.path.islink(self.root):
                os.unlink(self.root)  # what is behind it is not ours
            for directory in (self.git_dir, self.root):
                permissions.make_directory(directory, self._repository.layout.sharing)
            common = os.path.relpath(self._repository.layout.common_dir, self.git_dir)
            _write(os.path.join(self.git_dir, "commondir"), f"{common}\n")
            dot_git = os.path.join(self.root, ".git")
            if os.path.islink(dot_git) or os.path.isdir(dot_git):
                _remove(dot_git)
            _write(dot_git, f"gitdir: {self.git_dir}\n")
            if not os.path.exists(self.exclude):
                _write(self.exclude, "")
        except OSError as fault:
            raise SlipError(
                "git-failed", f"{self.place} cannot be written: {fault.strerror}"
            ) from None

    def _raze(self) -> None:
        """Remove everything, whatever modes a program gave it."""
        for path in (self.root, self.git_dir, self._own_index):
            _remove(path)


@contextmanager
def leased(
    repository: Repository, *, for_long: bool = False, patience_s: float = 0
) -> Iterator[Slot]:
    """A slot that nobody else uses, until the end of the block.

    Raises `locked` after ``patience_s`` of waiting, or after `PATIENCE_S` where that is longer.
    """
    parent = os.path.join(repository.layout.slip_dir, "pool")
    try:
        slots = SLOTS_FOR_LONG if for_long else SLOTS
        handle, place = _take(parent, repository.layout.sharing, slots, max(patience_s, PATIENCE_S))
    except OSError as fault:
        raise SlipError("git-failed", f"{parent} cannot be written: {fault.strerror}") from None
    try:
        yield Slot(repository, place, handle)
    finally:
        os.close(handle)


def _take(parent: str, sharing: int, slots: int, patience_s: float) -> tuple[int, str]:
    deadline = time.monotonic() + patience_s
    while True:
        for number in range(1, slots + 1):
            place = os.path.join(parent, str(number))
            handle = locks.opened(os.path.join(place, "lock"), sharing)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
            else:
                return handle, place
        if time.monotonic() > deadline:
            raise SlipError("locked", f"all {slots} warm worktrees of {parent} are in use")
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


def _link(source: str, place: str) -> None:
    """Give a file that nobody writes in place a second name; its times count, so they go along."""
    try:
        os.link(source, place)
    except OSError:  # no hard links here
        shutil.copy2(source, place)


def _remove(path: str) -> None:
    """Remove a file or a whole directory, whatever its modes."""
    if os.path.islink(path) or not os.path.isdir(path):
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    for directory, _, _ in os.walk(path):
        with suppress(OSError):
            os.chmod(directory, 0o700)
    shutil.rmtree(path, ignore_errors=True)


def _write(path: str, text: str) -> None:
    """Write a small file whole, when it does not hold this already."""
    with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="surrogateescape") as old:
        if old.read() == text:
            return
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
