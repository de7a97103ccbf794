"""Every kind of conflict, made with git, which also says which paths and which blobs."""

from __future__ import annotations

import os
from typing import Any

import pytest

from slipstream_git.changes import conflicts
from slipstream_git.errors import SlipError
from slipstream_git.faces.faults import render_error
from slipstream_git.gitdb import merge
from slipstream_git.workspace import open_workspace
from tests.changes.concurrency.collisions import (
    COLLISIONS,
    LINES,
    OURS,
    THEIRS,
    Collision,
    meet,
    staged,
)
from tests.desk import NOW, Desk, Json, write
from tests.lab import Lab

Stages = dict[str, dict[int, str]]


def stages(repo: Lab) -> Stages:
    """What git leaves unmerged between the two branches: blob by stage, by path.

    A path that git pushed aside is named by what stands before the `~` and its side.
    """
    out = repo.git_bytes(
        "merge-tree", "--write-tree", "-z", "--no-messages", "ours", "theirs", expect=1
    )
    found: Stages = {}
    for row in out.rstrip(b"\0").split(b"\0")[1:]:
        facts, path = row.decode().split("\t")
        _, oid, stage = facts.split(" ")
        found.setdefault(told(path), {})[int(stage)] = oid
    return found


def told(path: str) -> str:
    """A path as it can be compared: git names what it pushes aside after a commit or branch."""
    return f"{path.partition('~')[0]} aside" if "~" in path else path


def refused(desk: Desk, name: str) -> SlipError:
    """What `commit` says of a session that does what `theirs` did, onto `ours`."""
    repo, collision = desk.lab, COLLISIONS[name]
    meet(repo, collision)
    desk.begin("work", base="base", onto="ours")
    desk.apply(*staged(collision.theirs))
    assert repo.oid("refs/slip/sessions/work^{tree}") == repo.oid("theirs^{tree}")
    before, refs = repo.snapshot(), repo.refs()
    fault = desk.commit_refused("conflict")
    assert (repo.snapshot(), repo.refs()) == (before, refs)
    return fault


