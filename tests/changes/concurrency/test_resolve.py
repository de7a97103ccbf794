"""What a rebase left open, decided a path or a hunk at a time."""

from __future__ import annotations

import json
import threading

import pytest

from tests.changes.concurrency.meeting import LINES, changed, kinds, meet, rebase, resolve, tip
from tests.desk import Desk, Json, delete, replace, write

OURS = changed(3, "ours 3", changed(15, "ours 15", changed(25, "ours 25")))
THEIRS = changed(3, "theirs 3", changed(15, "theirs 15", changed(9, "theirs 9")))
MERGED = changed(9, "theirs 9", OURS)


@pytest.fixture
def met(desk: Desk) -> Desk:
    """A session with two hunks left in `f`."""
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    rebase(desk)
    assert text(desk) == MERGED
    return desk


def text(desk: Desk, path: str = "f") -> str:
    return desk.lab.tree(tip(desk))[path].decode()


def left(reply: Json) -> list[int]:
    return [hunk["hunk"] for row in reply["conflicts"] for hunk in row["hunks"]]


def journal(desk: Desk) -> list[Json]:
    lines = desk.lab.message(tip(desk)).split("\n")
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_hunk_at_a_time(met: Desk) -> None:
    reply = resolve(met, "f", "theirs", hunk=2)
    assert (reply["resolved"], left(reply), reply["unresolved"]) == (False, [1], 1)
    assert text(met) == MERGED.replace("ours 15", "theirs 15")
    assert journal(met) == [{"op": "resolve", "path": "f", "hunk": 2, "of": 2, "take": "theirs"}]
    assert met.commit_refused("conflict", session="w").hint == "slip resolve -s w --theirs f"
    reply = resolve(met, "f", "both", hunk=1)
    assert (reply["resolved"], left(reply), reply["unresolved"]) == (True, [], 0)
    expected = MERGED.replace("ours 15", "theirs 15").replace("ours 3", "ours 3\ntheirs 3")
    assert text(met) == expected
    met.commit("land", session="w")
    assert met.lab.tree("main")["f"].decode() == expected


def test_what_is_left_of_a_path_is_decided_together(met: Desk) -> None:
    resolve(met, "f", "base", hunk=1)
    assert resolve(met, "f", "theirs")["resolved"]
    assert text(met) == MERGED.replace("ours 3", "line 3").replace("ours 15", "theirs 15")


def test_a_hunk_is_decided_anew(met: Desk) -> None:
    resolve(met, "f", "theirs", hunk=1)
    resolve(met, "f", "both", hunk=1)
    assert text(met) == MERGED.replace("ours 3", "ours 3\ntheirs 3")
    assert left(resolve(met, "f")) == [2]


def test_a_text_of_one_s_own(met: Desk) -> None:
    resolve(met, "f", hunk=1, content=b"mine")
    assert text(met) == MERGED.replace("ours 3", "mine")
    assert journal(met)[0] == {
        "op": "resolve", "path": "f", "hunk": 1, "of": 2, "take": "content", "text": "mine"
    }  # fmt: skip
    resolve(met, "f", hunk=2, content=b"")
    assert text(met) == MERGED.replace("ours 3", "mine").replace("ours 15\n", "")


def test_every_way_to_ask_wrongly_has_a_command_that_leads_on(desk: Desk) -> None:
    meet(
        desk,
        {"b": b"\0a", "gone": "1\n", "t": "1\n"},
        {"b": b"\0b", "gone": None, "t": "2\n"},
        {"b": b"\0c", "gone": "3\n", "t": "3\n"},
    )
    rebase(desk)
    for code, path, values, hint in (
        ("usage", "t", {"hunk": 1}, "slip resolve -s w --hunk 1 --theirs t"),
        ("usage", "t", {"ours": True, "both": True}, "slip resolve -s w --theirs t"),
        ("unsupported", "b", {"both": True}, "slip resolve -s w --theirs b"),
        ("unsupported", "gone", {"both": True}, "slip resolve -s w --theirs gone"),
        ("missing", "gone", {"ours": True, "hunk": 1}, "slip resolve -s w --ours gone"),
    ):
        assert desk.refused(code, "resolve", path=path, session="w", **values).hint == hint
    # What is listed of one path ends with a command for that path.
    assert resolve(desk, "t")["hint"] == "slip resolve -s w --theirs t"
    assert resolve(desk, None)["hint"] == "slip resolve -s w --theirs b"
    assert resolve(desk, "gone", "theirs")["resolved"]


