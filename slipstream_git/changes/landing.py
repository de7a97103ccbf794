"""Landing: a session becomes one commit on its branch, as `git` would have made it.

Here the landing is computed: the merge, the commit, the refs that move. Nothing is visible until
publishing.py makes it so, in its order.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from slipstream_git.changes import (
    bringing,
    chain,
    conflicts,
    differences,
    messages,
    normalising,
    provenance,
    publishing,
    recovery,
    refusals,
    sessions,
)
from slipstream_git.changes.messages import Identity, Message
from slipstream_git.changes.publishing import Plan
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, locks, merge
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.worktrees import Worktree
from slipstream_git.model import EMPTY_TREE
from slipstream_git.outcomes import Landed
from slipstream_git.workspace import Workspace

TRIES = 16


class Options(NamedTuple):
    """How to land."""

    message: Message
    onto: str | None = None
    check: bool | None = None
    sign: bool | None = None
    no_verify: bool = False
    no_checkout: bool = False
    keep: bool = False
    no_sync: bool = False
    merge: bool = False
    dry_run: bool = False


def check(ws: Workspace, options: Options) -> None:
    """Refuse what cannot land whatever the session holds; nothing is computed yet."""
    repository = ws.repository
    refusals.check_hooks(repository, no_verify=options.no_verify)
    refusals.check_signing(repository, sign=options.sign)
    identity = messages.identity(repository, options.message)
    messages.text(repository, options.message, identity)
    if options.onto is not None:
        sessions.branch_ref(ws, options.onto)


def commit(ws: Workspace, session: Session, options: Options) -> Landed:
    """Land a session. Raises `conflict`, `dirty`, `ref-moved`, …; then nothing has moved."""
    check(ws, options)
    with locks.held(ws.repository.layout.slip_dir):
        if not options.dry_run:
            recovery.finish_all(ws)
        for _ in range(TRIES):
            try:
                return _landed(ws, session, options)
            except SlipError as fault:
                if fault.code != "ref-moved":
                    raise
            finally:
                ws.repository.objects.discard()
            session = sessions.load(ws, session.name)
    raise SlipError(
        "ref-moved", f"{options.onto or session.onto} kept moving; {TRIES} tries were lost"
    )


def _landed(ws: Workspace, session: Session, options: Options) -> Landed:
    """One try: plan, look, publish."""
    plan = _plan(ws, session, options)
    if plan is None:
        return _nothing(session)
    sync = not options.no_sync
    with bringing.hinting_at(ws, session):
        found = publishing.ready(ws, plan, checkout=not options.no_checkout, sync=sync)
        told = _told(ws, plan, options, found.worktrees)
        if options.dry_run:
            return told
        warnings = [*plan.normalised, *publishing.publish(ws, plan, found, sync=sync)]
    return told._replace(warnings=warnings or None)


def landed_already(ws: Workspace, name: str | None) -> Landed | None:
    """The answer for a session that has landed and is closed; None for every other."""
    wanted = ws.default_session if name is None else name
    if not wanted or ws.repository.store.ref(sessions.OPEN + wanted) is not None:
        return None
    numbers = sessions.closed_numbers(ws, wanted)
    if not numbers:
        return None
    facts = chain.read_step(ws.repository, numbers[max(numbers)]).facts
    if not facts.landed:
        return None
    landed = facts.landed
    return Landed(wanted, committed=True, old_head=None, engine=None, already=True, commit=landed)


# What will happen --------------------------------------------------------------------------------


def _plan(ws: Workspace, session: Session, options: Options) -> Plan | None:
    """The commit to be, in the overlay; None when it would change nothing."""
    repository = ws.repository
    branch = branch_of(ws, session, options)
    head = repository.store.ref(branch)
    refusals.check_gates(repository, head or session.base, check=options.check)
    # A branch that does not exist yet starts at the session's base.
    start = head or session.base
    head_tree = commits.parse(start, repository.objects.commit(start)).tree if start else EMPTY_TREE
    merged = merge.three_way(repository, session.base_tree, head_tree, session.tree, ws.clock())
    if merged.conflicts:
        raise _conflict(ws, session, branch, head, merged)
    tree, normalised = normalising.as_stored(ws, head_tree, merged.tree)
    if tree == head_tree and start is not None:
        return None
    if tree == head_tree == EMPTY_TREE:
        return None
    identity = messages.identity(repository, options.message)
    text = messages.text(repository, options.message, identity)
    oid = _commit_object(ws, session, start, tree, identity, text, options)
    moves = _moves(ws, session, branch, head, oid, options)
    engine = merged.engine if head != session.base else None
    subject = text.split(b"\n", 1)[0].decode("utf-8", "replace")
    return Plan(session, branch, head, head_tree, tree, engine, oid, moves, subject, normalised)


def branch_of(ws: Workspace, session: Session, options: Options) -> str:
    """The ref to move: the branch, or what it points to where it is a symbolic ref."""
    if options.onto:
        branch = sessions.branch_ref(ws, options.onto)
    elif session.onto is not None:
        branch = session.onto
    else:
        raise SlipError(
            "usage",
            f"{session.name} was begun on a detached HEAD; name the branch to land on",
            hint=f"slip commit -s {session.name} --onto BRANCH -m MESSAGE",
        )
    done = ws.repository.git.run("symbolic-ref", "-q", branch, accept=(0, 1, 128))
    return os.fsdecode(done.out).strip() if done.status == 0 else branch


def _conflict(
    ws: Workspace, session: Session, branch: str, head: str | None, merged: merge.Merge
) -> SlipError:
    name = branch.removeprefix(sessions.BRANCHES)
    return conflicts.error(
        ws,
        merged.conflicts,
        f"{session.name} conflicts with {name}",
        conflicts.Meeting(branch, head, session.base, name, session.name),
        advice=f"; begin again on {name} and apply there what the session changes, made to fit",
        hint=f"slip begin --base {name} --onto {name} && slip diff -s {session.name}",
    )


def _commit_object(
    ws: Workspace,
    session: Session,
    parent: str | None,
    tree: str,
    identity: Identity,
    text: bytes,
    options: Options,
) -> str:
    parents = [parent] if parent else []
    if options.merge:
        parents.append(session.tip)
    data = commits.encode(tree, tuple(parents), identity.author, identity.committer, text)
    return ws.repository.objects.write("commit", data)


def _moves(
    ws: Workspace, session: Session, branch: str, head: str | None, oid: str, options: Options
) -> tuple[RefMove, ...]:
    """Every ref that the landing moves: the branch, the session's, and the provenance note."""
    moves = [RefMove(branch, head, oid)]
    if not options.keep:
        moves += _closing(ws, session, oid)
    moves.append(provenance.noting(ws, session, oid, unchecked=options.check is False))
    return tuple(moves)


