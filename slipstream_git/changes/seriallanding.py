"""Landing as a series: one commit for each group of steps, in one move of the branch.

The whole is merged with the branch first, as it would land in one commit; then what each group
comes to is merged in the same way, so that the last commit has the tree that the one would have
had. Hooks, signature and gates see each commit on the one before it, outside the landing lock. Then
one ref transaction moves the branch to the last, so that a death leaves all of the series or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipstream_git import hints
from slipstream_git.changes import (
    asking,
    botbranch,
    bringing,
    builtins,
    conflicts,
    differences,
    grouping,
    hooks,
    landing,
    normalising,
    orders,
    provenance,
    publishing,
    recovery,
    sessions,
    showing,
    uncaptured,
)
from slipstream_git.changes.botbranch import Kept, Own, Standing
from slipstream_git.changes.conflicts import Meeting
from slipstream_git.changes.grouping import AS_ONE, Group
from slipstream_git.changes.landing import Cleared, Made, Merged, Order
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.provenance import Share
from slipstream_git.changes.publishing import Plan, Target
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, commits, locks, merge
from slipstream_git.outcomes import GateRow, Landed, SeriesCommit
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

_END = "\0end"  # no label holds a NUL


class Stage(NamedTuple):
    """One commit to be, on the one before it. ``order`` has its own message."""

    group: Group
    merged: Merged
    order: Order
    made: Made


class Series(NamedTuple):
    """The commits to be, in order. ``idle``: groups that change nothing, and make none.

    whole: the session merged with its branch, as it would land in one commit. is_seen: hooks and
    signature have seen each of these; else they stand as if nothing came of it. kept: people's
    commits on top, of a bot's branch. same: its commits, where it is as it would be. gates: what
    they say of its end, where that is not what they say of its last commit.
    """

    whole: Merged
    stages: list[Stage]
    idle: list[Group]
    is_seen: bool
    kept: Sequence[Kept] = ()
    same: Sequence[str] = ()
    gates: Sequence[GateRow] = ()

    @property
    def end(self) -> Kept:
        """The commit that the branch comes to."""
        made = self.stages[-1].made
        return self.kept[-1] if self.kept else Kept(made.oid, made.passed.tree)

    @property
    def shares(self) -> list[Share]:
        """What each of its commits holds of the session."""
        return [Share(s.made.oid, s.group.label, s.group.numbers) for s in self.stages]


def commit(ws: Workspace, session: Session, order: Order) -> Landed:
    """Land a session as a series.

    Raises what `landing.commit` does, and `conflict` where two groups cannot be had apart, or a
    group by itself conflicts with the branch: nothing has moved then.
    """
    uncaptured.check(ws, session)
    grouping.tell_of_lost(ws, session)
    branch = landing.branch_of(ws, session, order.options)
    cleared: dict[str, Cleared] = {}
    is_slow = order.is_slow(landing.rules(ws, session, branch))
    with locks.queued(ws.repository.layout, branch, wanted=is_slow):
        for _ in range(landing.TRIES):
            try:
                series, landed = _tried(ws, session, order, cleared)
                if landed is not None:
                    return followed(ws, series, landed)
                ws.repository.objects.discard()
                with attributes.remembering(ws.repository):
                    computed(ws, session, order, cleared, clearing=True)
            except SlipError as fault:
                asking.hint_again(fault, session.name, order.options)
                if fault.code != "ref-moved":
                    raise
            finally:
                ws.repository.objects.discard()
            session = sessions.again(ws, session)
    raise sessions.kept_moving(branch, landing.TRIES)


def _tried(
    ws: Workspace, session: Session, order: Order, cleared: dict[str, Cleared]
) -> tuple[Series | None, Landed | None]:
    """One try, under the lock. No `Landed`: hooks or signature have not seen all of it yet."""
    options = order.options
    with (
        locks.held(ws.repository.layout),
        bringing.hinting_at(ws, session),
        attributes.remembering(ws.repository),
    ):
        if not options.dry_run:
            recovery.finish_all(ws)
        series = computed(ws, session, order, cleared, clearing=False)
        if series is None:
            return None, landing.nothing(session)
        if series.same:
            return series, as_it_was(series)
        # Asked here too, so that nobody waits for hooks before being told of a dirty file.
        target = _target(ws, series)
        found = publishing.ready(
            ws, target, checkout=not options.no_checkout, sync=not options.no_sync
        )
        if not series.is_seen:
            return series, None
        told = answer(ws, series, order, found)
        if options.dry_run:
            return series, told
        warnings = publishing.publish(ws, _plan(ws, series, order, target), found)
        return series, told._replace(warnings=[*(told.warnings or ()), *warnings] or None)


# Computed ----------------------------------------------------------------------------------------


def computed(
    ws: Workspace,
    session: Session,
    order: Order,
    cleared: dict[str, Cleared],
    *,
    clearing: bool,
) -> Series | None:
    """The series as it would land now, in the overlay; None where it would change nothing.

    clearing: hooks and signature see each commit, which may take minutes; what they make of it is
    kept in ``cleared``, by label.
    """
    is_bots = order.options.bot_branch is not None
    whole = (botbranch.whole if is_bots else landing.proposed)(ws, session, order)
    if whole is None:
        return None
    there = botbranch.standing(ws, whole, order) if is_bots else []
    # What people have put on top is judged with it.
    is_end = all(row.is_own for row in there)
    series = Series(whole, [], [], is_seen=True)
    planned = list(_planned(ws, session, whole, order))
    for number, (group, tree, normalised) in enumerate(planned):
        before = planned[number - 1].tree if number else whole.head_tree
        # What follows may come to nothing, and then this is what the branch will have.
        is_last = is_end and all(later.tree == tree for later in planned[number:])
        own = orders.own(ws, session, group, order, is_last=is_last)
        merged = _on_top(ws, series, before, tree)._replace(normalised=normalised)
        if not order.options.each:
            merged = merged._replace(since=whole.head_tree)
        series = _with(ws, series, group, merged, own, cleared, clearing=clearing)
    if not series.stages:
        return None
    if there and series.is_seen:
        series = _with_others(ws, series, order, there)
        _check_others(series, order)
    return series if series.same else _judged(ws, series, order, cleared, clearing=clearing)


def _with_others(ws: Workspace, series: Series, order: Order, there: Sequence[Standing]) -> Series:
    """A series with people's commits on top, or known to be what the branch has already."""
    whole = series.whole
    made = [Own(s.made.oid, s.made.passed.tree, s.made.passed.text) for s in series.stages]
    if botbranch.is_there(whole, order, made, there):
        return series._replace(same=[row.oid for row in there[: len(made)]])
    return series._replace(kept=botbranch.kept(ws, whole, order, made[-1], there))


