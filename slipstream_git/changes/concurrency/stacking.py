"""Several sessions computed on top of each other, and their branch moved once, or not at all.

Each merge is made as if those before it had landed (`aheadrefs`); hooks and signature see each, in
order, outside the landing lock. Then one transaction moves the branch to the last commit, closes
every session and notes where each commit came from; `publishing` makes it so, in its order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slipstream_git import hints
from slipstream_git.changes import (
    bringing,
    closing,
    landing,
    publishing,
    recovery,
    sessions,
    showing,
    uncaptured,
)
from slipstream_git.changes.concurrency.reporting import Fault, Item, Tally
from slipstream_git.changes.landing import Cleared, Made, Merged
from slipstream_git.changes.publishing import Plan, Ready, Target
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, locks
from slipstream_git.gitdb.aheadrefs import AheadRefs, looking_ahead
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.worktrees.troubles import InTheWay
from slipstream_git.outcomes import Landed
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

_MOST_NAMES = 5


class Stage(NamedTuple):
    """One session's commit, on the one before it."""

    item: Item
    merged: Merged
    made: Made

    @property
    def name(self) -> str:
        return self.item.session.name

    @property
    def tree(self) -> str:
        return self.made.passed.tree


class Stack(NamedTuple):
    """The commits to be, in order, and every ref move that makes them so.

    is_seen: hooks and signature have seen each of these; else they stand as if nothing came of it.
    """

    stages: list[Stage]
    skipped: list[Landed]
    faults: list[Fault]
    moves: tuple[RefMove, ...]
    is_seen: bool


def land(ws: Workspace, queue: Sequence[Item], tally: Tally) -> None:
    """Land all of a queue, which is for one branch, or none of it; told in ``tally``.

    Raises `ref-moved`, `locked` or `git-failed` where that is no single session's fault.
    """
    if not queue:
        return
    layout = ws.repository.layout
    cleared: dict[str, Cleared] = {}
    branch = landing.branch_of(ws, queue[0].session, queue[0].order.options)
    skipped: list[Landed] = []
    first = queue[0]
    is_slow = first.order.is_slow(landing.rules(ws, first.session, branch))
    with locks.queued(layout, branch, wanted=is_slow):
        for _ in range(landing.TRIES):
            queue, gone = as_now(ws, queue)
            skipped += gone
            try:
                stack, landed = _tried(ws, queue, cleared, tally)
                if landed is None and not stack.faults:
                    ws.repository.objects.discard()
                    with attributes.remembering(ws.repository):
                        stack = stacked(ws, queue, cleared, clearing=True)
            except SlipError as fault:
                if fault.code != "ref-moved":
                    raise
                continue
            finally:
                ws.repository.objects.discard()
            if landed is not None or stack.faults:
                tally.skipped.extend([*skipped, *stack.skipped])
                tally.faults.extend(stack.faults)
                tally.landed.extend(followed(ws, stack, landed or ()))
                return
    raise sessions.kept_moving(branch, landing.TRIES)


def rehearse(ws: Workspace, queue: Sequence[Item], tally: Tally, *, atomic: bool) -> None:
    """What landing this queue one by one would come to, or all at once; nothing is kept."""
    queue = list(queue)
    with locks.held(ws.repository.layout), attributes.remembering(ws.repository):
        while True:
            stack = stacked(ws, queue, {}, clearing=False, again=not atomic)
            found, faults = all_ready(ws, stack.stages)
            if not faults:
                break
            tally.faults.extend(faults)
            dropped = {fault.session for fault in faults}
            queue = [item for item in queue if item.session.name not in dropped]
        tally.landed.extend(told(ws, stage, found[stage.merged.branch]) for stage in stack.stages)
    tally.skipped.extend(stack.skipped)
    tally.faults.extend(stack.faults)


def as_now(ws: Workspace, queue: Iterable[Item]) -> tuple[list[Item], list[Landed]]:
    """The queue with its sessions as they are, and those that others have landed meanwhile."""
    found: list[Item] = []
    gone: list[Landed] = []
    for item in queue:
        already = closing.landed_meanwhile(ws, item.session)
        if already is not None:
            gone.append(already)
        else:
            found.append(item._replace(session=sessions.again(ws, item.session)))
    return found, gone


