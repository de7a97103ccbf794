"""The process that moves a landing's refs, started before it is needed."""

from __future__ import annotations

import os

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import transaction
from slipstream_git.gitdb.process import Child, Git
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.transaction import Mover
from tests.lab import Lab

REF = "refs/heads/new"


@pytest.fixture
def git(repo: Lab) -> Git:
    return Git(str(repo.path), os.environ)


def end(*children: Child) -> None:
    for child in children:
        child.kill()
        child.communicate()


def test_it_moves_refs_once(repo: Lab, git: Git) -> None:
    head = repo.oid("HEAD")
    mover = Mover(git, "why", synced=False)
    # What is packed after its start counts all the same.
    repo.git("update-ref", REF, head)
    repo.git("pack-refs", "--all")
    child = mover.taken(git, "why", synced=False)
    another = mover.taken(git, "why", synced=False)
    assert another.pid != child.pid
    end(child, another)
    mover = Mover(git, "why", synced=False)
    moves = [RefMove(REF, head, None), RefMove("refs/heads/other", None, head)]
    with transaction.prepared(git, moves, "why", synced=False, mover=mover) as refs:
        refs.commit()
    assert repo.refs() == {"refs/heads/main": head, "refs/heads/other": head}
    assert repo.git("reflog", "--format=%gs", "other").split() == ["why"]
    mover.close()


def test_one_that_was_started_otherwise_is_not_taken(repo: Lab, git: Git) -> None:
    head = repo.oid("HEAD")
    mover = Mover(git, "other", synced=False)
    with transaction.prepared(
        git, [RefMove(REF, None, head)], "why", synced=False, mover=mover
    ) as refs:
        refs.commit()
    assert repo.git("reflog", "--format=%gs", "new").split() == ["why"]
    for there, synced in ((git, True), (Git(str(repo.path), os.environ), False)):
        child = mover.taken(there, "other", synced=synced)
        end(child)
    left = mover.taken(git, "other", synced=False)
    assert left.poll() is None
    end(left)
    mover.close()


def test_one_that_died_is_not_taken(repo: Lab, git: Git) -> None:
    mover = Mover(git, "why", synced=False)
    child = mover._child
    assert child is not None
    child.kill()
    child.wait()
    head = repo.oid("HEAD")
    with transaction.prepared(
        git, [RefMove(REF, None, head)], "why", synced=False, mover=mover
    ) as refs:
        refs.commit()
    assert repo.oid(REF) == head
    mover.close()


def test_closed_without_use_it_has_done_nothing(repo: Lab, git: Git) -> None:
    before = repo.snapshot()
    Mover(git, "why", synced=False).close()
    assert repo.snapshot() == before


def test_a_refusal_is_told_as_ever(repo: Lab, git: Git) -> None:
    mover = Mover(git, "why", synced=False)
    moves = [RefMove("refs/heads/main", "1" * 40, repo.oid("HEAD"))]
    with (
        pytest.raises(SlipError) as caught,
        transaction.prepared(git, moves, "why", synced=False, mover=mover),
    ):
        pass
    assert caught.value.code == "ref-moved"
    mover.close()
    assert not list(repo.git_dir.rglob("*.lock"))
