"""What sessions hold and where they stand: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import LOOKS, READS, Several, operation

if TYPE_CHECKING:
    from slipstream_git import outcomes, results
    from slipstream_git.workspace import Workspace


@operation(READS)
def read(
    ws: Workspace,
    paths: Several,
    *,
    session: str | None = None,
    rev: str | None = None,
    force: bool = False,
) -> results.WasRead:
    """Print numbered lines of files as the session has them, with their blob ids.

    Of a file that is very long, its beginning and its outline are told.

    paths (PATH[:A-B]): the files, whole or lines A to B
    force: all of a file, however long
    """
    from slipstream_git.changes import history, sessions

    if rev is None:
        answer = history.read(ws, sessions.choose(ws, session), paths, capped=not force)
    else:
        answer = history.read_revision(ws, rev, paths, capped=not force)
    if not any(file.truncated for file in answer.files):
        return answer
    from slipstream_git.reading import excerpting

    return excerpting.outlined(ws, answer, paths)


@operation(LOOKS)
def status(ws: Workspace, *, session: str | None = None) -> results.Status:
    """Show where a session stands: its branch, what it changes, what would refuse its landing."""
    from slipstream_git.changes import history, sessions

    return history.outlook(ws, sessions.choose(ws, session))


@operation(READS)
def list_(ws: Workspace, *, closed: bool = False) -> results.Listed:
    """List the open sessions.

    closed: list the landed and aborted ones instead, as NAME@N
    """
    from slipstream_git.changes import history

    return history.listing(ws, closed=closed)


@operation(READS)
def diff(
    ws: Workspace, *, session: str | None = None, stat: bool = False, binary: bool = False
) -> outcomes.Diffed:
    """Show what the session changes against its base.

    stat: only the files and how many lines they gain and lose
    binary: whole ids and binary content, so that `git apply` and `slip apply` take all of it
    """
    from slipstream_git.changes import history, sessions

    return history.diff(ws, sessions.choose(ws, session), stat=stat, binary=binary)


@operation(READS)
def log(ws: Workspace, *, session: str | None = None) -> outcomes.Logged:
    """List the session's steps, those taken back marked."""
    from slipstream_git.changes import history, sessions

    return history.log(ws, sessions.choose(ws, session))


@operation(READS)
def show(ws: Workspace, step: str, *, session: str | None = None) -> outcomes.Shown:
    """Show one step: its ops and its diff.

    step (STEP): the number that `slip log` prints, or the beginning of its commit id
    """
    from slipstream_git.changes import history, sessions

    return history.show(ws, sessions.choose(ws, session), step)


@operation(LOOKS)
def why(
    ws: Workspace, place: str, *, session: str | None = None, rev: str | None = None
) -> outcomes.Why:
    """Tell where a line is from: its commit, and the session, step, op and agent that made it.

    What landed is known by its note, and its steps as long as the session's chain is kept (`slip
    gc`, slip.expire).

    place (PATH:LINE): a line of the working tree, of a session, or of a revision
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.changes import tracing
    from slipstream_git.reading import views

    meant = views.session_meant(ws, views.Wish(session, rev))
    return tracing.why(ws, meant, rev, place)
