"""Several commits of one session: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import ACTS, operation

if TYPE_CHECKING:
    from slipstream_git import outcomes
    from slipstream_git.workspace import Workspace


@operation(ACTS)
def split(
    ws: Workspace,
    *,
    session: str | None = None,
    by: str = "directory",
    depth: int = 1,
    label: str = "{}",
    relabel: bool = False,
    dry_run: bool = False,
) -> outcomes.Split:
    """Make a session without labels one step for each part of it, labelled for a series.

    What it changes stays as it is, and so does its tree. Both names of a renamed file are one part.
    The chain as it was is kept as a closed session. Owners are those of CODEOWNERS on the branch
    that the session lands on, the last line that matches counting.

    by (WAY): path, directory or owner
    relabel: where steps have labels, give them others
    """
    from slipstream_git.changes import sessions, splitting

    wish = splitting.Wish(by, depth, label, relabel)
    return splitting.split(ws, sessions.choose(ws, session), wish, dry_run=dry_run)
