"""The order of effects of a landing: what is done when, and what a death in between leaves.

Everything that can be refused is refused in `ready`. Then `publish`: objects, intent, index locks,
refs locked, files and index moved, refs moved, intent gone. docs/adr/0005-order-of-landing.md
argues it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slipstream_git.changes import bringing, hooks, recovery
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import checkouts, transaction
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.worktrees import Placement, Worktree, Writer
from slipstream_git.workspace import Workspace


class Target(NamedTuple):
    """What a branch shall hold. ``head`` is None for a branch to be created."""

    session: Session
    branch: str
    head: str | None
    head_tree: str
    tree: str


class Plan(NamedTuple):
    """A landing computed, nothing done yet. ``moves``: the branch's first."""

    target: Target
    commit: str
    moves: tuple[RefMove, ...]
    subject: str


class Ready(NamedTuple):
    """A plan with nothing in its way: the worktrees that have the branch, and their writers.

    ``worktrees`` without ``writers`` are left behind on purpose, ``absent`` ones, whose directory
    is not there, because nothing else can be done.
    """

    worktrees: Sequence[Worktree]
    writers: Sequence[Writer]
    placements: Sequence[Placement]
    token: str
    absent: Sequence[Worktree]


def ready(ws: Workspace, target: Target, *, checkout: bool, sync: bool = True) -> Ready:
    """Look whether the worktrees can follow. Raises `dirty` or `locked`; nothing is changed."""
    everywhere = bringing.every_worktree(ws)
    for worktree in everywhere:
        under_way = checkouts.under_way_on(worktree, target.branch)
        if under_way:
            raise SlipError(
                "dirty",
                f"{under_way} of {target.branch.removeprefix('refs/heads/')} is under way in "
                f"{worktree.root}",
                hint="git status",
            )
    worktrees = _having(everywhere, target.branch)
    placements = bringing.placements_between(ws.repository, target.head_tree, target.tree)
    token = ws.token()
    writers = bringing.writers(
        ws,
        target.session,
        placements,
        worktrees if checkout else (),
        tree=target.tree,
        token=token,
        index=True,
        sync=sync,
    )
    absent = [w for w in everywhere if w.branch == target.branch and w.prunable]
    return Ready(worktrees, writers, placements, token, absent)


def _having(worktrees: Sequence[Worktree], branch: str) -> list[Worktree]:
    return [w for w in worktrees if w.branch == branch and not w.bare and not w.prunable]


def publish(ws: Workspace, plan: Plan, found: Ready, *, sync: bool) -> list[str]:
    """Make a plan true. What is wrong after it has landed is told in lines, and no failure.

    Raises `ref-moved`, `dirty`, `locked` or `git-failed`; then all is as before.
    """
    repository = ws.repository
    _adopt(ws, plan)
    kept = repository.objects.publish(sync=sync)
    try:
        intent = recovery.intended(
            ws,
            token=found.token,
            session=plan.target.session,
            moves=plan.moves,
            placements=found.placements,
            places=[writer.worktree for writer in found.writers],
            index=True,
        )
        try:
            _move(ws, plan, found)
        except BaseException as fault:
            if not recovery.landed_after_all(ws, intent, plan.moves, fault):
                left = bringing.roll_back(found.writers)
                recovery.drop(intent)
                if left and isinstance(fault, SlipError):
                    fault.message += f" (left as it is: {'; '.join(left)})"
                raise
        return _concluded(ws, plan, found, intent, sync=sync)
    finally:
        kept.release()


def _adopt(ws: Workspace, plan: Plan) -> None:
    """Take every new object that the commit reaches into the pack about to be written.

    The session's own packs were not synced, and another process may have broken them: what is
    acknowledged as landed is read back, hashed again and written with the commit.
    """
    objects = ws.repository.objects
    for oid in ws.repository.trees.additions(plan.target.head_tree, plan.target.tree):
        found = objects.read(oid)
        if objects.write(found.kind, found.data) != oid:
            raise SlipError("git-failed", f"object {oid} is broken", hint="git fsck")


def _move(ws: Workspace, plan: Plan, found: Ready) -> None:
    """The visible effects: refs locked, files and index moved, refs moved."""
    bringing.hold(found.writers)
    with transaction.prepared(_ref_mover(ws), plan.moves, f"slip: {plan.subject}") as refs:
        # The branch cannot move now; but somebody may have switched to it or away meanwhile.
        there = _having(bringing.every_worktree(ws), plan.target.branch)
        if [w.git_dir for w in there] != [w.git_dir for w in found.worktrees]:
            raise SlipError("ref-moved", f"{plan.target.branch} was checked out or left meanwhile")
        bringing.place(found.writers)
        refs.commit()


def _ref_mover(ws: Workspace) -> Git:
    """The git that moves the refs; the repository's `reference-transaction` has its say."""
    repository = ws.repository
    if not hooks.exists(repository, hooks.REFS):
        return repository.git
    git_dir = repository.layout.git_dir
    return repository.trusting(git_dir).inside(git_dir)


def _concluded(ws: Workspace, plan: Plan, found: Ready, intent: str, *, sync: bool) -> list[str]:
    """Tidy up after a landing. What cannot be tidied stays in the intent, for the next slip."""
    warnings, unsettled = bringing.settle(found.writers)
    warnings += [
        f"landed; {worktree.root} has the branch checked out and is not there now: what comes back"
        " of it is behind"
        for worktree in found.absent
    ]
    try:
        if unsettled is not None:
            raise unsettled
        recovery.finish_refs(ws.repository, plan.moves)
        recovery.drop(intent)
    except (SlipError, OSError) as fault:
        warnings.append(f"landed; the next slip will tidy up after it ({fault})")
    if sync:
        try:
            transaction.sync(ws.repository.layout.common_dir, plan.moves)
        except SlipError as fault:
            warnings.append(fault.message)
    return warnings
