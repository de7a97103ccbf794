"""`slip adopt`: work done on a branch with git becomes a session, and lands as git would merge."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from slipstream_git.errors import SlipError
from tests.desk import Desk, Free, Json, replace, write
from tests.lab import Content, Ground, Lab, Script

LONG = "".join(f"line {number}\n" for number in range(30))


def adopt(desk: Desk, branch: str, name: str | None = None, **values: Free) -> Json:
    return desk.call("adopt", branch=branch, name=name, **values)


def refused(
    desk: Desk, code: str, branch: str, name: str | None = None, **given: Free
) -> SlipError:
    """The refusal, which must have changed nothing."""
    before = desk.lab.refs(), desk.lab.snapshot()
    fault = desk.refused(code, "adopt", branch=branch, name=name, **given)
    assert (desk.lab.refs(), desk.lab.snapshot()) == before
    return fault


def worked(
    repo: Lab, branch: str, *commits: tuple[dict[str, Content], str], at: str = "main"
) -> str:
    """A branch with these commits, and HEAD back where it was; its newest."""
    here = repo.git("rev-parse", "--abbrev-ref", "HEAD")
    repo.git("checkout", "--quiet", "-B", branch, at)
    for files, message in commits:
        repo.commit(files, message)
    repo.git("checkout", "--quiet", here)
    return repo.oid(branch)


def more(repo: Lab, branch: str, *commits: tuple[dict[str, Content], str]) -> str:
    return worked(repo, branch, *commits, at=branch)


def tip(name: str) -> str:
    return f"refs/slip/sessions/{name}"


def trailers(repo: Lab, rev: str) -> dict[str, str]:
    lines = repo.message(rev).rstrip().rpartition("\n\n")[2].splitlines()
    return dict(line.removeprefix("Slip-").split(": ", 1) for line in lines)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """`feature` with two commits, `main` gone on since."""
    repo = desk.lab
    repo.commit({"long": LONG})
    repo.git("branch", "base")
    worked(
        repo,
        "feature",
        ({"long": LONG.replace("line 3\n", "line three\n"), "new": "1\n"}, "First\n\nBody."),
        ({"tool": Script(b"#!/bin/sh\n"), "README.md": None}, "Second"),
    )
    repo.commit({"long": LONG.replace("line 25\n", "line twenty-five\n")}, "main goes on")
    return desk


# --- what it makes --------------------------------------------------------------------------------


def test_a_step_for_each_commit(ready: Desk) -> None:
    repo = ready.lab
    before = repo.refs("refs/heads/"), repo.snapshot()
    told = adopt(ready, "feature", agent="bo")
    assert (repo.refs("refs/heads/"), repo.snapshot()) == before
    assert (told["session"], told["branch"], told["onto"]) == (
        "feature",
        "refs/heads/feature",
        "refs/heads/main",
    )
    assert (told["base"], told["head"]) == (repo.oid("base"), repo.oid("feature"))
    assert (told["steps"], told["commit"]) == (2, repo.oid(tip("feature")))
    assert [row["path"] for row in told["changes"]] == ["README.md", "long", "new", "tool"]
    chain = repo.git("rev-list", "--first-parent", "--reverse", f"base..{tip('feature')}").split()
    assert [repo.oid(f"{oid}^{{tree}}") for oid in chain] == [
        repo.oid(f"{rev}^{{tree}}") for rev in ("base", "feature~1", "feature")
    ]
    begin, first, second = (trailers(repo, oid) for oid in chain)
    assert begin["Branch"] == "refs/heads/feature"
    assert begin["Title"] == "feature"
    assert (first["Op"], first["Adopted"]) == ("adopt", repo.oid("feature~1"))
    assert (first["Group"], first["Agent"]) == ("First", "bo")
    assert (second["Step"], second["Group"]) == ("2", "Second")
    assert repo.git("log", "-1", "--format=%s", chain[1]) == "slip feature: adopt First"


def test_authors_and_encodings_are_kept(ready: Desk) -> None:
    repo = ready.lab
    repo.git("checkout", "--quiet", "-b", "latin", "base")
    env = {"GIT_AUTHOR_NAME": "Zo\u00eb".encode("latin-1").decode("utf-8", "surrogateescape")}
    repo.write("x", "1\n")
    repo.git("add", "x")
    repo.git(
        *("-c", "i18n.commitEncoding=latin1", "commit", "--quiet", "-F", "-"),
        stdin="na\u00efve".encode("latin-1"), env=env | {"GIT_AUTHOR_DATE": "1000000000 +0530"},
    )  # fmt: skip
    repo.git("checkout", "--quiet", "main")
    adopt(ready, "latin")
    said = repo.git("log", "-1", "--format=%an|%ad|%s", "--date=raw", tip("latin"))
    assert said == "Zo\u00eb|1000000000 +0530|slip latin: adopt na\u00efve"
    assert trailers(repo, tip("latin"))["Group"] == "na\u00efve"


def test_labels_are_each_commits_own(ready: Desk) -> None:
    repo = ready.lab
    for number in range(3):
        at = "messy" if number else "base"
        worked(repo, "messy", ({"x": f"{number}\n"}, "wip"), at=at)
    repo.git("checkout", "--quiet", "messy")
    repo.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", "")
    repo.git("checkout", "--quiet", "main")
    adopt(ready, "messy")
    logged = ready.call("log", session="messy")["steps"]
    assert [row.get("group") for row in logged] == [
        "wip",
        "wip (2)",
        "wip (3)",
        repo.oid("messy")[:10],
    ]


def test_one_step_where_the_branch_has_merges(ready: Desk) -> None:
    repo = ready.lab
    repo.git("checkout", "--quiet", "feature")
    repo.git("merge", "--quiet", "-m", "catch up", "main")
    repo.git("checkout", "--quiet", "main")
    head = more(repo, "feature", ({"new": "2\n"}, "Third"))
    told = adopt(ready, "feature")
    assert (told["steps"], told["base"]) == (1, repo.oid("main"))
    assert repo.oid(f"{tip('feature')}^{{tree}}") == repo.oid("feature^{tree}")
    found = trailers(repo, tip("feature"))
    assert (found["Adopted"], found.get("Group")) == (head, None)


def test_names_titles_and_sessions_that_are_there(ready: Desk) -> None:
    repo = ready.lab
    worked(repo, "team/fix#1", ({"x": "1\n"}, "Fix it"), at="base")
    assert adopt(ready, "team/fix#1")["session"] == "team-fix-1"
    assert ready.call("status", session="team-fix-1")["title"] == "Fix it"
    assert adopt(ready, "feature", "mine", title="Mine", onto="base")["session"] == "mine"
    assert ready.call("status", session="mine")["title"] == "Mine"
    ready.begin("feature")
    # `mine` was adopted for another branch.
    assert refused(ready, "session-exists", "feature", onto="main").hint
    refused(ready, "bad-name", "feature", "a b", onto="main")
    worked(repo, "-".join("\u00e9\u00e8"), ({"y": "1\n"}, "Accents"), at="base")
    assert adopt(ready, "\u00e9-\u00e8")["session"] == "s1"


def test_overlaps_are_told(ready: Desk) -> None:
    ready.begin("other")
    ready.apply(write("new", "2\n"), session="other")
    assert adopt(ready, "feature")["overlaps"] == [{"session": "other", "paths": ["new"]}]
    reply = ready.lab.slip("adopt", "feature", "second", "--onto", "base")
    assert b"second on base" in reply.out


# --- which branch, and onto which -----------------------------------------------------------------


def test_onto_what_the_branch_tracks_else_the_current_one(ready: Desk) -> None:
    repo = ready.lab
    repo.git("branch", "--quiet", "--set-upstream-to=base", "feature")
    assert adopt(ready, "feature", "one")["onto"] == "refs/heads/base"
    repo.git("branch", "--quiet", "--unset-upstream", "feature")
    repo.git("checkout", "--quiet", "-b", "here")
    assert adopt(ready, "feature", "two")["onto"] == "refs/heads/here"
    assert adopt(ready, "feature", "three", onto="main")["onto"] == "refs/heads/main"
    repo.git("checkout", "--quiet", "feature")
    assert "--onto" in (refused(ready, "usage", "feature", "four").hint or "")
    repo.git("checkout", "--quiet", "--detach")
    refused(ready, "usage", "feature", "four")
    refused(ready, "missing", "feature", "four", onto="nowhere")


def test_a_branch_that_tracks_the_same_branch_elsewhere(ground: Ground, ready: Desk) -> None:
    """A clone's `feature`, of `origin/feature`, and a branch that was started from origin/main."""
    clone = ground.at(ground.place / "clone")
    ready.lab.git("clone", "--quiet", "--no-local", str(ready.lab.path), str(clone.path))
    desk = ready.at(clone)
    told = adopt(desk, "origin/feature")
    assert (told["session"], told["branch"]) == ("feature", "refs/remotes/origin/feature")
    clone.git("checkout", "--quiet", "-b", "topic", "origin/main")
    clone.commit({"x": "1\n"})
    assert adopt(desk, "topic")["onto"] == "refs/heads/main"
    clone.git("checkout", "--quiet", "main")
    clone.git("branch", "--quiet", "feature", "origin/feature")
    # The local one is another branch, with the same commits.
    assert adopt(desk, "feature", "local")["branch"] == "refs/heads/feature"
    assert adopt(desk, "refs/remotes/origin/feature")["reason"]


