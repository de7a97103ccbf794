"""`slip push` and `slip pull`: sessions and notes through any git remote."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.gitdb import notemerge
from slipstream_git.gitdb.repository import open_repository
from tests.children import Children
from tests.gitservers import needs_web
from tests.lab import Ground, Lab, typed
from tests.sharing.hubs import Hub, hook, staged
from tests.sharing.test_bundling import hand_made, raw_tree

OPEN = "refs/slip/sessions/"
LANDED = "refs/notes/slip/landed"


@pytest.fixture
def pair(hub: Hub) -> tuple[Lab, Lab]:
    return hub.clone("one"), hub.clone("two")


def told(lab: Lab, *arguments: str, expect: int | None = 0) -> dict[str, Any]:
    return lab.slip_json(*arguments, expect=expect).json


def tip(lab: Lab, name: str = "s1") -> str | None:
    return lab.refs(OPEN).get(OPEN + name)


def write(lab: Lab, path: str, name: str = "s1") -> None:
    lab.slip("write", path, "-s", name, stdin=f"{path}\n".encode())


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_goes_and_comes(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    staged(one, "s1")
    before = two.snapshot()
    assert told(one, "push")["sessions"] == ["s1"]
    assert told(two, "pull")["sessions"] == ["s1"]
    assert two.snapshot() == before
    assert tip(one) == tip(two) == tip(hub.lab)
    assert told(one, "push")["sessions"] == told(two, "pull")["sessions"] == []
    # It goes on there and comes back.
    write(two, "more")
    assert told(two, "push", "origin", "s1")["sessions"] == ["s1"]
    assert told(one, "pull", "origin")["sessions"] == ["s1"]
    assert tip(one) == tip(two)
    assert one.slip("diff", "-s", "s1").out == two.slip("diff", "-s", "s1").out


def test_it_is_told_which_way_it_went(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    staged(one, "s1")
    for lab, branch in ((one, "b1"), (two, "b2")):
        lab.git("switch", "--quiet", "--create", branch)
        staged(lab, f"landed-{branch}")
        lab.slip("commit", "-s", f"landed-{branch}")
    assert one.slip("push").out == b"s1 pushed to origin\nnotes landed pushed to origin\n"
    assert one.slip("push").out == b"nothing new here that origin lacks\n"
    assert two.slip("push").out == (
        b"notes landed merged from origin\nnotes landed pushed to origin\n"
    )
    assert two.slip("pull").out == b"s1 pulled from origin\n"
    assert two.slip("pull").out == b"nothing new on origin\n"
    one.slip("abort", "-s", "s1")
    assert b"s1 is closed here, and taken away from origin\n" in one.slip("push").out
    assert told(one, "pull")["way"] == "from"


def test_nobody_who_does_not_ask_sees_it(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    staged(one, "s1")
    one.slip("push")
    two.git("fetch", "--quiet")
    assert not [ref for ref in two.refs() if "slip" in ref]
    third = hub.clone("third")
    assert not [ref for ref in third.refs() if "slip" in ref]
    assert "slip" not in one.git("branch", "--all")
    assert one.git("config", "--get-all", "remote.origin.fetch").splitlines() == [
        "+refs/heads/*:refs/remotes/origin/*"
    ]
    # A server can leave it out of what it tells of altogether.
    hub.lab.git("config", "transfer.hideRefs", "refs/slip")
    assert "refs/slip" not in two.git("ls-remote", "origin")


def test_one_that_went_on_in_both_places_stays_in_both(pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    staged(one, "s1")
    one.slip("push")
    two.slip("pull")
    write(one, "mine")
    write(two, "theirs")
    staged(two, "s2")
    one.slip("push")
    here, hint = tip(two), None
    for command in ("push", "pull"):
        error = two.slip_json(command, expect=1).error
        assert error["code"] == "ref-moved"
        assert [row["session"] for row in error["data"]["refused"]] == ["s1"]
        assert tip(two) == here
        hint = error["hint"]
        assert two.slip(command, expect=1).err.startswith(b"slip: ref-moved: ")
    assert tip(one, "s1") != here
    assert told(one, "pull")["sessions"] == ["s2"]
    typed(hint, two.path)
    assert tip(two, "s1-theirs") == tip(one)
    assert tip(two) == here


def test_a_rebase_goes_with_it(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    staged(one, "s1")
    one.slip("push")
    two.slip("pull")
    hub.commit({"theirs": "1\n"}, "theirs")
    one.git("pull", "--quiet")
    one.slip("rebase", "-s", "s1")
    before = tip(two)
    assert told(one, "push")["sessions"] == ["s1"]
    assert told(two, "pull")["sessions"] == ["s1"]
    assert tip(one) == tip(two) != before
    # The chain as it was is kept, as after a rebase here.
    assert before in two.refs("refs/slip/closed/").values()


def test_a_rebase_is_not_taken_over_steps_made_here(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    staged(one, "s1")
    one.slip("push")
    two.slip("pull")
    write(two, "mine")
    hub.commit({"theirs": "1\n"}, "theirs")
    one.git("pull", "--quiet")
    one.slip("rebase", "-s", "s1")
    one.slip("push")
    before = tip(two)
    two.slip_json("pull", expect=1)
    assert tip(two) == before


def test_one_that_is_closed_here_is_taken_away_there(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    for name in ("s1", "s2"):
        staged(one, name)
    staged(two, "t1")
    one.slip("push")
    two.slip("push")
    one.slip("abort", "-s", "s1")
    one.slip("commit", "-s", "s2")
    assert told(one, "push")["closed"] == ["s1", "s2"]
    # Another's, that was never here, stays.
    assert sorted(hub.lab.refs(OPEN)) == [f"{OPEN}t1"]
    assert told(one, "pull")["sessions"] == ["t1"]


def test_one_that_is_closed_here_does_not_come_back(pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    staged(one, "s1")
    one.slip("push")
    two.slip("pull")
    two.slip("abort", "-s", "s1")
    assert told(two, "pull")["sessions"] == []
    assert tip(two) is None
    two.slip("reopen", "s1")


def test_all_of_it_or_nothing(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    one, _ = pair
    for name in ("s1", "s2"):
        staged(one, name)
    hook(hub.lab, "update", 'case "$1" in */s2) exit 1;; esac')
    error = one.slip_json("push", expect=1).error
    assert error["code"] == "git-failed"
    assert hub.lab.refs(OPEN) == {}
    assert not [ref for ref in one.refs("refs/slip/remotes/") if ref]
    one.slip("push", "origin", "s1")
    assert tip(hub.lab) == tip(one)


def test_what_is_no_session_is_refused_and_the_rest_comes(
    hub: Hub, pair: tuple[Lab, Lab], tmp_path: Path
) -> None:
    one, two = pair
    staged(one, "good")
    one.slip("push")
    hub.lab.git("update-ref", f"{OPEN}plain", "main")
    hub.lab.git("update-ref", f"{OPEN}a/b", "main")
    blob = hub.lab.git("hash-object", "-w", "--stdin", stdin=b"x\n")
    hand_made(hub.lab, raw_tree(hub.lab, ("100755", b"aux.c", blob)), tmp_path / "x")
    error = two.slip_json("pull", expect=1).error
    assert sorted(row["session"] for row in error["data"]["refused"]) == ["a/b", "plain"]
    assert sorted(two.refs(OPEN)) == [f"{OPEN}good"]


def test_a_hostile_tree_changes_nothing(hub: Hub, pair: tuple[Lab, Lab], tmp_path: Path) -> None:
    _, two = pair
    hub.lab.damaged = True
    blob = hub.lab.git("hash-object", "-w", "--stdin", stdin=b"x\n")
    hand_made(hub.lab, raw_tree(hub.lab, ("100644", b".git", blob)), tmp_path / "x")
    head = (tmp_path / "x").read_bytes().split(b"\n")[2].split(b" ")[0].decode()
    hub.lab.git("update-ref", f"{OPEN}s1", head)
    before = (two.snapshot(), two.refs(), two.git("count-objects", "-v"))
    assert two.slip_json("pull", expect=1).error["code"] == "git-failed"
    assert (two.snapshot(), two.refs(), two.git("count-objects", "-v")) == before


def test_a_base_that_is_not_here_is_named(pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    base = one.commit({"mine": "1\n"}, "not pushed")
    staged(one, "s1")
    one.slip("push")
    error = two.slip_json("pull", expect=1).error
    assert (error["code"], base in error["message"]) == ("missing", True)
    one.git("push", "--quiet")
    assert told(two, "pull")["sessions"] == ["s1"]


def test_what_is_asked_wrongly(pair: tuple[Lab, Lab]) -> None:
    one, _ = pair
    assert one.slip_json("pull", "origin", "none", expect=1).error["code"] == "session-missing"
    assert one.slip_json("push", "origin", "none", expect=1).error["code"] == "session-missing"
    assert one.slip_json("push", "--", "-x", expect=2).error["code"] == "bad-name"
    assert one.slip_json("pull", "--name", "x", expect=2).error["code"] == "usage"


# --- notes ----------------------------------------------------------------------------------------


def test_notes_are_merged_on_the_way(hub: Hub, pair: tuple[Lab, Lab]) -> None:
    for number, lab in enumerate(pair):
        lab.git("switch", "--quiet", "--create", f"b{number}")
        staged(lab, f"n{number}")
        lab.slip("commit", "-s", f"n{number}")
        lab.slip("push")
    one, two = pair
    one.slip("pull")
    assert one.oid(LANDED) == two.oid(LANDED) == hub.lab.oid(LANDED)
    listed = one.git("notes", "--ref=slip/landed", "list").splitlines()
    assert {line.split()[1] for line in listed} == {one.oid("b0"), two.oid("b1")}


def test_a_merge_of_notes_is_as_git_merges(ground: Ground) -> None:
    """Lines of both, once; what one side alone removed is gone."""
    chance = random.Random(7)  # noqa: S311
    lab = ground.repository()
    targets = [lab.git("hash-object", "-w", "--stdin", stdin=b"%d" % n) for n in range(60)]

    def change(ref: str, times: int) -> None:
        for _ in range(times):
            target = chance.choice(targets)
            if chance.random() < 0.2:
                lab.git("notes", f"--ref={ref}", "remove", "--ignore-missing", target)
            else:
                line = f"line {chance.randrange(9)}"
                lab.git("notes", f"--ref={ref}", "append", "-m", line, target)

    def read(ref: str) -> dict[str, list[str]]:
        rows = (row.split() for row in lab.git("notes", f"--ref={ref}", "list").splitlines())
        return {
            target: sorted({x for x in lab.git("cat-file", "blob", oid).splitlines() if x})
            for oid, target in rows
        }

    change("x", 60)
    lab.git("update-ref", "refs/notes/y", "refs/notes/x")
    change("x", 40)
    change("y", 40)
    mine, other = lab.oid("refs/notes/x"), lab.oid("refs/notes/y")
    with open_repository(str(lab.path), os.environ, in_process=False) as repository:
        who = b"a <a@b> 1 +0000"
        done = notemerge.merged(repository, mine, other, who)
        again = notemerge.merged(repository, other, mine, who)
        repository.objects.publish().release()
    lab.git("update-ref", "refs/notes/z", done)
    lab.git("update-ref", "refs/notes/w", again)
    lab.git("notes", "--ref=x", "merge", "-s", "cat_sort_uniq", "y", expect=None)
    assert read("z") == read("w") == read("x")


def test_many_push_at_once(hub: Hub, children: Children) -> None:
    labs = [hub.clone(f"c{n}") for n in range(4)]
    for lab in labs:
        name = lab.path.name
        lab.git("switch", "--quiet", "--create", name)
        staged(lab, f"{name}-landed")
        lab.slip("commit", "-s", f"{name}-landed")
        staged(lab, f"{name}-open")
    started = [lab.start(children, "push", out=subprocess.PIPE) for lab in labs]
    said = [child.communicate(timeout=120) for child in started]
    assert [child.returncode for child in started] == [0] * 4, said
    assert sorted(hub.lab.refs(OPEN)) == [f"{OPEN}c{n}-open" for n in range(4)]
    noted = {
        json.loads(hub.lab.git("cat-file", "blob", row.split()[0]))["session"]
        for row in hub.lab.git("notes", "--ref=slip/landed", "list").splitlines()
    }
    assert noted == {f"c{n}-landed" for n in range(4)}


@pytest.mark.real_part
@needs_web
def test_over_http(web_hub: Hub) -> None:
    one, two = web_hub.clone("one"), web_hub.clone("two")
    staged(one, "s1")
    one.slip("push")
    two.slip("pull")
    assert tip(one) == tip(two) == tip(web_hub.lab)
