"""`merge-tree`: the merge of any three, as git makes it, with nothing moved."""

from __future__ import annotations

from typing import Any

import pytest

from tests.desk import Desk
from tests.lab import Content, Lab, Link

LINES = "".join(f"line {n}\n" for n in range(30))
CHANGED = LINES.replace("line 3\n", "ours\n")
Sides = tuple[dict[str, Content], dict[str, Content], dict[str, Content]]


def branches(repo: Lab, sides: Sides) -> None:
    """Branches `ours` and `theirs` from a commit `base`, and `main` on it."""
    base, ours, theirs = sides
    repo.commit(base, "base")
    repo.git("branch", "base")
    for name, files in (("ours", ours), ("theirs", theirs)):
        repo.git("checkout", "--quiet", "-b", name, "base")
        repo.commit(files, name)
    repo.git("checkout", "--quiet", "main")


CLEAN: list[Sides] = [
    ({"f": LINES}, {"f": CHANGED}, {"f": LINES + "more\n"}),
    ({"f": LINES}, {"f": None, "g": LINES}, {"f": CHANGED}),
    ({}, {"a": "a\n"}, {"b": "b\n"}),
]


@pytest.mark.parametrize("number", range(len(CLEAN)))
def test_a_clean_merge_is_gits(desk: Desk, number: int) -> None:
    repo = desk.lab
    branches(repo, CLEAN[number])
    expected = repo.git("merge-tree", "--write-tree", "ours", "theirs")
    before, refs = repo.snapshot(), repo.refs()
    answer = desk.call("merge-tree", base="base", ours="ours", theirs="theirs")
    assert (answer["clean"], answer["tree"]) == (True, expected)
    assert answer["engine"] == ("git" if None in CLEAN[number][1].values() else "walk")
    assert repo.git("cat-file", "-t", answer["tree"]) == "tree"
    of_trees = desk.call(
        "merge-tree", base="base^{tree}", ours="ours^{tree}", theirs="theirs^{tree}"
    )
    assert of_trees["tree"] == expected
    assert (repo.snapshot(), repo.refs()) == (before, refs)


CONFLICTS: dict[str, tuple[Sides, set[tuple[str, str]]]] = {
    "content": (
        ({"f": LINES}, {"f": CHANGED}, {"f": LINES.replace("line 3\n", "theirs\n")}),
        {("f", "content")},
    ),
    "add-add": (({}, {"n": "1\n"}, {"n": "2\n"}), {("n", "add-add")}),
    "modify-delete": (({"f": LINES}, {"f": CHANGED}, {"f": None}), {("f", "modify-delete")}),
    "rename-delete": (
        ({"f": LINES}, {"f": None, "g": LINES}, {"f": None}), {("g", "rename-delete")},
    ),
    "rename-rename": (
        ({"f": LINES}, {"f": None, "g": LINES}, {"f": None, "h": LINES}),
        {("f", "rename-rename"), ("g", "rename-rename"), ("h", "rename-rename")},
    ),
    "directory-rename": (
        ({"d/a": LINES}, {"e/a": LINES, "d/a": None}, {"d/new": "n\n"}),
        {("e/new", "directory-rename")},
    ),
    "binary": (({"f": b"\0a"}, {"f": b"\0b"}, {"f": b"\0c"}), {("f", "binary")}),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONFLICTS)
def test_a_conflict_tells_paths_and_kinds(desk: Desk, kind: str) -> None:
    repo = desk.lab
    sides, expected = CONFLICTS[kind]
    branches(repo, sides)
    before, refs = repo.snapshot(), repo.refs()
    fault = desk.refused("conflict", "merge-tree", base="base", ours="ours", theirs="theirs")
    assert fault.exit_status == 3
    rows: Any = fault.data["conflicts"]
    assert fault.data["clean"] is False
    assert {(row["path"], row["kind"]) for row in rows} == expected
    listed = repo.git_bytes(
        "merge-tree", "--write-tree", "-z", "--name-only", "ours", "theirs", expect=1
    )
    names = listed.split(b"\0\0")[0].split(b"\0")[1:]
    assert [row["path"].encode() for row in rows] == sorted(set(names))
    assert (repo.snapshot(), repo.refs()) == (before, refs)


def test_a_file_against_a_directory_and_a_type_change(desk: Desk) -> None:
    repo = desk.lab
    branches(repo, ({"x": "x\n", "y": "y\n"}, {"x": None, "x/in": "1\n", "y": Link("z")},
                    {"x": "X\n", "y": "Y\n"}))  # fmt: skip
    fault = desk.refused("conflict", "merge-tree", base="base", ours="ours", theirs="theirs")
    rows: Any = fault.data["conflicts"]
    kinds = {row["kind"] for row in rows}
    assert kinds <= {"file-directory", "modify-delete", "type", "mode", "content"}
    assert {row["path"].partition("~")[0] for row in rows} == {"x", "y"}


def test_exactly_these_three_where_the_base_is_no_merge_base(desk: Desk) -> None:
    repo = desk.lab
    branches(repo, CLEAN[0])
    # From `ours` as the base, their side alone has changed: their tree is the answer.
    answer = desk.call("merge-tree", base="ours", ours="ours", theirs="theirs")
    assert answer["tree"] == repo.oid("theirs^{tree}")
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    desk.refused("conflict", "merge-tree", base=empty, ours="ours", theirs="theirs")
    assert desk.call("merge-tree", base=empty, ours="ours", theirs=empty)["tree"] == repo.oid(
        "ours^{tree}"
    )


def test_several_merge_bases_are_merged_recursively(desk: Desk) -> None:
    """A criss-cross, in which neither base alone gives git's answer."""
    repo = desk.lab
    branches(repo, ({"f": LINES}, {"f": CHANGED}, {"f": LINES.replace("line 20\n", "theirs\n")}))
    for name, other in (("one", "theirs"), ("two", "ours")):
        repo.git("checkout", "--quiet", "-b", name, "ours" if name == "one" else "theirs")
        repo.git("merge", "--quiet", "--no-edit", other)
    repo.git("checkout", "--quiet", "one")
    repo.commit({"f": repo.read("f").replace(b"ours\n", b"ours again\n")})
    bases = repo.git("merge-base", "--all", "one", "two").splitlines()
    assert len(bases) == 2
    expected = repo.git("merge-tree", "--write-tree", "one", "two")
    for base in bases:
        assert desk.call("merge-tree", base=base, ours="one", theirs="two")["tree"] == expected


def test_submodules_conflict_as_data(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"f": "f\n"})
    ids = [repo.oid("main"), repo.oid("main~1")]
    base = gitlink_tree(repo, "3" * 40)
    sides = [gitlink_tree(repo, oid) for oid in ids]
    fault = desk.refused("conflict", "merge-tree", base=base, ours=sides[0], theirs=sides[1])
    assert fault.data["conflicts"] == [{"path": "lib", "kind": "submodule"}]
    assert desk.call("merge-tree", base=base, ours=sides[0], theirs=base)["tree"] == sides[0]


def gitlink_tree(repo: Lab, oid: str) -> str:
    return repo.git("mktree", "--missing", stdin=b"160000 commit %s\tlib\n" % oid.encode())


@pytest.mark.parametrize("wrong", ["none", "--all", "HEAD:README.md", "-h", "", "HEAD..main"])
def test_what_is_no_tree(desk: Desk, wrong: str) -> None:
    sides = {"base": "main", "ours": "main", "theirs": "main"}
    for name in sides:
        desk.refused("missing", "merge-tree", **{**sides, name: wrong})
