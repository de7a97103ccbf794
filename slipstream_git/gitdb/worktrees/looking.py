"""What stands where files are to be placed, and whether any of it is the user's: only looks.

A path is free when what stands there equals what the branch has, what lands, or another version
that the caller knows to be kept elsewhere. Everything else is in the way: edits, untracked and
ignored files (git's own checkout overwrites those), a missing file, a symlink for a parent.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.worktrees.jobs import TEMPORARY, Convertible, Job, Placement, Trouble
from slipstream_git.gitdb.worktrees.walking import (
    ABSENT,
    DIRECTORY,
    Blocked,
    Leaf,
    Reading,
    Walk,
    leaf_at,
    read_regular,
    shown,
)
from slipstream_git.model import EXECUTABLE, GITLINK, REGULAR, SYMLINK, Entry
from slipstream_git.records import NamedTuple

NOT_TRACKED: Final = "not tracked"
CHANGED: Final = "changed"

# A file changed twice within one tick of the clock has the same times: a signature this much
# younger than the file system's own now proves nothing (4 ms on Linux before 6.13, 2 s on FAT).
_TICK_NS = 2_000_000_000


class Surprise(Exception):
    """Something came in the way after the preflight."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.why)
        self.trouble = trouble


class Wanted(NamedTuple):
    """A placement as the file system sees it: gitlinks are directories, which are left alone."""

    number: int
    path: bytes
    directory: tuple[bytes, ...]
    name: bytes
    old: Entry | None
    new: Entry | None
    submodule: bool  # a gitlink appears: an empty directory, as git makes it


class Found(NamedTuple):
    leaf: Leaf
    entry: Entry | None = None  # the version it equals
    is_new: bool = False
    case_only: bool = False  # the file seen here is one that goes, under another case


