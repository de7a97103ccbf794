"""Sessions: a chain of commits at a ref, opened, found, closed, and readable by plain git."""

from __future__ import annotations

from typing import Any

import pytest

from tests.desk import Desk, delete, replace, write
from tests.lab import Ground, Lab, Link

TIP = "refs/slip/sessions/work"


def owned(repo: Lab) -> dict[str, str]:
    """The refs that are not slip's."""
    return {ref: to for ref, to in repo.refs().items() if not ref.startswith("refs/slip/")}


@pytest.fixture
def messy(repo: Lab) -> Lab:
    """`repo` in the middle of somebody's work: edits, staged, stashed, untracked, ignored."""
    repo.commit({".gitignore": "*.log\n", "a": "a\n", "b": "b\n", "c": "c\n"})
    repo.write("a", "stashed\n")
    repo.git("stash", "--quiet")
    repo.write("a", "edited\n")
    repo.write("b", "staged\n")
    repo.git("add", "b")
    repo.write("b", "staged and edited\n")
    repo.write("c", None)
    repo.write("untracked", "mine\n")
    repo.write("deep/untracked", "mine\n")
    repo.write("build.log", "ignored\n")
    repo.write("link", Link("a"))
    return repo


# --- the chain, read by git -----------------------------------------------------------------------


def test_begin_is_one_commit_on_the_base_and_one_ref(desk: Desk) -> None:
    repo = desk.lab
    begun = desk.begin("work")
    assert begun == {
        "session": "work",
        "ref": TIP,
        "base": repo.oid("main"),
        "onto": "refs/heads/main",
        "commit": repo.oid(TIP),
    }
    assert repo.oid(f"{TIP}^") == repo.oid("main")
    assert repo.oid(f"{TIP}^{{tree}}") == repo.oid("main^{tree}")
    assert set(repo.refs()) == {"refs/heads/main", TIP}