def test_symbolic_refs_stand_for_their_branch(ready: Desk) -> None:
    repo = ready.lab
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/feature")
    assert adopt(ready, "alias")["branch"] == "refs/heads/feature"
    repo.git("checkout", "--quiet", "feature")
    assert adopt(ready, "HEAD", "again", onto="main")["branch"] == "refs/heads/feature"


@pytest.mark.parametrize("revision", ["v1", "feature~1", "ID"])
def test_a_tag_or_a_commit_is_no_branch(ready: Desk, revision: str) -> None:
    repo = ready.lab
    repo.git("tag", "v1", "feature")
    name = repo.oid("feature") if revision == "ID" else revision
    fault = refused(ready, "usage", name)
    commit = repo.oid(f"{name}^{{commit}}")
    assert fault.hint == f"git branch adopted {commit} && slip adopt adopted"


def test_a_branch_goes_before_a_tag_of_its_name(ready: Desk) -> None:
    ready.lab.git("tag", "feature", "base")
    assert adopt(ready, "feature")["head"] == ready.lab.oid("refs/heads/feature")


@pytest.mark.parametrize("name", ["nope", "", "--all", "a..b", "^feature", "refs/heads/nope"])
def test_no_such_branch(ready: Desk, name: str) -> None:
    refused(ready, "missing", name)


