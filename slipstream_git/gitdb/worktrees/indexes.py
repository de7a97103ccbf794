"""One worktree's index: locked, edited by git on a copy, and put in place.

The index is git's to edit (`update-index --index-info` on a copy: version 4, split and sparse
indexes, the untracked cache); only the stat data of placed files is written here, because git
learns it by running the clean filter over each file, and calls a file changed whose filter
does not give back the very blob (a CRLF blob under autocrlf), where its own checkout does not.

Our index.lock is made whole, with a name inside and an flock held on it, by link(2): so a lock
whose owner died is told from a living one without process ids, and cleared by whoever needs it.
A power cut may leave it empty; then its other name, which stays as long as the lock, tells.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.barriers import write_all
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.worktrees.jobs import Job, Placement
from slipstream_git.model import ZERO, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text.objectid import digest

LOCK_WAIT_S: Final = 1.0
_LOCK_MAGIC = b"slip lock 1 "
_LOCK_NAME = "slip-lock-"
# Above either, the whole index is read: an argument list has an end, and git compares each entry
# with each path.
_NAMED_PATHS = 50
_NAMED_BYTES = 50_000
_PIECE = 1 << 20
_LITERAL = {"GIT_LITERAL_PATHSPECS": "1"}


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

    def __init__(self, git: Git, job: Job) -> None:
        git_dir = job.worktree.git_dir
        self.path = os.path.join(git_dir, "index")
        self._git = git
        self._git_dir = git_dir
        self._name = f"slip-index-{job.token}"
        self._copy = os.path.join(git_dir, self._name)
        self._former = self._copy + "-former"
        self._token = job.token
        self._barrier = job.barrier
        self._checkpoint = job.checkpoint
        self._lock: int | None = None
        self._had_one = False
        self._published = False
        self._last: tuple[tuple[tuple[int, ...], frozenset[bytes]], list[Staged]] | None = None

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
        self._clear_dead()  # before the name goes that may tell whose it is
        self._drop_leftovers()
        if not _waited(self._try_lock):
            raise self._locked()
        self._checkpoint("index-locked")
        self._had_one = self.exists
        self.copy_again()

    def copy_again(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._copy)
        if self._had_one:
            _copy_with_times(self.path, self._copy)
        self._checkpoint("index-copied")

    @property
    def _lock_path(self) -> str:
        return self.path + ".lock"

    def _locked(self) -> SlipError:
        where = self._lock_path
        return SlipError(
            "locked",
            f"the index is locked by another program: {where} (remove it if no git is running)",
            data={"lock": where},
        )

    def _try_lock(self) -> bool:
        mine = os.path.join(self._git_dir, _LOCK_NAME + self._token)
        with suppress(FileNotFoundError):
            os.unlink(mine)
        fd = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            _flock(fd)
            write_all(fd, _LOCK_MAGIC + f"{self._token} {os.getpid()}\n".encode())
            self._checkpoint("lock-made")
            if self._appears_as_lock(mine, fd):
                self._lock = fd
                return True
            self._clear_dead()
            return False
        finally:
            if self._lock is None:
                os.close(fd)
                with suppress(FileNotFoundError):
                    os.unlink(mine)

    def _appears_as_lock(self, mine: str, fd: int) -> bool:
        try:
            os.link(mine, self._lock_path)
        except FileExistsError:
            return False
        except OSError as fault:
            if fault.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            # No hard links here, whose second name tells whose a lock is that a power cut emptied:
            # so it is not emptied. Taking the name empty first and then renaming over it is as
            # good, but that a death in between leaves a lock that nobody knows whose it is.
            self._barrier.now(fd)
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
            if not self._is_slips(fd) or not _flock(fd):
                return False
            if os.path.samestat(os.fstat(fd), os.lstat(self._lock_path)):
                os.unlink(self._lock_path)
            return True
        except FileNotFoundError:
            return True
        finally:
            os.close(fd)

    def _is_slips(self, fd: int) -> bool:
        """Whether an open lock is a slip's: by what it says or, where that is lost, its names."""
        if os.pread(fd, len(_LOCK_MAGIC), 0) == _LOCK_MAGIC:
            return True
        lock = os.fstat(fd)
        names = [name for name in os.listdir(self._git_dir) if name.startswith(_LOCK_NAME)]
        for name in names if lock.st_nlink > 1 else ():
            with suppress(FileNotFoundError):
                if os.path.samestat(lock, os.lstat(os.path.join(self._git_dir, name))):
                    return True
        return False

    def read(self, paths: Collection[bytes]) -> list[Staged]:
        """The entries at these paths or, where a path is a directory in the index, below it.

        Read again only when the index is another file by now: git replaces it, never writes into
        it.
        """
        state = self._state()
        if self._last is None or self._last[0] != (state, frozenset(paths)):
            self._last = (state, frozenset(paths)), self._read(paths)
        return self._last[1]

    def _state(self) -> tuple[int, ...]:
        try:
            state = os.stat(self.path)
        except FileNotFoundError:
            return ()
        return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns

    def _read(self, paths: Collection[bytes]) -> list[Staged]:
        few = len(paths) <= _NAMED_PATHS and sum(map(len, paths)) <= _NAMED_BYTES
        named: list[str | bytes] = ["--", *sorted(paths)] if few else []
        out = self._git.run("ls-files", "-s", "-v", "-z", "--full-name", *named, env=_LITERAL).out
        wanted = set(paths)
        entries = [_staged(record) for record in out.split(b"\0") if record]
        return entries if named else [e for e in entries if is_within(e.path, wanted)]

    def edit(
        self,
        placements: Sequence[Placement],
        existing: Collection[bytes],
        skipped: Collection[bytes],
    ) -> list[bytes]:
        """Let git bring the copy's entries to what is new.

        existing: the paths that have an entry now; skipped: those that keep skip-worktree.
        Gives the paths of entries that git dropped though they are no part of the change: a file
        staged where a directory comes, for instance. Then the copy is of no use.
        """
        before = self._count()
        removals = [b"0 %s\t%s" % (ZERO.encode(), p.path) for p in placements if p.new is None]
        additions = [
            b"%o %s\t%s" % (p.new.mode, p.new.oid.encode(), p.path) for p in placements if p.new
        ]
        # Removals first, for names that differ in nothing but case.
        lines = b"".join(line + b"\0" for line in removals + additions)
        env = {"GIT_INDEX_FILE": self._copy}
        git = self._git.setting("index.sparse=false") if skipped else self._git
        if lines:
            git.run("update-index", "-z", "--index-info", stdin=lines, env=env)
        if skipped:
            self._skip(git, skipped, env)
        self._checkpoint("index-edited")
        # The header's count tells for nothing whether an entry was lost; the names cost a listing.
        if not self._is_split() and self._count() == before - len(existing) + len(additions):
            return []
        lost = self._names(self.path) - self._names(self._copy)
        return sorted(lost - {p.path for p in placements})

    def _skip(self, git: Git, paths: Collection[bytes], env: Mapping[str, str]) -> None:
        """Mark entries skip-worktree. ``git``: one that leaves a sparse index full.

        For git makes an index sparse as it reads it, and none of a directory that holds an entry
        not marked yet; and what it read sparse, it does not make more so as it writes. So all is
        marked in full first, and then written once more.
        """
        was_sparse = self._had_one and _is_sparse(self.path)
        names = b"".join(path + b"\0" for path in sorted(paths))
        for each in (git, self._git) if was_sparse else (git,):
            each.run("update-index", "-z", "--skip-worktree", "--stdin", stdin=names, env=env)

    def _count(self) -> int:
        try:
            with open(self._copy, "rb") as file:
                return int(struct.unpack(">4sLL", file.read(12))[2])
        except FileNotFoundError:
            return 0

    def _is_split(self) -> bool:
        return any(name.startswith("sharedindex.") for name in os.listdir(self._git_dir))

    def _names(self, index: str) -> set[bytes]:
        out = self._git.run("ls-files", "-z", env={"GIT_INDEX_FILE": index}).out
        return set(out.split(b"\0"))

    def publish(self, states: Mapping[bytes, tuple[Entry, os.stat_result]]) -> None:
        """Put the copy in the index's place, with what the file system says of placed files."""
        if not os.path.exists(self._copy):
            return  # no index before, and nothing to put into one
        self._record_states(self._copy, states)
        self._barrier.now_path(self._copy)
        self._checkpoint("index-ready")
        if self._had_one:
            _keep(self.path, self._former)
        self._published = True
        # The lock's name stays ours until `release`; a git that reads meanwhile sees this whole.
        os.rename(self._copy, self.path)
        self._checkpoint("index-published")
        self._barrier.leave_path(self._git_dir)

    def restore(self, states: Mapping[bytes, tuple[Entry, os.stat_result]]) -> None:
        """Put the former index back, if it was replaced."""
        if not self._published:
            return
        if not self._had_one:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
        elif os.path.exists(self._former):
            self._record_states(self._former, states)
            self._barrier.now_path(self._former)
            os.rename(self._former, self.path)
        self._published = False
        self._checkpoint("index-restored")

    def release(self) -> None:
        """Give index.lock back and drop the copies. Can be called again."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), os.lstat(self._lock_path)):
                    os.unlink(self._lock_path)
            self._drop_leftovers()
        finally:
            os.close(lock)  # the flock goes with it, so that a lock that stays is nobody's
        self._checkpoint("index-released")

    def _drop_leftovers(self) -> None:
        ours = (self._name, _LOCK_NAME + self._token)
        for name in os.listdir(self._git_dir):
            if name.startswith(ours):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._git_dir, name))

    def _record_states(
        self, index: str, states: Mapping[bytes, tuple[Entry, os.stat_result]]
    ) -> None:
        if states and not record_states(index, states):
            # A form of index we do not write: git looks at the files itself.
            named = b"".join(path + b"\0" for path in sorted(states))
            command = ("add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul")
            env = _LITERAL | {"GIT_INDEX_FILE": index}
            self._git.run(*command, stdin=named, env=env, accept=(0, 1, 128))
        self._checkpoint("index-states")


def record_states(index: str, states: Mapping[bytes, tuple[Entry, os.stat_result]]) -> bool:
    """Write stat data into entries of an index file of version 2 or 3, as git's checkout would.

    False, and nothing written, when not every entry was found: version 4 shortens names, a split
    index leaves them out.
    """
    with open(index, "r+b") as file:
        content = bytearray(file.read())
        if struct.unpack_from(">4sL", content) not in ((b"DIRC", 2), (b"DIRC", 3)):
            return False
        size = len(next(iter(states.values()))[0].oid) // 2
        at = 12
        for path in sorted(states):
            entry, state = states[path]
            at = _entry_at(content, at, path, entry)
            if at < 0:
                return False
            content[at : at + 40] = _stat_data(entry, state)
        if any(content[-size:]):  # index.skipHash leaves zeros there
            content[-size:] = digest(memoryview(content)[:-size])
        file.seek(0)
        file.write(content)
    return True


def _entry_at(content: bytearray, start: int, path: bytes, entry: Entry) -> int:
    """Where in an index this entry begins; entries are sorted, so ``start`` is the one before.

    An entry: 24 bytes of times and inode, mode, 12 bytes of owner and size, object id, flags
    (with the name's length), name, NUL; padded to 8 bytes.
    """
    name = bytes.fromhex(entry.oid) + struct.pack(">H", min(len(path), 0xFFF)) + path + b"\0"
    at = content.find(name, start) - 40
    aligned = at >= 12 and (at - 12) % 8 == 0
    if not aligned or content[at + 24 : at + 28] != struct.pack(">L", entry.mode):
        return -1
    return at


def _stat_data(entry: Entry, state: os.stat_result) -> bytes:
    second = 1_000_000_000
    fields = (
        *divmod(state.st_ctime_ns, second),
        *divmod(state.st_mtime_ns, second),
        state.st_dev,
        state.st_ino,
        entry.mode,
        state.st_uid,
        state.st_gid,
        # git since 2.43: 0 means "unknown", so a size that is 0 in 32 bits is not told as such.
        0x80000000 if state.st_size and not state.st_size & 0xFFFFFFFF else state.st_size,
    )
    return struct.pack(">10L", *(field & 0xFFFFFFFF for field in fields))


def _staged(record: bytes) -> Staged:
    facts, path = record.split(b"\t", 1)
    tag, mode, oid, stage = facts.decode().split(" ")
    return Staged(path, Entry(int(mode, 8), oid), int(stage), tag)


def is_within(path: bytes, wanted: Collection[bytes]) -> bool:
    while path not in wanted:
        path, slash, _ = path.rpartition(b"/")
        if not slash:
            return False
    return True


def _is_sparse(index: str) -> bool:
    """Whether an index has directories for entries: the extension `sdir` says so."""
    with open(index, "rb") as file:
        return b"sdir\0\0\0\0" in file.read()


def _flock(fd: int) -> bool:
    """True when the lock is ours; False when it is held, or this file system has none."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _waited(ready: Callable[[], bool]) -> bool:
    until = time.monotonic() + LOCK_WAIT_S
    while not ready():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _copy_with_times(source: str, target: str) -> None:
    """Copy an index, and its time with it.

    By that time git knows which entries were written in the tick their file was, and so must be
    compared by content: a younger copy would hide the user's quick edits.
    """
    with open(source, "rb") as old, open(target, "wb") as new:
        while piece := old.read(_PIECE):
            new.write(piece)
        state = os.fstat(old.fileno())
    os.chmod(target, stat.S_IMODE(state.st_mode))
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))


def _keep(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(target)
    try:
        os.link(source, target)
    except OSError:
        _copy_with_times(source, target)