def test_plain_git_reads_the_chain(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work", title="All about a")
    first = desk.apply(write("a", "1\n"), agent="ada", group="first part")
    second = desk.apply(replace("a", "1", "2"))
    log = repo.git("log", "--format=%H", "main..refs/slip/sessions/work").splitlines()
    assert log == [second["commit"], first["commit"], repo.oid(f"{TIP}~2")]
    assert repo.git("diff", "--name-status", "main", TIP) == "A\ta"
    assert "+2" in repo.git("log", "-p", "-1", TIP)
    trailers = repo.git("log", "-1", "--format=%(trailers)", first["commit"])
    assert "Slip-Session: work" in trailers
    assert "Slip-Op: apply" in trailers
    assert "Slip-Group: first part" in trailers
    assert "Slip-Agent: ada" in trailers
    begin = repo.git("log", "-1", "--format=%(trailers)", f"{TIP}~2")
    assert "Slip-Onto: refs/heads/main" in begin
    message = repo.git("log", "-1", "--format=%B", f"{TIP}^")
    assert '{"op":"write","path":"a","content":"1\\n"}' in message


def test_facts_cannot_forge_trailers(desk: Desk) -> None:
    desk.begin("work", title="x\nSlip-Onto: refs/heads/evil", agent="a\r\n\r\nSlip-Step: 9")
    desk.apply(write("a", "1\nSlip-Undoes: 1\n\nSlip-Format: 2\n"), group="g\nSlip-Step: 7")
    told = desk.call("status", session="work")
    assert (told["onto"], told["steps"]) == ("refs/heads/main", 1)
    assert told["title"] == "x Slip-Onto: refs/heads/evil"
    assert desk.call("log")["steps"][0]["step"] == 1
    shown = desk.call("show", step="1")["ops"][0]["content"]
    assert shown == "1\nSlip-Undoes: 1\n\nSlip-Format: 2\n"


@pytest.mark.parametrize("store", ["git"], indirect=True)
def test_nothing_of_the_users_changes(messy: Lab, store: str) -> None:
    desk = Desk(messy, store)
    before = messy.snapshot()

    def same() -> None:
        assert messy.snapshot() == before

    desk.begin("work")
    same()
    desk.apply(write("a", "theirs\n"), write("untracked", "theirs\n"), delete("c"))
    same()
    desk.apply_refused("missing", delete("c"))
    same()
    desk.call("capture", paths=("b",))
    same()
    desk.call("undo")
    desk.call("redo")
    desk.call("undo", step="1")
    same()
    desk.call("redo")
    desk.commit_refused("dirty")
    same()
    desk.commit_refused("dirty", "x", dry_run=True)
    same()
    desk.commit("x", dry_run=True, no_checkout=True)
    same()
    for name in ("status", "log", "diff", "list"):
        desk.call(name)
    same()
    desk.call("abort")
    desk.call("reopen", name="work")
    same()


# --- undo and redo --------------------------------------------------------------------------------


def tree(desk: Desk) -> dict[str, bytes]:
    found = desk.lab.tree(TIP)
    return {path: data for path, data in found.items() if path not in ("README.md", "src/app.py")}


def test_undo_and_redo_append_steps(desk: Desk) -> None:
    desk.begin("work")
    one = desk.apply(write("a", "1"))
    two = desk.apply(write("a", "2"))
    back = desk.call("undo")
    assert (back["undone"], back["step"], back["tree"]) == (2, 3, one["tree"])
    assert desk.lab.oid(f"{TIP}^") == two["commit"]
    again = desk.call("redo")
    assert (again["redone"], again["step"], again["tree"]) == (2, 4, two["tree"])
    desk.call("undo")
    desk.call("undo")
    assert tree(desk) == {}
    desk.refused("missing", "undo")
    desk.call("redo")
    assert tree(desk) == {"a": b"1"}
    desk.call("redo")
    assert tree(desk) == {"a": b"2"}
    desk.refused("missing", "redo")
    assert [row["undone"] for row in desk.call("log")["steps"]][:2] == [False, False]


def test_undo_in_the_middle_is_a_merge(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "a\n"))
    desk.apply(write("b", "b\n"))
    desk.apply(write("c", "c\n"))
    desk.call("undo", step="2")
    assert tree(desk) == {"a": b"a\n", "c": b"c\n"}
    steps = desk.call("log")["steps"]
    assert [(row["step"], row["undone"]) for row in steps] == [
        (1, False), (2, True), (3, False), (4, False),
    ]  # fmt: skip
    desk.refused("missing", "undo", step="2")
    desk.call("undo", step=steps[0]["commit"][:8])
    assert tree(desk) == {"c": b"c\n"}
    desk.call("redo")
    assert tree(desk) == {"a": b"a\n", "c": b"c\n"}
    desk.call("redo")
    assert tree(desk) == {"a": b"a\n", "b": b"b\n", "c": b"c\n"}


def test_undo_of_one_file_merges_line_by_line(desk: Desk) -> None:
    desk.lab.commit({"f": "".join(f"{n}\n" for n in range(20))})
    desk.begin("work")
    desk.apply(replace("f", "2\n3\n", "two\n3\n"))
    desk.apply(replace("f", "17\n", "seventeen\n"))
    desk.call("undo", step="1")
    text = desk.lab.tree(TIP)["f"].split()
    assert (text[2], text[17]) == (b"2", b"seventeen")


