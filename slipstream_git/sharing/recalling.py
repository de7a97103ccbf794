"""What became of pushes whose slip was killed, or heard no answer."""

from __future__ import annotations

from collections.abc import Iterator

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks, pushes, remotes
from slipstream_git.gitdb.pushes import Attempt
from slipstream_git.outcomes import LeftAlone, RecoveredIntent
from slipstream_git.sharing import following
from slipstream_git.workspace import Workspace

# A git that outlived its slip, or a server its client, comes to its end by then.
IN_FLIGHT_S = 60
# A living push holds its queue for long; nobody who asks what became of the dead waits for it.
PATIENCE_S = 0.5


def settle(ws: Workspace, remote: str, ref: str, head: str | None) -> list[str]:
    """Find out what became of earlier pushes of this clone to a ref that now holds ``head``.

    Those that happened are brought to their end; those that cannot happen any more are forgotten.
    The caller holds the queue of that ref, so that each is nobody's who lives. Gives warnings.
    """
    layout = ws.repository.layout
    warnings: list[str] = []
    for attempt in pushes.pending(layout):
        if (attempt.remote, attempt.ref) != (remote, ref):
            continue
        if following.holds(ws.repository, head, attempt.commit):
            warnings += following.follow(ws, attempt).warnings
        elif head == attempt.old:
            continue  # it may yet happen
        pushes.drop(layout, attempt)
    return warnings


def recover(ws: Workspace) -> list[RecoveredIntent]:
    """Ask the other side what became of every push that is not known to have come to its end."""
    return [
        row for attempt in pushes.pending(ws.repository.layout) for row in _recover(ws, attempt)
    ]


def _recover(ws: Workspace, attempt: Attempt) -> Iterator[RecoveredIntent]:
    layout = ws.repository.layout
    try:
        remote = remotes.named(ws.repository, attempt.remote, asking=ws.at_terminal)
        with locks.queued(layout, remote.place("head", attempt.ref), patience_s=PATIENCE_S):
            head = remote.head(attempt.ref)
            if following.holds(ws.repository, head, attempt.commit):
                warnings = following.follow(ws, attempt).warnings
                pushes.drop(layout, attempt)
                yield _row(attempt, "pushed", warnings)
            elif head != attempt.old or ws.clock() - attempt.at_s > IN_FLIGHT_S:
                pushes.drop(layout, attempt)
                yield _row(attempt, "undone", [])
            else:
                yield _row(attempt, "unknown", ["it is not there, and may be on its way"])
    except SlipError as fault:
        if fault.code == "locked":
            return  # somebody is at it
        yield _row(attempt, "unknown", [fault.message])


def _row(attempt: Attempt, outcome: str, notes: list[str]) -> RecoveredIntent:
    names = ", ".join(row.session for row in attempt.rows)
    left = [LeftAlone(attempt.branch, note) for note in notes]
    return RecoveredIntent(names, attempt.branch, attempt.commit, outcome, left)
