"""Hooks on landing, held against what `git commit` runs and gives them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.children import Children
from tests.desk import Desk, delete, replace, write
from tests.lab import Lab

ALL = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")


def hook(repo: Lab, name: str, script: str, directory: str = ".git/hooks") -> None:
    place = repo.path / directory / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A session that changes a file, adds one, deletes one; the worktree has a file of its own."""
    repo = desk.lab
    repo.commit({"old.txt": "old\n", "src/app.py": "x = 1\ny = 2\n"})
    repo.write("mine.txt", "mine\n")
    desk.begin("work")
    desk.apply(replace("src/app.py", "y = 2", "y = 3"), write("a.txt", "1\n"), delete("old.txt"))
    return desk


def refusal_leaves_all(desk: Desk, code: str = "hook-failed") -> dict[str, object]:
    before, refs = desk.lab.snapshot(), desk.lab.refs()
    fault = desk.commit_refused(code)
    assert (desk.lab.snapshot(), desk.lab.refs()) == (before, refs)
    return fault.data


WITNESS = r"""
{
  echo "$(basename "$0") $#"
  for a; do case $a in /*|.git/*) echo FILE;; *) echo "$a";; esac; done
  echo "branch $(git symbolic-ref HEAD)"
  echo "tree $(git write-tree)"
  git diff --cached --name-status HEAD | tr '\t' ' '
  echo "unstaged $(git diff --name-only | tr '\n' ' ')"
  for f in src/app.py a.txt old.txt README.md; do test -e $f && cat $f; done
  echo "editor $GIT_EDITOR author $GIT_AUTHOR_NAME $GIT_AUTHOR_EMAIL index ${GIT_INDEX_FILE:+set}"
  echo "stdin $(cat | wc -c) lang ${LC_ALL-none} there $(test -e mine.txt && echo mine)"
} >> "$WITNESS"
"""


def test_hooks_see_what_git_commit_shows_them(ready: Desk, tmp_path: Path) -> None:
    """The same four hooks, in the same order, with the same arguments, index and files."""
    repo = ready.lab
    hand = Lab(tmp_path / "hand")
    repo.git("clone", "--quiet", ".", str(hand.path))
    for lab in (repo, hand):
        for name in ALL:
            hook(lab, name, WITNESS)
    ours, gits = tmp_path / "ours", tmp_path / "gits"
    landed = ready.commit("land", env={"WITNESS": str(ours)})
    hand.write("src/app.py", "x = 1\ny = 3\n")
    hand.write("a.txt", "1\n")
    hand.write("old.txt", None)
    hand.git("add", "-A")
    hand.git("commit", "--quiet", "-m", "land", env={"WITNESS": str(gits)})
    assert ours.read_text() == gits.read_text()
    assert [(run["name"], run["status"]) for run in landed["hooks"]] == [
        (name, "passed") for name in ALL
    ]
    assert landed["tree"] == hand.oid("HEAD^{tree}")
    assert repo.read("mine.txt") == b"mine\n"


def test_a_landing_amid_hooks_leaves_no_pack_of_nothing(ready: Desk) -> None:
    """What hooks are shown is the session's own tree, which is on the disk already."""
    repo = ready.lab
    hook(repo, "pre-commit", "exit 0")
    ready.commit("land")
    for index in (repo.common_dir / "objects/pack").glob("*.idx"):
        assert repo.git("show-index", stdin=index.read_bytes()), index.name
    ready.call("gc", expire="now")
    assert repo.read("a.txt") == b"1\n"


def test_what_a_hook_stages_lands_and_what_it_does_not_is_told(ready: Desk) -> None:
    repo = ready.lab
    hook(
        repo, "pre-commit",
        "sed -i s/1/one/ a.txt; git add a.txt; echo z >> README.md; echo new > litter.txt",
    )  # fmt: skip
    landed = ready.commit("land")
    (run,) = landed["hooks"]
    assert run["changed"] == ["a.txt"]
    assert run["not_landed"] == ["README.md", "litter.txt"]
    assert repo.tree()["a.txt"] == repo.read("a.txt") == b"one\n"
    assert "litter.txt" not in repo.tree()
    assert not (repo.path / "litter.txt").exists()
    assert [change["path"] for change in landed["changes"]] == ["a.txt", "old.txt", "src/app.py"]
    assert repo.git("status", "--porcelain") == "?? mine.txt"


def test_what_a_hook_left_behind_is_gone_for_the_next(ready: Desk) -> None:
    hook(ready.lab, "pre-commit", "git status --porcelain; echo z >> README.md; echo n > litter")
    ready.commit("land", keep=True)
    ready.apply(write("b.txt", "2\n"))
    (run,) = ready.commit("again")["hooks"]
    assert run["output"] == "A  b.txt"


