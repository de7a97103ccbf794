"""Facts: what one claim is, where it counts, when it is stale, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipstream_git import factlines
from tests.desk import NOW, Desk, Free, write
from tests.lab import Lab
from tests.memory.conftest import SOURCE

REF = factlines.REF


def texts(desk: Desk, **values: Free) -> set[str]:
    return {row["text"] for row in desk.call("facts", **values)["facts"]}


def row(desk: Desk, text: str, **values: Free) -> dict[str, Any]:
    everything: list[dict[str, Any]] = desk.call("facts", **values)["facts"]
    rows = [row for row in everything if row["text"] == text]
    assert len(rows) == 1, rows
    return rows[0]


def on(desk: Desk, rev: str) -> set[str]:
    """The texts in the note on a commit, as plain git reads it."""
    note = desk.lab.git("notes", "--ref", "slip/memory", "show", desk.lab.oid(rev), expect=None)
    return {json.loads(line)["text"] for line in note.splitlines() if '"fact"' in line}


def test_a_fact_is_a_line_of_json_on_its_commit(desk: Desk) -> None:
    told = desk.call(
        "remember", text="first stays pure", about="src/m.py#first", kind="decision", tag=("b", "a")
    )
    head = desk.lab.oid("HEAD")
    assert (told["commit"], told["about"]) == (head, "src/m.py#first")
    note = desk.lab.git("notes", "--ref", "slip/memory", "show", head)
    assert json.loads(note) == {
        "fact": told["id"], "kind": "decision", "text": "first stays pure",
        "about": {
            "path": "src/m.py", "symbol": "first", "oid": desk.lab.oid("HEAD:src/m.py"),
            "digest": json.loads(note)["about"]["digest"], "start": 1, "end": 2,
        },
        "tags": ["a", "b"], "time": NOW,
    }  # fmt: skip
    assert row(desk, "first stays pure")["stale"] is False


def test_stale_is_what_changed_and_nothing_else(desk: Desk) -> None:
    for text, about in {
        "of a symbol": "src/m.py#first",
        "of another": "src/m.py#second",
        "of the file": "src/m.py",
        "of a directory": "src",
        "of another file": "docs/a.md",
        "of a commit": "HEAD",
    }.items():
        desk.call("remember", text=text, about=about)
    assert not any(row["stale"] for row in desk.call("facts")["facts"])
    # Lines come in above, and another function changes.
    changed = "import os\n\n" + SOURCE.replace("first(1)", "first(2)")
    desk.begin("x")
    desk.apply(write("src/m.py", changed))

    def stale(**values: Free) -> dict[str, str]:
        rows = desk.call("facts", **values)["facts"]
        return {row["text"]: row["stale_why"] for row in rows if row["stale"]}

    assert stale() == {}
    wanted = {"of another": "changed", "of the file": "changed"}
    assert stale(session="x") == wanted
    desk.commit("change", session="x")
    assert stale() == wanted
    assert texts(desk, stale=True) == set(wanted)
    # The working tree is what is read where no session is named.
    desk.lab.write("src/m.py", SOURCE.replace("first", "primo"))
    desk.lab.write("docs/a.md", None)
    assert stale() == {
        "of a symbol": "gone", "of another": "changed", "of the file": "changed",
        "of another file": "gone",
    }  # fmt: skip
    # Who finds it true again says so, and it is one fact as before.
    desk.lab.git("checkout", "--quiet", ".")
    again = desk.call("remember", text="of the file", about="src/m.py")
    assert "known" not in again
    assert "of the file" not in stale()
    assert len(desk.call("facts")["facts"]) == 6


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ("src/none.py", "missing"), ("src/m.py#none", "missing"), ("none#none", "missing"),
        ("../../etc/passwd", "missing"), ("/etc/passwd", "missing"), ("--all", "missing"),
        ("\x1b[31m", "missing"), ("#", "missing"), ("", ""), ("src/", ""),
    ],
)  # fmt: skip
def test_what_a_fact_can_be_about(desk: Desk, about: str, code: str) -> None:
    if code:
        fault = desk.refused(code, "remember", text="t", about=about)
        assert "\x1b" not in fault.message
        assert REF not in desk.lab.refs()
    else:
        assert desk.call("remember", text="t", about=about)["about"] == (about.strip("/") or None)


@pytest.mark.parametrize(
    "about", ["src/m.py", "src", "src/m.py#first", "d#x.md", "d#x.md#C# guide"]
)
def test_about_is_found_however_it_is_spelled(desk: Desk, about: str) -> None:
    desk.lab.commit({"d#x.md": "# A\n\n# C# guide\n\ntext\n"}, "headings")
    assert desk.call("remember", text="as it is", about=about)["about"] == about
    assert desk.call("remember", text="as it is", about=f"./{about}")["known"]
    for spelled in (about, f"./{about}", f"././{about}"):
        assert texts(desk, about=spelled) == {"as it is"}


def test_a_name_that_is_several_is_refused(desk: Desk) -> None:
    desk.lab.commit(
        {"c.py": "class A:\n    def f(self): ...\n\n\nclass B:\n    def f(self): ...\n"}, "classes"
    )
    fault = desk.refused("ambiguous", "remember", text="t", about="c.py#f")
    assert "A.f" in fault.message
    assert desk.call("remember", text="t", about="c.py#B.f")["about"] == "c.py#B.f"


def test_the_same_claim_is_one_fact_and_its_id_is_the_claims(desk: Desk) -> None:
    first = desk.call("remember", text="Use  tabs.", about="src/m.py", kind="convention")
    before = desk.lab.refs()
    again = desk.call("remember", text="use tabs", about="src/m.py", kind="convention")
    assert again == {**first, "known": True}
    assert desk.lab.refs() == before
    other = desk.call("remember", text="use tabs", about="docs/a.md")
    assert other["id"] != first["id"]
    desk.call("remember", text="use tabs", about="src/m.py", kind="gotcha", tag=("t",))
    assert row(desk, "use tabs", about="src/m.py")["kind"] == "gotcha"
    assert len(desk.call("facts")["facts"]) == 2


def test_contrary_ones_stand_side_by_side(desk: Desk) -> None:
    def say(text: str, **values: Free) -> dict[str, Any]:
        return desk.call("remember", text=text, about="src/m.py", **values)

    pure = say("first must stay pure")["id"]
    impure = say("first mustn't stay pure")
    assert impure["contested"] == [pure]
    port = say("it listens on 8080")["id"]
    other = say("it listens on 9090")
    assert other["contested"] == [port]
    free = say("callers may cache it")["id"]
    said = say("its value changes between calls", against=(free[:6],))
    assert said["contested"] == [free]
    assert row(desk, "callers may cache it")["contested"] == [said["id"]]
    assert "contested" not in say("something else altogether")
    assert len(desk.call("facts")["facts"]) == 7
    desk.call("forget", id=impure["id"])
    assert "contested" not in row(desk, "first must stay pure")
    # About something else it is another matter.
    elsewhere = desk.call("remember", text="it listens on 7070", about="docs/a.md")
    assert "contested" not in elsewhere


def test_a_branch_that_is_not_merged_misleads_nobody(desk: Desk) -> None:
    lab = desk.lab
    desk.call("remember", text="of main")
    lab.git("checkout", "--quiet", "-b", "side")
    lab.commit({"b": "b\n"}, "side")
    desk.call("remember", text="of side")
    assert texts(desk) == {"of main", "of side"}
    lab.git("checkout", "--quiet", "main")
    lab.commit({"c": "c\n"}, "main goes on")
    assert texts(desk) == {"of main"}
    assert desk.call("facts")["elsewhere"] == 1
    assert texts(desk, all=True) == {"of main", "of side"}
    assert row(desk, "of side", all=True)["elsewhere"] is True
    assert texts(desk, rev="side") == {"of main", "of side"}
    lab.git("merge", "--quiet", "-m", "merge", "side")
    assert texts(desk) == {"of main", "of side"}


def test_facts_of_a_session_land_with_it(desk: Desk) -> None:
    desk.begin("x", agent="robot")
    at_begin = desk.call("remember", text="early", session="x")
    step = desk.apply(write("a", "a\n"))["commit"]
    learned = desk.call("remember", text="late", session="x")
    assert learned["commit"] == step
    assert texts(desk) == set()
    assert texts(desk, session="x") == {"early", "late"}
    assert row(desk, "late", session="x")["agent"] == "robot"
    landed = desk.commit("land")["commit"]
    assert on(desk, landed) == {"early", "late"}
    assert on(desk, step) == on(desk, at_begin["commit"]) == set()
    assert texts(desk) == {"early", "late"}
    assert texts(desk, rev="HEAD~") == set()


def test_they_move_in_the_transaction_of_the_landing_or_not_at_all(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": '[gate.no]\nrun = "false"\n'}, "gate")
    desk.begin("x")
    desk.apply(write("a", "a\n"))
    desk.call("remember", text="learned", session="x")
    before = desk.lab.refs()
    desk.commit_refused("gate-failed")
    after = desk.lab.refs()
    assert after[REF] == before[REF]
    desk.commit("land", check=False)
    assert on(desk, "HEAD") == {"learned"}


def test_they_go_with_what_is_dropped_and_come_back_with_it(desk: Desk) -> None:
    desk.begin("x")
    desk.apply(write("a", "a\n"))
    desk.call("remember", text="learned", session="x")
    desk.call("abort", session="x")
    assert texts(desk) == set()
    desk.call("reopen", name="x")
    assert texts(desk, session="x") == {"learned"}
    desk.commit("land")
    # Opened once more, it stands beside what it landed as, and knows what it knew.
    desk.call("reopen", name="x")
    assert texts(desk, session="x") == texts(desk) == {"learned"}
    desk.call("remember", text="on the mark", session="x")
    desk.apply(write("b", "b\n"), session="x")
    desk.commit("land again", session="x")
    assert texts(desk) == {"learned", "on the mark"}


def test_a_rebase_and_a_split_lose_nothing(desk: Desk) -> None:
    desk.begin("x")
    desk.apply(write("a", "a\n"))
    desk.call("remember", text="before", session="x")
    desk.lab.commit({"c": "c\n"}, "meanwhile")
    desk.call("rebase", session="x")
    desk.call("remember", text="between", session="x")
    desk.apply(write("d/b", "b\n"), session="x")
    desk.call("split", session="x", by="path")
    desk.call("gc", expire="now")
    assert texts(desk, session="x") == {"before", "between"}
    desk.commit("land", session="x")
    assert on(desk, "HEAD") == {"before", "between"}


def test_series_stack_and_kept_sessions(desk: Desk) -> None:
    desk.begin("x")
    for name in ("a", "b"):
        desk.apply(write(name, "1\n"), group=name)
        desk.call("remember", text=f"of {name}", session="x")
    desk.call("commit", session="x", series=True)
    assert on(desk, "HEAD") == {"of a", "of b"}
    for name in ("p", "q"):
        desk.begin(name)
        desk.apply(write(name, "1\n"), session=name)
        desk.call("remember", text=f"of {name}", session=name)
    desk.call("land", all=True, atomic=True, message=("both",))
    assert (on(desk, "HEAD~"), on(desk, "HEAD")) == ({"of p"}, {"of q"})
    desk.begin("k")
    desk.apply(write("k", "1\n"), session="k")
    desk.call("remember", text="of k", session="k")
    desk.commit("land", session="k", keep=True)
    assert texts(desk, session="k") >= {"of k"}
    assert on(desk, "HEAD") == {"of k"}


def test_what_was_squashed_elsewhere_brings_its_facts(desk: Desk) -> None:
    desk.begin("x")
    desk.apply(write("a", "a\n"))
    desk.call("remember", text="learned", session="x")
    squashed = desk.lab.commit({"a": "a\n"}, "squashed by the forge")
    desk.lab.commit({"b": "b\n"}, "on")
    assert desk.commit("land")["commit"] == squashed
    assert on(desk, squashed) == {"learned"}


def test_an_author_and_a_date_alone_make_no_other_commit(desk: Desk) -> None:
    """One moment of one author is in many histories, as where dates are set by a script."""
    lab = desk.lab
    lab.git("checkout", "--quiet", "-b", "tried")
    lab.commit({"a": "a\n"}, "tried")
    desk.call("remember", text="of what was given up")
    same = {"GIT_AUTHOR_DATE": lab.git("log", "-1", "--format=%aI")}
    lab.git("checkout", "--quiet", "main")
    lab.git("branch", "--quiet", "-D", "tried")
    lab.git("commit", "--quiet", "--allow-empty", "-m", "something else", env=same)
    assert texts(desk) == set()
    lab.git("commit", "--quiet", "--allow-empty", "-m", "tried", env=same)
    assert texts(desk) == {"of what was given up"}


def test_an_amended_commit_keeps_its_facts(desk: Desk) -> None:
    lab = desk.lab
    lab.commit({"b": "b\n"}, "to be amended")
    desk.call("remember", text="of the amended")
    lab.git("commit", "--quiet", "--amend", "-m", "to be amended", "--allow-empty", "--date", "now")
    assert texts(desk) == set()
    lab.git("reset", "--quiet", "--hard", "HEAD@{1}")
    lab.write("b", "c\n")
    lab.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    assert texts(desk) == {"of the amended"}
    # What a branch has under the same name is another commit.
    lab.git("checkout", "--quiet", "-b", "side", "HEAD~")
    lab.commit({"b": "d\n"}, "to be amended")
    assert texts(desk, rev="main") == {"of the amended"}


def test_forgotten_everywhere_until_it_is_said_again(desk: Desk) -> None:
    told = desk.call("remember", text="wrong")
    desk.call("remember", text="right")
    assert desk.call("forget", id=told["id"][:6])["text"] == "wrong"
    assert texts(desk) == texts(desk, all=True) == {"right"}
    desk.refused("missing", "forget", id=told["id"])
    desk.call("remember", text="wrong")
    assert texts(desk) == {"right", "wrong"}


@pytest.mark.parametrize(
    "name", ["", "zz", "../../README", "--all", "\u00e9", "\x1b[2J", "a" * 5000, "0", "HEAD"]
)
def test_an_id_that_names_nothing(desk: Desk, name: str) -> None:
    desk.call("remember", text="stays")
    before = desk.lab.refs()
    for operation in ("forget", "purge"):
        fault = desk.refused("missing", operation, id=name)
        assert "\x1b" not in fault.message
        assert len(fault.message) < 200
    assert desk.lab.refs() == before
    assert texts(desk) == {"stays"}


def test_a_beginning_that_several_have(desk: Desk) -> None:
    ids = [desk.call("remember", text=f"fact {n}")["id"] for n in range(40)]
    fours = [name[:4] for name in ids]
    unique = next(name for name in ids if fours.count(name[:4]) == 1)
    assert desk.call("forget", id=unique[:4])["id"] == unique
    desk.refused("missing", "forget", id=ids[0][:3])


def test_purged_text_is_nowhere(desk: Desk) -> None:
    lab = desk.lab
    lab.git("config", "core.logAllRefUpdates", "always")
    lab.git("remote", "add", "origin", "../elsewhere")
    told = desk.call("remember", text="hunter2 is the passphrase of the staging machine")
    desk.call("remember", text="stays")
    desk.call("forget", id=told["id"])
    answer = desk.call("purge", id=told["id"])
    assert answer["lines"] == 2
    assert "text" not in answer
    assert any("push --force origin" in line for line in answer["advice"])
    assert texts(desk, all=True) == {"stays"}
    assert lab.git("rev-list", "--count", REF) == "1"
    lab.git("gc", "--quiet", "--prune=now")
    everything = lab.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert not any(b"hunter2" in lab.git_bytes("cat-file", "-p", oid) for oid in everything)
    events = b"".join(path.read_bytes() for path in (lab.common_dir / "slip").rglob("*.jsonl"))
    assert b"hunter2" not in events
    assert b"stays" not in events
    desk.refused("secret", "remember", text="hunter2 is the passphrase of the staging machine")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "usage"), (" \n", "usage"), ("a" * 8193, "too-large"), ("\ud800", "encoding"),
        ("key is ghp_016C7M5dYzFq1aB2cD3eF4gH5iJ6kL7mN8oP", "secret"),
        ("\u65e5\u672c\u8a9e\u306e\u4e8b", ""), ("\u0627\u0644\u0639\u0631\u0628", ""),
        ("a" * 8192, ""), ("two\nlines", ""), ('{"fact":"x"}', ""), ("nul \0 and \x1b[31m", ""),
    ],
)  # fmt: skip
def test_any_text_is_kept_as_it_is_or_refused(desk: Desk, text: str, code: str) -> None:
    if code:
        fault = desk.refused(code, "remember", text=text)
        assert "ghp_" not in fault.message
        assert REF not in desk.lab.refs()
    else:
        desk.call("remember", text=text)
        assert texts(desk) == {text}


def test_a_secret_in_a_tag_or_an_agents_name(desk: Desk) -> None:
    token = "ghp_016C7M5dYzFq1aB2cD3eF4gH5iJ6kL7mN8oP"
    desk.refused("secret", "remember", text="t", tag=(token,))
    desk.refused("secret", "remember", text="t", agent=token)
    desk.refused("usage", "remember", text="t", kind="rumour")
    desk.refused("usage", "remember", text="t", tag=("a" * 65,))


def test_without_a_commit(unborn_repo: Lab) -> None:
    desk = Desk(unborn_repo, "git")
    desk.refused("missing", "remember", text="t")
    assert desk.call("facts")["facts"] == []
    desk.begin("x", onto="main")
    desk.call("remember", text="t", session="x")
    desk.apply(write("a", "a\n"))
    desk.commit("first")
    assert texts(desk) == {"t"}


def test_filters_and_their_order(desk: Desk) -> None:
    desk.call("remember", text="c", kind="todo", about="src/m.py#first", tag=("now",))
    desk.call("remember", text="b", kind="decision", about="src/m.py")
    desk.call("remember", text="a", about="docs/a.md")
    assert [one["text"] for one in desk.call("facts")["facts"]] == ["b", "c", "a"]
    assert texts(desk, about="src") == texts(desk, about="src/m.py") == {"b", "c"}
    assert texts(desk, about="src/m.py#first") == texts(desk, tag=("now",)) == {"c"}
    assert texts(desk, kind=("fact", "todo")) == {"a", "c"}


def test_a_page_is_the_same_every_time_and_safe(desk: Desk) -> None:
    hostile = "# heading\n<script>x</script> [a](b) @someone fixes #1 \x1b[31m\u202e"
    desk.call("remember", text=hostile, kind="gotcha")
    desk.call("remember", text="plain", kind="decision", about="src/m.py")
    page = desk.lab.slip("facts", "--markdown").text
    assert page == desk.lab.slip("facts", "--markdown").text
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# What is remembered", "## Decisions", "## Gotchas",
    ]  # fmt: skip
    listed = desk.lab.slip("facts").text
    assert "\x1b" not in listed
    assert len(listed.splitlines()) == 2
