"""What a reviewer is told: of a session, of what has landed; checked and not checked."""

from __future__ import annotations

import json

from slipstream_git.text.markdown import JOINER
from tests.desk import Desk, Json, replace, write

GATES = """\
[gate.tests]
run = "test ! -e broken || { echo it broke; exit 1; }"
[gate.docs]
run = "true"
paths = ["docs/**"]
"""


BUILTIN = dict.fromkeys(("conflict-markers", "secrets", "oversize", "syntax"), "green")


def verdicts(told: Json) -> dict[str, str]:
    return {row["name"]: row["status"] for row in told["gates"]}


def gated(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": GATES})
    desk.begin("fix", title="Fix @all of it", agent="bot")
    desk.apply(replace("src/app.py", "1", "2"), write("odd|`name", "x\n"), group="part")


def test_a_session_before_and_after_it_was_checked(desk: Desk) -> None:
    gated(desk)
    told = desk.call("show", session="fix", markdown=True)
    assert told["title"] == "Fix @all of it"
    assert (told["session"], told["agent"], told["steps"]) == ("fix", "bot", 1)
    assert told["labels"] == ["part"]
    assert [row["path"] for row in told["changes"]] == ["odd|`name", "src/app.py"]
    assert told["unchecked"] == ["Gate tests has said nothing of this tree"]
    assert verdicts(told) == BUILTIN | {"docs": "skipped"}
    text = told["markdown"]
    assert f"## Fix @{JOINER}all of it\n" in text
    assert "| A | ``odd\\|`name`` | 1 | 0 |" in text
    assert "### Not checked\n\n- Gate tests has said nothing of this tree" in text
    desk.call("check", session="fix")
    told = desk.call("show", session="fix", markdown=True)
    assert told["unchecked"] == []
    assert verdicts(told) == BUILTIN | {"tests": "green", "docs": "skipped"}
    assert "Not checked" not in told["markdown"]


def test_a_red_gate_is_told_with_what_it_printed(desk: Desk) -> None:
    gated(desk)
    desk.apply(write("broken", "x\n"))
    desk.refused("gate-failed", "check", session="fix")
    told = desk.call("show", session="fix", markdown=True)["markdown"]
    assert "| `tests` | **red**" in told
    assert "```text\nit broke\n```" in told


def test_a_session_that_would_not_land(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit({"src/app.py": "other\n"})
    told = desk.call("show", session="fix", markdown=True)
    assert told["unchecked"][0].startswith("It would not land now: conflict: ")


def test_what_has_landed(desk: Desk) -> None:
    gated(desk)
    first = desk.commit("Say why\n\nBecause.")["commit"]
    told = desk.call("show", rev="HEAD", markdown=True)
    assert (told["title"], told["message"]) == ("Say why", "Because.")
    assert (told["session"], told["agent"], told["head"]) == ("fix", "bot", first)
    assert verdicts(told) == BUILTIN | {"tests": "green", "docs": "skipped"}
    desk.begin("more")
    desk.apply(write("new", "x\n"))
    second = desk.commit("Add new", check=False)["commit"]
    told = desk.call("show", rev="HEAD~2..HEAD", markdown=True)
    assert [row["commit"] for row in told["commits"]] == [first, second]
    assert told["title"] == "2 commits"
    assert told["unchecked"] == [
        "Gate tests has said nothing of this tree", f"Landed with --no-check: {second[:10]}"
    ]  # fmt: skip
    assert told["base"] == desk.lab.oid("HEAD~2")
    assert f"1. `{first[:10]}` Say why" in told["markdown"]


def test_commits_that_slip_did_not_make(desk: Desk) -> None:
    told = desk.call("show", rev="HEAD")
    assert "session" not in told
    assert told["unchecked"] == ["The branch defines no gates (.slip.toml)"]
    assert [row["status"] for row in told["changes"]] == ["A", "A"]


def test_refusals(desk: Desk) -> None:
    desk.begin("fix")
    desk.refused("usage", "show", session="fix")
    desk.refused("usage", "show", session="fix", rev="HEAD")
    desk.refused("usage", "show", rev="HEAD..HEAD")
    fault = desk.refused("usage", "show", rev="HEAD...HEAD")
    assert fault.hint == "slip show --rev HEAD..HEAD"
    desk.refused("missing", "show", rev="nosuch")


def test_the_built_in_checks_have_their_word(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": "[builtin]\nsyntax = false\n"})
    desk.begin("fix")
    desk.apply(write("merged", "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n"))
    told = desk.call("show", session="fix", markdown=True)
    assert verdicts(told) == {
        "conflict-markers": "red", "secrets": "green", "oversize": "green",
    }  # fmt: skip
    assert told["unchecked"][-2:] == [
        "syntax: switched off", "The branch defines no gates (.slip.toml)"
    ]  # fmt: skip


def test_what_another_definition_said_is_no_verdict_of_this_one(desk: Desk) -> None:
    gated(desk)
    desk.call("check", session="fix")
    tree = desk.call("show", session="fix", markdown=True)["tree"]
    note = desk.lab.git("notes", "--ref=slip/gates", "show", tree)
    key = json.loads(note)["key"]
    desk.lab.git("notes", "--ref=slip/gates", "add", "-f", "-m", note.replace(key, "0" * 40), tree)
    told = desk.call("show", session="fix", markdown=True)
    assert "tests" not in verdicts(told)
    assert told["unchecked"] == [
        "Gate tests was green here by another definition or in other surroundings"
    ]


def test_how_conflicts_were_decided_is_told(desk: Desk) -> None:
    gated(desk)
    desk.lab.commit({"src/app.py": desk.lab.read("src/app.py").replace(b"1", b"3")}, "theirs")
    desk.call("rebase", session="fix")
    desk.call("resolve", session="fix", path="src/app.py", theirs=True)
    told = desk.call("show", session="fix", markdown=True)
    assert told["decided"] == [{"path": "src/app.py", "sides": ["theirs"]}]
    said = "### Conflicts with others' work\n\n- `src/app.py` was decided: what the session made"
    assert said in told["markdown"]
