"""Recall: what is near comes first, says why, and fits; with nothing to go by, nothing is told."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import recall as measuring
from slipstream_git.memory import ranking, recalling, visibility, words
from slipstream_git.memory.ranking import Signals
from slipstream_git.reading.views import View
from slipstream_git.recollections import FactRow
from slipstream_git.text import factrow
from slipstream_git.workspace import open_workspace
from tests.desk import Desk, Free, write
from tests.lab import Lab

NEEDED = 0.9


def recalled(desk: Desk, query: str | None = None, **values: Free) -> list[str]:
    return [row["text"] for row in desk.call("recall", query=query, **values)["facts"]]


def known(desk: Desk, *claims: tuple[str, str | None]) -> None:
    for text, about in claims:
        desk.call("remember", text=text, about=about)


def test_words_decide_and_say_so(desk: Desk) -> None:
    known(
        desk,
        ("the cache is emptied on every landing", "src/m.py"),
        ("retries are bounded by sixteen", None),
        ("a parser for dates is in the standard library", "docs/a.md"),
    )
    found = desk.call("recall", query="who clears the caches when it lands?")["facts"]
    assert found[0]["text"].startswith("the cache")
    assert found[0]["why"] == ["caches lands"]
    assert found[0]["score"] > 0
    assert recalled(desk, "how many times is it retried") == ["retries are bounded by sixteen"]
    # Words of what it is about count, too, and a path that is named is meant.
    assert recalled(desk, "docs/a.md")[0].startswith("a parser")


def test_without_a_signal_there_is_one_line(desk: Desk) -> None:
    assert desk.lab.slip("recall").text == "# nothing is remembered here yet\n"
    known(desk, ("the domain is example.com", None), ("mainly for maintainers", None))
    told = desk.call("recall")
    assert (told["facts"], told["known"]) == ([], 2)
    said = "# nothing says which of 2 facts are near; slip facts lists them\n"
    # The branch is called main, which is no word of any of them.
    assert desk.lab.slip("recall").text == said
    assert desk.lab.slip("recall", "what is the").text == said
    assert desk.lab.slip("recall", "quux").text == said


def test_what_is_worked_on_comes_first(desk: Desk) -> None:
    lab = desk.lab
    lab.commit({"src/n.py": "N = 1\n", "far/o.py": "O = 1\n"}, "more")
    for n in range(3):
        lab.commit({"src/m.py": lab.read("src/m.py") + b"#\n", "far/o.py": f"O = {n}\n"}, "both")
    known(
        desk,
        ("it has words in it", None),
        ("of a neighbour", "src/n.py"),
        ("of a companion", "far/o.py"),
        ("of the symbol", "src/m.py#second"),
        ("of the other symbol", "src/m.py#first"),
        ("of nothing here", "docs/a.md"),
    )
    desk.begin("x", title="some words")
    changed = lab.read("src/m.py").replace(b"first(1)", b"first(2)")
    desk.apply(write("src/m.py", changed))
    rows = desk.call("recall", session="x")["facts"]
    assert [row["text"] for row in rows] == [
        "of the symbol", "of the other symbol", "of a companion", "of a neighbour",
        "it has words in it",
    ]  # fmt: skip
    assert [row["why"] for row in rows[:4]] == [
        ["changed here"], ["worked on here"], ["changes with what is worked on"],
        ["beside what is worked on"],
    ]  # fmt: skip
    assert rows[-1]["why"] == ["title: words"]
    assert (rows[0]["stale"], rows[1]["stale"]) == (True, False)
    # The working tree's edits are work, too.
    assert recalled(desk) == []
    lab.write("docs/a.md", "# B\n")
    assert recalled(desk) == ["of nothing here"]


def test_the_name_of_a_branch_by_its_words(desk: Desk) -> None:
    known(desk, ("login is checked twice", None), ("a fix is a fix", None))
    desk.lab.git("checkout", "--quiet", "-b", "fix/login-flow-2")
    found = desk.call("recall")["facts"]
    assert [row["why"] for row in found] == [["branch: login"]]


def test_only_what_counts_here(desk: Desk) -> None:
    known(desk, ("the cache of main", None))
    desk.begin("x")
    desk.call("remember", text="the cache of x", session="x")
    assert recalled(desk, "cache") == ["the cache of main"]
    assert set(recalled(desk, "cache", session="x")) == {"the cache of main", "the cache of x"}
    assert recalled(desk, "cache", rev="HEAD~") == []
    desk.refused("usage", "recall", query="cache", tokens=-1)


@pytest.mark.parametrize("tokens", [1, 5, 20, 40, 100, 300, 1200])
def test_what_is_printed_is_within_the_budget(desk: Desk, tokens: int) -> None:
    known(desk, ("cache " + "long " * 1500, "src/m.py"))
    known(desk, *((f"the cache number {n} \u65e5\u672c\u8a9e" + " x" * n, None) for n in range(60)))
    text = desk.lab.slip("recall", "cache", "--tokens", str(tokens)).out
    assert len(text) <= tokens * 3.6
    told = desk.call("recall", query="cache", tokens=tokens)
    assert told["tokens"] <= tokens
    assert len(told["facts"]) + told["left_out"] == 61
    if tokens >= 100:
        assert len(told["facts"]) >= tokens // 40
    if tokens == 1200:
        assert any(row.get("cut") for row in told["facts"]) or told["left_out"]
    everything = desk.call("recall", query="cache", tokens=0)
    assert (len(everything["facts"]), everything["left_out"]) == (61, 0)


ROWS = st.lists(
    st.builds(
        FactRow, id=st.text("0123456789abcdef", min_size=16, max_size=16), kind=st.just("fact"),
        text=st.text(min_size=1, max_size=400), about=st.none() | st.text(max_size=30),
        stale=st.booleans(), commit=st.just("c" * 40), stale_why=st.just("changed"),
        score=st.floats(0.1, 50), why=st.lists(st.text(max_size=9), min_size=1, max_size=2),
    ),
    max_size=12,
)  # fmt: skip


@given(ROWS, st.integers(1, 400))
def test_no_facts_and_no_budget_make_it_too_long(rows: list[FactRow], tokens: int) -> None:
    near = sorted(rows, key=lambda row: -(row.score or 0))
    place = visibility.Stand(View("4" * 40, None), None)
    answer = recalling._fitting(near, 100, place, tokens)
    lines = [factrow.printed(row) for row in answer.facts] + ([answer.rest] if answer.rest else [])
    text = "".join(f"{line}\n" for line in lines)
    size = len(text.encode("utf-8", "replace"))
    assert size <= tokens * 3.6
    assert answer.tokens <= tokens
    assert text.count("\n") == len(lines)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("getHTTPResponse_v2", ["gethttpresponsev2", "get", "http", "response", "v2"]),
        ("the snake_case_name", ["snakecasename", "snake", "case", "name"]),
        ("What is it?", []), ("caf\u00e9 CAF\u00c9", ["caf\u00e9", "caf\u00e9"]),
        ("\u6771\u4eac\u90fd", ["\u6771\u4eac", "\u4eac\u90fd"]),
        ("x86_64", ["x8664", "x86", "64"]), ("utf8", ["utf8"]),
    ],
)  # fmt: skip
def test_words_of_a_text(text: str, found: list[str]) -> None:
    assert [word for word in words.of(text) if word != "get"] == [w for w in found if w != "get"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("why is src/a.py slow?", ["named"]), ("see src/a.py.", ["named"]),
        ("(src/a.py)", ["named"]), ("src/a.py#first", ["named"]), ("src/a.py: how", ["named"]),
        ("x.src/a.py, src/a.py", ["named"]), ("src/a.pyi", []), ("lib/src/a.py", []),
        ("my-src/a.py", []), ("src/a.py/b", []), ("src/a.py.orig", []), ("src/a.py-old", []),
    ],
)  # fmt: skip
def test_a_path_is_named_where_it_stands_alone(query: str, why: list[str]) -> None:
    row = FactRow("a" * 16, "words", "fact", "src/a.py", stale=False, commit="c" * 40)
    assert ranking._by_place(row, Signals(query=query))[1] == why


def test_names_of_branches() -> None:
    assert words.of_branch("refs/heads/main") == []
    assert words.of_branch("refs/heads/feature/JIRA-12-faster-search") == [
        "jira", "faster", "search",
    ]  # fmt: skip


def test_without_fts_rare_words_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: object) -> None:
        raise sqlite3.OperationalError("no such module: fts5")

    rows = [
        FactRow(f"{n:016x}", text, "fact", None, stale=False, commit="c")
        for n, text in enumerate(["cache of files", "cache of lines", "cache of rare lines"])
    ]
    wanted = [row.text for row in ranking.ranked(rows, Signals("rare lines in the cache"))]

    class Broken:
        execute = without

        def close(self) -> None: ...

    monkeypatch.setattr(sqlite3, "connect", lambda _: Broken())
    found = ranking.ranked(rows, Signals("rare lines in the cache"))
    assert {row.text for row in found} == set(wanted)
    assert found[0].text == "cache of rare lines"


# The questions ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fixtures() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return measuring.loaded("facts.json"), measuring.loaded("questions.json")


def test_the_fixtures_are_what_they_say(
    fixtures: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    facts, questions = fixtures
    assert [fact["number"] for fact in facts] == list(range(1, 201))
    assert len({fact["text"] for fact in facts}) == 200
    assert len({row["question"] for row in questions}) == 60
    assert len({row["wanted"] for row in questions}) == 60
    # Kept apart: no name of either stands in the code that ranks.
    room = Path(ranking.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in room.glob("*.py"))
    assert not any(row["question"] in code for row in questions)
    assert "redis" not in code


def test_questions_find_their_fact_nine_times_in_ten(
    repo: Lab, fixtures: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    facts, questions = fixtures
    for path in sorted({fact["about"] for fact in facts if fact["about"]}):
        directory = "." not in path.rpartition("/")[2] and not path.endswith("Makefile")
        name = f"{path}/one" if directory or path == ".github/workflows" else path
        repo.write(name, json.dumps(path))
    repo.git("add", "--all")
    repo.commit({}, "files")
    workspace = open_workspace(str(repo.path), {}, in_process=True)
    with workspace.repository:
        results = measuring.asked(workspace, measuring.noted(workspace))
    assert max(size for *_, size in results) <= measuring.TOKENS * 3.6
    missing = [question for question, place, _ in results if not place]
    assert len(questions) - len(missing) >= NEEDED * len(questions), missing
