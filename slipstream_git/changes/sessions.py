"""Sessions: opening, finding and listing them.

A session is a ref, `refs/slip/sessions/<name>`, and the chain of commits that it holds; nothing
else remembers it. Names are unique without regard to case, because refs are files and some file
systems fold case.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext

from slipstream_git import hints
from slipstream_git.changes import bounds, chain, freenames, telling, wording
from slipstream_git.changes.chain import Facts, Step
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, locks, sweeping
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.worktrees import owned
from slipstream_git.records import NamedTuple
from slipstream_git.results import Begun
from slipstream_git.text import paths, scopes
from slipstream_git.text.decimals import decimal
from slipstream_git.workspace import Workspace

OPEN = freenames.OPEN
CLOSED = "refs/slip/closed/"
BRANCHES = "refs/heads/"
TRIES = 32


class Session(NamedTuple):
    """An open session. ``step`` counts accepted changes; ``begin`` is the begin commit's id.

    makes_onto: the branch to land on was not there when it was begun. has_ref: False as long as
    only the process knows of it that is about to land it (`slip exec`). unresolved: how many paths
    a rebase left to be decided; a landing is refused until there is none. rebased: the begin
    commits from before its rebases. branch: the full ref of
    the branch whose work it was adopted from, else empty. allow_protected: globs of paths that the
    branch protects and this session may change.
    """

    name: str
    begin: str
    base: str | None
    base_tree: str
    onto: str | None
    makes_onto: bool
    tip: str
    tree: str
    step: int
    title: str
    agent: str
    worktree: str
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    has_ref: bool = True
    unresolved: int = 0
    branch: str = ""
    rebased: tuple[str, ...] = ()
    allow_protected: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        return OPEN + self.name

    def began(self, begin: str) -> bool:
        """Whether this is the session of a begin commit, its own or one from before a rebase."""
        return begin == self.begin or begin in self.rebased

    def is_same(self, other: Session) -> bool:
        """Whether these are one session at two times, and not two of one name."""
        return self.began(other.begin) or other.began(self.begin)


class Wish(NamedTuple):
    """What the caller of begin asked for; None and empty where nothing was said."""

    name: str | None = None
    base: str | None = None
    onto: str | None = None
    title: str | None = None
    agent: str | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    branch: str = ""
    allow_protected: tuple[str, ...] = ()


def begin(ws: Workspace, wish: Wish) -> Begun:
    """Open a session: one commit and one ref, whatever the size of the repository."""
    draft = drafted(ws, wish)
    session = opened(ws, draft, draft.begin, numbered=wish.name is None)
    if session.onto is None:
        ws.notify(f"HEAD is detached: to land {session.name}, `slip commit` needs --onto BRANCH")
    return Begun(session.name, session.ref, session.base, session.onto, session.begin)


def drafted(ws: Workspace, wish: Wish) -> Session:
    """The session that ``wish`` describes, its begin commit in the overlay, no ref yet."""
    taken = ws.repository.store.refs(OPEN)
    name = freenames.lowest(taken) if wish.name is None else wish.name
    paths.session_name(name)
    freenames.check(name, taken)
    base, onto = _place(ws, wish)
    typed = wish if not wish.branch else Wish(agent=wish.agent)  # else the words are the branch's
    said = {"name": typed.name, "title": typed.title, "name of the agent": typed.agent}
    wording.check(ws, onto, base, said)
    base_tree = _tree_of(ws, base)
    facts = Facts(
        session=name,
        step=0,
        kind="begin",
        onto=onto or "",
        makes_onto=onto is not None and ws.repository.store.ref(onto) is None,
        title=chain.one_line(wish.title or ""),
        agent=chain.one_line(wish.agent or ""),
        worktree=ws.worktree_name,
        allow=tuple(map(_glob, wish.allow)),
        deny=tuple(map(_glob, wish.deny)),
        branch=wish.branch,
        allow_protected=tuple(map(_protected, wish.allow_protected)),
    )
    oid = chain.write_step(ws, base_tree, (base,) if base else (), facts)
    return _session(facts, oid, base, base_tree, oid, base_tree, 0)


def move(ws: Workspace, moves: Sequence[RefMove], reason: str, *, holding: bool = False) -> None:
    """Move refs of slip's own; a lock that a killed slip left on one is cleared, once.

    holding: the caller holds the landing lock. Where several refs move or one is deleted, see
    `closing.move_together`. Raises `ref-moved` or `locked`.
    """
    store, layout = ws.repository.store, ws.repository.layout
    try:
        store.move(moves, reason)
    except SlipError as fault:
        if fault.code != "locked":
            raise
        with nullcontext() if holding else locks.held(layout):
            if not sweeping.clear_stale_locks(layout.common_dir):
                raise
        store.move(moves, reason)


def opened(ws: Workspace, draft: Session, tip: str, *, numbered: bool) -> Session:
    """Publish a draft and create its ref at ``tip``, the draft's begin commit or a later step.

    numbered: the name was chosen here (s1, s2, …), so a lost race takes the next one.
    Raises `session-exists` or `quota`.
    """
    repository = ws.repository
    bounds.check_quota(ws)
    if ws.most_sessions:
        bounds.check_open(ws, repository.store.refs(OPEN))
    kept = repository.objects.publish()
    try:
        move(ws, [RefMove(draft.ref, None, tip)], f"slip: begin {draft.name}")
    except SlipError as fault:
        if fault.code != "ref-moved":
            raise
        if numbered and tip == draft.begin:
            again = _renamed(ws, draft)
            return opened(ws, again, again.begin, numbered=True)
        raise freenames.exists(draft.name) from None
    finally:
        kept.release()
    telling.began(ws, draft, tip)
    return draft


def _renamed(ws: Workspace, draft: Session) -> Session:
    wish = Wish(
        base=draft.base, onto=draft.onto, title=draft.title, agent=draft.agent,
        allow=draft.allow, deny=draft.deny, allow_protected=draft.allow_protected,
    )  # fmt: skip
    return drafted(ws, wish)


def _glob(pattern: str) -> str:
    if not pattern or pattern != chain.one_line(pattern):
        raise SlipError("usage", f"{pattern!r} is no pattern: it is empty or not one plain line")
    return pattern


def _protected(pattern: str) -> str:
    scopes.compile_globs((_glob(pattern),))  # a right that nobody can read is none
    return pattern


def _place(ws: Workspace, wish: Wish) -> tuple[str | None, str | None]:
    """The base commit and the full name of the branch to land on."""
    repository = ws.repository
    branch, head = repository.head()
    onto = branch if wish.onto is None else branch_ref(ws, wish.onto)
    if onto is None:
        onto = _onto_of_own(ws)
    if wish.onto is not None and repository.store.ref(onto or "") is None:
        ws.notify(f"the branch {wish.onto} does not exist yet; landing makes it")
    if wish.base is not None:
        return repository.resolve(wish.base), onto
    if head is None and branch is not None and wish.onto and onto != branch:
        return repository.store.ref(onto or ""), onto
    return head, onto


def _onto_of_own(ws: Workspace) -> str | None:
    """Where the session lands whose own worktree this is, in which HEAD is detached on purpose."""
    own = owned.read(ws.repository.layout.git_dir)
    tip = ws.repository.store.ref(OPEN + own.session) if own else None
    session = at(ws, own.session, tip) if own and tip else None
    return session.onto if session is not None and own and session.began(own.begin) else None


def branch_ref(ws: Workspace, name: str) -> str:
    """The full ref of a branch, existing or not. Raises `bad-name`."""
    short = name.removeprefix(BRANCHES)
    if paths.is_plain_branch(short):
        return BRANCHES + short
    done = ws.repository.git.run("check-ref-format", "--branch", short, accept=(0, 1, 128))
    # git lets a branch be called @, though that means HEAD wherever it is named.
    said = os.fsdecode(done.out).strip()
    if done.status or short.startswith("-") or short == "@" or said != short:
        raise SlipError("bad-name", f"{short!r} is no name for a branch")
    return BRANCHES + short


def _tree_of(ws: Workspace, commit: str | None) -> str:
    if commit is None:
        # git knows the empty tree without having it, but fsck misses it.
        return ws.repository.objects.write("tree", b"")
    return commits.tree_of(ws.repository.objects, commit)


def _session(
    facts: Facts, begin: str, base: str | None, base_tree: str, tip: str, tree: str, step: int
) -> Session:
    return Session(
        name=facts.session,
        begin=begin,
        base=base,
        base_tree=base_tree,
        onto=facts.onto or None,
        makes_onto=facts.makes_onto,
        tip=tip,
        tree=tree,
        step=step,
        title=facts.title,
        agent=facts.agent,
        worktree=facts.worktree,
        allow=facts.allow,
        deny=facts.deny,
        rebased=facts.rebased,
        allow_protected=facts.allow_protected,
        branch=facts.branch,
    )


def load(ws: Workspace, name: str) -> Session:
    """The open session of this name. Raises `session-missing`."""
    paths.session_name(name)
    tip = ws.repository.store.ref(OPEN + name)
    if tip is None:
        raise missing(ws, name)
    return at(ws, name, tip)


def again(ws: Workspace, session: Session) -> Session:
    """The session as it is by now. Raises `session-missing` where it is open no more, also where
    another of its name is.
    """
    if not session.has_ref:
        return session
    now = load(ws, session.name)
    if now.is_same(session):
        return now
    raise SlipError(
        "session-missing",
        f"{session.name} was closed meanwhile; another session of that name is open by now",
        hint="slip list --closed",
    )


def tries(ws: Workspace, session: Session) -> Iterator[Session]:
    """The session, and as it is by then for each further try to move it."""
    yield session
    for _ in range(TRIES - 1):
        yield again(ws, session)


def kept_moving(what: str, times: int = TRIES) -> SlipError:
    """The refusal after so many tries that others were faster than."""
    return SlipError("ref-moved", f"{what} kept moving; {times} tries were lost")


def missing(ws: Workspace, name: str) -> SlipError:
    """That no such session is open, and what became of the last one of that name."""
    numbers = closed_numbers(ws, name)
    if not numbers:
        return SlipError("session-missing", f"no session named {name} is open", hint="slip list")
    landed = chain.read_step(ws.repository, numbers[max(numbers)]).facts.landed
    became = f"it landed as {landed[:10]}" if landed else "it was closed"
    return SlipError(
        "session-missing",
        f"no session named {name} is open: {became}",
        hint=f"slip reopen {name}",
        data={"landed": landed} if landed else None,
    )


def _over(ws: Workspace, name: str) -> SlipError:
    """That the session whose own worktree this is was closed; a landed one needs it no longer."""
    fault = missing(ws, name)
    if fault.data.get("landed"):
        fault.hint = hints.of("slip", "worktree", "--remove")
    return fault


def at(ws: Workspace, name: str, tip: str) -> Session:
    """The session whose newest step is ``tip``."""
    step = chain.read_step(ws.repository, tip)
    first = chain.read_step(ws.repository, step.facts.begin) if step.facts.begin else step
    base = first.parents[0] if first.parents else None
    session = _session(first.facts, first.commit, base, first.tree, tip, step.tree, step.number)
    return session._replace(name=name, unresolved=step.facts.unresolved)


def choose(ws: Workspace, name: str | None) -> Session:
    """The session a command means: named, else $SLIP_SESSION, else the one whose own worktree
    this is, else the only one begun from here.

    Raises `session-required` (with the names) or `session-missing`.
    """
    wanted = ws.default_session if name is None else name
    if wanted is not None:
        return load(ws, wanted)
    own = owned.read(ws.repository.layout.git_dir)
    if own is not None:
        tip = ws.repository.store.ref(OPEN + own.session)
        session = at(ws, own.session, tip) if tip else None
        if session is not None and session.began(own.begin):
            return session
    everyone = every(ws)
    here = [session for session in everyone if session.worktree == ws.worktree_name]
    if len(here) == 1:
        return here[0]
    if own is not None and not here:
        raise _over(ws, own.session)
    if not everyone:
        raise SlipError("session-required", "no session is open", hint="slip begin")
    names = [session.name for session in everyone]
    which = "none of them was begun from this worktree" if not here else "several are open"
    raise SlipError(
        "session-required",
        f"which session? {which}: {', '.join(names)}",
        hint=f"slip status -s {(here or everyone)[0].name}",
        data={"sessions": names},
    )


def every(ws: Workspace) -> list[Session]:
    """All open sessions, by name; a ref that is no chain of ours is passed over."""
    found = []
    for ref, tip in ws.repository.store.refs(OPEN).items():
        try:
            found.append(at(ws, ref.removeprefix(OPEN), tip))
        except SlipError:
            continue
    return found


def tell_of_others(ws: Workspace, known: Iterable[str]) -> None:
    """Notices for open sessions that are not among ``known``, because they cannot be read."""
    names = {ref.removeprefix(OPEN) for ref in ws.repository.store.refs(OPEN)}
    for name in sorted(names.difference(known)):
        ws.notify(f"{name} cannot be read and is passed over; `slip doctor` looks why")


def steps(ws: Workspace, session: Session) -> list[Step]:
    """The chain's steps in order, without the begin commit and the marks that it has landed."""
    found: list[Step] = []
    oid = session.tip
    while oid != session.begin:
        step = chain.read_step(ws.repository, oid)
        # A mark repeats the number of the step it stands on; both are there when it was reopened.
        if not step.facts.landed:
            found.append(step)
        if not step.parents:
            raise SlipError("git-failed", f"the chain of {session.name} ends before it begins")
        oid = step.parents[0]
    return found[::-1]


