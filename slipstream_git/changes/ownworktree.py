"""A linked worktree for a session, for editors and tools that need files.

Its HEAD is detached at the session's newest step, so that `git diff` there shows what the session
does not have yet. What a person commits there, on top of that step, is captured like an edit.

Nothing here writes over an edit that the session has not captured: landing, closing and removing
look first, and a landing or an abort leaves the directory where it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from slipstream_git.changes import bringing, flushing, sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, edited, locks, submodules
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.worktrees import owned
from slipstream_git.gitdb.worktrees.jobs import Trouble, Worktree
from slipstream_git.gitdb.worktrees.owned import Owned
from slipstream_git.gitdb.worktrees.troubles import InTheWay
from slipstream_git.hints import Hint, command
from slipstream_git.model import EMPTY_TREE
from slipstream_git.outcomes import SessionWorktree
from slipstream_git.workspace import Workspace

_EDITED: Final = "not captured"
_UNTRACKED: Final = "untracked"
_IGNORED: Final = "ignored"
_IGNORED_ALONE: Final = "ignored, and so kept nowhere else: {}; move or delete them first"
_SUBMODULE: Final = "a submodule"
_MODULES: Final = "a submodule's repository, which goes with what it has not pushed"


def give(ws: Workspace, session: Session, directory: str | None) -> SessionWorktree:
    """Make the session's worktree, or bring the one it has to the session's newest step.

    Raises `exists`, `dirty` where an edit that is not captured is in the way, `missing` for one
    whose directory is gone; then nothing has changed.
    """
    place = os.path.normpath(os.path.join(ws.directory, directory)) if directory else None
    with locks.held(ws.repository.layout):
        mine = of(ws, session)
        mine = owned.tidied(ws.repository.layout, mine) if mine else None
        if mine is None:
            wanted = Owned(session.name, session.begin, place or _beside(ws, session), "")
            mine = owned.make(ws.repository, wanted, session.tip, ws.token())
            return SessionWorktree(session.name, mine.root, session.tip, made=True)
    if place is not None and not _same(place, mine.root):
        raise SlipError(
            "exists",
            f"{session.name} has a worktree already, {mine.root}",
            hint=command(["git", "worktree", "move"], map(os.fsencode, (mine.root, place))),
        )
    if not mine.is_there:
        raise SlipError(
            "missing",
            f"{mine.root} is gone; where it was moved, `git worktree repair` in there tells git",
            hint=f"slip worktree -s {session.name} --remove && slip worktree -s {session.name}",
        )
    brought = _bring(ws, session, mine)
    return SessionWorktree(session.name, mine.root, session.tip, brought=brought)


def remove(ws: Workspace, name: str | None) -> SessionWorktree:
    """Remove a session's worktree, of a closed one too, unless something in it is nowhere else.

    Raises `dirty`, saying what, `locked`, or `session-missing` where it has none.
    """
    mine, session = _named(ws, name)
    with locks.held(ws.repository.layout):
        found = owned.tidied(ws.repository.layout, mine)
        if found is not None:
            if found.is_locked:
                raise SlipError(
                    "locked",
                    f"{found.root} is locked against removal",
                    hint=command(["git", "worktree", "unlock"], [os.fsencode(found.root)]),
                )

            def check(there: Owned) -> None:
                _check(ws, session, there, found.root, ignored=True)

            owned.remove(ws.repository.layout, found, check, ws.token())
    return SessionWorktree(session.name, mine.root, session.tip, removed=True)


def of(ws: Workspace, session: Session) -> Owned | None:
    """The session's worktree, also one whose directory is gone."""
    there = owned.every(ws.repository.layout.common_dir)
    return next((one for one in there if session.began(one.begin)), None)


def check_captured(ws: Workspace, session: Session) -> None:
    """Raises `dirty` where the session's worktree holds an edit that the session has not."""
    mine = of(ws, session)
    if mine is not None and mine.is_there:
        _check(ws, session, mine, mine.root, ignored=False)


