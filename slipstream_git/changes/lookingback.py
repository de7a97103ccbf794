"""Whether a batch that fails on a branch has been made there already.

A bot that is run again brings the same ops, and those that replace a text find it replaced. So the
branch is followed back to a commit on which the batch goes through. Where the merge of what it does
there with the branch as it is now changes nothing, all of it is in the branch, whoever has put it
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipstream_git.changes import bounds, staging, views
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, merge
from slipstream_git.model import EMPTY_TREE, Op, Sub
from slipstream_git.text import edits, effects, scopes
from slipstream_git.workspace import Workspace

# How far back, and how often the batch is tried there.
MOST_COMMITS = 200
MOST_TRIES = 16
# What a batch fails with that has nothing left to do.
_DONE = ("no-match", "ambiguous", "missing", "exists", "stale", "out-of-range", "batch")


def is_made(
    ws: Workspace, draft: Session, ops: Sequence[Op], head: str | None, fault: SlipError
) -> bool:
    """Whether the branch at ``head`` has what this batch does, which fails there with ``fault``."""
    if head is None or fault.code not in _DONE:
        return False
    now = commits.tree_of(ws.repository.objects, head)
    tries = 0
    for before in _earlier(ws, head, ops):
        tries += 1
        if tries > MOST_TRIES:
            break
        after = _made_on(ws, draft, ops, before)
        if after is None or after == before:
            continue
        merged = merge.three_way(ws.repository, before, now, after, ws.clock())
        return not merged.conflicts and merged.tree == now
    return False


def _earlier(ws: Workspace, head: str, ops: Sequence[Op]) -> Iterator[str]:
    """The trees before each commit that changed a path which the batch is about, newest first."""
    names = {path for op in ops for path in effects.touched(op)}
    matchers = [scopes.compile_globs(op.globs) for op in ops if isinstance(op, Sub)]
    objects, trees = ws.repository.objects, ws.repository.trees
    commit = commits.parse(head, objects.commit(head))
    for _ in range(MOST_COMMITS):
        if not commit.parents:
            yield EMPTY_TREE
            return
        found = objects.find(commit.parents[0])
        if found is None:  # a shallow clone ends somewhere
            return
        parent = commits.parse(commit.parents[0], found.data)
        changed = trees.differing(parent.tree, commit.tree, names)
        if changed or any(
            matches(difference.path)
            for matches in matchers
            for difference in trees.differences(parent.tree, commit.tree)
        ):
            yield parent.tree
        commit = parent


def _made_on(ws: Workspace, draft: Session, ops: Sequence[Op], tree: str) -> str | None:
    """The tree that the batch makes of one, in the overlay; None where it fails there, too."""
    there = draft._replace(tree=tree, base_tree=tree)
    permit = Permit(ws, draft)
    try:
        view = views.TreeView(ws, tree, there)
        outcome = edits.apply_all(ops, view, permit.path, bounds.file_bytes(ws))
    except SlipError:
        return None
    return ws.repository.trees.splice(tree, staging.entries(ws.repository, there, outcome))
