"""`slip split`: a session without labels, made again as a step for each part."""

from __future__ import annotations

import shlex

import pytest

from tests.changes.test_series import subjects
from tests.desk import Desk, Free, Json, delete, move, replace, write

OWNERS = """\
# Everybody's, unless a later line says otherwise.
*           @org/all
/src/       @org/dev
/src/ui/    @org/ui @ada   # both
docs/*
"""


@pytest.fixture
def wide(desk: Desk) -> Desk:
    """A session `s` that changes files in several places, without a label."""
    desk.lab.commit(
        {
            ".github/CODEOWNERS": OWNERS,
            "docs/guide.md": "old\n",
            "docs/deep/more.md": "old\n",
            "src/api/a.py": "old\n",
            "src/ui/b.py": "old\n",
            "root.txt": "old\n",
        },
        "wide",
    )
    desk.begin("s")
    desk.call("sub", pattern="old", replacement="new", session="s")
    desk.apply(write("src/api/c.py", "c\n"), session="s")
    return desk


def split(desk: Desk, by: str, **values: Free) -> Json:
    return desk.call("split", session="s", by=by, **values)


def parts(told: Json) -> dict[str, list[str]]:
    return {row["group"]: row["paths"] for row in told["parts"]}


def test_by_directory_and_how_deep(wide: Desk) -> None:
    before = wide.lab.snapshot(), wide.lab.refs()
    assert parts(split(wide, "directory", dry_run=True)) == {
        ".": ["root.txt"],
        "docs/": ["docs/deep/more.md", "docs/guide.md"],
        "src/": ["src/api/a.py", "src/api/c.py", "src/ui/b.py"],
    }
    assert parts(split(wide, "directory", depth=2, dry_run=True)) == {
        ".": ["root.txt"],
        "docs/": ["docs/guide.md"],
        "docs/deep/": ["docs/deep/more.md"],
        "src/api/": ["src/api/a.py", "src/api/c.py"],
        "src/ui/": ["src/ui/b.py"],
    }
    assert (wide.lab.snapshot(), wide.lab.refs()) == before


def test_by_path_makes_the_chain_again_and_keeps_the_old_one(wide: Desk) -> None:
    repo = wide.lab
    was = repo.refs()["refs/slip/sessions/s"]
    tree = wide.call("status", session="s")["tree"]
    base = repo.oid("main")
    told = split(wide, "path", label="Update {}")
    assert list(parts(told)) == [
        f"Update {path}"
        for path in ("docs/deep/more.md", "docs/guide.md", "root.txt", "src/api/a.py",
                     "src/api/c.py", "src/ui/b.py")
    ]  # fmt: skip
    assert told["tree"] == tree == told["parts"][-1]["tree"]
    assert told["kept"] == "refs/slip/closed/s/1"
    assert repo.refs()["refs/slip/closed/s/1"] == was
    assert repo.refs()["refs/slip/sessions/s"] == told["tip"]
    status = wide.call("status", session="s")
    assert (status["base"], status["tree"], status["steps"]) == (base, tree, 6)
    landed = wide.call("commit", session="s", series=True, message=("Why",))
    assert repo.git("rev-parse", "main^{tree}") == tree
    assert subjects(repo, base) == list(parts(told))
    assert repo.message(landed["commits"][0]) == "Update docs/deep/more.md\n\nWhy\n"
    wide.call("reopen", name="s@1")
    assert [row["op"] for row in wide.call("log", session="s")["steps"]] == ["sub", "apply"]


def test_by_owner_as_the_branch_says(wide: Desk) -> None:
    assert parts(split(wide, "owner", dry_run=True)) == {
        "@org/all": ["docs/deep/more.md", "root.txt"],
        "@org/dev": ["src/api/a.py", "src/api/c.py"],
        "@org/ui @ada": ["src/ui/b.py"],
        "no owner": ["docs/guide.md"],
    }
    # Not the session's own, nor that of the base: what the branch has now.
    wide.apply(write(".github/CODEOWNERS", "* @me\n"), session="s")
    wide.lab.commit({".github/CODEOWNERS": "* @org/all\n/src/ @org/dev\n"}, "fewer")
    assert parts(split(wide, "owner")) == {
        "@org/all": [".github/CODEOWNERS", "docs/deep/more.md", "docs/guide.md", "root.txt"],
        "@org/dev": ["src/api/a.py", "src/api/c.py", "src/ui/b.py"],
    }


def test_without_codeowners_it_says_where_it_looked(desk: Desk) -> None:
    desk.begin("s")
    desk.apply(write("a", "1\n"), session="s")
    fault = desk.refused("missing", "split", session="s", by="owner")
    assert ".github/CODEOWNERS" in fault.message
    assert shlex.split(fault.hint or "")[:2] == ["slip", "split"]
    desk.lab.commit({"docs/CODEOWNERS": "!nobody\n[a-z] @x\n* @org/docs\n"}, "owners")
    assert parts(split(desk, "owner")) == {"@org/docs": ["a"]}