def test_who_did_what_is_told_where_it_is_decided(desk: Desk) -> None:
    repo = desk.lab
    meet(desk, {"f": "1\n"}, {"f": None}, {"f": "2\n"})
    deed = f"    the branch: deleted f ({repo.oid('main')[:10]})\n    the session: "
    for words in (("rebase",), ("status",), ("resolve",)):
        assert f"f: modify-delete\n{deed}" in repo.slip(*words, "-s", "w").text, words


def test_a_whole_file_of_one_s_own(met: Desk) -> None:
    assert resolve(met, "f", content=b"all mine\n")["resolved"]
    assert text(met) == "all mine\n"


CANDIDATE = changed(9, "theirs 9", changed(3, "ours 3", changed(4, "theirs 4")))


@pytest.fixture
def beside(desk: Desk) -> Desk:
    """Two lines side by side: they collide for git, and the session's op still finds its own."""
    desk.lab.commit({"f": LINES})
    desk.begin("w")
    desk.apply(
        replace("f", "line 4\n", "theirs 4\n"), replace("f", "line 9", "theirs 9"), session="w"
    )
    desk.lab.commit({"f": changed(3, "ours 3")})
    rebase(desk)
    return desk


def test_the_candidate(beside: Desk) -> None:
    row = resolve(beside, "f")["conflicts"][0]
    assert row["candidate"]["text"] == CANDIDATE
    beside.apply(replace("f", "line 20", "edited"), session="w")
    assert resolve(beside, "f", "candidate")["resolved"]
    assert text(beside) == CANDIDATE.replace("line 20", "edited")
    assert journal(beside)[0]["take"] == "candidate"
    beside.call("undo", session="w")
    assert beside.call("status", session="w")["unresolved"] == 1


def test_there_is_not_always_a_candidate(desk: Desk) -> None:
    meet(desk, {"f": b"\0a"}, {"f": b"\0b"}, {"f": b"\0c"})
    rebase(desk)
    fault = desk.refused("missing", "resolve", path="f", session="w", candidate=True)
    assert fault.hint == "slip resolve -s w f"


def test_the_file_as_it_is(met: Desk) -> None:
    met.apply(replace("f", "ours 3", "by hand"), session="w")
    assert resolve(met, "f", "as_is")["resolved"]
    assert text(met) == MERGED.replace("ours 3", "by hand")
    assert journal(met)[0]["take"] == "as-is"


def test_edits_made_meanwhile_stay(met: Desk) -> None:
    met.apply(replace("f", "line 20", "edited"), session="w")
    resolve(met, "f", "theirs", hunk=1)
    assert text(met) == MERGED.replace("line 20", "edited").replace("ours 3", "theirs 3")
    resolve(met, "f", "theirs")
    assert "edited" in text(met)
    assert "theirs 15" in text(met)


def test_an_edit_of_the_hunk_itself_is_not_lost(met: Desk) -> None:
    met.apply(replace("f", "ours 3", "by hand"), session="w")
    before = tip(met)
    fault = met.refused("conflict", "resolve", path="f", session="w", theirs=True)
    assert fault.hint == "slip resolve -s w --as-is f"
    assert tip(met) == before
    # The other hunk has nothing to do with it.
    resolve(met, "f", "theirs", hunk=2)
    assert "by hand" in text(met)


def test_a_file_that_the_session_deleted_meanwhile(met: Desk) -> None:
    met.apply(delete("f"), session="w")
    met.refused("conflict", "resolve", path="f", session="w", theirs=True)
    resolve(met, "f", "as_is")
    assert "f" not in met.lab.tree(tip(met))
    met.commit("land", session="w")