def test_an_undo_that_conflicts_makes_no_step(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1\n"))
    desk.apply(replace("a", "1", "2"))
    tip, before = desk.lab.oid(TIP), desk.lab.snapshot()
    fault = desk.refused("conflict", "undo", step="1")
    assert fault.exit_status == 3
    files: Any = fault.data["files"]
    assert [(row["path"], row["kind"]) for row in files] == [("a", "modify-delete")]
    assert (desk.lab.oid(TIP), desk.lab.snapshot()) == (tip, before)


def test_a_new_apply_clears_redo(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1"))
    desk.call("undo")
    desk.apply(write("b", "1"))
    desk.refused("missing", "redo")
    desk.call("undo")
    desk.call("redo")
    assert tree(desk) == {"b": b"1"}


def test_a_refused_apply_does_not_clear_redo(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1"))
    desk.call("undo")
    desk.apply_refused("missing", delete("b"))
    desk.apply()
    desk.call("redo")
    assert tree(desk) == {"a": b"1"}


def test_status_counts_the_steps_in_force(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1"))
    desk.apply(write("b", "1"))
    desk.call("undo")
    assert desk.call("status")["steps"] == 1


def test_nothing_to_take_back(desk: Desk) -> None:
    desk.begin("work")
    desk.refused("missing", "undo")
    desk.refused("missing", "redo")
    desk.apply(write("a", "1"))
    for wanted in ("2", "0", "-1", "abc", "zzzz", "1" * 40):
        desk.refused("missing", "undo", step=wanted)


# --- abort and reopen -----------------------------------------------------------------------------


def test_abort_keeps_the_chain_and_reopen_gives_it_again(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    made = desk.apply(write("a", "1"))
    closed = desk.call("abort")
    assert closed["ref"] == "refs/slip/closed/work/1"
    assert repo.refs("refs/slip/") == {closed["ref"]: made["commit"]}
    desk.refused("session-missing", "status", session="work")
    desk.call("reopen", name="work")
    assert repo.refs("refs/slip/") == {TIP: made["commit"]}
    desk.call("undo")
    assert tree(desk) == {}


def test_an_abort_that_cannot_be_is_no_success(desk: Desk) -> None:
    """libgit2 drops the removal of a packed ref silently while packed-refs is locked."""
    repo = desk.lab
    desk.begin("work")
    repo.git("pack-refs", "--all")
    lock = repo.path / ".git/packed-refs.lock"
    lock.write_bytes(b"")
    refs = repo.refs()
    desk.refused("locked", "abort")
    assert repo.refs() == refs
    lock.unlink()
    desk.call("abort")
    assert list(repo.refs("refs/slip/")) == ["refs/slip/closed/work/1"]


def test_closed_chains_are_numbered(desk: Desk) -> None:
    for content in ("1", "2", "3"):
        desk.begin("work")
        desk.apply(write("a", content))
        desk.call("abort")
    assert sorted(desk.lab.refs("refs/slip/")) == [f"refs/slip/closed/work/{n}" for n in (1, 2, 3)]
    listed = desk.call("list", closed=True)["sessions"]
    assert [row["session"] for row in listed] == ["work@1", "work@2", "work@3"]
    desk.call("reopen", name="work@1")
    assert tree(desk) == {"a": b"1"}
    desk.refused("session-exists", "reopen", name="work")
    desk.call("abort")
    desk.call("reopen", name="work")
    assert sorted(desk.lab.refs("refs/slip/closed/")) == [
        f"refs/slip/closed/work/{n}" for n in (2, 3)
    ]


def test_reopen_of_what_is_not_there(desk: Desk) -> None:
    desk.begin("work")
    desk.call("abort")
    for name in ("none", "work@2", "work@", "work@x", "work@0"):
        desk.refused("session-missing", "reopen", name=name)


def test_a_landed_session_is_reopened_with_its_steps(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1"))
    desk.apply(write("b", "1"))
    desk.commit("land")
    desk.call("reopen", name="work")
    assert desk.call("status")["steps"] == 2
    desk.call("undo")
    assert tree(desk) == {"a": b"1"}
    assert desk.call("status")["steps"] == 1
    desk.call("redo")
    assert tree(desk) == {"a": b"1", "b": b"1"}
    desk.apply(write("c", "1"))
    desk.call("undo", step="2")
    assert tree(desk) == {"a": b"1", "c": b"1"}
    numbers = [row["step"] for row in desk.call("log")["steps"]]
    assert numbers == sorted(set(numbers))


def test_a_landed_session_that_is_reopened_lands_again(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1"))
    first = desk.commit("land")
    desk.call("reopen", name="work")
    desk.apply(write("b", "1"))
    second = desk.commit("land more")
    assert desk.lab.git("log", "--format=%H", "-2") == f"{second['commit']}\n{first['commit']}"
    assert desk.lab.git("show", "--name-only", "--format=") == "b"


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "", " ", ".a", "-a", "a b", "a/b", "a..b", "a.lock", "a.LOCK", "a.", "a~", "a^", "a:", "a?",
        "a*", "a[", "a\\", "a@{", "@", "\u00e9", "a\n", "x" * 65, "HEAD", "a\0",
    ],
)  # fmt: skip
def test_bad_names(desk: Desk, name: str) -> None:
    if not name:
        return  # none given
    fault = desk.refused("bad-name", "begin", name=name)
    assert fault.exit_status == 2
    assert set(desk.lab.refs()) == {"refs/heads/main"}


@pytest.mark.parametrize("name", ["a", "9", "A.b_c-d", "x" * 64, "s1", "main"])
def test_good_names(desk: Desk, name: str) -> None:
    assert desk.begin(name)["ref"] == f"refs/slip/sessions/{name}"


def test_names_are_unique_without_regard_to_case(desk: Desk) -> None:
    desk.begin("Work")
    desk.refused("session-exists", "begin", name="work")
    desk.refused("session-exists", "begin", name="WORK")
    desk.refused("session-exists", "begin", name="Work")
    assert list(desk.lab.refs("refs/slip/")) == ["refs/slip/sessions/Work"]


def test_the_lowest_free_number_is_taken(desk: Desk) -> None:
    desk.begin("S2")
    assert [desk.begin()["session"] for _ in range(3)] == ["s1", "s3", "s4"]
    desk.call("abort", session="s3")
    assert desk.begin()["session"] == "s3"


def test_a_closed_name_can_be_begun_again(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(write("a", "1"))
    desk.commit("land")
    desk.begin("work")
    assert desk.call("status", session="work")["steps"] == 0


# --- which session --------------------------------------------------------------------------------


def test_the_only_open_session_of_this_worktree_is_meant(desk: Desk, linked_repo: Lab) -> None:
    fault = desk.refused("session-required", "status")
    assert fault.hint == "slip begin"
    there = desk.at(linked_repo)
    there.begin("elsewhere")
    fault = desk.refused("session-required", "status")
    assert fault.data["sessions"] == ["elsewhere"]
    desk.begin("here")
    assert desk.call("status")["session"] == "here"
    assert there.call("status")["session"] == "elsewhere"
    desk.begin("another")
    fault = desk.refused("session-required", "status")
    assert fault.data["sessions"] == ["another", "elsewhere", "here"]


def test_a_named_session_and_the_environment(desk: Desk) -> None:
    desk.begin("one")
    desk.begin("two")
    env = {"SLIP_SESSION": "two"}
    assert desk.call("status", env=env)["session"] == "two"
    assert desk.call("status", env=env, session="one")["session"] == "one"
    assert desk.refused("session-missing", "status", session="three").hint == "slip list"
    desk.refused("session-missing", "status", env={"SLIP_SESSION": "three"})
    desk.refused("bad-name", "status", session="../heads/main")


def test_list_and_status(desk: Desk) -> None:
    repo = desk.lab
    assert desk.call("list") == {"sessions": []}
    desk.begin("work", title="A title", agent="ada")
    made = desk.apply(write("a", "1\n"))
    moved = repo.commit({"z": "z\n"})
    told = desk.call("status")
    assert told == {
        "session": "work",
        "base": repo.oid("main^"),
        "onto": "refs/heads/main",
        "onto_commit": moved,
        "behind": 1,
        "tip": made["commit"],
        "tree": made["tree"],
        "steps": 1,
        "changes": made["changes"],
        "conflicts": [],
        "title": "A title",
        "agent": "ada",
        "message": "A title",
    }
    del told["message"]  # what lists do not look for
    assert desk.call("list")["sessions"] == [told]


def test_a_ref_that_is_no_session_is_passed_over(desk: Desk) -> None:
    desk.lab.git("update-ref", "refs/slip/sessions/odd", "main")
    desk.begin("work")
    assert [row["session"] for row in desk.call("list")["sessions"]] == ["work"]
    desk.refused("git-failed", "status", session="odd")


# --- base and onto --------------------------------------------------------------------------------


def test_base_is_a_revision_and_onto_a_branch(desk: Desk) -> None:
    repo = desk.lab
    first = repo.oid("main")
    repo.commit({"a": "a\n"})
    repo.git("branch", "other")
    begun = desk.begin("work", base="main~1", onto="other")
    assert (begun["base"], begun["onto"]) == (first, "refs/heads/other")
    repo.git("tag", "-a", "-m", "v1", "v1")
    assert desk.begin(base="v1")["base"] == repo.oid("main")
    assert desk.begin(onto="refs/heads/other")["onto"] == "refs/heads/other"
    assert desk.begin(onto="brand/new")["onto"] == "refs/heads/brand/new"
    assert "refs/heads/brand/new" not in repo.refs()


@pytest.mark.parametrize("rev", ["none", "--all", "-h", "HEAD:README.md", "", "main..HEAD"])
def test_a_base_that_names_no_commit(desk: Desk, rev: str) -> None:
    if rev:
        desk.refused("missing", "begin", base=rev)
        assert set(desk.lab.refs()) == {"refs/heads/main"}


@pytest.mark.parametrize("branch", ["-x", "a b", "a..b", "@{-1}", "a.lock", "HEAD", "/x"])
def test_an_onto_that_is_no_name_for_a_branch(desk: Desk, branch: str) -> None:
    desk.refused("bad-name", "begin", onto=branch)


def test_a_session_in_a_subdirectory_of_a_linked_worktree(desk: Desk, linked_repo: Lab) -> None:
    there = desk.at(linked_repo)
    begun = there.call("begin", name="work", cwd=linked_repo.path / "src")
    assert begun["onto"] == "refs/heads/side"
    there.apply(write("a", "1\n"))
    assert there.commit("land")["branch"] == "refs/heads/side"
    assert linked_repo.read("a") == b"1\n"
    assert "a" not in desk.lab.tree("main")


def test_detached(detached_repo: Lab, store: str) -> None:
    desk = Desk(detached_repo, store)
    begun = desk.begin("work")
    assert (begun["base"], begun["onto"]) == (detached_repo.oid("HEAD"), None)
    desk.apply(write("a", "1"))
    assert desk.call("status")["onto"] is None
    assert desk.begin(onto="main")["onto"] == "refs/heads/main"


def test_a_detached_head_is_told_of_at_once(detached_repo: Lab) -> None:
    reply = detached_repo.slip("begin", "work")
    assert reply.text == "work\n"
    assert reply.err.startswith(b"slip: HEAD is detached: ")
    assert reply.err.endswith(b" --onto BRANCH\n")
    assert detached_repo.slip("begin", "other", "--onto", "main").err == b""


def test_unborn(unborn_repo: Lab, store: str) -> None:
    desk = Desk(unborn_repo, store)
    begun = desk.begin("work")
    assert (begun["base"], begun["onto"]) == (None, "refs/heads/main")
    desk.apply(write("a", "1"))
    assert unborn_repo.tree(TIP) == {"a": b"1"}
    assert unborn_repo.git("rev-list", "--max-parents=0", "--count", TIP) == "1"


def test_bare(bare_repo: Lab, store: str) -> None:
    desk = Desk(bare_repo, store)
    assert desk.begin("work")["onto"] == "refs/heads/main"
    desk.apply(replace("README.md", "Demo", "demo"))
    desk.refused("unsupported", "capture")
    desk.refused("unsupported", "flush")
    assert bare_repo.tree(TIP)["README.md"] == b"# demo\n"


def test_a_repository_that_holds_a_submodule(submodule_repo: Lab, store: str) -> None:
    desk = Desk(submodule_repo, store)
    desk.begin("work")
    desk.apply(write("a", "1"), replace("README.md", "Demo", "demo"))
    assert submodule_repo.entries(TIP)["lib"] == submodule_repo.entries()["lib"]
    desk.apply_refused("unsupported", delete("lib"))
    desk.apply_refused("bad-path", write("lib/x", "1"))
    before = submodule_repo.files()
    assert desk.commit("land")["committed"]
    assert submodule_repo.git("status", "--porcelain") == ""
    assert {p: f for p, f in submodule_repo.files().items() if p.startswith("lib/")} == {
        p: f for p, f in before.items() if p.startswith("lib/")
    }


def test_inside_the_submodule(submodule_repo: Lab, ground: Ground, store: str) -> None:
    inner = ground.at(submodule_repo.path / "lib")
    inner.git("checkout", "--quiet", "-B", "work")
    desk = Desk(inner, store)
    desk.begin("work")
    desk.apply(write("a", "1"))
    assert desk.commit("land")["checkout"] == "updated"
    assert inner.read("a") == b"1"
    assert "refs/slip/closed/work/1" not in submodule_repo.refs()


def test_begin_with_capture_starts_from_the_tracked_edits(desk: Desk) -> None:
    repo = desk.lab
    repo.write("README.md", "# Edited\n")
    repo.write("new", "untracked\n")
    before = repo.snapshot()
    desk.begin("work", capture=True)
    assert repo.snapshot() == before
    assert repo.tree(TIP) == {**repo.tree(), "README.md": b"# Edited\n"}


def test_begin_with_capture_that_is_refused_opens_nothing(desk: Desk) -> None:
    desk.lab.write("README.md", "# Edited\n")
    desk.refused("path-denied", "begin", name="work", capture=True, allow=("src/",))
    assert "refs/slip/sessions/work" not in desk.lab.refs()


# What a landing would be refused for --------------------------------------------------------------


def test_status_tells_what_is_in_a_landings_way(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    assert "refusal" not in desk.call("status")
    desk.apply(replace("README.md", "Demo", "demo"))
    assert "refusal" not in desk.call("status")
    repo.write("README.md", "# Demo, and mine\n")
    before = repo.snapshot()
    refusal = desk.call("status")["refusal"]
    assert refusal["code"] == "dirty"
    assert refusal["hint"] == "slip capture -s work README.md"
    assert repo.snapshot() == before
    assert desk.refused("dirty", "commit", message=("land",)).message == refusal["message"]
    assert "refusal" not in desk.call("list")["sessions"][0]


def test_status_tells_conflicts_with_the_branch(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    desk.apply(replace("README.md", "Demo", "demo"), write("a", "a\n"))
    repo.commit({"README.md": "# Demonstration\n"})
    before = repo.snapshot()
    status = desk.call("status")
    assert repo.snapshot() == before
    told = desk.refused("conflict", "commit", message=("land",))
    assert status["refusal"]["message"] == told.message
    assert status["conflicts"] == told.data["files"]
    assert [file["path"] for file in status["conflicts"]] == ["README.md"]


def test_status_smudges_nothing_and_waits_for_no_lock(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitattributes": "*.txt filter=case\n", "a.txt": "a\n"})
    repo.git("config", "filter.case.smudge", f"touch {repo.path}/../ran-smudge; cat")
    desk.begin("work")
    desk.apply(write("a.txt", "b\n"))
    (repo.git_dir / "index.lock").touch()
    assert "refusal" not in desk.call("status")
    assert not (repo.path.parent / "ran-smudge").exists()
    (repo.git_dir / "index.lock").unlink()


# --- what looks like a number ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["²", "١", "1²", "9" * 5000])
def test_what_is_no_number_is_refused(desk: Desk, text: str) -> None:
    desk.begin("s")
    desk.apply(write("f", "1\n"))
    for operation in ("undo", "show"):
        desk.refused("missing", operation, step=text)
    for spec in (f"f:{text}", f"f:1-{text}"):
        desk.refused("missing", "read", paths=(spec,))
    desk.call("abort")
    desk.refused("session-missing", "reopen", name=f"s@{text}")
    assert desk.call("reopen", name="s@1")["session"] == "s"


@pytest.mark.parametrize("name", ["²", "01", "x"])
def test_a_foreign_ref_among_the_closed_is_in_nobody_s_way(desk: Desk, name: str) -> None:
    desk.begin("s")
    desk.apply(write("f", "1\n"))
    desk.lab.git("update-ref", f"refs/slip/closed/s/{name}", desk.lab.oid("main"))
    desk.refused("session-missing", "reopen", name=f"s@{name}")
    assert desk.commit("land", session="s")["committed"]
    assert "refs/slip/closed/s/1" in desk.lab.refs()
