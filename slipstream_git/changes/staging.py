"""Staging: a batch of ops becomes one step of a session's chain, or nothing at all.

The whole batch is computed in bytes first; then blobs, the trees along changed paths and the
step's commit go to disk as one pack, and one compare-and-swap moves the session's ref. When
another process moved it meanwhile, the batch is computed again on what is there now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from slipstream_git.changes import chain, sessions, timelimit
from slipstream_git.changes.chain import Facts
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import filemerge, grep
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import EXECUTABLE, FILE, TREE, Entry, File, Op
from slipstream_git.results import Applied, Change, Overlap, path_b64, status_letter
from slipstream_git.text import edits, linediff, paths, scopes
from slipstream_git.text.edits import Outcome
from slipstream_git.text.objectid import blob_id
from slipstream_git.text.overlay import Overlay
from slipstream_git.workspace import Workspace

TRIES = 8
SUBSTITUTION_SECONDS = 10.0


class Label(NamedTuple):
    """How a step is marked: what made it, for which group of the series, by whom."""

    kind: str = "apply"
    group: str = ""
    agent: str = ""


class Staged(NamedTuple):
    """A batch computed on a session: the step to be, still in the overlay.

    ``session`` is the session as it is once the step is accepted; its ``tip`` is the same as
    before when the batch changes nothing.
    """

    session: Session
    before: Session
    outcome: Outcome


def apply(
    ws: Workspace, session: Session, ops: Sequence[Op], label: Label, *, dry_run: bool = False
) -> Applied:
    """Stage a batch on an open session. Raises what its ops raise, or `ref-moved`."""
    for _ in range(TRIES):
        staged = stage(ws, session, ops, label)
        if dry_run:
            shown = told(ws, staged, dry_run=True)
            ws.repository.objects.discard()
            return shown
        if staged.session.tip == session.tip or advance(ws, session, staged.session.tip):
            return told(ws, staged)
        session = sessions.load(ws, session.name)
    raise SlipError("ref-moved", f"session {session.name} kept moving; {TRIES} tries were lost")


def stage(ws: Workspace, session: Session, ops: Sequence[Op], label: Label) -> Staged:
    """Compute a batch on a session, everything in the overlay, nothing on disk."""
    repository = ws.repository

    def permit(path: bytes) -> None:
        if not scopes.permitted(path, session.allow, session.deny):
            raise SlipError(
                "path-denied", f"{paths.display(path)} is outside what this session may touch"
            )

    outcome = edits.apply_all(ops, TreeView(ws, session.tree, session), permit)
    tree = repository.trees.splice(session.tree, _entries(repository, session, outcome))
    if tree == session.tree:
        return Staged(session, session, outcome)
    facts = Facts(
        session=session.name,
        step=session.step + 1,
        kind=label.kind,
        begin=session.begin,
        group=chain.one_line(label.group),
        agent=chain.one_line(label.agent),
    )
    journal = chain.ops_journal(repository, tree, ops)
    tip = chain.write_step(ws, tree, (session.tip,), facts, journal, chain.ops_subject(ops))
    after = session._replace(tip=tip, tree=tree, step=session.step + 1)
    return Staged(after, session, outcome)


def _entries(
    repository: Repository, session: Session, outcome: Outcome
) -> dict[bytes, Entry | None]:
    """Tree entries for the files that differ from the session's, their blobs in the overlay."""
    changes: dict[bytes, Entry | None] = {}
    for path, file in outcome.files.items():
        old = repository.trees.lookup(session.tree, path)
        new = None if file is None else Entry(file.mode, blob_id(file.data))
        if new == old or (new is None and (old is None or old.mode == TREE)):
            continue
        if file is not None and (old is None or old.oid != Entry(*new or (0, "")).oid):
            repository.objects.write("blob", file.data)
        changes[path] = new
    return changes


def advance(ws: Workspace, session: Session, tip: str) -> bool:
    """Publish the overlay and move the session's ref to ``tip``; False when it had moved."""
    kept = ws.repository.objects.publish(sync=False)
    try:
        ws.repository.store.move(
            [RefMove(session.ref, session.tip, tip)], f"slip: step of {session.name}"
        )
    except SlipError as fault:
        if fault.code != "ref-moved":
            raise
        if ws.repository.store.ref(session.ref) is None:
            raise SlipError(
                "session-missing",
                f"session {session.name} was closed meanwhile",
                hint=f"slip reopen {session.name}",
            ) from None
        return False
    finally:
        kept.release()
    return True


def told(ws: Workspace, staged: Staged, *, dry_run: bool = False) -> Applied:
    """The reply for a staged batch."""
    before, after = staged.before, staged.session
    results = staged.outcome.results
    replaced = [r.replaced for r in results if r.replaced is not None]
    files = [r.files for r in results if r.files is not None]
    return Applied(
        session=after.name,
        step=after.step,
        commit=after.tip,
        tree=after.tree,
        changes=changes_between(ws.repository, before.tree, after.tree, staged.outcome),
        ops=[to_json(result) for result in results],
        overlaps=overlaps(ws, after),
        unchanged=True if after.tip == before.tip else None,
        dry_run=dry_run or None,
        replaced=sum(replaced) if replaced else None,
        files=sum(files) if files else None,
    )


def overlaps(ws: Workspace, session: Session) -> list[Overlap]:
    """The other open sessions that change paths which this one changes."""
    mine: set[bytes] | None = None
    found = []
    for other in sessions.every(ws):
        if other.name == session.name or other.tree == other.base_tree:
            continue
        if mine is None:
            mine = changed_paths(ws.repository, session)
        shared = sorted(ws.repository.trees.differing(other.base_tree, other.tree, mine))
        if shared:
            found.append(Overlap(other.name, [paths.display(path) for path in shared]))
    return found


def changed_paths(repository: Repository, session: Session) -> set[bytes]:
    """The paths at which a session differs from its base."""
    return {d.path for d in repository.trees.differences(session.base_tree, session.tree)}


def changes_between(
    repository: Repository, old: str, new: str, outcome: Outcome | None = None
) -> list[Change]:
    """The paths at which two trees differ, with line counts."""
    made = outcome.files if outcome else {}
    return [
        _change(repository, difference, made.get(difference.path))
        for difference in repository.trees.differences(old, new)
    ]


def _change(repository: Repository, difference: Difference, made: File | None) -> Change:
    path, old, new = difference
    before = _content(repository, old)
    after = made.data if made else _content(repository, new)
    counts = linediff.count(before, after)
    shown = paths.display(path)
    return Change(
        path=shown,
        status=status_letter(old, new),
        old_oid=old.oid if old else None,
        new_oid=new.oid if new else None,
        added=counts[0] if counts else None,
        removed=counts[1] if counts else None,
        mode=f"{new.mode:o}" if new and (old is None or old.mode != new.mode) else None,
        path_b64=path_b64(path, shown),
    )


def _content(repository: Repository, entry: Entry | None) -> bytes:
    if entry is None:
        return b""
    found = repository.objects.find(entry.oid)
    return found.data if found is not None and found.kind == "blob" else entry.oid.encode()


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
            if entry.mode in (FILE, EXECUTABLE) and wanted(path)
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
        return timelimit.run(lambda: change(data), SUBSTITUTION_SECONDS)

    def _published(self) -> bool:
        """Whether git can see the session's tree (an exec's draft is still in the overlay)."""
        return self._ws.repository.store.read(self._tree) is not None


def overlay(ws: Workspace, tree: str) -> Overlay:
    """A tree's files to look at, with no scope."""
    return Overlay(TreeView(ws, tree), lambda _path: None)
