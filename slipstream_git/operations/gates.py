"""What judges a change: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import ACTS, operation

if TYPE_CHECKING:
    from slipstream_git import outcomes
    from slipstream_git.workspace import Workspace


@operation(ACTS)
def check(
    ws: Workspace,
    *,
    session: str | None = None,
    gate: tuple[str, ...] = (),
    rerun: bool = False,
) -> outcomes.Checked:
    """Run the gates on the session's tree; exit status 4 where one is not green.

    As .slip.toml defines them on the branch that the session lands on, each in a warm worktree of
    slip's own. What a gate says is noted on the tree, and not asked again while its command and
    what it is run with stay the same. A gate that times out or cannot be run counts as red, and is
    tried again the next time. Nothing of yours changes.

    gate (NAME): run this gate only; may be given more than once (default: all)
    rerun: run them, whatever was noted before
    """
    from slipstream_git.changes import sessions
    from slipstream_git.changes.gating import checking

    return checking.check(ws, sessions.choose(ws, session), gate, rerun=rerun)