def test_decisions_are_undone_in_any_order(met: Desk) -> None:
    resolve(met, "f", "theirs", hunk=1)
    resolve(met, "f", "theirs", hunk=2)
    met.call("undo", step="2", session="w")
    assert text(met) == MERGED.replace("ours 15", "theirs 15")
    assert left(resolve(met, "f")) == [1]
    assert met.call("status", session="w")["unresolved"] == 1
    met.call("redo", session="w")
    assert "unresolved" not in met.call("status", session="w")
    met.call("undo", session="w")
    met.call("undo", session="w")
    assert (text(met), left(resolve(met, "f"))) == (MERGED, [1, 2])


def test_undo_says_that_a_conflict_is_back(met: Desk) -> None:
    resolve(met, "f", "theirs")
    told = met.call("undo", session="w")
    assert (told["undecided"], told["unresolved"]) == (["f"], 1)
    assert told["hint"] == "slip resolve -s w --theirs f"
    told = met.call("redo", session="w")
    assert (told["unresolved"], "undecided" in told, "hint" in told) == (0, False, False)
    said = met.lab.slip("undo", "-s", "w").text
    assert "to be decided again before it can land: f\ntry: slip resolve" in said
    assert met.lab.slip("redo", "-s", "w").text.endswith("left to decide: 0 paths\n")
    met.apply(write("more", "more\n"), session="w")
    assert "unresolved" not in met.call("undo", session="w")


def test_other_steps_carry_what_is_left(met: Desk) -> None:
    met.apply(write("more", "more\n"), session="w")
    met.lab.write("README.md", "edited\n")
    met.call("capture", session="w")
    met.call("undo", session="w")
    assert met.call("status", session="w")["unresolved"] == 1
    assert met.call("list")["sessions"][0]["unresolved"] == 1
    assert "Slip-Unresolved: 1" in met.lab.message(tip(met))
    resolve(met, "f", "ours")
    assert "Slip-Unresolved" not in met.lab.message(tip(met))
    met.call("undo", session="w")
    assert "Slip-Unresolved: 1" in met.lab.message(tip(met))


def test_a_closed_session_keeps_what_is_left(met: Desk) -> None:
    met.call("abort", session="w")
    met.call("reopen", name="w")
    assert left(resolve(met, None)) == [1, 2]


def test_it_is_told_wherever_the_file_is_shown(met: Desk) -> None:
    resolve(met, "f", "theirs", hunk=1)
    read = met.call("read", paths=("f:1-2", "README.md"), session="w")["files"]
    assert [hunk["hunk"] for hunk in read[0]["conflict"]["hunks"]] == [2]
    assert {"base_oid", "ours_oid", "theirs_oid"} <= read[0]["conflict"].keys()
    assert "conflict" not in read[1]
    assert left(met.call("diff", session="w")) == [2]
    shown = met.lab.slip("diff", "-s", "w").text
    assert shown.startswith("# f is to be decided (content)")
    # What is printed can be applied all the same.
    met.begin("x")
    met.lab.slip("apply", "-s", "x", "-", stdin=shown.encode())
    assert met.lab.oid("refs/slip/sessions/x^{tree}") == met.lab.oid(f"{tip(met)}^{{tree}}")
    status = met.lab.slip("status", "-s", "w").text
    assert "to be decided: 1 path" in status
    assert "hunk 2" in status
    assert "hunk 1\n" not in status
    assert "1 to be decided" in met.lab.slip("list").text
    by = met.call("status", session="w")["conflicts"][0]["by"]
    assert [row["subject"] for row in by] == ["ours"]


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("missing", {"path": "README.md", "theirs": True}),
        ("missing", {"path": "f", "theirs": True, "hunk": 3}),
        ("missing", {"path": "f", "theirs": True, "hunk": 0}),
        ("usage", {"path": "f", "theirs": True, "ours": True}),
        ("usage", {"path": "f", "theirs": True, "content": b""}),
        ("usage", {"path": "f", "hunk": 1}),
        ("usage", {"path": "f", "as_is": True, "hunk": 1}),
        ("usage", {"path": "f", "candidate": True, "hunk": 1}),
        ("usage", {"path": None, "theirs": True}),
    ],
)
def test_refusals(met: Desk, code: str, values: Json) -> None:
    before = met.lab.refs()
    met.refused(code, "resolve", session="w", **values)
    assert met.lab.refs() == before


