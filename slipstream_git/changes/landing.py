"""Landing: a session becomes one commit on its branch, as `git` would have made it.

The order of effects is the body of `_publish`: everything that can fail is computed before the
first visible effect; the branch is locked while the worktrees' files are brought along, and moves
when they are. Killed at any point, recovery finds the intent and finishes or takes back
(docs/adr/0005-order-of-landing.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from slipstream_git.changes import (
    bringing,
    chain,
    conflicts,
    messages,
    provenance,
    recovery,
    refusals,
    sessions,
    staging,
)
from slipstream_git.changes.messages import Identity, Message
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, commits, locks, merge, transaction
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.worktrees import Worktree, Writer, list_worktrees
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


class Plan(NamedTuple):
    """A landing computed, nothing done yet. ``head`` is None for a branch to be created."""

    session: Session
    branch: str
    head: str | None
    head_tree: str
    tree: str
    engine: str | None
    commit: str
    moves: tuple[RefMove, ...]
    message: bytes


def check(ws: Workspace, options: Options) -> None:
    """Refuse what cannot land whatever the session holds; nothing is computed yet."""
    repository = ws.repository
    refusals.check_hooks(repository, no_verify=options.no_verify)
    refusals.check_signing(repository, sign=options.sign)
    if not options.no_checkout:
        refusals.check_sparse(repository)
    identity = messages.identity(repository, options.message)
    messages.text(repository, options.message, identity)
    if options.onto is not None:
        sessions.branch_ref(ws, options.onto)


def commit(ws: Workspace, session: Session, options: Options) -> Landed:
    """Land a session. Raises `conflict`, `dirty`, `ref-moved`, …; then nothing has moved."""
    check(ws, options)
    with locks.held(ws.repository.layout.slip_dir):
        recovery.finish_all(ws)
        for _ in range(TRIES):
            plan = _plan(ws, session, options)
            if plan is None:
                ws.repository.objects.discard()
                return _nothing(session)
            if options.dry_run:
                ws.repository.objects.discard()
                return _told(ws, plan, options, worktrees=())
            try:
                with bringing.hinting_at(session):
                    worktrees = _publish(ws, plan, options)
            except SlipError as fault:
                ws.repository.objects.discard()
                if fault.code != "ref-moved":
                    raise
                session = sessions.load(ws, session.name)
                continue
            return _told(ws, plan, options, worktrees)
    raise SlipError(
        "ref-moved", f"{options.onto or session.onto} kept moving; {TRIES} tries were lost"
    )


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
    return Landed(wanted, committed=True, already=True, commit=facts.landed)


# What will happen --------------------------------------------------------------------------------


def _plan(ws: Workspace, session: Session, options: Options) -> Plan | None:
    """The commit to be, in the overlay; None when it would change nothing."""
    repository = ws.repository
    branch = _branch(ws, session, options)
    head = repository.store.ref(branch)
    refusals.check_gates(repository, head or session.base, check=options.check)
    # A branch that does not exist yet starts at the session's base.
    start = head or session.base
    head_tree = commits.parse(start, repository.objects.commit(start)).tree if start else EMPTY_TREE
    merged = merge.three_way(repository, session.base_tree, head_tree, session.tree, ws.clock())
    if merged.conflicts:
        raise conflicts.error(
            ws,
            merged.conflicts,
            f"{session.name} conflicts with {branch.removeprefix(sessions.BRANCHES)}",
            onto=branch,
            onto_commit=head,
            base=session.base,
            hint=f"slip diff -s {session.name}",
        )
    if merged.tree == head_tree and start is not None:
        return None
    if merged.tree == head_tree == EMPTY_TREE:
        return None
    _check_content(ws, head_tree, merged.tree)
    identity = messages.identity(repository, options.message)
    text = messages.text(repository, options.message, identity)
    oid = _commit_object(ws, session, start, merged.tree, identity, text, options)
    moves = _moves(ws, session, branch, head, oid, options)
    engine = merged.engine if head != session.base else None
    return Plan(session, branch, head, head_tree, merged.tree, engine, oid, moves, text)


def _branch(ws: Workspace, session: Session, options: Options) -> str:
    if options.onto is not None:
        return sessions.branch_ref(ws, options.onto)
    if session.onto is None:
        raise SlipError(
            "usage",
            f"{session.name} was begun on a detached HEAD; name the branch to land on",
            hint=f"slip commit -s {session.name} --onto BRANCH -m MESSAGE",
        )
    return session.onto


def _check_content(ws: Workspace, old: str, new: str) -> None:
    paths = [d.path for d in ws.repository.trees.differences(old, new) if d.new is not None]
    refusals.check_filters(ws.repository, attributes.of_paths(ws.repository, new, paths))


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
    moves.append(provenance.noting(ws, session, oid, checked=options.check is not False))
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


# The order of effects ----------------------------------------------------------------------------


def _publish(ws: Workspace, plan: Plan, options: Options) -> Sequence[Worktree]:
    """Make a plan true: objects, intent, locked refs, files, refs. The branch's worktrees."""
    repository = ws.repository
    sync = not options.no_sync
    worktrees = _checked_out(ws, plan.branch)
    brought = () if options.no_checkout else worktrees
    placements = bringing.placements_between(repository, plan.head_tree, plan.tree)
    token = ws.token()
    writers = bringing.writers(
        ws, plan.session, placements, brought, tree=plan.tree, token=token, index=True, sync=sync
    )
    _adopt(ws, plan)
    kept = repository.objects.publish(sync=sync)
    try:
        intent = recovery.intended(
            ws,
            token=token,
            session=plan.session,
            moves=plan.moves,
            placements=placements,
            places=brought,
            index=True,
        )
        try:
            _move(ws, plan, writers)
        except BaseException as fault:
            if not recovery.landed_after_all(ws, plan.moves, fault):
                bringing.roll_back(writers)
                recovery.drop(intent)
                raise
        # It has landed. What cannot be tidied up now stays in the intent, for the next slip to do.
        with suppress(SlipError, OSError):
            bringing.settle(writers)
            recovery.finish_refs(repository, plan.moves)
            recovery.drop(intent)
        if sync:
            transaction.sync(repository.layout.common_dir, plan.moves)
    finally:
        kept.release()
    return worktrees


