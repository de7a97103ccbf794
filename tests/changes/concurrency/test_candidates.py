"""Candidates: what they are made from, when there is none, and that nothing is kept of them."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from slipstream_git.changes import candidates, sessions
from slipstream_git.changes.candidates import Candidate
from slipstream_git.faces.faults import render_error
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.model import FILE, Entry
from slipstream_git.text import replaying
from slipstream_git.text.objectid import blob_id
from slipstream_git.workspace import open_workspace
from tests.changes.concurrency.collisions import LINES
from tests.desk import Desk, Json, move, replace, write
from tests.lab import Content

NEXT = LINES.replace("line 4\n", "four of main\n")


def started(desk: Desk, *batches: list[Json], base: Content = LINES) -> None:
    desk.lab.commit({"f": base}, "base")
    desk.begin("work")
    for ops in batches:
        desk.apply(*ops)


def candidate(desk: Desk, ours: Content, path: str = "f") -> Json | None:
    """The candidate in the conflict with a branch that has `ours`; nothing of it is stored."""
    repo = desk.lab
    repo.commit({"f": ours}, "ours")
    before, refs = repo.snapshot(), repo.refs()
    fault = desk.commit_refused("conflict")
    assert (repo.snapshot(), repo.refs()) == (before, refs)
    rows: Any = fault.data["files"]
    (row,) = (row for row in rows if row["path"] == path)
    found = row.get("candidate")
    assert ("there is a candidate" in render_error(fault)) == (found is not None)
    if found is None:
        return None
    assert isinstance(found, dict)
    assert repo.git("cat-file", "-t", found["oid"], expect=None) == ""
    taken = of(desk, path)
    assert taken is not None
    assert (blob_id(taken.data), taken.both_orders_agree) == (
        found["oid"],
        found["both_orders_agree"],
    )
    return found


def of(desk: Desk, path: str) -> Candidate | None:
    """As `slip resolve PATH --candidate` asks for it."""
    workspace = open_workspace(str(desk.lab.path), os.environ, in_process=desk.store == "libgit2")
    with workspace.repository:
        return candidates.of(workspace, sessions.load(workspace, "work"), os.fsencode(path))


def test_ops_are_replayed_where_their_text_still_is(desk: Desk) -> None:
    """Adjacent lines: git wants one unchanged line between two changes."""
    started(desk, [replace("f", "line 3\n", "three\n")], [replace("f", "three", "drei")])
    found = candidate(desk, NEXT)
    assert found is not None
    assert found["text"] == NEXT.replace("line 3\n", "drei\n")
    assert (found["both_orders_agree"], found["way"], found["mode"]) == (True, "ops", "100644")


def test_orders_that_do_not_agree_say_so(desk: Desk) -> None:
    insert = {"op": "insert", "path": "f", "after": "line 3\n", "text": "of the session\n"}
    started(desk, [insert])
    found = candidate(desk, LINES.replace("line 4\n", "of main\nline 4\n"))
    assert found is not None
    assert "line 3\nof the session\nof main\nline 4\n" in found["text"]
    assert found["both_orders_agree"] is False


def test_an_op_that_counts_lines_is_replayed_as_its_diff(desk: Desk) -> None:
    started(desk, [{"op": "insert", "path": "f", "after_line": 20, "text": "new\n"}])
    found = candidate(desk, "top\n" + LINES.replace("line 20\n", "main\nline 20\n"))
    assert found is not None
    assert found["text"] == "top\n" + LINES.replace("line 20\n", "main\nnew\nline 20\n")
    assert (found["way"], found["both_orders_agree"]) == ("lines", False)


def test_a_whole_write_is_replayed_as_its_diff(desk: Desk) -> None:
    started(desk, [write("f", LINES.replace("line 3\n", "three\n"))])
    found = candidate(desk, NEXT)
    assert found is not None
    assert (found["text"], found["way"]) == (NEXT.replace("line 3\n", "three\n"), "lines")


@pytest.mark.parametrize("regex", [False, True])
def test_a_substitution(desk: Desk, *, regex: bool) -> None:
    op = {"op": "sub", "globs": ["f"], "pattern": "line 3", "replacement": "three", "expect": 1}
    started(desk, [{**op, "regex": regex, "word": True}])
    found = candidate(desk, NEXT)
    assert found is not None
    assert found["text"] == NEXT.replace("line 3\n", "three\n")
    assert found["way"] == ("lines" if regex else "ops")


def test_a_captured_edit_is_replayed_as_its_diff(desk: Desk) -> None:
    started(desk)
    desk.lab.write("f", LINES.replace("line 3\n", "three\n"))
    desk.call("capture")
    desk.lab.git("checkout", "--quiet", "f")
    found = candidate(desk, NEXT)
    assert found is not None
    assert (found["text"], found["way"]) == (NEXT.replace("line 3\n", "three\n"), "lines")


def test_three_versions_that_the_steps_do_not_lead_between(desk: Desk) -> None:
    """As a rebased session has them: its one step begins with the branch's version."""
    started(desk, [replace("f", "line 3\n", "three\n")])
    desk.lab.commit({"f": NEXT}, "ours")
    base = LINES.replace("line 20\n", "twenty\n")
    versions = [base, NEXT, base.replace("line 3\n", "drei\n")]
    oids = [desk.lab.git("hash-object", "-w", "--stdin", stdin=text.encode()) for text in versions]
    sides = [Entry(FILE, oid) for oid in oids]
    workspace = open_workspace(str(desk.lab.path), os.environ, in_process=desk.store == "libgit2")
    with workspace.repository:
        session = sessions.load(workspace, "work")
        conflict = Conflict(b"f", "content", sides[0], sides[1], sides[2])
        found = candidates.of(workspace, session, conflict)
    assert found is not None
    # The base has line 20 changed, and NEXT took that back.
    assert found.data == NEXT.replace("line 3\n", "drei\n").encode()
    assert found.way == "lines"


