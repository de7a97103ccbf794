"""A session moved onto the new head of its branch."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.changes.concurrency.meeting import LINES, changed, kinds, meet, rebase, resolve, tip
from tests.desk import Desk, Json, delete, replace, write
from tests.lab import Lab

OURS, THEIRS = changed(3, "ours"), changed(3, "theirs")


def chain(desk: Desk, ref: str = "refs/slip/sessions/w") -> list[str]:
    """The steps of a chain behind its begin commit, first one first."""
    base = desk.call("status", session="w")["base"]
    found = desk.lab.git("rev-list", "--reverse", "--first-parent", f"{base}..{ref}").split()
    return found[1:]


def trailers(desk: Desk, commit: str) -> dict[str, str]:
    lines = desk.lab.message(commit).rstrip("\n").rpartition("\n\n")[2].split("\n")
    return {key: value for key, _, value in (line.partition(": ") for line in lines)}


def journal(desk: Desk, commit: str) -> list[Json]:
    lines = desk.lab.message(commit).split("\n")
    return [json.loads(line) for line in lines if line.startswith("{")]


def three_steps(desk: Desk) -> None:
    desk.lab.commit({"f": LINES, "g": LINES})
    desk.begin("w", title="T", agent="me", allow=("*",))
    desk.apply(replace("f", "line 3\n", "three\n"), session="w", group="one", agent="a")
    desk.apply(write("new", "new\n"), session="w", group="two", agent="b")
    desk.apply(delete("g"), replace("f", "line 20\n", "twenty\n"), session="w")


def test_steps_are_made_again_as_they_were(desk: Desk) -> None:
    three_steps(desk)
    before = chain(desk)
    head = desk.lab.commit({"f": changed(9, "nine"), "other": "o\n"})
    snapshot = desk.lab.snapshot()
    reply = rebase(desk)
    assert (reply["rebased"], reply["steps"], reply["conflicts"]) == (True, 3, [])
    assert reply["kept"] == "refs/slip/closed/w/1"
    assert "single" not in reply
    assert desk.lab.snapshot() == snapshot
    assert desk.lab.oid(reply["kept"]) == before[-1]
    after = chain(desk)
    assert desk.lab.oid(f"{after[0]}~2") == head
    for old, new in zip(before, after, strict=True):
        was, now = trailers(desk, old), trailers(desk, new)
        assert now.pop("Slip-Begin") != was.pop("Slip-Begin")
        assert was == now
        assert journal(desk, old) == journal(desk, new)
        kept = "--format=%s %an %ae %at"
        assert desk.lab.git("log", "-1", kept, old) == desk.lab.git("log", "-1", kept, new)
    begin = trailers(desk, f"{after[0]}^")
    assert (begin["Slip-Title"], begin["Slip-Agent"], begin["Slip-Allow"]) == ("T", "me", "*")
    # Each step holds what it held, on the new base.
    expected = changed(9, "nine", changed(3, "three"))
    assert desk.lab.tree(after[0])["f"].decode() == expected
    assert "g" in desk.lab.tree(after[1])
    assert "g" not in desk.lab.tree(after[2])
    status = desk.call("status", session="w")
    assert (status["base"], status["behind"]) == (head, 0)
    desk.call("undo", step="1", session="w")
    assert desk.lab.tree(tip(desk))["f"].decode() == changed(9, "nine", changed(20, "twenty"))
    desk.commit("land", session="w")
    assert desk.lab.tree("main")["other"] == b"o\n"


def test_a_session_that_stands_on_its_branch(desk: Desk) -> None:
    three_steps(desk)
    before = desk.lab.refs()
    reply = rebase(desk)
    assert (reply["rebased"], reply["steps"]) == (False, 3)
    assert reply["reason"] == "main is where w stands"
    assert desk.lab.refs() == before


def test_an_empty_session(desk: Desk) -> None:
    desk.begin("w")
    head = desk.lab.commit({"a": "a\n"})
    assert rebase(desk)["steps"] == 0
    assert desk.lab.oid(f"{tip(desk)}~") == head
    desk.apply(write("b", "b\n"), session="w")
    desk.commit("land", session="w")
    assert {"a", "b"} <= desk.lab.tree("main").keys()


def test_what_the_branch_has_already_is_dropped(desk: Desk) -> None:
    three_steps(desk)
    desk.lab.commit({"new": "new\n"})
    assert rebase(desk)["steps"] == 2
    assert [row["op"] for row in desk.call("log", session="w")["steps"]] == ["apply", "apply"]
    desk.lab.commit({"f": changed(3, "three", changed(20, "twenty")), "g": None})
    assert rebase(desk)["steps"] == 0


def test_steps_that_were_taken_back_are_left_behind(desk: Desk) -> None:
    three_steps(desk)
    desk.call("undo", step="2", session="w")
    desk.lab.commit({"other": "o\n"})
    assert rebase(desk)["steps"] == 2
    desk.refused("missing", "redo", session="w")
    assert "new" not in desk.lab.tree(tip(desk))


def test_steps_that_collide_one_by_one_become_one(desk: Desk) -> None:
    """The first step collides with the branch; what the second made of it does not."""
    desk.lab.commit({"f": LINES})
    desk.begin("w")
    desk.apply(write("f", THEIRS), session="w", group="g")
    desk.apply(write("f", LINES), write("n", "n\n"), session="w", group="g")
    desk.lab.commit({"f": OURS})
    old = tip(desk)
    reply = rebase(desk)
    assert (reply["steps"], reply["single"], reply["conflicts"]) == (1, True, [])
    assert desk.lab.oid(f"{tip(desk)}^2") == old
    assert trailers(desk, tip(desk))["Slip-Group"] == "g"
    assert desk.lab.tree(tip(desk))["f"].decode() == OURS
    desk.commit("land", session="w")
    assert desk.lab.tree("main")["n"] == b"n\n"


def test_a_rebase_is_taken_back_by_its_hint(desk: Desk) -> None:
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    old = tip(desk)
    rebase(desk)
    fault = desk.refused("unsupported", "undo", session="w")
    assert fault.hint == "slip abort -s w && slip reopen w@1"
    desk.call("abort", session="w")
    desk.call("reopen", name="w@1")
    assert tip(desk) == old
    assert desk.call("status", session="w")["steps"] == 1


def test_no_second_rebase_before_all_is_decided(desk: Desk) -> None:
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    rebase(desk)
    assert kinds(rebase(desk)) == {"f": "content"}
    desk.lab.commit({"other": "o\n"})
    before = tip(desk)
    fault = desk.refused("conflict", "rebase", session="w")
    assert fault.hint == "slip resolve -s w --theirs f"
    assert tip(desk) == before
    resolve(desk, "f", "theirs")
    # What was decided is carried along, and not opened again; later steps are steps again.
    desk.apply(write("n", "n\n"), session="w", group="g")
    assert rebase(desk)["steps"] == 2
    rows = desk.call("log", session="w")["steps"]
    assert [(row["op"], row["paths"]) for row in rows] == [("rebase", ["f"]), ("apply", ["n"])]
    assert rows[1]["group"] == "g"
    assert desk.call("status", session="w")["conflicts"] == []
    assert desk.refused("unsupported", "undo", session="w", step="1").hint is not None
    assert desk.lab.tree(tip(desk))["f"].decode() == THEIRS
    desk.lab.commit({"f": changed(3, "again")})
    assert kinds(rebase(desk)) == {"f": "content"}
    resolve(desk, "f", "theirs")
    desk.commit("land", session="w")
    assert desk.lab.tree("main")["f"].decode() == THEIRS


def test_the_branch_is_gone(desk: Desk) -> None:
    desk.lab.git("branch", "side")
    desk.begin("w", onto="side")
    desk.apply(write("a", "a\n"), session="w")
    desk.lab.git("branch", "-D", "side")
    fault = desk.refused("missing", "rebase", session="w")
    assert fault.hint == "slip commit -s w --onto side -m MESSAGE"
    desk.refused("missing", "rebase", session="w", onto="nowhere")


def test_a_branch_that_is_not_there_yet(desk: Desk) -> None:
    desk.begin("w", onto="later")
    desk.apply(write("a", "a\n"), session="w")
    reply = rebase(desk)
    assert (reply["rebased"], reply["reason"]) == (False, "later is not there yet")
    desk.lab.git("branch", "later")
    desk.lab.git("checkout", "-q", "later")
    head = desk.lab.commit({"b": "b\n"})
    assert rebase(desk)["base"] == head


def test_onto_another_branch_which_becomes_its_own(desk: Desk, detached_repo: Lab) -> None:
    there = desk.at(detached_repo)
    there.begin("w")
    there.apply(write("a", "a\n"), session="w")
    assert there.refused("usage", "rebase", session="w").hint == "slip rebase -s w --onto BRANCH"
    there.lab.git("checkout", "-q", "-b", "side")
    head = there.lab.commit({"b": "b\n"})
    there.refused("bad-name", "rebase", session="w", onto="")
    reply = rebase(there, onto="side")
    assert (reply["onto"], reply["base"]) == ("refs/heads/side", head)
    there.commit("land", session="w")
    assert {"a", "b"} <= there.lab.tree("side").keys()


def test_an_unborn_branch_that_was_born(desk: Desk, unborn_repo: Lab) -> None:
    there = desk.at(unborn_repo)
    there.begin("w")
    there.apply(write("a", "session\n"), session="w")
    there.lab.commit({"a": "branch\n"})
    assert kinds(rebase(there)) == {"a": "add-add"}
    resolve(there, "a", "both")
    there.commit("land", session="w")
    assert there.lab.tree("main")["a"] == b"branch\nsession\n"


@pytest.mark.parametrize("collides", [False, True])
def test_what_was_captured_is_still_not_in_the_way(desk: Desk, collides: bool) -> None:  # noqa: FBT001
    desk.lab.commit({"f": LINES, "mine": "1\n"})
    desk.begin("w")
    desk.lab.write("mine", "mine\n")
    desk.call("capture", session="w")
    desk.apply(write("mine", "mine, and more\n"), write("f", THEIRS), session="w")
    other = {"f": OURS} if collides else {"other": "o\n"}
    desk.lab.git("stash", "-q")
    desk.lab.commit(dict(other))
    desk.lab.git("stash", "pop", "-q")
    reply = rebase(desk)
    assert bool(reply["conflicts"]) is collides
    desk.lab.git("gc", "--quiet", "--prune=now")
    if collides:
        resolve(desk, "f", "ours")
    assert desk.lab.read("mine") == b"mine\n"
    desk.commit("land", session="w")
    assert desk.lab.read("mine") == b"mine, and more\n"


def test_a_written_text_stays_where_its_journal_finds_it(desk: Desk) -> None:
    """The new step's own tree has it merged, so that the step as it was is kept with it."""
    long = "".join(f"a long line of text, number {n}\n" for n in range(400))
    desk.lab.commit({"f": long})
    desk.begin("w")
    mine = long.replace("number 3\n", "number three\n")
    desk.apply(write("f", mine), session="w")
    desk.lab.commit({"f": long.replace("number 300\n", "number 3e2\n")})
    assert "single" not in rebase(desk)
    row = journal(desk, tip(desk))[0]
    assert desk.lab.oid(f"{tip(desk)}:f") != row["content_oid"]
    desk.lab.git("update-ref", "-d", "refs/slip/closed/w/1")
    desk.lab.git("gc", "--quiet", "--prune=now")
    assert desk.lab.git_bytes("cat-file", "blob", row["content_oid"]).decode() == mine


