"""Broken loose objects, as crashes leave them: never relied upon, and never waited for."""

from __future__ import annotations

import os
import subprocess
import zlib
from pathlib import Path

import pytest

from slipstream_git.gitdb import loose
from slipstream_git.text.objectid import object_id
from tests.desk import Desk, close_all, delete, replace, write
from tests.lab import Lab, typed

CONTENT = "poisoned\n" * 400
KINDS = ("empty", "cut", "garbage")


def loose_path(repo: Lab, oid: str) -> Path:
    return repo.common_dir / "objects" / oid[:2] / oid[2:]


def poison(repo: Lab, oid: str, how: str, *, kind: str = "blob", data: bytes = b"") -> Path:
    """Leave a broken loose object under this id, sound or absent before."""
    path = loose_path(repo, oid)
    whole = zlib.compress(b"%s %d\0%s" % (kind.encode(), len(data), data))
    broken = {"empty": b"", "cut": whole[: len(whole) // 2], "garbage": b"\xff" * 50}[how]
    path.parent.mkdir(exist_ok=True)
    close_all()  # (a server knows what it has read)
    path.unlink(missing_ok=True)
    path.write_bytes(broken)
    return path


def poison_blob(repo: Lab, text: str, how: str) -> Path:
    data = text.encode()
    return poison(repo, object_id("blob", data), how, data=data)


@pytest.mark.parametrize("how", KINDS)
def test_staged_and_landed_all_the_same(desk: Desk, how: str) -> None:
    """A blob, a tree: slip writes its own copy, and git reads that one."""
    repo = desk.lab
    repo.damaged = True
    poison_blob(repo, CONTENT, how)
    blob = bytes.fromhex(object_id("blob", CONTENT.encode()))
    tree = b"100644 a\0" + blob
    poison(repo, object_id("tree", tree), how, kind="tree", data=tree)
    desk.begin("work")
    desk.apply(write("new/a", CONTENT))
    assert repo.tree("refs/slip/sessions/work")["new/a"] == CONTENT.encode()
    desk.apply(write("other", "1\n"))
    desk.commit("land")
    assert repo.read("new/a") == CONTENT.encode()
    assert repo.tree()["new/a"] == CONTENT.encode()
    # Whoever has only what landed has it whole.
    copy = repo.path.parent / "copy"
    repo.git("clone", "--quiet", "--no-local", ".", str(copy))
    assert (copy / "new/a").read_text() == CONTENT


@pytest.mark.parametrize("how", KINDS)
def test_a_broken_copy_goes_when_a_sound_one_is_written(desk: Desk, how: str) -> None:
    """git 2.55 reads the loose copy first; a sound one stays as it is."""
    repo = desk.lab
    repo.damaged = True
    broken = poison_blob(repo, CONTENT, how)
    repo.write("sound", "sound\n")
    sound = loose_path(repo, repo.git("hash-object", "-w", "sound"))
    before = sound.stat().st_ino
    desk.begin("work")
    desk.apply(write("a", CONTENT), write("b", "sound\n"))
    assert not broken.exists()
    assert sound.stat().st_ino == before
    assert desk.call("read", paths=("a",), session="work")["files"][0]["text"] == CONTENT
    assert repo.git_bytes("cat-file", "blob", "refs/slip/sessions/work:a") == CONTENT.encode()


def test_what_cannot_be_told_of_is_not_done(desk: Desk) -> None:
    """The answer counts lines, of a broken file, too; so it is made before the step is there."""
    repo = desk.lab
    repo.damaged = True
    desk.begin("work")
    desk.apply(write("README.md", "other\n"))
    desk.begin("second")
    poison(repo, repo.oid("main:README.md"), "cut", data=b"# Demo\n" * 100)
    repo.write("README.md", None)
    refs = repo.refs()
    desk.refused("git-failed", "undo", session="work")
    desk.apply_refused("git-failed", delete("README.md"), session="second")
    desk.refused("git-failed", "capture", session="second")
    assert repo.refs() == refs


@pytest.mark.parametrize("how", KINDS)
def test_a_base_that_is_broken_is_said(desk: Desk, how: str) -> None:
    repo = desk.lab
    repo.damaged = True
    desk.begin("work")
    poison(repo, repo.oid("main:README.md"), how, data=b"# Demo\n" * 100)
    refs = repo.refs()
    desk.apply_refused("git-failed", replace("README.md", "Demo", "demo"))
    assert repo.refs() == refs


@pytest.mark.parametrize("how", KINDS)
def test_capture_relies_on_nothing_broken(desk: Desk, how: str) -> None:
    """git does not write a blob that it takes to be there already."""
    repo = desk.lab
    repo.damaged = True
    desk.begin("work")
    path = poison_blob(repo, CONTENT, how)
    repo.write("README.md", CONTENT)
    refs = repo.refs()
    fault = desk.refused("git-failed", "capture")
    assert repo.refs() == refs
    assert fault.hint == "slip doctor"
    path.unlink()
    desk.call("capture")
    assert repo.tree("refs/slip/sessions/work")["README.md"] == CONTENT.encode()


def test_a_staged_blob_that_is_gone_is_called_missing(desk: Desk) -> None:
    repo = desk.lab
    repo.damaged = True
    desk.begin("work")
    repo.write("README.md", CONTENT)
    repo.git("add", "README.md")
    oid = repo.git("rev-parse", ":README.md")
    (repo.common_dir / "objects" / oid[:2] / oid[2:]).unlink()
    fault = desk.refused("git-failed", "capture")
    assert fault.message == f"object {oid} is missing from the repository"
    typed(fault.hint, repo.path)
    desk.call("capture")
    assert repo.tree("refs/slip/sessions/work")["README.md"] == CONTENT.encode()


@pytest.mark.parametrize("how", KINDS)
def test_a_merge_in_the_process_relies_on_nothing_broken(desk: Desk, how: str) -> None:
    """It is written anew, whatever seems to be there."""
    repo = desk.lab
    repo.damaged = True
    lines = [f"{number}\n" for number in range(40)]
    repo.commit({"a": "".join(lines)})
    desk.begin("work")
    desk.apply(replace("a", "0\n1\n2\n", "zero\n1\n2\n"))
    repo.commit({"a": "".join([*lines[:-1], "last\n"])})
    merged = "".join(["zero\n", *lines[1:-1], "last\n"])
    path = poison_blob(repo, merged, how)
    assert desk.commit("land")["engine"] == "walk"
    assert not path.exists()
    assert repo.tree()["a"] == merged.encode()


@pytest.mark.parametrize("how", KINDS)
def test_a_merge_by_git_relies_on_nothing_broken(desk: Desk, how: str) -> None:
    repo = desk.lab
    repo.damaged = True
    lines = [f"{number}\n" for number in range(40)]
    repo.commit({"old": "".join(lines)})
    desk.begin("work")
    desk.apply(replace("old", "0\n1\n2\n", "zero\n1\n2\n"))
    repo.commit({"old": None, "a": "".join([*lines[:-1], "last\n"])})
    merged = "".join(["zero\n", *lines[1:-1], "last\n"])
    path = poison_blob(repo, merged, how)
    refs, before = repo.refs(), repo.snapshot()
    desk.commit_refused("git-failed")
    assert (repo.refs(), repo.snapshot()) == (refs, before)
    path.unlink()
    desk.commit("land")
    assert repo.tree()["a"] == merged.encode()


@pytest.mark.parametrize("how", KINDS)
def test_an_undo_relies_on_nothing_broken(desk: Desk, how: str) -> None:
    """A step in the middle is taken back by a merge."""
    repo = desk.lab
    repo.damaged = True
    lines = [f"{number}\n" for number in range(40)]
    desk.begin("work")
    desk.apply(write("a", "".join(lines)))
    desk.apply(replace("a", "0\n1\n2\n", "zero\n1\n2\n"))
    desk.apply(replace("a", "38\n39\n", "38\nlast\n"))
    path = poison_blob(repo, "".join([*lines[:-1], "last\n"]), how)
    desk.call("undo", step="2")
    assert not path.exists()
    tree = repo.tree("refs/slip/sessions/work")
    assert tree["a"] == "".join([*lines[:-1], "last\n"]).encode()


def test_loose_objects_are_read_as_git_wrote_them(repo: Lab) -> None:
    places = loose.directories(str(repo.common_dir / "objects"))
    for name in ("main", "main^{tree}", "main:README.md"):
        oid = repo.oid(name)
        found = loose.read(places, oid, 1 << 30)
        assert found is not None
        assert found.data == repo.git_bytes("cat-file", found.kind, oid)
        loose.check(str(loose_path(repo, oid)), oid)
    assert loose.read(places, "1" * 40, 1 << 30) is None
    assert loose.read(places, repo.oid("main:README.md"), 3) is None


def test_alternates_are_looked_through(repo: Lab, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for source, target in ((repo.path, first), (first, second)):
        subprocess.run(["git", "clone", "--quiet", "--shared", source, target], check=True)
    places = loose.directories(str(second / ".git/objects"))
    assert [os.path.realpath(place) for place in places] == [
        str(place / ".git/objects") for place in (second, first, repo.path)
    ]
    assert loose.read(places, repo.oid("main"), 1 << 30) is not None


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(3 << 20)])
def test_whole_and_broken_are_told_apart(tmp_path: Path, data: bytes) -> None:
    path, oid = tmp_path / "object", object_id("blob", data)
    whole = zlib.compress(b"blob %d\0%s" % (len(data), data))
    path.write_bytes(whole)
    loose.check(str(path), oid)
    with pytest.raises(loose.Broken):
        loose.check(str(path), "1" * 40)
    for cut in {0, 1, 5, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:cut])
        with pytest.raises(loose.Broken):
            loose.check(str(path), oid)
