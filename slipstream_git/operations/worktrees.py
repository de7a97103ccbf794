"""Operations that give a session files: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import ACTS, ALONE, Several, operation

if TYPE_CHECKING:
    from slipstream_git import outcomes
    from slipstream_git.workspace import Workspace


@operation(ALONE)
def run(
    ws: Workspace,
    command: Several,
    *,
    session: str | None = None,
    rev: str | None = None,
    capture: bool = False,
    timeout: int | None = None,
    group: str | None = None,
    agent: str | None = None,
) -> outcomes.Ran:
    """Run a command on the session's files, in a warm worktree of slip's own.

    It starts at the root of the session's tree, with your input, output and errors. Its exit status
    is slip's: 128 and the number where a signal ended it, 124 after --timeout, 127 where it is not
    found. With --json its output goes to standard error, because standard output is the answer's.

    What it changes is dropped unless --capture. When it ends, whatever it started and left running
    is ended, too. [pool] of .slip.toml says what of yours it finds there beside the tracked files.

    command (CMD): the command and its arguments, behind --
    rev: run it on the files of this commit or tree instead, which a refused landing names
    capture: take what it changed, new files too but no ignored ones, into the session as one step;
        nothing where it fails
    timeout (SECONDS): end it after so long
    """
    from slipstream_git.changes import running, sessions, staging

    label = staging.Label("run", group or "", agent or "")
    wish = running.Wish(command, capture, label, timeout, rev)
    return running.run(ws, sessions.choose(ws, session), wish)


@operation(ACTS)
def worktree(
    ws: Workspace, place: str | None = None, *, session: str | None = None, remove: bool = False
) -> outcomes.SessionWorktree:
    """Give the session a linked worktree of its own, and print its directory.

    HEAD there is detached at the session's newest step, and slip means that session there. `slip
    capture` takes its edits in, also those committed there. Where the session has gone on
    meanwhile, the same command brings its worktree along, without touching an edit. A landing or
    an abort is refused while it holds edits that are not captured, and leaves the directory.

    place (DIR): where to make it (default: beside the repository, REPOSITORY.SESSION)
    remove: remove it; refused where it holds anything that is nowhere else, ignored files too
    """
    from slipstream_git.changes import ownworktree, sessions

    if remove:
        return ownworktree.remove(ws, session)
    return ownworktree.give(ws, sessions.choose(ws, session), place)


_NAMED_TYPES = (Several,)
