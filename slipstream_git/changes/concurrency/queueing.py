"""Several sessions landed in order, each a commit of its own, or all of them or none.

What can be refused of the whole is refused before anything lands: names, messages, branches. Then
each lands by itself, as `slip commit` would land it, and one that is refused stops no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from slipstream_git import hints
from slipstream_git.changes import (
    asking,
    chain,
    closing,
    committing,
    landing,
    messages,
    proposing,
    provenance,
    sessions,
    uncaptured,
)
from slipstream_git.changes.asking import Options
from slipstream_git.changes.concurrency.reporting import (
    Fault,
    Item,
    Tally,
    answered,
    interrupted,
)
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.meetings import Queued
from slipstream_git.outcomes import Landed
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace


class Elsewhere(Protocol):
    """Lands a queue, which is for one branch, on a branch of another repository."""

    def __call__(
        self, ws: Workspace, queue: Sequence[Item], tally: Tally, /, *, atomic: bool
    ) -> None: ...


def land(
    ws: Workspace,
    names: Sequence[str],
    options: Options,
    *,
    everyone: bool,
    atomic: bool,
    elsewhere: Elsewhere | None = None,
) -> Queued:
    """Land these sessions in this order, or every open one in the order they were begun.

    Raises `usage` or `session-missing` before anything lands, and the gravest refusal (`conflict`
    before others) after the rest has landed; its data is the `Queued` that says who did. With
    ``everyone`` a session without a message or a branch is one of those, and stops no other.

    elsewhere: lands a queue on a branch of the remote that the options name; see `sharing.pushing`.
    """
    if everyone == bool(names):
        raise SlipError(
            "usage", "land takes the names of sessions, or --all", hint="slip land --all"
        )
    found, skipped = (_by_age(ws), []) if everyone else _named(ws, names)
    tally = Tally([], skipped, [], [])
    try:
        wanted = _changing(ws, found, tally)
        if everyone:
            wanted = _complete(ws, wanted, options, tally)
        queue = _queue(ws, wanted, options, alone=len(names) == 1)
        if atomic or options.push is not None:
            _check_one_branch(ws, queue, options, atomic=atomic)
        together = atomic or options.dry_run or options.check is True or options.push is not None
        if together:
            _land_together(
                ws, queue, tally, atomic=atomic, dry_run=options.dry_run, elsewhere=elsewhere
            )
    except SlipError as fault:
        asking.hint_queue_again(fault, names, options, atomic=atomic)
        raise
    if together:
        for _, error in tally.faults:
            asking.hint_queue_again(error, names, options, atomic=atomic)
    else:
        _land_each(ws, queue, tally)
    return answered(tally, atomic=atomic, dry_run=options.dry_run)


def _land_together(
    ws: Workspace,
    queue: Sequence[Item],
    tally: Tally,
    *,
    atomic: bool,
    dry_run: bool,
    elsewhere: Elsewhere | None,
) -> None:
    from slipstream_git.changes.concurrency import stacking, unions

    if elsewhere is not None and not (atomic and tally.faults):
        elsewhere(ws, queue, tally, atomic=atomic)
        return
    # One of them is refused already, so that none lands, and the others need no hook.
    if dry_run or (atomic and tally.faults):
        stacking.rehearse(ws, queue, tally, atomic=atomic)
    elif queue and queue[0].order.options.check:
        try:
            unions.land(ws, queue, tally, atomic=atomic)
        except KeyboardInterrupt:
            raise interrupted(tally) from None
    else:
        stacking.land(ws, queue, tally)


def _land_each(ws: Workspace, queue: Sequence[Item], tally: Tally) -> None:
    """Land one after the other; once more those that collided before others landed."""
    collided: list[tuple[Item, Fault, int]] = []
    try:
        for item in queue:
            fault = _try(ws, item, tally)
            if fault is not None and fault.error.code == "conflict":
                collided.append((item, fault, len(tally.landed)))
        for item, fault, before in collided:
            # Those may have brought what settles it: the same lines, or a decision of theirs.
            if len(tally.landed) > before:
                tally.faults.remove(fault)
                _try(ws, item, tally)
    except KeyboardInterrupt:
        raise interrupted(tally) from None


def _try(ws: Workspace, item: Item, tally: Tally) -> Fault | None:
    """Land one; what came of it stands in ``tally``, and its refusal is given."""
    try:
        done = _landed(ws, item)
    except SlipError as error:
        fault = Fault(item.session.name, error)
        tally.faults.append(fault)
        return fault
    (tally.landed if done.committed else tally.skipped).append(done)
    return None


def _landed(ws: Workspace, item: Item) -> Landed:
    """Land one, as it is by now; another process may have landed it meanwhile."""
    session = item.session
    try:
        done = committing.commit(ws, sessions.again(ws, session), item.order)
    except SlipError as fault:
        is_gone = fault.code == "session-missing"
        already = closing.landed_meanwhile(ws, session) if is_gone else None
        if already is None:
            raise
        return already
    return done if done.committed or done.already else closing.landed_meanwhile(ws, session) or done


# Who ---------------------------------------------------------------------------------------------


def _named(ws: Workspace, names: Sequence[str]) -> tuple[list[Session], list[Landed]]:
    """The sessions of these names, each once, and answers for those that have landed already."""
    found: list[Session] = []
    already: list[Landed] = []
    missing: dict[str, SlipError] = {}
    for name in dict.fromkeys(names):
        paths.session_name(name)
        done = closing.landed_already(ws, name)
        if done is not None:
            already.append(done)
            continue
        try:
            found.append(sessions.load(ws, name))
        except SlipError as fault:
            if fault.code != "session-missing":
                raise
            missing[name] = fault
    if missing:
        faults = list(missing.values())
        said = "; ".join(fault.message for fault in faults)
        data = {"sessions": list(missing)}
        raise SlipError("session-missing", said, hint=faults[0].hint, data=data)
    return found, already


def _by_age(ws: Workspace) -> list[Session]:
    """Every open session, the one first that was begun first; by name within a second."""
    begun = {session: _time_begun(ws, session) for session in sessions.every(ws)}
    sessions.tell_of_others(ws, (session.name for session in begun))
    return sorted(begun, key=lambda session: (begun[session], session.name))


def _time_begun(ws: Workspace, session: Session) -> int:
    """When the session was begun, in seconds; a rebase, which begins its chain anew, is none.

    The begin commits from before its rebases are there until its closed chains expire.
    """
    for begin in session.rebased:
        with suppress(SlipError):
            return chain.read_step(ws.repository, begin).time
    return chain.read_step(ws.repository, session.begin).time


def _changing(ws: Workspace, found: Sequence[Session], tally: Tally) -> list[Session]:
    """Those that change anything; the others, which need no message either, stand in ``tally``.

    One with paths left to be decided may hold its base's tree as yet, and is refused later. One
    whose own worktree has edits that it has not captured is refused: they are all of its work.
    """
    wanted: list[Session] = []
    for session in found:
        if session.tree != session.base_tree or session.unresolved:
            wanted.append(session)
            continue
        try:
            uncaptured.check(ws, session)
        except SlipError as error:
            tally.faults.append(Fault(session.name, error))
        else:
            idle = landing.nothing(session)
            tally.skipped.append(idle._replace(reason="the session changes nothing"))
    return wanted


def _complete(
    ws: Workspace, wanted: Sequence[Session], options: Options, tally: Tally
) -> list[Session]:
    """Those that have a branch to land on and a message; the others are refused in ``tally``.

    Nobody has named them, so that they are no mistake in what was asked for.
    """
    found: list[Session] = []
    for session in wanted:
        if not options.onto and session.onto is None:
            said = f"{session.name} was begun on a detached HEAD, which names no branch to land on"
            hint = hints.again("--onto", "BRANCH")
        elif not session.title and not options.message.given:
            said = f"no message for {session.name}: a session without a title needs -m"
            hint = hints.again("-m", "MESSAGE")
        else:
            found.append(session)
            continue
        error = SlipError("missing", said, hint=hint)
        message, proposed = options.message, proposing.message(ws, session)
        if proposed and not message.given:
            message = message._replace(paragraphs=(proposed,))
        asking.hint_again(error, session.name, options._replace(message=message))
        tally.faults.append(Fault(session.name, error))
    return found


# How ---------------------------------------------------------------------------------------------


def _queue(
    ws: Workspace, wanted: Sequence[Session], options: Options, *, alone: bool
) -> list[Item]:
    """Each session with its order: its own message, all else alike. Raises `usage`."""
    given = options.message.given
    nameless = [session.name for session in wanted if not session.title]
    if nameless and not given:
        raise SlipError(
            "usage",
            f"no message for {', '.join(nameless)}: a session without a title needs -m",
            hint=hints.again(*hints.MESSAGE),
            data={"sessions": nameless},
        )
    queue: list[Item] = []
    for session in wanted:
        message = options.message
        if session.title and not (alone and given):
            message = message._replace(paragraphs=(), file=None)
            message = proposing.completed(ws, session, message)
        own = options._replace(message=message)
        landing.branch_of(ws, session, own)
        if not queue:
            order = landing.order(ws, own)
        else:
            identity = queue[0].order.identity
            text = messages.text(ws.repository, message, identity)
            order = queue[0].order._replace(options=own, text=text, stored={})
        text = provenance.trailed(ws, session, order.text)
        queue.append(Item(session, order._replace(text=text)))
    return queue


def _check_one_branch(
    ws: Workspace, queue: Sequence[Item], options: Options, *, atomic: bool
) -> None:
    branches: dict[str, list[str]] = {}
    for session, order in queue:
        branch = landing.branch_of(ws, session, order.options)
        branches.setdefault(branch, []).append(session.name)
    if len(branches) < 2:
        return
    said = "; ".join(
        f"{branch.removeprefix(sessions.BRANCHES)}: {', '.join(names)}"
        for branch, names in branches.items()
    )
    first = next(iter(branches.values()))
    # A single session that is named would land with a message that was not meant for it.
    titled = len(first) == 1 and queue[0].session.title
    raise SlipError(
        "unsupported",
        f"{'--atomic' if atomic else '--push'} lands on one branch, and these are for several"
        f" ({said})",
        hint=asking.queue_again(
            hints.again(without=["-m"] if titled else ()), first, options, atomic=atomic
        ),
    )
