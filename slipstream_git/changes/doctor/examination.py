"""All checks in order. Each stands alone: one that cannot be made says so and hides no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slipstream_git.changes.doctor import conditions, state, storing
from slipstream_git.changes.doctor.findings import FAIL, Finding
from slipstream_git.errors import SlipError
from slipstream_git.hints import plain
from slipstream_git.outcomes import Check, Examined
from slipstream_git.text.paths import escape_for_terminal
from slipstream_git.workspace import Workspace

CHECKS: Mapping[str, Callable[[Workspace], Finding]] = {
    "git": storing.git,
    "ownership": storing.ownership,
    "disk": storing.disk,
    "packs": storing.packs_of_slip,
    "refs": state.refs,
    "intents": state.intents_left,
    "locks": state.locks_left,
    "hooks": conditions.hooks,
    "signing": conditions.signing,
    "lfs": conditions.lfs,
    "attributes": conditions.attributes,
}


def examine(ws: Workspace, seconds: float) -> Examined:
    """Look at everything; nothing is changed.

    seconds: how long loose objects may be read for.
    """
    found = [_made(ws, name, check) for name, check in CHECKS.items()]
    found.append(_made(ws, "objects", lambda ws: storing.loose_objects(ws, seconds)))
    return Examined(found)


def _made(ws: Workspace, name: str, check: Callable[[Workspace], Finding]) -> Check:
    try:
        detail, status, fix = check(ws)
    except SlipError as fault:
        detail, status, fix = f"cannot be looked at: {fault.message}", FAIL, fault.hint
    except OSError as fault:
        detail, status, fix = f"cannot be looked at: {fault}", FAIL, None
    return Check(name, status, escape_for_terminal(detail), fix and plain(fix))
