"""Sessions that begin with what a person has edited already."""

from __future__ import annotations

from slipstream_git.changes import capturing, closing, sessions
from slipstream_git.changes.sessions import Wish
from slipstream_git.changes.staging import Label
from slipstream_git.errors import SlipError
from slipstream_git.results import Begun
from slipstream_git.workspace import Workspace


def capturing_edits(ws: Workspace, wish: Wish) -> Begun:
    """Open a session that starts from the worktree's tracked edits."""
    begun = sessions.begin(ws, wish)
    session = sessions.load(ws, begun.session)
    try:
        capturing.capture(ws, session, (), Label("capture", "", wish.agent or ""), untracked=False)
    except SlipError:
        closing.abort(ws, session)
        raise
    return begun._replace(commit=sessions.load(ws, begun.session).tip)
