"""A tree as a batch, a reader or a search sees it: files by path, straight from objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from slipstream_git.changes import sessions, timelimit
from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb import filemerge, grep
from slipstream_git.model import REGULAR, TREE, Entry
from slipstream_git.text import scopes
from slipstream_git.text.overlay import Overlay
from slipstream_git.workspace import Workspace

SUBSTITUTION_SECONDS = 10.0


class TreeView:
    """A tree as a batch sees it (the `View` of text/overlay).

    history: the session whose earlier steps may hold the version that an author read.
    """

    def __init__(self, ws: Workspace, tree: str, history: Session | None = None) -> None:
        self._ws = ws
        self._tree = tree
        self._history = history
        self._trees = ws.repository.trees

    def entry(self, path: bytes) -> Entry | None:
        return self._trees.lookup(self._tree, path)

    def blocker(self, path: bytes) -> tuple[bytes, Entry] | None:
        return self._trees.blocker(self._tree, path)

    def blob(self, oid: str) -> bytes | None:
        found = self._ws.repository.objects.find(oid)
        return found.data if found is not None and found.kind == "blob" else None

    def below(self, path: bytes) -> Iterable[bytes]:
        return (found for found, _ in self._trees.walk(self._tree, path))

    def siblings(self, directory: bytes) -> Iterable[bytes]:
        tree = self._tree
        if directory:
            entry = self.entry(directory)
            if entry is None or entry.mode != TREE:
                return ()
            tree = entry.oid
        return self._trees.entries(tree)

    def select(self, globs: Sequence[str], literal: bytes | None) -> Iterable[bytes]:
        wanted = scopes.compile_globs(globs) if globs else lambda _path: True
        under = scopes.literal_prefix(globs) if globs else b""
        if literal is not None and self._published():
            found: Iterable[bytes] = grep.files_with(
                self._ws.repository.git, self._tree, literal, under
            )
            return (path for path in found if wanted(path))
        return (
            path
            for path, entry in self._trees.walk(self._tree, under)
            if entry.mode in REGULAR and wanted(path)
        )

    def earlier(self, path: bytes) -> Iterator[bytes]:
        session = self._history
        if session is None:
            return
        steps = sessions.steps(self._ws, session)
        seen: set[str] = set()
        for tree in [*(step.tree for step in reversed(steps)), session.base_tree]:
            entry = self._trees.lookup(tree, path)
            if entry is not None and entry.mode != TREE and entry.oid not in seen:
                seen.add(entry.oid)
                yield self._ws.repository.objects.blob(entry.oid)

    def merge(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        return filemerge.merge(self._ws.repository.git, base, ours, theirs)

    def substitute(
        self, change: Callable[[bytes], tuple[bytes, int]], data: bytes
    ) -> tuple[bytes, int]:
        hand_over = self._ws.in_main_thread
        done: tuple[bytes, int]
        done = timelimit.run(lambda: change(data), SUBSTITUTION_SECONDS, hand_over)
        return done

    def _published(self) -> bool:
        """Whether git can see the session's tree (an exec's draft is still in the overlay)."""
        return self._ws.repository.store.read(self._tree) is not None


def overlay(ws: Workspace, tree: str) -> Overlay:
    """A tree's files to look at, with no scope."""
    return Overlay(TreeView(ws, tree), lambda _path: None)
