"""Killed while refs of slip's own move together: all of them are found moved, or none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.desk import Desk, write
from tests.lab import Lab, slip_environment

OPEN, CLOSED = "refs/slip/sessions/work", "refs/slip/closed/work/1"

# A slip that is killed before its refs move, or with the first of them made and all locks left: so
# does git leave it that is killed while it commits a transaction.
DYING = """
import os, pathlib, subprocess, sys
from slipstream_git.changes import sessions

def die(ws, moves, reason, **_):
    place = pathlib.Path(ws.repository.layout.common_dir)
    if when == "amid":
        for move in moves:
            if move.old is None:
                subprocess.run(["git", "update-ref", move.name, move.new], check=True)
            else:
                (place / f"{move.name}.lock").touch()
        (place / "packed-refs.lock").touch()
    os.kill(os.getpid(), 9)

when = sys.argv.pop(1)
sessions.move = die
from slipstream_git.__main__ import main
main()
"""


def killed(repo: Lab, when: str, *arguments: str, store: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", DYING, when, *arguments],
        cwd=repo.path, env=slip_environment({"SLIP_STORE": store}), check=False,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr.decode()


@pytest.fixture
def work(desk: Desk) -> Desk:
    desk.begin("work")
    desk.apply(write("a", "1\n"))
    return desk


def outcomes(desk: Desk) -> list[tuple[str, str]]:
    told = desk.call("recover")["intents"]
    assert not list((desk.lab.common_dir / "slip/intents").iterdir())
    assert not list(desk.lab.common_dir.rglob("*.lock"))
    return [(row["session"], row["outcome"]) for row in told]


def test_abort(work: Desk) -> None:
    before = work.lab.refs()
    killed(work.lab, "before", "abort", store=work.store)
    assert outcomes(work) == [("work", "undone")]
    assert work.lab.refs() == before
    killed(work.lab, "amid", "abort", store=work.store)
    assert {OPEN, CLOSED} <= set(work.lab.refs())
    assert outcomes(work) == [("work", "closed")]
    assert set(work.lab.refs("refs/slip/")) == {CLOSED}


def test_reopen(work: Desk) -> None:
    work.call("abort")
    killed(work.lab, "before", "reopen", "work", store=work.store)
    assert outcomes(work) == [("work", "undone")]
    killed(work.lab, "amid", "reopen", "work", store=work.store)
    assert outcomes(work) == [("work", "reopened")]
    assert set(work.lab.refs("refs/slip/")) == {OPEN}


def test_rebase(work: Desk) -> None:
    work.lab.commit({"a": "2\n"})
    before = work.lab.refs()
    killed(work.lab, "before", "rebase", store=work.store)
    assert outcomes(work) == [("work", "undone")]
    assert work.lab.refs() == before
    killed(work.lab, "amid", "rebase", store=work.store)
    assert outcomes(work) == [("work", "rebased")]
    assert work.lab.oid(CLOSED) == before[OPEN]
    assert work.call("status")["unresolved"] == 1


@pytest.mark.parametrize("when", ["before", "amid"])
def test_gc(work: Desk, when: str) -> None:
    """What was asked to go goes, and what was opened meanwhile stays."""
    work.call("abort")
    work.begin("other")
    work.call("abort")
    killed(work.lab, when, "gc", "--expire", "now", store=work.store)
    work.lab.git("update-ref", f"{OPEN}-2", work.lab.oid(CLOSED))
    assert outcomes(work) == [("other", "expired")]
    assert set(work.lab.refs("refs/slip/")) == {f"{OPEN}-2"}


def test_the_next_command_sees_to_it(work: Desk) -> None:
    killed(work.lab, "amid", "abort", store=work.store)
    assert work.lab.slip_json("abort", "-s", "work", expect=1).error["code"] == "session-missing"
    assert work.lab.slip_json("reopen", "work").json["session"] == "work"


def test_a_disk_that_refuses_the_intent_changes_nothing(
    work: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError(28, os.strerror(28))

    before = work.lab.refs()
    monkeypatch.setattr("slipstream_git.gitdb.worktrees.intents.write_intent", refuse)
    work.refused("git-failed", "abort")
    assert work.lab.refs() == before