@pytest.mark.parametrize("name", ["pre-commit", "prepare-commit-msg", "commit-msg"])
def test_a_hook_that_refuses(ready: Desk, name: str) -> None:
    hook(ready.lab, name, "echo no, because; exit 3")
    data = refusal_leaves_all(ready)
    assert data == {"hook": name, "exit": 3, "output": "no, because"}
    fault = ready.commit_refused("hook-failed")
    # To see what it says and to try again comes first; to skip it is only said.
    assert fault.hint == f"slip commit -s {ready.call('status')['session']} -m land"
    assert ("--no-verify" in fault.message) is (name != "prepare-commit-msg")


def test_what_a_hook_says_that_passes_is_told(ready: Desk) -> None:
    hook(ready.lab, "pre-commit", "echo 2 warnings; printf '\\033[2Jmore\\n' >&2")
    hook(ready.lab, "post-commit", "echo pushed")
    reply = ready.lab.slip("commit", "-m", "land")
    assert reply.err.decode().splitlines() == [
        "slip: pre-commit: 2 warnings", r"slip: pre-commit: \x1b[2Jmore",
        "slip: post-commit: pushed",
    ]  # fmt: skip
    assert b"warnings" not in reply.out
    ready.begin("work")
    ready.apply(write("b.txt", "1\n"))
    runs = ready.lab.slip_json("commit", "-m", "land").json["hooks"]
    assert [run["output"] for run in runs] == ["2 warnings\n\x1b[2Jmore", "pushed"]


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg"])
def test_no_verify_skips_two(ready: Desk, name: str) -> None:
    hook(ready.lab, name, "exit 1")
    hook(ready.lab, "prepare-commit-msg", 'echo more >> "$1"')
    assert ready.commit("land", no_verify=True)["committed"]
    assert ready.lab.message() == "land\nmore\n"


def test_hooks_write_the_message(ready: Desk) -> None:
    hook(ready.lab, "prepare-commit-msg", 'test "$2" = message && echo "JIRA-1 $(cat "$1")" > "$1"')
    hook(ready.lab, "commit-msg", 'printf "\\nChange-Id: 1\\n\\n\\n" >> "$1"')
    ready.commit("land")
    assert ready.lab.message() == "JIRA-1 land\n\nChange-Id: 1\n"


def test_an_emptied_message_is_refused(ready: Desk) -> None:
    hook(ready.lab, "commit-msg", ': > "$1"')
    refusal_leaves_all(ready)


def test_a_hook_that_takes_all_back_leaves_nothing_to_land(ready: Desk) -> None:
    hook(ready.lab, "pre-commit", "git read-tree HEAD")
    assert ready.commit("land")["committed"] is False
    assert ready.call("status")["steps"] == 1


def test_post_commit_runs_on_what_landed_and_cannot_fail_it(ready: Desk) -> None:
    hook(ready.lab, "post-commit", "git rev-parse HEAD; git status --porcelain; exit 7")
    landed = ready.commit("land")
    assert landed["hooks"] == [
        {"name": "post-commit", "status": "failed", "exit": 7, "output": landed["commit"]}
    ]


def test_dry_run_runs_none(ready: Desk, tmp_path: Path) -> None:
    for name in ALL:
        hook(ready.lab, name, f"touch {tmp_path}/ran")
    assert ready.commit("land", dry_run=True)["dry_run"]
    assert not (tmp_path / "ran").exists()


def test_a_dirty_file_is_told_before_hooks_run(ready: Desk, tmp_path: Path) -> None:
    hook(ready.lab, "pre-commit", f"touch {tmp_path}/ran")
    ready.lab.write("src/app.py", "mine\n")
    refusal_leaves_all(ready, "dirty")
    assert not (tmp_path / "ran").exists()


def test_a_hook_that_is_not_executable_is_none(ready: Desk) -> None:
    hook(ready.lab, "pre-commit", "exit 1")
    (ready.lab.path / ".git/hooks/pre-commit").chmod(0o644)
    assert ready.commit("land")["hooks"] == []


@pytest.mark.parametrize("configured", ["absolute", ".husky/_"])
def test_hooks_of_a_configured_directory(ready: Desk, configured: str, tmp_path: Path) -> None:
    """A relative one is the caller's worktree's, also where it is ignored, as hook managers do."""
    repo = ready.lab
    directory = str(tmp_path / "hooks") if configured == "absolute" else configured
    hook(repo, "pre-commit", "echo found; exit 1", directory)
    repo.git("config", "core.hooksPath", directory)
    assert refusal_leaves_all(ready)["output"] == "found"


