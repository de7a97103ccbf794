"""Several sessions judged together before any of them lands: `slip land --check`.

All that can be merged is stacked as if it had landed, and the gates judge the last tree, which has
all of it. Green: they land in one transaction, so that the branch gets that very tree or none.
Red: the stack is bisected to the first session with which it is red; that one stays open, and the
others are stacked anew and judged again. The gates are those of the branch before anything lands,
whatever a session makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.changes import asking, landing, publishing, recovery, sessions
from slipstream_git.changes.concurrency import stacking
from slipstream_git.changes.concurrency.reporting import Fault, Item, Tally
from slipstream_git.changes.concurrency.stacking import Stack, Stage
from slipstream_git.changes.gating import judging
from slipstream_git.changes.gating.judging import Case, Judge
from slipstream_git.changes.landing import Cleared
from slipstream_git.changes.settings import Gate, Settings
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, locks
from slipstream_git.outcomes import GateRow, Landed
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace


def land(ws: Workspace, queue: Sequence[Item], tally: Tally, *, atomic: bool) -> None:
    """Land what is green together, each branch by itself; told in ``tally``.

    A session that is red because its branch is so already is tried once more when others have
    landed. Raises `ref-moved`, `locked` or `git-failed` where that is no single session's fault.
    """
    by_branch: dict[str, list[Item]] = {}
    for item in queue:
        branch = landing.branch_of(ws, item.session, item.order.options)
        by_branch.setdefault(branch, []).append(item)
    for branch, items in by_branch.items():
        union = _Union(ws, branch, items, atomic=atomic)
        union.land(tally)
        if union.landed and union.on_red:
            again = [item for item, _ in union.on_red]
            union = _Union(ws, branch, again, atomic=atomic)
            union.land(tally)
        tally.faults.extend(fault for _, fault in union.on_red)


class _Judged(NamedTuple):
    """What the gates said of a stack. breaking: the number of the stage that they blame."""

    rows: list[GateRow]
    breaking: int | None = None
    is_red_without: bool = False


class _Union:
    """The sessions for one branch, until those that can have landed.

    on_red: sessions that are red on a branch that is red without them. green: the stacks that were
    judged, each by what it stands on and what it comes to.
    """

    def __init__(self, ws: Workspace, branch: str, queue: list[Item], *, atomic: bool) -> None:
        self._ws = ws
        self._branch = branch
        self._atomic = atomic
        self._options = queue[0].order.options
        # The gates judge the whole, and not each of these.
        apart = self._options._replace(check=None)
        self._queue = [
            item._replace(order=item.order._replace(options=apart, is_judged=False))
            for item in queue
        ]
        self._cleared: dict[str, Cleared] = {}
        self._green: dict[tuple[str, str, Settings], list[GateRow]] = {}
        self._refused: list[Fault] = []
        self._gone: list[Landed] = []
        self.landed = False
        self.on_red: list[tuple[Item, Fault]] = []

    def land(self, tally: Tally) -> None:
        """Stack, judge and drop until what is left lands, or nothing is left."""
        ws = self._ws
        with locks.queued(ws.repository.layout, self._branch, wanted=True):
            for _ in range(landing.TRIES + 3 * len(self._queue)):
                try:
                    if self._step(tally):
                        return
                except SlipError as fault:
                    if fault.code != "ref-moved":
                        raise
                finally:
                    ws.repository.objects.discard()
        raise sessions.kept_moving(self._branch, landing.TRIES)

    def _step(self, tally: Tally) -> bool:
        """One look at all of them as they are now; whether that was the end."""
        ws = self._ws
        self._queue, gone = stacking.as_now(ws, self._queue)
        self._gone += gone
        landed: list[Landed] = []
        with locks.held(ws.repository.layout), attributes.remembering(ws.repository):
            recovery.finish_all(ws)
            stack = stacking.stacked(
                ws, self._queue, self._cleared, clearing=False, again=not self._atomic
            )
            if not stack.stages or (self._atomic and (stack.faults or self._refused)):
                return self._ended(tally, stack, [])
            found, faults = stacking.all_ready(ws, stack.stages)
            if faults:
                self._drop(faults)
                return self._ended(tally, stack, []) if self._atomic else False
            rows = self._green.get(_key(stack)) if stack.is_seen else None
            if rows is not None:
                plan = stacking.plan(stack)
                landed = [stacking.told(ws, stage, found[self._branch]) for stage in stack.stages]
                # Of those before the last nobody has seen the very tree.
                landed[-1] = landed[-1]._replace(gates=rows)
                tally.warnings.extend(publishing.publish(ws, plan, found[self._branch]))
        if rows is not None:
            return self._ended(tally, stack, stacking.followed(ws, stack, landed))
        self._look(stack)
        return False

    def _look(self, stack: Stack) -> None:
        """Let hooks and signature see each, or else the gates the whole; nothing is locked."""
        ws = self._ws
        if not stack.is_seen:
            order = [stage.item for stage in stack.stages]
            ws.repository.objects.discard()
            with attributes.remembering(ws.repository):
                self._drop(stacking.stacked(ws, order, self._cleared, clearing=True).faults)
            return
        rules = stack.stages[0].merged.rules
        if not rules.gates:
            said = SlipError("usage", "--check: .slip.toml defines no gate")
            self._drop([Fault(item.session.name, said) for item in self._queue])
            return
        judged = _judged(ws, stack.stages, rules)
        if judged.breaking is None:
            self._green[_key(stack)] = judged.rows
            return
        fault = self._blamed(stack.stages, judged, rules.gates)
        if judged.is_red_without and not self._atomic:
            item = stack.stages[judged.breaking].item
            item = item._replace(order=item.order._replace(options=self._options, is_judged=True))
            self.on_red.append((item, fault))
            self._queue = [item for item in self._queue if item.session.name != fault.session]
        else:
            self._drop([fault])

    def _drop(self, faults: Sequence[Fault]) -> None:
        self._refused += faults
        names = {fault.session for fault in faults}
        self._queue = [item for item in self._queue if item.session.name not in names]

    def _ended(self, tally: Tally, stack: Stack, landed: Sequence[Landed]) -> bool:
        self.landed = bool(landed)
        tally.landed.extend(landed)
        tally.skipped.extend([*self._gone, *stack.skipped])
        tally.faults.extend([*self._refused, *map(self._as_now, stack.faults)])
        return True

    def _as_now(self, fault: Fault) -> Fault:
        """A conflict with what has landed meanwhile is one with the branch, and is told so."""
        if fault.error.code != "conflict" or not self.landed:
            return fault
        item = next(item for item in self._queue if item.session.name == fault.session)
        try:
            landing.proposed(self._ws, item.session, item.order)
        except SlipError as error:
            asking.hint_again(error, fault.session, self._options)
            return Fault(fault.session, error)
        return fault

    def _blamed(self, stages: Sequence[Stage], judged: _Judged, gates: Sequence[Gate]) -> Fault:
        """The refusal of the session that breaks the stack."""
        number = judged.breaking or 0
        stage, before = stages[number], [other.name for other in stages[:number]]
        error = judging.refusal(self._ws, stage.item.session, stage.tree, judged.rows, gates)
        branch = self._branch.removeprefix(sessions.BRANCHES)
        if judged.is_red_without:
            error.message = f"{error.message} (and so it is on {branch} without {stage.name})"
            error.data["red_without"] = True
        elif before:
            error.message = f"{stage.name}, on top of {stacking.few(before)}: {error.message}"
            error.data["on_top_of"] = before
        return Fault(stage.name, error)


def _key(stack: Stack) -> tuple[str, str, Settings]:
    first, last = stack.stages[0], stack.stages[-1]
    return first.merged.head_tree, last.tree, first.merged.rules


def _judged(ws: Workspace, stages: Sequence[Stage], rules: Settings) -> _Judged:
    """Judge the whole; where it is red, the first stage with which it is so.

    Found by halving, so what it is blamed for is seen: green without it, red with it.
    """
    first, judge = stages[0].merged, Judge(ws, rules)

    def rows(count: int, gates: Sequence[Gate]) -> list[GateRow]:
        tree = stages[count - 1].tree if count else first.head_tree
        # The branch itself is judged as if all of it were new: there is nothing to skip it by.
        bare = gates if count else [gate._replace(paths=()) for gate in gates]
        return judge.rows(Case(first.head_tree, tree, first.start), bare)

    found = rows(len(stages), rules.gates)
    if not judging.failing(found):
        return _Judged(found)
    bad = {row.name for row in judging.failing(found)}
    suspects = [gate for gate in rules.gates if gate.name in bad]
    green, red = 0, len(stages)
    while red - green > 1:
        half = (green + red) // 2
        tried = rows(half, suspects)
        if judging.failing(tried):
            red, found = half, tried
        else:
            green = half
    is_red_without = green == 0 and bool(judging.failing(rows(0, suspects)))
    return _Judged(found, red - 1, is_red_without)
