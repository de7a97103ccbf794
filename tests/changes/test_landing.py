"""Section 5: what lands is what git would have made, and nothing else of the user's moves."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from typing import Any

import pytest

from slipstream_git.changes import landing
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.workspace import Workspace
from tests.desk import Desk, Free, batch, delete, move, replace, write
from tests.lab import Content, Ground, Lab, Link, Script, typed

TIP = "refs/slip/sessions/work"
LANDED = "refs/notes/slip/landed"


def staged(desk: Desk, *ops: dict[str, Any], **begin: Free) -> str:
    """The session `work` with these ops; its tree."""
    desk.begin("work", **begin)
    made = desk.apply(*(ops or (write("a", "1\n"),)), session="work")
    tree = made["tree"]
    assert isinstance(tree, str)
    return tree


# --- unmoved --------------------------------------------------------------------------------------


def test_a_landing_is_one_commit_on_the_head_with_the_sessions_tree(desk: Desk) -> None:
    repo = desk.lab
    head = repo.oid("main")
    tree = staged(desk, write("a", "1\n"), replace("README.md", "Demo", "demo"))
    desk.apply(delete("src/app.py"))
    tree = repo.oid(f"{TIP}^{{tree}}")
    landed = desk.commit("Land it")
    assert landed["committed"] is True
    assert landed["commit"] == repo.oid("main") == landed["commits"][0]
    assert (landed["branch"], landed["old_head"], landed["tree"]) == ("refs/heads/main", head, tree)
    assert (landed["merged"], landed["checkout"]) == (False, "updated")
    assert (landed["gates"], landed["hooks"]) == ([], [])
    assert [row["path"] for row in landed["changes"]] == ["README.md", "a", "src/app.py"]
    assert repo.git("rev-list", "--parents", "-1", "main") == f"{landed['commit']} {head}"
    assert repo.oid("main^{tree}") == tree
    assert repo.git("status", "--porcelain") == ""
    assert repo.files() == {"README.md": (0o100644, b"# demo\n"), "a": (0o100644, b"1\n")}
    assert set(repo.refs()) == {"refs/heads/main", "refs/slip/closed/work/1", LANDED}
    assert not list((repo.path / ".git/slip/intents").iterdir())


def test_the_commit_is_what_git_would_have_written(desk: Desk, ground: Ground) -> None:
    """The same change by `git commit`, in a copy: the same id."""
    twin = ground.repository("twin")
    twin.commit({"a": "1\n", "README.md": None}, "Subject\n\nBody.\n")
    staged(desk, write("a", "1\n"), delete("README.md"))
    assert desk.commit("Subject\n\nBody.")["commit"] == twin.oid("main")
    assert desk.lab.files() == twin.files()
    assert desk.lab.snapshot().entries == twin.snapshot().entries


def test_the_same_work_gives_the_same_id_anywhere(ground: Ground, store: str) -> None:
    ids = set()
    for name in ("one", "two"):
        desk = Desk(ground.repository(name), store)
        desk.begin(name, agent=name, title=name)
        desk.apply(write("a", name))
        desk.apply(write("a", "1\n"))
        desk.lab.commit({"moved": "on\n"})
        ids.add(desk.commit("land")["commit"])
    assert len(ids) == 1


def test_every_kind_of_file_arrives(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"dir/f": "f\n", "file": "x\n", "gone/x": ""})
    repo.commit({"tool": Script(b"x"), "l": Link("file")})
    staged(
        desk,
        delete("dir/f"), write("dir", "now a file\n"),
        delete("file"), write("file/inside", b"\0\xff\r\n"),
        {"op": "chmod", "path": "tool", "mode": "100644"},
        {"op": "symlink", "path": "l", "target": "tool"},
        write("new/tool", "#!/bin/sh\n", mode="100755"),
        delete("gone/x"),
        move("README.md", "docs/README.md"),
    )  # fmt: skip
    desk.commit("land")
    assert repo.git("status", "--porcelain") == ""
    files = repo.files()
    assert files["dir"] == (0o100644, b"now a file\n")
    assert files["file/inside"] == (0o100644, b"\0\xff\r\n")
    assert files["tool"][0] == 0o100644
    assert files["l"][1] == b"tool"
    assert files["new/tool"][0] == 0o100755
    assert not (repo.path / "gone").exists()


# --- moved ----------------------------------------------------------------------------------------

LINES = "".join(f"line {n}\n" for n in range(30))
THREE = LINES.replace("line 3\n", "three\n")
Tree = Mapping[str, Content]
MERGES: list[tuple[Tree, Tree, Tree]] = [
    ({"f": LINES}, {"f": THREE}, {"f": LINES.replace("line 20\n", "")}),
    ({"f": LINES}, {"g": LINES, "f": None}, {"f": LINES.replace("line 20\n", "theirs\n")}),
    (
        {"d/a": LINES, "d/b": LINES + "b"},
        {"e/a": LINES, "e/b": LINES + "b", "d/a": None, "d/b": None},
        {"d/new": "new\n"},
    ),
    ({"f": LINES}, {"f": Script(LINES.encode())}, {"f": LINES + "more\n"}),
    ({"f": LINES, "g": "g\n"}, {"g": None}, {"f": None}),
    ({"x": "x\n"}, {"same": "s\n"}, {"same": "s\n", "other": "o\n"}),
    ({"x": "x\r\ny\r\n"}, {"x": "X\r\ny\r\n", "z": "z"}, {"z/y": "deep\n", "x": "x\r\ny\r\n"}),
    ({"l": Link("x"), "x": ""}, {"l": Link("y")}, {"x": "x\n"}),
    ({"f": LINES}, {"f": THREE}, {"f": LINES.replace("line 3\n", "b\n")}),
    ({"f": LINES}, {"f": None}, {"f": LINES + "x\n"}),
    ({"f": b"\0a"}, {"f": b"\0b"}, {"f": b"\0c"}),
    ({"x": ""}, {"new": "a\n"}, {"new": "b\n"}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MERGES)))
def test_a_moved_branch_is_merged_as_git_merges(desk: Desk, number: int) -> None:
    """The oracle is `git merge-tree` of two branches from the same base."""
    repo = desk.lab
    base, ours, theirs = MERGES[number]
    repo.commit(dict(base))
    begin = repo.oid("main")
    # The session's side is made by git too, and adopted as ops.
    repo.git("checkout", "--quiet", "-b", "their-side")
    repo.commit(dict(theirs), "theirs")
    diff = repo.git_bytes("diff", "--binary", "--full-index", "-M", begin, "their-side")
    repo.git("checkout", "--quiet", "main")
    desk.begin("work")
    desk.call("apply", ops=diff)
    assert repo.oid(f"{TIP}^{{tree}}") == repo.oid("their-side^{tree}")
    head = repo.commit(dict(ours), "ours")
    foretold = repo.git("merge-tree", "--write-tree", "-z", "--name-only", "main", "their-side",
                        expect=None)  # fmt: skip
    tree, _, rest = foretold.partition("\0")
    clean = repo.git("merge-tree", "--write-tree", "main", "their-side", expect=None) == tree
    before, refs = repo.snapshot(), repo.refs()
    if clean:
        landed = desk.commit("land")
        assert landed["tree"] == repo.oid("main^{tree}") == tree
        assert landed["merged"] is True
        assert landed["engine"]
        assert repo.git("rev-list", "--parents", "-1", "main") == f"{landed['commit']} {head}"
        assert repo.git("status", "--porcelain") == ""
        return
    fault = desk.commit_refused("conflict")
    assert fault.exit_status == 3
    assert (repo.snapshot(), repo.refs()) == (before, refs)
    listed: Any = fault.data["files"]
    # git names a file that a directory pushed aside after the branch; there is none here.
    names = {path.removesuffix("~main") for path in rest.split("\0\0")[0].split("\0")}
    assert [row["path"].partition("~")[0] for row in listed] == sorted(names)


def test_a_conflict_tells_the_hunks_and_who_made_the_other_side(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"f": "a\nb\nc\n"})
    base = repo.oid("main")
    staged(desk, replace("f", "b", "theirs"))
    other = repo.commit({"f": "a\nours\nc\n"}, "change b")
    fault = desk.commit_refused("conflict")
    assert (fault.data["onto"], fault.data["onto_commit"], fault.data["base"]) == (
        "refs/heads/main",
        other,
        base,
    )
    files: Any = fault.data["files"]
    assert files == [
        {
            "path": "f",
            "kind": "content",
            "base_oid": repo.oid(f"{base}:f"),
            "ours_oid": repo.oid("main:f"),
            "theirs_oid": repo.oid(f"{TIP}:f"),
            "hunks": [
                {
                    "base": [2, 2], "ours": [2, 2], "theirs": [2, 2],
                    "base_text": "b\n", "ours_text": "ours\n", "theirs_text": "theirs\n",
                }
            ],
            "did": {"ours": "changed its content", "theirs": "changed its content"},
            "by": [
                {"commit": other, "author": "Ada Test", "subject": "change b", "lines": True}
            ],
        }
    ]  # fmt: skip
    assert not [key for key in files[0] if key.startswith("candidate")]


def test_kinds_of_conflict(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"gone": "x\n" * 9, "kept": "y\n" * 9, "f": "f\n"})
    staged(desk, replace("gone", "x\n", "z\n", count="all"), delete("kept"), write("new", "1\n"),
           delete("f"), write("f/inside", "1\n"))  # fmt: skip
    repo.commit({"gone": None, "kept": "Y\n" * 9, "new": "2\n", "f": "F\n"})
    files: Any = desk.commit_refused("conflict").data["files"]
    kinds = {row["path"]: row["kind"] for row in files}
    assert (kinds["gone"], kinds["kept"]) == ("modify-delete", "modify-delete")
    assert kinds["new"] == "add-add"
    assert set(kinds) > {"gone", "kept", "new"}


def test_the_base_counts_also_where_it_is_no_ancestor(desk: Desk) -> None:
    """As in a cherry-pick: the branch was rewritten under the session."""
    repo = desk.lab
    repo.commit({"f": LINES})
    staged(desk, replace("f", "line 3\n", "three\n"))
    repo.git("checkout", "--quiet", "--orphan", "rewritten")
    repo.commit({"f": LINES.replace("line 20\n", "twenty\n")}, "rewritten")
    repo.git("branch", "-M", "main")
    landed = desk.commit("land")
    expected = LINES.replace("line 3\n", "three\n").replace("line 20\n", "twenty\n")
    assert repo.tree()["f"] == expected.encode()
    assert landed["merged"] is True


def test_the_repositorys_own_merge_attributes_count(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitattributes": "log merge=union\n", "log": "a\n"})
    staged(desk, replace("log", "a\n", "a\ntheirs\n"))
    repo.commit({"log": "a\nours\n"})
    desk.commit("land")
    assert repo.tree()["log"] == b"a\nours\ntheirs\n"


# --- nothing to land, landed already --------------------------------------------------------------


def test_nothing_to_land(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("work")
    refs = repo.refs()
    landed = desk.commit("land")
    assert landed["committed"] is False
    assert landed["reason"]
    assert repo.refs() == refs
    desk.apply(write("a", "1\n"))
    repo.commit({"a": "1\n", "b": "1\n"})
    refs = repo.refs()
    assert desk.commit("land")["committed"] is False
    assert repo.refs() == refs


def test_landed_already(desk: Desk) -> None:
    staged(desk)
    first = desk.commit("land")
    refs = desk.lab.refs()
    again = desk.commit("land", session="work")
    assert (again["committed"], again["already"]) == (False, True)
    assert again["commit"] == first["commit"]
    assert desk.commit("land", env={"SLIP_SESSION": "work"})["already"] is True
    assert desk.lab.refs() == refs
    desk.begin("work")
    desk.call("abort")
    desk.commit_refused("session-missing", session="work")


# --- where to -------------------------------------------------------------------------------------


def test_onto_a_new_branch(desk: Desk) -> None:
    repo = desk.lab
    tree = staged(desk)
    before = repo.snapshot()
    landed = desk.commit("land", onto="topic/new")
    assert (landed["branch"], landed.get("old_head")) == ("refs/heads/topic/new", None)
    assert landed["checkout"] == "not-checked-out"
    assert repo.git("rev-list", "--parents", "-1", "topic/new").endswith(repo.oid("main"))
    assert repo.oid("topic/new^{tree}") == tree
    after = repo.snapshot()
    assert after._replace(refs=before.refs) == before
    assert after.refs == {**before.refs, "refs/heads/topic/new": landed["commit"]}


def test_onto_another_branch(desk: Desk) -> None:
    repo = desk.lab
    repo.git("branch", "other")
    repo.git("checkout", "--quiet", "other")
    repo.commit({"o": "o\n"})
    repo.git("checkout", "--quiet", "main")
    staged(desk)
    before = repo.snapshot()
    landed = desk.commit("land", onto="other")
    assert landed["merged"] is True
    assert set(repo.tree("other")) == {"README.md", "src/app.py", "o", "a"}
    assert repo.snapshot()._replace(refs=before.refs) == before
    assert repo.oid("main") == before.refs["refs/heads/main"]


def test_a_session_begun_onto_a_branch_of_another_worktree(desk: Desk, linked_repo: Lab) -> None:
    before = desk.lab.snapshot()
    staged(desk, onto="side")
    assert desk.commit("land")["checkout"] == "updated"
    assert linked_repo.read("a") == b"1\n"
    assert linked_repo.git("status", "--porcelain") == ""
    assert desk.lab.snapshot()._replace(refs=before.refs) == before


@pytest.mark.parametrize("onto", ["-x", "a..b", "a b", "HEAD"])
def test_onto_no_branch(desk: Desk, onto: str) -> None:
    staged(desk)
    refs = desk.lab.refs()
    desk.commit_refused("bad-name", onto=onto)
    assert desk.lab.refs() == refs


def test_onto_a_branch_that_stands_in_the_way_of_its_name(desk: Desk) -> None:
    staged(desk)
    refs = desk.lab.refs()
    with pytest.raises(SlipError) as caught:
        desk.commit("land", onto="main/below")
    assert caught.value.exit_status in (1, 2)
    assert desk.lab.refs() == refs
    assert desk.commit("land")["committed"]


def test_detached_needs_onto(detached_repo: Lab, store: str) -> None:
    desk = Desk(detached_repo, store)
    staged(desk)
    fault = desk.commit_refused("usage")
    assert "--onto" in (fault.hint or "")
    before = detached_repo.snapshot()
    landed = desk.commit("land", onto="main")
    assert landed["checkout"] == "not-checked-out"
    after = detached_repo.snapshot()
    assert (after.head, after.files, after.entries) == (before.head, before.files, before.entries)


def test_the_first_commit(unborn_repo: Lab, store: str) -> None:
    desk = Desk(unborn_repo, store)
    staged(desk, write("a", "1\n"))
    landed = desk.commit("First")
    assert (landed.get("old_head"), landed["checkout"]) == (None, "updated")
    assert unborn_repo.git("rev-list", "--parents", "HEAD") == landed["commit"]
    assert unborn_repo.files() == {"a": (0o100644, b"1\n")}
    assert unborn_repo.git("status", "--porcelain") == ""


def test_the_first_commit_that_somebody_else_made(unborn_repo: Lab, store: str) -> None:
    desk = Desk(unborn_repo, store)
    staged(desk, write("a", "1\n"))
    unborn_repo.commit({"b": "1\n"}, "first")
    assert desk.commit("second")["merged"] is True
    assert unborn_repo.tree() == {"a": b"1\n", "b": b"1\n"}
    desk.begin("again")
    assert desk.commit("nothing", session="again")["committed"] is False


def test_the_first_commit_of_nothing(unborn_repo: Lab, store: str) -> None:
    desk = Desk(unborn_repo, store)
    desk.begin("work")
    assert desk.commit("land")["committed"] is False
    assert "refs/heads/main" not in unborn_repo.refs()


def test_an_unborn_branch_with_something_staged_and_untracked(unborn_repo: Lab, store: str) -> None:
    desk = Desk(unborn_repo, store)
    unborn_repo.write("mine", "staged\n")
    unborn_repo.git("add", "mine")
    unborn_repo.write("untracked", "mine\n")
    staged(desk, write("a", "1\n"))
    desk.commit("First")
    assert unborn_repo.tree() == {"a": b"1\n"}
    assert unborn_repo.git("status", "--porcelain") == "A  mine\n?? untracked"


def test_bare(bare_repo: Lab, store: str) -> None:
    desk = Desk(bare_repo, store)
    tree = staged(desk)
    landed = desk.commit("land")
    assert (landed["checkout"], landed["tree"]) == ("not-checked-out", tree)
    assert bare_repo.oid("main") == landed["commit"]


def test_a_bare_repository_with_a_worktree(bare_repo: Lab, ground: Ground, store: str) -> None:
    desk = Desk(bare_repo, store)
    there = ground.at(ground.place / "there")
    bare_repo.git("worktree", "add", "--quiet", str(there.path), "main")
    staged(desk)
    assert desk.commit("land")["checkout"] == "updated"
    assert there.read("a") == b"1\n"
    assert there.git("status", "--porcelain") == ""


def test_every_worktree_of_the_branch_is_brought_along(desk: Desk, linked_repo: Lab) -> None:
    linked_repo.git("checkout", "--quiet", "--ignore-other-worktrees", "main")
    staged(desk, write("a", "1\n"), delete("README.md"))
    desk.commit("land")
    for lab in (desk.lab, linked_repo):
        assert lab.read("a") == b"1\n"
        assert lab.git("status", "--porcelain") == ""


def test_one_dirty_worktree_stops_the_landing_for_all(desk: Desk, linked_repo: Lab) -> None:
    linked_repo.git("checkout", "--quiet", "--ignore-other-worktrees", "main")
    linked_repo.write("a", "mine\n")
    staged(desk)
    before = [lab.snapshot() for lab in (desk.lab, linked_repo)]
    desk.commit_refused("dirty")
    assert [lab.snapshot() for lab in (desk.lab, linked_repo)] == before


def test_no_checkout_moves_refs_alone(desk: Desk) -> None:
    repo = desk.lab
    staged(desk)
    before = repo.files()
    landed = desk.commit("land", no_checkout=True)
    assert landed["checkout"] == "skipped"
    assert landed["behind_worktrees"] == [str(repo.path)]
    assert repo.files() == before
    assert repo.git("diff", "--cached", "--name-status") == "D\ta"
    assert repo.oid("main") == landed["commit"]


def test_keep_leaves_the_session_open(desk: Desk) -> None:
    repo = desk.lab
    staged(desk)
    tip = repo.oid(TIP)
    first = desk.commit("land", keep=True)
    assert repo.oid(TIP) == tip
    assert desk.commit("again")["committed"] is False
    desk.apply(write("b", "1\n"))
    second = desk.commit("more", keep=True)
    assert repo.oid("main^") == first["commit"]
    assert repo.oid("main") == second["commit"]
    assert repo.git("show", "--name-only", "--format=") == "b"


def test_merge_has_the_chain_as_its_second_parent(desk: Desk) -> None:
    repo = desk.lab
    head, tree = repo.oid("main"), staged(desk)
    tip = repo.oid(TIP)
    landed = desk.commit("land", merge=True)
    line = repo.git("rev-list", "--parents", "-1", "main")
    assert line == f"{landed['commit']} {head} {tip}"
    assert repo.oid("main^{tree}") == tree


def test_dry_run_changes_nothing_and_tells_the_commit(desk: Desk) -> None:
    repo = desk.lab
    staged(desk)
    before, refs, packs = repo.snapshot(), repo.refs(), repo.git("count-objects", "-v")
    would = desk.commit("land", dry_run=True)
    assert (would["committed"], would["dry_run"]) == (False, True)
    assert (repo.snapshot(), repo.refs(), repo.git("count-objects", "-v")) == (before, refs, packs)
    made = desk.commit("land")
    assert (made["commit"], made["tree"]) == (would["commit"], would["tree"])


# --- the message and the people -------------------------------------------------------------------


def raw(repo: Lab) -> str:
    return repo.git("cat-file", "commit", "main").partition("\n\n")[2]


@pytest.mark.parametrize(
    "paragraphs",
    [
        ("Subject",),
        ("Subject", "Body"),
        ("  Subject  \n\n\n\nBody   \n\n\n",),
        ("# not a comment", "#nor this"),
        ("caf\u00e9 \u2028",),
        ("Subject\r\n",),
    ],
)
def test_messages_are_cleaned_as_git_cleans_them(
    desk: Desk, ground: Ground, paragraphs: tuple[str, ...]
) -> None:
    twin = ground.repository("twin")
    twin.git("commit", "--quiet", "--allow-empty", *(f"-m{text}" for text in paragraphs))
    staged(desk)
    desk.call("commit", message=paragraphs)
    assert raw(desk.lab) == raw(twin)


def test_a_message_from_a_file(desk: Desk, ground: Ground) -> None:
    text = b"Subject\n\n# kept? \n\nlast"
    twin = ground.repository("twin")
    twin.git("commit", "--quiet", "--allow-empty", "-F", "-", stdin=text)
    staged(desk)
    desk.call("commit", message_file=text)
    assert raw(desk.lab) == raw(twin)


@pytest.mark.parametrize("paragraphs", [("",), (" \n ",), ("", ""), ()])
def test_an_empty_message_is_asked_wrongly(desk: Desk, paragraphs: tuple[str, ...]) -> None:
    staged(desk)
    refs = desk.lab.refs()
    fault = desk.refused("usage", "commit", message=paragraphs)
    assert fault.exit_status == 2
    assert desk.lab.refs() == refs


def test_a_message_from_two_places_is_asked_wrongly(desk: Desk) -> None:
    staged(desk)
    desk.refused("usage", "commit", message=("a",), message_file=b"b")
    desk.refused("usage", "commit", message_file=b"a\0b")


def test_author_date_trailers_and_signoff(desk: Desk, ground: Ground) -> None:
    twin = ground.repository("twin")
    twin.write("a", "1\n")
    twin.git("add", "a")
    author, date = "Bob Byte <bob@example.org>", "2020-02-03T04:05:06+0100"
    twin.git(
        "commit", "--quiet", "-mSubject", "-mBody", f"--author={author}", f"--date={date}",
        "--trailer", "Fixes: 12", "--trailer", "Assisted-by: nobody", "--signoff",
    )  # fmt: skip
    staged(desk)
    landed = desk.call(
        "commit", message=("Subject", "Body"), author=author, date=date,
        trailer=("Fixes=12", "Assisted-by=nobody"), signoff=True,
    )  # fmt: skip
    assert desk.lab.git("log", "-1", "--format=%an <%ae> %aI %cn") == (
        "Bob Byte <bob@example.org> 2020-02-03T04:05:06+01:00 Ada Test"
    )
    assert sorted(raw(desk.lab).split("\n")) == sorted(raw(twin).split("\n"))
    assert landed["commit"] == desk.lab.oid("main")


@pytest.mark.parametrize(
    "wrong",
    [
        {"author": "nobody"}, {"author": "a <b> c"}, {"author": "<>"}, {"date": "no day"},
        {"trailer": ("novalue",)}, {"trailer": ("=x",)}, {"trailer": ("a=b\nc: d",)},
        {"author": "A\nB <c@d>"},
    ],
)  # fmt: skip
def test_people_and_dates_that_git_would_not_take(desk: Desk, wrong: dict[str, Any]) -> None:
    staged(desk)
    refs = desk.lab.refs()
    desk.commit_refused("usage", **wrong)
    assert desk.lab.refs() == refs


def test_without_an_identity_nothing_lands(desk: Desk) -> None:
    desk.lab.git("config", "user.useConfigOnly", "true")
    staged(desk)
    env = {"GIT_CONFIG_GLOBAL": "/dev/null"}
    fault = desk.commit_refused("git-failed", env=env)
    assert "user.email" in fault.message
    assert "refs/slip/sessions/work" in desk.lab.refs()


def test_the_title_is_the_message_where_none_is_given(desk: Desk) -> None:
    staged(desk, title="Say it")
    assert desk.call("status")["message"] == "Say it"
    reply = desk.lab.slip("commit")
    assert b"the message is what the session is called, Say it" in reply.err
    assert desk.lab.message() == "Say it\n"
    staged(desk, write("b", "1\n"))
    desk.refused("usage", "commit")
    desk.call("commit", message=("other",))
    staged(desk, write("c", "1\n"), title="Unsaid")
    assert b"Unsaid" not in desk.lab.slip("commit", "-m", "said").err
    assert desk.lab.message() == "said\n"


@pytest.mark.parametrize("lock", ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock"])
def test_a_lock_of_refs_that_was_left_behind_goes_by_the_hint(desk: Desk, lock: str) -> None:
    staged(desk, title='It\'s "quoted"')
    desk.lab.git("pack-refs", "--all")
    place = desk.lab.common_dir / lock
    place.write_bytes(b"")
    fault = desk.refused("locked", "commit")
    typed(fault.hint, desk.lab.path)
    assert place.exists()  # somebody may be at it yet
    os.utime(place, (0, 0))
    typed(fault.hint, desk.lab.path)
    assert not place.exists()
    desk.call("commit")


def test_a_hint_to_try_again_has_the_whole_message(desk: Desk) -> None:
    staged(desk)
    place = desk.lab.path / ".git/index.lock"
    place.write_bytes(b"")
    said = ('It\'s a "subject"', "A body\nof two lines", "$HOME")
    fault = desk.refused("locked", "commit", message=said, trailer=("Key=Value",))
    place.unlink()
    typed(fault.hint, desk.lab.path)
    assert desk.lab.message() == "\n\n".join((*said, "Key: Value\n"))


def test_provenance_is_a_note(desk: Desk) -> None:
    repo = desk.lab
    staged(desk, title="T", agent="ada")
    tip, base = repo.oid(TIP), repo.oid("main")
    desk.commit("land")
    note = json.loads(repo.git("notes", "--ref=refs/notes/slip/landed", "show", "main"))
    assert note == {
        "session": "work", "base": base, "tip": tip, "agent": "ada", "title": "T",
    }  # fmt: skip
    assert raw(repo) == "land"


def test_notes_of_many_landings_stay(desk: Desk) -> None:
    for number in range(3):
        staged(desk, write("a", f"{number}"))
        desk.commit("land")
    repo = desk.lab
    # Also when git has rewritten the notes' tree.
    repo.git("notes", "--ref=refs/notes/slip/landed", "add", "-m", "by hand", "main~3")
    staged(desk, write("a", "more"))
    desk.commit("land")
    listed = repo.git("notes", "--ref=refs/notes/slip/landed", "list").splitlines()
    landed = {repo.oid(f"main~{number}") for number in range(4)}
    assert {line.split(" ")[1] for line in listed} == landed | {repo.oid("main~4")}


# --- dirty ----------------------------------------------------------------------------------------

IN_THE_WAY: dict[str, tuple[dict[str, Content], list[list[str]]]] = {
    "edited": ({"README.md": "# mine\n"}, []),
    "edited, the mode": ({"README.md": Script(b"# Demo\n")}, []),
    "staged": ({"README.md": "# mine\n"}, [["add", "README.md"]]),
    "staged, then put back": ({"README.md": "# mine\n"}, [["add", "README.md"], ["restore-file"]]),
    "staged, then edited": ({"README.md": "# my\n"}, [["add", "README.md"], ["edit-file"]]),
    "staged and new": ({"new/file": "mine\n"}, [["add", "new/file"]]),
    "removed from the index": ({}, [["rm", "--quiet", "--cached", "README.md"]]),
    "untracked": ({"new/file": "mine\n"}, []),
    "untracked where a directory comes": ({"new": "mine\n"}, []),
    "an untracked directory where a file comes": ({"top/mine": "mine\n"}, []),
    "ignored": ({"new/x.log": "mine\n"}, []),
    "a link": ({"README.md": Link("src/app.py")}, []),
    "a link on the way": ({"new": Link("src")}, []),
}

WAYS_OUT = {
    "staged, then put back": "git restore README.md && slip capture -s work README.md",
    "staged, then edited": "git add README.md && slip capture -s work README.md",
    "staged and new": "git rm -qf --cached new/file && mv -n new/file new/file.mine",
    "untracked": "mv -n new/file new/file.mine",
    "ignored": "mv -n new/x.log new/x.log.mine",
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_is_in_the_way_stops_it_before_anything_moves(desk: Desk, what: str) -> None:
    repo = desk.lab
    repo.commit({".gitignore": "*.log\n"})
    staged(
        desk,
        replace("README.md", "Demo", "demo"), write("new/file", "1\n"), write("new/x.log", "1\n"),
        write("top", "1\n"), write("z", "1\n"),
    )  # fmt: skip
    files, commands = IN_THE_WAY[what]
    for path, content in files.items():
        repo.write(path, content)
    for command in commands:
        if command == ["restore-file"]:
            repo.write("README.md", "# Demo\n")
        elif command == ["edit-file"]:
            repo.write("README.md", "# mine\n")
        else:
            repo.git(*command)
    before, refs = repo.snapshot(), repo.refs()
    fault = desk.commit_refused("dirty")
    assert (fault.hint or "").startswith(WAYS_OUT.get(what, "slip capture "))
    assert fault.data["paths"]
    assert (repo.snapshot(), repo.refs()) == (before, refs)
    assert desk.commit("land", no_checkout=True)["committed"]


@pytest.mark.parametrize("what", ["staged, then put back", "staged, then edited", "staged and new"])
def test_the_way_out_leads_out(desk: Desk, linked_repo: Lab, what: str) -> None:
    """Typed as it stands, also for another worktree, nothing of the user's is lost by it."""
    for repo in (desk.lab, linked_repo):
        branch = repo.git("symbolic-ref", "HEAD").removeprefix("refs/heads/")
        lines = "".join(f"{number}\n" for number in range(20))
        repo.commit({"f": lines})
        staged(desk, replace("f", "18", "eighteen"), write("new", "1\n"), onto=branch, base=branch)
        path, mine = "f", lines.replace("3\n", "three\n", 1)
        if what == "staged and new":
            path, mine = "new", "mine\n"
        repo.write(path, lines.replace("2\n", "two\n", 1) if "edited" in what else mine)
        repo.git("add", path)
        repo.write(path, lines if "put back" in what else mine)
        fault = desk.commit_refused("dirty")
        typed(fault.hint, desk.lab.path)
        desk.commit("land")
        assert (b"three" in repo.read("f")) is (path == "f")
        assert b"eighteen" in repo.read("f")
        if path == "new":
            assert repo.read("new.mine") == b"mine\n"
        assert repo.git("status", "--porcelain", "-uno") == ""