class View:
    """Looks at the places of a job's placements, and remembers what it found."""

    def __init__(self, job: Job) -> None:
        if not re.fullmatch(r"[0-9A-Za-z]+", job.token):
            raise ValueError(f"a token is letters and digits, not {job.token!r}")
        self.job = job
        self.root = job.worktree.root
        self.left: list[Trouble] = []
        self.all = tuple(wanted_files(job.placements))
        self.wanted = list(self.all)
        self.prefix = TEMPORARY + job.token.encode() + b"-"
        self.now_ns = 0  # by the file system's clock; 0: not known, so every look is a full one
        self.recovering = job.recovering
        self.coming = {w.path for w in self.wanted if w.new is not None}
        self._content = job.content
        self._convertible = job.content if isinstance(job.content, Convertible) else None
        self._acceptable = job.acceptable
        self._manner = job.manner
        self._gone = {w.path for w in self.wanted if w.new is None}
        self._by_fold = {folded(p): p for p in self._gone} if job.manner.ignore_case else {}
        self._found: dict[bytes, Found] = {}
        self._inodes: dict[bytes, tuple[int, ...]] = {}

    def look(self, absent: Collection[bytes] = ()) -> list[Trouble]:
        """Everything that stands in the way; nothing is changed.

        absent: paths that a sparse checkout leaves out; they are not placed.
        Raises PermissionError where a directory to be changed may not be written.
        """
        troubles = []
        self.wanted = [w for w in self.wanted if w.path not in absent]
        with Walk(self.root) as walk:
            # What goes is looked at first: a file seen under another case is known by its inode.
            for wanted in sorted(self.wanted, key=lambda w: w.new is not None):
                trouble = self._look_at(walk, wanted)
                if trouble:
                    troubles.append(trouble)
                elif self.moves(wanted):
                    self._check_writable(walk, wanted)
        if self.recovering:
            self.leave(troubles)
            return []
        return sorted(troubles)

    def present(self, paths: Iterable[bytes]) -> set[bytes]:
        """Those of the paths where anything stands."""
        there = set()
        with Walk(self.root) as walk:
            for path in sorted(paths):
                *directory, name = path.split(b"/")
                with suppress(FileNotFoundError, Blocked):
                    if leaf_at(walk.enter(directory), name).kind != "absent":
                        there.add(path)
        return there

    def matched(self, path: bytes) -> Entry | None:
        """The version that the file at a path was equal to when it was last looked at."""
        found = self._found.get(path)
        return found.entry if found else None

    def leave(self, troubles: Iterable[Trouble]) -> None:
        for trouble in troubles:
            self.left.append(trouble)
            self.wanted = [w for w in self.wanted if w.path != trouble.path]
            self._gone.discard(trouble.path)

    def _look_at(self, walk: Walk, wanted: Wanted) -> Trouble | None:
        try:
            fd = walk.enter(wanted.directory)
        except FileNotFoundError:
            fd, leaf = -1, ABSENT
        except Blocked as blocked:
            # What goes, or has come already, in a parent's place; it is judged by itself.
            if blocked.path not in (self.coming if wanted.new is None else self._gone):
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
        return leaf.kind != "directory" and leaf.signature[-1] < self.now_ns - _TICK_NS

    def _judge(self, fd: int, wanted: Wanted, leaf: Leaf) -> str | None:
        """Why this leaf is in the way; when it is not, remembers it as found."""
        found = Found(leaf)
        if leaf.kind == "absent":
            why = self._why_not_absent(wanted)
        elif leaf.kind == "directory":
            why = self._why_not_directory(fd, wanted)
        elif leaf.kind == "other":
            why = "not a regular file"
        elif self._is_going_by_another_name(wanted, leaf):
            why, found = None, Found(leaf, case_only=True)
        else:
            why, found = self._why_not_file(fd, wanted, leaf)
        if why is None:
            self._found[wanted.path] = found
            self._inodes[wanted.path] = leaf.signature[:2]
        return why

    def _why_not_absent(self, wanted: Wanted) -> str | None:
        if wanted.old is None or wanted.new is None or None in self._acceptable(wanted.path):
            return None
        return "deleted"

    def _why_not_directory(self, fd: int, wanted: Wanted) -> str | None:
        if wanted.new is None:
            return None  # what was to go is gone; the directory is the user's
        stranger = self._stranger(fd, wanted.name, wanted.path)
        return f"a directory that holds {shown(stranger)}" if stranger else None

    def _stranger(self, fd: int, name: bytes, path: bytes) -> bytes | None:
        """The first thing in a directory, at any depth, that does not go with this change."""
        inner = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        try:
            with os.scandir(inner) as items:
                listed = sorted((os.fsencode(i.name), i) for i in items)
            for item_name, item in listed:
                below = path + b"/" + item_name
                if item.is_dir(follow_symlinks=False):
                    stranger = self._stranger(inner, item_name, below)
                    if stranger:
                        return stranger
                elif below not in self._gone and not item_name.startswith(self.prefix):
                    return below
        finally:
            os.close(inner)
        return None

    def _is_going_by_another_name(self, wanted: Wanted, leaf: Leaf) -> bool:
        other = self._by_fold.get(folded(wanted.path))
        return (
            other is not None
            and other != wanted.path
            and self._inodes.get(other) == leaf.signature[:2]
        )

    def _why_not_file(self, fd: int, wanted: Wanted, leaf: Leaf) -> tuple[str | None, Found]:
        if wanted.submodule and wanted.old is None:
            return "a file where a submodule shall be", Found(leaf)
        reading = Reading(fd, wanted.name, leaf)
        entry = self._known_one(fd, wanted.name, reading, wanted)
        if entry is not None:
            is_captured = entry not in (wanted.old, wanted.new)
            is_new = self.recovering == "back" if is_captured else entry == wanted.new
            return None, Found(leaf, entry, is_new)
        if reading.fault:
            return f"cannot be read: {reading.fault}", Found(leaf)
        return (NOT_TRACKED if wanted.old is None else CHANGED), Found(leaf)

    def _versions(self, wanted: Wanted) -> Iterator[Entry]:
        """What may stand at a path, the likeliest first."""
        yield from (entry for entry in (wanted.old, wanted.new) if entry is not None)
        for entry in self._acceptable(wanted.path):
            if entry is not None and entry.mode != GITLINK:
                yield entry

    def _known_one(self, fd: int, name: bytes, reading: Reading, wanted: Wanted) -> Entry | None:
        """The version that stands there, by what git would write or by what it would store."""
        if self._is_filtered(wanted.path):
            cleaned = self._cleaned_one(fd, name, reading.leaf, wanted)
            return cleaned or self._equal_one(reading, wanted)
        equal = self._equal_one(reading, wanted)
        return equal or self._cleaned_one(fd, name, reading.leaf, wanted)

    def _is_filtered(self, path: bytes) -> bool:
        return self._convertible is not None and path in self._convertible.filtered

    def _equal_one(self, reading: Reading, wanted: Wanted) -> Entry | None:
        """The version that git's checkout would have written just so."""
        for entry in self._versions(wanted):
            try:
                if self._equal(reading, wanted.path, entry):
                    return entry
            except SlipError:
                # Where a former version cannot be had, the file is not known to be that one.
                if entry == wanted.new or not self._is_filtered(wanted.path):
                    raise
        return None

    def _cleaned_one(self, fd: int, name: bytes, leaf: Leaf, wanted: Wanted) -> Entry | None:
        """The version that `git add` would store for a file that is equal to none."""
        if self._convertible is None or leaf.kind != "file":
            return None
        fitting = [e for e in self._versions(wanted) if self._has_kind(leaf, e)]
        with suppress(OSError):
            data = read_regular(fd, name, leaf) if fitting else b""
            if len(data) == leaf.size:  # else it is another file by now
                oid = self._convertible.cleaned(wanted.path, data)
                return next((e for e in fitting if e.oid == oid), None)
        return None

    def _equal(self, reading: Reading, path: bytes, entry: Entry) -> bool:
        """Is what stands there this entry, as git would have checked it out?"""
        leaf = reading.leaf
        if self.is_link(entry):
            return leaf.kind == "symlink" and reading.target() == self._content(path, entry)
        return self._has_mode(leaf, entry) and reading.equals(self._content(path, entry))

    def _has_kind(self, leaf: Leaf, entry: Entry) -> bool:
        return entry.mode in REGULAR and self._has_mode(leaf, entry)

    def _has_mode(self, leaf: Leaf, entry: Entry) -> bool:
        if leaf.kind != "file":
            return False
        return not self._manner.file_mode or leaf.executable == (entry.mode == EXECUTABLE)

    def is_link(self, entry: Entry) -> bool:
        return entry.mode == SYMLINK and self._manner.symlinks

    def changing(self) -> set[bytes]:
        """After `look`: the paths that are not yet as they shall be."""
        return {wanted.path for wanted in self.wanted if self.moves(wanted)}

    def moves(self, wanted: Wanted) -> bool:
        """Will placing this path change the directory it is in?"""
        found = self._found[wanted.path]
        if wanted.new is None and not wanted.submodule:
            return found.leaf.kind in ("file", "symlink") and not found.is_new
        return not found.is_new

    def _check_writable(self, walk: Walk, wanted: Wanted) -> None:
        fd, there = walk.nearest(wanted.directory)
        effective = os.access in os.supports_effective_ids
        if not os.access(b".", os.W_OK | os.X_OK, dir_fd=fd, effective_ids=effective):
            where = shown(b"/".join(there) or b".")
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), where)

    def look_again(self, walk: Walk, wanted: Wanted) -> Found:
        """Raises `Surprise` when something came in the way."""
        trouble = self._look_at(walk, wanted)
        if trouble:
            raise Surprise(trouble)
        return self._found[wanted.path]

    def found(self) -> dict[bytes, Leaf]:
        return {path: found.leaf for path, found in self._found.items()}

    def is_known(self, fd: int, name: bytes, wanted: Wanted, leaf: Leaf) -> bool:
        """Is this one of the versions that are kept elsewhere?"""
        return self._known_one(fd, name, Reading(fd, name, leaf), wanted) is not None

    def is_old(self, fd: int, wanted: Wanted, leaf: Leaf) -> bool:
        return (
            wanted.old is not None
            and leaf.kind in ("file", "symlink")
            and self._equal(Reading(fd, wanted.name, leaf), wanted.path, wanted.old)
        )


def wanted_files(placements: Iterable[Placement]) -> list[Wanted]:
    """Placements by path, numbered by that order, without those that change no file."""
    wanted = []
    for number, (path, old, new) in enumerate(sorted(placements, key=lambda p: p.path)):
        *directory, name = path.split(b"/")
        was_link, is_link = (e is not None and e.mode == GITLINK for e in (old, new))
        if was_link and (is_link or new is None):
            continue
        wanted.append(
            Wanted(
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


def folded(path: bytes) -> str:
    return os.fsdecode(path).casefold()
