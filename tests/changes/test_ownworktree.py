"""`slip worktree`: a session's own worktree, in which nothing is lost that was not captured."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.worktrees import owned
from tests.desk import Desk, Json, delete, replace, write
from tests.lab import Ground, Lab, typed


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.lab.commit({"f": "one\ntwo\nthree\nfour\nfive\n", "g": "g\n", ".gitignore": "*.o\n"})
    desk.begin("s")
    desk.apply(replace("f", "two", "2"), write("new", "n\n"), delete("README.md"))
    return desk


@pytest.fixture
def own(ready: Desk, ground: Ground) -> Desk:
    """The session's worktree."""
    return ready.at(ground.at(Path(ready.call("worktree")["worktree"])))


def test_it_holds_the_session_and_nothing_of_the_users_moves(ready: Desk, ground: Ground) -> None:
    repo = ready.lab
    repo.write("f", "mine\n")
    before = repo.snapshot()
    answer = ready.call("worktree")
    own = ground.at(Path(answer["worktree"]))
    assert own.path == repo.path.with_name("repo.s")
    assert answer == {
        "session": "s",
        "worktree": str(own.path),
        "head": own.oid("HEAD"),
        "made": True,
    }
    assert repo.snapshot() == before
    assert {path: data for path, (_, data) in own.files().items()} == repo.tree(answer["head"])
    assert own.git("status", "--porcelain") == ""
    assert own.git("symbolic-ref", "-q", "HEAD", expect=1) == ""
    repo.slip("commit", "-s", "s", "-m", "x", expect=1)  # for `f`, not for the worktree
    listed = repo.git("worktree", "list", "--porcelain")
    assert str(own.path) in listed
    assert "locked" not in listed
    assert "prunable" not in listed


