"""Recovery when somebody has gone on after the death: what they did stays as they did it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.desk import NOW, Desk, delete, replace
from tests.lab import Lab, slip_environment

# A slip that is killed just before its refs move, just after, or when a flush has placed its files.
DYING = """
import os, sys
from slipstream_git.changes import bringing
from slipstream_git.gitdb import transaction

def die(*_, **__):
    os.kill(os.getpid(), 9)

moment = sys.argv.pop(1)
commit = transaction.Prepared.commit
if moment == "before":
    transaction.Prepared.commit = die
elif moment == "after":
    transaction.Prepared.commit = lambda self: (commit(self), die())
elif moment == "unplaced":
    bringing.place = die
else:
    bringing.settle = die
from slipstream_git.__main__ import main
main()
"""


def killed(repo: Lab, moment: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", DYING, moment, *arguments],
        cwd=repo.path, env=slip_environment(), check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr.decode()


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.lab.commit({"f": "one\ntwo\n", "g": "gone\n"})
    desk.lab.git("branch", "other")
    desk.begin("s")
    desk.apply(replace("f", "two", "2"), delete("g"))
    return desk


def status(repo: Lab) -> str:
    return repo.git("status", "--porcelain")


def temporary(repo: Lab) -> list[Path]:
    return list(repo.path.glob(".slip-tmp-*"))


def nothing_is_touched(desk: Desk) -> None:
    """Recovery leaves the worktree, the index and the branches as the person left them."""
    repo = desk.lab
    aside = [(place, place.rename(repo.path.parent / place.name)) for place in temporary(repo)]
    before = repo.snapshot()
    for place, elsewhere in aside:
        elsewhere.rename(place)
    repo.slip("list")
    desk.call("recover")
    assert repo.snapshot() == before
    assert repo.slip_json("recover").json["intents"] == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("deed", ["amend", "commit", "switch", "reset"])
def test_what_a_person_did_after_a_killed_landing_stays(
    ready: Desk, moment: str, deed: str
) -> None:
    repo = ready.lab
    killed(repo, moment, "commit", "-m", "x")
    (repo.path / ".git/index.lock").unlink()
    if deed == "amend":
        repo.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "amended")
    elif deed == "commit":
        repo.git("commit", "--quiet", "--allow-empty", "-am", "mine")
    elif deed == "switch":
        repo.git("switch", "--quiet", "--force", "other")
    else:
        repo.git("reset", "--quiet", "--hard", "HEAD")
        repo.git("commit", "--quiet", "--allow-empty", "-m", "mine")
    nothing_is_touched(ready)


def test_an_amended_landing_has_landed(ready: Desk) -> None:
    repo = ready.lab
    killed(repo, "after", "commit", "-m", "x")
    (repo.path / ".git/index.lock").unlink()
    repo.git("commit", "--quiet", "--amend", "-m", "amended")
    (row,) = repo.slip_json("recover").json["intents"]
    assert row["outcome"] == "landed"
    assert repo.tree()["f"] == b"one\n2\n"


@pytest.mark.parametrize("deed", ["checkout", "switch", "commit"])
def test_what_a_person_did_after_a_killed_flush_stays(ready: Desk, deed: str) -> None:
    repo = ready.lab
    killed(repo, "flushed", "flush")
    if deed == "commit":
        repo.git("commit", "--quiet", "-am", "flushed")
    else:
        repo.git("checkout", "--quiet", ".")
    if deed == "switch":
        repo.git("switch", "--quiet", "other")
    nothing_is_touched(ready)
    assert status(repo) == ""


def test_a_killed_flush_that_nobody_touched_is_finished(ready: Desk) -> None:
    repo = ready.lab
    killed(repo, "flushed", "flush")
    repo.write("f", "one\ntwo\n")
    repo.slip("recover")
    assert repo.read("f") == b"one\n2\n"
    assert not (repo.path / "g").exists()


def test_a_flush_killed_before_its_first_file_is_taken_back(ready: Desk) -> None:
    repo = ready.lab
    before = repo.snapshot()
    killed(repo, "unplaced", "flush")
    repo.slip("recover")
    assert repo.snapshot() == before


def test_a_power_cut_leaves_the_lock_of_the_index_empty(ready: Desk) -> None:
    """What it said had not reached the disk; its other name tells whose it is."""
    repo = ready.lab
    before = repo.snapshot()
    killed(repo, "before", "commit", "-s", "s", "-m", "land")
    lock = repo.common_dir / "index.lock"
    os.truncate(lock, 0)
    assert ready.call("recover")["intents"][0]["outcome"] == "undone"
    assert repo.snapshot() == before
    assert not list(repo.common_dir.glob("*lock*"))


def test_an_empty_lock_of_somebody_else_is_left(ready: Desk) -> None:
    repo = ready.lab
    killed(repo, "before", "commit", "-s", "s", "-m", "land")
    lock = repo.common_dir / "index.lock"
    lock.unlink()
    lock.touch()
    os.link(lock, repo.common_dir / "backup")
    ready.refused("locked", "recover")
    assert lock.exists()
    lock.unlink()
    assert ready.call("recover")["intents"][0]["outcome"] == "undone"


def test_a_ref_lock_cut_short_is_cleared(ready: Desk) -> None:
    """git was killed while it wrote the new id into the lock."""
    repo = ready.lab
    killed(repo, "before", "commit", "-s", "s", "-m", "land")
    intent = json.loads(next((repo.common_dir / "slip/intents").iterdir()).read_text())
    locks = [repo.common_dir / f"refs/heads/{name}.lock" for name in ("main", "other")]
    for lock in locks:
        lock.write_text(intent["new_commit"][:20])
    (repo.common_dir / "packed-refs.lock").touch()
    (repo.common_dir / "packed-refs.new").write_text("# pack-refs with: peeled")
    assert ready.call("recover")["intents"][0]["outcome"] == "undone"
    assert not locks[0].exists()
    assert locks[1].exists()
    locks[1].unlink()
    assert not list(repo.common_dir.glob("packed-refs.*"))
    assert ready.commit("land")["committed"]


def test_a_recovery_that_died_is_recovered(ready: Desk) -> None:
    """Its own ref locks are much younger than the landing."""
    repo = ready.lab
    killed(repo, "after", "commit", "-s", "s", "-m", "land")
    (intent,) = (repo.common_dir / "slip/intents").iterdir()
    note = repo.oid("refs/notes/slip/landed")
    repo.git("update-ref", "-d", "refs/notes/slip/landed")
    os.utime(intent, (NOW - 100, NOW - 100))
    lock = repo.common_dir / "refs/notes/slip/landed.lock"
    lock.parent.mkdir(exist_ok=True, parents=True)
    lock.write_text(note[:7])
    assert ready.call("recover")["intents"][0]["outcome"] == "landed"
    assert repo.oid("refs/notes/slip/landed") == note
    assert not lock.exists()


@pytest.mark.parametrize("operation", ["recover", "gc"])
def test_a_lock_that_is_in_nobodys_way_is_cleared(ready: Desk, operation: str) -> None:
    """A killed `begin` leaves that of a name which nobody may take again."""
    repo = ready.lab
    ref = "refs/slip/sessions/gone"
    with subprocess.Popen(
        ["git", "update-ref", "--stdin"], cwd=repo.path,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as git:  # fmt: skip
        assert git.stdin is not None
        assert git.stdout is not None
        git.stdin.write(f"start\ncreate {ref} {repo.oid('HEAD')}\nprepare\n".encode())
        git.stdin.flush()
        assert [git.stdout.readline() for _ in "12"] == [b"start: ok\n", b"prepare: ok\n"]
        git.kill()
    lock = repo.common_dir / f"{ref}.lock"
    assert lock.exists()
    ready.call(operation)
    assert not lock.exists()
    assert ready.begin("gone")["session"] == "gone"


@pytest.mark.parametrize("ending", ["index.lock", ".keep"])
def test_what_cannot_be_tidied_is_no_failure_of_a_landing(
    ready: Desk, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    unlink = os.unlink

    def refuse(path: str | bytes, *, dir_fd: int | None = None) -> None:
        if os.fsencode(path).endswith(ending.encode()):
            raise PermissionError(13, "Permission denied", path)
        unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        assert ready.commit("land", session="s")["committed"]
    ready.call("recover")
    assert status(ready.lab) == ""
    assert not (ready.lab.common_dir / "index.lock").exists()