def test_nothing_to_adopt(ready: Desk) -> None:
    repo = ready.lab
    for branch, onto in (("main", "main"), ("base", "main"), ("feature", "feature")):
        told = adopt(ready, branch, onto=onto)
        assert (told["session"], told["steps"]) == (None, 0)
        assert told["reason"] == f"{branch} has no commit that {onto} lacks"
    assert not repo.refs("refs/slip/")
    assert b"has no commit" in repo.slip("adopt", "base").out


def test_histories_that_do_not_meet(ready: Desk) -> None:
    repo = ready.lab
    repo.git("checkout", "--quiet", "--orphan", "alone")
    repo.commit({"x": "1\n"})
    repo.git("checkout", "--quiet", "main")
    assert "no history in common" in refused(ready, "unsupported", "alone").message


def test_a_shallow_clone(ground: Ground, ready: Desk) -> None:
    clone = ground.at(ground.place / "shallow")
    ready.lab.git(
        *("clone", "--quiet", "--depth=2", "--no-single-branch", f"file://{ready.lab.path}"),
        str(clone.path),
    )
    desk = ready.at(clone)
    fault = refused(desk, "unsupported", "origin/feature")
    assert fault.hint == "git fetch --unshallow"
    clone.git("fetch", "--quiet", "--unshallow")
    assert adopt(desk, "origin/feature")["steps"] == 2


