"""Who made the other side of a conflict, and what it costs to ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.changes import conflicts
from slipstream_git.errors import SlipError
from tests.changes.concurrency.collisions import LINES, OURS, THEIRS
from tests.desk import Desk, Json, replace, write
from tests.lab import Lab


def by(fault: SlipError, path: str = "f") -> list[Json]:
    rows: Any = fault.data["files"]
    (row,) = (row for row in rows if row["path"] == path)
    found = row["by"]
    assert isinstance(found, list)
    return found


def subjects(fault: SlipError, path: str = "f") -> list[str]:
    return [row["subject"] for row in by(fault, path)]


def started(desk: Desk) -> Lab:
    """A session that changes line 3 of f, whose branch has moved on since."""
    desk.lab.commit({"f": LINES, "g": LINES}, "base")
    desk.begin("work")
    desk.apply(write("f", THEIRS))
    return desk.lab


def test_who_changed_the_conflicting_lines_comes_first(desk: Desk) -> None:
    repo = started(desk)
    text = LINES
    for subject, old, new in (
        ("top", "line 0\n", "line 0\nmore\nlines\n"),
        ("the line", "line 3\n", "ours\n"),
        ("bottom", "line 20\n", "twenty\n"),
        ("the line again", "ours\n", "ours still\n"),
        ("further down", "line 25\n", ""),
    ):
        text = text.replace(old, new)
        repo.commit({"f": text}, subject)
    repo.commit({"g": OURS}, "elsewhere")
    fault = desk.commit_refused("conflict")
    assert subjects(fault) == ["the line again", "the line", "further down", "bottom", "top"]
    assert [row.get("lines") for row in by(fault)] == [True, True, None, None, None]
    assert by(fault)[0]["commit"] == repo.oid("main~2")


def test_only_so_many_are_told(desk: Desk) -> None:
    repo = started(desk)
    for number in range(8):
        repo.commit({"f": LINES.replace("line 3\n", f"ours {number}\n")}, f"change {number}")
    assert subjects(desk.commit_refused("conflict")) == [f"change {n}" for n in (7, 6, 5, 4, 3)]


def test_a_side_branch_is_followed_as_far_as_contents_are_not_mixed(desk: Desk) -> None:
    repo = started(desk)
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit({"f": OURS}, "on the side")
    repo.git("checkout", "--quiet", "main")
    repo.commit({"f": LINES.replace("line 25\n", "main\n")}, "on main")
    repo.git("merge", "--quiet", "--no-edit", "-m", "join", "side")
    found = by(desk.commit_refused("conflict"))
    assert {row["subject"] for row in found} == {"join", "on the side", "on main"}


def test_a_renamed_files_commits_are_those_of_both_names(desk: Desk) -> None:
    repo = started(desk)
    repo.commit({"f": OURS}, "change")
    repo.commit({"f": None, "h": OURS}, "rename")
    found = subjects(desk.commit_refused("conflict"), "h")
    assert sorted(found) == ["change", "rename"]


def test_odd_subjects_and_names(desk: Desk) -> None:
    repo = started(desk)
    odd = "\x01 :100644 é\t"
    repo.commit({"f": OURS}, odd)
    (row,) = by(desk.commit_refused("conflict"))
    assert row["subject"] == odd.strip()


def test_where_a_session_is_the_other_side_its_steps_are_told(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"f": LINES}, "base")
    desk.begin("work", agent="planner")
    desk.apply(replace("f", "line 3\n", "ours\n"))
    desk.apply(replace("f", "line 25\n", "later\n"), agent="writer")
    repo.write("f", THEIRS)
    found = by(desk.refused("conflict", "capture"))
    assert [(row["session"], row["author"], row.get("lines")) for row in found] == [
        ("work", "planner", True),
        ("work", "writer", None),
    ]
    assert found[0]["subject"] == "slip work: apply f"


def processes(repo: Lab, home: Path, *arguments: str, expect: int) -> list[str]:
    """The git commands that one run of slip starts."""
    events = home / "events"
    events.write_text("")
    config = home / ".gitconfig"
    before = config.read_text()
    config.write_text(f"{before}[trace2]\n\teventTarget = {events}\n")
    repo.slip(*arguments, expect=expect)
    config.write_text(before)
    rows = (json.loads(line) for line in events.read_text().splitlines())
    return [row["name"] for row in rows if row["event"] == "cmd_name"]


def test_one_process_asks_for_all_files_and_none_where_nothing_conflicts(
    repo: Lab, home: Path
) -> None:
    names = [f"f{number}" for number in range(5)]
    repo.commit(dict.fromkeys(names, LINES), "base")
    for session, text in (("apart", LINES.replace("line 20\n", "x\n")), ("work", THEIRS)):
        repo.slip("begin", session)
        for name in names:
            repo.slip("write", name, "-s", session, stdin=text.encode())
    repo.commit(dict.fromkeys(names, OURS), "ours")
    message = ("commit", "-m", "land", "-s")
    conflicting = processes(repo, home, *message, "work", expect=3)
    assert conflicting.count("log") == 1
    clean = processes(repo, home, *message, "apart", "--dry-run", expect=0)
    assert "log" not in clean
    assert "merge-tree" in conflicting


def test_more_files_than_are_explained(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "MOST_FILES", 2)
    repo = desk.lab
    names = ["a", "b", "c"]
    repo.commit(dict.fromkeys(names, LINES), "base")
    desk.begin("work")
    desk.apply(*(write(name, THEIRS) for name in names))
    repo.commit(dict.fromkeys(names, OURS), "ours")
    rows: Any = desk.commit_refused("conflict").data["files"]
    assert [row["path"] for row in rows] == names
    assert [row.get("unexplained") for row in rows] == [None, None, True]
    assert (len(rows[1]["hunks"]), rows[2]["hunks"], rows[2]["by"]) == (1, [], [])


def test_large_hunks_are_clipped_and_many_left_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conflicts, "MOST_HUNKS", 3)
    monkeypatch.setattr(conflicts, "MOST_HUNK_LINES", 5)
    repo = desk.lab
    repo.commit({"f": LINES}, "base")
    lines = LINES.splitlines(keepends=True)
    long = "".join(f"added {number}\n" for number in range(12))
    desk.begin("work")
    desk.apply(write("f", "".join(f"t {x}" if n % 5 == 0 else x for n, x in enumerate(lines))))
    ours = [f"o {x}{long}" if n % 5 == 0 else x for n, x in enumerate(lines)]
    repo.commit({"f": "".join(ours)}, "ours")
    fault = desk.commit_refused("conflict")
    rows: Any = fault.data["files"]
    assert (len(rows[0]["hunks"]), rows[0]["hunks_left_out"]) == (3, 3)
    assert [hunk["left_out"] for hunk in rows[0]["hunks"]] == [{"ours": 8}] * 3
    assert rows[0]["hunks"][0]["ours"] == [1, 13]
