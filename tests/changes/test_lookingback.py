"""`slip exec` run again: what is in the branch already is no failure, and lands no second time."""

from __future__ import annotations

import pytest

from tests.changes.test_series import TEXT, changed
from tests.desk import Desk, Json, batch, delete, move, replace, write

PATCH = """\
diff --git a/long.txt b/long.txt
--- a/long.txt
+++ b/long.txt
@@ -19,3 +19,3 @@
 line 19
-line 20
+patched 20
 line 21
"""
KINDS: dict[str, list[Json]] = {
    "str_replace": [changed(10, "new")],
    "chain": [changed(10, "new"), replace("long.txt", "new 10", "newer 10")],
    "sub": [{"op": "sub", "globs": ["*.txt"], "pattern": "line 3", "replacement": "Line 3",
             "expect": 11}],
    "write": [write("new.txt", "new\n")],
    "write-only": [write("new.txt", "new\n", create="only")],
    "insert": [{"op": "insert", "path": "long.txt", "after": "line 7\n", "text": "inserted\n"},
               replace("long.txt", "line 9\n", "")],
    "delete": [delete("b.txt")],
    "move": [move("b.txt", "c.txt"), replace("c.txt", "b", "bb")],
    "copy": [{"op": "copy", "path": "b.txt", "to": "d.txt"}, delete("b.txt")],
    "chmod": [{"op": "chmod", "path": "b.txt", "mode": "100755"}],
    "symlink": [{"op": "symlink", "path": "link", "target": "b.txt"}],
    "patch": [{"op": "patch", "diff": PATCH}],
    "all": [changed(1, "x"), move("b.txt", "c.txt"), {"op": "patch", "diff": PATCH},
            write("new.txt", "new\n")],
}  # fmt: skip


@pytest.fixture
def ground_desk(desk: Desk) -> Desk:
    desk.lab.commit({"long.txt": TEXT, "b.txt": "b\n"}, "long")
    return desk


def run(desk: Desk, *ops: Json, series: bool = False) -> Json:
    message = () if series else ("Do it",)
    told = desk.call("exec", ops=batch(*ops), message=message, series=series)["commit"]
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_has_nothing_to_do(ground_desk: Desk, kind: str) -> None:
    desk, repo = ground_desk, ground_desk.lab
    assert run(desk, *KINDS[kind])["committed"]
    before = repo.snapshot(), repo.refs()
    told = run(desk, *KINDS[kind])
    assert told["committed"] is False
    assert told["reason"]
    assert (repo.snapshot(), repo.refs()) == before
    # Also when others have gone on, in the same files, too.
    text = repo.read("long.txt").decode().replace("line 38\n", "theirs 38\n")
    repo.commit({"long.txt": text}, "theirs")
    repo.commit({"README.md": "more\n"}, "more")
    before = repo.snapshot(), repo.refs()
    assert run(desk, *KINDS[kind])["committed"] is False
    assert (repo.snapshot(), repo.refs()) == before


def test_a_series_that_is_run_again(ground_desk: Desk) -> None:
    desk = ground_desk
    ops = [{**changed(5, "a"), "group": "A"}, {**changed(25, "b"), "group": "B"}]
    assert len(run(desk, *ops, series=True)["commits"]) == 2
    refs = desk.lab.refs()
    assert run(desk, *ops, series=True)["committed"] is False
    assert desk.lab.refs() == refs


def test_half_of_it_there_is_not_enough(ground_desk: Desk) -> None:
    desk, repo = ground_desk, ground_desk.lab
    run(desk, changed(10, "new"))
    refs = repo.refs()
    ops = batch(changed(10, "new"), changed(20, "new"))
    fault = desk.refused("no-match", "exec", ops=ops, message=("m",))
    assert fault.data["ops"][0]["index"] == 0  # type: ignore[index]
    assert repo.refs() == refs


def test_what_was_taken_back_lands_again(ground_desk: Desk) -> None:
    desk, repo = ground_desk, ground_desk.lab
    run(desk, changed(10, "new"))
    repo.git("revert", "--no-edit", "HEAD")
    assert run(desk, changed(10, "new"))["committed"]


def test_what_others_made_something_else_of_is_still_refused(ground_desk: Desk) -> None:
    desk, repo = ground_desk, ground_desk.lab
    run(desk, changed(10, "new"))
    repo.commit({"long.txt": TEXT.replace("line 10\n", "theirs 10\n")}, "theirs")
    refs = repo.refs()
    desk.refused("no-match", "exec", ops=batch(changed(10, "new")), message=("m",))
    assert repo.refs() == refs


def test_a_mistake_is_refused_as_ever(ground_desk: Desk) -> None:
    desk = ground_desk
    run(desk, changed(10, "new"))
    wrong = batch(replace("long.txt", "no such line", "x"))
    desk.refused("no-match", "exec", ops=wrong, message=("m",))
    desk.refused("missing", "exec", ops=batch(delete("nowhere")), message=("m",))
    # Without a message nothing would land, and what fails is shown.
    desk.refused("no-match", "exec", ops=batch(changed(10, "new")))
    desk.refused("path-denied", "exec", ops=batch(changed(10, "new")), message=("m",),
                 deny=("long.txt",))  # fmt: skip