def test_other_edits_stay_byte_for_byte(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitignore": "*.log\n", "e": "e\n", "s": "s\n", "d": "d\n", "both": "1\n" * 20})
    repo.write("README.md", "stashed\n")
    repo.git("stash", "--quiet")
    staged(desk, write("a", "1\n"), replace("src/app.py", "1", "2"))
    repo.write("e", "edited\n")
    repo.write("s", "staged\n")
    repo.git("add", "s")
    repo.write("s", "edited again\n")
    repo.write("d", None)
    repo.write("new", "intended\n")
    repo.git("add", "--intent-to-add", "new")
    repo.write("x.log", "ignored\n")
    repo.write("src/untracked", "mine\n")
    repo.git("update-index", "--assume-unchanged", ".gitignore")
    before = repo.snapshot()
    landed = desk.commit("land")
    after = repo.snapshot()
    assert after.refs == {**before.refs, "refs/heads/main": landed["commit"]}
    assert (after.stash, after.config, after.head) == (before.stash, before.config, before.head)
    assert after.diff == before.diff
    assert after.cached == before.cached
    changed = {"a": (0o100644, b"1\n"), "src/app.py": (0o100644, b"def main():\n    return 2\n")}
    assert after.files == before.files | changed
    assert {r for r in after.entries.split(b"\0") if not r.endswith((b"\ta", b"app.py"))} == {
        r for r in before.entries.split(b"\0") if not r.endswith((b"\ta", b"app.py"))
    }


def test_a_file_that_equals_what_lands_is_not_in_the_way(desk: Desk) -> None:
    repo = desk.lab
    staged(desk, write("a", "1\n"), replace("README.md", "Demo", "demo"), write("b", "1\n"))
    repo.write("a", "1\n")
    repo.write("README.md", "# demo\n")
    repo.write("b", "1\n")
    repo.git("add", "b")
    desk.commit("land")
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("state", ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"])
def test_a_merge_under_way_is_in_the_way(desk: Desk, state: str) -> None:
    staged(desk)
    (desk.lab.path / ".git" / state).write_text(desk.lab.oid("main") + "\n")
    refs = desk.lab.refs()
    desk.commit_refused("dirty")
    assert desk.lab.refs() == refs


def test_a_locked_index_is_waited_for_and_then_told(desk: Desk) -> None:
    staged(desk)
    (desk.lab.path / ".git/index.lock").write_bytes(b"")
    refs = desk.lab.refs()
    fault = desk.commit_refused("locked")
    assert "(remove it if no git is running)" in fault.message
    assert fault.hint == "slip commit -s work -m land"
    assert desk.lab.refs() == refs
    fault = desk.refused("locked", "exec", ops=batch(write("b", "1\n")), message=("x",))
    assert fault.hint == "slip commit -s s1 -m x"
    (desk.lab.path / ".git/index.lock").unlink()
    assert desk.commit("land", session="work")["committed"]
    assert desk.commit("land", session="s1")["committed"]


def test_what_the_disk_refuses_is_tried_again_by_the_hint(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def refuse(source: str, target: str, **places: int) -> None:
        if os.fspath(target).endswith(".json"):
            raise PermissionError(13, "Permission denied", target)
        rename(source, target, **places)

    ops = batch(write("a", "1\n"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        fault = desk.refused("git-failed", "exec", ops=ops, message=("x",))
        assert fault.hint == "slip commit -s s1 -m x"
        fault = desk.refused("git-failed", "exec", ops=ops, flush=True)
        assert fault.hint == "slip flush -s s2"
    assert [row["path"] for row in desk.call("flush", session="s2")["files"]] == ["a"]
    assert desk.commit("land", session="s1")["committed"]


# --- the everyday: a person edits, an agent edits, both land --------------------------------------


@pytest.mark.parametrize("capture_first", [True, False])
def test_a_persons_edit_and_an_agents_in_one_file_land_together(
    desk: Desk, *, capture_first: bool
) -> None:
    repo = desk.lab
    repo.commit({"f": LINES})
    desk.begin("work")
    repo.write("f", LINES.replace("line 3\n", "the person\n"))
    if capture_first:
        desk.call("capture")
    desk.apply(replace("f", "line 20\n", "the agent\n"))
    if not capture_first:
        desk.commit_refused("dirty")
        desk.call("capture")
    desk.commit("Both")
    both = LINES.replace("line 3\n", "the person\n").replace("line 20\n", "the agent\n")
    assert repo.read("f") == repo.tree()["f"] == both.encode()
    assert repo.git("status", "--porcelain") == ""


def test_an_edit_after_the_capture_is_in_the_way_until_captured(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"f": LINES})
    desk.begin("work")
    repo.write("f", LINES.replace("line 3\n", "once\n"))
    desk.call("capture")
    desk.apply(replace("f", "line 20\n", "agent\n"))
    repo.write("f", LINES.replace("line 3\n", "twice\n"))
    before = repo.snapshot()
    desk.commit_refused("dirty")
    assert repo.snapshot() == before
    desk.call("capture")
    desk.commit("land")
    assert (
        repo.read("f")
        == LINES.replace("line 3\n", "twice\n").replace("line 20\n", "agent\n").encode()
    )


def test_capture_takes_what_git_add_would_store(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitignore": "*.log\n", "a": "a\n", "b": "b\n", "c": "c\n", "d": "d\n"})
    repo.write("a", Script(b"a\n"))
    repo.write("b", None)
    repo.write("c", "staged\n")
    repo.git("add", "c")
    repo.write("d", Link("a"))
    repo.write("new/file", "new\n")
    repo.write("x.log", "ignored\n")
    before = repo.snapshot()
    desk.begin("work")
    told = desk.call("capture")
    assert {row["path"]: row["status"] for row in told["changes"]} == {
        "a": "M", "b": "D", "c": "M", "d": "T",
    }  # fmt: skip
    assert desk.call("capture")["unchanged"] is True
    told = desk.call("capture", untracked=True)
    assert [row["path"] for row in told["changes"]] == ["new/file"]
    assert repo.snapshot() == before
    expected = Lab(repo.path)
    tree = expected.tree(TIP)
    assert (tree["c"], tree["d"], tree["new/file"]) == (b"staged\n", b"a", b"new\n")
    assert expected.entries(TIP)["a"][0] == "100755"
    desk.commit("land")
    assert repo.git("status", "--porcelain") == ""


def test_capture_by_name(desk: Desk) -> None:
    repo = desk.lab
    repo.write("README.md", "# mine\n")
    repo.write("src/app.py", "mine\n")
    repo.write("src/new", "new\n")
    repo.write("out", "new\n")
    desk.begin("work")
    told = desk.call("capture", paths=("src",))
    assert [row["path"] for row in told["changes"]] == ["src/app.py", "src/new"]
    desk.refused("missing", "capture", paths=("none",))
    desk.begin("scoped", deny=("out",))
    desk.refused("path-denied", "capture", paths=("out",), session="scoped")


def test_capture_that_conflicts_makes_no_step(desk: Desk) -> None:
    desk.begin("work")
    desk.apply(replace("README.md", "Demo", "agent"))
    desk.lab.write("README.md", "# person\n")
    tip, before = desk.lab.oid(TIP), desk.lab.snapshot()
    desk.refused("conflict", "capture")
    assert (desk.lab.oid(TIP), desk.lab.snapshot()) == (tip, before)


def test_undo_of_the_agents_step_gives_the_persons_bytes_back(desk: Desk) -> None:
    repo = desk.lab
    mine = "# Demo\r\nmine\xe9".encode("latin-1")
    repo.write("README.md", mine)
    desk.begin("work", capture=True)
    desk.apply(write("README.md", "the agent's\n"))
    desk.call("flush")
    assert repo.read("README.md") == b"the agent's\n"
    desk.call("undo")
    desk.call("flush")
    assert repo.read("README.md") == mine


# --- flush ----------------------------------------------------------------------------------------


def test_flush_places_files_and_nothing_else(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({"old/f": "f\n"})
    repo.write("mine", "mine\n")
    staged(desk, write("a/b", "1\n"), replace("README.md", "Demo", "demo"), delete("old/f"),
           write("tool", "x", mode="100755"))  # fmt: skip
    before, refs = repo.snapshot(), repo.refs()
    told = desk.call("flush")
    assert [row["path"] for row in told["files"]] == ["README.md", "a/b", "old/f", "tool"]
    after = repo.snapshot()
    assert repo.refs() == refs
    assert (after.entries, after.cached, after.head) == (before.entries, before.cached, before.head)
    assert after.files == {
        "README.md": (0o100644, b"# demo\n"), "a/b": (0o100644, b"1\n"),
        "mine": (0o100644, b"mine\n"), "src/app.py": before.files["src/app.py"],
        "tool": (0o100755, b"x"),
    }  # fmt: skip
    assert desk.call("flush")["tree"] == told["tree"]


def test_flush_undo_flush_again(desk: Desk) -> None:
    repo = desk.lab
    before = repo.snapshot()
    staged(desk, write("a/b", "1\n"), replace("README.md", "Demo", "demo"), delete("src/app.py"))
    desk.call("flush")
    flushed = repo.snapshot()
    desk.call("undo")
    desk.call("flush")
    assert repo.snapshot() == before
    desk.call("redo")
    desk.call("flush")
    assert repo.snapshot() == flushed
    desk.commit("land")
    assert repo.git("status", "--porcelain") == ""


def test_flush_refuses_what_is_in_the_way_of_anything(desk: Desk) -> None:
    repo = desk.lab
    staged(desk, write("a", "1\n"), write("z", "1\n"))
    repo.write("z", "mine\n")
    before = repo.snapshot()
    fault = desk.refused("dirty", "flush")
    assert fault.hint == "mv -n z z.mine"
    assert repo.snapshot() == before


def test_flush_takes_back_what_was_edited_since_only_with_leave(desk: Desk) -> None:
    repo = desk.lab
    staged(desk, replace("README.md", "Demo", "demo"))
    desk.call("flush")
    repo.write("README.md", "# demo, edited since\n")
    desk.call("undo")
    before = repo.snapshot()
    desk.refused("dirty", "flush")
    assert repo.snapshot() == before


def test_flush_with_the_index(desk: Desk) -> None:
    repo = desk.lab
    staged(desk, write("a", "1\n"), replace("README.md", "Demo", "demo"))
    head = repo.oid("HEAD")
    desk.call("flush", index=True)
    assert repo.git("status", "--porcelain") == "M  README.md\nA  a"
    assert repo.oid("HEAD") == head
    desk.call("undo")
    desk.call("flush", index=True)
    assert repo.git("status", "--porcelain") == ""


# --- exec -----------------------------------------------------------------------------------------


def executed(desk: Desk, *ops: dict[str, Any], **values: Free) -> dict[str, Any]:
    return desk.call("exec", ops=batch(*ops), **values)


def test_exec_with_a_message_is_begin_apply_and_commit(desk: Desk) -> None:
    repo = desk.lab
    head = repo.oid("main")
    done = executed(desk, write("a", "1\n"), message=("Land",), read=("README.md",))
    assert [row["text"] for row in done["reads"]] == ["# Demo\n"]
    assert done["apply"]["changes"][0]["path"] == "a"
    assert done["commit"]["commit"] == repo.oid("main")
    assert repo.oid("main^") == head
    assert repo.read("a") == b"1\n"
    assert repo.refs("refs/slip/sessions/") == {}
    assert list(repo.refs("refs/slip/closed/")) == ["refs/slip/closed/s1/1"]


def test_exec_makes_the_commit_that_the_single_commands_make(desk: Desk, ground: Ground) -> None:
    twin = desk.at(ground.repository("twin"))
    staged(twin, write("a", "1\n"))
    one = twin.commit("Land")["commit"]
    assert executed(desk, write("a", "1\n"), message=("Land",))["commit"]["commit"] == one


def test_exec_without_a_message_shows_the_diff_and_keeps_nothing(desk: Desk) -> None:
    repo = desk.lab
    before, refs, packs = repo.snapshot(), repo.refs(), repo.git("count-objects", "-v")
    done = executed(desk, write("a", "1\n"), replace("README.md", "Demo", "demo"))
    assert "+# demo" in done["apply"]["diff"]
    assert done["commit"] is None
    assert (repo.snapshot(), repo.refs(), repo.git("count-objects", "-v")) == (before, refs, packs)


def test_exec_reads_everything_that_it_touched(desk: Desk) -> None:
    done = executed(desk, write("b", "1\n2\n"), write("a", "x"), delete("README.md"), read_all=True,
                    files=("src/app.py:1",))  # fmt: skip
    assert [(row["path"], row["text"]) for row in done["reads"]] == [
        ("src/app.py", "def main():\n"), ("a", "x"), ("b", "1\n2\n"),
    ]  # fmt: skip


def test_exec_that_fails_leaves_nothing(desk: Desk) -> None:
    repo = desk.lab
    before, refs = repo.snapshot(), repo.refs()
    desk.refused("missing", "exec", ops=batch(write("a", "1"), delete("b")), message=("x",))
    desk.refused("bad-json", "exec", ops=b"nonsense", message=("x",), format="json")
    desk.refused("missing", "exec", ops=batch(write("a", "1")), read=("none",), message=("x",))
    desk.refused("usage", "exec", ops=batch(write("a", "1")), message=("x",), flush=True)
    desk.refused("usage", "exec", ops=batch(write("a", "1")), message=("",))
    desk.refused("path-denied", "exec", ops=batch(write("a", "1")), deny=("a",), message=("x",))
    assert (repo.snapshot(), repo.refs()) == (before, refs)


def test_exec_that_is_refused_its_landing_leaves_the_session(desk: Desk) -> None:
    desk.lab.write("a", "mine\n")
    before = desk.lab.snapshot()
    fault = desk.refused("dirty", "exec", ops=batch(write("a", "1\n")), message=("x",))
    assert fault.data["session"] == "s1"
    assert desk.lab.snapshot() == before
    assert desk.lab.tree("refs/slip/sessions/s1")["a"] == b"1\n"
    desk.lab.write("a", None)
    assert desk.commit("again", session="s1")["committed"]


def test_exec_that_conflicts_leaves_the_session(desk: Desk) -> None:
    desk.lab.commit({"README.md": "# ours\n"})
    fault = desk.refused(
        "conflict", "exec", base="main~1", ops=batch(replace("README.md", "Demo", "theirs")),
        message=("x",),
    )  # fmt: skip
    assert fault.data["session"] == "s1"
    assert "s1" in (fault.hint or "")
    assert "refs/slip/sessions/s1" in desk.lab.refs()


def test_exec_keeps_what_it_is_interrupted_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(landing, "commit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        desk.call("exec", ops=batch(write("a", "1\n")), message=("x",))
    desk.lab.git("gc", "--quiet", "--prune=now")
    assert desk.lab.tree("refs/slip/sessions/s1")["a"] == b"1\n"
    assert not list(desk.lab.common_dir.glob("objects/pack/*.keep"))


@pytest.mark.parametrize("deed", [{"message": ("x",)}, {"message": ("x",), "keep": True}])
def test_exec_that_the_system_refuses_names_the_session(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, deed: dict[str, Free]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")

    monkeypatch.setattr(landing, "commit", refuse)
    fault = desk.refused("git-failed", "exec", ops=batch(write("a", "1\n")), **deed)
    assert fault.message == ("/somewhere: No space left on device (session s1 is left open)")
    keep = " --keep" if "keep" in deed else ""
    assert (fault.data["session"], fault.hint) == ("s1", f"slip commit -s s1{keep} -m x")
    assert desk.lab.tree("refs/slip/sessions/s1")["a"] == b"1\n"


def test_exec_under_a_name_that_another_takes_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no ref before it is refused, so the name is free until then."""
    commit, names = landing.commit, []

    def refused(ws: Workspace, session: Session, order: Any) -> Any:  # noqa: ANN401
        names.append(session.name)
        if len(names) == 1:
            desk.lab.slip("begin", "s1")
        return commit(ws, session, order)

    monkeypatch.setattr(landing, "commit", refused)
    desk.lab.write("a", "mine\n")
    fault = desk.refused("dirty", "exec", ops=batch(write("a", "1\n")), message=("x",))
    assert (names, fault.data["session"]) == (["s1", "s2"], "s2")
    assert desk.lab.tree("refs/slip/sessions/s2")["a"] == b"1\n"
    fault = desk.refused(
        "session-exists", "exec", session="s2", ops=batch(write("b", "1\n")), message=("x",)
    )


def test_exec_that_lands_under_a_name_that_another_takes_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = landing.commit

    def meanwhile(ws: Workspace, session: Session, order: Any) -> Any:  # noqa: ANN401
        desk.lab.slip("begin", "s1", "--title", "mine")
        return commit(ws, session, order)

    monkeypatch.setattr(landing, "commit", meanwhile)
    assert desk.call("exec", ops=batch(write("a", "1\n")), message=("x",))["commit"]["committed"]
    assert {"refs/slip/sessions/s1", "refs/slip/closed/s1/1"} <= set(desk.lab.refs("refs/slip/"))
    assert desk.call("status", session="s1")["title"] == "mine"


def test_exec_with_flush(desk: Desk) -> None:
    done = executed(desk, write("a", "1\n"), flush=True, session="work")
    assert done["commit"] is None
    assert desk.lab.read("a") == b"1\n"
    assert desk.call("undo")["undone"] == 1
    desk.call("flush")
    assert not (desk.lab.path / "a").exists()


def test_exec_of_nothing(desk: Desk) -> None:
    refs = desk.lab.refs()
    assert executed(desk, message=("x",))["commit"]["committed"] is False
    assert desk.call("exec", read=("README.md",))["reads"][0]["text"] == "# Demo\n"
    assert desk.lab.refs() == refs


# --- what landing does not do, and says -----------------------------------------------------------


@pytest.fixture
def ready(desk: Desk) -> Desk:
    staged(desk)
    return desk


@pytest.mark.parametrize("flag", ["true", "yes", "1"])
def test_signing_is_honoured_or_refused(ready: Desk, flag: str) -> None:
    ready.lab.git("config", "commit.gpgSign", flag)
    ready.lab.git("config", "gpg.program", "false")
    refs = ready.lab.refs()
    with pytest.raises(SlipError):
        ready.commit("land")
    assert ready.lab.refs() == refs
    landed = ready.commit("land", sign=False)
    assert "gpgsig" not in ready.lab.git("cat-file", "commit", landed["commit"])


def test_check_without_a_gate_is_asked_wrongly(ready: Desk) -> None:
    ready.commit_refused("usage", check=True)
    assert ready.commit("land", check=False)["committed"]
    note = json.loads(ready.lab.git("notes", "--ref=refs/notes/slip/landed", "show", "main"))
    assert note["no_check"] is True


def test_gates_are_read_from_the_commit_landed_on(desk: Desk) -> None:
    desk.lab.commit({".slip.toml": '[gate.t]\nrun = "false"\n'})
    staged(desk, delete(".slip.toml"), write("a", "1\n"))
    refs = desk.lab.refs()
    with pytest.raises(SlipError) as caught:
        desk.commit("land")
    assert caught.value.code == "gate-failed"
    verdicts = {name for name in desk.lab.refs() if name not in refs}
    assert verdicts == {"refs/notes/slip/gates"}
    assert desk.lab.refs().items() >= refs.items()
    assert desk.commit("land", check=False)["committed"]


# --- races ----------------------------------------------------------------------------------------


def test_a_branch_deleted_meanwhile_is_made_again_only_when_told_so(desk: Desk) -> None:
    repo = desk.lab
    repo.git("branch", "other")
    staged(desk, onto="other")
    repo.git("branch", "-D", "--quiet", "other")
    before = repo.refs()
    fault = desk.commit_refused("missing")
    assert fault.hint == "slip commit -s work --onto other -m land"
    assert repo.refs() == before
    landed = desk.commit("land", onto="other")
    assert landed.get("old_head") is None
    assert repo.oid("other^") == repo.oid("main")


def test_a_branch_that_was_never_there_is_made(desk: Desk) -> None:
    """Also after it was made once, was deleted, and the session was opened again."""
    repo = desk.lab
    staged(desk, onto="new")
    for _ in range(2):
        desk.commit("land")
        assert repo.oid("new^") == repo.oid("main")
        repo.git("branch", "-D", "--quiet", "new")
        desk.call("reopen", name="work")


def test_an_uninstalled_slip_leaves_a_plain_repository(desk: Desk) -> None:
    repo = desk.lab
    staged(desk)
    desk.commit("land")
    desk.begin()
    for ref in (*repo.refs("refs/slip/"), *repo.refs("refs/notes/slip/")):
        repo.git("update-ref", "-d", ref)
    repo.git("gc", "--quiet", "--prune=now")
    assert set(repo.refs()) == {"refs/heads/main"}
    assert repo.tree() == {**repo.tree(), "a": b"1\n"}
