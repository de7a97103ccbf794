"""The merge is what git makes in a clean worktree of ours, whatever anybody has not committed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import gitmerge, merge
from slipstream_git.gitdb.merged import Merge
from slipstream_git.gitdb.repository import Repository, open_repository
from slipstream_git.model import EMPTY_TREE
from tests.desk import NOW, Desk, write
from tests.lab import Content, Ground, Lab, Script

Files = dict[str, Content]

LINES = "".join(f"line {n}\n" for n in range(30))
OURS = LINES.replace("line 3\n", "ours\n")
THEIRS = LINES.replace("line 3\n", "theirs\n")
CONTRARY = "* -merge\n"


def branches(repo: Lab, base: Files, ours: Files, theirs: Files) -> None:
    """Branches `ours` and `theirs` from a commit `base`; `main` on it, and checked out."""
    repo.commit(base, "base")
    repo.git("branch", "base")
    for name, files in (("ours", ours), ("theirs", theirs)):
        repo.git("checkout", "--quiet", "-b", name, "base")
        repo.commit(files, name)
    repo.git("checkout", "--quiet", "main")


def opened(lab: Lab) -> Repository:
    return open_repository(str(lab.path), os.environ, in_process=False)


def of_trees(lab: Lab) -> Merge:
    base, ours, theirs = (lab.oid(f"{name}^{{tree}}") for name in ("base", "ours", "theirs"))
    with opened(lab) as repository:
        return merge.three_way(repository, base, ours, theirs, NOW)


def of_commits(lab: Lab) -> Merge:
    with opened(lab) as repository:
        return gitmerge.of_commits(repository, lab.oid("ours"), lab.oid("theirs"))


def as_git_merges(repo: Lab) -> tuple[str, set[bytes]]:
    """Tree and unmerged paths of `git merge-tree` in a clean worktree of ours."""
    place = repo.path.parent / "clean"
    repo.git("worktree", "add", "--quiet", "--detach", str(place), "ours")
    clean = Lab(place)
    out = clean.git_bytes(
        "merge-tree", "--write-tree", "-z", "--no-messages", repo.oid("ours"), repo.oid("theirs"),
        expect=None,
    )  # fmt: skip
    repo.git("worktree", "remove", "--force", str(place))
    tree, *rows = out.rstrip(b"\0").split(b"\0")
    return tree.decode(), {row.partition(b"\t")[2] for row in rows}


def assert_merges_as_git(lab: Lab, oracle: Lab | None = None) -> bool:
    """Compares both merges with git's; whether it is clean."""
    tree, unmerged = as_git_merges(oracle or lab)
    by_commits, by_trees = of_commits(lab), of_trees(lab)
    assert by_commits.tree == tree
    for found in (by_commits, by_trees):
        assert {conflict.path for conflict in found.conflicts} == unmerged
    if not unmerged:
        assert by_trees.tree == tree
    return not unmerged


# Attributes of ours, and whether a change of one line on both sides merges under them.
SETTINGS = {
    "none": ("", False),
    "union": ("* merge=union\n", True),
    "union below": ("/d/* merge=union\n", True),
    "binary": ("* merge=binary\n", False),
    "no merge": ("* -merge\n", False),
    "macro": ("[attr]both merge=union\n* both\n", True),
    "other files": ("*.x merge=union\n", False),
}


@pytest.mark.parametrize("case", SETTINGS)
@pytest.mark.parametrize("dirty", [CONTRARY, "* merge=union\n", None])
def test_the_attributes_are_those_of_ours(repo: Lab, case: str, dirty: str | None) -> None:
    lines, clean = SETTINGS[case]
    branches(repo, {"d/f": LINES}, {"d/f": OURS, ".gitattributes": lines}, {"d/f": THEIRS})
    repo.write(".gitattributes", dirty)
    repo.write("d/.gitattributes", dirty)
    before = repo.snapshot()
    assert assert_merges_as_git(repo) is clean
    assert repo.snapshot() == before


@pytest.mark.parametrize("where", ["a/.gitattributes", "a/b/.gitattributes", "z/.gitattributes"])
def test_attributes_below_and_renames(repo: Lab, where: str) -> None:
    """The file is merged at the place to which one side moved it."""
    base: Files = {"a/b/f": LINES, where: "f merge=union\n"}
    branches(repo, base, {"a/b/f": None, "z/f": OURS}, {"a/b/f": THEIRS})
    assert assert_merges_as_git(repo) is (where == "z/.gitattributes")


def test_theirs_attributes_do_not_count(repo: Lab) -> None:
    branches(repo, {"f": LINES}, {"f": OURS}, {"f": THEIRS, ".gitattributes": "* merge=union\n"})
    assert assert_merges_as_git(repo) is False


