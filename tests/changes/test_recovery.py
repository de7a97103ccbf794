"""Killed at any moment, a landing is found whole or not at all: on refs, index and files."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.desk import Desk, batch, delete, replace, write
from tests.lab import Ground, Lab, Script, fsck, slip_command, slip_environment

LANDING = ("commit", "-s", "work", "-m", "land")
OPS = batch(
    write("new/a", "1\n"), write("b", b"\0" * 5000), replace("README.md", "Demo", "demo"),
    delete("src/app.py"), {"op": "chmod", "path": "tool", "mode": "100644"},
    *(write(f"many/{number}", f"{number}\n") for number in range(20)),
)  # fmt: skip


@pytest.fixture
def ready(repo: Lab) -> Lab:
    """A session about to land on a moved branch, amid a person's own edits."""
    repo.commit({"tool": Script(b"#!/bin/sh\n"), "mine": "1\n"})
    repo.slip("begin", "work")
    repo.slip("apply", "-s", "work", "-", stdin=OPS)
    repo.commit({"moved": "on\n"})
    repo.write("mine", "edited\n")
    repo.write("untracked", "u\n")
    return repo


def state(repo: Lab) -> dict[str, object]:
    """What must be old or new as one: refs, the index, the files; and what git makes of them."""
    seen = repo.snapshot()
    refs = {ref: to for ref, to in repo.refs().items() if not ref.startswith("refs/notes/")}
    for ref in refs:
        if ref.startswith("refs/slip/closed/"):
            # Its last commit holds the time.
            refs[ref] = repo.git("log", "-1", "--format=%T %P %(trailers:key=Slip-Landed)", ref)
    return {
        "refs": refs,
        "notes": len(repo.git("notes", "--ref=slip/landed", "list").splitlines()),
        "entries": seen.entries,
        "files": seen.files,
        "status": seen.status,
        "stash": seen.stash,
    }


def copied(source: Lab, place: Path) -> Lab:
    shutil.copytree(source.path, place, symlinks=True)
    lab = Lab(place)
    lab.git("update-index", "-q", "--refresh", expect=None)
    return lab


def killed(lab: Lab, after_s: float) -> bool:
    """Land, and kill slip with all its children after a while; whether it was still at work."""
    with subprocess.Popen(
        slip_command(*LANDING), cwd=lab.path, env=slip_environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        try:
            child.wait(after_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
        return child.wait() != 0


def landed_state(ready: Lab, place: Path) -> tuple[dict[str, object], float]:
    """The state after a landing that nobody killed, and how long it took."""
    lab = copied(ready, place)
    started = time.monotonic()
    lab.slip(*LANDING)
    return state(lab), time.monotonic() - started


def check_kills(ready: Lab, place: Path, kills: int) -> None:
    old = state(ready)
    new, seconds = landed_state(ready, place / "whole")
    chance = random.Random(kills)  # noqa: S311
    found = []
    for number in range(kills):
        lab = copied(ready, place / str(number))
        died = killed(lab, chance.uniform(0.3, 1.2) * seconds)
        lab.slip("recover")
        after = state(lab)
        assert after in (old, new), f"kill {number}"
        assert died or after == new
        assert fsck(lab) == ""
        found.append(after == new)
        # The same command again brings it about.
        lab.slip(*LANDING)
        assert state(lab) == new
        assert not list((lab.common_dir / "slip/intents").glob("*"))
        shutil.rmtree(lab.path)
    assert len(found) == kills


def test_ten_kills(ready: Lab, tmp_path: Path) -> None:
    check_kills(ready, tmp_path / "kills", 10)


@pytest.mark.slow
def test_many_kills(ready: Lab, tmp_path: Path) -> None:
    check_kills(ready, tmp_path / "kills", 500)


def test_recover_with_nothing_to_do(repo: Lab, store: str) -> None:
    desk = Desk(repo, store)
    assert desk.call("recover") == {"intents": []}
    desk.begin("work")
    before, refs = repo.snapshot(), repo.refs()
    assert desk.call("recover") == {"intents": []}
    assert (repo.snapshot(), repo.refs()) == (before, refs)


def test_the_state_directory_may_be_deleted(ground: Ground, store: str) -> None:
    desk = Desk(ground.repository(), store)
    desk.begin("work")
    desk.apply(write("a", "1"))
    shutil.rmtree(desk.lab.path / ".git/slip", ignore_errors=True)
    desk.call("undo")
    desk.call("redo")
    shutil.rmtree(desk.lab.path / ".git/slip", ignore_errors=True)
    assert desk.commit("land")["committed"]
