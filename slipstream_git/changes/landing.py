"""Landing: a session becomes one commit on its branch, as `git` would have made it.

Here the landing is computed: the merge, the commit, the refs that move. Nothing is visible until
publishing.py makes it so, in its order.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git import hints
from slipstream_git.changes import (
    asking,
    beside,
    bringing,
    differences,
    hooks,
    messages,
    normalising,
    proposing,
    provenance,
    publishing,
    recovery,
    refusing,
    sessions,
    settings,
    telling,
    uncaptured,
    underway,
)
from slipstream_git.changes.asking import Options
from slipstream_git.changes.builtins import Checks
from slipstream_git.changes.hooks import Passed, Proposal
from slipstream_git.changes.messages import Identity, Message
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.provenance import Share
from slipstream_git.changes.publishing import Plan, Ready, Target
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.settings import Gate, Settings
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, commits, locks, merge, signing
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.transaction import Mover
from slipstream_git.model import EMPTY_TREE
from slipstream_git.outcomes import GateRow, Landed
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

TRIES = 16
UNSAID = Options(Message())


class Order(NamedTuple):
    """A landing as it was asked for, found possible whatever the session holds.

    hooks: those that run before the commit. sign: as asked for or configured. stored: what earlier
    tries found to land otherwise than the session has it. mover: started to move the refs of it.
    is_judged: whether gates have their word; no, where what this lands with is judged as a whole.
    checks: the built-in ones; None where they were not asked for.
    """

    options: Options
    identity: Identity
    text: bytes
    hooks: tuple[str, ...]
    sign: bool
    stored: normalising.Known
    mover: Mover | None = None
    is_judged: bool = True
    checks: Checks | None = None

    def gates(self, rules: Settings) -> tuple[Gate, ...]:
        """The gates that judge what lands, of those that the branch has."""
        wanted = self.is_judged and self.options.check is not False and not self.options.dry_run
        return rules.gates if wanted else ()

    def is_slow(self, rules: Settings) -> bool:
        """Whether programs of the user's take part, which may take minutes."""
        return bool(self.hooks) or self.sign or bool(self.gates(rules))


class Merged(NamedTuple):
    """What would land if nobody objected. ``head`` is None for a branch to be created.

    start: the commit's parent; None for the first commit of all.
    normalised: a line for each path that lands otherwise than the session has it. rules: what the
    branch's `.slip.toml` says. since: for gates, the tree from before all that lands together.
    """

    session: Session
    branch: str
    head: str | None
    start: str | None
    head_tree: str
    tree: str
    engine: str | None
    normalised: tuple[str, ...]
    rules: Settings = Settings()
    since: str | None = None

    @property
    def judged_since(self) -> str:
        """The tree that gates see the change of."""
        return self.since or self.head_tree

    def target(self, tree: str) -> Target:
        return Target(self.session, self.branch, self.head, self.head_tree, tree)


class Made(NamedTuple):
    """The commit of a merge, in the overlay, what the hooks made of it, and the gates' word."""

    oid: str
    passed: Passed
    gates: list[GateRow]


class Cleared(NamedTuple):
    """What hooks, gates and signature made of a merge, outside the lock; good for it alone.

    asked: the tree that the hooks were shown. commit: signed, for that parent. judged: the tree
    that it was a change of for the gates, and the rules; ``gates`` is what they said.
    """

    asked: str
    passed: Passed
    parent: str | None = None
    commit: bytes | None = None
    judged: tuple[str, Settings] | None = None
    gates: tuple[GateRow, ...] = ()


def order(ws: Workspace, options: Options) -> Order:
    """Refuse what cannot land whatever the session holds; nothing is computed yet."""
    repository = ws.repository
    if options.onto is not None:
        sessions.branch_ref(ws, options.onto)
    identity = messages.identity(ws, options.message)
    text = messages.text(repository, options.message, identity)
    # Like `git commit --dry-run`: nothing that could have an effect is run.
    before = () if options.dry_run else hooks.before(repository, no_verify=options.no_verify)
    sign = not options.dry_run and signing.is_wanted(repository, sign=options.sign)
    checks = None if options.check is False else Checks(repository)
    return Order(options, identity, text, before, sign, stored={}, checks=checks)


