"""Landings on a branch of another repository, by compare-and-swap there.

The sessions are merged onto what the branch holds there, and pushed as its next commits if it
still holds that. Who loses the race fetches, merges again and pushes again. What became of a push
is never taken from git's words: the other side is asked what the branch holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from slipstream_git import hints
from slipstream_git.changes import (
    asking,
    committing,
    landing,
    provenance,
    refusing,
    seriallanding,
    sessions,
    uncaptured,
)
from slipstream_git.changes.asking import Options
from slipstream_git.changes.concurrency import stacking
from slipstream_git.changes.concurrency.reporting import Fault, Item, Tally
from slipstream_git.changes.concurrency.stacking import Stack, Stage
from slipstream_git.changes.landing import Cleared, Order
from slipstream_git.changes.publishing import Ready
from slipstream_git.changes.seriallanding import Series
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, locks, pushes, remotes
from slipstream_git.gitdb.aheadrefs import looking_ahead
from slipstream_git.gitdb.barriers import NEVER
from slipstream_git.gitdb.pushes import Attempt, Part, Row
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.remotes import Remote
from slipstream_git.hints import Again
from slipstream_git.outcomes import Landed, Pushed
from slipstream_git.records import NamedTuple
from slipstream_git.sharing import following, recalling, recognising
from slipstream_git.sharing.following import Followed
from slipstream_git.sharing.pacing import Pace
from slipstream_git.workspace import Workspace

# Nobody's worktree is looked at before the other side has the commit.
_NOWHERE = Ready({}, (), (), (), "", NEVER, ())


class Goal(NamedTuple):
    """A branch of another repository, ``ref`` there, and the one here that goes with it."""

    remote: Remote
    ref: str
    branch: str

    @property
    def queue(self) -> str:
        """Those who push to it from here do so one after the other."""
        return self.remote.place("head", self.ref)

    @property
    def shown(self) -> str:
        return f"{self.ref.removeprefix(sessions.BRANCHES)} of {self.remote.shown}"


class Load(NamedTuple):
    """What would be pushed: a branch's next commits, of which ``commit`` is the last.

    commit: None where there is nothing to push. rows, parts, here: as `Attempt` has them. landed:
    what each session is told, and what follows in git's own way once it is there.
    """

    commit: str | None
    rows: tuple[Row, ...]
    landed: tuple[tuple[Landed, Callable[[Landed], Landed]], ...]
    skipped: Sequence[Landed] = ()
    faults: Sequence[Fault] = ()
    parts: tuple[Part, ...] = ()
    makes: bool = False
    here: str | None = None


# What would be pushed onto a head.
Loader = Callable[[str | None], Load]


def commit(ws: Workspace, session: Session, order: Order) -> Landed:
    """Land a session on its branch of the remote that the order names.

    Raises as `landing.commit` does, and `git-failed` where the other side refuses or cannot be
    reached; then nothing has moved, or what became of it is found out the next time.
    """
    tally = Tally([], [], [], [])
    options = order.options
    try:
        if options.series or options.bot_branch is not None:
            _land_series(ws, Item(session, order), tally)
        else:
            text = provenance.trailed(ws, session, order.text)
            land(ws, [Item(session, order._replace(text=text))], tally, atomic=True)
        if tally.faults:
            raise tally.faults[0].error
    except SlipError as fault:
        asking.hint_again(fault, session.name, options)
        raise
    for warning in tally.warnings:
        ws.notify(warning)
    done = [*tally.landed, *tally.skipped][0]
    return committing.as_landed(ws, session, order, done) if done.already else done


def _land_series(ws: Workspace, item: Item, tally: Tally) -> None:
    """The same for commits of one session, which are all there or none."""
    goal = goal_of(ws, item.session, item.order.options)
    cleared: dict[str, Cleared] = {}

    def load(head: str | None) -> Load:
        now, gone = stacking.as_now(ws, [item])
        return _series(ws, goal, head, now[0], cleared) if now else Load(None, (), (), gone)

    try:
        with locks.queued(ws.repository.layout, goal.queue):
            _contend(ws, goal, load, item.order.options, tally, atomic=True)
    except SlipError as fault:
        tally.faults.append(Fault(item.session.name, fault))
    recognising.recognise(ws, [item], _there(ws, goal), tally, 0)


def land(ws: Workspace, queue: Sequence[Item], tally: Tally, /, *, atomic: bool) -> None:
    """Land a queue, which is for one branch, in one push; told in ``tally``.

    atomic: all of them or none; else those that are refused are left out. Raises `ref-moved`,
    `locked` or `git-failed` where that is no single session's fault.
    """
    if not queue:
        return
    options = queue[0].order.options
    goal = goal_of(ws, queue[0].session, options)
    cleared: dict[str, Cleared] = {}
    gone: list[Landed] = []

    def load(head: str | None) -> Load:
        nonlocal queue
        queue, landed = stacking.as_now(ws, queue)
        gone.extend(landed)
        stack = _computed(ws, goal, head, queue, cleared, atomic=atomic)
        return _of_stack(ws, stack, gone)

    refused, asked = len(tally.faults), queue
    with locks.queued(ws.repository.layout, goal.queue):
        _contend(ws, goal, load, options, tally, atomic=atomic)
    recognising.recognise(ws, asked, _there(ws, goal), tally, refused)
    if any(row.committed for row in tally.landed):
        chains = {item.session.name: item.session for item in asked}
        for name, error in tally.faults[refused:]:
            if error.code == "conflict" and isinstance(error.hint, Again):
                # What it collides with is there by now.
                error.hint = refusing.rebasing(ws, chains[name], goal.branch, options.push)


def _there(ws: Workspace, goal: Goal) -> Pushed:
    """The branch there as it was fetched last; nothing was pushed."""
    head = ws.repository.store.ref(goal.queue)
    return Pushed(goal.remote.shown, goal.ref, head, 0, followed=False)


def already(ws: Workspace, done: Landed, options: Options) -> Landed:
    """The answer for a session that has landed, if it did there. Raises `missing` if only here."""
    numbers = sessions.closed_numbers(ws, done.session)
    goal = goal_of(ws, sessions.at(ws, done.session, numbers[max(numbers)]), options)
    pace = Pace(ws, goal.remote.place("head", goal.ref), goal.remote.shown)
    head = pace.patient(lambda: goal.remote.head(goal.ref))
    if done.commit and following.holds(ws.repository, head, done.commit):
        return done._replace(pushed=Pushed(goal.remote.shown, goal.ref, head, 0, followed=True))
    names = [ref.removeprefix(sessions.BRANCHES) for ref in (goal.branch, goal.ref)]
    raise SlipError(
        "missing",
        f"{done.session} has landed here as {(done.commit or '')[:10]}; {goal.shown} lacks that",
        hint=hints.of("git", "push", goal.remote.shown, ":".join(dict.fromkeys(names))),
    )


def head_there(ws: Workspace, session: Session, onto: str | None, remote: str) -> str:
    """What the branch that a session would be pushed to holds there, fetched. Raises `missing`."""
    goal = goal_of(ws, session, landing.UNSAID._replace(onto=onto, push=remote))
    pace = Pace(ws, goal.queue, goal.remote.shown)
    head = pace.patient(lambda: goal.remote.head(goal.ref))
    if head is None:
        name = goal.ref.removeprefix(sessions.BRANCHES)
        raise SlipError(
            "missing",
            f"{goal.remote.shown} has no branch {name} to move {session.name} onto",
            hint=hints.of("git", "ls-remote", "--heads", goal.remote.shown),
        )
    return head


def goal_of(ws: Workspace, session: Session, options: Options) -> Goal:
    """The branch there: the one that the branch here tracks on that remote, else its namesake."""
    branch = landing.branch_of(ws, session, options)
    remote = remotes.named(
        ws.repository,
        options.push or "",
        asking=ws.at_terminal,
        telling=ws.progress if ws.at_terminal else None,
    )
    tracked = f"branch.{branch.removeprefix(sessions.BRANCHES)}"
    config = ws.repository.config
    there = config.get(f"{tracked}.merge")
    is_tracked = config.get(f"{tracked}.remote") == remote.name and there is not None
    return Goal(remote, there if is_tracked and there else branch, branch)


def _contend(
    ws: Workspace, goal: Goal, load: Loader, options: Options, tally: Tally, *, atomic: bool
) -> None:
    """Merge and push until it is there, or is not to be."""
    pace = Pace(ws, goal.queue, goal.remote.shown)
    pace.wait()
    if options.bot_branch is not None:  # what it may have been made on
        pace.patient(lambda: goal.remote.head("HEAD", tracking=False))
    head = pace.patient(lambda: goal.remote.head(goal.ref, tracking=not options.dry_run))
    while True:
        tally.warnings.extend(recalling.settle(ws, goal.remote.name, goal.ref, head))
        found = load(head)
        if found.commit is None or options.dry_run or (atomic and found.faults):
            _tell(found, tally, Pushed(goal.remote.shown, goal.ref, head, 0, followed=False))
            return
        kept = ws.repository.objects.publish()
        try:
            attempt = _noted(ws, goal, head, found, options)
            now = _pushed(ws, goal, attempt, pace, no_verify=options.no_verify)
            if following.holds(ws.repository, now, attempt.commit):
                pace.won()
                followed = following.follow(ws, attempt)
                pushes.drop(ws.repository.layout, attempt)
                recalling.settle(ws, goal.remote.name, goal.ref, now)
                pushed = Pushed(
                    goal.remote.shown, goal.ref, head, pace.tries, followed=followed.is_there
                )
                _tell(found, tally, pushed, followed)
                return
        finally:
            kept.release()
        if now != head:
            pace.lost(goal.shown)
        head = now


def _pushed(
    ws: Workspace, goal: Goal, attempt: Attempt, pace: Pace, *, no_verify: bool
) -> str | None:
    """Push; what the branch there holds after that, whatever git says of it.

    Where git does not call it done, that is asked only after a wait: who merges onto a head that
    is fresh when his push begins wastes no work. Raises `git-failed` where the other side refuses,
    which is not because others were faster.
    """
    refusal = goal.remote.push({goal.ref: (attempt.old, attempt.commit)}, no_verify=no_verify)
    if refusal is None:
        return attempt.commit
    if not refusal.final:
        pace.failed()
    now = pace.patient(lambda: goal.remote.head(goal.ref))
    if now != attempt.old:
        return now
    if refusal.final:
        pushes.drop(ws.repository.layout, attempt)
    elif pace.again():
        return now
    remarks = f" ({refusal.remarks})" if refusal.remarks else ""
    raise SlipError(
        "git-failed",
        f"{goal.remote.shown} did not take the push to {goal.shown}: {refusal.said}{remarks}",
        data={"output": refusal.remarks or refusal.said},
    )


def _noted(ws: Workspace, goal: Goal, head: str | None, load: Load, options: Options) -> Attempt:
    """Write down what is about to be pushed."""
    attempt = Attempt(
        id=ws.token(),
        at_s=ws.clock(),
        remote=goal.remote.name,
        ref=goal.ref,
        branch=goal.branch,
        makes=options.onto is not None or load.makes,
        old=head,
        commit=load.commit or "",
        rows=load.rows,
        keep=options.keep,
        unchecked=options.check is False,
        no_checkout=options.no_checkout,
        no_sync=options.no_sync,
        parts=load.parts,
        is_bots=options.bot_branch is not None,
        here=load.here,
    )
    try:
        pushes.note(ws.repository.layout, attempt)
    except OSError as fault:
        raise SlipError("git-failed", f"the push cannot be noted: {fault.strerror}") from None
    return attempt


# Computed ----------------------------------------------------------------------------------------


def _computed(
    ws: Workspace,
    goal: Goal,
    head: str | None,
    queue: Sequence[Item],
    cleared: dict[str, Cleared],
    *,
    atomic: bool,
) -> Stack:
    """The queue merged onto a head that the branch here may not have; the commits are pending.

    Hooks and signature see each. One that is refused is left out, unless it is all of them or none.
    """
    ws.repository.objects.discard()
    items, faults = list(queue), list[Fault]()
    with _as_there(ws, goal, head):
        while True:
            stack = stacking.stacked(ws, items, cleared, clearing=False, again=not atomic)
            faults += stack.faults
            if stack.is_seen or (atomic and faults):
                return stack._replace(faults=faults)
            items = _without(items, stack.faults)
            ws.repository.objects.discard()
            shown = stacking.stacked(ws, items, cleared, clearing=True)
            ws.repository.objects.discard()
            faults += shown.faults
            items = _without(items, shown.faults)
            if atomic and faults:
                return shown._replace(faults=faults)


def _without(items: Sequence[Item], faults: Sequence[Fault]) -> list[Item]:
    refused = {fault.session for fault in faults}
    return [item for item in items if item.session.name not in refused]


def _series(
    ws: Workspace, goal: Goal, head: str | None, item: Item, cleared: dict[str, Cleared]
) -> Load:
    """The commits of one session on a head, or on its own base; pending. Raises what is refused."""
    ws.repository.objects.discard()
    session, order = item
    uncaptured.check(ws, session)
    with _as_there(ws, goal, head):
        while True:
            found = seriallanding.computed(ws, session, order, cleared, clearing=False)
            if found is None:
                return Load(None, (), (), [landing.nothing(session)])
            if found.same:
                return _as_it_was(found, head)
            if found.is_seen:
                break
            ws.repository.objects.discard()
            seriallanding.computed(ws, session, order, cleared, clearing=True)
            ws.repository.objects.discard()
        told = seriallanding.answer(ws, found, order, _NOWHERE)
    return Load(
        found.end.oid,
        (Row(session.name, session.tip, found.stages[-1].made.oid),),
        ((told, partial(seriallanding.followed, ws, found)),),
        parts=tuple(Part(oid, label, tuple(steps)) for oid, label, steps in found.shares),
        makes=session.makes_onto,
        here=found.whole.head if head is None else None,
    )


def _as_it_was(found: Series, head: str | None) -> Load:
    """A bot's branch that is as it would be made, there; or here alone, from where it is pushed."""
    told = seriallanding.as_it_was(found)
    if head is not None:
        return Load(None, (), (), [told])
    session, here = found.whole.session, found.whole.head
    row = Row(session.name, session.tip, found.same[-1])
    return Load(
        here,
        (row,),
        ((told._replace(committed=True, reason=None, already=None), _unchanged),),
        here=here,
    )


