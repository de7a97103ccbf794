"""What `slip conflicts` remembers: never anything out of date, and never needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.changes.concurrency.sides import LINES, edit, found
from tests.children import Children
from tests.desk import Desk, Free, Json, move


def merges(desk: Desk, trace: Path, **values: Free) -> tuple[int, Json]:
    """How many merges git was asked for, and the answer."""
    trace.unlink(missing_ok=True)
    told = desk.call("conflicts", env={"GIT_TRACE": str(trace)}, **values)
    return trace.read_text().count("built-in: git merge-tree"), told


@pytest.fixture
def meeting(desk: Desk) -> Desk:
    """Two sessions that conflict in f and meet in g."""
    desk.lab.commit({"f": LINES, "g": LINES})
    desk.begin("one")
    desk.begin("two")
    desk.apply(edit(3, "uno"), edit(3, "uno", "g"), session="one")
    desk.apply(edit(3, "due"), edit(30, "due", "g"), session="two")
    return desk


def test_asked_again_no_merge_is_made(meeting: Desk, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    # Where a file was moved twice only git knows.
    for name in ("one", "two"):
        meeting.apply(move("README.md", f"{name}.md"), session=name)
    count, told = merges(meeting, trace)
    assert count == 1
    assert merges(meeting, trace) == (0, told)
    # By content: a step that changes a file makes it another question, and undo the old one.
    meeting.apply(edit(20, "uno"), session="one")
    count, after = merges(meeting, trace)
    assert (count, found(after)) == (1, found(told))
    meeting.call("undo", session="one")
    assert merges(meeting, trace) == (0, told)
    (meeting.lab.git_dir / "slip" / "verdicts").unlink()
    assert merges(meeting, trace) == (1, told)


def test_what_decides_beside_the_trees_is_never_forgotten(meeting: Desk, tmp_path: Path) -> None:
    trace, home = tmp_path / "trace", Path(os.environ["XDG_CONFIG_HOME"])
    told = merges(meeting, trace)[1]
    info = meeting.lab.git_dir / "info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text("f merge=union\n")
    assert merges(meeting, trace)[1]["pairs"] == []
    (info / "attributes").unlink()
    assert merges(meeting, trace)[1] == told
    (home / "git").mkdir(parents=True)
    (home / "git" / "attributes").write_text("f merge=union\n")
    assert merges(meeting, trace)[1]["pairs"] == []
    (home / "git" / "attributes").write_text("f -merge\n")
    assert found(merges(meeting, trace)[1]) == {("one", "two"): {"f": "binary"}}
    (home / "git" / "attributes").unlink()
    meeting.lab.git("config", "merge.default", "union")
    assert merges(meeting, trace)[1]["pairs"] == []
    meeting.lab.git("config", "--unset", "merge.default")
    assert merges(meeting, trace)[1] == told


def test_what_a_program_decides_is_not_remembered(meeting: Desk, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    meeting.lab.git("config", "merge.mine.driver", "cp %B %A")
    meeting.lab.commit({".gitattributes": "f merge=mine\n"})
    for name in ("three", "four"):
        meeting.begin(name)
        meeting.apply(edit(3, name), session=name)
    assert ("four", "three") not in found(merges(meeting, trace)[1])
    meeting.lab.git("config", "merge.mine.driver", "false")
    assert ("four", "three") in found(merges(meeting, trace)[1])
    assert not (meeting.lab.git_dir / "slip" / "verdicts").exists()


def test_damaged_and_half_written_files_do_no_harm(meeting: Desk) -> None:
    told = meeting.call("conflicts")
    for name in ("verdicts", "footprints"):
        place = meeting.lab.git_dir / "slip" / name
        whole = place.read_bytes()
        for data in (whole[:-20], b"\0" * 50, whole[:30] + b"x" + whole[31:], b"{}\n" + whole):
            place.write_bytes(data)
            assert meeting.call("conflicts") == told
        place.unlink()
        place.mkdir()
        assert meeting.call("conflicts") == told
        place.rmdir()


def test_several_at_once(meeting: Desk, children: Children) -> None:
    told = meeting.call("conflicts")
    place = meeting.lab.git_dir / "slip" / "verdicts"
    place.unlink()
    started = [meeting.lab.start(children, "conflicts") for _ in range(3)]
    assert [child.wait() for child in started] == [0, 0, 0]
    assert meeting.call("conflicts") == told
    assert place.read_bytes().count(b"\n") in (1, 2, 3)
