"""Sessions closed, opened again and let go: several refs that move together, or that are deleted.

git moves the refs of a transaction one by one, and one that deletes holds the lock of packed-refs,
which a dead process leaves behind for good. So what is about to move is written down as an intent
first, and the next slip finds either all of it or nothing (`recovery`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from slipstream_git.changes import bounds, chain, freenames, recovery, sessions, uncaptured
from slipstream_git.changes.sessions import CLOSED, OPEN, Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.outcomes import Closed, Landed
from slipstream_git.results import Begun
from slipstream_git.text import paths
from slipstream_git.text.decimals import decimal
from slipstream_git.workspace import Workspace

TRIES = 8


def abort(ws: Workspace, session: Session) -> Closed:
    """Close a session without landing; `reopen` brings it back."""
    uncaptured.check(ws, session)
    gone, kept = sessions.closing(ws, session)
    move_together(ws, [kept, gone], f"slip: abort {session.name}")
    ws.record("drop", session.name, agent=session.agent, tip=session.tip)
    return Closed(session.name, kept.name, session.tip)


def reopen(ws: Workspace, name: str) -> Begun:
    """Open a closed chain again: the highest of its name, or ``NAME@n``."""
    plain, at_sign, digits = name.partition("@")
    paths.session_name(plain)
    numbers = sessions.closed_numbers(ws, plain)
    number = decimal(digits) if at_sign else max(numbers, default=None)
    if number is None or number not in numbers:
        raise SlipError("session-missing", f"no closed session {name}", hint="slip list --closed")
    taken = ws.repository.store.refs(OPEN)
    freenames.check(plain, taken)
    bounds.check_open(ws, taken)
    tip = numbers[number]
    moves = [RefMove(OPEN + plain, None, tip), RefMove(f"{CLOSED}{plain}/{number}", tip, None)]
    move_together(ws, moves, f"slip: reopen {plain}")
    session = sessions.at(ws, plain, tip)
    ws.record("reopen", plain, agent=session.agent, tip=tip)
    return Begun(session.name, session.ref, session.base, session.onto, tip)


def keep(ws: Workspace, session: Session) -> str | None:
    """Keep a chain whose session is open no more among the closed ones; what `reopen` calls it.

    None where git finds something missing of it (its ref was deleted, and gc has been there).
    """
    kept = ws.repository.objects.publish()
    try:
        for _ in range(TRIES):
            _, move = sessions.closing(ws, session)
            whole = ("rev-list", "--objects", "--quiet", session.tip, "--not", "--all")
            if ws.repository.git.run(*whole, accept=range(256)).status:
                return None
            try:
                sessions.move(ws, [move], f"slip: keep {session.name}")
            except SlipError as fault:
                if fault.code != "ref-moved":
                    raise
            else:
                return f"{session.name}@{move.name.rpartition('/')[2]}"
    finally:
        kept.release()
    raise SlipError("ref-moved", f"others kept closing sessions named {session.name}")


def landed(ws: Workspace, session: Session, oid: str) -> list[RefMove]:
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
    closed = closed._replace(new=last)
    return [opened, closed] if session.has_ref else [closed]


def landed_already(ws: Workspace, name: str | None) -> Landed | None:
    """The answer for a session that has landed and is closed; None for every other."""
    wanted = ws.default_session if name is None else name
    if not wanted or ws.repository.store.ref(sessions.OPEN + wanted) is not None:
        return None
    numbers = sessions.closed_numbers(ws, wanted)
    if not numbers:
        return None
    facts = chain.read_step(ws.repository, numbers[max(numbers)]).facts
    return _already(wanted, facts.landed) if facts.landed else None


def landed_meanwhile(ws: Workspace, session: Session) -> Landed | None:
    """The same for a session that was open just now; another of its name may be open by now."""
    tip = ws.repository.store.ref(OPEN + session.name)
    if tip is not None and sessions.at(ws, session.name, tip).is_same(session):
        return None
    for _, mark in sorted(sessions.closed_numbers(ws, session.name).items(), reverse=True):
        facts = chain.read_step(ws.repository, mark).facts
        if facts.landed and sessions.at(ws, session.name, mark).is_same(session):
            return _already(session.name, facts.landed)
    return None


def _already(name: str, commit: str) -> Landed:
    return Landed(name, committed=False, old_head=None, engine=None, already=True, commit=commit)


def move_together(ws: Workspace, moves: Sequence[RefMove], reason: str) -> None:
    """Make all of these moves or none, also when the process dies half way.

    moves: of slip's own refs; the one that makes a ref first, which decides for the others, or
    none but deletions. Raises `ref-moved` or `locked`.
    """
    with locks.held(ws.repository.layout):
        recovery.finish_all(ws)
        intent = recovery.noted(ws, moves)
        try:
            sessions.move(ws, moves, reason, holding=True)
        except BaseException as fault:
            if not recovery.landed_after_all(ws, intent, moves, fault):
                _drop(intent)
                raise
        _drop(intent)


def _drop(intent: str) -> None:
    # Where the disk refuses, the next slip finds nothing left to do, and tries again.
    with suppress(OSError):
        recovery.drop(intent)