def test_what_belongs_together_stays_together(desk: Desk) -> None:
    lines = "".join(f"line {n}\n" for n in range(20))
    desk.lab.commit({"src/one.py": lines, "src/two.py": "two\n", "place": "file\n"}, "files")
    desk.begin("s")
    desk.apply(
        move("src/one.py", "lib/one.py"), replace("lib/one.py", "line 3\n", "line three\n"),
        session="s",
    )  # fmt: skip
    # git would not take these for one file; the session knows.
    desk.apply(move("src/two.py", "lib/two.py"), session="s")
    desk.apply(write("lib/two.py", "all of it is new\n"), session="s")
    desk.apply(delete("place"), write("place/inside", "dir\n"), session="s")
    told = split(desk, "path")
    assert parts(told) == {
        "lib/one.py": ["lib/one.py", "src/one.py"],
        "lib/two.py": ["lib/two.py", "src/two.py"],
        "place/inside": ["place", "place/inside"],
    }
    landed = desk.call("commit", session="s", series=True)
    assert len(landed["commits"]) == 3
    assert desk.lab.read("place/inside") == b"dir\n"


def test_two_files_that_change_places_are_one_part(desk: Desk) -> None:
    desk.lab.commit({"a": "was a\n", "b": "was b\n"}, "two")
    desk.begin("s")
    desk.apply(move("a", "t"), move("b", "a"), move("t", "b"), session="s")
    assert parts(split(desk, "path")) == {"a": ["a", "b"]}


# --- what is refused ------------------------------------------------------------------------------


def test_labels_are_not_overwritten_unless_asked_to(wide: Desk) -> None:
    wide.apply(write("more", "1\n"), session="s", group="Mine")
    before = wide.lab.refs()
    fault = wide.refused("exists", "split", session="s")
    assert fault.data["labels"] == ["Mine"]
    assert wide.lab.refs() == before
    assert list(parts(split(wide, "directory", relabel=True))) == [".", "docs/", "src/"]


@pytest.mark.parametrize(
    "values", [{"by": "size"}, {"by": "directory", "depth": 0}, {"by": "path", "label": "x"}]
)
def test_what_cannot_be_asked_for(wide: Desk, values: Json) -> None:
    before = wide.lab.refs()
    wide.refused("usage", "split", session="s", **values)
    assert wide.lab.refs() == before


def test_nothing_to_split_and_an_adopted_branch(desk: Desk) -> None:
    desk.begin("empty")
    desk.refused("missing", "split", session="empty")
    desk.lab.git("checkout", "--quiet", "-b", "work")
    desk.lab.commit({"w": "1\n"}, "work")
    desk.lab.git("checkout", "--quiet", "main")
    desk.call("adopt", branch="work", name="w", onto="main")
    desk.refused("unsupported", "split", session="w")


def test_paths_to_be_decided_come_first(desk: Desk) -> None:
    desk.begin("s")
    desk.apply(write("README.md", "mine\n"), session="s")
    desk.lab.commit({"README.md": "theirs\n"}, "theirs")
    desk.call("rebase", session="s")
    desk.refused("conflict", "split", session="s")
    desk.call("resolve", session="s", path="README.md", theirs=True)
    split(desk, "path")
    desk.call("commit", session="s", series=True)
    assert desk.lab.read("README.md") == b"mine\n"
    # What was decided is remembered, as it would have been without the split.
    assert "refs/notes/slip/resolutions" in desk.lab.refs()


# --- and afterwards -------------------------------------------------------------------------------


def test_what_was_captured_is_still_known(wide: Desk) -> None:
    repo = wide.lab
    repo.write("README.md", "captured\n")
    repo.write("src/app.py", "captured\n")
    wide.call("capture", session="s")
    wide.call("undo", session="s")
    wide.call("redo", session="s")
    wide.apply(replace("README.md", "captured", "and more"), session="s")
    split(wide, "directory")
    # The file in the worktree is what was captured, not what lands: it is in nobody's way.
    wide.call("commit", session="s", series=True)
    assert repo.read("README.md") == b"and more\n"
    assert repo.git("status", "--porcelain") == ""


def test_a_part_is_undone_and_the_session_rebased(wide: Desk) -> None:
    split(wide, "directory")
    wide.call("undo", session="s", step="2")
    wide.lab.commit({"other": "1\n"}, "moved on")
    assert wide.call("rebase", session="s")["rebased"]
    rows = wide.call("log", session="s")["steps"]
    assert [row.get("group") for row in rows] == [".", "src/"]
    told = wide.call("commit", session="s", series=True)
    assert [row["subject"] for row in told["series"]] == [".", "src/"]
    assert wide.lab.read("docs/guide.md") == b"old\n"


def test_the_sessions_own_worktree_goes_along(wide: Desk) -> None:
    repo = wide.lab
    own = repo.path.parent / "own"
    wide.call("worktree", session="s", place=str(own))
    split(wide, "path")
    (own / "root.txt").write_text("by hand\n")
    wide.call("capture", session="s", cwd=own)
    wide.call("worktree", session="s")
    wide.call("commit", session="s", message=("all",), series=True)
    assert repo.read("root.txt") == b"by hand\n"