def given(ws: Workspace, session: Session, head: str | None) -> str | None:
    """What edits of the current worktree are made to, for a capture into the session.

    In the session's own: the step it was brought to last, so that what was committed there since
    is an edit, too. Elsewhere its HEAD.
    """
    mine = owned.read(ws.repository.layout.git_dir)
    if head is None or mine is None or not session.began(mine.begin):
        return head
    return _step_below(ws, session, ws.repository, head) or head


def _beside(ws: Workspace, session: Session) -> str:
    common_dir = ws.repository.layout.common_dir
    if os.path.basename(common_dir) == ".git":
        common_dir = os.path.dirname(common_dir)
    return f"{common_dir.removesuffix('.git')}.{session.name}"


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _named(ws: Workspace, name: str | None) -> tuple[Owned, Session]:
    """The worktree that a removal means, and its session, open or closed."""
    here = owned.read(ws.repository.layout.git_dir)
    wanted = name or ws.default_session or (here.session if here else None)
    if wanted is None:
        wanted = sessions.choose(ws, None).name
    for mine in owned.every(ws.repository.layout.common_dir):
        if mine.session != wanted:
            continue
        tips = [ws.repository.store.ref(sessions.OPEN + wanted)]
        # The newest first: it knows what it was before its rebases, and not the other way round.
        tips += [tip for _, tip in sorted(sessions.closed_numbers(ws, wanted).items())[::-1]]
        for session in (sessions.at(ws, wanted, tip) for tip in tips if tip):
            if session.began(mine.begin):
                return mine, session
    raise SlipError("session-missing", f"{wanted} has no worktree", hint="git worktree list")


def _step_below(ws: Workspace, session: Session, view: Repository, head: str) -> str | None:
    """The newest step of the session that ``head`` is or comes from."""
    for known in (session, *sessions.before_rebases(ws, session)):
        chain = {known.begin, known.tip, *(s.commit for s in sessions.steps(ws, known))}
        if head in chain:
            return head
        done = view.git.run("merge-base", head, known.tip, accept=(0, 1))
        below = done.out.decode().strip()
        if below in chain:
            return below
    return None


def _tree(ws: Workspace, commit: str | None) -> str:
    if commit is None:
        return EMPTY_TREE
    return commits.parse(commit, ws.repository.objects.commit(commit)).tree


# Bringing it along -------------------------------------------------------------------------------


def _bring(ws: Workspace, session: Session, mine: Owned) -> list[str] | None:
    """Bring files, index and HEAD to the session's tip; the paths that were not as they should be.

    HEAD comes last: killed before, the same again finds the files as they should be; or, where the
    session was rebased meanwhile, as they should have been.
    """
    view = ws.repository.seen_from(mine.root, mine.git_dir)
    branch, head = view.head()
    if branch is not None or head is None:
        raise SlipError(
            "dirty",
            f"{mine.root} is on the branch {(branch or '').removeprefix(sessions.BRANCHES)}",
            hint=command(["git", "-C", mine.root, "switch", "--detach"], [session.tip.encode()]),
        )
    if head == session.tip:
        return None
    _check_commits(ws, session, view, head)
    worktree = Worktree(mine.root, mine.git_dir, None, head)
    old, new = _tree(ws, head), session.tree
    brought = flushing.brought(
        ws,
        session,
        worktree,
        lambda: bringing.placements_between(ws.repository, old, new),
        index=True,
        earlier=sessions.before_rebases(ws, session),
    )
    reason = f"slip: {session.name} step {session.step}"
    view.git.run("update-ref", "--no-deref", "-m", reason, "HEAD", session.tip, head)
    return [file.path for file in brought.files] or None


def _check_commits(ws: Workspace, session: Session, view: Repository, head: str) -> None:
    """Refuse to leave commits behind that somebody made there and the session has not captured.

    Where the session has a path as it stands there now, an older version that was committed stays
    in the reflog of that HEAD, and nowhere else.
    """
    below = _step_below(ws, session, view, head)
    if below == head:
        return
    base = _tree(ws, below or session.base)
    committed = {d.path for d in ws.repository.trees.differences(base, _tree(ws, head))}
    lost = [t.path for t in _uncaptured(ws, session, view) if t.path in committed]
    if lost or below is None:
        root = view.layout.root or ""
        troubles = [Trouble(path, "committed there, not captured") for path in lost]
        hint = command(["slip", "-C", root, "capture", "-s", session.name], ())
        raise _dirty(root, troubles, hint)


