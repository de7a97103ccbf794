"""Whom a session would meet, told in the reply to each of its own changes."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream_git.changes import overlapping
from slipstream_git.workspace import Workspace, open_workspace
from tests.changes.concurrency import random_trees
from tests.changes.concurrency.oracle import put_main, session, written
from tests.changes.concurrency.random_trees import Files
from tests.changes.concurrency.sides import LINES, edit
from tests.desk import Desk, Free
from tests.lab import Lab


@pytest.fixture
def ws(repo: Lab) -> Iterator[Workspace]:
    workspace = open_workspace(str(repo.path), os.environ, in_process=True)
    with workspace.repository:
        yield workspace


def test_every_change_of_a_session_tells_whom_it_meets(desk: Desk) -> None:
    desk.lab.commit({"f": LINES})
    desk.begin("other")
    desk.apply(edit(3, "other"), session="other")
    desk.begin("mine")
    met = [{"session": "other", "paths": ["f"]}]
    assert desk.apply(edit(9, "mine"), session="mine", dry_run=True)["overlaps"] == met
    assert desk.apply(edit(9, "mine"), session="mine")["overlaps"] == met
    assert desk.call("undo", session="mine")["overlaps"] == []
    assert desk.call("redo", session="mine")["overlaps"] == met
    calls: tuple[tuple[str, dict[str, Free]], ...] = (
        ("sub", {"pattern": "line 30", "replacement": "x"}),
        ("write", {"path": "f", "content": b"all\n"}),
        ("mv", {"path": "f", "to": "g"}),
        ("write", {"path": "f", "content": b"again\n"}),
        ("rm", {"paths": ("f",)}),
    )
    for operation, values in calls:
        assert desk.call(operation, session="mine", **values)["overlaps"] == met, operation
    desk.lab.write("f", LINES.replace("line 30\n", "person\n"))
    desk.begin("captured")
    told = desk.call("capture", session="captured")["overlaps"]
    assert [row["session"] for row in told] == ["mine", "other"]
    desk.lab.git("checkout", "--quiet", "--", "f")
    ops = b'[{"op":"sub","globs":["f"],"pattern":"line 12","replacement":"x"}]'
    told = desk.call("exec", ops=ops)["apply"]["overlaps"]
    assert [row["session"] for row in told] == ["captured", "mine", "other"]


def test_overlaps_are_the_same_whatever_is_remembered(ws: Workspace) -> None:
    chance = random.Random(3)  # noqa: S311
    start: Files = random_trees.tree(chance)
    base = put_main(ws, written(ws, start), 0)
    made = [session(ws, f"s{n}", base, random_trees.worked(chance, start, 2)) for n in range(6)]
    place = Path(ws.repository.layout.slip_dir) / "footprints"
    place.unlink(missing_ok=True)
    for one in made:
        fresh = overlapping.overlaps(ws, one, one)
        assert overlapping.overlaps(ws, one, one) == fresh
        place.unlink(missing_ok=True)
        assert overlapping.overlaps(ws, one, one) == fresh


def test_a_session_on_a_tree_that_git_would_not_write(desk: Desk) -> None:
    """Whose modes run over; it hides neither the others nor what they do."""
    repo = desk.lab
    repo.damaged = True
    for name in ("bad", "fine", "mine"):
        desk.begin(name)
        desk.apply({"op": "write", "path": "f", "content": name}, session=name)
    raw = b"1" + b"7" * 40 + b" f\0" + bytes.fromhex(repo.oid("refs/slip/sessions/bad:f"))
    tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    step = repo.git_bytes("cat-file", "commit", "refs/slip/sessions/bad")
    broken = b"tree " + tree.encode() + step[len(b"tree ") + 40 :]
    oid = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=broken)
    repo.git("update-ref", "refs/slip/sessions/bad", oid)
    told = desk.call("conflicts")
    assert [row["name"] for row in told["unreadable"]] == ["bad"]
    assert f"tree {tree} is broken" in told["unreadable"][0]["why"]
    answer = desk.call("write", session="mine", path="f", content=b"more\n")
    assert (answer["step"], [row["session"] for row in answer["overlaps"]]) == (2, ["fine"])
    desk.refused("git-failed", "write", session="bad", path="f", content=b"more\n")
    desk.call("list")


def test_a_fault_does_not_hide_that_the_step_was_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OverflowError

    desk.begin("other")
    desk.begin("mine")
    monkeypatch.setattr(overlapping, "_own", fail)
    answer = desk.call("write", session="mine", path="f", content=b"more\n")
    assert (answer["step"], answer["overlaps"]) == (1, [])