def _unchanged(landed: Landed) -> Landed:
    return landed


def _of_stack(ws: Workspace, stack: Stack, gone: Sequence[Landed]) -> Load:
    stages = stack.stages
    return Load(
        stages[-1].made.oid if stages else None,
        tuple(Row(s.name, s.item.session.tip, s.made.oid) for s in stages),
        tuple(map(partial(_told, ws), stages)),
        [*gone, *stack.skipped],
        stack.faults,
        makes=any(s.item.session.makes_onto for s in stages),
    )


@contextmanager
def _as_there(ws: Workspace, goal: Goal, head: str | None) -> Iterator[None]:
    """The branch here as if it held what that one holds."""
    start = RefMove(goal.branch, ws.repository.store.ref(goal.branch), head)
    with looking_ahead(ws.repository) as refs, attributes.remembering(ws.repository):
        if head is not None and start.old != head:
            refs.move([start], "slip: push")
        yield


def _told(ws: Workspace, stage: Stage) -> tuple[Landed, Callable[[Landed], Landed]]:
    order = stage.item.order
    told = landing.answer(ws, stage.merged, stage.made, order.options, _NOWHERE)
    return told, partial(landing.follow, ws, stage.merged, order)


# Told --------------------------------------------------------------------------------------------


def _tell(load: Load, tally: Tally, pushed: Pushed, followed: Followed | None = None) -> None:
    """What became of each, in ``tally``; followed: None where nothing was pushed."""
    tally.faults.extend(load.faults)
    tally.skipped.extend(load.skipped)
    for told, after in load.landed:
        if followed is None:
            tally.landed.append(told._replace(pushed=pushed))
            continue
        there = told._replace(
            checkout=followed.checkout, behind_worktrees=followed.behind, pushed=pushed
        )
        tally.landed.append(after(there))
    tally.warnings.extend(followed.warnings if followed else ())
