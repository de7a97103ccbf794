"""Staging over real repositories: what a batch leaves in trees and refs, and what it leaves be."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.desk import STORES, Desk, batch, delete, move, replace, write
from tests.lab import Content, Ground, Lab, Link, Script

ALL_KINDS: dict[str, Content] = {
    "crlf.txt": b"one\r\ntwo\r\n",
    "mixed.txt": b"one\r\ntwo\nthree",
    "bom.txt": b"\xef\xbb\xbfone\n",
    "latin.txt": b"caf\xe9\n",
    "nul.bin": b"\0one\0",
    "feed.txt": b"one\x0ctwo\n",
    "empty": b"",
    "run.sh": Script(b"#!/bin/sh\n"),
    "link": Link("crlf.txt"),
    "d/deep/file": b"deep\n",
}


def test_a_step_is_the_tree_git_would_have_made(desk: Desk) -> None:
    repo = desk.lab
    repo.commit(ALL_KINDS)
    before = repo.snapshot()
    desk.begin("work")
    made = desk.apply(
        replace("crlf.txt", "one\ntwo", "1\n2\n3"),
        replace("mixed.txt", "three", "3"),
        replace("bom.txt", "one", "1"),
        {"op": "str_replace", "path": "latin.txt", "old_b64": "6Q==", "new": "e"},
        replace("nul.bin", "one", "two"),
        replace("feed.txt", "two", "2"),
        write("empty", "no more\n"),
        replace("run.sh", "/bin/sh", "/bin/bash"),
        {"op": "symlink", "path": "link", "target": "mixed.txt"},
        delete("d/deep/file"),
        move("README.md", "docs/README.md"),
        {"op": "copy", "path": "src/app.py", "to": "src/copy.py"},
        {"op": "chmod", "path": "src/app.py", "mode": "100755"},
    )
    assert repo.snapshot() == before
    tip = "refs/slip/sessions/work"
    assert repo.oid(f"{tip}^{{tree}}") == made["tree"]
    assert repo.oid(tip) == made["commit"]
    # The same by hand, in a clone's worktree.
    hand = Lab(repo.path.parent / "hand")
    repo.git("clone", "--quiet", ".", str(hand.path))
    changes: dict[str, bytes | str | None] = {
        "crlf.txt": b"1\r\n2\r\n3\r\n",
        "mixed.txt": b"one\r\ntwo\n3",
        "bom.txt": b"\xef\xbb\xbf1\n",
        "latin.txt": b"cafe\n",
        "nul.bin": b"\0two\0",
        "feed.txt": b"one\x0c2\n",
        "empty": b"no more\n",
        "run.sh": Script(b"#!/bin/bash\n"),
        "link": Link("mixed.txt"),
        "d/deep/file": None,
        "README.md": None,
        "docs/README.md": b"# Demo\n",
        "src/copy.py": repo.read("src/app.py"),
        "src/app.py": Script(repo.read("src/app.py")),
    }
    hand.commit(changes)
    assert hand.entries() == repo.entries(tip)
    assert hand.oid("HEAD^{tree}") == made["tree"]


def test_the_changes_that_are_told(desk: Desk) -> None:
    repo = desk.lab
    desk.begin()
    made = desk.apply(
        write("new.txt", "1\n2\n"),
        replace("README.md", "Demo", "demo"),
        delete("src/app.py"),
        write("tool", "x", mode="100755"),
    )
    rows = {row["path"]: row for row in made["changes"]}
    assert [row["path"] for row in made["changes"]] == sorted(rows)
    told = {p: (r["status"], r["added"], r["removed"], r.get("mode")) for p, r in rows.items()}
    assert told == {
        "README.md": ("M", 1, 1, None),
        "new.txt": ("A", 2, 0, "100644"),
        "src/app.py": ("D", 0, 2, None),
        "tool": ("A", 1, 0, "100755"),
    }
    assert rows["README.md"]["old_oid"] == repo.oid("HEAD:README.md")
    assert rows["README.md"]["new_oid"] == repo.oid("refs/slip/sessions/s1:README.md")
    assert rows["src/app.py"]["new_oid"] is None
    assert made["step"] == 1
    assert [op["index"] for op in made["ops"]] == [0, 1, 2, 3]


def test_a_refused_batch_leaves_no_trace(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    before, refs = repo.snapshot(), repo.refs()
    objects = repo.git("count-objects", "-v")
    ops = write("a", "1"), delete("none"), replace("README.md", "x", "y")
    listed: Any = desk.apply_refused("batch", *ops).data["ops"]
    assert [(row["index"], row["code"]) for row in listed] == [(1, "missing"), (2, "no-match")]
    assert repo.snapshot() == before
    assert repo.refs() == refs
    assert repo.git("count-objects", "-v") == objects


def test_a_batch_that_changes_nothing_makes_no_step(desk: Desk) -> None:
    desk.begin("work")
    tip = desk.lab.oid("refs/slip/sessions/work")
    readme = desk.lab.read("README.md")
    for ops in (
        [],
        [write("README.md", readme)],
        [write("a", "1"), delete("a")],
        [{"op": "read", "path": "README.md"}],
        [{"op": "chmod", "path": "README.md", "mode": "100644"}],
        [move("README.md", "x"), move("x", "README.md")],
    ):
        answer = desk.apply(*ops)
        assert answer["unchanged"] is True, ops
        assert (answer["step"], answer["commit"]) == (0, tip)
        assert answer["changes"] == []
    assert desk.lab.oid("refs/slip/sessions/work") == tip


def test_an_emptied_directory_is_gone_and_an_emptied_project_is_the_empty_tree(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(delete("src/app.py"))
    assert set(desk.lab.entries("refs/slip/sessions/work")) == {"README.md"}
    made = desk.apply(delete("README.md"))
    assert made["tree"] == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_dry_run_says_what_would_be_and_writes_nothing(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    refs, packs = repo.refs(), repo.git("count-objects", "-v")
    would = desk.apply(write("a", "1\n"), dry_run=True)
    assert would["dry_run"] is True
    assert (repo.refs(), repo.git("count-objects", "-v")) == (refs, packs)
    made = desk.apply(write("a", "1\n"))
    assert (made["tree"], made["changes"]) == (would["tree"], would["changes"])


@pytest.mark.parametrize(
    ("allow", "deny", "path", "denied"),
    [
        (("src/",), (), "src/x.py", False),
        (("src/",), (), "docs/x.md", True),
        (("*.py",), (), "deep/down/x.py", False),
        (("*.py",), ("tests/",), "tests/x.py", True),
        ((), ("*.lock",), "a.lock", True),
        ((), ("*.lock",), "a.txt", False),
        (("**", "!secret/"), (), "secret/x", True),
    ],
)
def test_scopes(
    desk: Desk, allow: tuple[str, ...], deny: tuple[str, ...], path: str, *, denied: bool
) -> None:
    desk.begin("work", allow=allow, deny=deny)
    if denied:
        desk.apply_refused("path-denied", write(path, "1"))
    else:
        desk.apply(write(path, "1"))


def test_sub_outside_the_scope_is_denied_and_inside_it_counts(desk: Desk) -> None:
    desk.lab.commit({"src/b.py": "return 1\n", "docs/c.md": "return 1\n"})
    desk.begin("work", allow=("src/",))
    desk.refused("path-denied", "sub", pattern="return", replacement="yield", globs=("*",))
    # No glob means every file in scope.
    made = desk.call("sub", pattern="return", replacement="yield", expect=2)
    assert (made["replaced"], made["files"]) == (2, 2)
    desk.refused("no-match", "sub", pattern="return", replacement="yield", globs=("src/",))


def test_sub_finds_what_git_grep_would_not_print(desk: Desk) -> None:
    desk.lab.commit({"crlf": b"a\r\nb\r\n", "latin": b"caf\xe9 a\n", "noeol": b"a", "bin": b"a\0"})
    desk.begin("work")
    globs = ("/crlf", "/latin", "/noeol", "/bin")
    made = desk.call("sub", pattern="a", replacement="A", globs=globs)
    assert (made["replaced"], made["files"]) == (4, 3)
    tree = desk.lab.tree("refs/slip/sessions/work")
    assert tree["latin"] == b"cAf\xe9 A\n"
    assert tree["bin"] == b"a\0"


def test_single_ops_by_their_own_commands(desk: Desk) -> None:
    desk.begin("work")
    desk.call("write", path="tool", content=b"\0\xff", executable=True)
    desk.call("mv", path="README.md", to="docs/README.md")
    desk.call("rm", paths=("src/app.py",))
    tip = "refs/slip/sessions/work"
    assert desk.lab.tree(tip) == {"docs/README.md": b"# Demo\n", "tool": b"\0\xff"}
    assert desk.lab.entries(tip)["tool"][0] == "100755"
    desk.refused("missing", "rm", paths=("src/app.py",))
    desk.refused("exists", "write", path="tool", content=b"", create="only")


def test_an_earlier_step_holds_the_version_that_an_author_read(desk: Desk) -> None:
    desk.lab.commit({"f": "a\n1\n2\n3\nz\n"})
    desk.begin("work")
    desk.apply(replace("f", "a\n", "A\n"))
    made = desk.apply(replace("f", "a\n1\n2\n3\nz\n", "a\n1\n2\n3\nZ\n"))
    assert made["ops"][0]["matched"] == "earlier-version"
    assert desk.lab.tree("refs/slip/sessions/work")["f"] == b"A\n1\n2\n3\nZ\n"
    desk.apply_refused("no-match", replace("f", "a\n1", "b\n1"))


def test_an_oid_of_any_blob_of_the_repository_is_merged_from(desk: Desk) -> None:
    desk.lab.commit({"f": "a\n1\n2\n3\nz\n"})
    read = desk.lab.oid("HEAD:f")
    desk.begin("work")
    desk.apply(replace("f", "a\n", "new\nA\n"))
    row = {"op": "replace_lines", "path": "f", "start": 5, "end": 5, "text": "Z", "oid": read}
    made = desk.apply(row)
    assert made["ops"][0]["matched"] == "earlier-version"
    assert desk.lab.tree("refs/slip/sessions/work")["f"] == b"new\nA\n1\n2\n3\nZ\n"
    desk.apply_refused("stale", {"op": "delete", "path": "f", "oid": read})


def test_overlaps_name_the_other_sessions_and_the_paths(desk: Desk) -> None:
    desk.begin("one")
    desk.begin("two")
    desk.apply(write("a", "1"), write("b", "1"), session="one")
    made = desk.apply(write("b", "2"), write("c", "2"), session="two")
    assert made["overlaps"] == [{"session": "one", "paths": ["b"]}]
    desk.call("abort", session="one")
    assert desk.apply(write("a", "2"), session="two")["overlaps"] == []


def test_read_shows_the_session_and_a_revision(desk: Desk) -> None:
    desk.lab.commit({"a:3": "x\ny\nz\n"})
    desk.begin("work")
    desk.apply(replace("README.md", "Demo", "demo"))
    told = desk.call("read", paths=("README.md", "src/app.py:2-9", "a:3"))["files"]
    assert [(row["path"], row["start"], row["end"], row["text"]) for row in told] == [
        ("README.md", 1, 1, "# demo\n"),
        ("src/app.py", 2, 2, "    return 1\n"),
        ("a:3", 1, 3, "x\ny\nz\n"),
    ]
    assert told[0]["oid"] == desk.lab.oid("refs/slip/sessions/work:README.md")
    old = desk.call("read", paths=("README.md",), rev="main")["files"][0]
    assert (old["text"], old["oid"]) == ("# Demo\n", desk.lab.oid("main:README.md"))
    desk.refused("missing", "read", paths=("none",))
    desk.refused("out-of-range", "read", paths=("README.md:5-6",))


def test_paths_that_are_not_utf8_go_there_and_back(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"caf\udce9": b"1\n", "tab\there": b"1\n"})
    desk.begin("work")
    made = desk.apply({"op": "str_replace", "path_b64": "Y2Fm6Q==", "old": "1", "new": "2"})
    assert made["changes"][0]["path"] == '"caf\\351"'
    assert made["changes"][0]["path_b64"] == "Y2Fm6Q=="
    assert repo.tree("refs/slip/sessions/work")["caf\udce9"] == b"2\n"
    # A name that could not be made anew stays editable.
    desk.apply(replace("tab\there", "1", "2"))
    desk.apply_refused("bad-path", write("tab\tthere", ""))


def test_both_stores_make_the_same_ids(ground: Ground) -> None:
    """A day's work on two copies of one repository, each over its own store."""
    made = []
    for store in STORES:
        desk = Desk(ground.repository(store), store)
        work_a_day(desk)
        made.append((desk.lab.refs(), desk.lab.files(), desk.lab.snapshot().entries))
    assert made[0] == made[1]
    assert len(made[0][0]) > 5