# Hooks in configuration ---------------------------------------------------------------------------


def configure(repo: Lab, name: str, command: str, *events: str) -> None:
    repo.git("config", f"hook.{name}.command", command)
    for event in events:
        repo.git("config", "--add", f"hook.{name}.event", event)


def needs_configured_hooks(repo: Lab) -> None:
    if "list" not in repo.git("hook", "-h", expect=None):
        pytest.skip("this git runs no hooks from configuration")


def test_a_git_without_configured_hooks_has_none(ready: Desk) -> None:
    repo = ready.lab
    if "list" in repo.git("hook", "-h", expect=None):
        pytest.skip("this git runs hooks from configuration")
    configure(repo, "no", "exit 1", "pre-commit")
    assert ready.commit("land")["hooks"] == []


def test_configured_hooks_run_as_git_runs_them(ready: Desk, tmp_path: Path) -> None:
    """One hook for many events, several for one, in git's order, files of the directory last."""
    repo = ready.lab
    needs_configured_hooks(repo)
    hand = Lab(tmp_path / "hand")
    repo.git("clone", "--quiet", ".", str(hand.path))
    for lab in (repo, hand):
        configure(lab, "all", "sh -c 'echo all $# >> $WITNESS' hook", *ALL, "pre-push")
        configure(lab, "lint", 'git write-tree >> "$WITNESS"', "post-commit", "pre-commit")
        configure(lab, "off", "exit 1", "pre-commit")
        lab.git("config", "hook.off.enabled", "false")
        hook(lab, "pre-commit", 'echo file >> "$WITNESS"')
    ours, gits = tmp_path / "ours", tmp_path / "gits"
    landed = ready.commit("land", env={"WITNESS": str(ours)})
    hand.write("src/app.py", "x = 1\ny = 3\n")
    hand.write("a.txt", "1\n")
    hand.write("old.txt", None)
    hand.git("add", "-A")
    hand.git("commit", "--quiet", "-m", "land", env={"WITNESS": str(gits)})
    assert ours.read_text() == gits.read_text()
    assert ours.read_text().count("all ") == len(ALL)
    assert [run["name"] for run in landed["hooks"]] == list(ALL)


def test_a_configured_hook_refuses(ready: Desk) -> None:
    needs_configured_hooks(ready.lab)
    configure(ready.lab, "lint", "echo found; exit 1", "pre-commit", "post-merge")
    assert refusal_leaves_all(ready)["output"] == "found"
    ready.lab.git("config", "hook.lint.enabled", "false")
    assert ready.commit("land")["hooks"] == []


def test_hooks_configured_as_git_refuses_them_are_not_passed_over(ready: Desk) -> None:
    needs_configured_hooks(ready.lab)
    ready.lab.git("config", "hook.lint.event", "pre-commit")
    refusal_leaves_all(ready, "git-failed")


def test_no_configured_hook_runs_but_those_of_a_landing(ready: Desk, tmp_path: Path) -> None:
    """Not those of the checkouts, indexes and refs that slip makes for itself."""
    repo = ready.lab
    needs_configured_hooks(repo)
    seen = tmp_path / "seen"
    configure(
        repo, "spy", f"cat >> {seen}; echo ran >> {seen}",
        "post-checkout", "post-index-change", "reference-transaction",
    )  # fmt: skip
    ready.apply(write("b.txt", "2\n"))
    ready.call("flush")
    assert not seen.exists()
    hook(repo, "pre-commit", "exit 0")
    landed = ready.commit("land")
    assert {line.split()[-1] for line in seen.read_text().splitlines()} >= {"refs/heads/main"}
    assert landed["commit"] in seen.read_text()


def test_the_branch_moves_while_a_hook_runs(ready: Desk) -> None:
    """The other commit is kept, and the hook sees the merge before it lands."""
    repo = ready.lab
    hook(
        repo, "pre-commit",
        f"cd {repo.path} && test -e other.txt || {{ unset GIT_INDEX_FILE GIT_DIR;"
        " echo o > other.txt; git add other.txt; git commit -qnm other; }",
    )  # fmt: skip
    landed = ready.commit("land")
    assert landed["merged"]
    assert {"other.txt", "a.txt"} <= set(repo.tree())
    assert repo.git("log", "--format=%s", "-2").split() == ["land", "other"]
    assert repo.git("status", "--porcelain") == "?? mine.txt"


