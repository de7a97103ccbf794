"""What stands in a landing's way, told before anybody asks for it."""

from __future__ import annotations

from slipstream_git.changes import asking, bringing, landing, proposing, publishing, uncaptured
from slipstream_git.changes.asking import Options
from slipstream_git.changes.messages import Message
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes
from slipstream_git.workspace import Workspace


def obstacle(ws: Workspace, session: Session) -> SlipError | None:
    """What would refuse a landing of this session now; None where nothing is known that would.

    Only looks: no hook runs, nothing is smudged, no lock is taken or waited for.
    """
    try:
        uncaptured.check(ws, session)
        with bringing.hinting_at(ws, session), attributes.remembering(ws.repository):
            merged = landing.met(ws, session)
            if merged.tree != merged.head_tree:
                publishing.look(ws, merged.target(merged.tree))
    except SlipError as fault:
        message = proposing.completed(ws, session, Message())
        asking.hint_again(fault, session.name, Options(message))
        return fault
    return None
