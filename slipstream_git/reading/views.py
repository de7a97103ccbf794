"""Which tree a reader means: a session's, a revision's, or HEAD with the working tree's edits.

Every view is a tree id. The working tree's is computed in memory, from the edits as `git add` would
store them, and never written; so what reads a tree reads all of them, and nothing can be stale.
"""

from __future__ import annotations

from slipstream_git.changes import sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, edited
from slipstream_git.gitdb.worktrees import owned
from slipstream_git.model import EMPTY_TREE
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace


class Wish(NamedTuple):
    """Which tree is asked for. untracked: files that git does not track, too (never ignored)."""

    session: str | None = None
    rev: str | None = None
    untracked: bool = False


class View(NamedTuple):
    """A tree, and what it was asked for as. before: the tree whose difference to it is the work
    under way; None where there is none. commit: one that has this tree, if there is any.
    """

    tree: str
    commit: str | None
    before: str | None = None
    session: str | None = None
    rev: str | None = None


def choose(ws: Workspace, wish: Wish) -> View:
    """The tree that is meant. Raises `session-missing`, `missing`, `usage`."""
    if wish.untracked and (wish.rev is not None or wish.session is not None):
        raise SlipError("usage", "--untracked is of the working tree; a tree of git's has none")
    session = session_meant(ws, wish)
    if session is not None:
        return of_session(session)
    if wish.rev is not None:
        commit = ws.repository.resolve(wish.rev)
        return View(_tree(ws, commit), commit, rev=commit)
    return _working_tree(ws, untracked=wish.untracked)


def of_session(session: Session) -> View:
    return View(session.tree, session.tip, session.base_tree, session.name)


def session_meant(ws: Workspace, wish: Wish) -> Session | None:
    """The session to be read; None where a revision or the working tree is."""
    if wish.rev is not None:
        if wish.session is not None:
            raise SlipError("usage", "a session or a revision can be read, not both")
        return None
    name = wish.session or ws.default_session
    if name is not None or owned.read(ws.repository.layout.git_dir) is not None:
        return sessions.choose(ws, name)
    return None


def _working_tree(ws: Workspace, *, untracked: bool) -> View:
    _, head = ws.repository.head()
    tree = _tree(ws, head) if head else EMPTY_TREE
    if ws.repository.layout.root is None:
        return View(tree, head, tree)
    found = edited.edits(ws.repository, head, (), untracked=untracked, unmerged=True)
    now = ws.repository.trees.splice(tree, dict(found))
    return View(now, head if now == tree else None, tree)


def _tree(ws: Workspace, commit: str) -> str:
    return commits.tree_of(ws.repository.objects, commit)
