"""What a landing waits for the disk for: how often, when, and what comes of a disk that fails."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.gitdb import barriers
from slipstream_git.gitdb.barriers import Barrier
from tests.desk import Desk, batch, delete, replace, write
from tests.lab import Lab, make_template, slip_command, slip_environment

MOST_CALLS = 8
CALLS = ("fsync(", "fdatasync(", "syncfs(", " sync(")


def is_covered(place: Path) -> bool:
    barrier = Barrier()
    with barrier.over([str(place)]):
        return not barrier.needs_now(str(place))


def can_trace() -> bool:
    """Whether strace is there and the system lets it trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], check=False).returncode == 0


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Path]:
    """A directory where syncfs is trusted; a container's own file system is often overlayfs."""
    if is_covered(tmp_path):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        yield Path(place)


def holding(place: Path, files: int) -> Lab:
    make_template(place)
    lab = Lab(place)
    lab.commit({f"d{n % 7}/f{n}": f"{n} old\n" for n in range(files)})
    return lab


def calls_of(lab: Lab, log: Path, *arguments: str, stdin: bytes = b"") -> int:
    """How often a slip command, and every git that it starts, waited for the disk."""
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=fsync,fdatasync,syncfs,sync"]
    subprocess.run(
        [*command, *slip_command(*arguments)],
        cwd=lab.path, env=slip_environment(), input=stdin, capture_output=True, check=True,
    )  # fmt: skip
    assert lab.git("status", "--porcelain") == ""
    return sum(call in line for line in log.read_text().splitlines() for call in CALLS)


@pytest.mark.skipif(not can_trace(), reason="strace is not there, or the system does not let it")
def test_the_number_of_calls_is_fixed(whole: Path) -> None:
    found = []
    for files in (5, 50):
        lab = holding(whole / str(files), files)
        ops = batch(*(write(f"d{n % 7}/f{n}", f"{n} new\n") for n in range(files)))
        lab.slip("begin", "work")
        lab.slip("apply", "-", stdin=ops)
        found.append(calls_of(lab, whole / "log", "commit", "-m", "land"))
    assert found[0] == found[1]
    # Eight edits in five files, from the batch to the commit in one command.
    lab = holding(whole / "exec", 5)
    ops = batch(*(replace(f"d{n % 5}/f{n % 5}", o, o + "er") for n, o in enumerate("oooooldl")))
    found.append(calls_of(lab, whole / "log", "exec", "--ops", "-", "-m", "land", stdin=ops))
    assert found[0] == found[2] <= MOST_CALLS


@pytest.fixture
def staged(desk: Desk) -> Desk:
    desk.begin("work")
    desk.apply(write("a", "new\n"), write("b", "new\n"), delete("src/app.py"))
    desk.apply(replace("README.md", "Demo", "demo"))
    return desk


def commit(desk: Desk) -> dict[str, Any]:
    return desk.commit("land", session="work")


class Disk:
    """Stands in for syncfs: what was to be seen at each call, and a fault at one of them."""

    def __init__(self, lab: Lab, fails_at: int | None = None) -> None:
        self.lab, self.fails_at = lab, fails_at
        self.seen: list[tuple[str, bool, bool]] = []

    def __call__(self, _: int) -> None:
        intents = list((self.lab.common_dir / "slip/intents").glob("*.json"))
        placed = (self.lab.path / "a").exists()
        self.seen.append((self.lab.oid("refs/heads/main"), placed, bool(intents)))
        if len(self.seen) == self.fails_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def covering(patch: pytest.MonkeyPatch, disk: Disk) -> None:
    """Syncfs by another name, trusted wherever the tests run."""
    patch.setattr(barriers, "_libc", object)
    patch.setattr(barriers, "_is_whole", lambda _libc, _path: True)
    patch.setattr(barriers, "_syncfs", disk)


def test_before_the_first_effect_and_after_the_last(
    staged: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, old = Disk(staged.lab), staged.lab.oid("main")
    with monkeypatch.context() as patch:
        covering(patch, disk)
        new = commit(staged)["commit"]
    assert disk.seen == [(old, False, True), (new, True, True)]


def test_a_disk_that_fails_before_the_first_effect(
    staged: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = staged.lab
    before = lab.snapshot()
    with monkeypatch.context() as patch:
        covering(patch, Disk(lab, fails_at=1))
        fault = staged.commit_refused("git-failed", session="work")
    assert "cannot be synced to disk" in fault.message
    assert lab.snapshot() == before
    assert staged.call("recover") == {"intents": []}
    assert commit(staged)["committed"]


def test_a_disk_that_fails_after_the_last(staged: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has landed, and is said to be not quite; the intent stays until the disk has it all."""
    lab = staged.lab
    with monkeypatch.context() as patch:
        covering(patch, Disk(lab, fails_at=2))
        landed = commit(staged)
    (warning,) = landed["warnings"]
    assert "cannot be synced to disk" in warning
    assert lab.git("status", "--porcelain") == ""
    (recovered,) = staged.call("recover")["intents"]
    assert (recovered["outcome"], recovered["commit"]) == ("landed", landed["commit"])
    assert lab.git("status", "--porcelain") == ""


def test_where_syncfs_is_not_trusted(staged: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is synced by itself, before it gets its name; each directory after."""
    synced: list[str] = []

    def noted(fd: int) -> None:
        here = os.fstat(fd)
        everything = [staged.lab.path, *staged.lab.path.rglob("*")]
        synced.extend(p.name for p in everything if os.path.samestat(p.lstat(), here))

    with monkeypatch.context() as patch:
        patch.setattr(barriers, "_libc", lambda: None)
        patch.setattr(barriers, "fsync", noted)
        commit(staged)
    assert len([name for name in synced if name.startswith(".slip-tmp-")]) == 3
    assert {"src", "heads", "slip", "intents", ".git"} <= set(synced)


def test_no_sync_does_not_wait(staged: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(staged.lab)
    with monkeypatch.context() as patch:
        covering(patch, disk)
        patch.setattr(barriers, "fsync", disk)
        staged.commit("land", session="work", no_sync=True)
    assert disk.seen == []
