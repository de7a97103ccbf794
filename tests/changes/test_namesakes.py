"""A session that is closed while it is being moved, and another begun under its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from slipstream_git.changes import landing, staging
from slipstream_git.changes.concurrency import stacking
from tests.desk import Desk, write
from tests.lab import Lab, typed

SECRET = "unfinished.txt"


def amid(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, happens: Callable[[], None]
) -> None:
    """Let something happen once, just before a function of a module is called."""
    real = getattr(module, name)
    left = [happens]

    def called(*given: Any, **values: Any) -> Any:  # noqa: ANN401
        while left:
            left.pop()()
        return real(*given, **values)

    monkeypatch.setattr(module, name, called)


@pytest.fixture
def others(repo: Lab) -> Callable[[str], Callable[[], None]]:
    """Others close the session `work` by a command, and begin another of that name."""

    def by(command: str) -> Callable[[], None]:
        def happens() -> None:
            repo.slip(*command.split(), "-s", "work")
            repo.slip("begin", "work")
            repo.slip("write", SECRET, "-s", "work", stdin=b"theirs\n")

        return happens

    return by


def untouched(repo: Lab) -> None:
    """Their session is open, with its one step, and none of it is on the branch."""
    assert repo.slip_json("status", "-s", "work").json["steps"] == 1
    assert SECRET not in repo.git("ls-tree", "-r", "--name-only", "main").split("\n")
    shown = repo.git("ls-tree", "-r", "--name-only", "refs/slip/sessions/work").split("\n")
    assert SECRET in shown


@pytest.mark.parametrize("values", [{}, {"series": True}])
def test_a_landing_does_not_take_it(
    desk: Desk,
    others: Callable[[str], Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, Any],
) -> None:
    desk.begin("work")
    desk.apply(write("mine", "1\n"), session="work")
    amid(monkeypatch, landing, "rules", others("abort"))
    fault = desk.commit_refused("session-missing", session="work", message="Mine", **values)
    assert "another session of that name" in fault.message
    typed(str(fault.hint), desk.lab.path)
    untouched(desk.lab)


@pytest.mark.parametrize("command", ["abort", "commit -m other"])
def test_a_queue_does_not_take_it(
    desk: Desk,
    others: Callable[[str], Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    desk.begin("work", title="Mine")
    desk.apply(write("mine", "1\n"), session="work")
    desk.begin("next", title="Next")
    desk.apply(write("next", "1\n"), session="next")
    amid(monkeypatch, stacking, "as_now", others(command))
    names = ("work", "next")
    if command == "abort":
        desk.refused("session-missing", "land", sessions=names, atomic=True)
    else:
        told = desk.call("land", sessions=names, atomic=True)
        assert [row["session"] for row in told["landed"]] == ["next"]
        assert [row["session"] for row in told["skipped"]] == ["work"]
    untouched(desk.lab)


def test_a_batch_does_not_go_into_it(
    desk: Desk, others: Callable[[str], Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin("work")
    desk.apply(write("mine", "1\n"), session="work")
    amid(monkeypatch, staging, "advance", others("abort"))
    ops = json.dumps([write("more", "1\n")]).encode()
    desk.refused("session-missing", "apply", ops=ops, session="work")
    untouched(desk.lab)
