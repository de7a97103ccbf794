"""The walk and git make the same of random merges; the walk answers where it should."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipstream_git.gitdb import merge
from slipstream_git.gitdb.repository import Repository, open_repository
from tests.desk import NOW, STORES
from tests.gitdb import random_merges
from tests.gitdb.random_merges import Case, Tree
from tests.lab import Ground, Lab

RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
FILE = 0o100644


@pytest.fixture(params=STORES)
def repository(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Repository]:
    in_process = request.param == "libgit2"
    with open_repository(str(lab.path), os.environ, in_process=in_process) as opened:
        yield opened


@pytest.fixture
def lab(ground: Ground) -> Lab:
    return ground.repository()


def assert_as_git(lab: Lab, repository: Repository, case: Case) -> str:
    """Compares the merge with git's; who answered."""
    trees = [random_merges.stored(repository, tree) for tree in case]
    base = random_merges.committed(repository, trees[0])
    sides = [random_merges.committed(repository, tree, base) for tree in trees[1:]]
    repository.objects.publish().release()
    random_merges.furnished(lab, case.ours)
    wanted = random_merges.of_git(lab, *sides)
    found = merge.three_way(repository, trees[0], trees[1], trees[2], NOW)
    unmerged = {random_merges.without_side(conflict.path) for conflict in found.conflicts}
    assert unmerged == wanted.unmerged
    if not unmerged:
        assert found.tree == wanted.tree
    repository.objects.discard()
    return found.engine


@settings(max_examples=150, suppress_health_check=RELAXED)
@given(seed=st.integers(0, 2**40))
def test_random_merges(lab: Lab, repository: Repository, seed: int) -> None:
    assert_as_git(lab, repository, random_merges.case(random_merges.chance_of(seed)))


@pytest.mark.slow
@settings(max_examples=3000, suppress_health_check=RELAXED)
@given(seed=st.integers(0, 2**40))
def test_many_random_merges(lab: Lab, repository: Repository, seed: int) -> None:
    assert_as_git(lab, repository, random_merges.case(random_merges.chance_of(seed)))


def text_case(chance: random.Random, files: int) -> Case:
    """Many files that both sides have edited: one process of git answers for all of them."""
    base: Tree = {}
    ours: Tree = {}
    theirs: Tree = {}
    for number in range(files):
        path = f"{number:03d}"
        base[path] = (FILE, random_merges.long_text(chance))
        ours[path], theirs[path] = (
            (FILE, random_merges.edited_twice(chance, base[path][1])) for _ in range(2)
        )
    return Case(base, ours, theirs)


def assert_texts_as_git(lab: Lab, repository: Repository, case: Case) -> tuple[int, int]:
    """Compares each file's merge with git's; how many came out clean, and how many conflicted."""
    trees = [random_merges.stored(repository, tree) for tree in case]
    base = random_merges.committed(repository, trees[0])
    sides = [random_merges.committed(repository, tree, base) for tree in trees[1:]]
    repository.objects.publish().release()
    unmerged, merged = random_merges.files_of_git(lab, *sides)
    counts = [0, 0]
    for path in case.base:
        text = random_merges.merged_here(case, path)
        if text is not None:
            assert (text.data is None) == (path in unmerged), path
            if text.data is not None:
                assert text.data == merged(path), path
            counts[text.data is None] += 1
    return counts[0], counts[1]


@pytest.mark.parametrize("seed", range(4))
def test_random_texts(lab: Lab, seed: int) -> None:
    with open_repository(str(lab.path), os.environ, in_process=False) as repository:
        clean, conflicting = assert_texts_as_git(
            lab, repository, text_case(random_merges.chance_of(seed), 150)
        )
    assert clean > 30
    assert conflicting > 30