def test_several_merge_bases(ready: Desk) -> None:
    repo = ready.lab
    main, feature = repo.oid("main"), repo.oid("feature")
    repo.git("merge", "--quiet", "-m", "one", feature)
    repo.git("checkout", "--quiet", "feature")
    repo.git("merge", "--quiet", "-m", "other", main)
    repo.git("checkout", "--quiet", "main")
    repo.commit({"m": "1\n"})
    more(repo, "feature", ({"f": "1\n"}, "f"))
    fault = refused(ready, "unsupported", "feature")
    assert "2 merge bases" in fault.message
    assert fault.hint
    for command in fault.hint.split(" && "):
        repo.git(*command.split()[1:])
    repo.git("checkout", "--quiet", "main")
    assert adopt(ready, "feature")["steps"] == 1


def test_a_bare_repository(ready: Desk, ground: Ground) -> None:
    bare = ground.at(ground.place / "bare.git")
    ready.lab.git("clone", "--quiet", "--bare", str(ready.lab.path), str(bare.path))
    desk = ready.at(bare)
    assert adopt(desk, "feature")["onto"] == "refs/heads/main"
    assert desk.commit("land", session="feature")["merged"] is True
    assert b"line three" in bare.tree("main")["long"]


# --- again ----------------------------------------------------------------------------------------


def test_a_branch_that_grew(ready: Desk) -> None:
    repo = ready.lab
    first = adopt(ready, "feature")
    head = more(repo, "feature", ({"new": "2\n"}, "Third"), ({"new": "3\n"}, "First"))
    told = adopt(ready, "feature", agent="later")
    assert (told["session"], told["steps"], told["head"]) == ("feature", 2, head)
    assert [row["path"] for row in told["changes"]] == ["new"]
    assert repo.oid(f"{tip('feature')}^{{tree}}") == repo.oid("feature^{tree}")
    assert repo.oid(f"{tip('feature')}~2") == first["commit"]
    groups = [row["group"] for row in ready.call("log", session="feature")["steps"]]
    assert groups == ["First", "Second", "Third", "First (2)"]
    again = adopt(ready, "feature")
    assert (again["steps"], again["reason"]) == (0, "feature has all of feature already")
    refused(ready, "usage", "feature", title="T")


def test_new_commits_go_onto_what_the_session_has_by_now(ready: Desk) -> None:
    repo = ready.lab
    adopt(ready, "feature")
    ready.apply(replace("long", "line 15\n", "line fifteen\n"), session="feature")
    more(repo, "feature", ({"new": "2\n"}, "Third"))
    assert adopt(ready, "feature")["steps"] == 1
    tree = repo.tree(tip("feature"))
    assert tree["new"] == b"2\n"
    assert b"line fifteen" in tree["long"]
    ready.call("undo", session="feature", step="2")
    more(repo, "feature", ({"new": "3\n"}, "Fourth"))
    adopt(ready, "feature")
    tree = repo.tree(tip("feature"))
    assert tree["new"] == b"3\n"
    assert "README.md" in tree
    ready.apply(write("new", "mine\n"), session="feature")
    more(repo, "feature", ({"new": "4\n"}, "Fifth"))
    fault = refused(ready, "conflict", "feature")
    assert [file["path"] for file in fault.data["files"]] == ["new"]  # type: ignore[attr-defined]


def test_history_that_was_rewritten(ready: Desk) -> None:
    repo = ready.lab
    adopt(ready, "feature")
    worked(repo, "feature", ({"new": "other\n"}, "Instead"), at="feature~1")
    fault = refused(ready, "stale", "feature")
    assert fault.hint == "slip abort -s feature && slip adopt feature feature"
    repo.slip("abort", "-s", "feature")
    repo.slip("adopt", "feature", "feature")
    assert repo.oid(f"{tip('feature')}^{{tree}}") == repo.oid("feature^{tree}")


def test_a_branch_that_was_merged_since(ready: Desk) -> None:
    """git would merge over another base by now."""
    repo = ready.lab
    adopt(ready, "feature")
    repo.git("checkout", "--quiet", "feature")
    repo.git("merge", "--quiet", "-m", "catch up", "main")
    repo.git("checkout", "--quiet", "main")
    assert "and main were merged since" in refused(ready, "stale", "feature").message


