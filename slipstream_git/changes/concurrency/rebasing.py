"""`slip rebase`: a session moved onto the new head of its branch.

What merges is merged as git does it, what does not becomes data of the session and is resolved
later. The chain as it was is kept under `closed`, by the same ref transaction that puts the new one
in its place, so a rebase is taken back by `slip abort` and `slip reopen NAME@N`.

A session that has paths left to be decided is not rebased again: its tree holds the branch's side
at those paths, which a second merge would take for what the session wants.
"""

from __future__ import annotations

from slipstream_git import hints
from slipstream_git.changes import (
    bounds,
    chain,
    closing,
    differences,
    resolutions,
    sessions,
    telling,
    unresolved,
)
from slipstream_git.changes.concurrency import rebuilding, settling
from slipstream_git.changes.concurrency.settling import Inputs, Settled
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.unresolved import Unresolved
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, commits, merge
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.meetings import Rebased
from slipstream_git.model import Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.text.objectid import blob_id
from slipstream_git.workspace import Workspace


class Place(NamedTuple):
    """Where a session is moved to: the branch as it is now."""

    branch: str
    head: str
    tree: str


class _Plan(NamedTuple):
    """The new chain, in the overlay."""

    tip: str
    replayed: bool
    remembered: tuple[bytes, ...] = ()


def rebase(
    ws: Workspace,
    session: Session,
    onto: str | None,
    *,
    recall: bool,
    there: str | None = None,
) -> Rebased:
    """Move a session onto the head of its branch, or of another one, which becomes its own.

    recall: settle conflicts as they were settled before. there: what the branch holds elsewhere,
    which is what it is moved onto then; the branch here may lack it. Raises `missing`, `conflict`
    where paths are left from the last time, `ref-moved`, `quota`: nothing has changed then.
    """
    for now in sessions.tries(ws, session):
        place = _place(ws, now, onto, there)
        if place is None or (place.head == now.base and place.branch == now.onto):
            return _unmoved(ws, now, place)
        unresolved.check(ws, now, "rebased")
        try:
            with attributes.remembering(ws.repository):
                plan = _planned(ws, now, place, recall=recall)
            bounds.check_quota(ws)
            kept = _published(ws, now, plan)
        except SlipError as fault:
            if fault.code != "ref-moved":
                raise
            continue
        finally:
            ws.repository.objects.discard()
        return _told(ws, now, plan, kept)
    raise sessions.kept_moving(f"session {session.name}")


def _place(ws: Workspace, session: Session, onto: str | None, there: str | None) -> Place | None:
    """The branch and its head; None for one that the landing makes and that is not there yet."""
    branch = session.onto if onto is None else sessions.branch_ref(ws, onto)
    if branch is None:
        raise SlipError(
            "usage",
            f"{session.name} was begun on a detached HEAD; name the branch to move it onto",
            hint=f"slip rebase -s {session.name} --onto BRANCH",
        )
    head = there or ws.repository.store.ref(ws.repository.pointed_at(branch))
    if head is None:
        if session.makes_onto and onto is None:
            return None
        name = branch.removeprefix(sessions.BRANCHES)
        raise SlipError(
            "missing",
            f"there is no branch {name} to move {session.name} onto",
            hint=None
            if onto
            else hints.of("slip", "commit", "-s", session.name, "--onto", name, *hints.MESSAGE),
        )
    commit = commits.parse(head, ws.repository.objects.commit(head))
    return Place(branch, head, commit.tree)


