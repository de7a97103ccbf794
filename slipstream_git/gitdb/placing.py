"""Puts a few files of one worktree in place, and never a byte of the user's out of it.

git's own checkout overwrites ignored files, truncates in place, and left files absent or empty at
5 of 30 kill points; libgit2's follows symlinks out of the worktree. So this is done by hand:

- every directory is reached by a walk of descriptors that follows no symlink, begun anew in each
  phase, so that a parent swapped for a symlink in between is noticed and nothing goes through it;
- whatever stands at a path must be one of the versions the caller knows, or it is *in the way*;
- new content is written beside its target first (``.slip-tmp-<token>-n<number>``), so that a full
  disk shows before anything moved; a new name is made with link(2), which never overwrites;
- what is replaced or removed is set aside as ``.slip-tmp-<token>-o<number>`` until `Files.settle`:
  that makes taking back exact and free of disk space, and what a program still writes into
  the old file through an open descriptor is noticed instead of lost.

No git and no index here: content comes from the caller as the bytes that belong in the worktree.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Literal, NamedTuple, Self

from slipstream_git.model import EXECUTABLE, GITLINK, SYMLINK, Entry

Content = Callable[[bytes, Entry], bytes]
Acceptable = Callable[[bytes], "Collection[Entry | None]"]
Checkpoint = Callable[[str], None]
Recovering = Literal["forward", "back"] | None

TEMPORARY: Final = b".slip-tmp-"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# File systems without hard links say one of these.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
# What open(2) with O_DIRECTORY and O_NOFOLLOW says to a symlink or a file, by system.
_NO_DIRECTORY = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EMLINK})

# A file changed twice within one tick of the clock has the same times: a signature this much
# younger than the file system's own now proves nothing (4 ms on Linux before 6.13, 2 s on FAT).
_TICK_NS = 2_000_000_000
_OPEN_AT_ONCE = 64
_PIECE = 1 << 20


class Placement(NamedTuple):
    """What one path has on the branch now (``old``) and what lands there (``new``)."""

    path: bytes
    old: Entry | None
    new: Entry | None


class Trouble(NamedTuple):
    """A path that keeps a placement from being made, and why, in a few words."""

    path: bytes
    why: str


class Manner(NamedTuple):
    """How this worktree holds files: core.fileMode, core.symlinks and their kin."""

    file_mode: bool = True
    symlinks: bool = True
    ignore_case: bool = False
    sparse: bool = False


class Leaf(NamedTuple):
    """What stands at a path; ``signature`` changes whenever somebody writes there."""

    kind: str
    signature: tuple[int, ...] = ()
    executable: bool = False
    size: int = 0


ABSENT: Final = Leaf("absent")


class Surprise(Exception):
    """Something came in the way after the preflight."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.why)
        self.trouble = trouble


class _Blocked(Exception):
    """A parent directory is a symlink or a file; ``path`` says which."""

    def __init__(self, path: bytes) -> None:
        super().__init__(path)
        self.path = path


class _Wanted(NamedTuple):
    """A placement as the file system sees it: gitlinks are directories, which are left alone."""

    number: int
    path: bytes
    directory: tuple[bytes, ...]
    name: bytes
    old: Entry | None
    new: Entry | None
    submodule: bool  # a gitlink appears: an empty directory, as git makes it


class _Found(NamedTuple):
    leaf: Leaf
    entry: Entry | None = None  # the version it equals
    is_new: bool = False
    case_only: bool = False  # the file seen here is one that goes, under another case


class _Done(NamedTuple):
    """One effect, with what it takes to undo it."""

    kind: str  # removed, created, replaced, made, cleared
    wanted: _Wanted
    directory: tuple[bytes, ...]  # where the set-aside lies; or the directory made or cleared
    identity: tuple[int, ...] = ()  # of what we placed
    aside: tuple[int, ...] = ()  # of what was set aside