def test_steps_taken_back_are_not_replayed(desk: Desk) -> None:
    started(desk, [replace("f", "line 3\n", "three\n")], [replace("f", "line 9\n", "nine\n")])
    desk.call("undo")
    found = candidate(desk, NEXT)
    assert found is not None
    assert found["text"] == NEXT.replace("line 3\n", "three\n")


def test_a_file_that_the_session_moved(desk: Desk) -> None:
    started(
        desk,
        [replace("f", "line 3\n", "three\n")],
        [move("f", "g")],
        [replace("g", "line 20\n", "twenty\n")],
    )
    repo = desk.lab
    repo.commit({"f": NEXT}, "ours")
    rows: Any = desk.commit_refused("conflict").data["files"]
    (row,) = rows
    expected = NEXT.replace("line 3\n", "three\n").replace("line 20\n", "twenty\n")
    assert (row["path"], row["candidate"]["text"]) == ("g", expected)


def test_a_file_that_the_branch_moved(desk: Desk) -> None:
    started(desk, [replace("f", "line 3\n", "three\n")])
    desk.lab.commit({"f": None, "g": NEXT}, "ours")
    rows: Any = desk.commit_refused("conflict").data["files"]
    assert rows[0]["path"] == "g"
    assert rows[0]["candidate"]["text"] == NEXT.replace("line 3\n", "three\n")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (LINES.replace("line 3\n", "t\n"), LINES.replace("line 3\n", "o\n")),
        (LINES.replace("line 3\n", "t\n"), "nothing is left\n"),
        (LINES.replace("line 3\n", "t\n"), LINES.replace("line 3\n", "o\n") + "line 3\n" * 2),
    ],
)
def test_there_is_none_where_the_same_lines_changed(desk: Desk, theirs: str, ours: str) -> None:
    started(desk, [write("f", theirs)])
    assert candidate(desk, ours) is None
    assert of(desk, "f") is None
    assert of(desk, "none") is None


@pytest.mark.parametrize("path", ["n", "s"])
def test_there_is_none_for_what_is_no_changed_text(desk: Desk, path: str) -> None:
    repo = desk.lab
    desk.begin("work")
    desk.apply(write("n", "1\n"), {"op": "symlink", "path": "s", "target": "a"})
    repo.commit({"n": "2\n", "s": "file\n"}, "ours")
    rows: Any = desk.commit_refused("conflict").data["files"]
    assert not [row for row in rows if "candidate" in row]
    assert of(desk, path) is None


def test_the_mode_is_that_of_the_side_that_changed_it(desk: Desk) -> None:
    chmod = {"op": "chmod", "path": "f", "mode": "100755"}
    started(desk, [replace("f", "line 3\n", "three\n")], [chmod])
    found = candidate(desk, NEXT)
    assert found is not None
    assert (found["mode"], found["text"]) == ("100755", NEXT.replace("line 3\n", "three\n"))


def test_endings_and_bytes_of_the_file_are_kept(desk: Desk) -> None:
    base = LINES.encode().replace(b"\n", b"\r\n") + b"\xe9 no end"
    started(desk, [replace("f", "line 3\n", "three\n")], base=base)
    found = candidate(desk, base.replace(b"line 4\r", b"four\r"))
    assert found is not None
    assert found["lossy"] is True
    taken = of(desk, "f")
    assert taken is not None
    assert taken.data == base.replace(b"line 4\r", b"four\r").replace(b"line 3\r", b"three\r")


def test_a_long_text_is_clipped(desk: Desk) -> None:
    base = "".join(f"line {number} of a long text\n" for number in range(1000))
    started(desk, [replace("f", "line 3 of", "three of")], base=base)
    found = candidate(desk, base.replace("line 4 of", "four of"))
    assert found is not None
    assert len(found["text"]) <= candidates.LONGEST_TEXT
    assert found["text"].count("\n") + found["left_out"]["lines"] == 1000


def test_a_large_file_costs_milliseconds() -> None:
    """Measured some 10 ms; the bound leaves room for a loaded machine."""
    base = b"".join(b"line %d\n" % (number % 700) for number in range(candidates.MOST_LINES))
    at = base.index(b"line 350\n", 30_000)
    side = base[:at] + b"side\n" + base[at + 9 :]
    target = base[: at + 9] + b"target\n" + base[at + 18 :]
    start = time.process_time()
    assert replaying.replay(base, side, target) is not None
    assert time.process_time() - start < 0.5


def test_replaying_knows_moved_and_common_changes() -> None:
    base = b"".join(b"%d\n" % number for number in range(20))
    side = base.replace(b"\n5\n", b"\nfive\n").replace(b"\n9\n", b"\nnine\n")
    common = base.replace(b"\n9\n", b"\nnine\n")
    assert replaying.replay(base, side, common) == side
    moved = b"".join(b"%d\n" % n for n in (*range(10, 20), *range(10)))
    assert replaying.replay(base, base.replace(b"\n15\n", b"\nX\n"), moved) == moved.replace(
        b"\n15\n", b"\nX\n"
    )
    twice = base + base
    assert replaying.replay(base, base.replace(b"\n5\n", b"\nfive\n"), twice) in (
        None,
        base.replace(b"\n5\n", b"\nfive\n") + base,
        base + base.replace(b"\n5\n", b"\nfive\n"),
    )
    assert replaying.replay(b"a\nb\n", b"a\nb", b"a\nb\nc\n") is None
