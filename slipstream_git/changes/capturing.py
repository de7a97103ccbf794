"""Taking a person's uncommitted edits into a session, the worktree left as it is.

The edits are merged onto the session like anybody else's change: base is what the worktree's HEAD
has (or what was captured of the file before), theirs the file as `git add` would store it. The
step's journal holds the captured blob ids: a file that still equals one of them is not in a
landing's way, because the session has what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from slipstream_git.changes import (
    bounds,
    captures,
    chain,
    differences,
    freenames,
    overlapping,
    sessions,
    staging,
)
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.staging import Label
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, edited, locks, merge
from slipstream_git.gitdb.edited import Edit
from slipstream_git.gitdb.worktrees import owned
from slipstream_git.hints import Hint, command, of
from slipstream_git.model import GITLINK, Entry
from slipstream_git.results import Applied
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

_FILES_MESSAGE: Final = b"slip: the worktree's files as they were captured\n"


def capture(
    ws: Workspace, session: Session, wanted: Sequence[str], label: Label, *, untracked: bool
) -> Applied:
    """Capture edits of the current worktree as one step. Raises `conflict`, `path-denied`, …"""
    if ws.repository.layout.root is None:
        raise SlipError("unsupported", "there is no worktree here to capture")
    _, head = ws.repository.head()
    if owned.read(ws.repository.layout.git_dir) is not None:
        from slipstream_git.changes import ownworktree

        head = ownworktree.given(ws, session, head)
    head_tree = commits.tree_of(ws.repository.objects, head)
    named = [_rooted(paths.from_text(path)) for path in wanted]
    with locks.held(ws.repository.layout):  # no landing half way through these files
        found = edited.edits(ws.repository, head, named, untracked=untracked or bool(named))
    _check_named(ws, head_tree, named, found)
    if ws.repository.trees.lookup(head_tree, b".gitmodules") is not None:
        for path in edited.moved_submodules(ws.repository, head, named):
            ws.notify(f"{paths.display(path)}: a submodule's commit is not captured")
    bounds.check_captured(ws, found)
    permit = Permit(ws, session)
    for path, _ in found:
        if ws.repository.trees.lookup(head_tree, path) is None:
            paths.check(path)
        permit.path(path)
    since = captures.captured_since(ws, session, head)
    base, theirs = _sides(ws, head_tree, found, since)
    merged = merge.three_way(ws.repository, base, session.tree, theirs, ws.clock())
    if merged.conflicts:
        from slipstream_git.changes import conflicts

        raise conflicts.error(
            ws,
            merged.conflicts,
            "edits of this worktree conflict with the session's",
            conflicts.Meeting(
                session.onto, None, head, session.name, "this worktree",
                trees=(base, session.tree, theirs), other=session,
            ),
            advice="; a session of its own can take them and land, and this one be rebased then",
            hint=_own_session(ws, session, [conflict.path for conflict in merged.conflicts]),
        )  # fmt: skip
    return _step(ws, session, merged.tree, theirs, found, label)


def _own_session(ws: Workspace, session: Session, wanted: Sequence[bytes]) -> Hint:
    """Commands that take these edits into another session, which lands where this one does."""
    name = freenames.beside(ws, session.name)
    onto = (session.onto or "").removeprefix(sessions.BRANCHES)
    begin = of("slip", "begin", name, *(["--onto", onto] if onto else []))
    return begin.then(command(["slip", "capture", "-s", name], wanted))


def _sides(
    ws: Workspace,
    head_tree: str,
    found: Sequence[Edit],
    before: Mapping[bytes, Sequence[Entry | None]],
) -> tuple[str, str]:
    """The trees to merge from and to: HEAD's, with what was captured before as the base."""
    trees = ws.repository.trees
    known = {path: before[path][-1] for path, _ in found if path in before}
    usable = {
        path: entry
        for path, entry in known.items()
        if entry is None or ws.repository.objects.find(entry.oid) is not None
    }
    theirs = trees.splice(head_tree, dict(found))
    return trees.splice(head_tree, usable), theirs


def _rooted(path: bytes) -> bytes:
    """A path as it was named, which must not leave the worktree's root."""
    if path.startswith(b"/") or b".." in path.split(b"/"):
        raise SlipError(
            "bad-path", f"{paths.display(path)}: paths are told from the root of the repository"
        )
    return path


def _check_named(
    ws: Workspace, head_tree: str, named: Sequence[bytes], found: Sequence[Edit]
) -> None:
    trees = ws.repository.trees
    for path in named:
        entry = trees.lookup(head_tree, path.rstrip(b"/"))
        if entry is not None and entry.mode == GITLINK:
            raise SlipError("unsupported", f"{paths.display(path)} is a submodule")
        below = path.rstrip(b"/") + b"/"
        if any(edit.path == path or edit.path.startswith(below) for edit in found):
            continue
        if entry is None and path not in (b"", b"."):
            raise SlipError(
                "missing",
                f"{paths.display(path)} is neither tracked nor a new file (or is ignored)",
            )


def _step(
    ws: Workspace, session: Session, tree: str, theirs: str, found: Sequence[Edit], label: Label
) -> Applied:
    known = captures.captured(ws, session)
    news = [edit for edit in found if edit.entry not in known.get(edit.path, ())]
    if tree == session.tree and not news:
        return met(ws, told(ws, session, session), session, session)
    Permit(ws, session).step(tree)
    bounds.check_steps(ws, session.name, session.step)
    facts = staging.labelled(ws, session, label)
    journal = [captures.journal_row(edit) for edit in found]
    subject = ", ".join(paths.display(edit.path) for edit in found)
    # Merged, the tree may not hold what the files held: a second parent keeps that from gc.
    files = commits.encode(theirs, (), ws.signature(), ws.signature(), _FILES_MESSAGE)
    parents = (session.tip, ws.repository.objects.write("commit", files))
    tip = chain.write_step(ws, tree, parents, facts, journal, subject)
    # Before anything moves: it reads files, one of which may be broken.
    after = session._replace(tip=tip, tree=tree, step=session.step + 1)
    answer = told(ws, session, after)
    bounds.check_quota(ws)
    if not staging.advance(ws, session, tip):
        raise SlipError("ref-moved", f"session {session.name} moved meanwhile", hint="slip capture")
    return met(ws, answer, session, after)


def told(ws: Workspace, before: Session, after: Session) -> Applied:
    """The reply for a step that was not made of ops; what it meets is told when it stands."""
    return Applied(
        session=after.name,
        step=after.step,
        commit=after.tip,
        tree=after.tree,
        changes=differences.changes_between(ws.repository, before.tree, after.tree),
        ops=[],
        overlaps=[],
        unchanged=True if before.tip == after.tip else None,
    )


def met(ws: Workspace, answer: Applied, before: Session, after: Session) -> Applied:
    """The same reply, with the other sessions that are at work on these paths."""
    return answer._replace(overlaps=overlapping.overlaps(ws, after, before))