class Walk:
    """A cursor over the directories under ``root`` that follows no symlink below it.

    It holds descriptors for one path's parents at a time (macOS gives a process 256), so visits
    in sorted order are cheap. `forget` drops them: the next visit looks at the names again.
    """

    def __init__(self, root: str) -> None:
        self._root = os.open(root, _DIRECTORY)
        self._parts: list[bytes] = []
        self._fds: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()
        os.close(self._root)

    def forget(self) -> None:
        self._keep(0)

    def enter(self, directory: Sequence[bytes]) -> int:
        """A descriptor of that directory, valid until the next call.

        Raises FileNotFoundError, or `_Blocked` where a component is no directory.
        """
        same = 0
        for ours, theirs in zip(self._parts, directory, strict=False):
            if ours != theirs:
                break
            same += 1
        self._keep(same)
        for part in directory[same:]:
            self._push(part)
        return self._here

    def nearest(self, directory: Sequence[bytes]) -> tuple[int, tuple[bytes, ...]]:
        """The deepest directory on the way there that exists, and its parts."""
        for depth in range(len(directory), 0, -1):
            with suppress(FileNotFoundError, _Blocked):
                return self.enter(directory[:depth]), tuple(directory[:depth])
        return self.enter(()), ()

    def make(self, directory: Sequence[bytes]) -> tuple[int, list[tuple[bytes, ...]]]:
        """Like `enter`, but makes what is missing; also gives the directories it made."""
        made = []
        _, there = self.nearest(directory)
        for depth in range(len(there), len(directory)):
            parent = self.enter(directory[:depth])
            try:
                os.mkdir(directory[depth], 0o777, dir_fd=parent)
                made.append(tuple(directory[: depth + 1]))
            except FileExistsError:
                pass  # `enter` finds out what it is
        return self.enter(directory), made

    @property
    def _here(self) -> int:
        return self._fds[-1] if self._fds else self._root

    def _push(self, part: bytes) -> None:
        try:
            fd = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._here)
        except OSError as fault:
            if fault.errno in _NO_DIRECTORY:
                raise _Blocked(b"/".join([*self._parts, part])) from None
            raise
        self._fds.append(fd)
        self._parts.append(part)

    def _keep(self, depth: int) -> None:
        while len(self._fds) > depth:
            os.close(self._fds.pop())
            self._parts.pop()