def rows(fault: SlipError) -> list[Json]:
    found = fault.data["files"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", COLLISIONS)
def test_merge_tree_tells_gits_paths_and_the_kinds(desk: Desk, name: str) -> None:
    repo = desk.lab
    meet(repo, COLLISIONS[name])
    ids = {side: repo.oid(side) for side in ("base", "ours", "theirs")}
    fault = desk.refused("conflict", "merge-tree", **ids)
    found: Any = fault.data["conflicts"]
    out = repo.git_bytes(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ids["ours"],
        ids["theirs"], expect=1,
    )  # fmt: skip
    assert {row["path"] for row in found} == {p.decode() for p in out.split(b"\0")[1:] if p}
    assert {row["path"].partition("~")[0]: row["kind"] for row in found} == COLLISIONS[name].kinds


def test_a_conflict_that_git_only_speaks_of(desk: Desk) -> None:
    """git exits with 1 and lists no path: it cannot tell where the directory went."""
    repo = desk.lab
    meet(
        repo,
        Collision(
            {"a/c/g": "g\n", "b/x/h": LINES},
            {"b/x/h": None, "a/c/h": LINES},
            {"b/x/g": "new\n"},
            {},
        ),
    )
    ids = {side: repo.oid(side) for side in ("base", "ours", "theirs")}
    out = repo.git_bytes(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ids["ours"],
        ids["theirs"], expect=1,
    )  # fmt: skip
    assert out.count(b"\0") == 1
    fault = desk.refused("conflict", "merge-tree", **ids)
    assert fault.data["conflicts"] == [{"path": "b/x/g", "kind": "directory-rename"}]
    desk.begin("work", base="base", onto="ours")
    desk.apply(write("b/x/g", "new\n"))
    (row,) = rows(desk.commit_refused("conflict"))
    assert row["did"]["ours"].startswith("renamed the directory b/x to a/c")
    assert row["did"]["theirs"] == "added b/x/g"


@pytest.mark.parametrize("name", COLLISIONS)
def test_commit_tells_kinds_blobs_and_what_each_side_did(desk: Desk, name: str) -> None:
    repo = desk.lab
    fault = refused(desk, name)
    found = rows(fault)
    expected = stages(repo)
    if "type" in COLLISIONS[name].kinds.values():  # one thing here, two rows of git's
        for path in [path for path in expected if path.endswith(" aside")]:
            expected.setdefault(path.removesuffix(" aside"), {}).update(expected.pop(path))
    assert {row["path"].partition("~")[0]: row["kind"] for row in found} == COLLISIONS[name].kinds
    assert {told(row["path"]) for row in found} == set(expected)
    known = {oid for side in ("base", "ours", "theirs") for _, oid in repo.entries(side).values()}
    for row in found:
        assert ("original" in row) == ("~" in row["path"])
        blobs = expected[told(row["path"])]
        for stage, side in enumerate(("base", "ours", "theirs"), 1):
            oid = row[f"{side}_oid"]
            # Where git merged contents on the way, its markers name the branches.
            assert oid == blobs.get(stage) or blobs[stage] not in known, (row, blobs)
        assert_hunks_are_the_blobs(repo, row)
        assert row["by"], row
    text = render_error(fault)
    for row in found:
        if row["kind"] not in ("content", "add-add") or not row["hunks"]:
            assert f"    ours: {row['did']['ours']}\n    work: {row['did']['theirs']}\n" in text


def assert_hunks_are_the_blobs(repo: Lab, row: Json) -> None:
    for hunk in row["hunks"]:
        for side in ("base", "ours", "theirs"):
            oid = row[f"{side}_oid"]
            there = oid and repo.git("cat-file", "-e", oid, expect=None) == ""
            data = repo.git_bytes("cat-file", "blob", oid, expect=None) if there else b""
            if oid and not data:
                continue  # git merged it on the way, and kept nothing
            first, last = hunk[side]
            assert hunk[f"{side}_text"].encode() == b"".join(
                data.splitlines(keepends=True)[first - 1 : last]
            )


DEEDS = {
    "content, renamed by ours": ("renamed f to g and changed it", "changed its content"),
    "modify-delete, by ours": ("deleted f", "changed its content"),
    "modify-delete, by theirs": ("changed its content", "deleted f"),
    "rename-delete, deleted by theirs": ("renamed f to g", "deleted f"),
    "rename-delete, deleted by ours": ("deleted f", "renamed f to g and changed it"),
    "rename-rename": ("renamed f to g", "renamed f to h"),
    "rename-rename, two to one": ("renamed a to c", "renamed b to c"),
    "rename-add": ("renamed a to c", "added c"),
    "rename-add, contents too": ("renamed a to c", "added c"),
    "directory-rename": ("renamed the directory d to e", "added d/new"),
    "directory-rename, by theirs": ("added d/new", "renamed the directory d to e"),
    "directory-rename, in the way": ("added e/new", "added d/new"),
    "file-directory": ("has a directory at x", "added x"),
    "file-directory, of a file there was": ("has a directory at x", "changed its content"),
    "mode": ("added n", "added n, executable"),
    "type": ("made it a symbolic link to z", "changed its content"),
    "type, added": ("added y, a plain file", "added y, a symbolic link to z"),
    "links": ("made it a symbolic link to a", "made it a symbolic link to b"),
    "binary": ("changed its content, 2 bytes that are no text",) * 2,
}


@pytest.mark.parametrize("name", DEEDS)
def test_each_side_is_told_in_words(desk: Desk, name: str) -> None:
    for row in rows(refused(desk, name)):
        ours, commit = row["did"]["ours"].removesuffix(")").partition(" (")[::2]
        assert (ours, row["did"]["theirs"]) == DEEDS[name]
        if ours.startswith("deleted") or commit:
            assert desk.lab.git("log", "--format=%s", "-1", commit).startswith("ours: ")


NAMES: dict[str, Json] = {
    "content": {},
    "content, renamed by ours": {"from": "f", "renamed_to": {"ours": "g"}},
    "content, renamed by theirs": {"from": "f", "renamed_to": {"theirs": "g"}},
    "rename-delete, deleted by theirs": {"from": "f", "renamed_to": {"ours": "g"}},
    "rename-delete, deleted by ours": {"from": "f", "renamed_to": {"theirs": "g"}},
    "rename-rename": {"from": "f", "renamed_to": {"ours": "g", "theirs": "h"}},
    "rename-rename, contents too": {"from": "f", "renamed_to": {"ours": "g", "theirs": "h"}},
    "rename-add, contents too": {"from": "a", "renamed_to": {"ours": "c"}},
    "directory-rename": {"from": "d/new"},
    "directory-rename, by theirs": {"from": "d/new"},
    "file-directory": {"original": "x"},
    "file-directory, file in ours": {"original": "x"},
}


@pytest.mark.parametrize("name", NAMES)
def test_other_names_of_the_file(desk: Desk, name: str) -> None:
    for row in rows(refused(desk, name)):
        assert {key: row[key] for key in ("original", "from", "renamed_to") if key in row} == NAMES[
            name
        ]


def test_a_name_with_a_tilde_is_not_taken_for_one_pushed_aside(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"x~y": LINES})
    desk.begin("work")
    desk.apply(*staged({"x~y": THEIRS}))
    repo.commit({"x~y": OURS})
    (row,) = rows(desk.commit_refused("conflict"))
    assert (row["path"], row["kind"], "original" in row) == ("x~y", "content", False)


