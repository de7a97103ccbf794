"""A linked worktree for a session, for editors and tools that need files.

Its HEAD is detached at the session's newest step, so that `git diff` there shows what the session
does not have yet. What a person commits there, on top of that step, is captured like an edit.

Nothing here writes over an edit that the session has not captured: landing, closing and removing
look first, and a landing or an abort leaves the directory where it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from slipstream_git.changes import bringing, flushing, sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, edited, locks, reflogs, submodules
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.worktrees import owned
from slipstream_git.gitdb.worktrees.jobs import Acceptable, Trouble, Worktree
from slipstream_git.gitdb.worktrees.owned import Owned
from slipstream_git.gitdb.worktrees.troubles import InTheWay, not_looked_at
from slipstream_git.hints import Hint, command
from slipstream_git.model import EMPTY_TREE, GITLINK
from slipstream_git.outcomes import SessionWorktree
from slipstream_git.workspace import Workspace

_EDITED: Final = "not captured"
_UNTRACKED: Final = "untracked"
_IGNORED: Final = "ignored"
_IGNORED_ALONE: Final = "ignored, and so kept nowhere else: {}; move or delete them first"
_COMMITTED: Final = "committed there, not captured"
_STAGED: Final = "staged, not captured"
_SUBMODULE: Final = "a submodule"
_MODULES: Final = "a submodule's repository, which goes with what it has not pushed"
_SHOWN_COMMITS: Final = 3


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
                _check(ws, session, there, found.root, goes=True)

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
        _check(ws, session, mine, mine.root, goes=False)


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
    return commits.tree_of(ws.repository.objects, commit)


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
    lost = [t for t in _uncaptured(ws, session, view) if t.path in committed]
    if lost or below is None:
        root = view.layout.root or ""
        troubles = [Trouble(trouble.path, _COMMITTED) for trouble in lost]
        hint = command(["slip", "-C", root, "capture", "-s", session.name], ())
        if any(trouble.why == _COMMITTED for trouble in lost):
            hint = _branching(ws, session, root, head)
        raise _dirty(root, troubles, hint)


# Is anything there that is nowhere else? ---------------------------------------------------------


def _check(ws: Workspace, session: Session, there: Owned, root: str, *, goes: bool) -> None:
    """Raises `dirty`, or `unsupported` for files that git was told not to look at.

    root: what it is called in the message. goes: with its git directory, and all that is in there.
    """
    view = ws.repository.seen_from(there.root, there.git_dir)
    troubles = list(_uncaptured(ws, session, view))
    if goes:
        hidden = edited.hidden(view)
        if hidden:
            raise not_looked_at(root, hidden)
        known = {trouble.path for trouble in troubles}
        troubles += _staged(ws, session, view)
        troubles += [t for t in _beside_tracked(view) if t.path not in known]
    if troubles:
        count = sum(trouble.why == _IGNORED for trouble in troubles)
        advice = f"; {_IGNORED_ALONE.format(count)}" if count else ""
        raise _dirty(root, troubles, _hint(ws, session, view, root, troubles), advice)
    if goes:
        _check_reflog(ws, session, view, root)


def _hint(
    ws: Workspace, session: Session, view: Repository, root: str, troubles: Sequence[Trouble]
) -> Hint | None:
    """What leads on from these, one kind after the other; nothing is lost by it."""
    why = {trouble.why for trouble in troubles}
    head = view.head()[1]
    if _COMMITTED in why and head:
        return _branching(ws, session, root, head)
    if why & {_EDITED, _UNTRACKED} and why <= {_EDITED, _UNTRACKED, _STAGED}:
        new = ["--untracked"] if _UNTRACKED in why else []
        return command(["slip", "-C", root, "capture", "-s", session.name, *new], ())
    if _STAGED in why:
        # What all worktrees share keeps it.
        return command(["git", "-C", root, "stash"], ())
    return _hint_beside(view, root, troubles, why)


def _hint_beside(
    view: Repository, root: str, troubles: Sequence[Trouble], why: Collection[str]
) -> Hint | None:
    """The same where it is not the content of tracked files."""
    gitlinks = [t.path for t in troubles if t.why.startswith(_STAGED)]
    if _SUBMODULE in why:
        return _without_submodules(view, root, view.head()[1])
    if gitlinks:
        return command(["git", "-C", root, "reset", "-q", "--"], gitlinks)
    if why == {_MODULES}:
        return command(["rm", "-rf", _modules(view)], ())
    if _IGNORED in why:
        # Nobody but the user knows what of these can be made again, so they are only listed.
        listing = ["ls-files", "-o", "-i", "--exclude-standard", "--directory"]
        return command(["git", "-C", root, *listing], ())
    return None


def _without_submodules(view: Repository, root: str, head: str | None) -> Hint:
    """How its submodules are emptied; their repositories keep what is in them and not committed."""
    place = os.fsencode(view.layout.root or "")
    astray = next(submodules.unpopulated(view.git, place), None)
    if astray is not None:
        there = os.path.join(os.fsencode(root), astray)
        return command(["mv", "-n"], [there, there + b".mine"])
    deinit = ["git", "-C", root, "submodule", "deinit", "--all"]
    if not edited.changed_submodules(view, head):
        return command(deinit, ())
    each = ["git", "-C", root, "submodule", "--quiet", "foreach", "--recursive"]
    stashed = command([*each, "git stash -q -u"], ())
    return stashed.then(command([*deinit, "--force"], ()))


def _branching(ws: Workspace, session: Session, root: str, commit: str) -> Hint:
    """A command that keeps a commit by a branch of a name that is free."""
    taken = ws.repository.store.refs(sessions.BRANCHES)
    name, number = f"{session.name}-mine", 2
    while sessions.BRANCHES + name in taken:
        name, number = f"{session.name}-mine{number}", number + 1
    return command(["git", "-C", root, "branch", name, commit], ())


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
    versions = _versions(ws, session)
    trees, before = ws.repository.trees, {_tree(ws, base), _tree(ws, head)}
    for path, entry in found:
        if entry not in versions(path):
            tracked = any(trees.leaf(tree, path) is not None for tree in before)
            yield Trouble(path, _EDITED if tracked else _UNTRACKED)
    # A capture leaves these out.
    for path, _, new in trees.differences(_tree(ws, base), _tree(ws, head)):
        if new is not None and new.mode == GITLINK and new not in versions(path):
            if head is None or reflogs.has_branch(ws.repository.git, head):
                return
            yield Trouble(path, _COMMITTED)


def _versions(ws: Workspace, session: Session) -> Acceptable:
    """The versions of a path that the session or a step of it has, before its rebases, too."""
    chains = (session, *sessions.before_rebases(ws, session))
    kept = bringing.of_any([bringing.versions(ws, chain) for chain in chains])
    return lambda path: [ws.repository.trees.leaf(session.tree, path), *kept(path)]


def _staged(ws: Workspace, session: Session, view: Repository) -> Iterator[Trouble]:
    """What is in the index and neither in its HEAD nor in the session."""
    versions = _versions(ws, session)
    for path, entry in edited.staged(view, view.head()[1]):
        if entry is not None and entry not in versions(path):
            why = f"{_STAGED}: {entry.oid}" if entry.mode == GITLINK else _STAGED
            yield Trouble(path, why)


def _check_reflog(ws: Workspace, session: Session, view: Repository, root: str) -> None:
    """Refuse to drop the reflog of a HEAD while only that keeps something of a person's commits."""
    versions = _versions(ws, session)
    left = reflogs.only_there(ws.repository, view)
    lost = [commit for commit in left if not _is_kept(ws, commit, versions)]
    if not lost:
        return
    named = ", ".join(oid[:10] for oid in lost[:_SHOWN_COMMITS])
    more = len(lost) - _SHOWN_COMMITS
    raise SlipError(
        "dirty",
        f"in the way in {root}: commits that only its reflog keeps: {named}"
        + (f" and {more} more" if more > 0 else ""),
        hint=_branching(ws, session, root, lost[0]),
        data={"worktree": root, "paths": [], "commits": lost},
    )


def _is_kept(ws: Workspace, oid: str, versions: Acceptable) -> bool:
    """Whether the session has all that a commit changed. Not one that only has a message."""
    commit = commits.parse(oid, ws.repository.objects.commit(oid))
    before = _tree(ws, commit.parents[0] if commit.parents else None)
    changed = ws.repository.trees.differences(before, commit.tree)
    return bool(changed) and all(d.new in versions(d.path) for d in changed)


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
