"""Why a session cannot land on its branch, and the command that leads on."""

from __future__ import annotations

from slipstream_git import hints
from slipstream_git.changes import sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.merged import Merge
from slipstream_git.gitdb.process import without_credentials
from slipstream_git.hints import Hint
from slipstream_git.workspace import Workspace


def conflict(
    ws: Workspace,
    session: Session,
    branch: str,
    head: str | None,
    head_tree: str,
    merged: Merge,
    push: str | None = None,
) -> SlipError:
    """The session collides with the branch, whose head is given.

    push: the remote that has it so; the branch here may not know of that head.
    """
    from slipstream_git.changes import conflicts

    name = branch.removeprefix(sessions.BRANCHES)
    return conflicts.error(
        ws,
        merged.conflicts,
        f"{session.name} conflicts with {name}",
        conflicts.Meeting(
            branch, head, session.base, name, session.name,
            trees=(session.base_tree, head_tree, session.tree), session=session,
        ),
        advice=f"; `slip rebase` moves {session.name} there, and what collides is decided in it",
        hint=rebasing(ws, session, branch, push),
    )  # fmt: skip


def rebasing(ws: Workspace, session: Session, branch: str, push: str | None) -> Hint:
    """The command that moves a session onto its branch, as the remote ``push`` has that."""
    own = session.onto is not None and branch == ws.repository.pointed_at(session.onto)
    onto = [] if own else ["--onto", branch.removeprefix(sessions.BRANCHES)]
    there = ["--fetch", without_credentials(push)] if push else []
    return hints.of("slip", "rebase", "-s", session.name, *onto, *there)


def unresolved(ws: Workspace, session: Session) -> SlipError:
    """A rebase left paths to be decided."""
    from slipstream_git.changes import unresolved

    return unresolved.refusal(ws, session, "landed")


def branch_gone(session: Session, branch: str) -> SlipError:
    """The branch was there when the session was begun."""
    name = branch.removeprefix(sessions.BRANCHES)
    return SlipError(
        "missing",
        f"the branch {name} is gone since {session.name} was begun; --onto makes it again",
        hint=hints.again("--onto", name),
    )