def test_a_slow_hook_locks_nobody_out(ready: Desk, tmp_path: Path, children: Children) -> None:
    """While it runs, another session lands; then it sees the new tree and lands, too."""
    repo = ready.lab
    started, go = tmp_path / "started", tmp_path / "go"
    hook(repo, "pre-commit", f"touch {started}; while ! test -e {go}; do sleep 0.05; done")
    slow = repo.start(children, "commit", "-s", "work", "-m", "slow")
    while not started.exists():
        assert slow.poll() is None
    ready.begin("quick")
    ready.apply(write("q.txt", "q\n"), session="quick")
    assert ready.commit("quick", session="quick", no_verify=True)["committed"]
    go.touch()
    assert slow.wait(60) == 0
    assert repo.git("log", "--format=%s", "-2").split() == ["slow", "quick"]


def test_a_killed_hook_run_leaves_nothing_in_the_way(
    ready: Desk, tmp_path: Path, children: Children
) -> None:
    repo = ready.lab
    started = tmp_path / "started"
    hook(
        repo,
        "pre-commit",
        f"touch .git/x index.lock; : > $GIT_DIR/index.lock; touch {started}; sleep 60",
    )
    before, refs = repo.snapshot(), repo.refs()
    slow = repo.start(children, "commit", "-s", "work", "-m", "slow")
    while not started.exists():
        assert slow.poll() is None
    os.killpg(slow.pid, 9)
    slow.wait()
    assert (repo.snapshot(), repo.refs()) == (before, refs)
    hook(repo, "pre-commit", "git status --porcelain >&2")
    (run,) = ready.commit("land")["hooks"]
    assert run["output"].split("\n") == ["A  a.txt", "D  old.txt", "M  src/app.py"]


def test_reference_transaction_has_its_say(ready: Desk, tmp_path: Path) -> None:
    repo = ready.lab
    seen = tmp_path / "seen"
    hook(repo, "reference-transaction", f'sed "s/^/$1 /" >> {seen}; test ! -e {tmp_path}/veto')
    (tmp_path / "veto").touch()
    refusal_leaves_all(ready)
    (tmp_path / "veto").unlink()
    seen.unlink()
    landed = ready.commit("land")
    moves = [line for line in seen.read_text().splitlines() if "refs/heads/main" in line]
    states = [line.split()[0] for line in moves]
    assert states[-2:] == ["prepared", "committed"]
    assert states[:-2] in ([], ["preparing"])  # which gits from 2.54 on say
    assert all(line.split()[2] == landed["commit"] for line in moves)


def test_bare_and_unborn(desk: Desk, tmp_path: Path) -> None:
    for place, options in ((tmp_path / "bare", ["--bare"]), (tmp_path / "unborn", [])):
        place.mkdir()
        repo = Lab(place)
        repo.git("init", "--quiet", "-b", "main", *options)
        hook(
            repo,
            "pre-commit",
            "cat a.txt; git rev-parse --is-bare-repository",
            "hooks" if options else ".git/hooks",
        )
        there = desk.at(repo)
        there.begin("work")
        there.apply(write("a.txt", "1\n"))
        landed = there.commit("land")
        assert landed["hooks"][0]["output"] == "1\nfalse"
        assert repo.tree() == {"a.txt": b"1\n"}


def test_the_pool_is_nobodys_worktree(ready: Desk) -> None:
    repo = ready.lab
    hook(repo, "pre-commit", "true")
    ready.commit("land")
    assert repo.git("worktree", "list", "--porcelain").count("worktree ") == 1
    subprocess.run(["git", "-C", repo.path, "gc", "--quiet", "--prune=now"], check=True)
    repo.git("worktree", "prune")
    ready.begin("more")
    ready.apply(write("b.txt", "2\n"))
    assert ready.commit("more")["hooks"][0]["status"] == "passed"


def test_a_write_through_a_descriptor_from_before_is_kept_and_told(ready: Desk) -> None:
    """The hook, which runs once the files are placed, is a program that had the old file open."""
    repo = ready.lab
    late = f"for f in {repo.path}/src/.slip-tmp-*; do echo late >> $f; done"
    hook(repo, "reference-transaction", f'test "$1" != committed || {late}')
    landed = ready.commit("land")
    (warning,) = landed["warnings"]
    assert "src/app.py: written to meanwhile; kept as .slip-tmp-" in warning
    kept = next((repo.path / "src").glob(".slip-tmp-*"))
    assert kept.name in warning
    assert kept.read_text().endswith("late\n")
    assert repo.read("src/app.py") == b"x = 1\ny = 3\n"