def _tried(
    ws: Workspace, queue: Sequence[Item], cleared: dict[str, Cleared], tally: Tally
) -> tuple[Stack, list[Landed] | None]:
    """One try, under the lock. None in place of answers: refused, or not seen by the hooks yet."""
    with locks.held(ws.repository.layout), attributes.remembering(ws.repository):
        recovery.finish_all(ws)
        stack = stacked(ws, queue, cleared, clearing=False)
        if stack.faults:
            return stack, None
        found, faults = all_ready(ws, stack.stages)
        if faults:
            return stack._replace(faults=faults), None
        if not stack.stages:
            return stack, []
        if not stack.is_seen:
            return stack, None
        landed = [told(ws, stage, found[stage.merged.branch]) for stage in stack.stages]
        made = plan(stack)
        tally.warnings.extend(publishing.publish(ws, made, found[made.target.branch]))
        return stack, landed


# Computed ----------------------------------------------------------------------------------------


def stacked(
    ws: Workspace,
    queue: Sequence[Item],
    cleared: dict[str, Cleared],
    *,
    clearing: bool,
    again: bool = False,
) -> Stack:
    """Every session of the queue merged onto those before it, the refused ones left out.

    clearing: hooks and signature see each, which may take minutes; what they make of it is kept in
    ``cleared``, and the first refusal is the last. again: those that collided before others were
    merged are tried once more.
    """
    stack = Stack([], [], [], (), is_seen=True)
    met: list[tuple[Item, Fault, list[Stage]]] = []
    with looking_ahead(ws.repository) as refs:
        for item in queue:
            try:
                stack = _with(ws, stack, item, refs, cleared, clearing=clearing)
            except SlipError as error:
                met.append((item, Fault(item.session.name, error), list(stack.stages)))
                if clearing:
                    break
        for number, (item, fault, before) in enumerate(met if again else ()):
            if fault.error.code != "conflict" or len(stack.stages) == len(before):
                continue
            try:
                stack = _with(ws, stack, item, refs, cleared, clearing=clearing)
            except SlipError as error:
                met[number] = (item, Fault(fault.session, error), list(stack.stages))
    there = {stage.name for stage in stack.stages} | {row.session for row in stack.skipped}
    faults = [
        _explained(ws, fault, item, before)
        for item, fault, before in met
        if fault.session not in there
    ]
    return stack._replace(moves=refs.planned(), faults=faults)


def _with(
    ws: Workspace,
    stack: Stack,
    item: Item,
    refs: AheadRefs,
    cleared: dict[str, Cleared],
    *,
    clearing: bool,
) -> Stack:
    """The stack with one more session on it, or told to have nothing to land."""
    session, order = item
    if not clearing:
        uncaptured.check(ws, session)
    merged = landing.proposed(ws, session, order)
    if merged is None:
        stack.skipped.append(landing.nothing(session))
        return stack
    made, is_seen = showing.made(ws, merged, order, cleared, session.name, clearing=clearing)
    if made.passed.tree == merged.head_tree and merged.start is not None:
        stack.skipped.append(landing.nothing(session))
        return stack
    moves = landing.moves(ws, merged, made.oid, order.options)
    refs.move(moves[:1] if clearing else moves, f"slip: {session.name}")
    stack.stages.append(Stage(item, merged, made))
    return stack._replace(is_seen=stack.is_seen and is_seen)


