"""Files that git-lfs keeps: landed as pointers, placed as content, with a real git-lfs."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.changes.test_filters import assert_as_git_brings_it, twin_of
from tests.desk import Desk, delete, move, write
from tests.lab import Ground, Lab

POINTER = b"version https://git-lfs.github.com/spec/v1\n"
pytestmark = [
    pytest.mark.real_part,
    pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed"),
]


@pytest.fixture
def lfs(desk: Desk) -> Desk:
    repo = desk.lab
    repo.git("lfs", "install", "--local", "--skip-repo")
    repo.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    repo.commit({"a.bin": b"\0old\n", "gone.bin": b"gone\n", "from.bin": b"\0moved\n"})
    return desk


def pointer_of(repo: Lab, content: bytes) -> bytes:
    return repo.git_bytes("lfs", "clean", stdin=content)


def test_add_modify_delete_move(lfs: Desk, ground: Ground) -> None:
    """Raw content and pointers alike."""
    repo, twin = lfs.lab, twin_of(lfs, ground)
    raw = {"a.bin": b"\0new\n" * 2000, "d/b.bin": b"added\n"}
    known = pointer_of(repo, b"by pointer\n")
    lfs.begin("work")
    lfs.apply(
        *(write(path, content) for path, content in raw.items()),
        write("c.bin", known), delete("gone.bin"), move("from.bin", "to/here.bin"),
    )  # fmt: skip
    landed = lfs.commit("land")
    assert [line.split(" ")[0] for line in landed["warnings"]] == ["a.bin", "d/b.bin"]
    stored = repo.tree()
    assert all(stored[p].startswith(POINTER) for p in stored if p.endswith(".bin"))
    assert {path: repo.read(path) for path in raw} == raw
    assert (repo.read("c.bin"), repo.read("to/here.bin")) == (b"by pointer\n", b"\0moved\n")
    shutil.copytree(repo.path / ".git/lfs", twin.path / ".git/lfs", dirs_exist_ok=True)
    assert_as_git_brings_it(repo, twin)
    repo.git("lfs", "fsck")


def test_the_commit_is_what_git_would_have_made(lfs: Desk, ground: Ground) -> None:
    twin = twin_of(lfs, ground)
    twin.commit({"a.bin": b"new\n", "b.bin": b"b\n", "gone.bin": None}, "land")
    lfs.begin("work")
    lfs.apply(write("a.bin", "new\n"), write("b.bin", "b\n"), delete("gone.bin"))
    assert lfs.commit("land")["commit"] == twin.oid("main")


def test_a_missing_object_refuses_before_anything_moves(lfs: Desk) -> None:
    repo = lfs.lab
    missing = POINTER + b"oid sha256:" + b"1" * 64 + b"\nsize 9\n"
    lfs.begin("work")
    lfs.apply(write("z.bin", missing), write("a.txt", "a\n"), write("b.bin", "raw\n"))
    before, refs = repo.snapshot(), repo.refs()
    fault = lfs.commit_refused("git-failed")
    assert "z.bin: smudge filter lfs failed" in fault.message
    assert "\n" not in fault.message
    assert (repo.snapshot(), repo.refs()) == (before, refs)
    assert lfs.commit("land", no_checkout=True)["committed"]
    assert repo.tree()["z.bin"] == missing


@pytest.mark.parametrize("stands", [b"\0old\n", "pointer"])
def test_the_former_object_is_not_needed(lfs: Desk, stands: bytes | str) -> None:
    """A file that cleans to the branch's pointer is unchanged, wherever its object is."""
    repo = lfs.lab
    repo.write("a.bin", repo.tree()["a.bin"] if stands == "pointer" else stands)
    repo.git("add", "a.bin")
    shutil.rmtree(repo.path / ".git/lfs/objects")
    lfs.begin("work")
    lfs.apply(write("a.bin", "new\n"))
    lfs.commit("land")
    assert repo.read("a.bin") == b"new\n"
    assert repo.git("status", "--porcelain=v2") == ""


def test_an_edited_file_is_in_the_way_until_it_is_captured(lfs: Desk) -> None:
    repo = lfs.lab
    repo.write("a.bin", b"mine\n")
    lfs.begin("work")
    lfs.apply(write("a.bin", "new\n"))
    before = repo.snapshot()
    lfs.commit_refused("dirty")
    assert repo.snapshot() == before
    lfs.begin("other", capture=True)
    lfs.apply(write("b.bin", "b\n"), session="other")
    landed: dict[str, Any] = lfs.commit("land", session="other")
    assert [row["path"] for row in landed["changes"]] == ["a.bin", "b.bin"]
    assert repo.tree()["a.bin"] == pointer_of(repo, b"mine\n")
    assert repo.git("status", "--porcelain=v2") == ""


def test_undo_of_what_was_flushed(lfs: Desk) -> None:
    repo = lfs.lab
    before = repo.files()
    lfs.begin("work")
    lfs.apply(write("a.bin", pointer_of(repo, b"new\n")), delete("gone.bin"))
    lfs.call("flush")
    assert repo.read("a.bin") == b"new\n"
    lfs.call("undo")
    lfs.call("flush")
    assert repo.files() == before
    assert repo.git("status", "--porcelain=v2") == ""
