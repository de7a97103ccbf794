"""Digests: what they are made of, that they fit, and that nothing is lost or repeated by many."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipstream_git import factlines
from slipstream_git.memory import digesting
from slipstream_git.memory.digesting import Row
from slipstream_git.recollections import Digested
from slipstream_git.text import factrow
from tests.desk import NOW, Desk, Free, replace, write
from tests.lab import Ground, Lab

GATE = '[gate.tests]\nrun = "! test -e bad"\n'


def lines(desk: Desk, operation: str = "resume", **values: Free) -> dict[str, Any]:
    answer = desk.call(operation, **values)
    return {**answer["sections"], "since": answer.get("since")}


def stored(desk: Desk) -> list[dict[str, Any]]:
    """Every digest in the notes, as plain git reads them."""
    ref = factlines.REF
    if ref not in desk.lab.refs():
        return []
    notes = desk.lab.tree(ref).values()
    rows = [json.loads(line) for note in notes for line in note.splitlines()]
    return [row for row in rows if "digest" in row]


def test_each_section_is_from_records(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": GATE}, "gate")
    desk.call("remember", text="decided before", kind="decision", about="src/m.py#first")
    desk.call("remember", text="just a fact, in which we decided to do nothing")
    desk.begin("x", title="Title", agent="robot")
    desk.apply(write("docs/a.md", "# B\n"), write("new", "1\n"))
    desk.call("check", session="x")
    desk.call("remember", text="then the docs", kind="todo", session="x")
    desk.begin("other")
    told = desk.call("digest", session="x")
    sections = told["sections"]
    assert sections["open"] == [
        "x on main, step 1, paths changed: 2: Title", "other on main, step 0, paths changed: 0",
    ]  # fmt: skip
    assert [line.split(": ", 1)[1] for line in sections["decided"]] == ['"decided before"']
    assert [line.split(": ", 1)[1] for line in sections["next"]] == ['"then the docs"']
    assert sections["checked"] == ["tests green"]
    assert sections["touched"] == ["M docs/a.md", "A new"]
    assert told["commit"] == desk.call("status", session="x")["tip"]
    assert told["kept"] is True
    # The same again is the same, and one line in the notes.
    assert desk.call("digest", session="x")["sections"] == sections
    assert [row["time"] for row in stored(desk)] == [NOW + 1]
    assert lines(desk, session="x") == {**sections, "since": []}


def test_what_has_changed_since_is_told_behind_it(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": GATE}, "gate")
    desk.begin("x")
    first = desk.call("remember", text="use tabs", kind="decision", session="x")["id"]
    desk.call("remember", text="clean up", kind="todo", session="x")
    desk.apply(write("a", "1\n"))
    desk.call("check", session="x")
    desk.call("digest", session="x")
    desk.apply(write("b", "1\n"), session="x")
    desk.call("remember", text="use blanks after all", kind="decision", session="x")
    desk.call("forget", id=first)
    since = lines(desk, session="x")["since"]
    assert [line.partition(": ")[0] for line in since] == [
        "now open", "no more open", "now decided", "no more decided", "now checked",
        "no more checked", "now touched",
    ]  # fmt: skip
    assert since[4] == "now checked: tests green at step 1, and not since"
    assert since[6] == "now touched: A b"


def test_a_forgotten_decision_that_was_told_by_its_id(desk: Desk) -> None:
    texts = [f"decision {number}: " + "because of this " * 20 for number in range(8)]
    names = [desk.call("remember", text=text, kind="decision")["id"] for text in texts]
    todo = desk.call("remember", text="clean up", kind="todo")["id"]
    desk.call("digest", tokens=300)
    told = lines(desk)["decided"]
    by_id = [name for name in names if not any(row.startswith(f"{name[:10]} d") for row in told)]
    assert by_id
    assert by_id[0][:10] in json.dumps(told)
    desk.call("forget", id=by_id[0])
    desk.call("forget", id=todo)
    since = lines(desk)["since"]
    assert since[0] == f"no more decided: {by_id[0][:10]}"
    assert [line.partition(": ")[0] for line in since] == ["no more decided", "no more next"]


def test_conflicts_and_what_is_left_to_decide(desk: Desk) -> None:
    desk.begin("x")
    desk.apply(replace("src/m.py", "return x", "return 1"))
    desk.lab.commit({"src/m.py": "def first(x):\n    return 2\n"}, "meanwhile")
    sections = lines(desk, "digest", session="x")
    assert any("refused: conflict" in line for line in sections["open"])
    desk.call("rebase", session="x")
    sections = lines(desk, "digest", session="x")
    assert "x: src/m.py is to be decided (slip resolve)" in sections["open"]
    # What was kept before a rebase is the session's, too.
    assert desk.call("resume", session="x")["written"] is not None
    assert len(stored(desk)) == 2


def test_without_a_session_it_is_the_branchs(desk: Desk, ground: object) -> None:
    assert desk.lab.slip("resume").text == "# nothing is open, decided or planned here\n"
    desk.call("remember", text="of main", kind="decision")
    desk.call("digest")
    desk.lab.git("checkout", "--quiet", "-b", "side")
    assert "written" not in desk.call("resume")
    desk.lab.commit({"b": "b\n"}, "side")
    desk.call("remember", text="of side", kind="decision")
    desk.call("digest")
    desk.lab.git("checkout", "--quiet", "main")
    desk.lab.commit({"c": "c\n"}, "main")
    desk.lab.write("docs/a.md", "changed\n")
    found = lines(desk)
    assert [line.split(": ", 1)[1] for line in found["decided"]] == ['"of main"']
    assert found["since"] == ["now touched: M docs/a.md"]
    assert len(stored(desk)) == 2


def test_on_a_branch_whose_name_is_not_utf8(desk: Desk) -> None:
    desk.lab.git(b"checkout", b"--quiet", b"-b", b"caf\xe9")
    desk.call("remember", text="use tabs", kind="decision")
    desk.call("digest")
    assert lines(desk)["since"] == []
    assert [row["digest"] for row in stored(desk)] == [r'head "refs/heads/caf\351"']


def test_a_digest_is_not_carried_into_history(desk: Desk) -> None:
    desk.begin("x")
    desk.apply(write("a", "1\n"))
    desk.call("remember", text="kept", kind="decision", session="x")
    desk.call("digest", session="x")
    landed = desk.commit("land", session="x")["commit"]
    note = desk.lab.git("notes", "--ref", "slip/memory", "show", landed)
    assert [json.loads(line)["text"] for line in note.splitlines()] == ["kept"]


def test_a_hostile_title_and_path(desk: Desk) -> None:
    """What was there before anybody looked for credentials is not told again."""
    token = "ghp_016C7M5dYzFq1aB2cD3eF4gH5iJ6kL7mN8oP"
    desk.lab.commit({token: "1\n"}, "a name")
    desk.lab.write(token, "2\n")
    desk.begin("x", title="\x1b[31m of \u202e somebody")
    desk.lab.slip("digest")
    reply = desk.lab.slip("resume")
    assert "M [secret:github-token]" in reply.text
    assert token not in reply.text
    assert not {"\x1b", "\u202e"} & set(reply.text)
    assert token not in json.dumps(stored(desk))


@pytest.mark.parametrize("tokens", [-1, 1, 59])
def test_a_budget_that_nothing_fits_in(desk: Desk, tokens: int) -> None:
    desk.refused("usage", "digest", tokens=tokens)
    desk.refused("usage", "resume", tokens=tokens)


def test_on_no_commit(unborn_repo: Lab) -> None:
    desk = Desk(unborn_repo, "git")
    desk.refused("missing", "digest")
    assert desk.call("resume")["sections"] == {}


ROWS = st.lists(
    st.builds(
        Row, text=st.text(min_size=1, max_size=200),
        id=st.just("") | st.text("0123456789abcdef", min_size=16, max_size=16),
    ),
    max_size=40,
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(digesting._SHOWN, ROWS)), st.integers(60, 900))
def test_sections_fit_whatever_they_hold(found: dict[str, list[Row]], tokens: int) -> None:
    rows = {title: digesting._clean(lines) for title, lines in found.items()}
    chosen = digesting._within(rows, tokens)
    told = {title: list(lines) for title, lines in chosen.items() if lines}
    text = "\n".join(factrow.digested(Digested(told, 0))) + "\n"
    assert len(text.encode("utf-8", "replace")) <= max(tokens * 3.6, 51)


STEPS = st.lists(
    st.tuples(st.sampled_from(["decide", "forget", "digest", "land", "rebase"]), st.integers(0, 9)),
    min_size=4, max_size=14,
)  # fmt: skip


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_compaction_after_compaction_loses_no_decision(ground: Ground, steps: Free) -> None:
    """Each decision that stands is told, in words or by its id, by the next resume; within budget,
    and with one digest kept, however many were written.
    """
    lab = ground.repository(f"repo{len(ground.labs)}")
    desk = Desk(lab, "libgit2")
    desk.begin("x")
    standing: dict[str, str] = {}
    for count, (what, number) in enumerate(steps):
        if what == "decide":
            text = f"decision {count}: " + "because of it " * (number * 3)
            told = desk.call("remember", text=text, kind="decision", session="x", no_sync=True)
            standing[told["id"]] = text
        elif what == "forget" and standing:
            name = sorted(standing)[number % len(standing)]
            desk.call("forget", id=name, no_sync=True)
            del standing[name]
        elif what == "digest":
            desk.call("digest", session="x", tokens=300, no_sync=True)
        elif what == "land":
            desk.apply(write(f"f{count}", "1\n"), session="x")
            desk.commit("land", session="x", keep=True, no_sync=True)
        elif what == "rebase":
            desk.call("rebase", session="x")
        answer = desk.call("resume", session="x", tokens=600)
        text = json.dumps([answer["sections"], answer.get("since")])
        assert answer["tokens"] <= 600
        assert all(name[:10] in text for name in standing), (standing, text)
        assert text.count("because of it") <= 400
        assert len(stored(desk)) <= 1 + sum(step[0] == "rebase" for step in steps)