def test_hunks_and_both_are_for_texts(desk: Desk) -> None:
    meet(desk, {"f": b"\0a"}, {"f": b"\0b"}, {"f": b"\0c"})
    rebase(desk)
    desk.refused("unsupported", "resolve", path="f", session="w", both=True)
    desk.refused("missing", "resolve", path="f", session="w", theirs=True, hunk=1)


def test_nothing_is_left(desk: Desk) -> None:
    desk.begin("w")
    assert resolve(desk, None)["conflicts"] == []
    desk.refused("missing", "resolve", path="f", session="w", ours=True)
    assert "nothing is left" in desk.lab.slip("resolve", "-s", "w").text


def test_a_path_outside_the_session_s_scope(desk: Desk) -> None:
    """The branch moved the file out of what the session may touch: it may only leave it there."""
    desk.lab.commit({"in/f": LINES})
    desk.begin("w", allow=("in/**",))
    desk.apply(write("in/f", THEIRS), session="w")
    desk.lab.commit({"in/f": None, "out/f": OURS})
    assert kinds(rebase(desk)) == {"out/f": "content"}
    desk.refused("path-denied", "resolve", path="out/f", session="w", content=b"x")
    before = tip(desk)
    desk.apply_refused("path-denied", write("out/f", "x"), session="w")
    assert tip(desk) == before


@pytest.mark.parametrize(
    ("sides", "hunk", "expected"),
    [
        # The text gets the line ends of the file, and of its last line.
        (("a\r\nb\r\n", "a\r\no\r\n", "a\r\nt\r\n"), b"1\n2\n", b"a\r\n1\r\n2\r\n"),
        (("a\nb\n", "a\no\n", "a\nt\n"), b"1\n2\n", b"a\n1\n2\n"),
        (("b\na\n", "o\na\n", "t\na\n"), b"1", b"1\na\n"),
        (("a\nb", "a\no", "a\nt"), b"1", b"a\n1"),
        (("b\r\na", "o\r\na", "t\r\na"), b"1", b"1\r\na"),
    ],
)
def test_line_ends(desk: Desk, sides: tuple[str, str, str], hunk: bytes, expected: bytes) -> None:
    base, ours, theirs = (text.encode() for text in sides)
    meet(desk, {"f": base}, {"f": ours}, {"f": theirs})
    rebase(desk)
    resolve(desk, "f", hunk=1, content=hunk)
    assert desk.lab.tree(tip(desk))["f"] == expected


def test_two_hunks_decided_at_once(met: Desk) -> None:
    statuses: list[int] = []

    def run(number: str) -> None:
        words = ("resolve", "-s", "w", "f", "--hunk", number, "--theirs")
        statuses.append(met.lab.slip(*words, expect=None).status)

    threads = [threading.Thread(target=run, args=(number,)) for number in ("1", "2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [0, 0]
    assert text(met) == changed(25, "ours 25", THEIRS)
    assert met.call("status", session="w")["conflicts"] == []


def test_as_a_person_does_it(met: Desk) -> None:
    slip = met.lab.slip
    assert "hunk 2" in slip("resolve", "-s", "w").text
    assert "hunk 2" in slip("resolve", "-s", "w", "f").text
    slip("resolve", "-s", "w", "f", "--hunk", "1", "--content", "-", stdin=b"typed\n")
    out = slip("resolve", "f", "--theirs", "-s", "w").text
    assert "f is resolved" in out
    assert "nothing is left to decide in w" in out
    slip("commit", "-s", "w", "-m", "land")
    assert "typed\n" in met.lab.tree("main")["f"].decode()
