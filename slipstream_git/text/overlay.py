"""The files of a batch in the making: what the ops so far made, over what the session holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from slipstream_git.errors import SlipError
from slipstream_git.model import GITLINK, SYMLINK, TREE, Entry, File
from slipstream_git.text import paths


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
        # How many files of `changes` stand below each directory; a batch may have 100,000 ops, so
        # none of them may look at all the others.
        self._files_below: dict[bytes, int] = {}

    def take(self, changes: Mapping[bytes, File | None]) -> None:
        """Make these changes; the only way in which `changes` grows."""
        for path, file in changes.items():
            self._count(path, (file is not None) - (self.changes.get(path) is not None))
            self.changes[path] = file

    def forget(self, path: bytes) -> None:
        """Unmake the change at ``path``: what the view has there counts again."""
        self._count(path, -(self.changes.pop(path) is not None))

    @contextmanager
    def trying(self, changes: Mapping[bytes, File | None]) -> Iterator[None]:
        """The overlay as it would be with these changes, while the context lasts.

        What they take the place of is put back after: a copy would cost the whole batch each time.
        """
        before = {path: self.changes[path] for path in changes if path in self.changes}
        self.take(changes)
        try:
            yield
        finally:
            for path in changes:
                if path not in before:
                    self.forget(path)
            self.take(before)

    def without(self, path: bytes) -> AbstractContextManager[None]:
        """The overlay as it would be with ``path`` removed, while the context lasts."""
        return self.trying({path: None})

    def _count(self, path: bytes, difference: int) -> None:
        if difference:
            for directory in _parents(path):
                self._files_below[directory] = self._files_below.get(directory, 0) + difference

    def permits(self, path: bytes) -> bool:
        """Whether the session's scope takes a path in."""
        try:
            self.permit(path)
        except SlipError:
            return False
        return True

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
        if self._files_below.get(path):
            return True
        entry = self.view.entry(path)
        if entry is None or entry.mode != TREE or self._replaced(path):
            return False
        return any(p not in self.changes for p in self.view.below(path))

    def _replaced(self, path: bytes) -> bool:
        return self.changes.get(path) is not None

    def _absence(self, path: bytes) -> str:
        blocked = self._blocking_parent(path)
        if blocked:
            return f"{paths.display(path)}: {blocked}"
        near = self._nearest(path)
        meant = f"; did you mean {paths.display(near)}?" if near else ""
        return f"{paths.display(path)}: there is no such file{meant}"

    def _nearest(self, path: bytes) -> bytes | None:
        """The file that ``path`` may have meant: each name of it as one there, or close to it."""
        from difflib import get_close_matches  # only on the way to an error

        found: list[str] = []
        for name in os.fsdecode(path).split("/"):
            names = [os.fsdecode(n) for n in self.view.siblings(os.fsencode("/".join(found)))]
            found += [name] if name in names else get_close_matches(name, names, 1)
        near = os.fsencode("/".join(found))
        return near if near.count(b"/") == path.count(b"/") and self.find(near) else None

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


def _parents(path: bytes) -> Iterator[bytes]:
    """The directories above a path, the root not among them."""
    cut = path.rfind(b"/")
    while cut > 0:
        yield path[:cut]
        cut = path.rfind(b"/", 0, cut)


class Directories:
    """What a batch's outcome holds, by directory; each is listed once, however many ask."""

    def __init__(self, view: View, changes: Mapping[bytes, File | None]) -> None:
        self._view = view
        self._changes = changes
        self._made: dict[bytes, set[bytes]] = {}
        self._folded: dict[bytes, dict[bytes, list[bytes]]] = {}
        for path, file in changes.items():
            if file:
                for directory, name in steps(path):
                    self._made.setdefault(directory, set()).add(name)

    def names(self, directory: bytes) -> set[bytes]:
        """Names in a directory (the root is empty), some of which may be gone."""
        return self._made.get(directory, set()) | set(self._view.siblings(directory))

    def alike(self, directory: bytes, name: bytes) -> Sequence[bytes]:
        """The names in a directory that fold to the same key as ``name``."""
        if directory not in self._folded:
            folded: dict[bytes, list[bytes]] = {}
            for other in sorted(self.names(directory)):
                folded.setdefault(paths.collision_key(other), []).append(other)
            self._folded[directory] = folded
        return self._folded[directory].get(paths.collision_key(name), ())

    def is_file(self, path: bytes) -> bool:
        """Whether anything but a directory stands at a path."""
        if path in self._changes:
            return self._changes[path] is not None
        entry = self._view.entry(path)
        return entry is not None and entry.mode != TREE

    def survives(self, path: bytes) -> bool:
        """Whether a file or directory stands at a path."""
        if path in self._made or self.is_file(path):
            return True
        entry = self._view.entry(path)
        if entry is None or entry.mode != TREE:
            return False
        return any(below not in self._changes for below in self._view.below(path))


def steps(path: bytes) -> Iterator[tuple[bytes, bytes]]:
    """A path as the names on the way to it, each with the directory that it is in."""
    at = 0
    while (cut := path.find(b"/", at)) >= 0:
        yield path[: max(0, at - 1)], path[at:cut]
        at = cut + 1
    yield path[: max(0, at - 1)], path[at:]


def check_collisions(view: View, changes: Mapping[bytes, File | None]) -> None:
    """Refuse new paths that a case-folding or normalising file system takes for another.

    Only paths that the batch adds are judged, on the outcome of the whole batch: renaming
    README to readme is fine, and what a repository already holds stays editable.
    """
    added = [path for path, file in changes.items() if file and view.entry(path) is None]
    if not added:
        return
    directories = Directories(view, changes)
    judged: set[tuple[bytes, bytes]] = set()
    for path in added:
        for step in steps(path):
            if step not in judged:
                judged.add(step)
                _check_step(directories, path, *step)


def _check_step(directories: Directories, path: bytes, directory: bytes, name: bytes) -> None:
    """That nothing beside ``name`` in ``directory`` folds alike; ``path`` leads through it."""
    for other in directories.alike(directory, name):
        beside = directory + b"/" + other if directory else other
        if other != name and directories.survives(beside):
            raise SlipError(
                "bad-path",
                f"{paths.display(path)} and {paths.display(beside)} are one file where case or "
                "Unicode form does not count",
                data={"path": paths.display(path), "other": paths.display(beside)},
            )
