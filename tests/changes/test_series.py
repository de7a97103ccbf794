"""`slip commit --series`: one commit for each label, the last with the tree of the single one."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from tests.desk import Desk, Free, Json, batch, delete, move, replace, write
from tests.lab import Lab, Script, typed

LINES = [f"line {n}\n" for n in range(1, 41)]
TEXT = "".join(LINES)


def changed(number: int, to: str, path: str = "long.txt") -> Json:
    """One line of the long file, which every other leaves alone."""
    return replace(path, f"line {number}\n", f"{to} {number}\n")


@pytest.fixture
def long_desk(desk: Desk) -> Desk:
    """A file of many lines on `main`, and a session `s`."""
    desk.lab.commit({"long.txt": TEXT, "b.txt": "b\n"}, "long")
    desk.begin("s")
    return desk


def land(desk: Desk, *message: str, **values: Free) -> Json:
    return desk.call("commit", session="s", message=message, series=True, **values)


def refused(desk: Desk, code: str, *message: str, **values: Free) -> SlipError:
    return desk.refused(code, "commit", session="s", message=message, series=True, **values)


def subjects(repo: Lab, since: str, branch: str = "main") -> list[str]:
    return repo.git("log", "--reverse", "--format=%s", f"{since}..{branch}").splitlines()


def note(repo: Lab, commit: str) -> Json:
    found = json.loads(repo.git("notes", "--ref=slip/landed", "show", commit))
    assert isinstance(found, dict)
    return found


def hook(repo: Lab, name: str, script: str) -> None:
    place: Path = repo.path / ".git/hooks"
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{script}\n")
    (place / name).chmod(0o755)


# --- groups ---------------------------------------------------------------------------------------


def test_a_commit_for_each_label_by_first_appearance_and_the_rest_last(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    before = repo.oid("main")
    desk.apply(changed(3, "loose"), session="s")
    desk.apply(changed(10, "first"), session="s", group="First thing")
    desk.apply(changed(20, "second"), write("new.txt", "new\n"), session="s", group="Second thing")
    desk.apply(changed(30, "first"), session="s", group="First thing")
    told = land(desk, "Why it is done.", "Closes #1")
    assert subjects(repo, before) == ["First thing", "Second thing", "Why it is done."]
    first, second, rest = told["commits"]
    assert told["commit"] == rest == repo.oid("main")
    assert repo.message(first) == "First thing\n\nWhy it is done.\n\nCloses #1\n"
    assert repo.message(rest) == "Why it is done.\n\nCloses #1\n"
    assert [row["group"] for row in told["series"]] == ["First thing", "Second thing", None]
    assert [row["steps"] for row in told["series"]] == [[2, 4], [3], [1]]
    assert [row["paths"] for row in told["series"]] == [
        ["long.txt"], ["long.txt", "new.txt"], ["long.txt"],
    ]  # fmt: skip
    texts = [repo.tree(oid)["long.txt"].decode() for oid in (first, second, rest)]
    assert ["loose" in text for text in texts] == [False, False, True]
    assert ["second" in text for text in texts] == [False, True, True]
    assert all(text.count("first") == 2 for text in texts)
    assert "new.txt" not in repo.tree(first)
    assert repo.read("long.txt").decode() == texts[2]
    assert repo.git("status", "--porcelain") == ""
    session = note(repo, first)
    assert session["session"] == "s"
    assert (session["group"], session["steps"]) == ("First thing", [2, 4])
    assert "group" not in note(repo, rest)
    assert note(repo, rest)["steps"] == [1]
    closed = repo.git("log", "-1", "--format=%(trailers:key=Slip-Landed,valueonly)",
                      "refs/slip/closed/s/1")  # fmt: skip
    assert closed.strip() == rest
    again = land(desk, "again")
    assert again["already"]
    assert again["commit"] == rest


def test_the_last_tree_is_that_of_one_commit_also_where_the_branch_has_moved(
    long_desk: Desk,
) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(move("b.txt", "c.txt"), session="s", group="B")
    desk.apply(changed(30, "a"), replace("c.txt", "b", "bb"), session="s", group="A")
    head = repo.commit({"long.txt": "top\n" + TEXT, "other.txt": "1\n"}, "meanwhile")
    single = desk.call("commit", session="s", message=("one",), dry_run=True)
    # In the order of the labels A edits b.txt under the name that it has until B.
    told = land(desk)
    assert told["tree"] == single["tree"]
    assert told["merged"]
    first, last = told["commits"]
    assert repo.git("rev-parse", f"{last}^", f"{first}^").splitlines() == [first, head]
    assert repo.tree(first)["b.txt"] == b"bb\n"
    assert repo.tree(last)["c.txt"] == b"bb\n"
    assert repo.tree(first)["long.txt"].startswith(b"top\n")


def test_undone_steps_are_no_part_of_it_and_redone_ones_are(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    before = repo.oid("main")
    for number, label in ((5, "A"), (15, "B"), (25, "A"), (35, "C")):
        desk.apply(changed(number, label), session="s", group=label)
    desk.call("undo", session="s", step="2")
    desk.call("undo", session="s", step="4")
    desk.call("redo", session="s")
    told = land(desk)
    assert subjects(repo, before) == ["A", "C"]
    assert [row["steps"] for row in told["series"]] == [[1, 3], [4]]
    text = repo.read("long.txt").decode()
    assert "B 15" not in text
    assert "C 35" in text


def test_a_label_that_comes_to_nothing_makes_no_commit_and_is_told_of(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    before = repo.oid("main")
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(write("tmp.txt", "t\n"), session="s", group="Try")
    desk.apply(delete("tmp.txt"), session="s", group="Try")
    told = land(desk)
    assert subjects(repo, before) == ["A"]
    assert len(told["commits"]) == 1
    assert told["warnings"] == ["'Try' (2, 3) change nothing: no commit"]


def test_what_the_branch_has_already_makes_no_commit(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(changed(30, "b"), session="s", group="B")
    head = repo.commit({"long.txt": TEXT.replace("line 10\n", "a 10\n")}, "A by hand")
    told = land(desk)
    assert subjects(repo, head) == ["B"]
    assert told["warnings"] == ["'A' (1) change nothing: no commit"]
    repo.slip("reopen", "s")
    assert not land(desk)["committed"]


def test_groups_that_cannot_be_had_apart_are_a_conflict_that_names_them(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(changed(20, "b"), session="s", group="B")
    desk.apply(replace("long.txt", "b 20", "b 20 and a"), session="s", group="A")
    before = repo.snapshot(), repo.refs()
    fault = refused(desk, "conflict", "because")
    assert (repo.snapshot(), repo.refs()) == before
    assert fault.data["groups"] == ["A", "B"]
    assert "'A' and 'B' of s cannot be had apart: long.txt" in fault.message
    files: Free = fault.data["files"]
    assert [file["path"] for file in files] == ["long.txt"]
    assert fault.hint is not None
    assert "--series" not in fault.hint
    typed(fault.hint, repo.path)
    assert "b 20 and a" in repo.read("long.txt").decode()
    assert repo.message() == "because\n"


def test_groups_that_undo_each_other_are_a_conflict_that_names_them(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(replace("b.txt", "b", "x"), session="s", group="A")
    desk.apply(replace("b.txt", "x", "b"), session="s", group="B")
    desk.apply(replace("b.txt", "b", "x"), session="s", group="A")
    before = repo.snapshot(), repo.refs()
    fault = refused(desk, "conflict")
    assert (repo.snapshot(), repo.refs()) == before
    assert fault.data["groups"] == ["A", "B"]
    assert fault.data["files"] == [{"path": "b.txt", "kind": "content"}]
    assert shlex.split(fault.hint or "")[-2:] == ["-m", "MESSAGE"]


def test_a_group_that_conflicts_with_the_branch_by_itself_is_refused(long_desk: Desk) -> None:
    """The whole merges, because a later group takes back what collides."""
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(replace("long.txt", "a 10\n", "line 10\n"), changed(30, "b"),
               session="s", group="B")  # fmt: skip
    repo.commit({"long.txt": TEXT.replace("line 10\n", "theirs 10\n")}, "meanwhile")
    before = repo.snapshot(), repo.refs()
    fault = refused(desk, "conflict")
    assert (repo.snapshot(), repo.refs()) == before
    assert fault.data["groups"] == ["A"]
    assert fault.data["onto"] == "refs/heads/main"
    assert fault.data["files"][0]["hunks"]  # type: ignore[index]
    typed(f"{fault.hint} -m together" if "-m" not in str(fault.hint) else fault.hint, repo.path)


# --- how it is asked for --------------------------------------------------------------------------


def test_dry_run_shows_the_series_and_changes_nothing(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(changed(30, "b"), session="s")
    before = repo.snapshot(), repo.refs()
    told = land(desk, "rest", dry_run=True)
    assert (repo.snapshot(), repo.refs()) == before
    assert not told["committed"]
    assert [row["subject"] for row in told["series"]] == ["A", "rest"]
    done = land(desk, "rest")
    assert done["commits"] == told["commits"]


def test_steps_without_a_label_need_a_message_or_a_title(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(changed(30, "b"), session="s")
    fault = refused(desk, "usage")
    assert "(2)" in fault.message
    assert shlex.split(fault.hint or "")[-3:] == ["-m", "MESSAGE", "--series"]
    desk.begin("titled", title="The rest")
    desk.apply(changed(12, "a"), session="titled", group="A")
    desk.apply(changed(32, "b"), session="titled")
    before = repo.oid("main")
    desk.call("commit", session="titled", series=True)
    assert subjects(repo, before) == ["A", "The rest"]
    assert repo.message("main^") == "A\n"


def test_a_message_from_a_file_and_trailers_are_in_every_commit(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(changed(30, "b"), session="s", group="B")
    land(desk, message_file=b"Body\nof two lines\n", trailer=("Bot=mod/1",), signoff=True)
    ending = "Body\nof two lines\n\nBot: mod/1\nSigned-off-by: Ada Test <ada@example.com>\n"
    assert repo.message("main^") == f"A\n\n{ending}"
    assert repo.message("main") == f"B\n\n{ending}"


def test_series_goes_with_neither_merge_nor_each_alone(long_desk: Desk) -> None:
    desk = long_desk
    desk.apply(changed(10, "a"), session="s", group="A")
    fault = refused(desk, "usage", merge=True)
    assert shlex.split(fault.hint or "") == ["slip", "commit", "-s", "s", "--series"]
    fault = desk.refused("usage", "commit", session="s", message=("m",), each=True)
    assert shlex.split(fault.hint or "")[:5] == ["slip", "commit", "-s", "s", "--series"]


def test_without_labels_it_is_one_commit(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    before = repo.oid("main")
    desk.apply(changed(10, "a"), session="s")
    desk.apply(replace("long.txt", "a 10", "b 10"), session="s")
    assert len(land(desk, "one")["commits"]) == 1
    assert subjects(repo, before) == ["one"]


def test_keep_onto_and_an_unborn_branch(long_desk: Desk, unborn_repo: Lab, store: str) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(changed(30, "b"), session="s", group="B")
    told = land(desk, keep=True, onto="bot/new")
    assert told["checkout"] == "not-checked-out"
    assert subjects(repo, "main", "bot/new") == ["A", "B"]
    assert "refs/slip/sessions/s" in repo.refs()
    other = Desk(unborn_repo, store)
    other.begin("s")
    other.apply(write("a", "1\n"), session="s", group="A")
    other.apply(write("b", "1\n"), session="s", group="B")
    land(other)
    assert unborn_repo.git("log", "--reverse", "--format=%s").splitlines() == ["A", "B"]
    assert unborn_repo.git("status", "--porcelain") == ""


def test_an_adopted_branch_lands_again_as_its_commits(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    repo.git("checkout", "--quiet", "-b", "work")
    for number, said in ((10, "Ten\n\nAs asked for.\n"), (20, "Same"), (30, "Same")):
        text = repo.read("long.txt").decode().replace(f"line {number}\n", f"new {number}\n")
        repo.commit({"long.txt": text}, said)
    repo.git("checkout", "--quiet", "main")
    base = repo.commit({"b.txt": "moved\n"}, "meanwhile")
    desk.call("adopt", branch="work", name="w", onto="main")
    desk.call("commit", session="w", series=True)
    assert subjects(repo, base) == ["Ten", "Same", "Same"]
    assert repo.message("main~2") == "Ten\n\nAs asked for.\n"
    wanted = repo.tree("work")["long.txt"]
    assert repo.read("long.txt") == wanted


# --- hooks and signatures -------------------------------------------------------------------------


def test_hooks_see_each_commit_on_the_one_before(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    log = repo.path.parent / "log"
    hook(repo, "pre-commit", f'echo "$(git diff --cached --name-only | tr "\\n" " ")" >> {log}')
    hook(repo, "commit-msg", 'echo "Seen: yes" >> "$1"')
    hook(repo, "post-commit", f'echo "after $(git log -1 --format=%B | head -1)" >> {log}')
    before = repo.oid("main")
    desk.apply(write("one.txt", "1\n"), session="s", group="A")
    desk.apply(write("two.txt", "2\n"), session="s", group="B")
    told = land(desk)
    assert log.read_text().splitlines() == ["one.txt ", "two.txt ", "after A", "after B"]
    assert [repo.message(oid) for oid in told["commits"]] == ["A\nSeen: yes\n", "B\nSeen: yes\n"]
    assert [run["name"] for run in told["hooks"]] == [
        "pre-commit", "commit-msg", "pre-commit", "commit-msg", "post-commit", "post-commit",
    ]  # fmt: skip
    assert repo.git("rev-list", f"{before}..main").split() == told["commits"][::-1]


def test_what_a_hook_changes_goes_on_into_the_next_commit(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    repo.commit({"version": "0\n"}, "version")
    hook(repo, "pre-commit", "echo $(($(cat version) + 1)) > version && git add version")
    desk.begin("t")
    desk.apply(write("one.txt", "1\n"), session="t", group="A")
    desk.apply(write("two.txt", "2\n"), session="t", group="B")
    told = desk.call("commit", session="t", series=True)
    assert [repo.tree(oid)["version"] for oid in told["commits"]] == [b"1\n", b"2\n"]


def test_a_hook_that_refuses_one_commit_refuses_all(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    hook(repo, "commit-msg", 'if grep -q "^B" "$1"; then echo "not B" >&2; exit 1; fi')
    desk.apply(write("one.txt", "1\n"), session="s", group="A")
    desk.apply(write("two.txt", "2\n"), session="s", group="B")
    before = repo.snapshot(), repo.refs()
    fault = refused(desk, "hook-failed", "body")
    assert (repo.snapshot(), repo.refs()) == before
    assert fault.data["hook"] == "commit-msg"
    assert shlex.split(fault.hint or "") == [
        "slip", "commit", "-s", "s", "--series", "-m", "body",
    ]  # fmt: skip


def test_a_dirty_file_refuses_all_of_it(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    desk.apply(changed(10, "a"), session="s", group="A")
    desk.apply(replace("b.txt", "b", "x"), session="s", group="B")
    repo.write("b.txt", "mine\n")
    before = repo.snapshot(), repo.refs()
    refused(desk, "dirty")
    assert (repo.snapshot(), repo.refs()) == before


def test_modes_links_and_bytes_go_through_a_series(long_desk: Desk) -> None:
    desk, repo = long_desk, long_desk.lab
    repo.commit({"run": Script(b"#!/bin/sh\n")}, "script")
    desk.begin("m")
    desk.apply({"op": "chmod", "path": "run", "mode": "100644"}, session="m", group="A")
    desk.apply({"op": "symlink", "path": "link", "target": "run"}, session="m", group="B")
    desk.apply(write("raw.bin", b"\0\xff"), session="m", group="A")
    told = desk.call("commit", session="m", series=True)
    rows = [repo.entries(oid) for oid in told["commits"]]
    assert rows[0]["run"][0] == "100644"
    assert "link" not in rows[0]
    assert rows[1]["link"][0] == "120000"
    assert repo.tree(told["commits"][0])["raw.bin"] == b"\0\xff"


# --- exec -----------------------------------------------------------------------------------------


def test_a_batch_whose_ops_have_labels_lands_as_a_series(desk: Desk) -> None:
    repo = desk.lab
    before = repo.oid("main")
    ops = [
        {**write("a.txt", "a\n"), "group": "First"},
        {**write("b.txt", "b\n"), "group": "Second"},
        {**replace("a.txt", "a", "aa"), "group": "First"},
        write("c.txt", "c\n"),
    ]
    told = desk.call("exec", ops=batch(*ops), message=("The rest",), series=True)
    assert subjects(repo, before) == ["First", "Second", "The rest"]
    assert told["commit"]["commits"] == repo.git("rev-list", "--reverse", f"{before}..").split()
    assert told["apply"]["step"] == 4
    assert [row["op"] for row in told["apply"]["ops"]] == ["write", "write", "str_replace", "write"]
    assert repo.tree("main~2")["a.txt"] == b"aa\n"
    desk.call("exec", ops=batch({**write("d.txt", "d\n"), "group": "Alone"}), series=True)
    assert repo.message() == "Alone\n"


def test_a_batch_with_labels_fails_as_a_whole(desk: Desk) -> None:
    before = desk.lab.snapshot(), desk.lab.refs()
    ops = [
        {**write("a.txt", "a\n"), "group": "First"},
        {**replace("a.txt", "zzz", "aa"), "group": "Second"},
        {**replace("README.md", "zzz", "aa"), "group": "Third"},
    ]
    fault = desk.refused("batch", "exec", ops=batch(*ops), message=("m",), series=True)
    rows: Free = fault.data["ops"]
    assert [row["index"] for row in rows] == [1, 2]
    fault = desk.refused("bad-op", "exec", ops=batch({**write("a", "1"), "group": 1}))
    assert "$.ops[0].group" in fault.message
    assert "--group" in desk.apply_refused("bad-op", {**write("a", "1"), "group": "A"}).message
    assert (desk.lab.snapshot(), desk.lab.refs()) == before


def test_a_refused_series_of_exec_stays_open_with_its_steps(desk: Desk) -> None:
    desk.lab.write("README.md", "mine\n")
    ops = [
        {**write("a.txt", "a\n"), "group": "First"},
        {**write("README.md", "x\n"), "group": "Second"},
    ]
    fault = desk.refused("dirty", "exec", ops=batch(*ops), series=True)
    name = str(fault.data["session"])
    assert [row["group"] for row in desk.call("log", session=name)["steps"]] == ["First", "Second"]
    desk.lab.git("checkout", "--quiet", "README.md")
    assert len(desk.call("commit", session=name, series=True)["commits"]) == 2


def test_exec_splits_by_itself(desk: Desk) -> None:
    repo = desk.lab
    before = repo.oid("main")
    ops = batch(write("x/a", "1\n"), write("y/b", "2\n"), write("c", "3\n"))
    told = desk.call("exec", ops=ops, message=("Why",), series=True, split="directory",
                     label="Touch {}")  # fmt: skip
    assert subjects(repo, before) == ["Touch .", "Touch x/", "Touch y/"]
    assert told["apply"]["step"] == 3
    desk.refused("usage", "exec", ops=ops, message=("m",), series=True, split="size")
    labelled = batch({**write("x/a", "2\n"), "group": "G"})
    desk.refused("usage", "exec", ops=labelled, message=("m",), series=True, split="path")


def test_labels_that_a_rebase_with_a_conflict_took_are_told(repo: Lab) -> None:
    repo.commit(dict.fromkeys("abc", "1\n2\n3\n"), "three")
    repo.slip("begin", "s")
    for name in "abc":
        words = ("sub", "-s", "s", "--group", f"Change {name}", "--word", "2", "two", name)
        repo.slip(*words)
    repo.commit({"a": "1\nTWO\n3\n"}, "theirs")
    repo.slip("rebase", "-s", "s")
    repo.slip("resolve", "-s", "s", "--theirs", "a", "--group", "Change a")
    told = repo.slip("commit", "-s", "s", "--series", "-m", "The rest")
    assert (
        "no commit is made for: Change b, Change c (slip split --by path -s s" in told.err.decode()
    )
    assert repo.git("log", "--format=%s", "-2").split("\n") == ["The rest", "Change a"]
