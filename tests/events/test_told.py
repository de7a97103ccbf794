"""What verbs tell: one event each, by what happened and not by what was tried."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.events import log, standing
from slipstream_git.events.event import Event
from slipstream_git.events.folding import State
from slipstream_git.gitdb.layout import Layout
from tests.desk import Desk, replace, write
from tests.lab import Lab


@pytest.fixture
def desk(repo: Lab) -> Desk:
    repo.commit({"a.txt": "one\ntwo\n"}, "files")
    return Desk(repo, "git")


def layout(desk: Desk) -> Layout:
    place = str(desk.lab.common_dir)
    return Layout(place, place, None, bare=False, hooks_dir="")


def told(desk: Desk, session: str = "x") -> list[Event]:
    return [one for _, one in log.read(log.path_of(layout(desk), session)).events]


def kinds(desk: Desk, session: str = "x") -> list[str]:
    return [one.kind for one in told(desk, session)]


def state(desk: Desk, session: str = "x") -> State:
    return standing.now(layout(desk), session)


def test_a_session_from_its_beginning_to_its_landing(desk: Desk) -> None:
    begun = desk.begin("x", title="Title", agent="robot")
    step = desk.apply(replace("a.txt", "one", "1"), write("b", "b\n"), agent="ada", group="g")
    desk.call("undo")
    desk.call("redo")
    landed = desk.commit("land")["commit"]
    events = told(desk)
    assert [one.kind for one in events] == ["begin", "step", "step", "step", "land"]
    assert [one.agent for one in events] == ["robot", "ada", "robot", "robot", "robot"]
    assert events[0].facts["begin"] == begun["commit"]
    assert events[1].facts == {
        "step": 1, "op": "apply", "commit": step["commit"], "group": "g",
        "ops": {"str_replace": 1, "write": 1}, "paths": ["a.txt", "b"], "changed": 2,
    }  # fmt: skip
    assert events[4].facts == {
        "commit": landed, "branch": "refs/heads/main", "paths": ["a.txt", "b"], "changed": 2,
    }  # fmt: skip
    now = state(desk)
    assert (now.standing, now.steps, now.landed, now.title) == ("landed", 3, (landed,), "Title")
    assert now.ops == {"str_replace": 1, "write": 1}
    # The name begun again is another session.
    desk.begin("x")
    assert (state(desk).standing, state(desk).steps, state(desk).title) == ("open", 0, "")


def test_what_is_only_tried_is_not_told(desk: Desk) -> None:
    desk.begin("x")
    desk.apply(write("b", "b\n"), dry_run=True)
    desk.apply_refused("no-match", replace("a.txt", "three", "3"))
    desk.call("commit", message=("land",), dry_run=True)
    desk.call("status")
    assert kinds(desk) == ["begin"]


def test_a_conflict_a_rebase_and_what_is_dropped(desk: Desk) -> None:
    desk.begin("x")
    desk.apply(replace("a.txt", "one", "1"))
    desk.lab.commit({"a.txt": "uno\ntwo\n"}, "meanwhile")
    desk.call("status")
    desk.commit_refused("conflict")
    desk.commit_refused("conflict")
    found = told(desk)[2]
    assert found.facts["paths"] == ["a.txt"]
    assert state(desk).counts["conflict"] == 1
    desk.call("rebase")
    assert (state(desk).conflict, state(desk).unresolved) == ((), 1)
    desk.call("resolve", path="a.txt", ours=True)
    assert state(desk).unresolved == 0
    desk.call("abort")
    assert state(desk).standing == "dropped"
    desk.call("reopen", name="x")
    assert state(desk).standing == "open"


def test_gates_one_by_one(desk: Desk) -> None:
    desk.lab.commit(
        {".slip.toml": '[gate.good]\nrun = "true"\n[gate.bad]\nrun = "! test -e bad"\n'}, "gates"
    )
    desk.begin("x")
    desk.apply(write("bad", "b\n"))
    desk.commit_refused("gate-failed")
    assert state(desk).gates == {"good": "green", "bad": "red"}
    desk.call("rm", paths=("bad",))
    desk.apply(write("fine", "b\n"))
    desk.commit("land")
    assert state(desk).gates == {"good": "green", "bad": "green"}


def test_each_that_lands_with_others_has_its_own_commit(desk: Desk) -> None:
    for name in ("x", "y"):
        desk.begin(name)
        desk.apply(write(name, "1\n"), session=name)
    desk.call("land", all=True, atomic=True, message=("both",))
    commits = [state(desk, name).landed for name in ("x", "y")]
    assert commits == [(desk.lab.oid("HEAD~"),), (desk.lab.oid("HEAD"),)]


@pytest.mark.parametrize("place", ["events", "events/x.jsonl"])
def test_a_log_that_cannot_be_written_refuses_nothing(desk: Desk, place: str) -> None:
    desk.begin("y")
    path = Path(layout(desk).slip_dir, place)
    if path.is_dir():
        shutil.rmtree(path)
        path.write_bytes(b"")
    else:
        path.mkdir()
    desk.begin("x")
    desk.apply(write("b", "b\n"), session="x")
    assert desk.commit("land", session="x")["committed"]
    assert not told(desk)


def test_a_log_goes_with_the_last_chain_of_its_session(desk: Desk) -> None:
    for name in ("x", "y", "open"):
        desk.begin(name)
    for name in ("x", "y"):
        desk.call("abort", session=name)
    desk.call("gc", expire="never")
    assert log.sessions(layout(desk)) == ["open", "x", "y"]
    desk.call("gc", expire="now")
    assert log.sessions(layout(desk)) == ["open"]


def test_what_an_agent_is_called_stays_one_field(desk: Desk) -> None:
    odd: Any = 'a"}\n{"kind":"land","id":"i","at":1}\x1b[31m'
    desk.begin("x", agent=odd, title=odd)
    assert kinds(desk) == ["begin"]
    assert "\n" not in told(desk)[0].agent
