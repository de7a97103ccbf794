"""Staging: a batch of ops becomes one step of a session's chain, or nothing at all.

The whole batch is computed in bytes first; then blobs, the trees along changed paths and the
step's commit go to disk as one pack, and one compare-and-swap moves the session's ref. When
another process moved it meanwhile, the batch is computed again on what is there now.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.changes import (
    bounds,
    chain,
    differences,
    overlapping,
    sessions,
    telling,
    views,
    wording,
)
from slipstream_git.changes.chain import Facts
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import TREE, Entry, Op
from slipstream_git.records import NamedTuple
from slipstream_git.results import Applied
from slipstream_git.text import edits
from slipstream_git.text.edits import Outcome
from slipstream_git.text.objectid import blob_id
from slipstream_git.workspace import Workspace


class Label(NamedTuple):
    """How a step is marked: what made it, for which group of the series, by whom."""

    kind: str = "apply"
    group: str = ""
    agent: str = ""


def labelled(ws: Workspace, session: Session, label: Label) -> Facts:
    """The facts of the session's next step. Raises `secret` for a label that holds one."""
    said = {"label of the step": label.group, "name of the agent": label.agent}
    wording.check(ws, session.onto, session.base, said)
    return next_facts(session, label)


def next_facts(session: Session, label: Label) -> Facts:
    """The same, whatever the label holds: that of a commit was not given by who adopts it."""
    return Facts(
        session=session.name,
        step=session.step + 1,
        kind=label.kind,
        begin=session.begin,
        group=chain.one_line(label.group),
        agent=chain.one_line(label.agent),
        unresolved=session.unresolved,
    )


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
    """Stage a batch on an open session. Raises what its ops raise, `quota` or `ref-moved`."""
    for now in sessions.tries(ws, session):
        staged = stage(ws, now, ops, label)
        # Before anything moves: it reads files, one of which may be broken.
        answer = told(ws, staged, dry_run=dry_run)
        if dry_run:
            return met(ws, answer, staged)
        if staged.session.tip == now.tip:
            return met(ws, answer, staged)
        bounds.check_quota(ws)
        if advance(ws, now, staged.session.tip):
            return met(ws, answer, staged)
    raise sessions.kept_moving(f"session {session.name}")


def stage(ws: Workspace, session: Session, ops: Sequence[Op], label: Label) -> Staged:
    """Compute a batch on a session, everything in the overlay, nothing on disk."""
    repository = ws.repository
    permit = Permit(ws, session)
    try:
        view = views.TreeView(ws, session.tree, session)
        outcome = edits.apply_all(ops, view, permit.path, bounds.file_bytes(ws))
    except SlipError as fault:
        from slipstream_git.changes import repeats  # only a failing batch pays for it

        permit.advise(fault)
        raise repeats.shortened(ws, (session.name, label.agent), ops, fault) from None
    tree = repository.trees.splice(session.tree, entries(repository, session, outcome))
    if tree == session.tree:
        return Staged(session, session, outcome)
    permit.step(tree)
    bounds.check_steps(ws, session.name, session.step)
    facts = labelled(ws, session, label)
    journal = chain.ops_journal(repository, tree, ops)
    tip = chain.write_step(ws, tree, (session.tip,), facts, journal, chain.ops_subject(ops))
    after = session._replace(tip=tip, tree=tree, step=session.step + 1)
    return Staged(after, session, outcome)


def entries(
    repository: Repository, session: Session, outcome: Outcome
) -> dict[bytes, Entry | None]:
    """Tree entries for the files that differ from the session's, their blobs in the overlay."""
    changes: dict[bytes, Entry | None] = {}
    for path, file in outcome.files.items():
        old = repository.trees.lookup(session.tree, path)
        new = None if file is None else Entry(file.mode, blob_id(file.data))
        if new == old or (new is None and (old is None or old.mode == TREE)):
            continue
        if file is not None and new is not None and (old is None or old.oid != new.oid):
            repository.objects.write("blob", file.data, new.oid)
        changes[path] = new
    return changes


def advance(ws: Workspace, session: Session, tip: str) -> bool:
    """Publish the overlay and move the session's ref to ``tip``; False when it had moved."""
    kept = ws.repository.objects.publish()
    try:
        sessions.move(ws, [RefMove(session.ref, session.tip, tip)], f"slip: step of {session.name}")
    except SlipError as fault:
        if fault.code != "ref-moved":
            raise
        if ws.repository.store.ref(session.ref) is None:
            raise sessions.missing(ws, session.name) from None
        return False
    finally:
        kept.release()
    telling.stepped(ws, session, tip)
    return True


def told(ws: Workspace, staged: Staged, *, dry_run: bool = False) -> Applied:
    """The reply for a staged batch, but for its overlaps: see `met`."""
    before, after = staged.before, staged.session
    results = staged.outcome.results
    replaced = [r.replaced for r in results if r.replaced is not None]
    files = [r.files for r in results if r.files is not None]
    return Applied(
        session=after.name,
        step=after.step,
        commit=after.tip,
        tree=after.tree,
        changes=differences.changes_between(ws.repository, before.tree, after.tree, staged.outcome),
        ops=[to_json(result) for result in results],
        overlaps=[],
        unchanged=True if after.tip == before.tip else None,
        dry_run=dry_run or None,
        replaced=sum(replaced) if replaced else None,
        files=sum(files) if files else None,
    )


def met(ws: Workspace, answer: Applied, staged: Staged) -> Applied:
    """The reply with whom the session meets.

    Looked up when the step is visible: of two that meet at one moment the later knows of it.
    """
    kept = not answer.dry_run
    return answer._replace(
        overlaps=overlapping.overlaps(ws, staged.session, staged.before, kept=kept)
    )
