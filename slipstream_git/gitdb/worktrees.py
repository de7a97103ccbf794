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

Our index.lock is made whole, with a name inside and an flock held on it, by link(2): so a lock
whose owner died is told from a living one without process ids, and cleared by whoever needs it.
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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.placing import (
    Acceptable,
    Checkpoint,
    Content,
    Files,
    Manner,
    Placement,
    Recovering,
    Surprise,
    Trouble,
    fsync,
    leftovers,
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
# Above either, the whole index is read: an argument list has an end, and git compares each entry
# with each path.
_NAMED_PATHS = 50
_NAMED_BYTES = 50_000
_EMPTY_BLOBS = frozenset(
    {
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    }
)
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
    """One worktree.

    branch: a full ref name, None when detached; head: None when unborn.
    """

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
        few = len(paths) <= _NAMED_PATHS and sum(map(len, paths)) <= _NAMED_BYTES
        named: list[str | bytes] = ["--", *sorted(paths)] if few else []
        out = self._git.run("ls-files", "-s", "-v", "-z", "--full-name", *named, env=env).out
        wanted = set(paths)
        entries = [_staged(record) for record in out.split(b"\0") if record]
        return entries if named else [e for e in entries if _is_within(e.path, wanted)]

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
        if lines:
            self._git.run("update-index", "-z", "--index-info", stdin=lines, env=env)
        if skipped:
            names = b"".join(path + b"\0" for path in sorted(skipped))
            command = ("update-index", "-z", "--skip-worktree", "--stdin")
            self._git.run(*command, stdin=names, env=env)
        self._checkpoint("index-edited")
        # The header's count tells for nothing whether an entry was lost; the names cost a listing.
        if not self._is_split() and self._count() == before - len(existing) + len(additions):
            return []
        lost = self._names(self.path) - self._names(self._copy)
        return sorted(lost - {p.path for p in placements})

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
        if self._sync:
            _sync_path(self._copy)
        self._checkpoint("index-ready")
        if self._had_one:
            _keep(self.path, self._former)
        self._published = True
        # The lock's name stays ours until `release`; a git that reads meanwhile sees this whole.
        os.rename(self._copy, self.path)
        self._checkpoint("index-published")
        if self._sync:
            _sync_path(self._git_dir)

    def restore(self, states: Mapping[bytes, tuple[Entry, os.stat_result]]) -> None:
        """Put the former index back, if it was replaced."""
        if not self._published:
            return
        if not self._had_one:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
        elif os.path.exists(self._former):
            self._record_states(self._former, states)
            os.rename(self._former, self.path)
        self._published = False
        self._checkpoint("index-restored")

    def release(self) -> None:
        """Give index.lock back and drop the copies. Can be called again."""
        if self._lock is None:
            return
        self._drop_leftovers()
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._lock), os.lstat(self._lock_path)):
                os.unlink(self._lock_path)
        os.close(self._lock)
        self._lock = None
        self._checkpoint("index-released")

    def _drop_leftovers(self) -> None:
        ours = (self._name, f"slip-lock-{self._token}")
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
            algorithm = hashlib.sha1 if size == 20 else hashlib.sha256
            content[-size:] = algorithm(memoryview(content)[:-size]).digest()
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


def _is_within(path: bytes, wanted: Collection[bytes]) -> bool:
    while path not in wanted:
        path, slash, _ = path.rpartition(b"/")
        if not slash:
            return False
    return True


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
    shutil.copyfile(source, target)
    shutil.copystat(source, target)