def _move(ws: Workspace, plan: Plan, writers: Sequence[Writer]) -> None:
    """The visible effects: refs locked, files and index moved, refs moved."""
    bringing.hold(writers)
    refs = transaction.prepared(ws.repository.git, plan.moves, _reflog_line(plan))
    with refs as prepared:
        bringing.place(writers)
        prepared.commit()


def _reflog_line(plan: Plan) -> str:
    subject = plan.message.split(b"\n", 1)[0].decode("utf-8", "replace")
    return f"slip: {subject}"


def _checked_out(ws: Workspace, branch: str) -> list[Worktree]:
    return [
        worktree
        for worktree in list_worktrees(ws.repository.git)
        if worktree.branch == branch and not worktree.bare and not worktree.prunable
    ]


def _adopt(ws: Workspace, plan: Plan) -> None:
    """Take every new object that the commit reaches into the pack about to be written.

    The session's own packs were not synced, and another process may have broken them: what is
    acknowledged as landed is read back, hashed again and written with the commit.
    """
    objects = ws.repository.objects
    for oid in ws.repository.trees.additions(plan.head_tree, plan.tree):
        found = objects.read(oid)
        if objects.write(found.kind, found.data) != oid:
            raise SlipError("git-failed", f"object {oid} is broken", hint="git fsck")


# What is told ------------------------------------------------------------------------------------


def _nothing(session: Session) -> Landed:
    return Landed(
        session.name, committed=False, reason="the branch already has everything in this session"
    )


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
        changes=staging.changes_between(ws.repository, plan.head_tree, plan.tree),
        checkout=checkout,
        behind_worktrees=[w.root for w in worktrees] if options.no_checkout else None,
        gates=[],
        hooks=[],
        dry_run=options.dry_run or None,
    )
