"""Who may meet whom: open sessions, and with them branches and edits that ordinary git made.

A worktree's edits are read as `slip capture` reads them, and nothing is touched: the files as `git
add` would store them, over the worktree's HEAD. They live in the overlay and are never written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from slipstream_git.changes import footprints, sessions
from slipstream_git.changes.footprints import Footprint
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, edited
from slipstream_git.gitdb.repository import Found, Repository
from slipstream_git.gitdb.worktrees import checkouts
from slipstream_git.gitdb.worktrees.jobs import Worktree
from slipstream_git.meetings import Unreadable
from slipstream_git.model import EMPTY_TREE
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.text.decimals import decimal
from slipstream_git.workspace import Workspace


class Party(NamedTuple):
    """One line of work: the tree it began with, and the tree it has come to.

    name: a session's, a branch's full ref, or a worktree's directory. base, tip: commits; None
    where there is none. time: of the base commit, in seconds. onto: the branch it would land on.
    """

    name: str
    base: str | None
    base_tree: str
    time: int
    tip: str | None
    tree: str
    onto: str | None
    footprint: Footprint


class Gathering(NamedTuple):
    """All that could be read, sessions first, each kind by name; and what could not."""

    sessions: list[Party]
    others: list[Party]
    unreadable: list[Unreadable]


def gather(ws: Workspace, wanted: Collection[str], *, worktrees: bool) -> Gathering:
    """Everybody who takes part. Raises `session-missing` for a wanted session that is not there.

    worktrees: with the branches and edits of worktrees, too.
    """
    for name in wanted:
        paths.session_name(name)
        if ws.repository.store.ref(sessions.OPEN + name) is None:
            sessions.load(ws, name)  # says what became of it
    found = _sessions(ws)
    if worktrees:
        _join_worktrees(ws, found)
    return found


def _sessions(ws: Workspace) -> Gathering:
    repository = ws.repository
    tips = repository.store.refs(sessions.OPEN)
    known = footprints.known(repository, tips.values())
    fresh: dict[str, Footprint] = {}
    found = Gathering([], [], [])
    for ref, tip in tips.items():
        name = ref.removeprefix(sessions.OPEN)
        try:
            session = sessions.at(ws, name, tip)
            touched = known.get(tip)
            if touched is None:
                touched = fresh[tip] = footprints.of_session(repository, session)
            found.sessions.append(_of_session(ws, session, touched))
        except SlipError as fault:
            found.unreadable.append(Unreadable(name, fault.message))
    footprints.remember(repository, fresh)
    return found


def _of_session(ws: Workspace, session: Session, touched: Footprint) -> Party:
    onto = ws.repository.pointed_at(session.onto) if session.onto else None
    _, time = _facts(ws.repository, session.base)
    return Party(
        session.name, session.base, session.base_tree, time, session.tip, session.tree, onto,
        touched,
    )  # fmt: skip


def _facts(repository: Repository, commit: str | None) -> tuple[str, int]:
    """The tree and the time of a commit."""
    if commit is None:
        return EMPTY_TREE, 0
    found = commits.parse(commit, repository.objects.commit(commit))
    words = found.committer.rsplit(b" ", 2)
    return found.tree, (decimal(words[1]) or 0) if len(words) == 3 else 0


# What ordinary git has ----------------------------------------------------------------------------


def _join_worktrees(ws: Workspace, found: Gathering) -> None:
    places = [w for w in checkouts.list_worktrees(ws.repository.git) if not w.bare]
    onto = sorted({party.onto for party in found.sessions if party.onto})
    main = places[0].branch if places else None
    landing_places = onto or ([main] if main else [])
    for branch in sorted({w.branch for w in places if w.branch} - set(landing_places)):
        try:
            party = _branch(ws, branch, landing_places)
        except SlipError as fault:
            found.unreadable.append(Unreadable(branch, fault.message))
        else:
            found.others.extend([party] if party else [])
    for place in sorted(places):
        if place.prunable or place.head is None:
            continue  # its directory is gone, or nothing is committed there yet
        try:
            party = _edits(ws, place)
        except (SlipError, OSError) as fault:
            why = fault.message if isinstance(fault, SlipError) else str(fault)
            found.unreadable.append(Unreadable(place.root, why))
        else:
            found.others.extend([party] if party else [])


def _branch(ws: Workspace, branch: str, onto: Sequence[str]) -> Party | None:
    """A branch with commits of its own beyond those that sessions land on; None without any.

    It began where it left the nearest of them.
    """
    repository = ws.repository
    head = repository.store.ref(branch)
    heads = [repository.store.ref(ref) for ref in onto]
    there = [oid for oid in heads if oid]
    if head is None or not there:
        return None
    done = repository.git.run("merge-base", head, *there, accept=(0, 1))
    base = done.out.decode().strip() or None
    if base == head:
        return None
    lands = next((r for r, oid in zip(onto, heads, strict=True) if oid and oid == base), onto[0])
    base_tree, time = _facts(repository, base)
    tree, _ = _facts(repository, head)
    touched = footprints.between(repository.trees, base_tree, tree)
    return Party(branch, base, base_tree, time, head, tree, lands, touched)


def _edits(ws: Workspace, place: Worktree) -> Party | None:
    """The uncommitted edits of tracked files in a worktree; None without any."""
    repository = ws.repository
    there = _opened_at(repository, place)
    found = edited.edits(there, place.head, (), untracked=False)
    for item in there.objects.pending().values():
        repository.objects.write(item.kind, item.data)
    base_tree, time = _facts(repository, place.head)
    tree = repository.trees.splice(base_tree, dict(found))
    if tree == base_tree:
        return None
    touched = footprints.between(repository.trees, base_tree, tree)
    return Party(place.root, place.head, base_tree, time, None, tree, place.branch, touched)


def _opened_at(repository: Repository, place: Worktree) -> Repository:
    """The same repository as another worktree of it sees it; shares the store."""
    layout = repository.layout._replace(git_dir=place.git_dir, root=place.root, bare=False)
    config = repository.config_in(place.root, place.git_dir)
    git = repository.git.at(place.root, place.git_dir)
    found = Found(layout, git, config, None)
    return Repository(lambda: found, lambda _layout, _git: repository.store, stays_open=False)


def heads_of(ws: Workspace, branches: Collection[str]) -> Mapping[str, str]:
    """The commits that branches stand at, of those that exist."""
    found = {branch: ws.repository.store.ref(branch) for branch in branches}
    return {branch: head for branch, head in found.items() if head is not None}
