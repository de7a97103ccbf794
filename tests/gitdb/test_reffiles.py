"""Refs read from their files: the same as git lists, whatever form they have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import pairwise

import pytest

from slipstream_git.gitdb import reffiles
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.refs import list_refs
from slipstream_git.gitdb.repository import Repository, open_repository
from slipstream_git.gitdb.worktrees import checkouts
from tests.lab import Ground, Lab

PLACE = "refs/slip/sessions/"


@pytest.fixture
def repository(repo: Lab) -> Iterator[Repository]:
    with open_repository(str(repo.path), os.environ, in_process=False) as opened:
        yield opened


def listed(repo: Lab, prefix: str) -> dict[str, str]:
    """As git lists them."""
    out = repo.git("for-each-ref", "--format=%(refname) %(objectname)", prefix)
    lines = (line.partition(" ") for line in out.splitlines())
    return {name: oid for name, _, oid in lines}


def read(repo: Lab, prefix: str = PLACE) -> dict[str, str]:
    return list_refs(Git(str(repo.path), os.environ), str(repo.common_dir), prefix)


def test_loose_packed_and_both(repo: Lab) -> None:
    old = repo.oid("HEAD")
    for name in ("a", "deep/b", "deep/c", "ü", "z"):
        repo.git("update-ref", f"{PLACE}{name}", old)
    repo.git("update-ref", "refs/slip/sessionsX", old)
    repo.git("tag", "-a", "-m", "peeled", "v1")
    repo.git("pack-refs", "--all")
    new = repo.commit({"x": "x"})
    repo.git("update-ref", f"{PLACE}a", new)
    repo.git("update-ref", "-d", f"{PLACE}z")
    repo.git("update-ref", f"{PLACE}later", new)
    (repo.common_dir / PLACE / "later.lock").write_bytes(b"")
    for prefix in (PLACE, f"{PLACE}deep/", "refs/tags/", "refs/heads/", "refs/none/"):
        assert list(read(repo, prefix).items()) == list(listed(repo, prefix).items())
    assert read(repo)[f"{PLACE}a"] == new
    assert len(read(repo)) == 5


@pytest.mark.parametrize("rubbish", [b"", b"\n", b"rubbish\n", b"1234\n", b"0" * 41])
def test_what_is_no_id_is_left_to_git(repo: Lab, rubbish: bytes) -> None:
    repo.git("update-ref", f"{PLACE}good", "HEAD")
    (repo.common_dir / PLACE / "bad").write_bytes(rubbish)
    assert read(repo) == {f"{PLACE}good": repo.oid("HEAD")}
    repo.damaged = True


def test_symbolic_refs(repo: Lab, repository: Repository) -> None:
    common_dir = str(repo.common_dir)
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    repo.git("symbolic-ref", "refs/heads/unborn", "refs/heads/nothing")
    repo.git("branch", "packed")
    repo.git("pack-refs", "--all")
    (repo.common_dir / "refs/heads/link").symlink_to("main")  # core.preferSymlinkRefs
    assert repository.pointed_at("refs/heads/alias") == "refs/heads/main"
    assert repository.pointed_at("refs/heads/unborn") == "refs/heads/nothing"
    assert reffiles.is_symbolic(common_dir, "refs/heads/link")
    for name in ("main", "packed", "missing"):
        assert repository.pointed_at(f"refs/heads/{name}") == f"refs/heads/{name}"
    assert read(repo, "refs/heads/")["refs/heads/alias"] == repo.oid("main")
    # git fsck calls the one broken and, in newer gits, the other deprecated.
    repo.git("symbolic-ref", "--delete", "refs/heads/unborn")
    (repo.common_dir / "refs/heads/link").unlink()


def test_no_ref_is_missed_while_git_packs_them(repo: Lab) -> None:
    """pack-refs and updates in a loop: every listing has every ref."""
    names = [f"{PLACE}s{number}" for number in range(20)]
    for name in names:
        repo.git("update-ref", name, "HEAD")
    loop = 'while git pack-refs --all && git update-ref "$1" HEAD; do :; done'
    with subprocess.Popen(["sh", "-c", loop, "sh", names[7]], cwd=repo.path) as packing:
        try:
            for _ in range(300):
                assert list(read(repo)) == sorted(names)
        finally:
            packing.kill()
    (repo.common_dir / "packed-refs.lock").unlink(missing_ok=True)


def test_heads_tell_when_a_branch_is_checked_out_or_left(repo: Lab, ground: Ground) -> None:
    def heads() -> dict[str, bytes]:
        return dict(checkouts.heads(str(repo.common_dir)))

    seen = [heads()]
    linked = ground.linked(repo)
    seen.append(heads())
    linked.git("checkout", "--quiet", "-b", "other")
    seen.append(heads())
    linked.git("checkout", "--quiet", "--detach")
    seen.append(heads())
    repo.git("worktree", "remove", str(linked.path))
    seen.append(heads())
    assert seen[0] == seen[4]
    assert all(one != other for one, other in pairwise(seen))
    repo.commit({"more": "more"})
    assert heads() == seen[4]
