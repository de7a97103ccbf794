"""Where a conflict stands: the symbols of its hunks, and whether a candidate parses."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from slipstream_git.changes import enclosing
from slipstream_git.faces import text
from slipstream_git.faces.faults import render_error
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.meetings import Collision, Conflicts, Pair
from slipstream_git.model import FILE, Entry
from slipstream_git.text import hunks, outline
from tests.changes.concurrency.sides import MAIN
from tests.desk import Desk, Json, replace
from tests.lab import Lab

SHOP = '''\
"""A shop."""

PRICE = 1


class Shop:
    """Sells."""

    def open(self):
        return "open"

    def close(self):
        return "close"


# How much.
def total(items):
    return sum(items)
'''


def both(desk: Desk, one: list[Json], two: list[Json], path: str = "shop.py") -> Json:
    desk.lab.commit({path: SHOP})
    for name, ops in (("one", one), ("two", two)):
        desk.begin(name)
        desk.apply(*ops, session=name)
    told = desk.call("conflicts")
    assert desk.call("conflicts") == told  # as it was remembered
    return told


def edit(old: str, new: str, path: str = "shop.py") -> Json:
    return replace(path, old, new)


def test_the_matrix_names_what_each_hunk_stands_in(desk: Desk) -> None:
    told = both(
        desk,
        [edit('"open"', "1"), edit("sum(items)", "0"), edit("PRICE = 1", "PRICE = 2")],
        [edit('"open"', "2"), edit("sum(items)", "1"), edit("PRICE = 1", "PRICE = 3")],
    )
    (row,) = told["pairs"][0]["paths"]
    assert [hunk["symbols"] for hunk in row["hunks"]] == [["PRICE"], ["Shop.open"], ["total"]]
    pairs = [Pair(p["a"], p["b"], [Collision(**r) for r in p["paths"]]) for p in told["pairs"]]
    shown = list(text.lines("conflicts", Conflicts(pairs, told["sessions"], 0, [], [])))
    assert "    lines 10-10 against 10-10, in Shop.open" in shown


def test_a_hunk_over_several_symbols_names_them_ours_first(desk: Desk) -> None:
    span = 'open"\n\n    def close(self):\n        return "close'
    told = both(
        desk,
        [edit(span, 'on"\n    def shut(self):\n        return "shut')],
        [edit(span, 'up"\n    def stop(self):\n        return "down')],
    )
    (hunk,) = told["pairs"][0]["paths"][0]["hunks"]
    assert hunk["symbols"] == ["Shop.open", "Shop.shut", "Shop.stop"]


def test_a_comment_belongs_to_what_it_speaks_of(desk: Desk) -> None:
    told = both(desk, [edit("# How much.", "# Sum.")], [edit("# How much.", "# All.")])
    assert told["pairs"][0]["paths"][0]["hunks"][0]["symbols"] == ["total"]


def test_what_stands_in_nothing_or_in_a_text_of_no_language_has_no_symbols(desk: Desk) -> None:
    told = both(desk, [edit('"""A shop."""', "1")], [edit('"""A shop."""', "2")])
    assert "symbols" not in told["pairs"][0]["paths"][0]["hunks"][0]
    plain = both_on(desk, "notes")
    assert "symbols" not in plain


def both_on(desk: Desk, path: str) -> Json:
    desk.lab.commit({path: SHOP})
    for name in ("three", "four"):
        desk.begin(name)
        desk.apply(edit('"open"', name, path), session=name)
    rows: Any = desk.call("conflicts", sessions=("three",))["pairs"]
    found = [r for pair in rows for r in pair["paths"] if r["path"] == path and pair["b"] != MAIN]
    hunk: Json = found[0]["hunks"][0]
    return hunk


def refused(desk: Desk, ours: str, *ops: Json, path: str = "shop.py") -> tuple[Json, str]:
    """The conflicting file of a landing that is refused, and the refusal as text."""
    desk.lab.commit({path: SHOP})
    desk.begin("work")
    desk.apply(*ops)
    desk.lab.commit({path: ours})
    fault = desk.commit_refused("conflict")
    rows: Any = fault.data["files"]
    return rows[0], render_error(fault)


def test_a_refused_landing_names_them_and_so_does_what_is_left(desk: Desk) -> None:
    row, shown = refused(desk, SHOP.replace('"open"', "1"), edit('"open"', "2"))
    assert [hunk["symbols"] for hunk in row["hunks"]] == [["Shop.open"]]
    assert "    in Shop.open:" in shown
    desk.call("rebase")
    (left,) = desk.call("resolve")["conflicts"]
    assert left["hunks"][0]["symbols"] == ["Shop.open"]


CLOSING = '        return "close"\n'


def test_a_candidate_says_that_it_parses(desk: Desk) -> None:
    ours = SHOP.replace("def close(self):", "def close(self, door):")
    row, shown = refused(desk, ours, edit(CLOSING, '        return "closed"\n'))
    assert row["candidate"]["parses"] is True
    assert "does not parse" not in shown


def test_a_candidate_that_does_not_parse_says_so(desk: Desk) -> None:
    """The branch has put the call into brackets; the session adds a line to be closed by it."""
    ours = SHOP.replace("    return sum(items)\n", "    return (\n        sum(items)\n    )\n")
    insert = {"op": "insert", "path": "shop.py", "after": "sum(items)", "text": "    return 2\n"}
    row, shown = refused(desk, ours, edit("def total(items):", "def total(items, tax):"), insert)
    assert "sum(items)\n    return 2\n    )" in row["candidate"]["text"]
    assert row["candidate"]["parses"] is False
    assert "does not parse" in shown


def test_a_text_without_a_parser_is_not_judged(desk: Desk) -> None:
    ours = SHOP.replace(CLOSING, CLOSING + "added\n")
    row, _ = refused(desk, ours, edit(CLOSING, "other\n", "notes"), path="notes")
    assert "parses" not in row["candidate"]


@pytest.mark.parametrize(
    ("data", "expected"), [(b"def f():\n    pass\n", 0), (b"def f(:\n    pass\n", 1)]
)
def test_faults_of_a_text(data: bytes, expected: int) -> None:
    assert outline.faults("a.py", data) == expected
    assert outline.faults("a.txt", data) is None


def test_faults_that_a_side_has_do_not_count() -> None:
    broken = b"def f(:\n    pass\n"
    assert enclosing.parses(b"a.py", broken, (broken, broken)) is True
    assert enclosing.parses(b"a.py", broken, (broken, b"x = 1\n")) is False
    assert enclosing.parses(b"a.py", b"x = 1\n", (broken,)) is True
    assert enclosing.parses(b"a.json", b"{", (b"{",)) is None


def test_long_texts_and_many_names_are_bounded() -> None:
    many = b"".join(b"def f%d():\n    return 1\n" % n for n in range(100))
    texts = {"1": b"", "2": many.replace(b"1\n", b"2\n"), "3": many.replace(b"1\n", b"3\n")}
    found = hunks.colliding(many, texts["2"], texts["3"])
    base, ours, theirs = (Entry(FILE, oid) for oid in texts)
    conflict = Conflict(b"a.py", "content", base, ours, theirs)
    told = enclosing.Enclosing(texts.__getitem__).named(b"a.py", conflict, found)
    assert [hunk.symbols for hunk in told][:2] == [["f0"], ["f1"]]
    whole = found[0]._replace(ours=[1, 200], ours_text=many.decode())
    (one,) = enclosing.Enclosing(texts.__getitem__).named(b"a.py", conflict, [whole])
    assert one.symbols == [f"f{n}" for n in range(enclosing.MOST_NAMES)]
    texts["2"] *= 1 + enclosing.MOST_BYTES // len(many)
    texts["3"] = texts["2"]
    (one,) = enclosing.Enclosing(texts.__getitem__).named(b"a.py", conflict, [whole])
    assert one.symbols is None


def test_an_empty_range_stands_in_what_is_around_it() -> None:
    told = outline.outline("shop.py", SHOP.encode())
    assert told.enclosing(11, 12) == "Shop"
    assert told.enclosing(15, 16) is None
    assert told.enclosing(17) == told.enclosing(18) == "total"


def test_no_parser_is_loaded_where_nothing_conflicts(repo: Lab) -> None:
    repo.commit({"shop.py": SHOP})
    for name, new in (("one", "def open(self, door):"), ("two", "def total(items, tax):")):
        old = new.partition("(")[0] + ("(self):" if name == "one" else "(items):")
        repo.slip("begin", name)
        batch = repo.path.parent / f"{name}.json"
        batch.write_text(f'[{{"op":"str_replace","path":"shop.py","old":"{old}","new":"{new}"}}]')
        repo.slip("apply", "-s", name, str(batch))
    code = (
        "import sys\n"
        "from slipstream_git.faces.command import run\n"
        "assert run(['conflicts']) == 0\n"
        "print('tree_sitter' in sys.modules, 'slipstream_git.text.outline' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo.path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["0 pairs in conflict, 3 clean", "False False"]
