"""What reading in a session has cost: counted once a blob, estimated, and shown in its status."""

from __future__ import annotations

import pytest

from slipstream_git.events import log
from slipstream_git.reading import served
from tests.desk import Desk, write
from tests.events.test_told import kinds, layout, state
from tests.lab import Lab

BIG = "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(200))


@pytest.fixture
def desk(repo: Lab) -> Desk:
    repo.commit({"big.py": BIG, "a.txt": "one\n"}, "files")
    desk = Desk(repo, "git")
    desk.begin("x")
    return desk


def test_slices_stand_against_whole_files_each_once(desk: Desk) -> None:
    assert "told" not in desk.call("status", session="x")
    for n in range(3):
        desk.call("symbol", name=f"f{n}", session="x")
    desk.call("lines", path="big.py", start=10, end=20, session="x")
    told = desk.call("status", session="x")["told"]
    assert told["answers"] == 4
    assert told["whole_tokens"] == -(-len(BIG) // 3.6)
    assert told["tokens"] < told["whole_tokens"] / 4
    # An overview or a search is nothing that would have been read whole.
    desk.call("map", session="x")
    desk.call("search", pattern="return 7", session="x")
    after = desk.call("status", session="x")["told"]
    assert after["answers"] == 6
    assert after["tokens"] > told["tokens"]
    assert after["whole_tokens"] == told["whole_tokens"]
    # Changed, it is another file.
    desk.apply(write("big.py", BIG + "#\n"), session="x")
    desk.call("lines", path="big.py", start=1, end=2, session="x")
    whole = state(desk).served.whole
    assert whole == 2 * len(BIG) + 2
    assert "an estimate" in desk.lab.slip("status", "-s", "x").text


def test_reading_without_a_session_is_nobodys_budget(desk: Desk) -> None:
    desk.call("lines", path="a.txt")
    desk.call("map", rev="HEAD")
    desk.call("status", session="x")
    desk.call("list")
    assert kinds(desk) == ["begin"]
    assert log.sessions(layout(desk)) == ["x"]


def test_a_name_begun_again_has_a_budget_of_its_own(desk: Desk) -> None:
    desk.call("lines", path="a.txt", session="x")
    desk.call("abort", session="x")
    desk.begin("x")
    assert "told" not in desk.call("status", session="x")


def test_the_size_of_an_answer() -> None:
    assert served.size(("ab", None, True, 12, ["\u00e9"], {"key": "v"})) == 3 + 0 + 0 + 3 + 3 + 2
