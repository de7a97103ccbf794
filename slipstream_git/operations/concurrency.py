"""Many sessions at once: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import operation

if TYPE_CHECKING:
    from slipstream_git import meetings
    from slipstream_git.workspace import Workspace


@operation
def conflicts(
    ws: Workspace,
    sessions: tuple[str, ...] = (),
    *,
    branch: tuple[str, ...] = (),
    worktrees: bool = False,
) -> meetings.Conflicts:
    """Show which open sessions would conflict with each other or with their branch, and where.

    Nothing is changed, and nothing has to be landed to know it. Pairs that would merge cleanly are
    counted. Of a conflict's hunks, `ours` is what the first of the pair has, `theirs` the second.

    sessions (SESSION): only pairs with one of these (default: all open sessions)
    branch (BRANCH): compare the sessions with this branch, too
    worktrees: compare with uncommitted edits and own commits in the repository's worktrees, too
    """
    from slipstream_git.changes.concurrency import matrix

    return matrix.conflicts_among(ws, sessions, branch, worktrees=worktrees)
