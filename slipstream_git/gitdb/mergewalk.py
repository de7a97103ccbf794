"""A three-way merge by a walk over what theirs changed; how far ours has moved costs nothing.

It answers only where git's answer is certain, and decides path by path: an entry that ours left
alone is taken from theirs, whole, and where both sides have the same there is nothing to do. git
decides so, too, but for renames. A path's own entries do not show those, so it must be certain
that none can matter here:

- A file that one side has renamed matters where the other side has changed or deleted it. So
  whatever theirs changed or deleted must stand in ours, and what theirs deleted must stand there
  unchanged. That goes for what both sides deleted as well: one may have renamed it, which git
  calls a conflict. So equal sides are searched for deletions, too.
- A directory that one side has renamed draws in what the other side adds to it. git looks for
  such a rename only where the directory is gone on that side. So the directories in which theirs
  adds must stand in ours, unless the base has none there; and a directory that is gone in theirs
  must be in ours as it was.

Those look at paths that theirs changed, and at no other. Where both sides have changed the content
of a file, `text.threeway` merges it as git does. All else is left to git.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.gitdb import mergedrivers
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Trees
from slipstream_git.model import EMPTY_TREE, REGULAR, TREE, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import threeway


class Both(NamedTuple):
    """A regular file that both sides have changed or added, differently."""

    path: bytes
    base: Entry | None
    ours: Entry
    theirs: Entry


class _UndecidedError(Exception):
    """Only git knows."""


def merged(repository: Repository, base: str, ours: str, theirs: str) -> str | None:
    """The merged tree, its new objects in the overlay; None where git is to be asked."""
    walk = _Walk(repository.trees)
    try:
        walk.directory(b"", base, ours, theirs)
        texts = _texts(repository, ours, walk.both)
    except _UndecidedError:
        return None
    if None in texts:
        return None  # git writes what its conflicts look like
    for file, text in zip(walk.both, texts, strict=True):
        oid = repository.objects.write("blob", text or b"")
        walk.changes[file.path] = Entry(_mode(file), oid)
    return repository.trees.splice(ours, walk.changes)


def conflicts(
    repository: Repository, base: str, ours: str, theirs: str
) -> tuple[Conflict, ...] | None:
    """The paths that conflict, sorted; None where git is to be asked. Nothing is written.

    Looks at what both sides changed: where neither can have renamed anything, more is certain.
    """
    trees = repository.trees
    still = not (_may_rename(trees, base, ours) or _may_rename(trees, base, theirs))
    walk = _Walk(trees, still=still)
    try:
        walk.directory(b"", base, ours, theirs)
        texts = _texts(repository, ours, walk.both)
    except _UndecidedError:
        return None
    for file, text in zip(walk.both, texts, strict=True):
        added = file.base is None
        if text is None or (added and file.ours.mode != file.theirs.mode):
            kind = _kind(file)
            walk.conflicts.append(Conflict(file.path, kind, *file[1:]))
    return tuple(sorted(walk.conflicts))


def _may_rename(trees: Trees, old: str, new: str) -> bool:
    """Whether a side has both deleted files and added some."""
    found = trees.differences(old, new)
    return any(d.new is None for d in found) and any(d.old is None for d in found)


class _Walk:
    """What has to change in ours, by path; an entry may be a whole directory.

    still: it is certain that neither side has renamed anything.
    """

    def __init__(self, trees: Trees, *, still: bool = False) -> None:
        self._trees = trees
        self._still = still
        self.changes: dict[bytes, Entry | None] = {}
        self.both: list[Both] = []
        self.conflicts: list[Conflict] = []

    def directory(self, prefix: bytes, base: str, ours: str, theirs: str) -> None:
        """Collect what theirs changed in a directory. Raises _UndecidedError."""
        was, now = self._trees.rows(base), self._trees.rows(theirs)
        names = was.differing(now)
        if names:
            stands = self._trees.rows(ours)
            for name in names:
                self._entry(prefix + name, was.get(name), stands.get(name), now.get(name))

    def _entry(self, path: bytes, b: Entry | None, o: Entry | None, t: Entry | None) -> None:
        if t is not None and t.oid == EMPTY_TREE:
            raise _UndecidedError  # git drops such an entry, where it sees it
        if o == b:
            self.changes[path] = t
        elif o == t:
            self._check_kept(b, t)
        elif all(entry is None or entry.mode == TREE for entry in (b, o, t)):
            if not self._still and (o is None or t is None):
                raise _UndecidedError
            b_tree, o_tree, t_tree = (e.oid if e else EMPTY_TREE for e in (b, o, t))
            self.directory(path + b"/", b_tree, o_tree, t_tree)
        elif all(entry is None or entry.mode in REGULAR for entry in (b, o, t)):
            self._file(path, b, o, t)
        else:
            raise _UndecidedError

    def _check_kept(self, b: Entry | None, t: Entry | None) -> None:
        """Refuse where both sides have deleted a file: either may have renamed it."""
        if b is None or self._still:
            return
        if t is None or (b.mode == TREE) != (t.mode == TREE):
            raise _UndecidedError
        if b.mode == TREE and b.oid != t.oid:
            was, now = self._trees.rows(b.oid), self._trees.rows(t.oid)
            for name in was.differing(now):
                self._check_kept(was.get(name), now.get(name))

    def _file(self, path: bytes, b: Entry | None, o: Entry | None, t: Entry | None) -> None:
        if not self._still and not (b and o and t):
            raise _UndecidedError
        if o is None or t is None:
            self.conflicts.append(Conflict(path, "modify-delete", b, o, t))
            return
        file = Both(path, b, o, t)
        if b is not None and o.oid in (b.oid, t.oid):
            self.changes[path] = Entry(_mode(file), t.oid)
        elif b is not None and t.oid == b.oid:
            self.changes[path] = Entry(_mode(file), o.oid)
        else:
            self.both.append(file)


def _kind(file: Both) -> str:
    if file.base is not None:
        return "content"
    return "mode" if file.ours.oid == file.theirs.oid else "add-add"


def _mode(file: Both) -> int:
    """Of two modes, one side at least has the base's or both have the same."""
    is_kept = file.base is not None and file.ours.mode == file.base.mode
    return file.theirs.mode if is_kept else file.ours.mode


def _texts(repository: Repository, ours: str, both: Sequence[Both]) -> list[bytes | None]:
    """The merge of each file that both sides changed, None for a conflict.

    Raises _UndecidedError where it is not certain of one.
    """
    if not both:
        return []
    if not mergedrivers.are_plain(repository, ours, [file.path for file in both]):
        raise _UndecidedError
    found = []
    for file in both:
        sides = (repository.objects.blob(e.oid) if e else b"" for e in file[1:])
        text = threeway.merged(*sides)
        if text is None:
            raise _UndecidedError
        found.append(text.data)
    return found
