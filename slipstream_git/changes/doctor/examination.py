"""All checks in order. Each stands alone: one that cannot be made says so and hides no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slipstream_git.changes.doctor import (
    conditions,
    ground,
    keeping,
    person,
    rules,
    state,
    storing,
)
from slipstream_git.changes.doctor.findings import FAIL, Finding
from slipstream_git.errors import SlipError
from slipstream_git.hints import plain
from slipstream_git.outcomes import Check, Examined
from slipstream_git.text.paths import escape_for_terminal
from slipstream_git.workspace import Workspace

Looking = Callable[[Workspace], Finding]

# A further check is a row here. Where it can be mended without risk its finding says how (`mend`).
CHECKS: Mapping[str, Looking] = {
    "git": storing.git,
    "ownership": storing.ownership,
    "identity": person.identity,
    "clock": person.clock,
    "filesystem": ground.filesystem,
    "disk": storing.disk,
    "alternates": storing.alternates,
    "packs": storing.packs_of_slip,
    "pruning": ground.pruning,
    "clone": ground.clone,
    "index": ground.index,
    "refs": state.refs,
    "notes": keeping.notes,
    "intents": state.intents_left,
    "locks": state.locks_left,
    "worktrees": keeping.worktrees,
    "caches": keeping.caches,
    "events": keeping.events,
    "quota": keeping.quota,
    "sockets": keeping.sockets,
    "remotes": ground.remotes,
    "settings": rules.settings_of_project,
    "gates": rules.gates,
    "hooks": conditions.hooks,
    "signing": conditions.signing,
    "lfs": conditions.lfs,
    "attributes": conditions.attributes,
    "extras": person.extras,
}


def examine(ws: Workspace, seconds: float, *, fix: bool = False) -> Examined:
    """Look at everything. Without ``fix`` nothing is changed.

    seconds: how long loose objects may be read for. fix: do what is safe, and look once more.
    """
    checks = {**CHECKS, "objects": lambda ws: storing.loose_objects(ws, seconds)}
    return Examined([_made(ws, name, check, fix=fix) for name, check in checks.items()])


def _made(ws: Workspace, name: str, check: Looking, *, fix: bool) -> Check:
    found = _looked(ws, check)
    if not fix or found.mend is None:
        return _told(name, found)
    try:
        did = found.mend()
    except (SlipError, OSError) as fault:
        said = f"{found.detail}; --fix could not mend it: {fault}"
        return _told(name, found._replace(detail=said))
    return _told(name, _looked(ws, check), did)


def _looked(ws: Workspace, check: Looking) -> Finding:
    try:
        return check(ws)
    except SlipError as fault:
        return Finding(f"cannot be looked at: {fault.message}", FAIL, fault.hint)
    except OSError as fault:
        return Finding(f"cannot be looked at: {fault}", FAIL)


def _told(name: str, found: Finding, did: str | None = None) -> Check:
    detail = escape_for_terminal(found.detail).replace("\n", " ")
    return Check(
        name, found.status, detail, found.fix and plain(found.fix), did and escape_for_terminal(did)
    )