def test_git_never_meets_half_of_it(ready: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """git fails where a worktree's git directory lacks a line that it is about to get."""
    writing = owned._write

    def write_and_look(path: str, text: str) -> None:
        writing(path, "")
        ready.lab.git("worktree", "list")
        writing(path, text)

    monkeypatch.setattr(owned, "_write", write_and_look)
    assert ready.call("worktree")["made"] is True
    assert (ready.lab.common_dir / "worktrees").stat().st_mode == (
        next((ready.lab.common_dir / "worktrees").iterdir()).stat().st_mode
    )


def test_it_prints_the_directory(ready: Desk, tmp_path: Path) -> None:
    reply = ready.lab.slip("worktree", "../there/deep", "-s", "s")
    assert reply.text == f"{tmp_path}/there/deep\n"
    assert ready.lab.slip("worktree").text == reply.text
    reply = ready.lab.slip_json("worktree", "elsewhere", expect=1)
    assert reply.error["code"] == "exists"
    typed(reply.error["hint"], ready.lab.path)
    assert ready.lab.slip("worktree").text == f"{ready.lab.path}/elsewhere\n"


def test_a_place_that_is_taken(ready: Desk, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("mine\n")
    before = ready.lab.snapshot()
    for directory in ("full", "full/mine"):
        ready.refused("exists", "worktree", place=str(tmp_path / directory))
    assert ready.lab.snapshot() == before
    assert ready.lab.git("worktree", "list").count("\n") == 0
    (tmp_path / "empty").mkdir()
    assert ready.call("worktree", place=str(tmp_path / "empty"))["made"] is True


def test_inside_it_slip_means_its_session(own: Desk, ready: Desk) -> None:
    ready.begin("other")
    ready.refused("session-required", "status")
    assert own.call("status")["session"] == "s"
    assert own.call("status", env={"SLIP_SESSION": "other"})["session"] == "other"
    assert own.call("status", session="other")["session"] == "other"
    ready.call("abort", session="s")
    assert own.refused("session-missing", "status").hint == "slip reopen s"
    # Another session of that name is not its own.
    ready.begin("s", title="another")
    own.refused("session-missing", "status")
    ready.call("abort", session="s")
    ready.call("reopen", name="s@1")
    assert own.call("status")["session"] == "s"


def test_a_session_begun_there_lands_where_its_own_does(own: Desk, ready: Desk) -> None:
    begun = own.begin("mine", title="Mine")
    assert begun["onto"] == "refs/heads/main"
    own.lab.write("g", "edited\n")
    own.call("capture", session="mine")
    told = own.commit("Mine", session="mine")
    # Its base is the step that the files are of, so that only the edit lands.
    assert [row["path"] for row in told["changes"]] == ["g"]
    assert ready.lab.tree()["g"] == b"edited\n"
    own.lab.git("checkout", "--quiet", "--", "g")
    ready.call("abort", session="s")
    assert own.begin("other")["onto"] is None


def test_captures_there_are_edits_of_what_it_was_given(own: Desk, ready: Desk) -> None:
    ready.apply(replace("f", "five", "5"), session="s")
    own.lab.write("f", own.lab.read("f").replace(b"one", b"1"))
    own.lab.write("made", "made\n")
    answer = own.call("capture", untracked=True)
    assert [c["path"] for c in answer["changes"]] == ["f", "made"]
    assert ready.lab.tree(answer["tree"])["f"] == b"1\n2\nthree\nfour\n5\n"
    # It is brought along, and is clean then.
    again = own.call("worktree")
    assert (again["brought"], again["head"]) == (["f"], answer["commit"])
    assert own.lab.read("f") == b"1\n2\nthree\nfour\n5\n"
    assert own.lab.git("status", "--porcelain") == ""
    assert own.call("capture")["unchanged"] is True


def test_it_is_brought_along_around_an_edit(own: Desk, ready: Desk) -> None:
    ready.apply(replace("f", "five", "5"), delete("g"), session="s")
    own.lab.write("new", "edited\n")
    own.lab.write("x.o", "ignored\n")
    assert own.call("worktree")["brought"] == ["f", "g"]
    assert own.lab.git("status", "--porcelain") == " M new"
    assert (own.lab.read("new"), own.lab.read("x.o")) == (b"edited\n", b"ignored\n")
    ready.apply(write("new", "theirs\n"), session="s")
    before = own.lab.snapshot()
    fault = own.refused("dirty", "worktree")
    assert fault.hint == "slip capture -s s new"
    assert own.lab.snapshot() == before
    own.refused("dirty", "flush")
    assert own.lab.snapshot() == before


def test_flush_brings_the_files_along(own: Desk, ready: Desk) -> None:
    ready.apply(replace("f", "five", "5"), session="s")
    own.lab.write("g", "edited\n")
    own.call("flush")
    assert own.lab.read("f") == b"one\n2\nthree\nfour\n5\n"
    assert own.lab.read("g") == b"edited\n"
    own.call("worktree")
    assert own.lab.git("status", "--porcelain") == " M g"


def test_edits_are_of_what_it_was_brought_to(own: Desk, ready: Desk) -> None:
    """And not of what was captured before that, which lies beside and would collide."""
    own.lab.write("f", "one\n2\nthree\n4\nfive\n")
    own.call("capture")
    ready.apply(replace("f", "4", "four again"), session="s")
    own.call("worktree")
    own.lab.write("f", "one\n2\n3\nfour again\nfive\n")
    own.call("capture")
    assert own.lab.tree("refs/slip/sessions/s")["f"] == b"one\n2\n3\nfour again\nfive\n"


@pytest.fixture
def half_along(own: Desk, ready: Desk) -> Desk:
    """Brought past a rebase but for its HEAD, as by a kill, and then rebased once more."""
    head = own.lab.oid("HEAD")
    ready.lab.commit({"other": "other\n", "g": "main's\n"})
    ready.call("rebase", session="s")
    ready.call("worktree", session="s")
    own.lab.git("update-ref", "--no-deref", "HEAD", head)
    ready.lab.commit({"other": "other again\n", "more": "more\n"})
    ready.call("rebase", session="s")
    return own


def test_a_rebase_more_does_not_make_edits_of_it(half_along: Desk, ready: Desk) -> None:
    own = half_along.lab
    own.write("g", "mine\n")
    fault = ready.refused("dirty", "worktree", session="s", remove=True)
    assert str(fault.message).endswith(": g (not captured)")
    own.write("g", "main's\n")
    ready.call("worktree", session="s")
    assert own.git("status", "--porcelain") == ""
    assert own.tree() == {path: content for path, (_, content) in own.files().items()}
    assert own.read("other") == b"other again\n"


def test_it_goes_though_it_is_behind_a_rebase(half_along: Desk, ready: Desk) -> None:
    ready.commit("land", session="s")
    assert ready.call("worktree", session="s", remove=True)["removed"] is True


def test_an_undo_is_brought_along(own: Desk) -> None:
    own.call("undo")
    own.call("worktree")
    assert own.lab.git("status", "--porcelain") == ""
    assert own.lab.read("README.md") == own.lab.tree("main")["README.md"]


def test_what_is_committed_there_is_captured(own: Desk) -> None:
    own.lab.commit({"f": "mine\n", "made": "made\n"}, "mine")
    own.lab.write("f", "mine and more\n")
    before = own.lab.snapshot()
    fault = own.commit_refused("dirty")
    assert own.lab.snapshot() == before
    assert fault.hint == f"slip -C {own.lab.path} capture -s s"
    answer = own.call("capture")
    assert {c["path"]: c["status"] for c in answer["changes"]} == {"f": "M", "made": "A"}
    own.call("worktree")
    assert own.lab.git("status", "--porcelain") == ""
    assert own.lab.oid("HEAD") == answer["commit"]
    assert own.commit("land")["committed"] is True


def test_commits_there_are_not_left_behind(own: Desk, ready: Desk) -> None:
    mine = own.lab.commit({"g": "mine\n"}, "mine")
    ready.apply(write("x", "x\n"), session="s")
    assert "committed there" in own.refused("dirty", "worktree").message
    assert own.lab.oid("HEAD") == mine
    own.call("capture")
    own.call("worktree")
    assert (own.lab.read("g"), own.lab.read("x")) == (b"mine\n", b"x\n")
    assert own.lab.git("status", "--porcelain") == ""


def test_a_branch_made_there_stays_where_it_is(own: Desk) -> None:
    own.lab.git("switch", "-q", "-c", "topic")
    fault = own.refused("dirty", "worktree")
    typed(fault.hint, own.lab.path)
    own.call("worktree")
    assert "refs/heads/topic" in own.lab.refs()


@pytest.mark.parametrize("operation", ["commit", "abort"])
def test_edits_that_are_not_captured_stop_landing_and_abort(
    own: Desk, ready: Desk, operation: str
) -> None:
    values: Json = {"message": ("land",)} if operation == "commit" else {}
    for path, content, option in (("g", "edited\n", ""), ("made", "x\n", " --untracked")):
        own.lab.write(path, content)
        before = own.lab.snapshot(), ready.lab.snapshot()
        fault = ready.refused("dirty", operation, session="s", **values)
        assert fault.hint == f"slip -C {own.lab.path} capture -s s{option}"
        assert fault.message.count(path)
        assert (own.lab.snapshot(), ready.lab.snapshot()) == before
        own.call("capture", untracked=bool(option))
    # Ignored files are at no risk: the directory stays.
    own.lab.write("x.o", "x\n")
    ready.call(operation, session="s", **values)
    assert own.lab.read("g") == b"edited\n"
    assert own.lab.read("x.o") == b"x\n"


def test_status_tells_that_a_landing_would_be_refused(own: Desk, ready: Desk) -> None:
    own.lab.write("g", "edited\n")
    refusal = ready.call("status", session="s")["refusal"]
    assert (refusal["code"], "g (not captured)" in refusal["message"]) == ("dirty", True)


def test_removal_loses_nothing(own: Desk, ready: Desk) -> None:
    for path, why in (("g", "not captured"), ("made", "untracked"), ("x.o", "ignored")):
        own.lab.write(path, "mine\n")
        before = own.lab.snapshot()
        fault = ready.refused("dirty", "worktree", session="s", remove=True)
        assert f"{path} ({why})" in fault.message
        assert own.lab.snapshot() == before
        own.lab.git("checkout", "-q", "--", ".")
        own.lab.git("clean", "-fdqx")
    own.lab.git("init", "-q", "nested")
    assert "nested/ (a repository)" in ready.refused("dirty", "worktree", remove=True).message
    shutil.rmtree(own.lab.path / "nested")
    answer = ready.call("worktree", remove=True)
    assert answer["removed"] is True
    assert not own.lab.path.exists()
    assert sorted(p.name for p in ready.lab.path.parent.iterdir() if "slip" in p.name) == []
    assert ready.lab.git("worktree", "list").count("\n") == 0
    assert ready.refused("session-missing", "worktree", session="s", remove=True).hint
    assert ready.call("worktree")["made"] is True


def test_the_way_out_of_ignored_files_deletes_none(own: Desk, ready: Desk, ground: Ground) -> None:
    """git clean -ffdX would take the repository in there with it."""
    own.lab.write(".gitignore", "*.o\nout/\n")
    own.call("capture")
    own.lab.git("init", "-q", "out/nested")
    nested = ground.at(own.lab.path / "out/nested")
    nested.commit({"kept": "nowhere else\n"})
    own.lab.write("x.o", "1\n")
    before = own.lab.snapshot()
    fault = ready.refused("dirty", "worktree", session="s", remove=True)
    assert fault.message.endswith(
        "; ignored, and so kept nowhere else: 2; move or delete them first"
    )
    listing = "ls-files -o -i --exclude-standard --directory"
    assert fault.hint == f"git -C {own.lab.path} {listing}"
    assert own.lab.git(*listing.split()).split() == ["out/", "x.o"]
    typed(fault.hint, ready.lab.path)
    assert own.lab.snapshot() == before
    assert nested.tree() == {"kept": b"nowhere else\n"}
    shutil.rmtree(own.lab.path / "out")
    (own.lab.path / "x.o").unlink()
    assert ready.call("worktree", session="s", remove=True)["removed"] is True


def test_when_it_has_landed_status_there_says_how_it_goes(own: Desk, ready: Desk) -> None:
    ready.commit("land", session="s")
    fault = own.refused("session-missing", "status")
    assert "it landed as" in fault.message
    assert fault.hint == "slip worktree --remove"
    assert ready.refused("session-missing", "status", session="s").hint == "slip reopen s"
    typed(fault.hint, own.lab.path)
    assert not own.lab.path.exists()


def test_removal_keeps_what_submodules_have_not_pushed(desk: Desk, ground: Ground) -> None:
    repo, other = desk.lab, ground.repository("other")
    allow = ("-c", "protocol.file.allow=always")
    repo.git(*allow, "submodule", "--quiet", "add", str(other.path), "sub")
    repo.git("commit", "--quiet", "-m", "a submodule")
    desk.begin("s")
    own = ground.at(Path(desk.call("worktree")["worktree"]))
    own.git(*allow, "submodule", "--quiet", "update", "--init")
    fault = desk.refused("dirty", "worktree", remove=True)
    typed(f"git -C {own.path} submodule deinit --all", repo.path)
    fault = desk.refused("dirty", "worktree", remove=True)
    assert "has not pushed" in fault.message
    modules = repo.common_dir / "worktrees" / own.path.name / "modules"
    assert (modules / "sub").is_dir()
    assert fault.hint == f"rm -rf {modules}"
    typed(fault.hint, repo.path)
    desk.call("worktree", remove=True)
    assert not own.path.exists()


def broken_off(own: Desk, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A removal that the disk stops after the first file; where the rest stands."""
    unlink = os.unlink
    seen: list[object] = []

    def once(path: str, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None:  # as the removal of a directory calls it
            seen.append(path)
            if len(seen) > 1:
                raise OSError(errno.EIO, "the disk fails")
        unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", once)
        message = own.refused("git-failed", "worktree", session="s", remove=True).message
    assert message == f"{own.lab.path} cannot be removed: the disk fails"
    (aside,) = own.lab.path.parent.glob(".slip-tmp-*")
    return aside


def test_a_removal_that_broke_off_goes_on(
    own: Desk, ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has deleted already is not taken for somebody's edit."""
    aside = broken_off(ready.at(own.lab), monkeypatch)
    assert ready.call("worktree", session="s", remove=True)["removed"] is True
    assert not aside.exists()
    assert list((ready.lab.common_dir / "worktrees").iterdir()) == []
    assert list((ready.lab.common_dir / "slip/quarantine").iterdir()) == []


def test_what_was_written_into_the_rest_of_it_stays(
    own: Desk, ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = broken_off(own, monkeypatch)
    time.sleep(0.05)
    (aside / "late").write_text("mine\n")
    ready.call("recover")
    assert own.lab.read("late") == b"mine\n"
    own.lab.damaged = True  # its own end of the link may be gone


def test_what_was_captured_may_go(own: Desk, ready: Desk) -> None:
    own.lab.write("g", "mine\n")
    own.call("capture")
    # From inside, by the command line, with the session's name left out.
    assert b"is removed" in own.lab.slip("worktree", "--remove").out
    assert not own.lab.path.exists()
    assert ready.commit("land", session="s")["committed"] is True


def test_a_landed_sessions_worktree_can_go(own: Desk, ready: Desk) -> None:
    ready.commit("land", session="s")
    own.lab.write("g", "later\n")
    ready.refused("dirty", "worktree", session="s", remove=True)
    own.lab.write("g", "g\n")
    ready.call("worktree", session="s", remove=True)
    assert not own.lab.path.exists()


def test_a_locked_one_stays(own: Desk, ready: Desk) -> None:
    ready.lab.git("worktree", "lock", str(own.lab.path))
    fault = ready.refused("locked", "worktree", remove=True)
    typed(fault.hint, ready.lab.path)
    ready.call("worktree", remove=True)


def test_a_directory_that_is_gone(own: Desk, ready: Desk) -> None:
    shutil.rmtree(own.lab.path)
    own.lab.damaged = True
    ready.refused("missing", "worktree", session="s")
    # Neither a landing nor anything else minds.
    assert ready.commit("land", session="s", keep=True)["committed"] is True
    ready.call("worktree", session="s", remove=True)
    assert ready.call("worktree", session="s")["made"] is True


def test_another_sessions_in_the_place_of_one_that_is_gone(own: Desk, ready: Desk) -> None:
    """A staged version is nowhere else; whose directory it is, its `.git` says."""
    shutil.rmtree(own.lab.path)
    ready.begin("t")
    ready.call("worktree", session="t", place=str(own.lab.path))
    own.lab.write("README.md", "staged\n")
    own.lab.git("add", "README.md")
    ready.refused("missing", "worktree", session="s")
    ready.call("worktree", session="s", remove=True)
    assert own.lab.git("show", ":README.md") == "staged"
    assert ready.call("worktree", session="t")["worktree"] == str(own.lab.path)


def test_a_removal_that_died_and_whose_place_is_taken(own: Desk, ready: Desk) -> None:
    root, aside = own.lab.path, own.lab.path.with_name(".slip-tmp-1-s")
    git_dir = own.lab.git_dir
    root.rename(aside)
    (git_dir / "slip-going").write_text(f"{aside}\n")
    root.mkdir()
    (root / "another").write_text("mine\n")
    fault = ready.refused("git-failed", "worktree", session="s", remove=True)
    assert f"{aside} cannot be {root} again" in fault.message
    typed(fault.hint, ready.lab.path)
    ready.call("recover")
    assert (root / "another").read_text() == "mine\n"
    (root / "another").unlink()
    ready.call("worktree", session="s", remove=True)
    assert not aside.exists()


def test_a_directory_that_was_moved(own: Desk, ready: Desk, tmp_path: Path) -> None:
    own.lab.write("g", "mine\n")
    moved = Lab(own.lab.path.rename(tmp_path / "moved"))
    ready.refused("missing", "worktree", session="s")
    # In there all works at once, and from elsewhere when git was told.
    assert own.at(moved).call("capture")["step"] == 2
    moved.git("worktree", "repair")
    assert ready.call("worktree", session="s")["worktree"] == str(moved.path)


def test_bare_and_unborn_repositories(ground: Ground, store: str) -> None:
    for lab, place in ((ground.bare(), "bare.s"), (ground.unborn(), "unborn.s")):
        desk = Desk(lab, store)
        desk.begin("s")
        own = desk.at(ground.at(Path(desk.call("worktree")["worktree"])))
        assert own.lab.path.name == place
        own.lab.write("made", "x\n")
        own.call("capture", untracked=True)
        own.call("worktree")
        assert own.lab.git("status", "--porcelain") == ""
        assert desk.commit("land")["committed"] is True
        assert "made" in lab.tree("main")


def test_filters_make_its_files(desk: Desk, ground: Ground) -> None:
    repo = desk.lab
    repo.git("config", "filter.up.clean", "tr a-z A-Z")
    repo.git("config", "filter.up.smudge", "tr A-Z a-z")
    repo.commit({".gitattributes": "*.up filter=up\n*.txt text eol=crlf\n", "a.up": "ABC\n"})
    desk.begin("s")
    desk.apply(write("b.txt", "b\n"))
    own = ground.at(Path(desk.call("worktree")["worktree"]))
    assert (own.read("a.up"), own.read("b.txt")) == (b"abc\n", b"b\r\n")
    assert own.git("status", "--porcelain") == ""
    desk.call("worktree", remove=True)


# Other people's worktrees ------------------------------------------------------------------------


@pytest.mark.parametrize("detached", [False, True])
def test_capture_from_any_worktree(ready: Desk, linked_repo: Lab, *, detached: bool) -> None:
    """Against that worktree's own HEAD, whatever it is, into the session that is named."""
    if detached:
        linked_repo.git("checkout", "-q", "--detach")
    linked_repo.commit({"f": "one\ntwo\nthree\nfour\nfive\n", "theirs": "t\n"}, "elsewhere")
    linked_repo.write("f", "one\ntwo\nthree\nfour\n5\n")
    linked_repo.write("made", "m\n")
    before = linked_repo.snapshot()
    there = ready.at(linked_repo)
    answer = there.call("capture", session="s", paths=("f", "made"))
    assert linked_repo.snapshot() == before
    tree = ready.lab.tree(answer["tree"])
    assert (tree["f"], tree["made"]) == (b"one\n2\nthree\nfour\n5\n", b"m\n")
    assert "theirs" not in tree
    ready.commit("land", session="s")
    assert linked_repo.snapshot()._replace(refs=before.refs) == before


def test_agents_in_worktrees_and_on_branches_are_not_written_over(
    ready: Desk, ground: Ground
) -> None:
    agent = ground.linked(ready.lab, "agent", "agent")
    agent.write("f", "the agent's\n")
    agent.write("new", "the agent's\n")
    before = agent.snapshot()
    ready.commit("land", session="s")
    assert agent.snapshot()._replace(refs=before.refs) == before
    ready.begin("t", base="agent", onto="agent")
    ready.apply(write("new", "t\n"), session="t")
    fault = ready.commit_refused("dirty", session="t")
    assert str(agent.path) in fault.message
    assert agent.snapshot()._replace(refs=before.refs) == before


# What only a worktree's own git directory has -----------------------------------------------------


def kept_nowhere_else(ready: Desk, code: str = "dirty") -> SlipError:
    """The refusal of a removal, which has changed nothing."""
    before = ready.lab.snapshot()
    fault = ready.refused(code, "worktree", session="s", remove=True)
    assert ready.lab.snapshot() == before
    return fault


def test_what_is_only_staged_does_not_go(own: Desk, ready: Desk) -> None:
    own.lab.write("ns", "NEW\n")
    own.lab.write("g", "g\nS\n")
    own.lab.git("add", "ns", "g")
    (own.lab.path / "ns").unlink()
    own.lab.write("g", "g\nmore\n")
    fault = kept_nowhere_else(ready)
    assert "g (not captured), g (staged, not captured), ns (staged, not captured)" in fault.message
    typed(fault.hint, ready.lab.path)  # the file, first
    fault = kept_nowhere_else(ready)
    assert fault.message.endswith(": g (staged, not captured), ns (staged, not captured)")
    typed(fault.hint, ready.lab.path)
    assert ready.call("worktree", session="s", remove=True)["removed"] is True
    assert ready.lab.git("show", "stash^2:g") == "g\nS"
    assert ready.lab.git("show", "stash^2:ns") == "NEW"


def test_what_is_staged_and_captured_may_go(own: Desk, ready: Desk) -> None:
    own.lab.write("g", "mine\n")
    own.lab.write("made", "made\n")
    own.lab.git("add", "g", "made")
    own.lab.git("rm", "-q", "--cached", "f")
    own.call("capture")
    assert ready.call("worktree", session="s", remove=True)["removed"] is True


@pytest.mark.parametrize("flag", ["assume-unchanged", "skip-worktree"])
def test_files_that_git_does_not_look_at(own: Desk, ready: Desk, flag: str) -> None:
    own.lab.git("update-index", f"--{flag}", "g", "f")
    own.lab.write("g", "hidden\n")
    fault = kept_nowhere_else(ready, "unsupported")
    assert fault.message == f"g is marked for git not to look at, in {own.lab.path}"
    typed(fault.hint, ready.lab.path)
    assert "g (not captured)" in kept_nowhere_else(ready).message
    own.lab.write("g", "g\n")
    assert ready.call("worktree", session="s", remove=True)["removed"] is True


def test_commits_that_only_its_reflog_names(own: Desk, ready: Desk) -> None:
    step = own.lab.oid("HEAD")
    first = own.lab.commit({"g": "mine\n"}, "mine")
    second = own.lab.commit({"g": "more\n"}, "more")
    own.lab.git("checkout", "-q", step)
    own.lab.git("commit", "-q", "--allow-empty", "-m", "a thought")
    empty = own.lab.oid("HEAD")
    own.lab.git("commit", "-q", "--amend", "--allow-empty", "-m", "another")
    amended = own.lab.oid("HEAD")
    own.lab.git("checkout", "-q", step)
    for number in range(3):
        fault = kept_nowhere_else(ready)
        assert "commits that only its reflog keeps" in fault.message, number
        typed(fault.hint, ready.lab.path)
    assert ready.call("worktree", session="s", remove=True)["removed"] is True
    refs = ready.lab.refs()
    assert {refs[f"refs/heads/s-mine{n}"] for n in ("", "2", "3")} == {second, empty, amended}
    assert first in ready.lab.git("rev-list", "--branches")


def test_a_commit_that_was_taken_back_and_a_step_that_was_amended(own: Desk, ready: Desk) -> None:
    mine = own.lab.commit({"g": "mine\n"}, "mine")
    own.lab.git("revert", "--no-edit", "HEAD")
    assert kept_nowhere_else(ready).data["commits"] == [mine]
    own.lab.git("branch", "kept", mine)
    step = ready.lab.oid("refs/slip/sessions/s")
    own.lab.git("checkout", "-q", step)
    own.lab.write("f", "amended\n")
    own.lab.git("commit", "-q", "--amend", "-a", "--no-edit")  # the trailers of a step stay
    amended = own.lab.oid("HEAD")
    own.lab.git("checkout", "-q", step)
    assert kept_nowhere_else(ready).data["commits"] == [amended]


def test_commits_that_were_captured_may_go(own: Desk, ready: Desk) -> None:
    own.lab.commit({"g": "mine\n", "made": "made\n"}, "mine")
    own.call("capture")
    own.call("worktree")
    ready.commit("land", session="s")
    assert ready.call("worktree", session="s", remove=True)["removed"] is True


def test_refs_of_its_own_and_a_merge_that_was_put_aside(own: Desk, ready: Desk) -> None:
    """Where no reflog is kept, too."""
    ready.lab.git("config", "core.logAllRefUpdates", "false")
    step = own.lab.oid("HEAD")
    mine = own.lab.commit({"g": "mine\n"}, "mine")
    own.lab.git("update-ref", "refs/worktree/mine", mine)
    own.lab.git("checkout", "-q", step)
    assert kept_nowhere_else(ready).data["commits"] == [mine]


@pytest.fixture
def with_module(desk: Desk, ground: Ground) -> Lab:
    """The worktree of a session `s` that has a submodule `sub`, whose repository has moved on."""
    repo, other = desk.lab, ground.repository("other")
    allow = ("-c", "protocol.file.allow=always")
    repo.git(*allow, "submodule", "--quiet", "add", str(other.path), "sub")
    repo.git("commit", "--quiet", "-m", "a submodule")
    desk.begin("s")
    own = ground.at(Path(desk.call("worktree")["worktree"]))
    own.git(*allow, "submodule", "--quiet", "update", "--init")
    Lab(own.path / "sub").commit({"more": "more\n"}, "more")
    return own


def test_a_submodules_commit_that_was_committed_there(desk: Desk, with_module: Lab) -> None:
    own = with_module
    own.git("commit", "-q", "-am", "bump")
    mine = own.oid("HEAD")
    desk.apply(write("x", "x\n"), session="s")
    hint = f"git -C {own.path} branch s-mine {mine}"
    for operation, values in (
        ("worktree", {"session": "s"}),
        ("worktree", {"session": "s", "remove": True}),
        ("commit", {"session": "s", "message": ("land",)}),
        ("abort", {"session": "s"}),
    ):
        fault = desk.refused("dirty", operation, **values)
        assert "sub (committed there, not captured)" in fault.message, operation
        assert fault.hint == hint
        assert own.oid("HEAD") == mine
    typed(hint, desk.lab.path)
    assert desk.call("worktree", session="s")["head"] == own.oid("HEAD")
    assert desk.commit("land", session="s")["committed"] is True


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_submodule_leads_on(desk: Desk, with_module: Lab, *, staged: bool) -> None:
    own = with_module
    modules = Lab(own.git_dir / "modules/sub")
    newest = Lab(own.path / "sub").oid("HEAD")
    if staged:
        own.git("add", "sub")
    (own.path / "sub/README.md").write_text("edited\n")
    (own.path / "sub/untracked").write_text("new\n")
    typed(desk.refused("dirty", "worktree", session="s", remove=True).hint, desk.lab.path)
    assert modules.git("show", "stash:README.md") == "edited"
    assert modules.git("show", "stash^3:untracked") == "new"
    assert modules.oid("HEAD") == newest
    fault = desk.refused("dirty", "worktree", session="s", remove=True)
    if staged:
        assert f"sub (staged, not captured: {newest})" in fault.message
        typed(fault.hint, desk.lab.path)
        fault = desk.refused("dirty", "worktree", session="s", remove=True)
    assert fault.hint == f"rm -rf {modules.path.parent}"


def test_what_stands_where_a_submodule_is_not_checked_out(desk: Desk, with_module: Lab) -> None:
    own = with_module
    own.git("submodule", "--quiet", "deinit", "--all", "--force")
    own.write("sub/mine", "mine\n")
    typed(desk.refused("dirty", "worktree", session="s", remove=True).hint, desk.lab.path)
    assert own.read("sub.mine/mine") == b"mine\n"
