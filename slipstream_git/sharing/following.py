"""After a push: the sessions are closed, and the branch here follows where nothing is in its way.

The commit is on the other side by now, so nothing that fails here is a failure. What of it has been
done already, by a slip that was killed or by a `git pull`, is found to be done.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git import hints
from slipstream_git.changes import (
    beside,
    bringing,
    closing,
    landing,
    provenance,
    publishing,
    recovery,
    sessions,
    telling,
)
from slipstream_git.changes.asking import Options
from slipstream_git.changes.messages import Message
from slipstream_git.changes.provenance import Share
from slipstream_git.changes.publishing import Plan, Target
from slipstream_git.changes.sessions import BRANCHES, OPEN, Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, commits, locks, notes
from slipstream_git.gitdb.aheadrefs import looking_ahead
from slipstream_git.gitdb.process import without_credentials
from slipstream_git.gitdb.pushes import Attempt
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.repository import Repository
from slipstream_git.hints import Hint
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace


class Followed(NamedTuple):
    """What became of the branch here. checkout: as `Landed` has it. behind: worktrees left so.

    is_there: the branch holds what was pushed.
    """

    is_there: bool
    checkout: str
    behind: list[str] | None
    warnings: list[str]


class _Stay(Exception):
    """The branch stays as it is. Its text says why; empty where nobody has to be told.

    has_own: commits that the other side lacks.
    """

    def __init__(self, why: str = "", *, has_own: bool = False) -> None:
        super().__init__(why)
        self.has_own = has_own


def follow(ws: Workspace, attempt: Attempt) -> Followed:
    """Close the sessions of a push that has happened, note where they landed, move the branch.

    All of it is one transaction, as a landing is; where the branch has to stay as it is, the rest.
    Raises `ref-moved` or `locked` where others kept being faster: all of it is left to be done.
    """
    has_failed = False
    for _ in range(landing.TRIES):
        try:
            return _moved(ws, attempt)
        except _Stay as why:
            found = _told(ws, attempt, str(why), has_own=why.has_own)
        except SlipError as fault:
            if fault.code == "ref-moved":
                continue
            if fault.code == "git-failed" and not has_failed:
                has_failed = True  # a git that was killed, a disk that was full: it may have passed
                continue
            found = _told(ws, attempt, fault.message)
        finally:
            ws.repository.objects.discard()
        try:
            _close_alone(ws, attempt)
        except SlipError as fault:
            if fault.code != "ref-moved":
                raise
        else:
            return found
        finally:
            ws.repository.objects.discard()
    raise sessions.kept_moving(attempt.branch, landing.TRIES)


def holds(repository: Repository, head: str | None, commit: str) -> bool:
    """Whether a commit is in the history of a head."""
    if head is None or head == commit:
        return head == commit
    done = repository.git.run("merge-base", "--is-ancestor", commit, head, accept=(0, 1, 128))
    return done.status == 0


def _moved(ws: Workspace, attempt: Attempt) -> Followed:
    """The branch moved to what was pushed, with all that goes with it. Raises `_Stay`, `dirty`…"""
    repository = ws.repository
    with locks.held(repository.layout), attributes.remembering(repository):
        recovery.finish_all(ws)
        head = _start(ws, attempt)
        moves, chains = _with_it(ws, attempt)
        if not chains:
            raise _Stay(f"the sessions of {attempt.commit[:10]} are gone")
        made = [part.commit for part in attempt.parts] or [row.commit for row in attempt.rows]
        if made[-1] != attempt.commit:  # people's commits are on top
            made.append(attempt.commit)
        trees = [commits.tree_of(repository.objects, commit) for commit in made]
        between = (
            [commits.tree_of(repository.objects, attempt.old)]
            if attempt.old and attempt.old != head
            else []
        )
        target = Target(
            chains[0],
            attempt.branch,
            head,
            commits.tree_of(repository.objects, head),
            trees[-1],
            tuple(chains[1:]),
        )
        found = publishing.ready(
            ws, target, checkout=not attempt.no_checkout, sync=not attempt.no_sync
        )
        plan = Plan(
            target,
            attempt.commit,
            (RefMove(attempt.branch, head, attempt.commit), *moves),
            f"land {', '.join(row.session for row in attempt.rows)} on {_where(attempt)}",
            between=(*between, *trees[:-1]),
        )
        warnings = publishing.publish(ws, plan, found)
    checkout = "not-checked-out"
    if found.worktrees:
        is_updated = any(not writer.vacant for writer in found.writers)
        checkout = "updated" if is_updated else "skipped"
    behind = [worktree.root for worktree in found.worktrees] if attempt.no_checkout else None
    return Followed(is_there=True, checkout=checkout, behind=behind, warnings=warnings)


def _start(ws: Workspace, attempt: Attempt) -> str | None:
    """Where the branch stands that can follow. Raises `_Stay`."""
    repository = ws.repository
    head = repository.store.ref(attempt.branch)
    name = attempt.branch.removeprefix(BRANCHES)
    if head is None:
        if not attempt.makes:
            raise _Stay(f"there is no branch {name} here")
        return None
    if head in (attempt.old, attempt.here) or holds(repository, attempt.commit, head):
        if head == attempt.commit:
            raise _Stay
        return head
    if holds(repository, head, attempt.commit):
        raise _Stay
    raise _Stay(f"{name} has commits here that {_where(attempt)} lacks", has_own=True)


def _told(ws: Workspace, attempt: Attempt, why: str, *, has_own: bool = False) -> Followed:
    """A branch that stays as it is, with what can be typed to bring it along."""
    if not why:
        return Followed(is_there=True, checkout="skipped", behind=None, warnings=[])
    said = f"the branch here stays as it was: {why}"
    if not attempt.is_bots:  # which is made anew: what it was is not to be had on top
        command = _bringing(ws, attempt, has_own=has_own)
        said += f" (when that is settled: {command})" if command else ""
    return Followed(is_there=False, checkout="skipped", behind=None, warnings=[said])


def _bringing(ws: Workspace, attempt: Attempt, *, has_own: bool) -> Hint | None:
    """The command that brings the branch along, wherever that is checked out."""
    remote, there = _where(attempt), attempt.ref.removeprefix(BRANCHES)
    name = attempt.branch.removeprefix(BRANCHES)
    worktrees = [w for w in bringing.every_worktree(ws) if not w.bare and not w.prunable]
    places = [w.root for w in worktrees if w.branch == attempt.branch]
    if not places and not has_own:
        return hints.of("git", "fetch", remote, f"{there}:{name}")
    pull = ("pull", "--rebase" if has_own else "--ff-only", remote, there)
    if ws.repository.layout.root in places:
        return hints.of("git", *pull)
    if places:
        return hints.of("git", "-C", places[0], *pull)
    if ws.repository.layout.root is None:
        return None
    return hints.of("git", "switch", name).then(hints.of("git", *pull))


def _where(attempt: Attempt) -> str:
    return without_credentials(attempt.remote)


def _with_it(ws: Workspace, attempt: Attempt) -> tuple[list[RefMove], list[Session]]:
    """What moves with the branch: sessions to the closed ones, and the notes; and the sessions.

    A session that has got further steps meanwhile stays open, with these.
    """
    found: list[Session] = []
    with looking_ahead(ws.repository) as refs:
        for row in attempt.rows:
            try:
                session = sessions.at(ws, row.session, row.tip)
            except SlipError:
                continue  # somebody has deleted the chain, and gc has been there
            found.append(session)
            if _is_noted(ws, row.commit, session):
                continue
            now = refs.ref(OPEN + row.session)
            if now is not None and now != row.tip and not attempt.keep:
                ws.notify(f"{row.session} has got further steps since; it stays open with them")
            options = Options(
                Message(), keep=attempt.keep or now != row.tip,
                check=False if attempt.unchecked else None,
                bot_branch="" if attempt.is_bots else None,
            )  # fmt: skip
            shares = [Share(*part) for part in attempt.parts]
            moves = beside.moves(ws, session, row.commit, options, shares)
            refs.move(moves, f"slip: {row.session}")
    return list(refs.planned()), found


def _is_noted(ws: Workspace, commit: str, session: Session) -> bool:
    """Whether it is noted already that a session landed as a commit."""
    note = notes.read(ws.repository, provenance.REF, commit) or b""
    return session.tip.encode() in note


def _close_alone(ws: Workspace, attempt: Attempt) -> None:
    """All that goes with a landing but for the branch. Raises `ref-moved`."""
    moves, chains = _with_it(ws, attempt)
    if not moves:
        return
    kept = ws.repository.objects.publish()
    try:
        # What makes a ref decides for what deletes one.
        ordered = sorted(moves, key=lambda move: (move.new is None, move.old is not None))
        closing.move_together(ws, ordered, f"slip: land on {_where(attempt)}")
    finally:
        kept.release()
    telling.landed(ws, chains, moves, attempt.branch, attempt.commit)


def names(attempts: Sequence[Attempt]) -> list[str]:
    """The sessions that are in these pushes, each once."""
    return list(dict.fromkeys(row.session for attempt in attempts for row in attempt.rows))