def _explained(ws: Workspace, fault: Fault, item: Item, stages: Sequence[Stage]) -> Fault:
    """A conflict says whether it is with the branch as it is, or with what lands before."""
    error = fault.error
    before = [stage for stage in stages if stage.merged.branch == error.data.get("onto")]
    if error.code != "conflict" or not before:
        return fault
    try:
        landing.proposed(ws, item.session, item.order)
    except SlipError as alone:
        return Fault(fault.session, alone)
    changed = {stage.name: _changed(ws, stage) for stage in before}
    files: Any = error.data["files"]
    for file in files:
        file["by"] = [
            {"session": s.name, "author": s.agent, "subject": s.title}
            for s in (stage.item.session for stage in before)
            if file["path"] in changed[s.name]
        ]
    names = sorted({row["session"] for file in files for row in file["by"]}) or sorted(changed)
    verb = "lands" if len(names) == 1 else "land"
    listed = few([file.get("original", file["path"]) for file in files])
    said = f"{fault.session} conflicts with {few(names)}, which {verb} first: {listed}"
    error.message = said
    error.hint = hints.again(without=("--atomic", "--dry-run"))
    error.data["onto_commit"] = before[0].merged.head
    # Without them there was no conflict, so what the hunks have on that side is theirs.
    error.data["sides"] = {"ours": few(names), "theirs": fault.session}
    return fault


def few(names: Sequence[str]) -> str:
    """The first of them, and how many there are besides."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _changed(ws: Workspace, stage: Stage) -> set[str]:
    """The paths that a stage changes, as they are shown."""
    differences = ws.repository.trees.differences(stage.merged.head_tree, stage.tree)
    return {paths.display(difference.path) for difference in differences}


# Published ---------------------------------------------------------------------------------------


def all_ready(ws: Workspace, stages: Sequence[Stage]) -> tuple[Mapping[str, Ready], list[Fault]]:
    """Look whether the worktrees can follow, by branch; or whose changes they cannot."""
    found: dict[str, Ready] = {}
    for branch in dict.fromkeys(stage.merged.branch for stage in stages):
        own = [stage for stage in stages if stage.merged.branch == branch]
        options = own[0].item.order.options
        try:
            found[branch] = publishing.ready(
                ws, _target(own), checkout=not options.no_checkout, sync=not options.no_sync
            )
        except InTheWay as fault:
            return found, _in_the_way(ws, fault, own)
        except SlipError as fault:
            return found, [Fault(stage.name, fault) for stage in own]
    return found, []


def _in_the_way(ws: Workspace, fault: InTheWay, stages: Sequence[Stage]) -> list[Fault]:
    """What is in the way, of each session the files that it is the first to change."""
    left = {trouble: paths.display(trouble.path) for trouble in fault.troubles}
    found: list[Fault] = []
    for stage in stages:
        changed = _changed(ws, stage)
        own = [trouble for trouble, shown in left.items() if shown in changed]
        if own:
            found.append(_hinted(ws, stage, InTheWay(fault.root, own)))
        left = {trouble: shown for trouble, shown in left.items() if trouble not in own}
    # What no change explains stands with the first, so that none is left untold.
    return [*found, *([_hinted(ws, stages[0], InTheWay(fault.root, left))] if left else [])]


def _hinted(ws: Workspace, stage: Stage, fault: InTheWay) -> Fault:
    try:
        with bringing.hinting_at(ws, stage.item.session):
            raise fault
    except InTheWay as hinted:
        return Fault(stage.name, hinted)


def _target(stages: Sequence[Stage]) -> Target:
    """Where a branch goes that all of these are for."""
    first = stages[0].merged
    others = tuple(stage.item.session for stage in stages[1:])
    return Target(first.session, first.branch, first.head, first.head_tree, stages[-1].tree, others)


def plan(stack: Stack) -> Plan:
    stages = stack.stages
    subject = f"land {few([stage.name for stage in stages])}"
    between = tuple(stage.tree for stage in stages[:-1])
    return Plan(_target(stages), stages[-1].made.oid, stack.moves, subject, between=between)


def told(ws: Workspace, stage: Stage, found: Ready) -> Landed:
    return landing.answer(ws, stage.merged, stage.made, stage.item.order.options, found)


def followed(ws: Workspace, stack: Stack, landed: Sequence[Landed]) -> list[Landed]:
    """What git runs after each commit."""
    stages = stack.stages[: len(landed)]
    return [
        landing.follow(ws, stage.merged, stage.item.order, told)
        for stage, told in zip(stages, landed, strict=True)
    ]
