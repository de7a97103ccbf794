"""The same conflict is settled as it was settled before, here and where the notes were fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.changes.concurrency.meeting import (
    LINES,
    Files,
    changed,
    kinds,
    meet,
    ops,
    rebase,
    resolve,
    tip,
)
from tests.desk import Desk, Json, replace, write
from tests.lab import Content, Ground

REF = "refs/notes/slip/resolutions"
OURS, THEIRS = changed(3, "ours"), changed(3, "theirs")


def lines(desk: Desk, blob: str) -> list[dict[str, Any]]:
    note = desk.lab.git("notes", f"--ref={REF}", "show", blob)
    return [json.loads(line) for line in note.splitlines()]


def meet_twice(desk: Desk, base: Files, ours: Files, theirs: Files) -> None:
    """The session meets `main`, which `side` stays as; landed, it meets `main` no more."""
    meet(desk, base, ours, theirs)
    desk.lab.git("branch", "-q", "side")
    rebase(desk)


def again(desk: Desk, name: str = "again", theirs: Files | None = None) -> None:
    """Another session that meets the same in the same way, on the branch `side`."""
    desk.begin(name, base="side~", onto="side")
    desk.apply(*ops({"f": THEIRS} if theirs is None else theirs), session=name)


@pytest.fixture
def settled(desk: Desk) -> Desk:
    meet_twice(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    resolve(desk, "f", "both")
    desk.commit("land", session="w")
    return desk


BOTH = changed(3, "ours\ntheirs")


def test_the_note_is_as_documented(settled: Desk) -> None:
    blob = settled.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    (row,) = lines(settled, blob)
    oids = {
        name: settled.lab.git("hash-object", "--stdin", stdin=text.encode())
        for name, text in (("base", LINES), ("ours", OURS), ("theirs", THEIRS))
    }
    assert row.pop("time") == 1767323045
    assert row == {
        **{name: {"mode": "100644", "oid": oid} for name, oid in oids.items()},
        "result": {"mode": "100644", "content": BOTH},
    }


def test_the_same_three_versions_get_the_same_answer(settled: Desk) -> None:
    again(settled)
    reply = rebase(settled, "again")
    assert (reply["conflicts"], reply["remembered"]) == ([], ["f"])
    assert settled.lab.tree(tip(settled, "again"))["f"].decode() == BOTH
    rows = settled.lab.message(tip(settled, "again")).split("\n")
    row = json.loads(next(line for line in rows if '"resolve"' in line))
    assert (row["path"], row["take"]) == ("f", "remembered")
    assert "settled as before: f" in rebase_text(settled)
    settled.commit("land", session="again")
    assert settled.lab.tree("side")["f"].decode() == BOTH
    blob = settled.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    assert len(lines(settled, blob)) == 1  # and an answer that was remembered is not noted again


def rebase_text(desk: Desk) -> str:
    again(desk, "third")
    return desk.lab.slip("rebase", "-s", "third").text


def test_unless_it_is_not_wanted(settled: Desk) -> None:
    again(settled)
    assert kinds(rebase(settled, "again", no_remembered=True)) == {"f": "content"}


def test_another_version_is_another_conflict(settled: Desk) -> None:
    again(settled, theirs={"f": changed(3, "else")})
    assert kinds(rebase(settled, "again")) == {"f": "content"}


def test_what_has_not_landed_is_not_remembered(desk: Desk) -> None:
    """Until then it may be taken back, as a whole or with its session."""
    meet_twice(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    for undone, number in ((True, 1), (False, 3)):
        resolve(desk, "f", "theirs")
        if undone:
            desk.call("undo", session="w")
        desk.call("abort", session="w")
        desk.call("reopen", name=f"w@{number}")
        assert kinds(rebase(desk)) == {"f": "content"}
    assert REF not in desk.lab.refs()
    resolve(desk, "f", "theirs")
    desk.call("undo", session="w")
    resolve(desk, "f", "both")
    desk.commit("land", session="w")
    again(desk)
    assert rebase(desk, "again")["remembered"] == ["f"]
    assert desk.lab.tree(tip(desk, "again"))["f"].decode() == BOTH


def test_hunks_that_were_decided_one_by_one(desk: Desk) -> None:
    two = (changed(20, "o", OURS), changed(20, "t", THEIRS))
    meet_twice(desk, {"f": LINES}, {"f": two[0]}, {"f": two[1]})
    resolve(desk, "f", "theirs", hunk=1)
    resolve(desk, "f", "ours", hunk=2)
    desk.commit("land", session="w")
    again(desk, theirs={"f": two[1]})
    assert rebase(desk, "again")["remembered"] == ["f"]
    assert desk.lab.tree(tip(desk, "again"))["f"].decode() == changed(20, "o", THEIRS)


@pytest.mark.parametrize("collides", [False, True])
def test_through_another_rebase(desk: Desk, *, collides: bool) -> None:
    meet_twice(desk, {"f": LINES, "g": LINES}, {"f": OURS}, {"f": THEIRS, "g": THEIRS})
    resolve(desk, "f", "both")
    desk.lab.commit({"g": OURS} if collides else {"h": "h\n"})
    assert kinds(rebase(desk)) == ({"g": "content"} if collides else {})
    if collides:
        resolve(desk, "g", "theirs")
    desk.lab.commit({"i": "i\n"})
    rebase(desk)
    desk.commit("land", session="w")
    again(desk)
    assert rebase(desk, "again")["remembered"] == ["f"]


@pytest.mark.parametrize("way", ["commit", "land", "atomic", "keep"])
def test_whichever_way_it_lands(desk: Desk, way: str) -> None:
    """And two sessions that land together are both remembered."""
    more = changed(4, "more")
    desk.lab.commit({"f": LINES, "g": LINES})
    for name, path, text in (("w", "f", THEIRS), ("x", "g", more)):
        desk.begin(name)
        desk.apply(write(path, text), session=name)
    desk.lab.commit({"f": OURS, "g": changed(4, "else")})
    desk.lab.git("branch", "-q", "side")
    for name, path in (("w", "f"), ("x", "g")):
        rebase(desk, name)
        resolve(desk, path, "theirs", name)
    assert REF not in desk.lab.refs()
    if way in ("land", "atomic"):
        desk.call("land", sessions=("w", "x"), atomic=way == "atomic", message=("land",))
    else:
        for name in ("w", "x"):
            desk.commit("land", session=name, keep=way == "keep")
    again(desk, theirs={"f": THEIRS, "g": more})
    assert rebase(desk, "again")["remembered"] == ["f", "g"]
    assert desk.lab.tree(tip(desk, "again"))["g"].decode() == more


def test_a_landing_that_is_refused_or_rehearsed_notes_nothing(desk: Desk) -> None:
    meet_twice(desk, {"f": LINES, "g": "g\n"}, {"f": OURS}, {"f": THEIRS})
    resolve(desk, "f", "theirs")
    desk.commit("land", session="w", dry_run=True)
    desk.call("land", sessions=("w",), message=("land",), dry_run=True)
    desk.lab.write("f", "mine\n")
    desk.commit_refused("dirty", session="w")
    assert REF not in desk.lab.refs()


UNRELATED = ("line 20\n", "UNRELATED\n")


@pytest.mark.parametrize("take", ["theirs", "as_is", "candidate", "content"])
def test_edits_outside_the_hunks_are_not_remembered(desk: Desk, take: str) -> None:
    """Nor is a whole file that holds such edits, as nobody can tell them apart."""
    meet_twice(desk, {"f": LINES}, {"f": OURS}, {"f": changed(4, "theirs 4", LINES)})
    desk.apply(replace("f", *UNRELATED), session="w")
    whole = changed(4, "own", changed(20, "UNRELATED"))
    decision: Json = {"content": whole.encode()} if take == "content" else {}
    resolve(desk, "f", "" if take == "content" else take, **decision)
    desk.commit("land", session="w")
    again(desk, theirs={"f": changed(4, "theirs 4")})
    reply = rebase(desk, "again")
    assert reply.get("remembered") == (["f"] if take == "theirs" else None)
    assert b"UNRELATED" not in desk.lab.tree(tip(desk, "again"))["f"]
    assert b"UNRELATED" in desk.lab.tree("main")["f"]


def test_a_file_edited_in_its_hunks_is_remembered_as_it_is(desk: Desk) -> None:
    meet_twice(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    desk.apply(replace("f", "ours\n", "own\nand more\n"), session="w")
    resolve(desk, "f", "as_is")
    desk.commit("land", session="w")
    again(desk)
    assert rebase(desk, "again")["remembered"] == ["f"]
    expected = changed(3, "own\nand more")
    assert desk.lab.tree(tip(desk, "again"))["f"].decode() == expected


def test_a_file_that_has_no_hunks_is_remembered_as_it_is_if_it_is_a_side(desk: Desk) -> None:
    gone: Files = {"f": None, "g": None}
    meet_twice(desk, {"f": LINES, "g": LINES}, {"f": OURS, "g": OURS}, gone)
    desk.apply(replace("f", *UNRELATED), session="w")
    resolve(desk, "f", "as_is")
    resolve(desk, "g", "as_is")
    desk.commit("land", session="w")
    again(desk, theirs=gone)
    assert rebase(desk, "again")["remembered"] == ["g"]


def test_a_deletion_is_remembered_for_its_own_path_only(desk: Desk) -> None:
    """The same contents under another name are another file."""
    base: Files = {"f": LINES, "g": LINES}
    theirs: Files = {"f": THEIRS, "g": THEIRS}
    meet_twice(desk, base, {"f": None, "g": None}, theirs)
    resolve(desk, "f", "ours")
    resolve(desk, "g", "theirs")
    desk.commit("land", session="w")
    again(desk, theirs=theirs)
    assert rebase(desk, "again")["remembered"] == ["f", "g"]
    assert {"f", "g"} & set(desk.lab.tree(tip(desk, "again"))) == {"g"}
    desk.lab.git("checkout", "-q", "-b", "third", "side~")
    desk.lab.commit({"h": LINES}, "with h")
    desk.begin("other")
    desk.apply(write("h", THEIRS), session="other")
    desk.lab.commit({"h": None}, "without h")
    assert kinds(rebase(desk, "other")) == {"h": "modify-delete"}


def test_an_old_line_without_its_path_is_passed_over_where_a_version_is_absent(desk: Desk) -> None:
    meet_twice(desk, {"f": LINES}, {"f": None}, {"f": THEIRS, "h": "h\n"})
    resolve(desk, "f", "ours")
    desk.commit("land", session="w")
    blob = desk.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    (row,) = lines(desk, blob)
    assert (row.pop("path"), row.pop("kind")) == ("f", "modify-delete")
    note = json.dumps(row).encode()
    desk.lab.git("notes", f"--ref={REF}", "add", "-f", "-F", "-", blob, stdin=note)
    again(desk)
    assert kinds(rebase(desk, "again")) == {"f": "modify-delete"}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "take"),
    [
        (LINES, None, THEIRS, "theirs"),
        (LINES, None, THEIRS, "ours"),
        (LINES, OURS, None, "theirs"),
        (b"\0a", b"\0b", b"\0\xff", "theirs"),
        (None, "1\n", "2\n", "both"),
    ],
)
def test_of_every_kind(
    desk: Desk, base: Content, ours: Content, theirs: Content, take: str
) -> None:
    apart = {"h": "h\n"}  # something to land whatever is decided
    meet_twice(desk, {"f": base} if base else {"g": "g"}, {"f": ours}, {"f": theirs, **apart})
    resolve(desk, "f", take)
    result = desk.lab.entries(tip(desk)).get("f")
    desk.commit("land", session="w")
    again(desk, theirs={"f": theirs, **apart})
    assert rebase(desk, "again")["remembered"] == ["f"]
    assert desk.lab.entries(tip(desk, "again")).get("f") == result


def test_of_two_answers_in_one_second_the_later_counts(settled: Desk) -> None:
    """Whichever of them is the greater text; the clock of these tests stands still."""
    for number, take in enumerate(("theirs", "ours", "both")):
        again(settled, f"n{number}")
        rebase(settled, f"n{number}", no_remembered=True)
        resolve(settled, "f", take, f"n{number}")
        settled.apply(write("own", f"{number}\n"), session=f"n{number}")
        settled.lab.git("branch", "-q", "-f", "goes", "side")
        settled.commit("land", session=f"n{number}", onto="goes")
        again(settled, f"m{number}")
        assert rebase(settled, f"m{number}")["remembered"] == ["f"]
        expected = {"theirs": THEIRS, "ours": OURS, "both": BOTH}[take]
        assert settled.lab.tree(tip(settled, f"m{number}"))["f"].decode() == expected
    blob = settled.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    times = [row["time"] for row in lines(settled, blob)]
    assert times == [times[0] + n for n in range(4)]


def test_the_newest_answer_counts(settled: Desk) -> None:
    blob = settled.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    (row,) = lines(settled, blob)
    newer = {**row, "time": row["time"] + 1, "result": {"mode": "100644", "content": "newer\n"}}
    older = {**row, "time": row["time"] - 1, "result": {"mode": "100644", "content": "older\n"}}
    note = "\n".join(json.dumps(line) for line in (newer, row, older))
    settled.lab.git("notes", f"--ref={REF}", "add", "-f", "-F", "-", blob, stdin=note.encode())
    again(settled)
    rebase(settled, "again")
    assert settled.lab.tree(tip(settled, "again"))["f"] == b"newer\n"


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"time":"x"}',
        '{"mode":"120000","content":"/etc/passwd"}',
        '{"mode":"100644"}',
        '{"mode":"100644","content_b64":"%"}',
        '"text"',
    ],
)
def test_what_somebody_else_wrote_there(settled: Desk, line: str) -> None:
    """No line that is not of these three versions, in one of their modes, is taken."""
    blob = settled.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    (row,) = lines(settled, blob)
    if line.startswith('{"mode"') or line == '"text"':
        line = json.dumps({**row, "result": json.loads(line)})
    settled.lab.git("notes", f"--ref={REF}", "add", "-f", "-F", "-", blob, stdin=line.encode())
    again(settled)
    assert kinds(rebase(settled, "again")) == {"f": "content"}


def test_what_is_large_is_not_remembered(desk: Desk) -> None:
    long = "x" * 70_000 + "\n"
    meet_twice(desk, {"f": LINES + long}, {"f": OURS + long}, {"f": THEIRS + long})
    resolve(desk, "f", "theirs")
    desk.commit("land", session="w")
    assert REF not in desk.lab.refs()


def test_outside_the_scope_it_is_left_to_be_decided(desk: Desk) -> None:
    desk.lab.commit({"in/f": LINES})
    for name, allow in (("w", ()), ("narrow", ("in/**",))):
        desk.begin(name, allow=allow)
        desk.apply(write("in/f", THEIRS), session=name)
    desk.lab.commit({"in/f": None, "out/f": OURS})
    desk.lab.git("branch", "-q", "side")
    rebase(desk)
    resolve(desk, "out/f", "both")
    desk.commit("land", session="w", onto="side")
    assert kinds(rebase(desk, "narrow")) == {"out/f": "content"}


def test_two_machines_notes_are_merged_by_git(settled: Desk, ground: Ground) -> None:
    place = ground.place / "other"
    settled.lab.git("clone", "-q", str(settled.lab.path), str(place))
    there = settled.at(ground.at(place))
    there.lab.git("checkout", "-q", "-b", "side", "main~2")
    there.begin("w")
    there.apply(write("f", THEIRS), write("h", "h\n"), session="w")
    there.lab.commit({"f": OURS})
    rebase(there)
    resolve(there, "f", "ours")
    there.commit("land", session="w")
    fetched = f"{REF}:refs/notes/slip/elsewhere"
    settled.lab.git("fetch", "-q", str(place), fetched)
    command = ("notes", f"--ref={REF}", "merge", "-s", "cat_sort_uniq")
    settled.lab.git(*command, "refs/notes/slip/elsewhere")
    blob = settled.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    assert len(lines(settled, blob)) == 2
    again(settled)
    assert rebase(settled, "again")["remembered"] == ["f"]