def ordered(ws: Workspace, session: Session, options: Options) -> Order:
    """The same for one session, with its own message where none is given; a hint names it."""
    try:
        message = proposing.completed(ws, session, options.message)
        if message != options.message:
            subject = message.paragraphs[0].partition("\n")[0]
            ws.notify(f"no -m: the message is what the session is called, {subject}")
        return order(ws, options._replace(message=message))
    except SlipError as fault:
        asking.hint_again(fault, session.name, options)
        raise


def commit(ws: Workspace, session: Session, order: Order) -> Landed:
    """Land a session. Raises `conflict`, `dirty`, `hook-failed`, `ref-moved`, …: nothing moved."""
    layout = ws.repository.layout
    uncaptured.check(ws, session)
    order = order._replace(text=provenance.trailed(ws, session, order.text))
    cleared: Cleared | None = None
    branch = branch_of(ws, session, order.options)
    found = rules(ws, session, branch)
    is_slow = order.is_slow(found)
    if order.checks is not None:  # nobody has to wait for what can be read without the lock
        order.checks.findings(session.base_tree, session.tree, found)
    is_quick = not is_slow and not order.options.dry_run  # the lock is taken once
    # Two that wait for slow hooks would take the branch from each other for ever.
    with locks.queued(layout, branch, wanted=is_slow):
        for _ in range(TRIES):
            try:
                with (
                    publishing.waiting(ws, _subject(order.text), wanted=is_quick) as mover,
                    locks.held(layout),
                    bringing.hinting_at(ws, session),
                    attributes.remembering(ws.repository),
                ):
                    ready = order._replace(mover=mover)
                    merged, landed = _landed(ws, session, ready, cleared)
                if landed is not None:
                    return follow(ws, merged, order, landed)
                cleared = clear(ws, merged, order, cleared)
            except SlipError as fault:
                asking.hint_again(fault, session.name, order.options)
                if fault.code != "ref-moved":
                    raise
            finally:
                ws.repository.objects.discard()
            session = sessions.again(ws, session)
    raise sessions.kept_moving(str(order.options.onto or session.onto), TRIES)


def _landed(
    ws: Workspace, session: Session, order: Order, cleared: Cleared | None
) -> tuple[Merged | None, Landed | None]:
    """One try, under the lock. No `Landed`: hooks or signature have not seen this merge yet."""
    options = order.options
    if not options.dry_run:
        recovery.finish_all(ws)
    merged = proposed(ws, session, order)
    if merged is None:
        return None, nothing(session)
    made = make(ws, merged, order, cleared)
    if made is None:
        # Asked here too, so that nobody waits for hooks before being told of a dirty file.
        publishing.ready(ws, merged.target(merged.tree), checkout=not options.no_checkout)
        return merged, None
    if made.passed.tree == merged.head_tree and merged.start is not None:
        return None, nothing(session)
    return merged, _published(ws, merged, order, made)


def make(ws: Workspace, merged: Merged, order: Order, cleared: Cleared | None) -> Made | None:
    """The commit of a merge; None as long as hooks, gates or signature have not seen it."""
    if not order.is_slow(merged.rules):
        cleared = unseen(merged, order)
    if cleared is None or not _covers(cleared, merged, order):
        return None
    objects, passed = ws.repository.objects, cleared.passed
    for item in passed.objects.values():
        objects.write(item.kind, item.data)
    if order.checks is not None:
        order.checks.refuse(merged, passed.tree, passed.text, order.identity)
    data = cleared.commit or _commit_object(merged, order, passed)
    return Made(objects.write("commit", data), passed, list(cleared.gates))


def unseen(merged: Merged, order: Order) -> Cleared:
    """As if hooks had looked and changed nothing."""
    return Cleared(merged.tree, Passed(merged.tree, order.text, {}, []))


def _covers(cleared: Cleared, merged: Merged, order: Order) -> bool:
    if cleared.asked != merged.tree:
        return False
    if order.gates(merged.rules) and cleared.judged != (merged.judged_since, merged.rules):
        return False
    return not order.sign or cleared.parent == merged.start


