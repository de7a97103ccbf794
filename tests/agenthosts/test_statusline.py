"""`slip statusline`: one line, from refs and events, with nothing in it that a terminal acts on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from slipstream_git.events import log
from slipstream_git.events.event import Event
from slipstream_git.gitdb.layout import Layout
from tests.desk import Desk, write
from tests.lab import Lab, slip_command, slip_environment


@pytest.fixture
def desk(repo: Lab) -> Desk:
    return Desk(repo, "git")


def line(lab: Lab, given: bytes = b"", **env: str) -> str:
    reply = lab.slip("statusline", stdin=given, env=env)
    assert not reply.err
    assert reply.text.count("\n") == bool(reply.text)
    return reply.text.rstrip("\n")


def happened(lab: Lab, session: str, kind: str, **facts: object) -> None:
    place = str(lab.common_dir)
    layout = Layout(place, place, None, bare=False, hooks_dir="")
    log.append(layout, Event(f"{kind} {facts}", 1767323045, kind, session, "", facts))


def test_it_tells_of_the_session_and_the_others(desk: Desk) -> None:
    assert line(desk.lab) == ""
    desk.begin("x")
    assert line(desk.lab) == "slip x · no step"
    desk.apply(write("a", "1\n"))
    assert line(desk.lab) == "slip x · step 1"
    desk.begin("y")
    assert line(desk.lab) == "slip 2 open"
    assert line(desk.lab, SLIP_SESSION="y") == "slip y · no step · 1 more open"
    assert line(desk.lab, SLIP_SESSION="nobody") == "slip 2 open"


def test_it_tells_of_what_is_wrong_and_what_reading_cost(desk: Desk) -> None:
    desk.begin("x")
    happened(desk.lab, "x", "gate", gate="tests", status="red", tree="t", ms=1)
    happened(desk.lab, "x", "gate", gate="lint", status="green", tree="t", ms=1)
    happened(desk.lab, "x", "conflict", paths=["a.py", "b.py"], changed=2)
    happened(desk.lab, "x", "served", op="read", bytes=3600, blobs={"a" * 40: 36_000})
    told = line(desk.lab)
    assert told == "slip x · no step · conflict: a.py +1 · red: tests · ~1.0k for 10.0k tok"


def test_nothing_in_it_moves_a_cursor(desk: Desk) -> None:
    desk.begin("x")
    happened(desk.lab, "x", "conflict", paths=["a\x1b]0;owned\x07\u202e\n.py"], changed=1)
    told = line(desk.lab)
    assert told.isprintable()
    assert "\\u001b]0;owned" in told


def test_the_host_says_where_it_works(desk: Desk, tmp_path: Path) -> None:
    desk.begin("x")
    for said in (
        {"workspace": {"current_dir": str(desk.lab.path)}, "cwd": "/"},
        {"cwd": str(desk.lab.path)},
    ):
        reply = desk.lab.slip("statusline", stdin=json.dumps(said).encode(), cwd=tmp_path)
        assert reply.text == "slip x · no step\n"


@pytest.mark.parametrize(
    "given", [b"{", b"[]", b'{"workspace": 3}', b'{"cwd": "/nowhere"}', b"\xff"]
)
def test_rubbish_ends_in_a_line_or_none(desk: Desk, given: bytes) -> None:
    desk.begin("x")
    assert line(desk.lab, given) in ("", "slip x · no step")


def test_a_sessions_own_worktree_is_its(desk: Desk, tmp_path: Path) -> None:
    desk.begin("x")
    desk.begin("y")
    place = tmp_path / "own"
    desk.lab.slip("worktree", str(place), "-s", "y")
    reply = desk.lab.slip("statusline", cwd=place)
    assert reply.text == "slip y · no step · 1 more open\n"


def test_no_process_is_started(desk: Desk) -> None:
    """Without a PATH there is no git to be asked."""
    desk.begin("x")
    done = subprocess.run(
        slip_command("statusline"), cwd=desk.lab.path, input=b"", capture_output=True,
        env=slip_environment({"PATH": ""}), check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "slip x · no step\n".encode()
