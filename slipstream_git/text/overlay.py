"""The files of a batch in the making: what the ops so far have made, over what the session holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from slipstream_git.errors import SlipError
from slipstream_git.model import EXECUTABLE, FILE, GITLINK, SYMLINK, TREE, Entry, File
from slipstream_git.text import paths

REGULAR = (FILE, EXECUTABLE)


class View(Protocol):
    """What a batch may ask about the tree it is applied to."""

    def entry(self, path: bytes) -> Entry | None:
        """What stands at a path; a directory has mode TREE."""

    def blocker(self, path: bytes) -> tuple[bytes, Entry] | None:
        """The first parent of ``path`` that is not a directory."""

    def blob(self, oid: str) -> bytes | None:
        """A blob's content, None where the repository does not have it."""

    def below(self, path: bytes) -> Iterable[bytes]:
        """Every file below a directory."""

    def siblings(self, directory: bytes) -> Iterable[bytes]:
        """The names in one directory."""

    def select(self, globs: Sequence[str], literal: bytes | None) -> Iterable[bytes]:
        """Regular files that the globs name; those without ``literal`` may be left out."""

    def earlier(self, path: bytes) -> Iterator[bytes]:
        """The contents that earlier steps had at a path, newest first."""

    def merge(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        """The three-way merge of three texts, None where it conflicts."""

    def substitute(
        self, change: Callable[[bytes], tuple[bytes, int]], data: bytes
    ) -> tuple[bytes, int]:
        """Run a regular expression's substitution under a time limit."""


Changes = dict[bytes, File | None]


class Overlay:
    """Files by path over a view; None marks a removed file.

    permit: raises `path-denied` for a path outside the session's scope.
    """

    def __init__(self, view: View, permit: Callable[[bytes], None]) -> None:
        self.view = view
        self.changes: Changes = {}
        self.permit = permit

    def find(self, path: bytes) -> File | None:
        """The file at ``path``, None where there is none (or a directory)."""
        if path in self.changes:
            return self.changes[path]
        entry = self.view.entry(path)
        if entry is None or entry.mode == TREE:
            return None
        if entry.mode == GITLINK:
            return File(GITLINK, entry.oid.encode())
        data = self.view.blob(entry.oid)
        if data is None:
            raise SlipError("git-failed", f"{paths.display(path)}: blob {entry.oid} is missing")
        return File(entry.mode, data)

    def existing(self, path: bytes) -> File:
        """The file at ``path``. Raises `missing`, or `bad-path` for a directory."""
        paths.check_existing(path)
        self.permit(path)
        file = self.find(path)
        if file is None:
            if self.is_directory(path):
                raise SlipError("bad-path", f"{paths.display(path)} is a directory; name its files")
            raise SlipError("missing", self._absence(path))
        if file.mode == GITLINK:
            raise SlipError("unsupported", f"{paths.display(path)} is a submodule")
        return file

    def text(self, path: bytes) -> File:
        """The regular file at ``path``; a symlink has no text to edit."""
        file = self.existing(path)
        if file.mode == SYMLINK:
            raise SlipError(
                "unsupported", f"{paths.display(path)} is a symbolic link; use the `symlink` op"
            )
        return file

    def vacant(self, path: bytes) -> None:
        """That a file may be made at ``path``: valid, in scope, and not in anything's way."""
        if self.view.entry(path) is None:
            paths.check(path)
        else:
            paths.check_existing(path)
        self.permit(path)
        blocked = self._blocking_parent(path)
        if blocked:
            raise SlipError("bad-path", f"{paths.display(path)}: {blocked}")
        if self.is_directory(path):
            raise SlipError("bad-path", f"{paths.display(path)} is a directory")

    def is_directory(self, path: bytes) -> bool:
        """Whether a file stands anywhere below ``path`` now."""
        inside = path + b"/"
        if any(file and p.startswith(inside) for p, file in self.changes.items()):
            return True
        entry = self.view.entry(path)
        if entry is None or entry.mode != TREE or self._replaced(path):
            return False
        return any(p not in self.changes for p in self.view.below(path))

    def _replaced(self, path: bytes) -> bool:
        return self.changes.get(path) is not None

    def _absence(self, path: bytes) -> str:
        blocked = self._blocking_parent(path)
        return f"{paths.display(path)}: {blocked or 'there is no such file'}"

    def _blocking_parent(self, path: bytes) -> str | None:
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            parent = b"/".join(parts[:depth])
            if parent in self.changes:
                file = self.changes[parent]
                if file is not None:
                    return _why_blocked(parent, file.mode)
                return None
        blocked = self.view.blocker(path)
        return _why_blocked(blocked[0], blocked[1].mode) if blocked else None


def _why_blocked(parent: bytes, mode: int) -> str:
    kinds = {SYMLINK: "a symbolic link", GITLINK: "a submodule"}
    return f"{paths.display(parent)} is {kinds.get(mode, 'a file')}, not a directory"


def check_collisions(view: View, changes: Mapping[bytes, File | None]) -> None:
    """Refuse new paths that a case-folding or normalising file system takes for another.

    Only paths that the batch adds are judged, on the outcome of the whole batch: renaming
    README to readme is fine, and what a repository already holds stays editable.
    """
    added = [path for path, file in changes.items() if file and view.entry(path) is None]
    for path in added:
        other = _collision(view, changes, path)
        if other is not None:
            raise SlipError(
                "bad-path",
                f"{paths.display(path)} and {paths.display(other)} are one file where case or "
                "Unicode form does not count",
                data={"path": paths.display(path), "other": paths.display(other)},
            )


def _collision(view: View, changes: Mapping[bytes, File | None], path: bytes) -> bytes | None:
    """A path that stands beside ``path`` (or beside one of its directories) and folds alike."""
    parts = path.split(b"/")
    for depth, part in enumerate(parts):
        directory = b"/".join(parts[:depth])
        key = paths.collision_key(part)
        for name in _names(view, changes, directory):
            if name != part and paths.collision_key(name) == key:
                other = directory + b"/" + name if directory else name
                if _survives(view, changes, other):
                    return other
    return None


def _names(view: View, changes: Mapping[bytes, File | None], directory: bytes) -> set[bytes]:
    prefix = directory + b"/" if directory else b""
    made = {
        path[len(prefix) :].split(b"/")[0]
        for path, file in changes.items()
        if file and path.startswith(prefix)
    }
    return made | set(view.siblings(directory))


def _survives(view: View, changes: Mapping[bytes, File | None], path: bytes) -> bool:
    if changes.get(path) is not None:
        return True
    if any(file and p.startswith(path + b"/") for p, file in changes.items()):
        return True
    entry = view.entry(path)
    if entry is None:
        return False
    if entry.mode == TREE:
        return any(p not in changes for p in view.below(path))
    return path not in changes