@pytest.mark.parametrize("at", ["info", "config"])
def test_attributes_of_the_repository_and_the_user_count(repo: Lab, at: str) -> None:
    branches(repo, {"f": LINES}, {"f": OURS}, {"f": THEIRS})
    if at == "info":
        (repo.git_dir / "info").mkdir(exist_ok=True)
        (repo.git_dir / "info" / "attributes").write_text("* merge=union\n")
    else:
        mine = repo.path.parent / "mine"
        mine.write_text("* merge=union\n")
        repo.git("config", "core.attributesFile", str(mine))
    assert assert_merges_as_git(repo) is True


def test_a_relative_attributes_file_is_one_of_the_worktree(repo: Lab) -> None:
    branches(repo, {"f": LINES, "mine": "* merge=union\n"}, {"f": OURS}, {"f": THEIRS})
    repo.git("config", "core.attributesFile", "mine")
    assert assert_merges_as_git(repo) is True


# -- drivers ---------------------------------------------------------------------------------------

# Commands that answer with all that they see; git gives "%%" to the shell as "%". The clean
# worktree that is compared with stands at `clean`.
DRIVERS = [
    "cat %B >> %A",
    'cat "%B" %O "%A" > tmp.$$ && mv tmp.$$ "%A" # with a comment',
    "printf '%%s %%s\\n' %P %L > %A",
    "./tools/driver %A %B %O",
    "tools/driver %A %B %O; exit $?",
    "sh -c 'cat \"$0\" >> \"$1\"' %B %A",
    "false",
    "cat %B >> %A; exit 1",
    "git show HEAD:README.md > %A",
    "git rev-parse --show-toplevel | xargs basename | sed s/clean/repo/ > %A",
    "pwd | xargs basename | sed s/clean/repo/ > %A",
    'echo "$GIT_WORK_TREE%%" > %A',
]  # fmt: skip


@pytest.mark.parametrize("command", DRIVERS)
@pytest.mark.parametrize("name", ["mine", "a=b", "Dots.And"])
def test_a_driver_runs_in_the_worktree(repo: Lab, command: str, name: str) -> None:
    repo.commit({"tools/driver": Script(b'#!/bin/sh\ncat "$3" "$2" >> "$1"\n')})
    setting = f"* merge={name}\n"
    branches(repo, {"f": LINES}, {"f": OURS, ".gitattributes": setting}, {"f": THEIRS})
    repo.git("config", f"merge.{name}.driver", command)
    clean = assert_merges_as_git(repo)
    assert clean is not (command == "false" or command.endswith("exit 1"))
    assert repo.git("status", "--porcelain") == ""


def test_a_driver_where_the_path_is_hard_to_quote(ground: Ground) -> None:
    place = ground.place / 'it\'s 100% "odd"; $HOME'
    place.mkdir()
    ground.repository().path.rename(place / "repo")
    repo = ground.at(place / "repo")
    setting = "* merge=mine\n"
    branches(repo, {"f": LINES}, {"f": OURS, ".gitattributes": setting}, {"f": THEIRS})
    repo.git("config", "merge.mine.driver", "cat ./README.md %B >> %A")
    assert assert_merges_as_git(repo) is True