def _closing(ws: Workspace, session: Session, oid: str) -> list[RefMove]:
    """The session's chain goes on under `closed`, its last step saying where it landed."""
    facts = chain.Facts(
        session=session.name,
        step=session.step,
        kind="landed",
        begin=session.begin,
        landed=oid,
    )
    last = chain.write_step(ws, session.tree, (session.tip,), facts)
    opened, closed = sessions.closing(ws, session)
    return [opened, closed._replace(new=last)]


# What is told ------------------------------------------------------------------------------------


def _nothing(session: Session) -> Landed:
    reason = "the branch already has everything in this session"
    return Landed(session.name, committed=False, old_head=None, engine=None, reason=reason)


def _told(ws: Workspace, plan: Plan, options: Options, worktrees: Sequence[Worktree]) -> Landed:
    checkout = "not-checked-out"
    if worktrees:
        checkout = "skipped" if options.no_checkout else "updated"
    return Landed(
        session=plan.session.name,
        committed=not options.dry_run,
        commit=plan.commit,
        commits=[plan.commit],
        branch=plan.branch,
        old_head=plan.head,
        tree=plan.tree,
        merged=plan.engine is not None,
        engine=plan.engine,
        changes=differences.changes_between(ws.repository, plan.head_tree, plan.tree),
        checkout=checkout,
        behind_worktrees=[w.root for w in worktrees] if options.no_checkout else None,
        gates=[],
        hooks=[],
        dry_run=options.dry_run or None,
        warnings=plan.normalised or None,
    )