class Files:
    """The files of one set of placements in one worktree, from `look` to `settle`.

    token: letters and digits, names this run's temporary files; one that no other run uses.
    recovering: a path with trouble is left alone and told in ``left``; going back, an acceptable
        version is what the user had, and stays.
    """

    def __init__(  # noqa: PLR0913  (each is a separate fact about the run)
        self,
        root: str,
        placements: Iterable[Placement],
        *,
        content: Content,
        acceptable: Acceptable,
        manner: Manner,
        token: str,
        sync: bool,
        checkpoint: Checkpoint,
        recovering: Recovering = None,
    ) -> None:
        if not re.fullmatch(r"[0-9A-Za-z]+", token):
            raise ValueError(f"a token is letters and digits, not {token!r}")
        self.root = root
        self.left: list[Trouble] = []
        self.states: dict[bytes, os.stat_result] = {}
        self._content = content
        self._acceptable = acceptable
        self._manner = manner
        self._token = token.encode()
        self._sync = sync
        self._checkpoint = checkpoint
        self._recovering = recovering
        self._wanted = wanted_files(placements)
        self._all = tuple(self._wanted)
        self._gone = {w.path for w in self._wanted if w.new is None}
        self._coming = {w.path for w in self._wanted if w.new is not None}
        self._by_fold = {_folded(p): p for p in self._gone} if manner.ignore_case else {}
        self._found: dict[bytes, _Found] = {}
        self._inodes: dict[bytes, tuple[int, ...]] = {}
        self._temporaries: dict[bytes, tuple[bytes, ...]] = {}
        self._done: list[_Done] = []
        self._now_ns = (
            0  # by the file system's clock; 0: not asked yet, so every look is a full one
        )

    # -- looking ---------------------------------------------------------------------------------

    def look(self, absent: Collection[bytes] = ()) -> list[Trouble]:
        """Everything that stands in the way; nothing is changed.

        absent: paths that a sparse checkout leaves out; they are not placed.
        Raises PermissionError where a directory to be changed may not be written.
        """
        troubles = []
        self._wanted = [w for w in self._wanted if w.path not in absent]
        with Walk(self.root) as walk:
            # What goes is looked at first: a file seen under another case is known by its inode.
            for wanted in sorted(self._wanted, key=lambda w: w.new is not None):
                trouble = self._look_at(walk, wanted)
                if trouble:
                    troubles.append(trouble)
                elif self._moves(wanted):
                    self._check_writable(walk, wanted)
        if self._recovering:
            self._leave(troubles)
            return []
        return sorted(troubles)

    def present(self, paths: Iterable[bytes]) -> set[bytes]:
        """Those of the paths where anything stands."""
        there = set()
        with Walk(self.root) as walk:
            for path in sorted(paths):
                *directory, name = path.split(b"/")
                with suppress(FileNotFoundError, _Blocked):
                    if leaf_at(walk.enter(directory), name).kind != "absent":
                        there.add(path)
        return there

    def matched(self, path: bytes) -> Entry | None:
        """The version that the file at a path was equal to when it was last looked at."""
        found = self._found.get(path)
        return found.entry if found else None

    def _leave(self, troubles: Iterable[Trouble]) -> None:
        for trouble in troubles:
            self.left.append(trouble)
            self._wanted = [w for w in self._wanted if w.path != trouble.path]
            self._gone.discard(trouble.path)

    def _look_at(self, walk: Walk, wanted: _Wanted) -> Trouble | None:
        try:
            fd = walk.enter(wanted.directory)
        except FileNotFoundError:
            fd, leaf = -1, ABSENT
        except _Blocked as blocked:
            # What goes, or has come already, in a parent's place; it is judged by itself.
            if blocked.path not in (self._coming if wanted.new is None else self._gone):
                return Trouble(wanted.path, f"{shown(blocked.path)} is not a directory")
            fd, leaf = -1, ABSENT
        else:
            leaf = leaf_at(fd, wanted.name)
        seen = self._found.get(wanted.path)
        if seen and seen.leaf == leaf and self._proves(leaf):
            return None
        why = self._judge(fd, wanted, leaf)
        return Trouble(wanted.path, why) if why else None

    def _proves(self, leaf: Leaf) -> bool:
        """Does this signature, seen before, say that nobody wrote since?"""
        if leaf.kind == "absent":
            return True
        return leaf.kind != "directory" and leaf.signature[-1] < self._now_ns - _TICK_NS

    def _judge(self, fd: int, wanted: _Wanted, leaf: Leaf) -> str | None:
        """Why this leaf is in the way; when it is not, remembers it as found."""
        found = _Found(leaf)
        if leaf.kind == "absent":
            why = self._why_not_absent(wanted)
        elif leaf.kind == "directory":
            why = self._why_not_directory(fd, wanted)
        elif leaf.kind == "other":
            why = "not a regular file"
        elif self._is_going_by_another_name(wanted, leaf):
            why, found = None, _Found(leaf, case_only=True)
        else:
            why, found = self._why_not_file(fd, wanted, leaf)
        if why is None:
            self._found[wanted.path] = found
            self._inodes[wanted.path] = leaf.signature[:2]
        return why

    def _why_not_absent(self, wanted: _Wanted) -> str | None:
        if wanted.old is None or wanted.new is None or None in self._acceptable(wanted.path):
            return None
        return "deleted"

    def _why_not_directory(self, fd: int, wanted: _Wanted) -> str | None:
        if wanted.new is None:
            return None  # what was to go is gone; the directory is the user's
        stranger = self._stranger(fd, wanted.name, wanted.path)
        return f"a directory that holds {shown(stranger)}" if stranger else None

    def _stranger(self, fd: int, name: bytes, path: bytes) -> bytes | None:
        """The first thing in a directory, at any depth, that does not go with this change."""
        inner = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        try:
            with os.scandir(inner) as items:
                listed = sorted((os.fsencode(i.name), i) for i in items)
            for item_name, item in listed:
                below = path + b"/" + item_name
                if item.is_dir(follow_symlinks=False):
                    stranger = self._stranger(inner, item_name, below)
                    if stranger:
                        return stranger
                elif below not in self._gone and not item_name.startswith(self._prefix):
                    return below
        finally:
            os.close(inner)
        return None

    def _is_going_by_another_name(self, wanted: _Wanted, leaf: Leaf) -> bool:
        other = self._by_fold.get(_folded(wanted.path))
        return (
            other is not None
            and other != wanted.path
            and self._inodes.get(other) == leaf.signature[:2]
        )

    def _why_not_file(self, fd: int, wanted: _Wanted, leaf: Leaf) -> tuple[str | None, _Found]:
        if wanted.submodule and wanted.old is None:
            return "a file where a submodule shall be", _Found(leaf)
        reading = _Reading(fd, wanted.name, leaf)
        for entry in (wanted.old, wanted.new):
            if entry is not None and self._equal(reading, wanted.path, entry):
                return None, _Found(leaf, entry, entry == wanted.new)
        for entry in self._acceptable(wanted.path):
            if entry is not None and entry.mode != GITLINK:  # noqa: SIM102  (two questions)
                if self._equal(reading, wanted.path, entry):
                    return None, _Found(leaf, entry, self._recovering == "back")
        if reading.fault:
            return f"cannot be read: {reading.fault}", _Found(leaf)
        return ("not tracked" if wanted.old is None else "changed"), _Found(leaf)

    def _equal(self, reading: _Reading, path: bytes, entry: Entry) -> bool:
        """Is what stands there this entry, as git would have checked it out?"""
        leaf = reading.leaf
        if self._is_link(entry):
            return leaf.kind == "symlink" and reading.target() == self._content(path, entry)
        if leaf.kind != "file":
            return False
        if self._manner.file_mode and leaf.executable != (entry.mode == EXECUTABLE):
            return False
        return reading.equals(self._content(path, entry))

    def _is_link(self, entry: Entry) -> bool:
        return entry.mode == SYMLINK and self._manner.symlinks

    def _moves(self, wanted: _Wanted) -> bool:
        """Will placing this path change the directory it is in?"""
        found = self._found[wanted.path]
        if wanted.new is None and not wanted.submodule:
            return found.leaf.kind in ("file", "symlink") and not found.is_new
        return not found.is_new

    def _check_writable(self, walk: Walk, wanted: _Wanted) -> None:
        fd, there = walk.nearest(wanted.directory)
        effective = os.access in os.supports_effective_ids
        if not os.access(b".", os.W_OK | os.X_OK, dir_fd=fd, effective_ids=effective):
            where = shown(b"/".join(there) or b".")
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), where)

    # -- preparing -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Write all new content beside its targets, and to the disk. Raises OSError."""
        waiting: list[int] = []
        try:
            with Walk(self.root) as walk:
                for wanted in self._wanted:
                    if wanted.new is not None and self._moves(wanted):
                        self._prepare_one(walk, wanted, wanted.new, waiting)
                self._flush(waiting)
        finally:
            for fd in waiting:
                os.close(fd)
        self._checkpoint("temporaries-written")

    def _prepare_one(self, walk: Walk, wanted: _Wanted, entry: Entry, waiting: list[int]) -> None:
        fd, there = self._shelter(walk, wanted)
        name = self._temporary("n", wanted)
        data = self._content(wanted.path, entry)
        self._temporaries[wanted.path] = there
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=fd)  # of an earlier run under this token
        if self._is_link(entry):
            os.symlink(data, name, dir_fd=fd)
        else:
            # The umask takes its part, as it does when git checks out.
            mode = 0o777 if entry.mode == EXECUTABLE else 0o666
            out = os.open(name, _CREATE, mode, dir_fd=fd)
            waiting.append(out)
            self._checkpoint("temporary-created")
            self._now_ns = os.fstat(out).st_ctime_ns
            write_all(out, data)
            if len(waiting) >= _OPEN_AT_ONCE:
                self._flush(waiting)
        self._checkpoint("temporary")

    def _flush(self, waiting: list[int]) -> None:
        # All are written before the first fsync: one commit of the disk's journal serves them all.
        for fd in waiting if self._sync else ():
            fsync(fd)
        while waiting:
            os.close(waiting.pop())

    def _shelter(self, walk: Walk, wanted: _Wanted) -> tuple[int, tuple[bytes, ...]]:
        """The nearest directory that is there now and will be there afterwards."""
        directory = wanted.directory
        for depth in range(1, len(directory) + 1):
            if b"/".join(directory[:depth]) in self._coming:
                directory = directory[: depth - 1]
                break
        return walk.nearest(directory)

    def _temporary(self, kind: str, wanted: _Wanted) -> bytes:
        return self._prefix + f"{kind}{wanted.number}".encode()

    @property
    def _prefix(self) -> bytes:
        return TEMPORARY + self._token + b"-"

    # -- placing ---------------------------------------------------------------------------------

    def place(self) -> None:
        """Bring the files to their new state: removals first, which make room.

        Raises `Surprise` or OSError half way; the caller then calls `roll_back`.
        """
        with Walk(self.root) as walk:
            for effect in (self._remove, self._put):
                for wanted in tuple(self._wanted):
                    try:
                        effect(walk, wanted)
                    except Surprise as surprise:
                        if not self._recovering:
                            raise
                        self._leave([Trouble(wanted.path, surprise.trouble.why)])
                walk.forget()
            self._note_states(walk)
            self._sync_directories(walk, self._done)
        self._checkpoint("files-placed")

    def _look_again(self, walk: Walk, wanted: _Wanted) -> _Found:
        trouble = self._look_at(walk, wanted)
        if trouble:
            raise Surprise(trouble)
        return self._found[wanted.path]

    def _remove(self, walk: Walk, wanted: _Wanted) -> None:
        if wanted.new is not None:
            return
        leaf = self._look_again(walk, wanted).leaf
        if self._found[wanted.path].is_new or leaf.kind not in ("file", "symlink"):
            return
        _, shelter = self._shelter(walk, wanted)
        self._done.append(_Done("removed", wanted, shelter, aside=_identity(leaf)))
        self._set_aside(walk, wanted, shelter, leaf, move=True)
        self._checkpoint("removed")

    def _put(self, walk: Walk, wanted: _Wanted) -> None:
        if wanted.new is None:
            if wanted.submodule:
                self._make(walk, wanted, (*wanted.directory, wanted.name))
            return
        found = self._look_again(walk, wanted)
        if found.is_new:
            return
        if wanted.path not in self._temporaries:
            # It was as it shall be when we looked, and is a known older version now.
            raise Surprise(Trouble(wanted.path, "changed just now"))
        if found.leaf.kind == "directory":
            self._clear(walk, wanted, (*wanted.directory, wanted.name))
        if found.leaf.kind in ("file", "symlink"):
            self._replace(walk, wanted, found.leaf)
        else:
            self._create(walk, wanted)

    def _replace(self, walk: Walk, wanted: _Wanted, leaf: Leaf) -> None:
        here = wanted.directory
        fd, temporary = walk.enter(here), self._temporary("n", wanted)
        with self._beside(fd, here, self._temporaries[wanted.path]) as source:
            ours = _identity(leaf_at(source, temporary))
            self._done.append(_Done("replaced", wanted, here, ours, _identity(leaf)))
            self._set_aside(walk, wanted, here, leaf, move=False)
            self._checkpoint("set-aside")
            # Between this look and the rename lies one system call: the whole time in which a
            # file that an editor moves here would be lost. Only an exchanging rename has none.
            if _identity(leaf_at(fd, wanted.name)) not in ((), _identity(leaf)):
                raise Surprise(Trouble(wanted.path, "changed just now"))
            os.rename(temporary, wanted.name, src_dir_fd=source, dst_dir_fd=fd)
        self._checkpoint("replaced")
        # Whoever held the old file open and wrote into it after our look, wrote into what is set
        # aside: taking back puts that very file back.
        if _identity(leaf_at(fd, self._temporary("o", wanted))) != _identity(leaf):
            raise Surprise(Trouble(wanted.path, "changed just now"))

    def _create(self, walk: Walk, wanted: _Wanted) -> None:
        try:
            fd, made = walk.make(wanted.directory)
        except _Blocked as blocked:
            why = f"{shown(blocked.path)} is not a directory"
            raise Surprise(Trouble(wanted.path, why)) from None
        for directory in made:
            self._done.append(_Done("made", wanted, directory))
            self._checkpoint("directory-made")
        temporary = self._temporary("n", wanted)
        with self._beside(fd, wanted.directory, self._temporaries[wanted.path]) as source:
            ours = _identity(leaf_at(source, temporary))
            self._done.append(_Done("created", wanted, (), ours))
            try:
                appear(source, temporary, fd, wanted.name)
            except FileExistsError:
                self._done.pop()
                raise Surprise(Trouble(wanted.path, "appeared just now")) from None
            self._checkpoint("created")
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=source)

    @contextmanager
    def _beside(self, fd: int, here: tuple[bytes, ...], there: tuple[bytes, ...]) -> Iterator[int]:
        """A descriptor of another directory, for calls that need two at once."""
        if here == there:
            yield fd
            return
        with Walk(self.root) as other:
            try:
                second = other.enter(there)
            except (FileNotFoundError, _Blocked):
                raise Surprise(Trouble(b"/".join(there), "moved away just now")) from None
            yield second

    def _set_aside(
        self, walk: Walk, wanted: _Wanted, shelter: tuple[bytes, ...], leaf: Leaf, *, move: bool
    ) -> None:
        """Give what stands at a path its second name, or move it there (``move``).

        Where the file system has no hard links it is moved in both cases, and for a moment there
        is nothing at the path; recovery knows that state by the name set aside.
        """
        fd, aside = walk.enter(wanted.directory), self._temporary("o", wanted)
        with self._beside(fd, wanted.directory, shelter) as other:
            if not move and linked(fd, wanted.name, other, aside):
                return
            os.rename(wanted.name, aside, src_dir_fd=fd, dst_dir_fd=other)
            # A rename takes whatever is there by then. What we have not looked at goes back.
            if _identity(leaf_at(other, aside)) != _identity(leaf):
                why = put_back(other, aside, fd, wanted.name) or "changed just now"
                raise Surprise(Trouble(wanted.path, why))

    def _clear(self, walk: Walk, wanted: _Wanted, directory: tuple[bytes, ...]) -> None:
        """Remove a tree of empty directories; a file that came into it is a surprise."""
        with os.scandir(walk.enter(directory)) as items:
            names = sorted(os.fsencode(item.name) for item in items)
        for name in names:
            if leaf_at(walk.enter(directory), name).kind != "directory":
                raise Surprise(Trouble(b"/".join([*directory, name]), "appeared just now"))
            self._clear(walk, wanted, (*directory, name))
        try:
            os.rmdir(directory[-1], dir_fd=walk.enter(directory[:-1]))
        except OSError as fault:
            if fault.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise Surprise(Trouble(b"/".join(directory), "filled just now")) from None
            raise
        self._done.append(_Done("cleared", wanted, directory))
        self._checkpoint("directory-cleared")

    def _make(self, walk: Walk, wanted: _Wanted, directory: tuple[bytes, ...]) -> None:
        for made in walk.make(directory)[1]:
            self._done.append(_Done("made", wanted, made))
            self._checkpoint("directory-made")

    def _note_states(self, walk: Walk) -> None:
        """What an index records of each placed file, unless somebody wrote to it since."""
        placed = {d.wanted.path: d.identity for d in self._done if d.identity}
        for wanted in self._wanted:
            if wanted.new is None:
                continue
            found = self._found[wanted.path]
            expected = placed.get(wanted.path) or _identity(found.leaf)
            with suppress(FileNotFoundError, _Blocked):
                fd = walk.enter(wanted.directory)
                state = os.stat(wanted.name, dir_fd=fd, follow_symlinks=False)
                if _identity(_leaf(state)) == expected:
                    self.states[wanted.path] = state

    def _sync_directories(self, walk: Walk, effects: Collection[_Done]) -> None:
        if not self._sync:
            return
        changed = {d.directory for d in effects} | {d.wanted.directory for d in effects}
        changed |= {d.directory[:-1] for d in effects}
        for directory in sorted(changed):
            with suppress(FileNotFoundError, _Blocked):
                fsync(walk.enter(directory))

    # -- the end, one way or the other -----------------------------------------------------------

    def roll_back(self) -> list[Trouble]:
        """Undo every effect so far, last first; never touches what somebody changed since.

        Gives the paths that could not be taken back: what stands there is somebody's newer
        work, or the system refused. Can be called again.
        """
        troubles = []
        undone = tuple(self._done)
        with Walk(self.root) as walk:
            while self._done:
                done = self._done[-1]
                walk.forget()
                try:
                    why = self._undo(walk, done)
                except Surprise as surprise:
                    why = surprise.trouble.why
                except _Blocked as blocked:
                    why = f"{shown(blocked.path)} is not a directory"
                except FileNotFoundError:
                    why = "moved away"
                except OSError as fault:
                    why = str(fault.strerror)
                if why:
                    troubles.append(Trouble(done.wanted.path, why))
                self._done.pop()
                self._checkpoint("undone")
            self._drop_temporaries(walk)
            self.states.clear()
            self._note_restored(walk)
            self._sync_directories(walk, undone)
        return troubles

    def _undo(self, walk: Walk, done: _Done) -> str | None:
        if done.kind == "made":
            with suppress(OSError):  # somebody's file is in it by now
                os.rmdir(done.directory[-1], dir_fd=walk.enter(done.directory[:-1]))
            return None
        if done.kind == "cleared":
            walk.make(done.directory)
            return None
        if done.kind == "created":
            return self._undo_created(walk, done)
        return self._undo_with_aside(walk, done)

    def _undo_created(self, walk: Walk, done: _Done) -> str | None:
        wanted = done.wanted
        fd = walk.enter(wanted.directory)
        leaf = leaf_at(fd, wanted.name)
        if leaf.kind == "absent":
            return None
        if _identity(leaf) != done.identity:
            return "changed since it was placed"
        return unlink_known(fd, wanted.name, done.identity, self._temporary("n", wanted))

    def _undo_with_aside(self, walk: Walk, done: _Done) -> str | None:
        wanted, aside = done.wanted, self._temporary("o", done.wanted)
        fd, _ = walk.make(wanted.directory)
        with self._beside(fd, wanted.directory, done.directory) as other:
            kept, leaf = leaf_at(other, aside), leaf_at(fd, wanted.name)
            if kept.kind == "absent":
                return None  # the effect had not happened yet
            if leaf.kind == "absent":
                return put_back(other, aside, fd, wanted.name)
            if done.identity and _identity(leaf) == done.identity:
                os.rename(aside, wanted.name, src_dir_fd=other, dst_dir_fd=fd)
                return None
            is_same = leaf.signature[:2] == kept.signature[:2]
            if is_same or _identity(kept) == done.aside:
                os.unlink(aside, dir_fd=other)
                return None if is_same else "changed since it was placed"
            return f"changed twice; the other version is {shown(aside)}"

    def _note_restored(self, walk: Walk) -> None:
        for path, found in self._found.items():
            *directory, name = path.split(b"/")
            with suppress(FileNotFoundError, _Blocked):
                state = os.stat(name, dir_fd=walk.enter(directory), follow_symlinks=False)
                if _identity(_leaf(state)) == _identity(found.leaf):
                    self.states[path] = state

    def _drop_temporaries(self, walk: Walk) -> None:
        for wanted in self._all:
            at = self._temporaries.pop(wanted.path, None)
            if at is not None:
                with suppress(OSError, _Blocked):
                    os.unlink(self._temporary("n", wanted), dir_fd=walk.enter(at))

    def settle(self) -> list[Trouble]:
        """Let go of what was set aside, and of directories that became empty.

        Gives the paths whose old file somebody wrote to meanwhile: it is kept where it was set
        aside.
        """
        troubles = []
        with Walk(self.root) as walk:
            self._drop_temporaries(walk)
            for done in self._done:
                if done.kind in ("removed", "replaced"):
                    trouble = self._let_go(walk, done)
                    if trouble:
                        troubles.append(trouble)
            walk.forget()
            for wanted in reversed(self._wanted):
                if wanted.new is None:
                    self._remove_emptied(walk, wanted.directory)
        self._done.clear()
        return troubles

    def _let_go(self, walk: Walk, done: _Done) -> Trouble | None:
        aside = self._temporary("o", done.wanted)
        try:
            fd = walk.enter(done.directory)
        except (FileNotFoundError, _Blocked):
            return None
        leaf = leaf_at(fd, aside)
        if leaf.kind == "absent":
            return None
        if _identity(leaf) != done.aside:
            return Trouble(done.wanted.path, f"written to meanwhile; kept as {shown(aside)}")
        os.unlink(aside, dir_fd=fd)
        self._checkpoint("let-go")
        return None

    def _remove_emptied(self, walk: Walk, directory: tuple[bytes, ...]) -> None:
        for depth in range(len(directory), 0, -1):
            try:
                fd = walk.enter(directory[: depth - 1])
                os.rmdir(directory[depth - 1], dir_fd=fd)
            except (_Blocked, FileNotFoundError):
                continue
            except OSError:
                return  # not empty, or not ours to remove: git leaves it too
            self._checkpoint("directory-removed")

    # -- recovery --------------------------------------------------------------------------------

    def recover_leftovers(self) -> list[Trouble]:
        """Deal with the temporary files a killed run left; idempotent.

        Going back, the placements are those of the killed run turned round. What was set aside is
        put back where nothing stands at its path, and when going back also over what that run
        placed; known content is let go; anything else is kept and told.
        """
        troubles = []
        by_number = {w.number: w for w in self._all}
        pattern = re.compile(re.escape(self._prefix) + rb"([no])([0-9]+)")
        with Walk(self.root) as walk:
            for directory in self._ancestors():
                for name in self._names_in(walk, directory):
                    match = pattern.fullmatch(name)
                    wanted = by_number.get(int(match[2])) if match else None
                    if match is None or wanted is None:
                        continue
                    if match[1] == b"n":
                        with suppress(FileNotFoundError):
                            os.unlink(name, dir_fd=walk.enter(directory))
                    else:
                        why = self._recover_aside(walk, directory, name, wanted)
                        if why:
                            troubles.append(Trouble(wanted.path, why))
                    walk.forget()
                    self._checkpoint("leftover")
        return troubles

    def _ancestors(self) -> list[tuple[bytes, ...]]:
        return sorted({w.directory[:n] for w in self._all for n in range(len(w.directory) + 1)})

    @staticmethod
    def _names_in(walk: Walk, directory: tuple[bytes, ...]) -> list[bytes]:
        try:
            with os.scandir(walk.enter(directory)) as items:
                return sorted(os.fsencode(i.name) for i in items)
        except (FileNotFoundError, _Blocked):
            return []

    def _recover_aside(
        self, walk: Walk, directory: tuple[bytes, ...], name: bytes, wanted: _Wanted
    ) -> str | None:
        is_back = self._recovering == "back"
        with self._beside(-1, (b"",), directory) as kept_at:
            kept = leaf_at(kept_at, name)
            known = self._is_known(kept_at, name, wanted, kept)
            current, fd = self._current(walk, wanted)
            was_removed = not is_back and wanted.new is None and known
            if current.kind == "absent" and not was_removed:
                fd, _ = walk.make(wanted.directory)
                return put_back(kept_at, name, fd, wanted.name)
            if is_back and self._is_what_we_placed(fd, wanted, current):
                os.rename(name, wanted.name, src_dir_fd=kept_at, dst_dir_fd=fd)
            elif not known and current.signature[:2] != kept.signature[:2]:
                return f"written to meanwhile; kept as {shown(name)}"
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=kept_at)
            return None

    @staticmethod
    def _current(walk: Walk, wanted: _Wanted) -> tuple[Leaf, int]:
        try:
            fd = walk.enter(wanted.directory)
        except FileNotFoundError:
            return ABSENT, -1
        except _Blocked:
            # A file where the parent was: what is known is placed anew if that goes.
            return Leaf("blocked"), -1
        return leaf_at(fd, wanted.name), fd

    def _is_known(self, fd: int, name: bytes, wanted: _Wanted, leaf: Leaf) -> bool:
        reading = _Reading(fd, name, leaf)
        entries = (wanted.old, wanted.new, *self._acceptable(wanted.path))
        return any(
            e is not None and e.mode != GITLINK and self._equal(reading, wanted.path, e)
            for e in entries
        )

    def _is_what_we_placed(self, fd: int, wanted: _Wanted, leaf: Leaf) -> bool:
        # Going back, the placements are turned round: `old` is what the killed run placed.
        return (
            wanted.old is not None
            and leaf.kind in ("file", "symlink")
            and self._equal(_Reading(fd, wanted.name, leaf), wanted.path, wanted.old)
        )