@pytest.mark.parametrize("colliding", [False, True])
def test_a_rebased_session_takes_what_the_branch_gains(ready: Desk, *, colliding: bool) -> None:
    repo = ready.lab
    adopt(ready, "feature")
    repo.commit({"long": LONG.replace("line 3\n", "line drei\n" if colliding else "line three\n")})
    told = ready.call("rebase", session="feature")
    assert bool(told["conflicts"]) is colliding
    if colliding:
        ready.call("resolve", path="long", session="feature", theirs=True)
    assert adopt(ready, "feature")["steps"] == 0
    more(repo, "feature", ({"new": "2\n"}, "Third"))
    assert adopt(ready, "feature")["steps"] == 1
    tree = repo.tree(tip("feature"))
    assert tree["new"] == b"2\n"
    assert b"line three\n" in tree["long"]
    assert ready.commit("Land it", session="feature")["committed"]


def test_adopted_more_than_once(ready: Desk) -> None:
    adopt(ready, "feature", "one")
    adopt(ready, "feature", "two", onto="base")
    more(ready.lab, "feature", ({"new": "2\n"}, "Third"))
    fault = refused(ready, "usage", "feature")
    assert fault.data == {"sessions": ["one", "two"]}
    assert adopt(ready, "feature", onto="base")["session"] == "two"
    assert adopt(ready, "feature", "one")["steps"] == 1
    refused(ready, "usage", "feature", "one", onto="base")


def test_limits_are_kept(ready: Desk) -> None:
    ready.lab.git("config", "slip.maxSteps", "1")
    refused(ready, "quota", "feature")
    ready.lab.git("config", "slip.maxSteps", "2")
    ready.lab.git("config", "slip.quota", "10")
    refused(ready, "quota", "feature")


# --- landed ---------------------------------------------------------------------------------------


def test_it_lands_as_git_squashes_it(ready: Desk, ground: Ground) -> None:
    repo = ready.lab
    twin = ground.at(ground.place / "twin")
    shutil.copytree(repo.path, twin.path, symlinks=True)
    twin.git("merge", "--quiet", "--squash", "feature")
    twin.git("commit", "--quiet", "-m", "feature")
    before = repo.oid("feature")
    adopt(ready, "feature")
    reply = repo.slip("land", "--all")
    assert repo.oid("main^{tree}") == twin.oid("main^{tree}")
    assert repo.oid("feature") == before
    assert repo.git("log", "-1", "--format=%s", "main") == "feature"
    assert b"git branch -D feature" in reply.err
    assert repo.git("status", "--porcelain") == ""


def test_no_command_is_named_that_git_refuses(ready: Desk, ground: Ground) -> None:
    """git deletes no branch that is checked out somewhere."""
    linked = ground.place / "linked"
    ready.lab.git("worktree", "add", "--quiet", str(linked), "feature")
    adopt(ready, "feature")
    said = ready.lab.slip("land", "feature").err.decode()
    assert f"(it is checked out in {linked})" in said
    assert "git branch -D" not in said


def test_what_landed_does_not_come_again(ready: Desk) -> None:
    repo = ready.lab
    first = repo.oid("feature")
    adopt(ready, "feature")
    ready.commit("land", session="feature")
    landed = repo.oid("main")
    before = repo.refs()
    told = adopt(ready, "feature")
    assert (told["session"], told["steps"]) == (None, 0)
    assert told["reason"] == f"all of feature landed on main already, as {landed[:10]} (feature)"
    assert repo.refs() == before
    # Its commits since, on what landed; two rounds, and main goes on between them.
    for number in range(2):
        repo.commit({f"main{number}": "1\n"})
        here = repo.oid("main")
        newest = more(repo, "feature", ({"tool": f"{number}\n"}, f"Round {number}"))
        told = adopt(ready, "feature")
        assert (told["steps"], told["base"]) == (1, landed)
        assert [row["path"] for row in told["changes"]] == ["tool"]
        assert trailers(repo, tip("feature"))["Adopted"] == newest
        ready.commit(f"round {number}", session="feature")
        assert repo.oid("main^") == here
        assert repo.tree()["tool"] == f"{number}\n".encode()
        landed = repo.oid("main")
    assert b"its commits since" not in repo.slip("adopt", "feature").err
    # A landing that is gone does not count, nor does a branch that has merged it.
    repo.git("reset", "--quiet", "--hard", "base")
    assert adopt(ready, "feature")["steps"] == 4
    ready.call("abort", session="feature")
    assert repo.git("merge-base", "--is-ancestor", first, "feature") == ""


