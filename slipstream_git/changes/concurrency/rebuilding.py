"""A session's steps made again on another base, each as a step of its own, or all as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipstream_git.changes import captures, chain, unresolved
from slipstream_git.changes.chain import Facts, Step
from slipstream_git.codec import json_bytes
from slipstream_git.gitdb import merge
from slipstream_git.gitdb.edited import Edit
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace


class Start(NamedTuple):
    """What a new chain begins with: its begin commit, and that one's tree.

    base_tree: the tree that the old chain began with.
    """

    session: str
    begin: str
    tree: str
    base_tree: str


def replayed(ws: Workspace, start: Start, steps: Sequence[Step], goal: str) -> str | None:
    """The steps in force made again behind ``start``, numbered anew; the new tip, in the overlay.

    Facts, journals and subjects stay; a step that has nothing left to do is dropped. An earlier
    rebase and all that came before the last decision of its conflicts are one step: what collided
    with an older branch must not be opened again on this one. None where a step conflicts, or all
    of them together do not make ``goal``.
    """
    tree, tip, number = start.tree, start.begin, 0
    settled = _settled(steps)
    if settled:
        last = steps[settled - 1]
        merged = merge.three_way(ws.repository, start.base_tree, tree, last.tree, ws.clock())
        if merged.conflicts:
            return None
        tree, number = merged.tree, 1
        tip = one_step(ws, start, steps[:settled], tree, last.commit)
    for step in steps[settled:]:
        before = chain.read_step(ws.repository, step.parents[0]).tree
        merged = merge.three_way(ws.repository, before, tree, step.tree, ws.clock())
        if merged.conflicts:
            return None
        # What was captured or adopted counts, also where the branch has it already.
        if merged.tree == tree and step.facts.kind not in ("adopt", "capture"):
            continue
        number += 1
        tree = merged.tree
        facts = step.facts._replace(
            session=start.session, step=number, begin=start.begin, unresolved=0
        )
        parents = (tip, *step.parents[1:], *_kept(ws, step, tree))
        tip = chain.write_again(ws, step, tree, parents, facts)
    return tip if tree == goal else None


def _settled(steps: Sequence[Step]) -> int:
    """How many steps there are up to the last that belongs to an earlier rebase."""
    kinds = [step.facts.kind for step in steps]
    return max((n for n, kind in enumerate(kinds, 1) if kind in ("rebase", "resolve")), default=0)


def _kept(ws: Workspace, step: Step, tree: str) -> tuple[str, ...]:
    """The step as it was, where its journal names a blob that the new tree does not hold."""
    for row in chain.read_ops(step):
        named = row.get("content_oid") or (row["op"] in ("run", "split") and row.get("oid"))
        if named:
            entry = ws.repository.trees.lookup(tree, json_bytes(row, "path"))
            if entry is None or entry.oid != named:
                return (step.commit,)
    return ()


def one_step(
    ws: Workspace,
    start: Start,
    steps: Sequence[Step],
    tree: str,
    was: str,
    *,
    journal: Sequence[Mapping[str, Any]] = (),
    left: int = 0,
    subject: str = "",
) -> str:
    """One step of kind `rebase` for these, behind ``start``; its commit, in the overlay.

    was: the newest of them, which is its second parent. journal: rows to add to what they captured
    and decided.
    """
    groups, agents = ({s.facts.group for s in steps}, {s.facts.agent for s in steps})
    subjects = {s.facts.subject for s in steps}
    facts = Facts(
        session=start.session,
        step=1,
        kind="rebase",
        begin=start.begin,
        group=groups.pop() if len(groups) == 1 else "",
        agent=agents.pop() if len(agents) == 1 else "",
        unresolved=left,
        adopted=next((s.facts.adopted for s in reversed(steps) if s.facts.adopted), ""),
        subject=subjects.pop() if len(subjects) == 1 else "",
    )
    rows = [
        captures.journal_row(Edit(path, entry))
        for path, entries in captures.captured_by(steps).items()
        for entry in entries
    ]
    rows += [row for step in steps for row in unresolved.rows_of(step)]
    return chain.write_step(ws, tree, (start.begin, was), facts, [*rows, *journal], subject)
