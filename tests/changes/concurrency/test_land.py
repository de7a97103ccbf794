"""`slip land`: several sessions in order, each by itself or all of them or none."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from slipstream_git.changes import publishing
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import transaction
from tests.children import Children, Started
from tests.desk import Desk, Free, Json, replace, write
from tests.lab import Ground, Lab, fsck, typed

LANDED = "refs/notes/slip/landed"


def staged(desk: Desk, name: str, *ops: Json, title: str | None = "", **begin: Free) -> None:
    """A session with these ops (a file of its own by default) and a title."""
    desk.begin(name, title=f"Do {name}" if title == "" else title, **begin)
    desk.apply(*(ops or (write(name, f"{name}\n"),)), session=name)


def land(desk: Desk, *names: str, **values: Free) -> Json:
    return desk.call("land", sessions=names, **values)


def refused(desk: Desk, code: str, *names: str, **values: Free) -> SlipError:
    return desk.refused(code, "land", sessions=names, **values)


def rows(fault: SlipError, name: str) -> list[Json]:
    found = fault.data[name]
    assert isinstance(found, list)
    return found


def who(value: Json | SlipError, name: str) -> list[str]:
    data = value.data if isinstance(value, SlipError) else value
    return [row["session"] for row in data[name]]  # type: ignore[union-attr]


def subjects(repo: Lab, branch: str = "main") -> list[str]:
    """The branch's commits since the first, oldest first."""
    return repo.git("log", "--reverse", "--format=%s", branch).splitlines()[1:]


def open_sessions(repo: Lab) -> list[str]:
    return [ref.removeprefix("refs/slip/sessions/") for ref in repo.refs("refs/slip/sessions/")]


def noted(repo: Lab) -> dict[str, str]:
    """Which session each noted commit came from."""
    listed = repo.git("notes", "--ref=slip/landed", "list").splitlines()
    return {
        oid: json.loads(repo.git("cat-file", "blob", blob))["session"]
        for blob, oid in (line.split() for line in listed)
    }