def _published(ws: Workspace, merged: Merged, order: Order, made: Made) -> Landed:
    """Make it so."""
    options = order.options
    target = merged.target(made.passed.tree)
    found = publishing.ready(ws, target, checkout=not options.no_checkout, sync=not options.no_sync)
    told = answer(ws, merged, made, options, found)
    if options.dry_run:
        return told
    text = _subject(made.passed.text)
    plan = Plan(target, made.oid, moves(ws, merged, made.oid, options), text, order.mover)
    warnings = publishing.publish(ws, plan, found)
    return told._replace(warnings=[*merged.normalised, *warnings] or None)


def _subject(text: bytes) -> str:
    return text.split(b"\n", 1)[0].decode("utf-8", "replace")


def clear(ws: Workspace, merged: Merged | None, order: Order, before: Cleared | None) -> Cleared:
    """Let hooks, gates and signature see a merge; nothing of ours is locked meanwhile.

    Hooks run again only when what they were shown has changed, gates only for a tree that they have
    not judged. Raises `hook-failed`, `gate-failed`, …
    """
    if merged is None:
        raise ValueError("nothing to clear")
    if before is not None and before.asked == merged.tree:
        passed = before.passed
    elif order.hooks:
        from slipstream_git.changes import rehearsal

        passed = rehearsal.run(ws, _proposal(merged, order, merged.tree, order.text), order.hooks)
    else:
        passed = unseen(merged, order).passed
    for item in passed.objects.values():
        ws.repository.objects.write(item.kind, item.data)
    cleared = Cleared(merged.tree, passed)
    gates, rows = order.gates(merged.rules), list[GateRow]()
    if gates:
        from slipstream_git.changes.gating import judging

        # What changes nothing does not land.
        if passed.tree != merged.head_tree or merged.start is None:
            case = judging.Case(merged.judged_since, passed.tree, merged.start)
            rows = judging.passed(ws, merged.session, case, merged.rules, gates)
        cleared = cleared._replace(judged=(merged.judged_since, merged.rules), gates=tuple(rows))
    if not order.sign:
        return cleared
    data = signing.signed(ws.repository, _commit_object(merged, order, passed))
    return cleared._replace(parent=merged.start, commit=data)


def _proposal(merged: Merged, order: Order, tree: str, text: bytes) -> Proposal:
    return Proposal(tree, merged.branch, merged.head, merged.start, text, order.identity)


def follow(ws: Workspace, merged: Merged | None, order: Order, landed: Landed) -> Landed:
    """What is told and what git runs after a commit; nothing that fails here is a failure."""
    if merged is not None and landed.committed:
        provenance.tell_of_branch(ws, merged.session)
    return ran_after(ws, merged, order, landed)


def ran_after(ws: Workspace, merged: Merged | None, order: Order, landed: Landed) -> Landed:
    """What git runs after a commit, the one that ``landed`` names; a failure is a warning."""
    if merged is None or not landed.committed or not hooks.exists(ws.repository, hooks.AFTER):
        return landed
    from slipstream_git.changes import rehearsal

    proposal = _proposal(merged, order, landed.tree or merged.tree, order.text)
    proposal = proposal._replace(on=landed.commit, head=landed.commit)
    try:
        runs = rehearsal.after(ws, proposal)
    except SlipError as fault:
        warnings = [*(landed.warnings or ()), f"landed; {hooks.AFTER} did not run: {fault.message}"]
        return landed._replace(warnings=warnings)
    return landed._replace(hooks=[*(landed.hooks or ()), *runs])


# What will happen --------------------------------------------------------------------------------


def proposed(ws: Workspace, session: Session, order: Order) -> Merged | None:
    """What would land, in the overlay; None when that would change nothing."""
    with telling.refusals(ws, session):
        merged = met(ws, session, order.options)
    before = merged.head_tree
    tree, normalised = normalising.as_stored(ws, before, merged.tree, order.stored)
    if tree == before and (merged.start is not None or before == EMPTY_TREE):
        return None
    merged = merged._replace(tree=tree, normalised=tuple(normalised))
    if order.checks is not None:
        order.checks.refuse(merged, tree, order.text, order.identity)
        if order.options.merge:  # all of the chain gets into the branch's history
            steps = sessions.steps(ws, session)
            order.checks.refuse_steps(merged, [session.base_tree, *(s.tree for s in steps)])
    return merged


