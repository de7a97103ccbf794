"""The order of effects of a landing: what is done when, and what a death in between leaves.

Everything that can be refused is refused in `ready`. Then `publish`: objects, intent, index locks,
refs locked, a barrier, files and index moved, refs moved, a barrier, intent gone.
docs/adr/0005-order-of-landing.md argues it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise

from slipstream_git.changes import bringing, hooks, recovery, telling
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import transaction
from slipstream_git.gitdb.barriers import Barrier
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.transaction import Mover
from slipstream_git.gitdb.worktrees import checkouts
from slipstream_git.gitdb.worktrees.jobs import Placement, Worktree
from slipstream_git.gitdb.worktrees.writer import Writer
from slipstream_git.model import TREE
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace


class Target(NamedTuple):
    """What a branch shall hold. ``head`` is None for a branch to be created.

    others: sessions that land with this one.
    """

    session: Session
    branch: str
    head: str | None
    head_tree: str
    tree: str
    others: tuple[Session, ...] = ()

    @property
    def sessions(self) -> tuple[Session, ...]:
        return (self.session, *self.others)


class Plan(NamedTuple):
    """A landing computed, nothing done yet. ``moves``: the branch's first.

    mover: what shall move the refs, see `waiting`. between: the trees of the commits between the
    branch's head and ``commit``, in order.
    """

    target: Target
    commit: str
    moves: tuple[RefMove, ...]
    subject: str
    mover: Mover | None = None
    between: tuple[str, ...] = ()


class Ready(NamedTuple):
    """What a landing brings along: the worktrees that have the branch, and their writers.

    ``worktrees`` without ``writers`` are left behind on purpose, ``absent`` ones, whose directory
    is not there, because nothing else can be done. heads: of all worktrees, from before they were
    listed. barrier: the writers', too.
    """

    heads: Mapping[str, bytes]
    worktrees: Sequence[Worktree]
    writers: Sequence[Writer]
    placements: Sequence[Placement]
    token: str
    barrier: Barrier
    absent: Sequence[Worktree]


def ready(ws: Workspace, target: Target, *, checkout: bool, sync: bool = True) -> Ready:
    """Look whether the worktrees can follow. Raises `dirty` or `locked`; nothing is changed."""
    found = _found(ws, target, checkout=checkout, sync=sync)
    bringing.preflight(found.writers)
    return found


def look(ws: Workspace, target: Target) -> None:
    """As `ready`, for somebody who only asks: no filter is run, and nobody is waited for."""
    for writer in _found(ws, target, checkout=True, sync=False).writers:
        writer.look()


def _found(ws: Workspace, target: Target, *, checkout: bool, sync: bool) -> Ready:
    """The worktrees of a branch and their writers, which have not looked yet. Raises `dirty`."""
    heads = checkouts.heads(ws.repository.layout.common_dir)
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
    token, barrier = ws.token(), Barrier(wanted=sync)
    writers = bringing.writers(
        ws,
        target.sessions,
        placements,
        worktrees if checkout else (),
        tree=target.tree,
        token=token,
        index=True,
        barrier=barrier,
    )
    absent = [w for w in everywhere if w.branch == target.branch and w.prunable]
    return Ready(heads, worktrees, writers, placements, token, barrier, absent)


def _having(worktrees: Sequence[Worktree], branch: str) -> list[Worktree]:
    return [w for w in worktrees if w.branch == branch and not w.bare and not w.prunable]


def publish(ws: Workspace, plan: Plan, found: Ready) -> list[str]:
    """Make a plan true. What is wrong after it has landed is told in lines, and no failure.

    Raises `ref-moved`, `dirty`, `locked` or `git-failed`; then all is as before.
    """
    _adopt(ws, plan)
    places = [writer.worktree for writer in found.writers]
    with found.barrier.over(recovery.disks(ws, places)):
        kept = ws.repository.objects.publish(found.barrier)
        try:
            intent = recovery.intended(
                ws,
                token=found.token,
                chains=plan.target.sessions,
                moves=plan.moves,
                placements=found.placements,
                places=places,
                index=True,
                barrier=found.barrier,
            )
            try:
                _move(ws, plan, found, intent)
            except BaseException as fault:
                if not recovery.landed_after_all(ws, intent, plan.moves, fault):
                    left = recovery.take_back(found.writers, intent, found.barrier)
                    if left and isinstance(fault, SlipError):
                        fault.message += f" (left as it is: {'; '.join(left)})"
                    raise
            warnings = _concluded(ws, plan, found, intent)
            telling.landed(ws, plan.target.sessions, plan.moves, plan.target.branch, plan.commit)
            return warnings
        finally:
            kept.release()


def _adopt(ws: Workspace, plan: Plan) -> None:
    """Take every new object that the commit reaches into the pack about to be written.

    The session's own packs were not synced, and another process may have broken them: what is
    acknowledged as landed is read back, hashed again and written with the commit.
    """
    objects = ws.repository.objects
    trees = (plan.target.head_tree, *plan.between, plan.target.tree)
    for before, after in pairwise(trees):
        for mode, oid in ws.repository.trees.added_entries(before, after):
            kind = "tree" if mode == TREE else "blob"
            data = objects.tree(oid) if mode == TREE else objects.blob(oid)
            if objects.write(kind, data) != oid:
                raise SlipError("git-failed", f"object {oid} is broken", hint="git fsck")


def _move(ws: Workspace, plan: Plan, found: Ready, intent: str) -> None:
    """The visible effects: refs locked, files and index moved, refs moved."""
    barrier = found.barrier
    bringing.hold(found.writers)
    with suppress(OSError):
        os.utime(intent)  # by its time `reflocks` knows the locks, and thousands of files take some
    with transaction.prepared(
        _ref_mover(ws),
        plan.moves,
        _reason(plan.subject),
        synced=barrier.needs_now(ws.repository.layout.common_dir),
        mover=plan.mover,
    ) as refs:
        # The branch cannot move now; but somebody may have switched to it or away meanwhile.
        _check_same_worktrees(ws, plan.target.branch, found)
        # From here on things get their names, in whatever order the disk learns of it: so their
        # content is there, and the objects, and the intent that brings them all to one end.
        barrier.raised()
        bringing.place(found.writers)
        refs.commit()


def _check_same_worktrees(ws: Workspace, branch: str, found: Ready) -> None:
    if checkouts.heads(ws.repository.layout.common_dir) == found.heads:
        return
    there = _having(bringing.every_worktree(ws), branch)
    if [w.git_dir for w in there] != [w.git_dir for w in found.worktrees]:
        raise SlipError("ref-moved", f"{branch} was checked out or left meanwhile")


@contextmanager
def waiting(ws: Workspace, subject: str, *, wanted: bool) -> Iterator[Mover | None]:
    """Where ``wanted``, the process that will move the refs of a landing with this subject.

    It is of use where syncs are left to a barrier, as they mostly are, and no hook is asked.
    """
    if not wanted or hooks.exists(ws.repository, hooks.REFS):
        yield None
        return
    mover = Mover(ws.repository.git, _reason(subject), synced=False)
    try:
        yield mover
    finally:
        mover.close()


def _reason(subject: str) -> str:
    return f"slip: {subject}"


def _ref_mover(ws: Workspace) -> Git:
    """The git that moves the refs; the repository's `reference-transaction` has its say."""
    repository = ws.repository
    if not hooks.exists(repository, hooks.REFS):
        return repository.git
    git_dir = repository.layout.git_dir
    return repository.trusting(git_dir).inside(git_dir)


def _concluded(ws: Workspace, plan: Plan, found: Ready, intent: str) -> list[str]:
    """Wait for the disk, and tidy up. What fails of it stays in the intent, for the next slip."""
    failed: SlipError | OSError | None = None
    try:
        recovery.finish_refs(ws.repository, plan.moves)
        transaction.leave(ws.repository.layout.common_dir, plan.moves, found.barrier)
        found.barrier.raised()
    except (SlipError, OSError) as fault:
        failed = fault
    warnings, unsettled = bringing.settle(found.writers)
    warnings += [
        f"landed; {worktree.root} has the branch checked out and is not there now: what comes back"
        " of it is behind"
        for worktree in found.absent
    ]
    failed = failed or unsettled
    try:
        if failed is not None:
            raise failed
        recovery.drop(intent)
    except (SlipError, OSError) as fault:
        warnings.append(f"landed; the next slip will tidy up after it ({fault})")
    return warnings