def _keep(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(target)
    try:
        os.link(source, target)
    except OSError:
        _copy_with_times(source, target)


def _sync_path(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fsync(fd)
    finally:
        os.close(fd)


# -- the writer ------------------------------------------------------------------------------------


def _nothing_else(_: bytes) -> Collection[Entry | None]:
    return ()


def _no_checkpoint(_: str) -> None:
    pass


class Writer:
    """Places one set of changed paths in one worktree: see the head of this file for the order.

    git: any git of this repository; it is run at the worktree's root.
    content: the bytes that belong in the worktree for an entry, smudged; a symlink's target.
    acceptable: further versions of a path that may be written over because they are kept
        elsewhere (captured); None among them: the path may be absent.
    token: letters and digits; names everything temporary; no other run may use it.
    index: False leaves index entries alone and takes no lock (`slip flush`).
    sync: files, directories and index are on the disk when `place` returns.
    checkpoint: called with a name after every effect, for tests that die there.
    recovering: see `finish` and `retreat`; ``left`` then has the paths left alone, and why.
    """

    def __init__(  # noqa: PLR0913  (each is a separate fact about the run)
        self,
        git: Git,
        worktree: Worktree,
        placements: Iterable[Placement],
        *,
        content: Content,
        token: str,
        acceptable: Acceptable = _nothing_else,
        index: bool = True,
        manner: Manner | None = None,
        sync: bool = True,
        checkpoint: Checkpoint = _no_checkpoint,
        recovering: Recovering = None,
    ) -> None:
        self.worktree = worktree
        self.left: list[Trouble] = []
        self._git = git.at(worktree.root)
        self._placements = sorted(placements, key=lambda p: p.path)
        self._acceptable = acceptable
        self._with_index = index
        self._manner = manner or Manner()
        self._recovering = recovering
        self._index = Index(self._git, worktree.git_dir, token, sync=sync, checkpoint=checkpoint)
        self._files = Files(
            worktree.root,
            self._placements,
            content=content,
            acceptable=acceptable,
            manner=self._manner,
            token=token,
            sync=sync,
            checkpoint=checkpoint,
            recovering=recovering,
        )
        self._staged: dict[bytes, Entry] = {}
        self._skipped: set[bytes] = set()
        self._editing: list[Placement] = list(self._placements)
        self._held = False

    @property
    def vacant(self) -> bool:
        """Nothing is checked out there: bare, missing, or never checked out (`--no-checkout`).

        Then nothing is looked at or placed; what git says of such a worktree stays true.
        """
        worktree = self.worktree
        if worktree.bare or worktree.prunable or not os.path.isdir(worktree.root):
            return True
        return worktree.head is not None and not self._index.exists

    def preflight(self) -> None:
        """Look whether all can be placed; changes nothing.

        Raises `dirty` (something of the user's in the way, or a merge under way), `locked`,
        `unsupported` (assume-unchanged, or skip-worktree with a file), `git-failed` (a directory
        that cannot be written).
        """
        if self.vacant:
            return
        if self._with_index:
            self._index.check_free()
        try:
            self._check(of_copy=False)
        except OSError as fault:
            raise self._failed(fault) from None

    def hold(self) -> None:
        """Take index.lock, look again, and write the new index and files aside.

        After this `place` only renames. Raises what `preflight` does; then nothing is held.
        """
        if self.vacant or self._held:
            return
        self._held = True
        with self._taking_back():
            if self._with_index:
                self._index.lock()
            self._check(of_copy=self._with_index)
            if self._with_index:
                self._edit_index()
            self._files.prepare()

    def place(self) -> None:
        """Move files and index into place.

        Raises `dirty` when something came in the way since, `git-failed` when the system
        refuses; all is as before then, but for ``data["left"]``, if there is one.
        """
        self.hold()
        if not self._held:
            return
        with self._taking_back():
            self._files.place()
            if self._with_index:
                self._index.publish(self._states())

    def roll_back(self) -> tuple[Trouble, ...]:
        """Undo `hold` and `place`; gives the paths that somebody changed since, left alone."""
        if not self._held:
            return ()
        troubles = self._files.roll_back()
        try:
            if self._with_index:
                self._index.restore(self._former_states())
        finally:
            self._index.release()
        self._held = False
        return tuple(troubles)

    def settle(self) -> tuple[Trouble, ...]:
        """The end of a placement that stays: let go of what was set aside, and of the lock.

        Gives the paths whose former file somebody wrote to meanwhile; where it is kept, they say.
        """
        if not self._held:
            return ()
        try:
            troubles = self._files.settle()
        except OSError as fault:
            raise self._failed(fault) from None
        finally:
            self._index.release()
            self._held = False
        return tuple(troubles)

    def recover(self) -> tuple[Trouble, ...]:
        """For a writer that is ``recovering``: clear what a killed run left, then place what can be placed."""
        if self.vacant:
            return ()
        try:
            if self._with_index:
                self._index.lock()
            kept = self._files.recover_leftovers()
        except OSError as fault:
            self._index.release()
            raise self._failed(fault) from None
        except BaseException:
            self._index.release()
            raise
        self.place()
        kept += self.settle()
        return tuple(sorted({*kept, *self._files.left, *self.left}))

    @contextmanager
    def _taking_back(self) -> Iterator[None]:
        try:
            yield
        except Surprise as surprise:
            left = self.roll_back()
            raise self._dirty([surprise.trouble], left) from None
        except OSError as fault:
            left = self.roll_back()
            raise self._failed(fault, left) from None
        except BaseException:
            self.roll_back()
            raise

    # -- looking ---------------------------------------------------------------------------------

    def _check(self, *, of_copy: bool) -> None:
        if not self._recovering:
            self._check_nothing_under_way()
        troubles: list[Trouble] = []
        if self._with_index or self._manner.sparse:
            troubles = self._look_at_index(of_copy=of_copy)
        troubles += self._files.look(absent=self._skipped)
        if troubles:
            raise self._dirty(troubles)

    def _check_nothing_under_way(self) -> None:
        for name, what in _UNDER_WAY:
            if os.path.lexists(os.path.join(self.worktree.git_dir, name)):
                root = self.worktree.root
                raise SlipError(
                    "dirty",
                    f"{what} is under way in {root}",
                    hint="git status",
                    data={"worktree": root, "paths": [], "under_way": name},
                )

    def _look_at_index(self, *, of_copy: bool) -> list[Trouble]:
        by_path: dict[bytes, list[Staged]] = {}
        paths = {p.path for p in self._placements}
        for staged in self._index.read(paths, of_copy=of_copy) if paths else ():
            by_path.setdefault(staged.path, []).append(staged)
        self._staged = {path: s[0].entry for path, s in by_path.items() if path in paths}
        self._skipped = self._skipped_among(by_path)
        if not self._with_index:
            return []
        troubles = []
        self._editing = [p for p in self._placements if not self._is_restored(p.path)]
        for placement in self._editing:
            why = self._why_not_staged(placement, by_path.get(placement.path, ()))
            if why:
                troubles.append(Trouble(placement.path, why))
        troubles += self._staged_below(by_path)
        if self._recovering:
            self._leave(troubles)
            return []
        return troubles

    def _leave(self, troubles: Iterable[Trouble]) -> None:
        self.left += troubles
        left = {t.path for t in troubles}
        self._editing = [p for p in self._editing if p.path not in left]

    def _skipped_among(self, by_path: Mapping[bytes, Sequence[Staged]]) -> set[bytes]:
        """Paths a sparse checkout leaves out. Raises `unsupported` for flags that hide edits."""
        hidden = [p for p, all_of in by_path.items() for s in all_of if s.tag.islower()]
        skipped = {p for p, all_of in by_path.items() for s in all_of if s.tag == "S"}
        hidden += self._files.present(skipped) if skipped else ()
        if hidden and not self._recovering:
            path = min(hidden)
            raise SlipError(
                "unsupported",
                f"{shown(path)} is marked so that git does not look at it, in {self.worktree.root}",
                hint=_command("git update-index --no-assume-unchanged --no-skip-worktree", [path]),
                data={"worktree": self.worktree.root, "path": shown(path)},
            )
        return skipped - set(hidden)

    def _is_restored(self, path: bytes) -> bool:
        """Going back: is what is staged a version the user had?"""
        return self._recovering == "back" and self._staged.get(path) in self._acceptable(path)

    def _why_not_staged(self, placement: Placement, staged: Sequence[Staged]) -> str | None:
        path, old, new = placement
        if any(s.stage for s in staged):
            return "unmerged"
        entry = staged[0].entry if staged else None
        if entry in (old, new) or entry in self._acceptable(path):
            return None
        if entry is None:
            return "removed from the index"
        if old is None and new is not None and entry.oid in _EMPTY_BLOBS:
            return None  # `git add -N`: a place kept, nothing of the user's in it
        return "staged differently"

    def _staged_below(self, by_path: Mapping[bytes, Sequence[Staged]]) -> list[Trouble]:
        going = {p.path for p in self._placements if p.new is None}
        coming = {p.path for p in self._placements if p.new is not None}
        return [
            Trouble(path, "staged where a file comes")
            for path in sorted(by_path)
            if path not in going and path not in coming and _is_within(path, coming)
        ]

    def _edit_index(self) -> None:
        existing = [p.path for p in self._editing if p.path in self._staged]
        skipped = {p.path for p in self._editing if p.new and p.path in self._skipped}
        lost = self._index.edit(self._editing, existing, skipped)
        if lost and self._recovering:
            self._leave([Trouble(p.path, "staged in its way") for p in self._editing])
            self._index.copy_again()
        elif lost:
            raise self._dirty([Trouble(path, "staged where a directory comes") for path in lost])

    def _states(self) -> dict[bytes, tuple[Entry, os.stat_result]]:
        states = self._files.states
        return {
            p.path: (p.new, states[p.path]) for p in self._editing if p.new and p.path in states
        }

    def _former_states(self) -> dict[bytes, tuple[Entry, os.stat_result]]:
        states = self._files.states
        return {
            path: (entry, states[path])
            for path, entry in self._staged.items()
            if path in states and self._files.matched(path) == entry
        }

    # -- saying ----------------------------------------------------------------------------------

    def _dirty(self, troubles: Sequence[Trouble], left: Sequence[Trouble] = ()) -> SlipError:
        listed = sorted(set(troubles))
        named = ", ".join(f"{shown(t.path)} ({t.why})" for t in listed[:_SHOWN_PATHS])
        more = len(listed) - _SHOWN_PATHS
        named += f" and {more} more" if more > 0 else ""
        data: dict[str, object] = {"worktree": self.worktree.root, "paths": _as_json(listed)}
        if left:
            data["left"] = _as_json(left)
        return SlipError(
            "dirty",
            f"in the way in {self.worktree.root}: {named}",
            hint=_command("slip capture", sorted({t.path for t in listed})),
            data=data,
        )

    def _failed(self, fault: OSError, left: Sequence[Trouble] = ()) -> SlipError:
        where = (
            f": {os.fsdecode(fault.filename)}" if isinstance(fault.filename, str | bytes) else ""
        )
        said = fault.strerror or type(fault).__name__
        data: dict[str, object] = {"worktree": self.worktree.root}
        if left:
            data["left"] = _as_json(left)
        message = f"cannot place files in {self.worktree.root}: {said}{where}"
        return SlipError("git-failed", message, data=data)


def _as_json(troubles: Iterable[Trouble]) -> list[dict[str, str]]:
    return [{"path": shown(t.path), "why": t.why} for t in troubles]


def _command(verb: str, paths: Sequence[bytes]) -> str:
    words = [shlex.quote(os.fsdecode(path)) for path in paths]
    before = ["--"] if any(word.startswith("-") for word in words) else []
    return " ".join([verb, *before, *words])


# -- recovery --------------------------------------------------------------------------------------


def finish(  # noqa: PLR0913
    git: Git,
    worktree: Worktree,
    placements: Iterable[Placement],
    *,
    content: Content,
    token: str,
    acceptable: Acceptable = _nothing_else,
    index: bool = True,
    manner: Manner | None = None,
    sync: bool = True,
    checkpoint: Checkpoint = _no_checkpoint,
) -> tuple[Trouble, ...]:
    """Complete a placement whose run died: each path that is as before becomes as landed.

    token: the dead run's. A path that is neither (or not an acceptable version) is the user's by
    now: it is left alone and told. Raises `locked` and `git-failed`; then, too, call it again.
    """
    writer = Writer(
        git, worktree, placements, content=content, token=token, acceptable=acceptable,
        index=index, manner=manner, sync=sync, checkpoint=checkpoint, recovering="forward",
    )  # fmt: skip
    return writer.recover()


def retreat(  # noqa: PLR0913
    git: Git,
    worktree: Worktree,
    placements: Iterable[Placement],
    *,
    content: Content,
    token: str,
    acceptable: Acceptable = _nothing_else,
    index: bool = True,
    manner: Manner | None = None,
    sync: bool = True,
    checkpoint: Checkpoint = _no_checkpoint,
) -> tuple[Trouble, ...]:
    """Take back a placement whose run died before the branch moved; otherwise as `finish`.

    ``placements`` are those that were to be made, not turned round.
    """
    turned = [Placement(path, new, old) for path, old, new in placements]
    writer = Writer(
        git, worktree, turned, content=content, token=token, acceptable=acceptable,
        index=index, manner=manner, sync=sync, checkpoint=checkpoint, recovering="back",
    )  # fmt: skip
    return writer.recover()


# -- intents ---------------------------------------------------------------------------------------

_INTENT_FORMAT = 1


class Place(NamedTuple):
    """A worktree, as far as recovery needs it."""

    root: str
    git_dir: str


class SessionMove(NamedTuple):
    """A further ref of the transaction; None: absent."""

    ref: str
    old: str | None
    new: str | None


class Intent(NamedTuple):
    """A landing (or flush: ``branch`` and ``new_commit`` None) under way.

    id: also the token of its writers. at_s: whole seconds since 1970.
    """

    id: str
    pid: int
    at_s: int
    worktrees: tuple[Place, ...]
    placements: tuple[Placement, ...]
    branch: str | None = None
    old_head: str | None = None
    new_commit: str | None = None
    sessions: tuple[SessionMove, ...] = ()
    with_index: bool = True


def write_intent(common_dir: str, intent: Intent) -> str:
    """Put an intent on the disk; when this returns it survives a power cut. Gives its path."""
    directory = _intents(common_dir)
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"{intent.id}.json")
    fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        write_all(fd, json.dumps(_encoded(intent), separators=(",", ":")).encode())
        fsync(fd)
    finally:
        os.close(fd)
    os.rename(f"{path}.new", path)
    for parent in (directory, os.path.dirname(directory), common_dir):
        _sync_path(parent)
    return path


def drop_intent(path: str) -> None:
    """Forget an intent, on the disk too. No error when it is gone."""
    for name in (path, f"{path}.new"):
        with suppress(FileNotFoundError):
            os.unlink(name)
    with suppress(FileNotFoundError):
        _sync_path(os.path.dirname(path))


def pending_intents(common_dir: str) -> tuple[Intent, ...]:
    """All intents, by id. Only who holds the repository's slip lock knows their owners dead.

    Raises `unsupported` for one that a newer slip wrote.
    """
    directory = _intents(common_dir)
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return ()
    intents = []
    for name in names:
        if name.endswith(".json"):
            with suppress(FileNotFoundError), open(os.path.join(directory, name), "rb") as file:
                intents.append(_decoded(file.read(), name))
    return tuple(intents)


def intent_path(common_dir: str, intent_id: str) -> str:
    return os.path.join(_intents(common_dir), f"{intent_id}.json")


def _intents(common_dir: str) -> str:
    return os.path.join(common_dir, "slip", "intents")


def _encoded(intent: Intent) -> dict[str, Any]:
    return intent._asdict() | {
        "format": _INTENT_FORMAT,
        "placements": [
            [b64encode(path).decode(), old, new] for path, old, new in intent.placements
        ],
    }


def _decoded(text: bytes, name: str) -> Intent:
    said = json.loads(text)
    if said.pop("format") != _INTENT_FORMAT:
        raise SlipError("unsupported", f"{name}: the intent of a landing by a newer slip")
    return Intent(
        **said
        | {
            "worktrees": tuple(Place(*place) for place in said["worktrees"]),
            "sessions": tuple(SessionMove(*move) for move in said["sessions"]),
            "placements": tuple(
                Placement(b64decode(path), _entry(old), _entry(new))
                for path, old, new in said["placements"]
            ),
        }
    )


def _entry(said: list[Any] | None) -> Entry | None:
    return Entry(*said) if said else None