@pytest.fixture(params=[False, True], ids=["each", "atomic"])
def atomic(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


# --- in order -------------------------------------------------------------------------------------


def test_each_is_a_commit_on_the_one_before(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    base = repo.oid("main")
    for name in ("a", "b", "c"):
        staged(desk, name)
    told = land(desk, "c", "a", "b", atomic=atomic)
    assert who(told, "landed") == ["c", "a", "b"]
    assert (told["skipped"], told["refused"]) == ([], [])
    oids = repo.git("rev-list", "--reverse", "main").split()
    assert [row["commit"] for row in told["landed"]] == oids[1:]
    assert [row["old_head"] for row in told["landed"]] == oids[:-1]
    assert oids[0] == base
    assert subjects(repo) == ["Do c", "Do a", "Do b"]
    changed = [[change["path"] for change in row["changes"]] for row in told["landed"]]
    assert changed == [["c"], ["a"], ["b"]]
    assert noted(repo) == dict(zip(oids[1:], ("c", "a", "b"), strict=True))
    assert repo.git("status", "--porcelain") == ""
    assert {"a", "b", "c"} <= set(repo.files())
    assert open_sessions(repo) == []
    for name, oid in zip(("c", "a", "b"), oids[1:], strict=True):
        closed = f"refs/slip/closed/{name}/1"
        assert f"Slip-Landed: {oid}" in repo.message(closed)
    assert not list((repo.path / ".git/slip/intents").iterdir())


def test_what_lands_together_is_what_would_land_one_by_one(ground: Ground, store: str) -> None:
    ids = []
    for number, atomic in enumerate((False, True)):
        desk = Desk(ground.repository(f"repo{number}"), store)
        staged(desk, "a", replace("src/app.py", "def main", "def first"), write("n", "1\n"))
        staged(desk, "b", replace("src/app.py", "return 1", "return 2"))
        staged(desk, "c", write("n2", "1\n"))
        desk.lab.commit({"moved": "on\n"})
        land(desk, "a", "c", atomic=atomic)
        desk.lab.git("gc", "--quiet", "--prune=now")
        ids.append(desk.lab.git("log", "--format=%H %T %s"))
    assert ids[0] == ids[1]


def test_all_of_twenty_in_the_order_they_were_begun(repo: Lab, *, atomic: bool) -> None:
    """A clock that runs: by time, and by name within a second."""
    desk = Desk(repo, "git")
    names = [f"n{number:02}" for number in range(20)]
    for name in reversed(names):
        staged(desk, name)
    late = repo.slip("begin", "a-late", "--title", "Late").text.strip()
    repo.slip("write", "late", "-s", late, stdin=b"1\n")
    told = land(desk, all=True, atomic=atomic)
    assert who(told, "landed") == [*names, "a-late"]
    assert subjects(repo) == [*(f"Do {name}" for name in names), "Late"]
    assert len(noted(repo)) == 21
    assert set(names) <= set(repo.files())
    assert open_sessions(repo) == []


def test_all_of_none(repo: Lab) -> None:
    assert repo.slip("land", "--all").text == "no session is open\n"


def test_messages(desk: Desk, *, atomic: bool) -> None:
    """A title goes before -m, but for a single session that is named."""
    repo = desk.lab
    staged(desk, "a")
    staged(desk, "b", title=None)
    staged(desk, "c")
    land(desk, "a", "b", message=("Given", "Body."), trailer=("Ref=1",), atomic=atomic)
    land(desk, "c", message=("Mine",), atomic=atomic)
    assert [repo.message(rev) for rev in ("main~2", "main~1", "main")] == [
        "Do a\n\nRef: 1\n",
        "Given\n\nBody.\n\nRef: 1\n",
        "Mine\n",
    ]


def test_author_and_signoff_are_of_each(desk: Desk, *, atomic: bool) -> None:
    staged(desk, "a")
    staged(desk, "b")
    land(desk, "a", "b", author="Bo <bo@example.com>", signoff=True, atomic=atomic)
    who_made = "%an %cn %(trailers:key=Signed-off-by,valueonly,separator=;)"
    said = desk.lab.git("log", "-2", f"--format={who_made}").splitlines()
    committer = desk.lab.git("var", "GIT_COMMITTER_IDENT").rsplit(" ", 2)[0]
    assert said == [f"Bo {committer.split(' <')[0]} {committer}"] * 2


# --- refused before anything ----------------------------------------------------------------------


def unchanged(desk: Desk, code: str, *names: str, **values: Free) -> SlipError:
    before = desk.lab.refs(), desk.lab.snapshot()
    fault = refused(desk, code, *names, **values)
    assert (desk.lab.refs(), desk.lab.snapshot()) == before
    return fault


def test_a_session_without_any_message(desk: Desk, *, atomic: bool) -> None:
    staged(desk, "a")
    staged(desk, "b", title=None)
    staged(desk, "c", title=None)
    fault = unchanged(desk, "usage", "a", "b", "c", atomic=atomic)
    assert fault.data == {"sessions": ["b", "c"]}
    together = " --atomic" if atomic else ""
    words = (fault.hint or "").split()
    assert sorted(words) == sorted(f"slip land a b c{together} -m MESSAGE".split())


def test_names_that_are_not_there(desk: Desk, *, atomic: bool) -> None:
    staged(desk, "a")
    desk.begin("gone")
    desk.call("abort", session="gone")
    fault = unchanged(desk, "session-missing", "a", "nope", "gone", atomic=atomic)
    assert fault.data == {"sessions": ["nope", "gone"]}
    assert "nope" in fault.message
    unchanged(desk, "bad-name", "a", "b c", atomic=atomic)


def test_neither_names_nor_all_and_both(desk: Desk) -> None:
    staged(desk, "a")
    unchanged(desk, "usage")
    unchanged(desk, "usage", "a", all=True)


def test_a_detached_head_names_no_branch(detached_repo: Lab, store: str, *, atomic: bool) -> None:
    desk = Desk(detached_repo, store)
    staged(desk, "a", onto="main")
    staged(desk, "b")
    fault = unchanged(desk, "usage", "a", "b", atomic=atomic)
    assert "b was begun on a detached HEAD" in fault.message
    assert who(land(desk, "a", "b", onto="main", atomic=atomic), "landed") == ["a", "b"]
    assert subjects(detached_repo) == ["Do a", "Do b"]


def test_gates_are_as_with_commit(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    staged(desk, "a")
    staged(desk, "b")
    assert who(refused(desk, "usage", "a", "b", check=True, atomic=atomic), "refused") == ["a", "b"]
    repo.commit({".slip.toml": '[gate.tests]\nrun = "test ! -e b"\n'})
    fault = refused(desk, "gate-failed", "a", "b", atomic=atomic)
    assert who(fault, "refused") == ["b"]
    assert who(fault, "landed") == ([] if atomic else ["a"])
    [row] = rows(fault, "refused")
    tree = row["data"]["tree"]
    assert fault.hint == f"slip run -s b --rev {tree} -- sh -c 'test ! -e b'"
    assert [gate["status"] for gate in row["data"]["gates"]] == ["red"]
    landed = land(desk, "a", "b", check=False, atomic=atomic)["landed"]
    assert [row["gates"] for row in landed] == [[]] * (2 if atomic else 1)


# --- skipped --------------------------------------------------------------------------------------


def test_twice_in_the_list_landed_already_and_nothing_to_land(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    staged(desk, "done")
    first = desk.commit("done", session="done")["commit"]
    staged(desk, "same", write("twin", "1\n"))
    staged(desk, "twin", write("twin", "1\n"))
    desk.begin("idle")
    told = land(desk, "done", "same", "idle", "twin", "same", atomic=atomic)
    assert who(told, "landed") == ["same"]
    by_name = {row["session"]: row for row in told["skipped"]}
    assert (by_name["done"]["already"], by_name["done"]["commit"]) == (True, first)
    assert by_name["idle"]["committed"] is False
    assert by_name["twin"]["committed"] is False
    assert set(by_name) == {"done", "idle", "twin"}
    assert open_sessions(repo) == ["idle", "twin"]
    assert subjects(repo) == ["done", "Do same"]
    assert land(desk, "done", "same", atomic=atomic)["landed"] == []
    assert "has landed already as" in repo.slip("land", "done").text


# --- some refused ---------------------------------------------------------------------------------


def meeting(desk: Desk) -> None:
    """`b` conflicts with `a`; `c` is in nobody's way."""
    staged(desk, "a", replace("README.md", "Demo", "from a"))
    staged(desk, "b", replace("README.md", "Demo", "from b"), agent="bo")
    staged(desk, "c")


def test_one_that_conflicts_stays_open_and_the_others_land(desk: Desk) -> None:
    repo = desk.lab
    meeting(desk)
    tip = repo.oid("refs/slip/sessions/b")
    fault = refused(desk, "conflict", "a", "b", "c")
    assert fault.exit_status == 3
    assert who(fault, "landed") == ["a", "c"]
    (row,) = rows(fault, "refused")
    assert subjects(repo) == ["Do a", "Do c"]
    assert repo.refs("refs/slip/sessions/") == {"refs/slip/sessions/b": tip}
    # What `slip commit` says, but that the branch has gone on.
    own = desk.commit_refused("conflict", session="b")
    assert (row["session"], row["code"], row["hint"]) == ("b", "conflict", own.hint)
    files, own_files = row["data"]["files"], own.data["files"]
    assert files == own_files
    # It was tried once more when c had landed, and the last answer counts.
    assert row["data"]["onto_commit"] == rows(fault, "landed")[1]["commit"]
    assert fault.hint == row["hint"]


def test_a_rebase_does_not_change_the_order(repo: Lab, *, atomic: bool) -> None:
    """What the first has decided is what the second needs; a clock that runs."""
    repo.commit({"f": "a\nb\nc\n"})
    for name in ("a", "b"):
        repo.slip("begin", name, "--title", f"Do {name}")
        repo.slip("write", "f", "-s", name, stdin=b"a\nX\nc\n")
    repo.slip("write", "g", "-s", "b", stdin=b"g\n")
    repo.commit({"f": "a\nM\nc\n"})
    time.sleep(1.1)  # the times of commits have seconds
    for _ in range(2):
        repo.slip("rebase", "-s", "a")
        repo.slip("resolve", "-s", "a", "--theirs", "f", expect=None)
        repo.commit({"elsewhere": str(time.time())})
    desk = Desk(repo, "git")
    plan = land(desk, all=True, atomic=atomic, dry_run=True)
    told = land(desk, all=True, atomic=atomic)
    assert who(plan, "landed") == who(told, "landed") == ["a", "b"]
    assert repo.tree()["f"] == b"a\nX\nc\n"


def test_what_collides_is_tried_again_when_others_have_landed(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"f": "a\nb\nc\n"})
    staged(desk, "a", write("f", "a\nX\nc\n"))
    staged(desk, "never", write("f", "a\nN\nc\n"))
    repo.commit({"f": "a\nM\nc\n"}, "theirs")
    staged(desk, "z", write("f", "a\nX\nc\n"))
    plan = refused(desk, "conflict", "a", "never", "z", dry_run=True)
    fault = refused(desk, "conflict", "a", "never", "z")
    for told in (plan, fault):
        # What a has is there when z has landed.
        assert who(told, "skipped") == ["a"]
        assert who(told, "landed") == ["z"]
        assert who(told, "refused") == ["never"]
    files = rows(fault, "refused")[0]["data"]["files"]
    assert files[0]["hunks"][0]["ours_text"] == "X\n"
    assert open_sessions(repo) == ["a", "never"]
    assert subjects(repo)[-1] == "Do z"


def test_more_conflicts_than_are_listed_are_counted(desk: Desk) -> None:
    names = [f"f{number}" for number in range(7)]
    for name in names:
        staged(desk, f"of-{name}", write(name, f"{name}\n"))
    staged(desk, "last", *(write(name, "other\n") for name in names))
    order = [*(f"of-{name}" for name in names), "last"]
    fault = unchanged(desk, "conflict", *order, atomic=True)
    (row,) = rows(fault, "refused")
    assert row["message"] == (
        "last conflicts with of-f0, of-f1, of-f2, of-f3, of-f4 and 2 more, which land first:"
        " f0, f1, f2, f3, f4 and 2 more"
    )


@pytest.mark.parametrize("named", [False, True], ids=["all", "named"])
def test_what_a_worktree_has_not_captured_is_no_nothing(
    desk: Desk, ground: Ground, *, atomic: bool, named: bool
) -> None:
    repo = desk.lab
    staged(desk, "a")
    desk.begin("idle", title="Idle")
    own = ground.at(Path(desk.call("worktree", session="idle")["worktree"]))
    own.write("README.md", "mine\n")
    names = ("a", "idle") if named else ()
    for dry_run in (True, False):
        fault = refused(desk, "dirty", *names, all=not named, atomic=atomic, dry_run=dry_run)
        assert who(fault, "refused") == ["idle"]
        assert rows(fault, "refused")[0]["hint"] == f"slip -C {own.path} capture -s idle"
        assert fault.exit_status == 1
    assert subjects(repo) == ([] if atomic else ["Do a"])
    assert own.read("README.md") == b"mine\n"
    assert who(refused(desk, "dirty", "idle"), "refused") == ["idle"]
    # Neither where it has a step, and an edit besides.
    desk.apply(write("g", "g\n"), session="idle")
    assert who(refused(desk, "dirty", "idle", atomic=atomic), "refused") == ["idle"]
    assert who(refused(desk, "dirty", "idle", dry_run=True), "refused") == ["idle"]
    own.slip("capture")
    assert "idle" in who(land(desk, all=True, atomic=atomic), "landed")


def test_all_of_them_but_one_that_lacks_a_branch_or_a_message(
    detached_repo: Lab, store: str, *, atomic: bool
) -> None:
    desk = Desk(detached_repo, store)
    staged(desk, "a", onto="main")
    staged(desk, "nowhere")
    staged(desk, "nameless", title=None, onto="main")
    staged(desk, "z", onto="main")
    fault = refused(desk, "missing", all=True, atomic=atomic)
    assert fault.exit_status == 1
    hints = {row["session"]: row["hint"] for row in rows(fault, "refused")}
    assert hints == {
        "nowhere": "slip commit -s nowhere --onto BRANCH -m 'Do nowhere'",
        "nameless": "slip commit -s nameless -m MESSAGE",
    }
    assert who(fault, "landed") == ([] if atomic else ["a", "z"])
    assert subjects(detached_repo) == ([] if atomic else ["Do a", "Do z"])
    assert len(land(desk, all=True, atomic=atomic, onto="main", message=("Said",))["landed"]) == (
        4 if atomic else 2
    )


def test_each_is_told_of_the_files_in_its_own_way(desk: Desk) -> None:
    repo = desk.lab
    staged(desk, "a", write("a1", "1\n"), write("a2", "2\n"))
    staged(desk, "b", write("b1", "1\n"))
    staged(desk, "c")
    for path in ("a1", "a2", "b1"):
        repo.write(path, "mine\n")
    fault = refused(desk, "dirty", "a", "b", "c", atomic=True)
    told = {
        row["session"]: ([p["path"] for p in row["data"]["paths"]], row["hint"])
        for row in rows(fault, "refused")
    }
    assert told == {
        "a": (["a1", "a2"], "mv -n a1 a1.mine && mv -n a2 a2.mine"),
        "b": (["b1"], "mv -n b1 b1.mine"),
    }
    for _, hint in told.values():
        typed(hint, repo.path)
    assert who(land(desk, "a", "b", "c", atomic=True), "landed") == ["a", "b", "c"]
    assert repo.read("a2.mine") == b"mine\n"


def test_a_session_that_cannot_be_read_is_told_of(repo: Lab) -> None:
    repo.git("update-ref", "refs/slip/sessions/broken", "HEAD")
    for words in (("land", "--all"), ("list",)):
        reply = repo.slip(*words)
        assert reply.err.startswith(b"slip: broken cannot be read and is passed over")


def test_what_is_left_to_be_decided_does_not_pass_for_nothing(desk: Desk, *, atomic: bool) -> None:
    """Until then the session may hold what the branch has, and nothing else."""
    desk.lab.commit({"a": "base\n"})
    staged(desk, "mine", write("a", "mine\n"))
    desk.lab.commit({"a": "theirs\n"})
    assert desk.call("rebase", session="mine")["changes"] == []
    fault = refused(desk, "conflict", "mine", atomic=atomic)
    assert who(fault, "refused") == ["mine"]
    assert open_sessions(desk.lab) == ["mine"]


def test_the_text_tells_of_each(desk: Desk) -> None:
    meeting(desk)
    reply = desk.lab.slip("land", "a", "b", "c", expect=3)
    said = reply.err.decode()
    assert "refused: b (conflict); landed: a, c" in said
    assert "  a landed on main as " in said
    assert "  c landed on main as " in said
    assert "  b: conflict: b conflicts with main: README.md" in said
    assert reply.out == b""


def test_atomic_with_a_conflict_in_the_middle(desk: Desk) -> None:
    repo = desk.lab
    meeting(desk)
    fault = unchanged(desk, "conflict", "a", "b", "c", atomic=True)
    assert fault.data["atomic"] is True
    assert fault.data["landed"] == []
    (row,) = rows(fault, "refused")
    assert row["session"] == "b"
    assert "b conflicts with a, which lands first: README.md" in row["message"]
    assert row["data"]["onto_commit"] == repo.oid("main")
    assert row["data"]["sides"] == {"ours": "a", "theirs": "b"}
    (file,) = row["data"]["files"]
    assert file["by"] == [{"session": "a", "author": "", "subject": "Do a"}]
    assert "by a: Do a" in repo.slip("land", "a", "b", "--atomic", expect=3).err.decode()
    # The others alone.
    assert who(land(desk, "a", "c", atomic=True), "landed") == ["a", "c"]


def test_atomic_tells_a_conflict_with_the_branch_as_commit_does(desk: Desk) -> None:
    meeting(desk)
    oid = desk.lab.commit({"README.md": "# changed\n"}, "theirs")
    fault = unchanged(desk, "conflict", "c", "a", "b", atomic=True)
    assert who(fault, "refused") == ["a", "b"]
    own = desk.commit_refused("conflict", session="a")
    assert rows(fault, "refused")[0]["data"] == json.loads(json.dumps(own.data))
    assert rows(fault, "refused")[0]["data"]["files"][0]["by"][0]["commit"] == oid


def test_a_file_in_the_way(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    staged(desk, "a")
    staged(desk, "b", replace("README.md", "Demo", "demo"))
    staged(desk, "c")
    repo.write("README.md", "mine\n")
    fault = refused(desk, "dirty", "a", "b", "c", atomic=atomic)
    assert fault.exit_status == 1
    (row,) = rows(fault, "refused")
    assert (row["session"], row["hint"]) == ("b", "slip capture -s b README.md")
    assert repo.read("README.md") == b"mine\n"
    assert subjects(repo) == ([] if atomic else ["Do a", "Do c"])
    assert open_sessions(repo) == (["a", "b", "c"] if atomic else ["b"])
    # The hint works: what is captured is in nobody's way.
    repo.slip("undo", "-s", "b")
    repo.slip("capture", "-s", "b", "README.md")
    assert "b" in who(land(desk, *open_sessions(repo), atomic=atomic), "landed")
    assert repo.git("show", "main:README.md") == "mine"


def test_a_file_that_two_of_them_change_is_brought_along_once(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    repo.commit({"long": "".join(f"{number}\n" for number in range(20))})
    staged(desk, "a", replace("long", "\n3\n", "\nthree\n"))
    staged(desk, "b", replace("long", "\n15\n", "\nfifteen\n"))
    told = land(desk, "a", "b", atomic=atomic)
    assert [row["checkout"] for row in told["landed"]] == ["updated", "updated"]
    assert b"three" in repo.read("long")
    assert b"fifteen" in repo.read("long")
    assert repo.git("status", "--porcelain") == ""


def test_what_any_of_them_captured_is_not_in_the_way(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    repo.commit({"x": "1\n", "y": "1\n"})
    staged(desk, "a")
    repo.write("x", "edited\n")
    desk.begin("b", title="Do b")
    desk.call("capture", session="b", paths=("x",))
    land(desk, "a", "b", atomic=atomic)
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("show", "main:x") == "edited"


def test_a_busy_worktree_refuses_all_of_its_branch(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    staged(desk, "a")
    staged(desk, "b")
    (repo.git_dir / "rebase-merge").mkdir()
    (repo.git_dir / "rebase-merge" / "head-name").write_text("refs/heads/main\n")
    fault = refused(desk, "dirty", "a", "b", atomic=atomic)
    assert who(fault, "refused") == ["a", "b"]
    assert open_sessions(repo) == ["a", "b"]


def test_linked_worktrees_follow(desk: Desk, linked_repo: Lab, *, atomic: bool) -> None:
    repo = desk.lab
    staged(desk, "a", onto="side")
    staged(desk, "b", onto="side")
    land(desk, "a", "b", atomic=atomic)
    assert linked_repo.read("a") == b"a\n"
    assert linked_repo.read("b") == b"b\n"
    assert linked_repo.git("status", "--porcelain") == ""
    assert repo.oid("side~2") == repo.oid("main")


def test_several_branches(desk: Desk) -> None:
    repo = desk.lab
    repo.git("branch", "side")
    staged(desk, "a")
    staged(desk, "b", onto="side")
    staged(desk, "c", onto="new")
    fault = unchanged(desk, "unsupported", "a", "b", "c", atomic=True)
    assert fault.hint == "slip land a --atomic"
    assert len(land(desk, "a", "b", "c")["landed"]) == 3
    assert [subjects(repo, name) for name in ("main", "side", "new")] == [
        ["Do a"],
        ["Do b"],
        ["Do c"],
    ]


def test_a_branch_that_the_first_of_them_makes(desk: Desk, *, atomic: bool) -> None:
    staged(desk, "a", onto="new")
    staged(desk, "b", onto="new")
    land(desk, "a", "b", atomic=atomic)
    assert subjects(desk.lab, "new") == ["Do a", "Do b"]


def test_an_unborn_branch(unborn_repo: Lab, store: str, *, atomic: bool) -> None:
    desk = Desk(unborn_repo, store)
    staged(desk, "a")
    staged(desk, "b")
    land(desk, "a", "b", atomic=atomic)
    assert unborn_repo.git("log", "--reverse", "--format=%s").splitlines() == ["Do a", "Do b"]
    assert unborn_repo.git("status", "--porcelain") == ""


def test_a_bare_repository(bare_repo: Lab, store: str, *, atomic: bool) -> None:
    desk = Desk(bare_repo, store)
    staged(desk, "a")
    staged(desk, "b")
    told = land(desk, "a", "b", atomic=atomic)
    assert {row["checkout"] for row in told["landed"]} == {"not-checked-out"}
    assert subjects(bare_repo) == ["Do a", "Do b"]


def test_keep_and_no_checkout(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    staged(desk, "a")
    staged(desk, "b")
    told = land(desk, "a", "b", keep=True, no_checkout=True, atomic=atomic)
    assert [row["behind_worktrees"] for row in told["landed"]] == [[str(repo.path)]] * 2
    assert open_sessions(repo) == ["a", "b"]
    assert "a" not in repo.files()
    assert subjects(repo) == ["Do a", "Do b"]
    again = land(desk, "a", "b", atomic=atomic)
    assert who(again, "skipped") == ["a", "b"]


def test_a_dry_run_tells_what_would_be(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    meeting(desk)
    staged(desk, "d", write("README.md", "other\n"), write("mine", "1\n"))
    repo.write("c", "in the way\n")
    fault = unchanged(desk, "conflict", "a", "b", "c", "d", dry_run=True, atomic=atomic)
    assert who(fault, "landed") == ([] if atomic else ["a"])
    assert sorted(who(fault, "refused")) == ["b", "c", "d"]
    repo.write("c", None)
    staged(desk, "e")
    before = repo.refs(), repo.snapshot()
    told = land(desk, "a", "e", dry_run=True, atomic=atomic)
    assert (repo.refs(), repo.snapshot()) == before
    assert (told["dry_run"], who(told, "landed")) == (True, ["a", "e"])
    real = land(desk, "a", "e", atomic=atomic)
    assert [r["commit"] for r in told["landed"]] == [r["commit"] for r in real["landed"]]


# --- hooks and signatures -------------------------------------------------------------------------


def hook(repo: Lab, name: str, script: str) -> None:
    place = repo.git_dir / "hooks" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


def test_a_hook_sees_each_in_order(desk: Desk, tmp_path: Path, *, atomic: bool) -> None:
    repo = desk.lab
    hook(
        repo,
        "pre-commit",
        f"git ls-files a b c | tr '\\n' ' ' >> {tmp_path}/log; echo >> {tmp_path}/log",
    )
    hook(repo, "commit-msg", 'echo "Seen: yes" >> "$1"')
    hook(repo, "post-commit", f"echo after >> {tmp_path}/log")
    for name in ("a", "b", "c"):
        staged(desk, name)
    told = land(desk, "a", "b", "c", atomic=atomic)
    said = (tmp_path / "log").read_text().split("\n")
    seen = [line.strip() for line in said if line.strip() and line != "after"]
    assert seen == ["a", "a b", "a b c"]
    assert said.count("after") == 3
    assert [repo.message(row["commit"]) for row in told["landed"]] == [
        f"Do {name}\nSeen: yes\n" for name in ("a", "b", "c")
    ]
    assert all(
        [run["name"] for run in row["hooks"]] == ["pre-commit", "commit-msg", "post-commit"]
        for row in told["landed"]
    )


def test_a_hook_sees_those_before_as_head(desk: Desk, tmp_path: Path, *, atomic: bool) -> None:
    repo = desk.lab
    seen = "$(git log --format=%s -1) $(git diff --cached --name-only HEAD | xargs)"
    hook(repo, "pre-commit", f'echo "before $(git symbolic-ref -q HEAD) {seen}" >> {tmp_path}/log')
    hook(repo, "post-commit", f'echo "after {seen}" >> {tmp_path}/log')
    for name in ("a", "b", "c"):
        staged(desk, name)
    land(desk, "a", "b", "c", atomic=atomic)
    lines = (tmp_path / "log").read_text().splitlines()
    main = "" if atomic else "refs/heads/main"
    assert [line for line in lines if line.startswith("before")] == [
        "before refs/heads/main start a", f"before {main} Do a b", f"before {main} Do b c",
    ]  # fmt: skip
    assert [line for line in lines if line.startswith("after")] == [
        f"after Do {name} " for name in "abc"
    ]


def test_a_hook_that_refuses_one(desk: Desk, *, atomic: bool) -> None:
    repo = desk.lab
    hook(repo, "pre-commit", "! git diff --cached --name-only HEAD | grep -q '^b$'")
    for name in ("a", "b", "c"):
        staged(desk, name)
    fault = refused(desk, "hook-failed", "a", "b", "c", atomic=atomic)
    (row,) = rows(fault, "refused")
    assert (row["session"], row["code"]) == ("b", "hook-failed")
    again = "slip land a b c --atomic" if atomic else "slip commit -s b -m 'Do b'"
    assert row["hint"] == again
    assert subjects(repo) == ([] if atomic else ["Do a", "Do c"])
    assert open_sessions(repo) == (["a", "b", "c"] if atomic else ["b"])
    told = land(desk, *open_sessions(repo), no_verify=True, atomic=atomic)
    assert told["refused"] == []
    assert sorted(subjects(repo)) == ["Do a", "Do b", "Do c"]


def test_what_a_hook_stages_is_under_what_follows(desk: Desk, *, atomic: bool) -> None:
    """A formatter changes what the first lands; the second merges with that."""
    repo = desk.lab
    hook(repo, "pre-commit", "date >/dev/null; echo formatted > style; git add style")
    staged(desk, "a")
    staged(desk, "b")
    told = land(desk, "a", "b", atomic=atomic)
    assert [c["path"] for c in told["landed"][0]["changes"]] == ["a", "style"]
    assert [c["path"] for c in told["landed"][1]["changes"]] == ["b"]
    assert repo.git("show", "main~1:style") == "formatted"
    assert repo.git("status", "--porcelain") == ""


def test_a_conflict_is_told_before_any_hook_runs(desk: Desk, tmp_path: Path) -> None:
    meeting(desk)
    hook(desk.lab, "pre-commit", f"touch {tmp_path}/ran")
    unchanged(desk, "conflict", "a", "b", "c", atomic=True)
    assert not (tmp_path / "ran").exists()


def test_the_branch_moves_while_hooks_run(desk: Desk, tmp_path: Path) -> None:
    """All of it is computed anew on what the branch is then."""
    repo = desk.lab
    staged(desk, "a")
    staged(desk, "b")
    once = f"test -e {tmp_path}/ran && exit 0; touch {tmp_path}/ran"
    elsewhere = f"cd {repo.path} && env -u GIT_DIR -u GIT_INDEX_FILE -u GIT_WORK_TREE"
    hook(
        repo,
        "pre-commit",
        f"{once}; {elsewhere} git commit -q --no-verify --allow-empty -m between",
    )
    told = land(desk, "a", "b", atomic=True)
    assert subjects(repo) == ["between", "Do a", "Do b"]
    assert len(told["landed"]) == 2


def test_signed(desk: Desk, tmp_path: Path, *, atomic: bool) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen (openssh-client) is not installed")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text("ada@example.com " + key.with_suffix(".pub").read_text())
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(allowed)),
    ):
        desk.lab.git("config", name, value)
    for name in ("a", "b", "c"):
        staged(desk, name)
    told = land(desk, "a", "b", "c", sign=True, atomic=atomic)
    assert len(told["landed"]) == 3
    for row in told["landed"]:
        desk.lab.git("verify-commit", row["commit"])


# --- others at the same time ----------------------------------------------------------------------


def test_two_at_once(repo: Lab, children: Children, *, atomic: bool) -> None:
    """Each session lands once, whoever gets to it first."""
    desk = Desk(repo, "git")
    names = [f"n{number}" for number in range(8)]
    for name in names:
        staged(desk, name)
    word = ["--atomic"] if atomic else []
    orders = (names, names[::-1])
    started = [repo.start(children, "land", *word, *order) for order in orders]
    for child in started:
        assert child.wait(120) == 0
    assert sorted(subjects(repo)) == sorted(f"Do {name}" for name in names)
    assert sorted(noted(repo).values()) == names
    assert open_sessions(repo) == []
    assert repo.git("status", "--porcelain") == ""


def test_the_branch_moves_between_merge_and_transaction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = desk.lab
    staged(desk, "a")
    staged(desk, "b")
    real = publishing.publish
    moved: list[str] = []

    def publish(*arguments: Free) -> list[str]:
        if not moved:
            tree = repo.git("rev-parse", "main^{tree}")
            moved.append(repo.git("commit-tree", tree, "-p", "main", "-m", "between"))
            repo.git("update-ref", "refs/heads/main", moved[0])
        return real(*arguments)

    monkeypatch.setattr(publishing, "publish", publish)
    told = land(desk, "a", "b", atomic=True)
    assert subjects(repo) == ["between", "Do a", "Do b"]
    assert told["landed"][0]["old_head"] == moved[0]


def test_a_transaction_that_fails_leaves_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    staged(desk, "a")
    staged(desk, "b")

    def commit(_self: transaction.Prepared) -> None:
        raise SlipError("git-failed", "no")

    monkeypatch.setattr(transaction.Prepared, "commit", commit)
    before = desk.lab.refs(), desk.lab.snapshot()
    refused(desk, "git-failed", "a", "b", atomic=True)
    monkeypatch.undo()
    assert (desk.lab.refs(), desk.lab.snapshot()) == before
    assert len(land(desk, "a", "b", atomic=True)["landed"]) == 2


def test_killed(repo: Lab, children: Children, *, atomic: bool) -> None:
    """Amid the effects of any of them: each landed exactly once or is open; atomic: all or none."""
    desk = Desk(repo, "git")
    pick = random.Random(1)  # noqa: S311
    word = ["--atomic"] if atomic else []
    cut = 0
    for number in range(8):
        names = [f"n{number}{letter}" for letter in "abcd"]
        for name in names:
            staged(desk, name)
        child = repo.start(children, "land", *word, *names)
        await_effects(repo, child, after=0 if atomic else number % 4)
        time.sleep(pick.uniform(0, 0.02))
        with suppress(ProcessLookupError):  # it was faster
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        repo.slip("recover")
        left = [name for name in names if name in open_sessions(repo)]
        done = [name for name in names if f"Do {name}" in subjects(repo)]
        assert done + left == names
        assert len(subjects(repo)) == len(set(subjects(repo)))
        assert not atomic or done in ([], names)
        assert repo.git("status", "--porcelain") == ""
        cut += bool(left)
        if left:
            land(desk, *left)
    assert cut
    assert not fsck(repo)


def await_effects(repo: Lab, child: Started, after: int) -> None:
    """Until the landing that comes after so many has written its intent, or all is over."""
    main = repo.path / ".git/refs/heads/main"
    intents = repo.path / ".git/slip/intents"
    seen = {main.read_bytes()}
    while child.poll() is None:
        with suppress(FileNotFoundError):
            seen.add(main.read_bytes())
        if len(seen) > after and intents.is_dir() and any(intents.glob("*.json")):
            return
        time.sleep(0.0005)
