"""The same conflict is settled as it was settled before, here and where the notes were fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.changes.concurrency.meeting import LINES, changed, kinds, meet, rebase, resolve, tip
from tests.desk import Desk, write
from tests.lab import Content, Ground

REF = "refs/notes/slip/resolutions"
OURS, THEIRS = changed(3, "ours"), changed(3, "theirs")


def lines(desk: Desk, blob: str) -> list[dict[str, Any]]:
    note = desk.lab.git("notes", f"--ref={REF}", "show", blob)
    return [json.loads(line) for line in note.splitlines()]


def again(desk: Desk, name: str = "again") -> None:
    """Another session that meets the same branch in the same way."""
    desk.begin(name, base="main~")
    desk.apply(write("f", THEIRS), session=name)


@pytest.fixture
def settled(desk: Desk) -> Desk:
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    rebase(desk)
    resolve(desk, "f", "both")
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
    assert settled.lab.tree("main")["f"].decode() == BOTH


def rebase_text(desk: Desk) -> str:
    again(desk, "third")
    return desk.lab.slip("rebase", "-s", "third").text


def test_unless_it_is_not_wanted(settled: Desk) -> None:
    again(settled)
    assert kinds(rebase(settled, "again", no_remembered=True)) == {"f": "content"}


def test_another_version_is_another_conflict(settled: Desk) -> None:
    settled.begin("again", base="main~")
    settled.apply(write("f", changed(3, "else")), session="again")
    assert kinds(rebase(settled, "again")) == {"f": "content"}


def test_only_a_whole_path_is_remembered(desk: Desk) -> None:
    two = (changed(20, "o", OURS), changed(20, "t", THEIRS))
    meet(desk, {"f": LINES}, {"f": two[0]}, {"f": two[1]})
    rebase(desk)
    resolve(desk, "f", "theirs", hunk=1)
    assert REF not in desk.lab.refs()
    resolve(desk, "f", "ours", hunk=2)
    assert REF in desk.lab.refs()


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
    meet(desk, {"f": base} if base else {"g": "g"}, {"f": ours}, {"f": theirs})
    desk.call("abort", session="w")
    desk.call("reopen", name="w")
    before = tip(desk)
    rebase(desk)
    resolve(desk, "f", take)
    result = desk.lab.entries(tip(desk)).get("f")
    desk.call("abort", session="w")
    desk.lab.git("update-ref", "refs/slip/sessions/w", before)
    assert rebase(desk)["remembered"] == ["f"]
    assert desk.lab.entries(tip(desk)).get("f") == result


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
    meet(desk, {"f": LINES + long}, {"f": OURS + long}, {"f": THEIRS + long})
    rebase(desk)
    resolve(desk, "f", "theirs")
    assert REF not in desk.lab.refs()


def test_outside_the_scope_it_is_left_to_be_decided(desk: Desk) -> None:
    desk.lab.commit({"in/f": LINES})
    for name, allow in (("w", ()), ("narrow", ("in/**",))):
        desk.begin(name, allow=allow)
        desk.apply(write("in/f", THEIRS), session=name)
    desk.lab.commit({"in/f": None, "out/f": OURS})
    rebase(desk)
    resolve(desk, "out/f", "both")
    assert kinds(rebase(desk, "narrow")) == {"out/f": "content"}


def test_two_machines_notes_are_merged_by_git(settled: Desk, ground: Ground) -> None:
    place = ground.place / "other"
    settled.lab.git("clone", "-q", str(settled.lab.path), str(place))
    there = settled.at(ground.at(place))
    there.lab.git("branch", "-q", "side", "main~")
    there.lab.git("checkout", "-q", "side")
    there.begin("w", base="main~")
    there.apply(write("f", THEIRS), session="w")
    there.lab.commit({"f": OURS})
    rebase(there)
    resolve(there, "f", "ours")
    fetched = f"{REF}:refs/notes/slip/elsewhere"
    settled.lab.git("fetch", "-q", str(place), fetched)
    command = ("notes", f"--ref={REF}", "merge", "-s", "cat_sort_uniq")
    settled.lab.git(*command, "refs/notes/slip/elsewhere")
    blob = settled.lab.git("hash-object", "--stdin", stdin=THEIRS.encode())
    assert len(lines(settled, blob)) == 2
    again(settled)
    assert rebase(settled, "again")["remembered"] == ["f"]
