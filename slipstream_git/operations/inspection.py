"""What sessions hold and where they stand: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.operations.registry import LOOKS, READS, Several, operation

if TYPE_CHECKING:
    from slipstream_git import outcomes, readings, results
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
def status(
    ws: Workspace, *, session: str | None = None, mindmap: bool = False
) -> results.Status | readings.MindMap:
    """Show where a session stands: its branch, what it changes, what would refuse its landing.

    mindmap: a map of the files and symbols that it touches, in Mermaid's syntax
    """
    from slipstream_git.changes import history, sessions

    chosen = sessions.choose(ws, session)
    if mindmap:
        from slipstream_git.reading import touched

        return touched.mindmap(ws, chosen)
    return history.outlook(ws, chosen)


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


@operation(LOOKS)
def show(
    ws: Workspace,
    step: str | None = None,
    *,
    session: str | None = None,
    markdown: bool = False,
    rev: str | None = None,
) -> outcomes.Shown | outcomes.Report:
    """Show one step, its ops and its diff; or tell a reviewer of all that a session changes.

    step (STEP): the number that `slip log` prints, or the beginning of its commit id
    markdown: what, why, which files, what was checked and what was not, for a pull request
    rev (REV): of a commit that has landed, or of those in A..B, instead of a session
    """
    from slipstream_git.changes import history, reviewing, sessions

    if step is None and rev is not None and session is None:
        return reviewing.of_commits(ws, rev)
    chosen = sessions.choose(ws, session)
    if rev is not None:
        raise SlipError("usage", "a session or --rev can be shown, not both")
    if step is None and markdown:
        return reviewing.of_session(ws, chosen)
    if step is None or markdown:
        raise SlipError(
            "usage", "name a step, or say --markdown for all", hint=hints.of("slip", "log")
        )
    return history.show(ws, chosen, step)


@operation(LOOKS)
def why(
    ws: Workspace, place: str, *, session: str | None = None, rev: str | None = None
) -> results.Why:
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