def test_a_name_that_is_not_utf8(desk: Desk) -> None:
    repo, name = desk.lab, os.fsdecode(b"caf\xe9")
    repo.commit({name: LINES})
    desk.begin("work")
    desk.apply({"op": "write", "path_b64": "Y2Fm6Q==", "content": THEIRS})
    repo.commit({name: OURS})
    (row,) = rows(desk.commit_refused("conflict"))
    assert (row["path"], row["path_b64"]) == (r'"caf\351"', "Y2Fm6Q==")
    assert len(row["by"]) == 1


def test_modes_are_told_where_they_matter(desk: Desk) -> None:
    (row,) = rows(refused(desk, "mode"))
    assert (row["base_mode"], row["ours_mode"], row["theirs_mode"]) == (None, "100644", "100755")


def test_a_submodule(desk: Desk) -> None:
    """Two histories of a submodule that git cannot see; slip stages none, so two branches meet."""
    repo = desk.lab
    for name, digit in (("base", "1"), ("ours", "2"), ("theirs", "3")):
        if name != "base":
            repo.git("checkout", "--quiet", "-b", name, "base")
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{digit * 40},lib")
        repo.git("commit", "--quiet", "-m", name)
        if name == "base":
            repo.git("branch", "base")
    fault = desk.refused("conflict", "merge-tree", base="base", ours="ours", theirs="theirs")
    assert fault.data["conflicts"] == [{"path": "lib", "kind": "submodule"}]
    found = explained(desk, "base", "ours", "theirs")
    assert found["did"] == {
        "ours": "made it the submodule's commit 2222222222",
        "theirs": "made it the submodule's commit 3333333333",
    }
    assert (found["hunks"], found["ours_mode"]) == ([], "160000")
    assert [row["subject"] for row in found["by"]] == ["ours"]


def explained(desk: Desk, base: str, ours: str, theirs: str) -> Json:
    """The one conflict of three commits as `commit` would tell it."""
    repo = desk.lab
    b, o, t = (repo.oid(f"{name}^{{tree}}") for name in (base, ours, theirs))
    workspace = open_workspace(str(repo.path), os.environ, in_process=desk.store == "libgit2")
    with workspace.repository:
        merged = merge.three_way(workspace.repository, b, o, t, NOW)
        meeting = conflicts.Meeting(None, repo.oid(ours), repo.oid(base), ours, theirs, (b, o, t))
        (row,) = conflicts.files(workspace, merged.conflicts, meeting)
    return row
