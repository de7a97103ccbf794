"""Closed sessions let go when they are old, and what slip keeps made small: `slip gc`.

Nothing is deleted but refs, each by compare-and-swap: a session that is reopened meanwhile stays.
The objects of what expired are then nobody's, and go with git's next gc in its own time; slip
deletes none, because who deletes objects while others write must be git.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from slipstream_git.changes import chain, closing, sessions
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import consolidation, locks, packs, sweeping, usage
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.outcomes import Collected, Expired
from slipstream_git.text.decimals import decimal
from slipstream_git.workspace import Workspace

DEFAULT_DAYS = "14"
DAY_S = 86_400
# A landing that takes longer keeps its leftovers to itself until the next time.
PATIENCE_S = 1.0


def collect(ws: Workspace, *, expire: str | None, dry_run: bool) -> Collected:
    """Expire closed sessions, sweep what the dead left, and merge slip's packs.

    expire: days, ``now`` or ``never``; else what `slip.expire` says. Open sessions are never
    touched. Raises `usage` for anything else, `git-failed` where a ref or an object is broken.
    """
    before = _until(ws, expire)
    was, packs_were = usage.measured(ws.repository), _packs(ws)
    closed = ws.repository.store.refs(sessions.CLOSED)
    old = {ref: tip for ref, tip in closed.items() if _is_old(ws, ref, tip, before)}
    gone = list(old) if dry_run else _expired(ws, old)
    if not dry_run:
        _sweep(ws)
        _let_events_go(ws)
        _merge_packs(ws)
    now = was if dry_run else usage.measured(ws.repository)
    return Collected(
        expired=[_told(ref, closed[ref]) for ref in gone],
        kept=len(closed) - len(gone),
        bytes_before=was.size,
        bytes_after=now.size,
        objects_before=was.objects,
        objects_after=now.objects,
        packs_before=packs_were,
        packs_after=_packs(ws),
        dry_run=dry_run or None,
    )


def _until(ws: Workspace, expire: str | None) -> float | None:
    """Sessions closed until then expire, in seconds since the epoch; None: none does."""
    said = expire or ws.repository.config.get("slip.expire") or DEFAULT_DAYS
    if said == "now":
        return float("inf")
    if said == "never":
        return None
    days = decimal(said) if len(said) < 7 else None
    if days is None:
        where = "--expire" if expire else "git config slip.expire"
        raise SlipError("usage", f"{where} is {said!r}: say days as a number, now or never")
    return ws.clock() - days * DAY_S


def _is_old(ws: Workspace, ref: str, tip: str, before: float | None) -> bool:
    """Whether a chain was closed until then: by its last commit's time, and its ref's own.

    An aborted chain's last commit is its last step, maybe of long before; its ref's file tells
    when it was closed, until git packs refs. A ref that holds no chain is not ours to expire.
    """
    if before is None:
        return False
    try:
        time: float = chain.read_step(ws.repository, tip).time
    except SlipError:
        return False
    with suppress(OSError):
        time = max(time, os.stat(os.path.join(ws.repository.layout.common_dir, ref)).st_mtime)
    return time <= before


def _expired(ws: Workspace, old: dict[str, str]) -> Sequence[str]:
    """Delete refs that still hold what they held, all at once if possible; those deleted."""
    moves = [RefMove(ref, tip, None) for ref, tip in old.items()]
    if not moves:
        return []
    try:
        closing.move_together(ws, moves, "slip: gc")
    except SlipError as fault:
        if fault.code not in ("ref-moved", "locked"):
            raise
        return [move.name for move in moves if _went(ws, move)]
    return list(old)


def _went(ws: Workspace, move: RefMove) -> bool:
    try:
        closing.move_together(ws, [move], "slip: gc")
    except SlipError as fault:
        if fault.code not in ("ref-moved", "locked"):
            raise
        return False
    return True


def _sweep(ws: Workspace) -> None:
    """Release what dead processes kept, unless a landing under way lives too long to wait for."""
    layout = ws.repository.layout
    try:
        with locks.held(layout, patience_s=PATIENCE_S):
            sweeping.sweep(layout)
            sweeping.clear_stale_locks(layout.common_dir)
    except SlipError as fault:
        if fault.code != "locked":
            raise
        ws.notify("a landing is under way; what dead processes left is not swept")


def _let_events_go(ws: Workspace) -> None:
    """Logs go with the last chain of their session."""
    from slipstream_git.events import log

    opened = ws.repository.store.refs(sessions.OPEN)
    closed = ws.repository.store.refs(sessions.CLOSED)
    living = {ref.removeprefix(sessions.OPEN).lower() for ref in opened}
    living |= {ref.removeprefix(sessions.CLOSED).rpartition("/")[0].lower() for ref in closed}
    log.expire(ws.repository.layout, living, ws.clock())


def _merge_packs(ws: Workspace) -> None:
    layout = ws.repository.layout
    try:
        consolidation.consolidate(
            layout.objects_dir, layout.slip_dir, sharing=layout.sharing, everything=True
        )
    except OSError as fault:
        ws.notify(f"slip's packs cannot be merged: {fault}")


def _packs(ws: Workspace) -> int:
    return len(packs.own_names(ws.repository.layout.objects_dir))


def _told(ref: str, tip: str) -> Expired:
    return Expired(ref.removeprefix(sessions.CLOSED).rpartition("/")[0], ref, tip)
