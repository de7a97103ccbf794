"""A session's steps made again on another base, each as a step of its own."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.changes import chain
from slipstream_git.changes.chain import Step
from slipstream_git.changes.concurrency import unresolved
from slipstream_git.codec import json_bytes
from slipstream_git.gitdb import merge
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

# Their journals count, also where the tree stays as it is.
_TELLING = ("capture", "rebase", "resolve")


class Start(NamedTuple):
    """What a new chain begins with: its begin commit, and that one's tree."""

    session: str
    begin: str
    tree: str


def replayed(ws: Workspace, start: Start, steps: Sequence[Step], goal: str) -> str | None:
    """The steps in force made again behind ``start``, numbered anew; the new tip, in the overlay.

    Facts, journals and subjects stay; a step that has nothing left to do is dropped. None where a
    step conflicts, or all of them together do not make ``goal``.
    """
    tree, tip, number = start.tree, start.begin, 0
    left: unresolved.Open = {}
    for step in steps:
        before = chain.read_step(ws.repository, step.parents[0]).tree
        merged = merge.three_way(ws.repository, before, tree, step.tree, ws.clock())
        if merged.conflicts:
            return None
        if merged.tree == tree and step.facts.kind not in _TELLING:
            continue
        number += 1
        tree = merged.tree
        unresolved.fold(left, step)
        facts = step.facts._replace(
            session=start.session,
            step=number,
            begin=start.begin,
            unresolved=len(unresolved.left_of(left)),
        )
        parents = (tip, *step.parents[1:], *_kept(ws, step, tree))
        tip = chain.write_again(ws, step, tree, parents, facts)
    return tip if tree == goal else None


def _kept(ws: Workspace, step: Step, tree: str) -> tuple[str, ...]:
    """The step as it was, where its journal names a blob that the new tree does not hold."""
    for row in chain.read_ops(step):
        if "content_oid" in row:
            entry = ws.repository.trees.lookup(tree, json_bytes(row, "path"))
            if entry is None or entry.oid != row["content_oid"]:
                return (step.commit,)
    return ()