def test_a_driver_where_temporary_files_are_hard_to_quote(
    repo: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs beside its files then, as it would in another worktree."""
    odd = tmp_path / "it's odd"
    odd.mkdir()
    setting = "* merge=mine\n"
    branches(repo, {"f": LINES}, {"f": OURS, ".gitattributes": setting}, {"f": THEIRS})
    repo.git("config", "merge.mine.driver", "cat %B >> %A")
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    assert assert_merges_as_git(repo) is True


# -- other grounds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["none", "union", "no merge"])
def test_a_bare_repository_merges_as_a_clone_would(repo: Lab, ground: Ground, case: str) -> None:
    lines, clean = SETTINGS[case]
    branches(repo, {"d/f": LINES}, {"d/f": OURS, ".gitattributes": lines}, {"d/f": THEIRS})
    repo.git("clone", "--quiet", "--mirror", str(repo.path), str(repo.path.parent / "bare"))
    bare = ground.at(repo.path.parent / "bare")
    assert assert_merges_as_git(bare, oracle=repo) is clean


def test_a_linked_worktree(repo: Lab, linked_repo: Lab) -> None:
    setting = "* merge=mine\n"
    branches(repo, {"f": LINES}, {"f": OURS, ".gitattributes": setting}, {"f": THEIRS})
    repo.git("config", "merge.mine.driver", "git rev-parse --abbrev-ref HEAD > %A")
    linked_repo.write(".gitattributes", CONTRARY)
    merged = of_trees(linked_repo)
    assert repo.git("cat-file", "-e", merged.tree, expect=None) == ""
    with opened(linked_repo) as repository:
        merged = gitmerge.of_commits(repository, repo.oid("ours"), repo.oid("theirs"))
        entry = repository.trees.lookup(merged.tree, b"f")
        assert entry is not None
        assert repository.objects.blob(entry.oid) == b"side\n"


def test_a_repository_that_the_environment_names(repo: Lab, tmp_path: Path) -> None:
    setting = "* merge=mine\n"
    branches(repo, {"f": LINES}, {"f": OURS, ".gitattributes": setting}, {"f": THEIRS})
    repo.git("config", "merge.mine.driver", "git rev-parse HEAD > %A; test -e README.md")
    expected = repo.oid("HEAD").encode() + b"\n"
    moved = tmp_path / "elsewhere.git"
    (repo.path / ".git").rename(moved)
    env = os.environ | {"GIT_DIR": str(moved), "GIT_WORK_TREE": str(repo.path)}
    with open_repository(str(repo.path), env, in_process=False) as repository:
        sides = [repository.resolve(name) for name in ("ours", "theirs")]
        merged = gitmerge.of_commits(repository, *sides)
        assert merged.conflicts == ()
        entry = repository.trees.lookup(merged.tree, b"f")
        assert entry is not None
        assert repository.objects.blob(entry.oid) == expected
    moved.rename(repo.path / ".git")


@pytest.mark.parametrize("absorbed", [True, False])
def test_a_submodule_goes_to_the_later_commit(submodule_repo: Lab, *, absorbed: bool) -> None:
    """Which of two commits of a submodule is the later, its own history says."""
    repo = submodule_repo
    inner = Lab(repo.path / "lib")
    ids = [inner.commit({"n": str(n)}) for n in range(3)]
    if not absorbed:
        kept = inner.git_dir
        inner.git("config", "--unset", "core.worktree")
        (inner.path / ".git").unlink()
        kept.rename(inner.path / ".git")
    commits = {}
    for name, oid in zip(("base", "ours", "theirs"), ids, strict=True):
        if name != "base":
            repo.git("reset", "--quiet", "--soft", "base")
        repo.git("update-index", "--cacheinfo", f"160000,{oid},lib")
        commits[name] = repo.commit({}, name)
        repo.git("branch", name)
    tree = repo.git("merge-tree", "--write-tree", "ours", "theirs")
    assert repo.entries(tree)["lib"] == ("160000", ids[2])
    for merged in (of_trees(repo), of_commits(repo)):
        assert (merged.tree, merged.conflicts) == (tree, ())


def test_hand_made_trees_write_nothing_elsewhere(repo: Lab, tmp_path: Path) -> None:
    """A tree can hold the name `..`; git checks none out, and a merge does not even read it."""
    repo.damaged = True
    trees = []
    for content in ("1", "2"):
        tree = repo.commit({".gitattributes": "* merge=union\n", "f": content}) + "^{tree}"
        for name in (b"slip-escaped", b".."):
            row = b"40000 %s\0%s" % (name, bytes.fromhex(repo.oid(tree)))
            command = ("hash-object", "--literally", "-w", "-t", "tree", "--stdin")
            tree = repo.git(*command, stdin=row)
        trees.append(tree)
    with opened(repo) as repository, pytest.raises(SlipError) as caught:
        merge.three_way(repository, EMPTY_TREE, trees[0], trees[1], NOW)
    assert caught.value.code == "git-failed"
    assert sorted(path.name for path in tmp_path.rglob("*") if "slip-escaped" in path.name) == []


def test_a_dirty_attribute_lands_nothing(repo: Lab) -> None:
    """As it was reported: an uncommitted union made a clean merge of a conflict."""
    repo.commit({"f": LINES})
    desk = Desk(repo, "git")
    desk.begin("work")
    desk.apply(write("f", THEIRS))
    repo.commit({"f": OURS})
    repo.write(".gitattributes", "* merge=union\n")
    before = repo.snapshot()
    desk.commit_refused("conflict")
    assert repo.snapshot() == before


def test_a_merge_leaves_no_temporary_files(repo: Lab, tmp_path: Path) -> None:
    branches(repo, {"f": LINES}, {"f": OURS, ".gitattributes": "* merge=union\n"}, {"f": THEIRS})
    place = tmp_path / "temporary"
    place.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(place))
        assert of_trees(repo).conflicts == ()
    assert list(place.iterdir()) == []
    assert repo.git("status", "--porcelain") == ""
