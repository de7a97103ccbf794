"""What a landed commit says of where it came from: as much as the user wants, down to nothing."""

from __future__ import annotations

import json

import pytest

from tests.desk import Desk, write


def staged(desk: Desk, agent: str | None = "robot <r@x>") -> None:
    desk.begin("fix", agent=agent, title="Title")
    desk.apply(write("a", "1\n"), group="first")
    desk.apply(write("b", "1\n"), group="second")


def message(desk: Desk, rev: str = "HEAD") -> str:
    return desk.lab.git("log", "-1", "--format=%B", rev).strip()


def test_by_itself_only_the_note(desk: Desk) -> None:
    staged(desk)
    desk.commit("Add both")
    assert message(desk) == "Add both"
    note = json.loads(desk.lab.git("notes", "--ref=slip/landed", "show", "HEAD"))
    assert (note["session"], note["agent"]) == ("fix", "robot <r@x>")


@pytest.mark.parametrize("wanted", ["Slip-Session, Assisted-by", "slip-session assisted-by"])
def test_trailers_that_are_wanted(desk: Desk, wanted: str) -> None:
    desk.lab.git("config", "slip.trailers", wanted)
    staged(desk)
    desk.call("commit", message=("Add both",), trailer=("Slip-Session=fix", "Fixes=1"))
    told = desk.lab.git("log", "-1", "--format=%(trailers:only)").strip().split("\n")
    assert told == ["Slip-Session: fix", "Fixes: 1", "Assisted-by: robot <r@x>"]


def test_nobody_is_named_who_is_not_known(desk: Desk) -> None:
    desk.lab.git("config", "slip.trailers", "Assisted-by")
    staged(desk, agent=None)
    desk.commit("Add both")
    assert message(desk) == "Add both"


def test_each_commit_of_a_series_and_of_a_queue(desk: Desk) -> None:
    desk.lab.git("config", "slip.trailers", "Slip-Session")
    staged(desk)
    desk.call("commit", series=True)
    assert message(desk) == "second\n\nSlip-Session: fix"
    assert message(desk, "HEAD~") == "first\n\nSlip-Session: fix"
    for name in ("x", "y"):
        desk.begin(name, title=f"Add {name}")
        desk.apply(write(name, "1\n"), session=name)
    desk.call("land", all=True, atomic=True)
    assert message(desk) == "Add y\n\nSlip-Session: y"
    assert message(desk, "HEAD~") == "Add x\n\nSlip-Session: x"


def test_another_trailer_is_refused_and_nothing_lands(desk: Desk) -> None:
    desk.lab.git("config", "slip.trailers", "Slip-Session Reviewed-by")
    staged(desk)
    before = desk.lab.refs()
    fault = desk.refused("usage", "commit", message=("Add",))
    assert "Reviewed-by" in fault.message
    assert desk.lab.refs() == before


def test_without_any_note(desk: Desk) -> None:
    desk.lab.git("config", "slip.provenance", "false")
    staged(desk)
    commit = desk.commit("Add both")["commit"]
    assert "refs/notes/slip/landed" not in desk.lab.refs()
    # What it needs to know itself is in the closed chain.
    told = desk.call("commit", session="fix", message=("Add both",))
    assert (told["already"], told["commit"]) == (True, commit)
    why = desk.call("why", place="a:1")
    assert why["commit"] == commit
    assert "session" not in why
