"""Whether a session's own worktree holds what the session does not; most sessions have none."""

from __future__ import annotations

from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb.worktrees import owned
from slipstream_git.workspace import Workspace


def check(ws: Workspace, session: Session) -> None:
    """Raises `dirty` where the session's worktree holds an edit that it has not captured."""
    if any(session.began(own.begin) for own in owned.every(ws.repository.layout.common_dir)):
        from slipstream_git.changes import ownworktree

        ownworktree.check_captured(ws, session)
