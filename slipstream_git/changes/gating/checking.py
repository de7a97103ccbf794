"""`slip check`: the gates on a session's tree, as the branch that it lands on has them."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.changes import builtins, settings
from slipstream_git.changes.gating import judging, surroundings
from slipstream_git.changes.gating.judging import Case, Judge
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.settings import Gate
from slipstream_git.errors import SlipError
from slipstream_git.outcomes import Checked
from slipstream_git.workspace import Workspace


def check(ws: Workspace, session: Session, names: Sequence[str], *, rerun: bool) -> Checked:
    """Judge the session's tree. Raises `gate-failed`, `usage` for a gate that is not defined."""
    repository = ws.repository
    head = repository.store.ref(repository.pointed_at(session.onto)) if session.onto else None
    facts = surroundings.facts(ws)
    found = settings.at(repository, head or session.base, facts)
    gates = _chosen(found.gates, names)
    case = Case(session.base_tree, session.tree, session.base)
    own = builtins.Checks(repository).rows(session.base_tree, session.tree, found, facts)
    # Of the built-in ones it is told what was asked for by name, and what is red.
    rows = [r for r in own if (r.name in names if names else r.status == "red")]
    rows += Judge(ws, found, session.name, rerun=rerun).rows(case, gates)
    if judging.failing(rows):
        raise judging.refusal(ws, session, session.tree, rows, gates)
    return Checked(session.name, session.tree, rows)


def _chosen(gates: Sequence[Gate], names: Sequence[str]) -> list[Gate]:
    defined = [gate.name for gate in gates]
    for name in names:
        if name not in defined and name not in builtins.NAMES:
            there = f"it has {', '.join(defined)}" if defined else "it defines none"
            raise SlipError("usage", f".slip.toml has no gate {name!r}; {there}", hint="slip check")
    return [gate for gate in gates if not names or gate.name in names]
