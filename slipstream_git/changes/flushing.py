"""A session's content in the worktree's files, with no commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slipstream_git.changes import bringing, captures, recovery, sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks
from slipstream_git.gitdb.barriers import Barrier
from slipstream_git.gitdb.trees import Trees
from slipstream_git.gitdb.worktrees.jobs import Placement, Worktree
from slipstream_git.outcomes import Flushed, Written
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace


def flush(ws: Workspace, session: Session, *, index: bool) -> Flushed:
    """Bring the files of the caller's worktree to the session's content, all or nothing.

    A path that any step touched is placed, so undo and flush again takes it back. Raises `dirty`
    before anything moves.
    """
    layout = ws.repository.layout
    if layout.root is None:
        raise SlipError("unsupported", "there is no worktree here to flush to")
    if session.unresolved:
        from slipstream_git.changes import unresolved

        unresolved.check(ws, session, "flushed")
    branch, head = ws.repository.head()
    worktree = Worktree(layout.root, layout.git_dir, branch, head)
    return brought(ws, session, worktree, lambda: _placements(ws, session), index=index)


def brought(
    ws: Workspace,
    session: Session,
    worktree: Worktree,
    find: Callable[[], Sequence[Placement]],
    *,
    index: bool,
    earlier: Sequence[Session] = (),
) -> Flushed:
    """Bring one worktree from what placements call old to what they call new, all or nothing.

    find: gives them, under the landing lock. earlier: chains whose versions of a file may be
    written over, too. Raises `dirty` before anything moves.
    """
    trees = ws.repository.trees
    held = locks.held(ws.repository.layout)
    with held, bringing.hinting_at(ws, session):
        recovery.finish_all(ws)
        placements = find()
        token = ws.token()
        barrier = Barrier()
        found = bringing.writers(
            ws, [session, *earlier], placements, [worktree], tree=session.tree, token=token,
            index=index, barrier=barrier,
        )  # fmt: skip
        bringing.preflight(found)
        written = sorted(set().union(*(writer.changing() for writer in found)))
        with barrier.over(recovery.disks(ws, [worktree])):
            intent = recovery.intended(
                ws,
                token=token,
                chains=[session],
                moves=(),
                placements=placements,
                places=[worktree],
                index=index,
                barrier=barrier,
            )
            try:
                bringing.hold(found)
                barrier.raised()
                bringing.place(found)
                barrier.raised()
            except BaseException:
                recovery.take_back(found, intent, barrier)
                raise
        # The files are in place. What cannot be tidied up stays in the intent, for the next slip.
        warnings, unsettled = bringing.settle(found)
        if unsettled is None:
            recovery.drop(intent)
    files = [
        Written(paths.display(path), "D" if trees.leaf(session.tree, path) is None else "W")
        for path in written
    ]
    return Flushed(session.name, session.tree, worktree.root, files, warnings or None)


def _given_back(ws: Workspace, session: Session) -> set[bytes]:
    """Paths that the session captured, took back, and does not change any more."""
    trees = ws.repository.trees
    return {
        path
        for path, entries in captures.given_back(ws, session).items()
        if entries and trees.leaf(session.tree, path) == trees.leaf(session.base_tree, path)
    }


def _placements(ws: Workspace, session: Session) -> Sequence[Placement]:
    """Every path that a step of the session touched, from its base to its tip."""
    trees: Trees = ws.repository.trees
    touched = {
        difference.path
        for step in sessions.steps(ws, session)
        for difference in trees.differences(session.base_tree, step.tree)
    }
    touched -= _given_back(ws, session)
    before = {path: trees.leaf(session.base_tree, path) for path in touched}
    return [
        Placement(path, before[path], trees.leaf(session.tree, path)) for path in sorted(touched)
    ]