# Is anything there that is nowhere else? ---------------------------------------------------------


def _check(ws: Workspace, session: Session, there: Owned, root: str, *, ignored: bool) -> None:
    """Raises `dirty`. root: what it is called in the message."""
    view = ws.repository.seen_from(there.root, there.git_dir)
    troubles = list(_uncaptured(ws, session, view))
    if ignored:
        known = {trouble.path for trouble in troubles}
        troubles += [t for t in _beside_tracked(view) if t.path not in known]
    if not troubles:
        return
    why = {trouble.why for trouble in troubles}
    hint = None
    if why <= {_EDITED, _UNTRACKED}:
        new = ["--untracked"] if _UNTRACKED in why else []
        hint = command(["slip", "-C", root, "capture", "-s", session.name, *new], ())
    elif _SUBMODULE in why:
        hint = command(["git", "-C", root, "submodule", "deinit", "--all"], ())
    elif why == {_MODULES}:
        hint = command(["rm", "-rf", _modules(view)], ())
    elif _IGNORED in why:
        # Nobody but the user knows what of these can be made again, so they are only listed.
        listing = ["ls-files", "-o", "-i", "--exclude-standard", "--directory"]
        hint = command(["git", "-C", root, *listing], ())
    count = sum(trouble.why == _IGNORED for trouble in troubles)
    raise _dirty(root, troubles, hint, f"; {_IGNORED_ALONE.format(count)}" if count else "")


def _dirty(
    root: str, troubles: Iterable[Trouble], hint: Hint | None, advice: str = ""
) -> SlipError:
    fault = InTheWay(root, troubles)
    # Not that class: what brings worktrees along gives it a hint of its own.
    return SlipError("dirty", fault.message + advice, hint=hint, data=fault.data)


def _uncaptured(ws: Workspace, session: Session, view: Repository) -> Iterator[Trouble]:
    """Files there, committed or not, whose content neither the session nor a step of it has."""
    branch, head = view.head()
    base = _step_below(ws, session, view, head) if head and branch is None else None
    base = base or head
    found = edited.edits(view, base, (), untracked=True)
    chains = (session, *sessions.before_rebases(ws, session))
    versions = bringing.of_any([bringing.versions(ws, chain) for chain in chains])
    trees, before = ws.repository.trees, {_tree(ws, base), _tree(ws, head)}
    for path, entry in found:
        if entry != trees.leaf(session.tree, path) and entry not in versions(path):
            tracked = any(trees.leaf(tree, path) is not None for tree in before)
            yield Trouble(path, _EDITED if tracked else _UNTRACKED)


def _beside_tracked(view: Repository) -> Iterator[Trouble]:
    """What else goes with the directory: ignored files, nested repositories, submodules."""
    others = ("ls-files", "-o", "-z", "--exclude-standard")
    for path in filter(None, view.git.run(*others).out.split(b"\0")):
        if path.endswith(b"/"):
            yield Trouble(path, "a repository")
    for path in filter(None, view.git.run(*others, "--ignored", "--directory").out.split(b"\0")):
        yield Trouble(path, _IGNORED)
    for path, _ in submodules.entries(view.git):
        if _holds_something(view, path):
            yield Trouble(path, _SUBMODULE)
    # `git submodule deinit` leaves them; git itself does not remove such a worktree.
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(os.fsencode(_modules(view)))):
            yield Trouble(name, _MODULES)


def _modules(view: Repository) -> str:
    """Where git keeps the repositories of submodules that were made in this worktree."""
    return os.path.join(view.layout.git_dir, "modules")


def _holds_something(view: Repository, path: bytes) -> bool:
    place = os.path.join(os.fsencode(view.layout.root or ""), path)
    return os.path.isdir(place) and bool(os.listdir(place))
