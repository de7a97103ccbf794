"""What keeps a session from landing, whatever its branch holds: hardly ever there is any."""

from __future__ import annotations

from slipstream_git.changes import chain, refusing
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import pushes
from slipstream_git.gitdb.process import without_credentials
from slipstream_git.workspace import Workspace


def check(ws: Workspace, session: Session, push: str | None) -> None:
    """Raises `conflict` where paths are left to be decided, `locked` where nobody knows yet
    whether this session has landed elsewhere.

    push: the remote that it is to land on now; whoever pushes there finds that out on the way.
    """
    if session.unresolved:
        raise refusing.unresolved(ws, session)
    for attempt in pushes.pending(ws.repository.layout):
        if attempt.remote == push:
            continue
        for row in attempt.rows:
            if row.session == session.name and session.began(_begin(ws, row.tip)):
                where = without_credentials(attempt.remote)
                raise SlipError(
                    "locked",
                    f"{session.name} is on its way to {where}, or was when a slip was killed:"
                    " whether it landed there is not known yet",
                    hint="slip recover",
                )


def _begin(ws: Workspace, tip: str) -> str:
    """The begin commit of a chain; empty where it is gone."""
    try:
        return chain.read_step(ws.repository, tip).facts.begin
    except SlipError:
        return ""
