"""`slip conflicts`: who would conflict with whom, held against git's own merges."""

from __future__ import annotations

import os
import random
from base64 import b64encode
from collections.abc import Iterator

import pytest

from slipstream_git.changes.concurrency import matrix
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace, open_workspace
from tests.changes.concurrency import random_trees
from tests.changes.concurrency.oracle import merge_tree, put_main, session, written
from tests.changes.concurrency.sides import LINES, MAIN, edit, found
from tests.desk import Desk, Json, close_all, delete, move, write
from tests.lab import Lab


@pytest.fixture
def ws(repo: Lab) -> Iterator[Workspace]:
    workspace = open_workspace(str(repo.path), os.environ, in_process=True)
    with workspace.repository:
        yield workspace


@pytest.mark.parametrize("seed", range(6))
def test_pairs_are_those_that_git_says_conflict(ws: Workspace, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    start = random_trees.tree(chance)
    base = put_main(ws, written(ws, start), 0)
    for number in range(5):
        files = random_trees.worked(chance, start, chance.randrange(1, 4))
        session(ws, f"s{number}", base, files)
    head_tree = written(ws, random_trees.worked(chance, start, 2))
    put_main(ws, head_tree, 1)
    told = matrix.conflicts_among(ws, worktrees=False)
    trees = {name: tree_of(ws, name) for name in told.sessions}
    base_tree = written(ws, start)
    expected = {}
    for a in told.sessions:
        expected[MAIN, a] = merge_tree(ws, base_tree, head_tree, trees[a])[1]
        for b in told.sessions:
            if a < b:
                expected[a, b] = merge_tree(ws, base_tree, trees[a], trees[b])[1]
    expected = {pair: names for pair, names in expected.items() if names}
    assert {(p.a, p.b): [row.path for row in p.paths] for p in told.pairs} == {
        pair: [paths.display(name) for name in names] for pair, names in expected.items()
    }
    assert told.clean == 15 - len(expected)
    assert told.unreadable == []


def tree_of(ws: Workspace, name: str) -> str:
    return ws.repository.git.run("rev-parse", f"refs/slip/sessions/{name}^{{tree}}").out.decode()[
        :40
    ]


@pytest.mark.parametrize("later", [0, 1], ids=["one second", "two seconds"])
@pytest.mark.parametrize("seed", range(6))
def test_sessions_on_two_bases_are_compared_as_landed_one_after_the_other(
    ws: Workspace, seed: int, later: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    start = random_trees.tree(chance)
    moved_on = random_trees.worked(chance, start, 2)
    base = put_main(ws, written(ws, start), 0)
    old = [session(ws, f"old{n}", base, random_trees.worked(chance, start, 2)) for n in range(3)]
    head = put_main(ws, written(ws, moved_on), later, base)
    new = [session(ws, f"new{n}", head, random_trees.worked(chance, moved_on, 2)) for n in range(3)]
    told = matrix.conflicts_among(ws, worktrees=False)
    pairs = {(p.a, p.b): [row.path for row in p.paths] for p in told.pairs}
    for a in old:
        carried, names = merge_tree(ws, a.base_tree, new[0].base_tree, a.tree)
        assert ((MAIN, a.name) in pairs) is bool(names)
        for b in new if not names else ():
            met = merge_tree(ws, b.base_tree, b.tree, carried)[1]
            assert pairs.get((b.name, a.name), []) == [paths.display(name) for name in met]
    assert told.unreadable == []


def test_a_pair_has_its_paths_kinds_and_hunks(desk: Desk) -> None:
    desk.lab.commit({"f": LINES})
    for name in ("one", "two", "far"):
        desk.begin(name)
    desk.apply(edit(3, "uno"), session="one")
    desk.apply(edit(3, "due"), session="two")
    desk.apply(edit(30, "far"), session="far")
    told = desk.call("conflicts")
    hunk = {
        "base": [4, 4], "ours": [4, 4], "theirs": [4, 4],
        "base_text": "line 3\n", "ours_text": "uno\n", "theirs_text": "due\n",
    }  # fmt: skip
    assert told == {
        "pairs": [
            {"a": "one", "b": "two", "paths": [{"path": "f", "kind": "content", "hunks": [hunk]}]}
        ],
        "sessions": ["far", "one", "two"],
        "clean": 5,
        "parties": [MAIN],
        "unreadable": [],
    }
    assert desk.call("conflicts") == told
    assert desk.call("conflicts", sessions=("far",))["pairs"] == []
    assert desk.call("conflicts", sessions=("far", "two"))["pairs"] == told["pairs"]


def test_the_text_names_branches_as_such(desk: Desk) -> None:
    desk.lab.commit({"f": LINES})
    desk.begin("main")
    desk.begin("one")
    desk.apply(edit(3, "uno"), session="one")
    desk.apply(edit(3, "main"), session="main")
    desk.lab.commit({"f": LINES.replace("line 3\n", "line drei\n")})
    text = desk.lab.slip("conflicts").text.splitlines()
    assert [line for line in text if "conflict" in line] == [
        "main and one conflict",
        "branch main and main conflict",
        "branch main and one conflict",
        "3 pairs in conflict, 0 clean",
    ]
    assert "  lines of main (-) against those of one (+):" in text
    assert "    - main" in text
    assert "    + uno" in text


def test_what_is_between_a_session_and_its_branch_is_told_there_alone(desk: Desk) -> None:
    desk.lab.commit({"f": LINES})
    desk.begin("old")
    desk.apply(edit(3, "old"), edit(20, "old 20"), session="old")
    desk.lab.commit({"f": LINES.replace("line 3\n", "main\n")})
    desk.begin("new")
    desk.apply(edit(30, "new"), session="new")
    told = desk.call("conflicts")
    assert found(told) == {(MAIN, "old"): {"f": "content"}}
    hunk = told["pairs"][0]["paths"][0]["hunks"][0]
    assert (hunk["ours_text"], hunk["theirs_text"]) == ("main\n", "old\n")
    desk.apply(edit(20, "new 20"), session="new")
    kinds = found(desk.call("conflicts"))
    assert kinds == {("new", "old"): {"f": "content"}, (MAIN, "old"): {"f": "content"}}
    refused = desk.commit_refused("conflict", session="old")
    files = refused.data["files"]
    assert isinstance(files, list)
    assert [row["path"] for row in files] == ["f"]
    desk.commit("new", session="new")
    desk.commit_refused("conflict", session="old")


KINDS: dict[str, tuple[tuple[Json, ...], tuple[Json, ...]]] = {
    "content": ((edit(3, "a"),), (edit(3, "b"),)),
    "add-add": ((write("new", "a\n"),), (write("new", "b\n"),)),
    "modify-delete": ((edit(3, "a"),), (delete("f"),)),
    "rename-rename": ((move("f", "g"),), (move("f", "h"),)),
    "rename-delete": ((move("f", "g"),), (delete("f"),)),
    "file-directory": ((write("new", "a\n"),), (write("new/below", "b\n"),)),
    "binary": ((write("bin", b"\0a"),), (write("bin", b"\0b"),)),
    "directory-rename": (
        (move("src/app.py", "lib/app.py"), move("src/b.py", "lib/b.py")),
        (write("src/new.py", "new\n"),),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_conflict(desk: Desk, kind: str) -> None:
    desk.lab.commit({"f": LINES, "bin": b"\0base", "src/b.py": LINES})
    last: Json = {}
    for name, ops in zip(("one", "two"), KINDS[kind], strict=True):
        desk.begin(name)
        last = desk.apply(*ops, session=name)
    kinds = found(desk.call("conflicts"))
    assert list(kinds) == [("one", "two")]
    assert kind in kinds["one", "two"].values()
    # And the second learned of it in the answer to its own apply.
    assert [row["session"] for row in last["overlaps"]] == ["one"]


def test_names_of_any_bytes(desk: Desk) -> None:
    name = os.fsdecode(b"caf\xe9 \n.txt")
    desk.lab.commit({name: LINES})
    oid = desk.lab.oid(f"HEAD:{name}")
    for number, session_name in enumerate(("one", "two")):
        desk.begin(session_name)
        desk.apply(
            {"op": "replace_lines", "path_b64": b64encode(os.fsencode(name)).decode(), "start": 3,
             "end": 3, "text": f"{number}\n", "oid": oid},
            session=session_name,
        )  # fmt: skip
    (pair,) = desk.call("conflicts")["pairs"]
    assert pair["paths"][0]["path"] == paths.display(os.fsencode(name))
    assert pair["paths"][0]["path_b64"]
    assert b"caf" in desk.lab.slip("conflicts").out


def test_sessions_for_other_branches_are_compared_and_marked(desk: Desk) -> None:
    desk.lab.commit({"f": LINES})
    desk.lab.git("branch", "release")
    desk.begin("one")
    desk.begin("two", onto="release")
    desk.apply(edit(3, "uno"), session="one")
    desk.apply(edit(3, "due"), session="two")
    (pair,) = desk.call("conflicts")["pairs"]
    assert (pair["a"], pair["b"], pair["different_onto"]) == ("one", "two", True)
    desk.lab.git("checkout", "--quiet", "release")
    desk.lab.commit({"f": LINES.replace("line 3\n", "release\n")})
    assert ("refs/heads/release", "two") in found(desk.call("conflicts"))
    told = found(desk.call("conflicts", sessions=("one",), branch=("release",)))
    assert set(told) == {("one", "two"), ("refs/heads/release", "one")}


def test_many_hunks_are_capped_and_counted(desk: Desk) -> None:
    lines = [f"line {n}\n" for n in range(400)]
    desk.lab.commit({"f": "".join(lines)})
    for name in ("one", "two"):
        desk.begin(name)
        text = [f"{name} {n}\n" if n % 10 == 0 else line for n, line in enumerate(lines)]
        desk.apply(write("f", "".join(text)), session=name)
    row = desk.call("conflicts")["pairs"][0]["paths"][0]
    assert len(row["hunks"]) == matrix.MOST_HUNKS
    assert row["hunks_omitted"] == 40 - matrix.MOST_HUNKS


def test_asked_wrongly(desk: Desk) -> None:
    desk.begin("one")
    desk.refused("session-missing", "conflicts", sessions=("one", "two"))
    desk.refused("bad-name", "conflicts", sessions=("../x",))
    desk.refused("missing", "conflicts", branch=("nowhere",))
    desk.refused("bad-name", "conflicts", branch=("-x",))


def test_nothing_to_compare(desk: Desk) -> None:
    empty: Json = {"pairs": [], "sessions": [], "clean": 0, "parties": [], "unreadable": []}
    assert desk.call("conflicts") == empty
    desk.begin("one")
    desk.begin("two")
    told = desk.call("conflicts", worktrees=True)
    assert (told["pairs"], told["sessions"], told["clean"]) == ([], ["one", "two"], 3)


def test_a_repository_without_a_commit(unborn_repo: Lab, store: str) -> None:
    desk = Desk(unborn_repo, store)
    for name in ("one", "two"):
        desk.begin(name)
        desk.apply(write("f", f"{name}\n"), session=name)
    assert found(desk.call("conflicts", worktrees=True)) == {("one", "two"): {"f": "add-add"}}


def test_what_cannot_be_read_hides_nobody(desk: Desk) -> None:
    desk.lab.commit({"f": LINES})
    for name in ("broken", "one", "two"):
        desk.begin(name)
    desk.apply(edit(3, "broken"), session="broken")
    desk.apply(edit(3, "uno"), session="one")
    desk.apply(edit(3, "due"), session="two")
    desk.lab.git("update-ref", "refs/slip/sessions/junk", "HEAD")
    tree = desk.lab.oid("refs/slip/sessions/broken^{tree}")
    lose(desk.lab, tree)
    told = desk.call("conflicts")
    assert found(told) == {("one", "two"): {"f": "content"}}
    whys = {row["name"]: row["why"] for row in told["unreadable"]}
    assert set(whys) == {"broken", "junk"}
    assert tree in whys["broken"]
    assert "not a step" in whys["junk"]
    # The others' own work goes on.
    made = desk.apply(edit(9, "uno"), session="one")
    assert [row["session"] for row in made["overlaps"]] == ["two"]
    assert b"could not be compared" in desk.lab.slip("conflicts").out


def lose(lab: Lab, oid: str) -> None:
    """Take an object out of the repository, and what slip remembers."""
    close_all()  # (a server knows what it has read)
    lab.damaged = True
    packs = lab.git_dir / "objects" / "pack"
    for pack in sorted(packs.glob("*.pack")):
        data = pack.read_bytes()
        for path in packs.glob(f"{pack.stem}.*"):
            path.unlink()
        lab.git_bytes("unpack-objects", "-q", stdin=data)
    (lab.git_dir / "objects" / oid[:2] / oid[2:]).unlink()
    (lab.git_dir / "slip" / "footprints").unlink()


def test_a_blob_that_is_missing_is_told_with_its_pair(desk: Desk) -> None:
    desk.lab.commit({"f": LINES, "g": LINES})
    for name in ("one", "three", "two"):
        desk.begin(name)
    desk.apply(edit(3, "uno"), session="one")
    desk.apply(edit(3, "due"), edit(1, "due", "g"), session="two")
    desk.apply(edit(1, "tre", "g"), session="three")
    lose(desk.lab, desk.lab.oid("refs/slip/sessions/one:f"))
    told = desk.call("conflicts")
    assert found(told) == {("three", "two"): {"g": "content"}}
    assert [(row["name"], row["other"]) for row in told["unreadable"]] == [("one", "two")]