class _Reading:
    """One file looked at for several comparisons: read once, and only if its size is right."""

    def __init__(self, fd: int, name: bytes, leaf: Leaf) -> None:
        self.leaf = leaf
        self.fault: str | None = None
        self._fd = fd
        self._name = name
        self._data: bytes | None = None

    def target(self) -> bytes:
        return os.readlink(self._name, dir_fd=self._fd)

    def equals(self, data: bytes) -> bool:
        if self.leaf.size != len(data):
            return False
        if self._data is None:
            try:
                self._data = read_regular(self._fd, self._name, self.leaf)
            except OSError as fault:
                self.fault = str(fault.strerror)
        return self._data == data


def wanted_files(placements: Iterable[Placement]) -> list[_Wanted]:
    """Placements by path, numbered by that order, without those that change no file."""
    wanted = []
    for number, (path, old, new) in enumerate(sorted(placements, key=lambda p: p.path)):
        *directory, name = path.split(b"/")
        was_link, is_link = (e is not None and e.mode == GITLINK for e in (old, new))
        if was_link and (is_link or new is None):
            continue
        wanted.append(
            _Wanted(
                number,
                path,
                tuple(directory),
                name,
                None if was_link else old,
                None if is_link else new,
                is_link,
            )
        )
    return wanted