def _check_others(series: Series, order: Order) -> None:
    """Raises `gate-failed` where the built-in checks find something that people added on top.

    They see all that lands. What the bot adds they have seen already, commit by commit.
    """
    whole = series.whole
    if not series.kept or order.checks is None:
        return
    found = order.checks.findings(whole.head_tree, series.end.tree, whole.rules)
    if found:
        fault = builtins.refusal(whole.session.name, series.end.tree, found)
        fault.message += " (added by people, on top of what the bot makes)"
        name = whole.branch.removeprefix(sessions.BRANCHES)
        span = f"{whole.start}..{name}" if whole.start else name
        fault.hint = hints.of("git", "log", "--stat", span)
        raise fault


def _judged(
    ws: Workspace,
    series: Series,
    order: Order,
    cleared: dict[str, Cleared],
    *,
    clearing: bool,
) -> Series:
    """A series of which gates have judged what the branch comes to, whoever made it.

    Its last commit is judged as it is made. Where people's commits are on top, or hooks have left
    nothing of what was to be the last, the end is judged by itself.
    """
    whole = series.whole
    is_done = not series.kept and _last(series).order.is_judged
    if is_done or not series.is_seen or not order.gates(whole.rules):
        return series
    end = whole._replace(tree=series.end.tree, since=whole.head_tree)
    if clearing:
        own = order._replace(hooks=(), sign=False)
        try:
            cleared[_END] = landing.clear(ws, end, own, cleared.get(_END))
        except SlipError as fault:
            raise fault if series.kept else _named(fault, _last(series).group) from None
    seen = cleared.get(_END)
    is_seen = seen is not None and (seen.asked, seen.judged) == (
        end.tree, (end.judged_since, end.rules),
    )  # fmt: skip
    return series._replace(is_seen=is_seen, gates=seen.gates if seen is not None else ())