def test_commits_after_a_landing_that_collide(ready: Desk) -> None:
    repo = ready.lab
    adopt(ready, "feature")
    ready.apply(replace("long", "line three", "line 3.3"), session="feature")
    ready.commit("land", session="feature")
    old, landed = repo.oid("feature"), repo.oid("main")
    worse = LONG.replace("line 3\n", "line III\n")
    more(repo, "feature", ({"fine": "1\n"}, "Fine"), ({"long": worse}, "Worse"))
    fault = refused(ready, "conflict", "feature")
    assert fault.hint == f"git rebase --onto {landed[:10]} {old[:10]} feature"
    files = fault.data["files"]
    assert isinstance(files, list)
    assert [(file["path"], file["kind"]) for file in files] == [("long", "content")]
    assert adopt(ready, "feature", "elsewhere", onto="base")["steps"] == 4


def test_it_conflicts_as_git_does(ready: Desk) -> None:
    repo = ready.lab
    repo.commit({"long": LONG.replace("line 3\n", "line 3.0\n")})
    adopt(ready, "feature")
    fault = ready.commit_refused("conflict", session="feature")
    files = fault.data["files"]
    assert isinstance(files, list)
    assert [(file["path"], file["kind"]) for file in files] == [("long", "content")]
    repo.git("merge", "--squash", "feature", expect=1)
    assert repo.git("diff", "--name-only", "--diff-filter=U") == "long"
    repo.git("reset", "--quiet", "--hard")


def test_the_branchs_own_worktree_is_left_alone(ready: Desk, ground: Ground) -> None:
    linked = ground.at(ground.place / "linked")
    ready.lab.git("worktree", "add", "--quiet", str(linked.path), "feature")
    linked.write("long", "edited\n")
    linked.write("untracked", "u\n")
    before = linked.snapshot()
    adopt(ready, "feature")
    ready.commit("land", session="feature")
    after = linked.snapshot()
    assert (after.files, after.status, after.entries) == (
        before.files,
        before.status,
        before.entries,
    )
    assert b"line three" in ready.lab.read("long")


def test_agents_branches_land_together(ready: Desk) -> None:
    repo = ready.lab
    for number in range(3):
        worked(repo, f"agent/{number}", ({f"f{number}": "1\n"}, f"Do {number}"), at="base")
        adopt(ready, f"agent/{number}")
    told = ready.call("land", all=True, atomic=True)
    assert [row["session"] for row in told["landed"]] == ["agent-0", "agent-1", "agent-2"]
    assert repo.git("log", "-3", "--format=%s", "main").splitlines() == ["Do 2", "Do 1", "Do 0"]


@pytest.mark.parametrize("seed", range(8))
def test_any_branch_lands_as_git_squashes_it(
    repo: Lab, store: str, tmp_path: Path, seed: int
) -> None:
    """Edits, renames, deletions and modes at random, on both sides: the same tree or a conflict."""
    pick = random.Random(seed)  # noqa: S311
    paths = [f"d{number % 3}/f{number}" for number in range(24)]
    start = {path: "".join(f"{path} {line}\n" for line in range(20)) for path in paths}
    repo.commit(dict(start))
    theirs, ours = dict(start), dict(start)
    worked(repo, "topic", *[_anything(pick, theirs, n) for n in range(pick.randint(1, 4))])
    for number in range(pick.randint(1, 3)):
        repo.commit(*_anything(pick, ours, 10 + number))
    twin = Lab(tmp_path / "twin")
    shutil.copytree(repo.path, twin.path, symlinks=True)
    twin.git("merge", "--quiet", "--squash", "topic", expect=None)
    clean = not twin.git("ls-files", "--unmerged")
    desk = Desk(repo, store)
    adopt(desk, "topic")
    if clean:
        desk.call("land", sessions=("topic",))
        assert repo.oid("main^{tree}") == twin.git("write-tree")
    else:
        fault = desk.commit_refused("conflict", session="topic")
        named = {row["path"] for row in fault.data["files"]}  # type: ignore[attr-defined]
        unmerged = twin.git("diff", "--name-only", "--diff-filter=U").splitlines()
        assert named == set(unmerged)