def test_two_at_once(desk: Desk) -> None:
    """One moves the session, the others find it moved (or, in the same second, to the same)."""
    three_steps(desk)
    desk.lab.commit({"other": "o\n"})
    replies: list[Json] = []

    def run() -> None:
        replies.append(desk.lab.slip_json("rebase", "-s", "w").json)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply["ok"] for reply in replies] == [True] * 3
    assert any(reply["rebased"] for reply in replies)
    assert len({reply["tip"] for reply in replies}) == 1
    assert list(desk.lab.refs("refs/slip/closed/")) == ["refs/slip/closed/w/1"]
    assert desk.call("status", session="w")["steps"] == 3


def test_the_landing_s_hint_leads_there(desk: Desk) -> None:
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    assert desk.commit_refused("conflict", session="w").hint == "slip rebase -s w"
    desk.lab.git("branch", "side", "main~")
    desk.lab.git("checkout", "-q", "side")
    desk.lab.commit({"f": changed(3, "side")})
    fault = desk.commit_refused("conflict", session="w", onto="side")
    assert fault.hint == "slip rebase -s w --onto side"


def test_a_flush_is_refused_like_a_landing(desk: Desk) -> None:
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    rebase(desk)
    desk.refused("conflict", "flush", session="w")
    desk.commit_refused("conflict", session="w", dry_run=True)
    resolve(desk, "f", "theirs")
    desk.call("flush", session="w")
    assert desk.lab.read("f").decode() == THEIRS