def leaf_at(fd: int, name: bytes) -> Leaf:
    try:
        return _leaf(os.stat(name, dir_fd=fd, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def _leaf(state: os.stat_result) -> Leaf:
    mode = state.st_mode
    if stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISLNK(mode):
        kind = "symlink"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    else:
        kind = "other"
    signature = (
        state.st_dev, state.st_ino, mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns
    )  # fmt: skip
    return Leaf(kind, signature, bool(mode & stat.S_IXUSR), state.st_size)


def _identity(leaf: Leaf) -> tuple[int, ...]:
    """The signature without the change time, which our own link and rename calls move."""
    return leaf.signature[:-1]


def _folded(path: bytes) -> str:
    return os.fsdecode(path).casefold()


def shown(path: bytes) -> str:
    """A path as text for a message; a byte that is not UTF-8 as an escape."""
    return path.decode("utf-8", "backslashreplace")


def read_regular(fd: int, name: bytes, leaf: Leaf) -> bytes:
    """The content of the very file that ``leaf`` describes; b"" where it is another by now."""
    source = os.open(name, _READ, dir_fd=fd)
    try:
        if os.fstat(source).st_ino != leaf.signature[1]:
            return b""
        pieces = []
        missing = leaf.size + 1  # one more: a file that grew is not equal
        while missing > 0 and (piece := os.read(source, min(missing, _PIECE))):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(source)


def linked(fd: int, name: bytes, other: int, second: bytes) -> bool:
    """Give a file a second name; False where the file system has no hard links."""
    try:
        os.link(name, second, src_dir_fd=fd, dst_dir_fd=other, follow_symlinks=False)
    except FileExistsError:
        os.unlink(second, dir_fd=other)  # of an earlier run under this token
        return linked(fd, name, other, second)
    except OSError as fault:
        if fault.errno in _NO_LINKS:
            return False
        raise
    return True


def appear(source: int, name: bytes, fd: int, target: bytes) -> None:
    """Give ``name`` its place as ``target``, never over something. Raises FileExistsError.

    Afterwards ``name`` may still be there too.
    """
    try:
        os.link(name, target, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        if leaf_at(fd, target).kind != "absent":
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(name, target, src_dir_fd=source, dst_dir_fd=fd)


def put_back(source: int, aside: bytes, fd: int, name: bytes) -> str | None:
    """What was set aside gets its name again, unless that is taken: then says so."""
    try:
        appear(source, aside, fd, name)
    except FileExistsError:
        return f"changed twice; the other version is {shown(aside)}"
    with suppress(FileNotFoundError):
        os.unlink(aside, dir_fd=source)
    return None


def unlink_known(fd: int, name: bytes, identity: tuple[int, ...], aside: bytes) -> str | None:
    """Unlink a file only if it is this one, even if it is swapped at the last moment."""
    with suppress(FileNotFoundError):
        # A second name of the same file would make the rename do nothing.
        os.unlink(aside, dir_fd=fd)
    os.rename(name, aside, src_dir_fd=fd, dst_dir_fd=fd)
    if _identity(leaf_at(fd, aside)) == identity:
        os.unlink(aside, dir_fd=fd)
        return None
    return put_back(fd, aside, fd, name) or "changed since it was placed"


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view[: 64 * _PIECE]) :]


def fsync(fd: int) -> None:
    """To the disk, and on macOS past its cache, as git does."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):
            fcntl.fcntl(fd, full)
            return
    try:
        os.fsync(fd)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.ENOTSUP):  # a directory on some file systems
            raise


def leftovers(root: str, placements: Iterable[Placement], token: str) -> Iterator[bytes]:
    """Paths of temporary files that a run under this token left behind."""
    directories = {
        w.directory[:n] for w in wanted_files(placements) for n in range(len(w.directory) + 1)
    }
    prefix = TEMPORARY + token.encode() + b"-"
    with Walk(root) as walk:
        for directory in sorted(directories):
            try:
                with os.scandir(walk.enter(directory)) as items:
                    names = sorted(os.fsencode(i.name) for i in items)
            except (FileNotFoundError, _Blocked):
                continue
            yield from (b"/".join([*directory, n]) for n in names if n.startswith(prefix))