def _anything(
    pick: random.Random, there: dict[str, str], number: int
) -> tuple[dict[str, Content], str]:
    """A commit on the files that are there by now."""
    files: dict[str, Content] = {}
    for path in pick.sample(sorted(there), min(3, len(there))):
        lines = there[path].splitlines(keepends=True)
        kind = pick.choice(["edit", "edit", "edit", "move", "delete", "mode"])
        lines[pick.randrange(len(lines))] = f"changed by {number}\n"
        text = "".join(lines)
        if kind == "mode":
            files[path] = Script(there[path].encode())
            continue
        files[path] = None
        del there[path]
        if kind != "delete":
            to = path if kind == "edit" else f"{path}-moved{number}"
            files[to] = there[to] = text
    return files, f"Commit {number}"


def test_the_one_commits_message_is_proposed(ready: Desk) -> None:
    repo = ready.lab
    repo.git("switch", "-qc", "one", "base")
    repo.commit({"one": "1\n"}, "Add one\n\nBecause it\nis one.\n\nKey: Value")
    repo.git("switch", "-q", "base")
    adopt(ready, "one", onto="base")
    assert ready.call("commit", session="one")["committed"]
    assert repo.message("base") == "Add one\n\nBecause it\nis one.\n\nKey: Value\n"


def test_the_subjects_of_several_are_proposed_below_the_title(ready: Desk) -> None:
    repo = ready.lab
    for name in ("many", "titled"):
        repo.git("switch", "-qc", name, "base")
        for number, subject in enumerate(("Add", "Fix", "Fix", "End (2)")):
            repo.commit({f"{name}{number}": "1\n"}, f"{subject}\n\nNot told.")
    repo.git("switch", "-q", "base")
    adopt(ready, "many", onto="base")
    adopt(ready, "titled", onto="base", title="Said")
    ready.call("undo", step="1", session="titled")
    ready.call("land", sessions=("many", "titled"))
    assert repo.message("base~1") == "many\n\n- Add\n- Fix\n- Fix\n- End (2)\n"
    assert repo.message("base") == "Said\n\n- Fix\n- Fix\n- End (2)\n"


def test_the_proposed_message_has_the_subjects_as_they_were(desk: Desk) -> None:
    repo = desk.lab
    said = ("part", "part (2)", "part", "other (3)")
    for number, text in enumerate(said):
        worked(repo, "feature", ({f"f{number}": "x\n"}, text), at="feature" if number else "main")
    adopt(desk, "feature")
    listed = "".join(f"- {text}\n" for text in said)
    repo.slip("land", "feature", "--keep")
    assert repo.message("main") == f"feature\n\n{listed}"
    # And so after a rebase, which makes each step again.
    repo.git("reset", "--hard", "--quiet", "main~1")
    repo.commit({"elsewhere": "x\n"}, "elsewhere")
    desk.call("rebase", session="feature")
    adopted = [trailers(repo, f"{tip('feature')}~{n}") for n in (3, 2, 1, 0)]
    assert [row["Group"] for row in adopted] == ["part", "part (2)", "part (3)", "other (3)"]
    assert [row.get("Subject") for row in adopted] == [None, None, "part", None]
    desk.call("land", sessions=("feature",))
    assert repo.message("main") == f"feature\n\n{listed}"


@pytest.mark.parametrize("kind", ["tree", "commit"])
def test_a_file_that_is_none_does_not_land(desk: Desk, kind: str) -> None:
    """Also where no worktree would have to hold it."""
    repo = desk.lab
    repo.damaged = True
    oid = repo.oid("main^{tree}" if kind == "tree" else "main")
    raw = b"100644 f\0" + bytes.fromhex(oid)
    tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    repo.git("branch", "odd", repo.git("commit-tree", "-p", "main", "-m", "odd", tree))
    repo.git("checkout", "-q", "--detach")
    adopt(desk, "odd", onto="main")
    before = repo.refs(), repo.snapshot()
    fault = desk.commit_refused("git-failed", session="odd")
    assert fault.message == f"object {oid} is a {kind}, not a blob"
    assert (repo.refs(), repo.snapshot()) == before