def work_a_day(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("one", title="First", agent="ada")
    desk.begin("two", allow=("*.md",))
    desk.apply(write("a", "1\n" * 5000), write("b/c", b"\xff\0"), session="one", group="g")
    desk.apply(replace("README.md", "Demo", "demo"), session="two")
    desk.apply(delete("b/c"), move("src/app.py", "app.py"), session="one")
    desk.call("undo", session="one")
    desk.call("redo", session="one")
    desk.call("undo", step="1", session="one")
    repo.write("mine", "mine\n")
    repo.git("add", "mine")
    desk.call("capture", session="one")
    desk.commit("Land two", session="two", signoff=True)
    desk.commit("Land one", session="one", merge=True)
    desk.begin("three")
    desk.apply(write("z", "z"))
    desk.call("abort")
    desk.call("reopen", name="three")
    desk.call("exec", ops=batch(write("y", "y")), message=("Exec",), author="Bob <b@x>")


def test_a_large_content_is_told_by_its_blob_in_the_journal(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("big", "x" * 100_000), write("small", "y"))
    tip = "refs/slip/sessions/work"
    message = desk.lab.git("log", "-1", "--format=%B", tip)
    assert len(message) < 3000
    assert desk.lab.oid(f"{tip}:big") in message
    shown = desk.call("show", step="1")
    assert [op["path"] for op in shown["ops"]] == ["big", "small"]


def test_gc_takes_nothing_of_an_open_session(desk: Desk) -> None:
    desk.begin("work")
    for number in range(3):
        desk.apply(write(f"f{number}", f"{number}\n"))
        desk.lab.git("gc", "--quiet", "--prune=now")
    assert len(desk.lab.tree("refs/slip/sessions/work")) == 5
    assert not list((desk.lab.path / ".git/objects/pack").glob("*.keep"))


def test_alternates_and_packed_refs(ground: Ground, store: str) -> None:
    lender = ground.repository("lender")
    borrower = ground.at(ground.place / "borrower")
    lender.git("clone", "--quiet", "--shared", ".", str(borrower.path))
    borrower.git("pack-refs", "--all")
    desk = Desk(borrower, store)
    desk.begin("work")
    desk.apply(replace("README.md", "Demo", "demo"))
    borrower.git("pack-refs", "--all")
    desk.apply(write("a", "1"))
    assert desk.commit("land")["committed"]
    assert borrower.tree()["README.md"] == b"# demo\n"


def test_a_bare_and_a_linked_and_a_separate_repository(ground: Ground, store: str) -> None:
    main = ground.repository()
    inner: Path = main.path / "src"
    desk = Desk(main, store)
    # From a subdirectory, paths are still relative to the root.
    desk.call("begin", name="work", cwd=inner)
    desk.call("apply", ops=batch(write("top", "1")), cwd=inner)
    assert "top" in main.tree("refs/slip/sessions/work")
    aside = ground.at(ground.place / "aside")
    subprocess.run(
        ["git", "clone", "--quiet", f"--separate-git-dir={ground.place}/elsewhere.git",
         str(main.path), str(aside.path)], check=True,
    )  # fmt: skip
    there = Desk(aside, store)
    there.begin("work")
    there.apply(write("a", "1"))
    assert there.commit("land")["checkout"] == "updated"
    assert aside.read("a") == b"1"


def test_the_same_failing_op_sent_again_gets_a_short_answer(desk: Desk) -> None:
    desk.lab.commit({"a.txt": "one\ntwo\nthree\n", "b.txt": "x\n"})
    desk.begin("work")
    wrong = replace("a.txt", "one\ntvo\n", "1\n")
    first = desk.failing("no-match", wrong)
    assert first[0]["nearest"]
    again = desk.failing("no-match", write("new.txt", "x\n"), wrong)
    assert again[0] == {
        "index": 1,
        "op": "str_replace",
        "path": "a.txt",
        "code": "no-match",
        "message": "`old` is not in a.txt; line 2 differs: expected tvo, found two"
        " (refused the same way before)",
        "repeated": True,
    }
    # Another op, and the same op on a file that has changed, are answered in full.
    assert desk.failing("no-match", replace("a.txt", "tvo", "2"))[0]["nearest"]
    desk.apply(replace("a.txt", "two", "2nd"))
    assert "repeated" not in desk.failing("no-match", wrong)[0]
    # So is another session, and the same one an hour later.
    desk.begin("other")
    assert "repeated" not in desk.failing("no-match", wrong, session="other")[0]


def test_a_file_of_told_failures_that_is_spoiled_is_only_forgotten(desk: Desk) -> None:
    desk.begin("work")
    wrong = replace("src/app.py", "nowhere", "x")
    full = desk.failing("no-match", wrong)
    told = desk.lab.path / ".git/slip/told"
    told.write_bytes(b"\xff\0 not ours\n\n")
    assert desk.failing("no-match", wrong) == full
    lines = told.read_text().splitlines()
    told.write_text("".join(f"{line.split()[0]} 12\n" for line in lines))
    assert desk.failing("no-match", wrong) == full, "told long ago"
    assert desk.failing("no-match", wrong) != full