def closing(ws: Workspace, session: Session) -> list[RefMove]:
    """The ref moves that close a session: its chain goes on under `closed`."""
    number = 1 + max(closed_numbers(ws, session.name), default=0)
    return [
        RefMove(session.ref, session.tip, None),
        RefMove(f"{CLOSED}{session.name}/{number}", None, session.tip),
    ]


def before_rebases(ws: Workspace, session: Session) -> list[Session]:
    """The session as it was before each of its rebases, as far as that is still kept."""
    if not session.rebased:
        return []
    kept = (at(ws, session.name, tip) for tip in closed_numbers(ws, session.name).values())
    return [was for was in kept if was.begin in session.rebased]


def landed_as(ws: Workspace, session: Session) -> str | None:
    """The commit that a session which is closed by now landed as, if it did."""
    closed = closed_numbers(ws, session.name)
    for number in sorted(closed, reverse=True):
        was = at(ws, session.name, closed[number])
        if was.began(session.begin):
            return chain.read_step(ws.repository, was.tip).facts.landed or None
    return None


def closed_numbers(ws: Workspace, name: str) -> Mapping[int, str]:
    """The closed chains of a name: their numbers and tips."""
    prefix = f"{CLOSED}{name}/"
    found = {}
    for ref, tip in ws.repository.store.refs(prefix).items():
        number = decimal(ref.removeprefix(prefix))
        # What slip did not name so, a foreign `01` say, is no chain of this name.
        if number is not None and ref == f"{prefix}{number}":
            found[number] = tip
    return found