def _planned(ws: Workspace, session: Session, place: Place, *, recall: bool) -> _Plan:
    begin = _begin(ws, session, place)
    inputs = Inputs(session.base_tree, place.tree, session.tree)
    merged = merge.three_way(ws.repository, *inputs, ws.clock())
    steps, _ = chain.effective(sessions.steps(ws, session))
    start = rebuilding.Start(session.name, begin, place.tree, session.base_tree)
    if not merged.conflicts:
        tip = rebuilding.replayed(ws, start, steps, merged.tree)
        if tip is not None:
            return _Plan(tip, replayed=True)
        settled = Settled(merged.tree, {})
    else:
        settled = settling.settled(ws, inputs, merged)
    recalled = _recalled(ws, session, settled) if recall else {}
    tree = ws.repository.trees.splice(settled.tree, recalled)
    left = [path for path in settled.conflicts if path not in recalled]
    journal = [unresolved.conflict_row(item) for item in settled.conflicts.values()]
    journal += [unresolved.path_row(path, "remembered", e) for path, e in recalled.items()]
    subject = ", ".join(map(paths.display, left))
    tip = rebuilding.one_step(
        ws, start, steps, tree, session.tip, journal=journal, left=len(left), subject=subject
    )
    return _Plan(tip, replayed=False, remembered=tuple(recalled))


def _begin(ws: Workspace, session: Session, place: Place) -> str:
    """The begin commit of the new chain, with the facts of the old one."""
    facts = chain.read_step(ws.repository, session.begin).facts
    makes_onto = facts.makes_onto and place.branch == session.onto
    rebased = (*session.rebased, session.begin)
    facts = facts._replace(
        session=session.name, onto=place.branch, makes_onto=makes_onto, rebased=rebased
    )
    return chain.write_step(ws, place.tree, (place.head,), facts)


def _recalled(ws: Workspace, session: Session, settled: Settled) -> dict[bytes, Entry | None]:
    """What stands at the conflicts that were settled before."""
    found: dict[bytes, Entry | None] = {}
    for path, item in settled.conflicts.items():
        answer = resolutions.recalled(ws, item)
        if answer is None:
            continue
        entry = None
        if answer.file is not None:
            oid = blob_id(answer.file.data)
            entry = Entry(
                answer.file.mode, ws.repository.objects.write("blob", answer.file.data, oid)
            )
        if _is_free(ws, session, settled.tree, item, entry):
            found[path] = entry
    return found


def _is_free(
    ws: Workspace, session: Session, tree: str, item: Unresolved, entry: Entry | None
) -> bool:
    """Whether the session may put this there, and there is room for it."""
    try:
        if entry != item.ours:
            Permit(ws, session).path(item.path)
    except SlipError:
        return False
    return entry is None or ws.repository.trees.blocker(tree, item.path) is None


def _published(ws: Workspace, session: Session, plan: _Plan) -> str:
    """Put the new chain in the old one's place; the ref under which that is kept."""
    _, closed = sessions.closing(ws, session)
    moves = [closed, RefMove(session.ref, session.tip, plan.tip)]
    kept = ws.repository.objects.publish()
    try:
        closing.move_together(ws, moves, f"slip: rebase {session.name}")
    finally:
        kept.release()
    telling.rebased(ws, session, plan.tip)
    return closed.name


# What is told ------------------------------------------------------------------------------------


def _unmoved(ws: Workspace, session: Session, place: Place | None) -> Rebased:
    name = (session.onto or "").removeprefix(sessions.BRANCHES)
    return Rebased(
        session=session.name,
        rebased=False,
        base=session.base,
        onto=session.onto,
        tip=session.tip,
        tree=session.tree,
        steps=len(chain.effective(sessions.steps(ws, session))[0]),
        changes=differences.changes_between(ws.repository, session.base_tree, session.tree),
        conflicts=unresolved.listed(ws, session, unresolved.of(ws, session).values()),
        reason=f"{name} is where {session.name} stands" if place else f"{name} is not there yet",
    )


def _told(ws: Workspace, before: Session, plan: _Plan, kept: str) -> Rebased:
    session = sessions.at(ws, before.name, plan.tip)
    found = unresolved.of(ws, session)
    return Rebased(
        session=session.name,
        rebased=True,
        base=session.base,
        onto=session.onto,
        tip=session.tip,
        tree=session.tree,
        steps=session.step,
        changes=differences.changes_between(ws.repository, session.base_tree, session.tree),
        conflicts=unresolved.listed(ws, session, found.values()),
        old_base=before.base,
        kept=kept,
        single=None if plan.replayed else True,
        remembered=[paths.display(path) for path in plan.remembered] or None,
        hint=unresolved.hint(session, found) if found else None,
    )