class _Planned(NamedTuple):
    """A group with the tree that it and those before it would land as."""

    group: Group
    tree: str
    normalised: tuple[str, ...]


def _planned(ws: Workspace, session: Session, whole: Merged, order: Order) -> Iterator[_Planned]:
    """Every group merged with the branch in the way of the whole; the last is the whole."""
    groups = grouping.groups(ws, session)
    if not order.options.series:
        groups = [Group("", tuple(change for group in groups for change in group.changes))]
    found = grouping.parts(ws, session, groups)
    for group, tree in found[:-1]:
        trees = (session.base_tree, whole.head_tree, tree)
        merged = merge.three_way(ws.repository, *trees, ws.clock())
        if merged.conflicts:
            name = whole.branch.removeprefix(sessions.BRANCHES)
            fault = conflicts.error(
                ws,
                merged.conflicts,
                f"{group.said} of {session.name} conflicts with {name} without what follows",
                Meeting(whole.branch, whole.head, session.base, name, session.name, trees=trees),
                advice=" (without --series it lands as one commit)",
                hint=AS_ONE,
            )
            fault.data["groups"] = [group.label]
            raise fault
        stored, lines = normalising.as_stored(ws, whole.head_tree, merged.tree, order.stored)
        yield _Planned(group, stored, tuple(lines))
    for group, _ in found[-1:]:
        yield _Planned(group, whole.tree, whole.normalised)


def _on_top(ws: Workspace, series: Series, before: str, tree: str) -> Merged:
    """The next commit's merge: on the commit before it, or on the branch for the first.

    before: what the commit before was proposed as. What hooks made of that goes on, unless it
    collides with what comes: then they see that again.
    """
    whole = series.whole
    if not series.stages:
        # A bot's branch is made anew: its head is not what this commit stands on.
        return whole._replace(head=whole.head and whole.start, tree=tree)
    last = series.stages[-1].made
    at = last.passed.tree
    if at != before:
        carried = merge.three_way(ws.repository, before, at, tree, ws.clock())
        tree = tree if carried.conflicts else carried.tree
    return whole._replace(head=last.oid, start=last.oid, head_tree=at, tree=tree)


def _with(
    ws: Workspace,
    series: Series,
    group: Group,
    merged: Merged,
    order: Order,
    cleared: dict[str, Cleared],
    *,
    clearing: bool,
) -> Series:
    """The series with one more commit, or with a group more that makes none."""
    if _is_nothing(merged, merged.tree):
        series.idle.append(group)
        return series
    try:
        _check_policy(ws, merged, order)
        made, is_seen = showing.made(ws, merged, order, cleared, group.label, clearing=clearing)
    except SlipError as fault:
        raise _named(fault, group) from None
    if _is_nothing(merged, made.passed.tree):
        series.idle.append(group)
    else:
        series.stages.append(Stage(group, merged, order, made))
    return series._replace(is_seen=series.is_seen and is_seen)


def _check_policy(ws: Workspace, merged: Merged, order: Order) -> None:
    """Raises `policy` for a commit that by itself is over a limit, which the whole is not.

    A chain that was adopted may have one that a later one takes back.
    """
    allowed = order.options.allow_protected
    try:
        Permit(ws, merged.session, merged.rules.policy, allowed).change(
            merged.head_tree, merged.tree
        )
    except SlipError as fault:
        fault.hint = AS_ONE
        raise


