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

from collections.abc import Mapping, Sequence

from slipstream_git.gitdb import mergedrivers
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Trees
from slipstream_git.model import EMPTY_TREE, EXECUTABLE, FILE, TREE, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import threeway

REGULAR = (FILE, EXECUTABLE)


class Both(NamedTuple):
    """A regular file that both sides have changed, differently."""

    path: bytes
    base: Entry
    ours: Entry
    theirs: Entry


class _UndecidedError(Exception):
    """Only git knows."""


def merged(repository: Repository, base: str, ours: str, theirs: str) -> str | None:
    """The merged tree, its new objects in the overlay; None where git is to be asked."""
    walk = _Walk(repository.trees)
    try:
        walk.directory(b"", base, ours, theirs)
        walk.changes.update(_contents(repository, ours, walk.both))
    except _UndecidedError:
        return None
    return repository.trees.splice(ours, walk.changes)


class _Walk:
    """What has to change in ours, by path; an entry may be a whole directory."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self.changes: dict[bytes, Entry | None] = {}
        self.both: list[Both] = []

    def directory(self, prefix: bytes, base: str, ours: str, theirs: str) -> None:
        """Collect what theirs changed in a directory that ours and theirs have.

        Raises _UndecidedError.
        """
        was, now = self._trees.entries(base), self._trees.entries(theirs)
        # Most of the entries are equal, and this finds the others without a loop.
        names = {name for name, _ in was.items() ^ now.items()}
        if names:
            stands = self._trees.entries(ours)
            for name in names:
                self._entry(prefix + name, was.get(name), stands.get(name), now.get(name))

    def _entry(self, path: bytes, b: Entry | None, o: Entry | None, t: Entry | None) -> None:
        if t is not None and t.oid == EMPTY_TREE:
            raise _UndecidedError  # git drops such an entry, where it sees it
        if o == b:
            self.changes[path] = t
        elif o == t:
            self._check_kept(b, t)
        elif o is None or t is None:
            raise _UndecidedError
        elif o.mode == t.mode == TREE and (b is None or b.mode == TREE):
            self.directory(path + b"/", b.oid if b else EMPTY_TREE, o.oid, t.oid)
        elif b is not None and all(entry.mode in REGULAR for entry in (b, o, t)):
            self._file(Both(path, b, o, t))
        else:
            raise _UndecidedError

    def _check_kept(self, b: Entry | None, t: Entry | None) -> None:
        """Refuse where both sides have deleted a file: either may have renamed it."""
        if b is None:
            return
        if t is None or (b.mode == TREE) != (t.mode == TREE):
            raise _UndecidedError
        if b.mode == TREE and b.oid != t.oid:
            was, now = self._trees.entries(b.oid), self._trees.entries(t.oid)
            for name in {name for name, _ in was.items() ^ now.items()}:
                self._check_kept(was.get(name), now.get(name))

    def _file(self, file: Both) -> None:
        b, o, t = file.base, file.ours, file.theirs
        if o.oid in (b.oid, t.oid):
            self.changes[file.path] = Entry(_mode(file), t.oid)
        elif t.oid == b.oid:
            self.changes[file.path] = Entry(_mode(file), o.oid)
        else:
            self.both.append(file)


def _mode(file: Both) -> int:
    """Of two modes, one side at least has the base's or both have the same."""
    return file.theirs.mode if file.ours.mode == file.base.mode else file.ours.mode


def _contents(
    repository: Repository, ours: str, both: Sequence[Both]
) -> Mapping[bytes, Entry | None]:
    """The files that both sides changed, merged. Raises _UndecidedError, with nothing written."""
    if not both:
        return {}
    objects = repository.objects
    if not mergedrivers.are_plain(repository, ours, [file.path for file in both]):
        raise _UndecidedError
    texts = []
    for file in both:
        text = threeway.merged(*(objects.blob(entry.oid) for entry in file[1:]))
        if text is None or text.data is None:
            raise _UndecidedError
        texts.append(text.data)
    return {
        file.path: Entry(_mode(file), objects.write("blob", text))
        for file, text in zip(both, texts, strict=True)
    }
