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
import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress

from slipstream_git.gitdb.barriers import write_all
from slipstream_git.gitdb.worktrees.jobs import Trouble
from slipstream_git.gitdb.worktrees.looking import Surprise, View, Wanted
from slipstream_git.gitdb.worktrees.walking import (
    Blocked,
    Leaf,
    Walk,
    appear,
    beside,
    identity,
    leaf_at,
    leaf_of,
    linked,
    put_back,
    shown,
    unlink_known,
)
from slipstream_git.model import EXECUTABLE, Entry
from slipstream_git.records import NamedTuple

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_AT_ONCE = 64


class Done(NamedTuple):
    """One effect, with what it takes to undo it."""

    kind: str  # removed, created, replaced, made, cleared
    wanted: Wanted
    directory: tuple[bytes, ...]  # where the set-aside lies; or the directory made or cleared
    identity: tuple[int, ...] = ()  # of what we placed
    aside: tuple[int, ...] = ()  # of what was set aside


class Files:
    """The files that a view looks at, from `prepare` to `settle`.

    states: after `place`, what an index records of each placed file.
    """

    def __init__(self, view: View) -> None:
        self.states: dict[bytes, os.stat_result] = {}
        self._view = view
        self._content = view.job.content
        self._barrier = view.job.barrier
        self._checkpoint = view.job.checkpoint
        self._temporaries: dict[bytes, tuple[bytes, ...]] = {}
        self._done: list[Done] = []

    def prepare(self) -> None:
        """Write all new content beside its targets. Raises OSError."""
        waiting: list[int] = []
        try:
            with Walk(self._view.root) as walk:
                for wanted in self._view.wanted:
                    if wanted.new is not None and self._view.moves(wanted):
                        self._prepare_one(walk, wanted, wanted.new, waiting)
                self._flush(waiting)
        finally:
            for fd in waiting:
                os.close(fd)
        self._checkpoint("temporaries-written")

    def _prepare_one(self, walk: Walk, wanted: Wanted, entry: Entry, waiting: list[int]) -> None:
        fd, there = self._shelter(walk, wanted)
        name = self._temporary("n", wanted)
        data = self._content(wanted.path, entry)
        self._temporaries[wanted.path] = there
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=fd)  # of an earlier run under this token
        if self._view.is_link(entry):
            os.symlink(data, name, dir_fd=fd)
        else:
            # The umask takes its part, as it does when git checks out.
            mode = 0o777 if entry.mode == EXECUTABLE else 0o666
            out = os.open(name, _CREATE, mode, dir_fd=fd)
            waiting.append(out)
            self._checkpoint("temporary-created")
            self._view.now_ns = os.fstat(out).st_ctime_ns
            write_all(out, data)
            if len(waiting) >= _OPEN_AT_ONCE:
                self._flush(waiting)
        self._checkpoint("temporary")

    def _flush(self, waiting: list[int]) -> None:
        # All are written before any is synced: one commit of the disk's journal may serve all.
        for fd in waiting:
            self._barrier.leave(fd)
        while waiting:
            os.close(waiting.pop())

    def _shelter(self, walk: Walk, wanted: Wanted) -> tuple[int, tuple[bytes, ...]]:
        """The nearest directory that is there now and will be there afterwards."""
        directory = wanted.directory
        for depth in range(1, len(directory) + 1):
            if b"/".join(directory[:depth]) in self._view.coming:
                directory = directory[: depth - 1]
                break
        return walk.nearest(directory)

    def _temporary(self, kind: str, wanted: Wanted) -> bytes:
        return self._view.prefix + f"{kind}{wanted.number}".encode()

    def place(self) -> None:
        """Bring the files to their new state: removals first, which make room.

        Raises `Surprise` or OSError half way; the caller then calls `roll_back`.
        """
        with Walk(self._view.root) as walk:
            for effect in (self._remove, self._put):
                for wanted in tuple(self._view.wanted):
                    try:
                        effect(walk, wanted)
                    except Surprise as surprise:
                        if not self._view.recovering:
                            raise
                        self._view.leave([Trouble(wanted.path, surprise.trouble.why)])
                walk.forget()
            self._note_states(walk)
            self._sync_directories(walk, self._done)
        self._checkpoint("files-placed")

    def _remove(self, walk: Walk, wanted: Wanted) -> None:
        if wanted.new is not None:
            return
        found = self._view.look_again(walk, wanted)
        leaf = found.leaf
        if found.is_new or leaf.kind not in ("file", "symlink"):
            return
        _, shelter = self._shelter(walk, wanted)
        self._done.append(Done("removed", wanted, shelter, aside=identity(leaf)))
        self._set_aside(walk, wanted, shelter, leaf, move=True)
        self._checkpoint("removed")

    def _put(self, walk: Walk, wanted: Wanted) -> None:
        if wanted.new is None:
            if wanted.submodule:
                self._make(walk, wanted, (*wanted.directory, wanted.name))
            return
        found = self._view.look_again(walk, wanted)
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

    def _replace(self, walk: Walk, wanted: Wanted, leaf: Leaf) -> None:
        here = wanted.directory
        fd, temporary = walk.enter(here), self._temporary("n", wanted)
        with self._beside(fd, here, self._temporaries[wanted.path]) as source:
            ours = identity(leaf_at(source, temporary))
            self._done.append(Done("replaced", wanted, here, ours, identity(leaf)))
            self._set_aside(walk, wanted, here, leaf, move=False)
            self._checkpoint("set-aside")
            # Between this look and the rename lies one system call: the whole time in which a
            # file that an editor moves here would be lost. Only an exchanging rename has none.
            if identity(leaf_at(fd, wanted.name)) not in ((), identity(leaf)):
                raise Surprise(Trouble(wanted.path, "changed just now"))
            os.rename(temporary, wanted.name, src_dir_fd=source, dst_dir_fd=fd)
        self._checkpoint("replaced")
        # Whoever held the old file open and wrote into it after our look, wrote into what is set
        # aside: taking back puts that very file back.
        if identity(leaf_at(fd, self._temporary("o", wanted))) != identity(leaf):
            raise Surprise(Trouble(wanted.path, "changed just now"))

    def _create(self, walk: Walk, wanted: Wanted) -> None:
        try:
            fd, made = walk.make(wanted.directory)
        except Blocked as blocked:
            why = f"{shown(blocked.path)} is not a directory"
            raise Surprise(Trouble(wanted.path, why)) from None
        for directory in made:
            self._done.append(Done("made", wanted, directory))
            self._checkpoint("directory-made")
        temporary = self._temporary("n", wanted)
        with self._beside(fd, wanted.directory, self._temporaries[wanted.path]) as source:
            ours = identity(leaf_at(source, temporary))
            self._done.append(Done("created", wanted, (), ours))
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
        with ExitStack() as stack:
            try:
                known = fd if here == there else None
                second = stack.enter_context(beside(self._view.root, known, there))
            except (FileNotFoundError, Blocked):
                raise Surprise(Trouble(b"/".join(there), "moved away just now")) from None
            yield second

    def _set_aside(
        self, walk: Walk, wanted: Wanted, shelter: tuple[bytes, ...], leaf: Leaf, *, move: bool
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
            if identity(leaf_at(other, aside)) != identity(leaf):
                why = put_back(other, aside, fd, wanted.name) or "changed just now"
                raise Surprise(Trouble(wanted.path, why))

    def _clear(self, walk: Walk, wanted: Wanted, directory: tuple[bytes, ...]) -> None:
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
        self._done.append(Done("cleared", wanted, directory))
        self._checkpoint("directory-cleared")

    def _make(self, walk: Walk, wanted: Wanted, directory: tuple[bytes, ...]) -> None:
        for made in walk.make(directory)[1]:
            self._done.append(Done("made", wanted, made))
            self._checkpoint("directory-made")

    def _note_states(self, walk: Walk) -> None:
        """What an index records of each placed file, unless somebody wrote to it since."""
        placed = {d.wanted.path: d.identity for d in self._done if d.identity}
        found = self._view.found()
        for path, new in ((w.path, w.new) for w in self._view.wanted):
            if path in placed:
                self._note_state(walk, path, placed[path])
            elif new is not None and self._view.matched(path) == new:
                self._note_state(walk, path, identity(found[path]))

    def _note_state(self, walk: Walk, path: bytes, expected: tuple[int, ...]) -> None:
        *directory, name = path.split(b"/")
        with suppress(FileNotFoundError, Blocked):
            state = os.stat(name, dir_fd=walk.enter(directory), follow_symlinks=False)
            if identity(leaf_of(state)) == expected:
                self.states[path] = state

    def _sync_directories(self, walk: Walk, effects: Collection[Done]) -> None:
        changed = {d.directory for d in effects} | {d.wanted.directory for d in effects}
        changed |= {d.directory[:-1] for d in effects}
        for directory in sorted(changed):
            with suppress(FileNotFoundError, Blocked):
                self._barrier.leave(walk.enter(directory))

    def roll_back(self) -> list[Trouble]:
        """Undo every effect so far, last first; never touches what somebody changed since.

        Gives the paths that could not be taken back: what stands there is somebody's newer
        work, or the system refused. Can be called again.
        """
        troubles = []
        undone = tuple(self._done)
        with Walk(self._view.root) as walk:
            while self._done:
                done = self._done[-1]
                walk.forget()
                try:
                    why = self._undo(walk, done)
                except Surprise as surprise:
                    why = surprise.trouble.why
                except Blocked as blocked:
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
            for path, leaf in sorted(self._view.found().items()):
                self._note_state(walk, path, identity(leaf))
            self._sync_directories(walk, undone)
        return troubles

    def _undo(self, walk: Walk, done: Done) -> str | None:
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

    def _undo_created(self, walk: Walk, done: Done) -> str | None:
        wanted = done.wanted
        fd = walk.enter(wanted.directory)
        leaf = leaf_at(fd, wanted.name)
        if leaf.kind == "absent":
            return None
        if identity(leaf) != done.identity:
            return "changed since it was placed"
        return unlink_known(fd, wanted.name, done.identity, self._temporary("n", wanted))

    def _undo_with_aside(self, walk: Walk, done: Done) -> str | None:
        wanted, aside = done.wanted, self._temporary("o", done.wanted)
        fd, _ = walk.make(wanted.directory)
        with self._beside(fd, wanted.directory, done.directory) as other:
            kept, leaf = leaf_at(other, aside), leaf_at(fd, wanted.name)
            if kept.kind == "absent":
                return None  # the effect had not happened yet
            if leaf.kind == "absent":
                return put_back(other, aside, fd, wanted.name)
            if done.identity and identity(leaf) == done.identity:
                os.rename(aside, wanted.name, src_dir_fd=other, dst_dir_fd=fd)
                return None
            is_same = leaf.signature[:2] == kept.signature[:2]
            if is_same or identity(kept) == done.aside:
                os.unlink(aside, dir_fd=other)
                return None if is_same else "changed since it was placed"
            return f"changed twice; the other version is {shown(aside)}"

    def _drop_temporaries(self, walk: Walk) -> None:
        for wanted in self._view.all:
            at = self._temporaries.pop(wanted.path, None)
            if at is not None:
                with suppress(OSError, Blocked):
                    os.unlink(self._temporary("n", wanted), dir_fd=walk.enter(at))

    def settle(self) -> list[Trouble]:
        """Let go of what was set aside, and of directories that became empty.

        Gives the paths whose old file somebody wrote to meanwhile: it is kept where it was set
        aside.
        """
        troubles = []
        with Walk(self._view.root) as walk:
            self._drop_temporaries(walk)
            for done in self._done:
                if done.kind in ("removed", "replaced"):
                    trouble = self._let_go(walk, done)
                    if trouble:
                        troubles.append(trouble)
            walk.forget()
            for wanted in reversed(self._view.wanted):
                if wanted.new is None:
                    self._remove_emptied(walk, wanted.directory)
        self._done.clear()
        return troubles

    def _let_go(self, walk: Walk, done: Done) -> Trouble | None:
        aside = self._temporary("o", done.wanted)
        try:
            fd = walk.enter(done.directory)
        except (FileNotFoundError, Blocked):
            return None
        leaf = leaf_at(fd, aside)
        if leaf.kind == "absent":
            return None
        if identity(leaf) != done.aside:
            return Trouble(done.wanted.path, f"written to meanwhile; kept as {shown(aside)}")
        os.unlink(aside, dir_fd=fd)
        self._checkpoint("let-go")
        return None

    def _remove_emptied(self, walk: Walk, directory: tuple[bytes, ...]) -> None:
        for depth in range(len(directory), 0, -1):
            try:
                fd = walk.enter(directory[: depth - 1])
                os.rmdir(directory[depth - 1], dir_fd=fd)
            except (Blocked, FileNotFoundError):
                continue
            except OSError:
                return  # not empty, or not ours to remove: git leaves it too
            self._checkpoint("directory-removed")
