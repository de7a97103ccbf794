"""Whom a session would meet: told in the reply to each of its own changes.

What another session touches follows from its newest step alone, so it is written down by that
step's id; an apply beside fifty others reads one file and compares names.
"""

from __future__ import annotations

from slipstream_git.changes import footprints, sessions
from slipstream_git.changes.footprints import Footprint
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.results import Overlap
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace


def overlaps(
    ws: Workspace, session: Session, before: Session, *, kept: bool = True
) -> list[Overlap]:
    """The other open sessions that change paths which this one changes.

    before: the session as it was a step ago. kept: the step is written, not only shown. Never an
    error, because the step is made by now: what cannot be read is left out, and `slip conflicts`
    tells of it.
    """
    try:
        return _found(ws, session, before, kept=kept)
    except Exception:  # noqa: BLE001  (whatever it is: the caller has to hear of the step)
        ws.notify("whom this meets is not known: `slip conflicts`")
        return []


def _found(ws: Workspace, session: Session, before: Session, *, kept: bool) -> list[Overlap]:
    try:
        tips = ws.repository.store.refs(sessions.OPEN)
    except SlipError:
        return []
    tips = {ref.removeprefix(sessions.OPEN): tip for ref, tip in tips.items()}
    tips.pop(session.name, None)
    if not tips:
        return []
    known = footprints.known(ws.repository, {*tips.values(), before.tip})
    fresh: dict[str, Footprint] = {}
    mine = _own(ws, session, before, known)
    if mine is not None and kept and session.tip not in known:
        fresh[session.tip] = mine
    found = []
    for name, tip in tips.items() if mine is not None else ():
        theirs = known.get(tip) or _worked_out(ws, name, tip)
        if theirs is None:
            continue
        if tip not in known:
            fresh[tip] = theirs
        met = mine.meets(theirs) if mine else ()
        if met:
            found.append(Overlap(name, [paths.display(path) for path in sorted(met)]))
    footprints.remember(ws.repository, fresh)
    return found


def _own(
    ws: Workspace, session: Session, before: Session, known: dict[str, Footprint]
) -> Footprint | None:
    then = known.get(before.tip)
    try:
        if then is None:
            return footprints.of_session(ws.repository, session)
        if session.tree == before.tree:
            return then
        return footprints.moved_on(
            ws.repository, then, before.tree, session.base_tree, session.tree
        )
    except SlipError:
        return None


def _worked_out(ws: Workspace, name: str, tip: str) -> Footprint | None:
    """None for a ref that is no chain of ours, and where something of it is missing."""
    try:
        return footprints.of_session(ws.repository, sessions.at(ws, name, tip))
    except SlipError:
        return None
