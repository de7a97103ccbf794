"""Captures where it goes otherwise: undone, merged away, amid a merge, amid a landing."""

from __future__ import annotations

import shlex

import pytest

from tests.desk import Desk, replace, write
from tests.lab import Ground, Lab, typed


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.lab.commit({"f": "one\ntwo\nthree\nfour\nfive\n", "g": "g\n"})
    desk.begin("s")
    return desk


def edited(repo: Lab) -> None:
    repo.write("f", "mine\ntwo\nthree\nfour\nfive\n")


def test_an_undone_capture_is_the_users_own_again(ready: Desk) -> None:
    """Its bytes are in the chain still, but nowhere a person looks: so nothing writes over them."""
    repo = ready.lab
    edited(repo)
    repo.write("new", "untracked\n")
    ready.call("capture", paths=("f", "new"))
    ready.call("undo")
    before = repo.snapshot()
    ready.call("flush")
    assert repo.snapshot() == before
    ready.apply(replace("f", "five", "5"))
    assert ready.commit_refused("dirty").hint == "slip capture -s s f"
    ready.refused("dirty", "flush")
    assert repo.snapshot() == before
    # As the hint says: taken in anew, it lands with the rest.
    ready.call("capture", paths=("f",))
    ready.commit("land")
    assert repo.tree()["f"] == repo.read("f") == b"mine\ntwo\nthree\nfour\n5\n"
    assert repo.read("new") == b"untracked\n"


def test_an_undone_capture_of_a_deletion(ready: Desk) -> None:
    repo = ready.lab
    repo.write("g", None)
    ready.call("capture")
    ready.call("undo")
    ready.apply(replace("f", "five", "5"), write("g", "other\n"))
    ready.commit_refused("dirty")
    assert not (repo.path / "g").exists()


def test_a_capture_brought_back_counts_again(ready: Desk) -> None:
    repo = ready.lab
    edited(repo)
    ready.call("capture")
    ready.call("undo")
    ready.call("redo")
    ready.commit("land")
    assert repo.tree()["f"] == repo.read("f")
    assert repo.git("status", "--porcelain") == ""


def test_gc_leaves_captured_bytes_alone(ready: Desk) -> None:
    """Merged with the session's own edits, no tree of a step holds the file as it was."""
    repo = ready.lab
    ready.apply(replace("f", "five", "5"))
    edited(repo)
    stored = repo.git("hash-object", "f")
    ready.call("capture")
    repo.git("gc", "--quiet", "--prune=now")
    assert repo.git("cat-file", "-p", stored).startswith("mine")
    ready.commit("land")
    assert repo.tree()["f"] == repo.read("f") == b"mine\ntwo\nthree\nfour\n5\n"
    assert repo.git("status", "--porcelain") == ""


def test_conflict_markers_are_not_captured(ready: Desk) -> None:
    repo = ready.lab
    repo.git("switch", "--quiet", "-c", "side")
    repo.commit({"f": "side\ntwo\nthree\nfour\nfive\n"})
    repo.git("switch", "--quiet", "main")
    repo.commit({"f": "main\ntwo\nthree\nfour\nfive\n"})
    repo.git("merge", "--quiet", "side", expect=1)
    before = repo.snapshot()
    for paths in ((), ("f",)):
        fault = ready.refused("dirty", "capture", paths=paths)
        assert f"is unmerged in {ready.lab.path};" in fault.message
        assert fault.hint == f"git -C {ready.lab.path} status"
    assert repo.snapshot() == before


def test_what_a_landing_set_aside_is_not_captured(ready: Desk) -> None:
    repo = ready.lab
    repo.write(".slip-tmp-1234-o0", "aside\n")
    repo.write("d/.slip-tmp-1234-n0", "aside\n")
    repo.write("d/new", "n\n")
    ready.call("capture", untracked=True)
    assert {"d/new", "f"} <= set(repo.tree("refs/slip/sessions/s"))
    assert not [path for path in repo.tree("refs/slip/sessions/s") if "slip-tmp" in path]


def test_a_submodule_is_not_captured_and_told(ground: Ground, store: str) -> None:
    repo = ground.holding_submodule()
    repo.git("-C", "lib", "commit", "--quiet", "--allow-empty", "-m", "on")
    desk = Desk(repo, store)
    desk.begin("work")
    assert desk.refused("unsupported", "capture", paths=("lib",)).message == "lib is a submodule"
    assert desk.call("capture")["unchanged"]
    told = repo.slip("capture", "-s", "work")
    assert b"lib: a submodule's commit is not captured" in told.err


def test_a_capture_that_conflicts_names_the_way_on(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    desk.apply(replace("README.md", "Demo", "demo"))
    repo.write("README.md", "# mine\n")
    repo.write("src/app.py", "unfinished\n")
    hint = desk.refused("conflict", "capture").hint
    begin = "slip begin work-mine --onto main"
    assert hint == f"{begin} && slip capture -s work-mine README.md"
    desk.begin("work-mine", onto="main")
    desk.call("capture", session="work-mine", paths=("README.md",))
    assert desk.commit("mine", session="work-mine")["committed"]
    assert repo.read("src/app.py") == b"unfinished\n"


@pytest.mark.parametrize(
    ("name", "hinted"),
    [
        ("work", "work-mine3"),
        ("x" * 64, "x" * 59 + "-mine"),
    ],
)
def test_the_way_on_is_free(desk: Desk, name: str, hinted: str) -> None:
    """The session that it names does not exist, and lands where this one does."""
    repo = desk.lab
    repo.git("branch", "-q", "it's")
    for taken in ("work-mine", "Work-Mine2"):
        desk.begin(taken)
    desk.begin(name, onto="it's")
    desk.apply(replace("README.md", "Demo", "demo"), session=name)
    repo.write("README.md", "# mine\n")
    hint = desk.refused("conflict", "capture", session=name).hint
    assert hint is not None
    assert shlex.split(hint)[:5] == ["slip", "begin", hinted, "--onto", "it's"]
    for words in hint.split(" && "):
        repo.slip(*shlex.split(words)[1:])
    assert repo.tree(f"refs/slip/sessions/{hinted}")["README.md"] == b"# mine\n"
    assert desk.call("status", session=hinted)["onto"] == "refs/heads/it's"


@pytest.mark.parametrize("path", ["../README.md", "/README.md", "src/../README.md"])
def test_a_path_that_leaves_the_root(desk: Desk, path: str) -> None:
    desk.begin("work")
    fault = desk.refused("bad-path", "capture", paths=(path,))
    assert "from the root of the repository" in fault.message


@pytest.mark.parametrize("flag", ["assume-unchanged", "skip-worktree"])
def test_the_way_out_for_a_file_that_git_does_not_look_at(desk: Desk, flag: str) -> None:
    """A capture alone would not see it."""
    repo = desk.lab
    repo.commit({"f": "one\ntwo\nthree\nfour\n"})
    desk.begin("s")
    desk.apply(replace("f", "one", "1"))
    repo.git("update-index", f"--{flag}", "f")
    repo.write("f", "one\ntwo\nthree\n4\n")
    typed(desk.refused("dirty", "flush").hint, repo.path)
    assert repo.tree("refs/slip/sessions/s")["f"] == b"1\ntwo\nthree\n4\n"
    desk.call("flush")
    assert repo.read("f") == b"1\ntwo\nthree\n4\n"
