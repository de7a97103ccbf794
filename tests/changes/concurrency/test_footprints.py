"""Footprints that do not meet, held against git's own merge."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from slipstream_git.changes import footprints
from slipstream_git.workspace import Workspace, open_workspace
from tests.changes.concurrency import random_trees
from tests.changes.concurrency.oracle import by_git, written
from tests.changes.concurrency.random_trees import Files
from tests.lab import Lab


@pytest.fixture
def ws(repo: Lab) -> Iterator[Workspace]:
    workspace = open_workspace(str(repo.path), os.environ, in_process=True)
    with workspace.repository:
        yield workspace


def check_apart(ws: Workspace, seed: int) -> bool:
    """Work of two sides on one base; True when the footprints do not meet."""
    chance = random.Random(seed)  # noqa: S311
    trees = ws.repository.trees
    start = random_trees.tree(chance)
    sides = [random_trees.worked(chance, start, chance.randrange(1, 4)) for _ in range(2)]
    base, ours, theirs = (written(ws, files) for files in (start, *sides))
    mine, other = (footprints.between(trees, base, side) for side in (ours, theirs))
    met = mine.meets(other)
    assert met == other.meets(mine)
    if met:
        return False
    changes = {d.path: d.new for d in trees.differences(base, theirs)}
    assert by_git(ws, base, ours, theirs) == trees.splice(ours, changes), seed
    return True


def check_carried(ws: Workspace, seed: int) -> bool:
    """One side, another base, and a second side over that; True when there was nothing to ask."""
    chance = random.Random(seed)  # noqa: S311
    trees = ws.repository.trees
    start = random_trees.tree(chance)
    later = random_trees.worked(chance, start, chance.randrange(1, 4))
    base, ours = (
        written(ws, f) for f in (start, random_trees.worked(chance, start, chance.randrange(1, 4)))
    )
    head, theirs = (
        written(ws, f) for f in (later, random_trees.worked(chance, later, chance.randrange(1, 3)))
    )
    mine, other = footprints.between(trees, base, ours), footprints.between(trees, head, theirs)
    if not footprints.lies_over(trees, mine, base, head):
        return False
    carried = by_git(ws, base, head, ours)
    if not trees.differing(base, head, mine.changed):
        changes = {d.path: d.new for d in trees.differences(base, ours)}
        assert carried == trees.splice(head, changes), seed
    if carried is None or mine.meets(other):
        return False
    changes = {d.path: d.new for d in trees.differences(head, theirs)}
    assert by_git(ws, head, carried, theirs) == trees.splice(carried, changes), seed
    return True


def test_what_does_not_meet_merges_cleanly(ws: Workspace) -> None:
    assert sum(check_apart(ws, seed) for seed in range(80)) > 16


def test_what_lies_over_another_base_merges_cleanly_there(ws: Workspace) -> None:
    assert sum(check_carried(ws, seed) for seed in range(80)) > 8


@pytest.mark.slow
def test_many_more_of_both(ws: Workspace) -> None:
    assert sum(check_apart(ws, seed) for seed in range(1000, 2000)) > 400
    assert sum(check_carried(ws, seed) for seed in range(1000, 2000)) > 300


def test_a_moved_directory_meets_what_is_added_to_it(ws: Workspace) -> None:
    trees = ws.repository.trees
    start: Files = {b"d/x": (0o100644, b"x\n" * 9), b"d/y": (0o100644, b"y\n" * 9)}
    base = written(ws, start)
    moved = written(ws, {path.replace(b"d/", b"e/"): file for path, file in start.items()})
    added = written(ws, start | {b"d/new": (0o100644, b"new\n")})
    gone = written(ws, {b"other": (0o100644, b"x\n")})
    mine, other = footprints.between(trees, base, moved), footprints.between(trees, base, added)
    assert mine.gone == {b"d"}
    assert mine.meets(other) == {b"d/new"}
    assert by_git(ws, base, moved, added) is None
    assert footprints.between(trees, base, gone).meets(other) == {b"d/new"}


def test_a_step_moves_a_footprint_on_as_if_worked_out_anew(ws: Workspace) -> None:
    chance = random.Random(7)  # noqa: S311
    trees = ws.repository.trees
    for _ in range(60):
        start = random_trees.tree(chance)
        then = random_trees.worked(chance, start, chance.randrange(3))
        now = random_trees.worked(chance, then, chance.randrange(3))
        base, old, new = (written(ws, files) for files in (start, then, now))
        before = footprints.between(trees, base, old)
        assert footprints.moved_on(ws.repository, before, old, base, new) == footprints.between(
            trees, base, new
        )