def test_a_quota_refuses_it(desk: Desk) -> None:
    meet(desk, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    desk.lab.git("config", "slip.quota", "10")
    before = desk.lab.refs()
    desk.refused("quota", "rebase", session="w")
    assert desk.lab.refs() == before


@pytest.mark.parametrize("collides", [False, True])
def test_the_session_s_own_worktree_goes_along(desk: Desk, collides: bool) -> None:  # noqa: FBT001
    """What was edited there before is captured as what it is, and guarded until then."""
    desk.lab.commit({"f": LINES, "g": LINES})
    desk.begin("w")
    desk.apply(write("f", THEIRS), session="w")
    root = Path(desk.call("worktree", session="w")["worktree"])
    mine = desk.at(Lab(root))
    mine.lab.write("g", changed(20, "by hand"))
    desk.lab.commit({"f": OURS} if collides else {"g": changed(3, "three")})
    rebase(desk)
    if collides:
        resolve(desk, "f", "theirs")
    desk.commit_refused("dirty", session="w")
    mine.call("capture", session="w")
    expected = changed(20, "by hand", LINES if collides else changed(3, "three"))
    assert desk.lab.tree(tip(desk))["g"].decode() == expected
    assert desk.call("worktree", session="w")["worktree"] == str(root)
    assert mine.lab.oid("HEAD") == tip(desk)
    assert mine.lab.read("g").decode() == expected
    assert mine.lab.git("status", "--short") == ""
    desk.commit("land", session="w")