def met(ws: Workspace, session: Session, options: Options = UNSAID) -> Merged:
    """The session merged with its branch, as the session has it. Raises `conflict`, …"""
    repository = ws.repository
    underway.check(ws, session, options.push)
    branch = branch_of(ws, session, options)
    head = repository.store.ref(branch)
    if head is None and not (session.makes_onto or options.onto):
        raise refusing.branch_gone(session, branch)
    # A branch that does not exist yet starts at the session's base.
    start = head or session.base
    found = settings.at(repository, start)
    if options.check and not found.gates:
        raise SlipError("usage", "--check: .slip.toml defines no gate")
    Permit(ws, session, found.policy, options.allow_protected).landing()
    head_tree = commits.tree_of(repository.objects, start)
    merged = merge.three_way(repository, session.base_tree, head_tree, session.tree, ws.clock())
    if merged.conflicts:
        raise refusing.conflict(ws, session, branch, head, head_tree, merged, options.push)
    engine = merged.engine if head != session.base else None
    return Merged(session, branch, head, start, head_tree, merged.tree, engine, (), found)


def rules(ws: Workspace, session: Session, branch: str) -> Settings:
    """What `.slip.toml` of the commit says that a session would land on now. Raises `policy`."""
    return settings.at(ws.repository, ws.repository.store.ref(branch) or session.base)


def branch_of(ws: Workspace, session: Session, options: Options) -> str:
    """The ref to move: the branch, or what it points to where it is a symbolic ref."""
    if options.onto:
        branch = sessions.branch_ref(ws, options.onto)
    elif session.onto is not None:
        branch = session.onto
    else:
        raise SlipError(
            "usage",
            f"{session.name} was begun on a detached HEAD; name the branch to land on",
            hint=hints.again("--onto", "BRANCH"),
        )
    return ws.repository.pointed_at(branch)


def _commit_object(merged: Merged, order: Order, passed: Passed) -> bytes:
    parents = [merged.start] if merged.start else []
    if order.options.merge:
        parents.append(merged.session.tip)
    who = order.identity
    return commits.encode(passed.tree, tuple(parents), who.author, who.committer, passed.text)


def moves(
    ws: Workspace, merged: Merged, oid: str, options: Options, shares: Sequence[Share] = ()
) -> tuple[RefMove, ...]:
    """Every ref that the landing moves: the branch, the session's, and the notes.

    shares: of a series, what each of its commits holds.
    """
    branch = RefMove(merged.branch, merged.head, oid)
    return (branch, *beside.moves(ws, merged.session, oid, options, shares))


# What is told ------------------------------------------------------------------------------------


def nothing(session: Session) -> Landed:
    reason = "the branch already has everything in this session"
    return Landed(session.name, committed=False, old_head=None, engine=None, reason=reason)


def answer(ws: Workspace, merged: Merged, made: Made, options: Options, found: Ready) -> Landed:
    """What a landing says of itself."""
    oid, passed, judged = made
    worktrees = found.worktrees
    checkout = "not-checked-out"
    if worktrees:
        followed = any(not writer.vacant for writer in found.writers)
        checkout = "updated" if followed else "skipped"
    return Landed(
        session=merged.session.name,
        committed=not options.dry_run,
        commit=oid,
        commits=[oid],
        branch=merged.branch,
        old_head=merged.head,
        tree=passed.tree,
        merged=merged.engine is not None,
        engine=merged.engine,
        changes=differences.changes_between(ws.repository, merged.head_tree, passed.tree),
        checkout=checkout,
        behind_worktrees=[w.root for w in worktrees] if options.no_checkout else None,
        gates=judged,
        hooks=passed.runs,
        dry_run=options.dry_run or None,
        warnings=list(merged.normalised) or None,
    )