def _named(fault: SlipError, group: Group) -> SlipError:
    """A refusal by a hook, a gate or the policy, which says of which commit it is."""
    if fault.code in ("hook-failed", "gate-failed", "policy"):
        fault.message += f" (in the commit of {group.said})"
        fault.data["group"] = group.label or None
    return fault


def _is_nothing(merged: Merged, tree: str) -> bool:
    return tree == merged.head_tree


# Published ---------------------------------------------------------------------------------------


def _last(series: Series) -> Stage:
    return series.stages[-1]


def _target(ws: Workspace, series: Series) -> Target:
    whole, head_tree = series.whole, series.whole.head_tree
    if whole.head not in (None, whole.start):
        head_tree = commits.tree_of(ws.repository.objects, whole.head)
    return Target(whole.session, whole.branch, whole.head, head_tree, series.end.tree)


def _plan(ws: Workspace, series: Series, order: Order, target: Target) -> Plan:
    last = _last(series).made.oid
    branch, *others = landing.moves(ws, series.whole, last, order.options, series.shares)
    moves = (branch._replace(new=series.end.oid), *others)
    subject = f"{series.whole.session.name}, a series of {len(series.stages)}"
    trees = [stage.made.passed.tree for stage in series.stages]
    trees += [row.tree for row in series.kept]
    between = (series.whole.head_tree, *trees[:-1])
    return Plan(target, series.end.oid, moves, subject, between=between)


def answer(ws: Workspace, series: Series, order: Order, found: publishing.Ready) -> Landed:
    """What the landing says of itself: the last commit is ``commit``."""
    stages = series.stages
    lines = [line for stage in stages for line in stage.merged.normalised]
    lines += [
        f"{group.said} ({orders.listed(group)}) change nothing: no commit" for group in series.idle
    ]
    told = landing.answer(ws, series.whole, _last(series).made, order.options, found)
    return told._replace(
        gates=list(series.gates) or told.gates,
        kept=[row.oid for row in series.kept] or None,
        commits=[stage.made.oid for stage in stages],
        series=[_row(ws, stage) for stage in stages],
        hooks=[run for stage in stages for run in stage.made.passed.runs],
        warnings=list(dict.fromkeys(lines)) or None,
    )


def as_it_was(series: Series) -> Landed:
    """A bot's branch that is as it would be made: nothing moves."""
    whole = series.whole
    return Landed(
        session=whole.session.name,
        committed=False,
        old_head=whole.head,
        engine=None,
        reason="the branch is as it would be made now",
        already=True,
        commit=series.same[-1],
        commits=list(series.same),
        branch=whole.branch,
    )


def _row(ws: Workspace, stage: Stage) -> SeriesCommit:
    passed = stage.made.passed
    changes = differences.changes_between(ws.repository, stage.merged.head_tree, passed.tree)
    return SeriesCommit(
        commit=stage.made.oid,
        group=stage.group.label or None,
        subject=passed.text.split(b"\n", 1)[0].decode("utf-8", "replace"),
        steps=stage.group.numbers,
        tree=passed.tree,
        paths=[change.path for change in changes],
        gates=stage.made.gates or None,
    )


def followed(ws: Workspace, series: Series | None, landed: Landed) -> Landed:
    """What git runs after each commit."""
    if series is None or not landed.committed:
        return landed
    provenance.tell_of_branch(ws, series.whole.session)
    stages: Sequence[Stage] = series.stages
    if not hooks.exists(ws.repository, hooks.AFTER):
        return landed
    told = landed
    for stage in stages:
        here = told._replace(commit=stage.made.oid, tree=stage.made.passed.tree)
        told = landing.ran_after(ws, stage.merged, stage.order, here)
    return told._replace(commit=landed.commit, tree=landed.tree)
