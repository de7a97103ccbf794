"""What became of each session of a queue, told in one answer or in one refusal."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.changes.landing import Order
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.meetings import Queued, Refused
from slipstream_git.outcomes import Landed
from slipstream_git.records import NamedTuple

_GRAVEST = ("conflict", "gate-failed")


class Item(NamedTuple):
    """A session that is to land, and how."""

    session: Session
    order: Order


class Fault(NamedTuple):
    """A session that cannot land, and why."""

    session: str
    error: SlipError


class Tally(NamedTuple):
    """What became of whom so far."""

    landed: list[Landed]
    skipped: list[Landed]
    faults: list[Fault]
    warnings: list[str]


def answered(tally: Tally, *, atomic: bool, dry_run: bool) -> Queued:
    """The answer. Raises the gravest of the faults, with the whole answer as its data."""
    queued = _queued(tally, atomic=atomic, dry_run=dry_run)
    if not tally.faults:
        return queued
    errors = [fault.error for fault in tally.faults]
    gravest = min(errors, key=_gravity)
    refused = ", ".join(f"{fault.session} ({fault.error.code})" for fault in tally.faults)
    refusal, landing = ("would be refused", "would land") if dry_run else ("refused", "landed")
    raise SlipError(
        gravest.code,
        f"{refusal}: {refused}; {landing}: {_names(queued.landed)}",
        hint=gravest.hint,
        data=to_json(queued),
    )


def interrupted(tally: Tally) -> SlipError:
    """The end of a queue that somebody broke off."""
    return SlipError(
        "interrupted",
        f"landed before: {_names(tally.landed)}; what was not acknowledged did not happen",
        data=to_json(_queued(tally, atomic=False, dry_run=False)),
    )


def _queued(tally: Tally, *, atomic: bool, dry_run: bool) -> Queued:
    rows = [
        Refused(name, error.code, error.message, error.hint, error.data)
        for name, error in tally.faults
    ]
    # All or none.
    landed = [] if atomic and rows else tally.landed
    return Queued(
        landed, tally.skipped, rows, atomic or None, dry_run or None, tally.warnings or None
    )


def _gravity(error: SlipError) -> int:
    return _GRAVEST.index(error.code) if error.code in _GRAVEST else len(_GRAVEST)


def _names(landed: Sequence[Landed]) -> str:
    return ", ".join(row.session for row in landed) or "none"
