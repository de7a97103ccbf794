"""Hints as they can be typed where the user stands: each is typed, there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from slipstream_git import hints
from slipstream_git.faces.standing import Standing
from slipstream_git.gitdb.layout import Layout
from tests.lab import Lab, slip_environment, typed

LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"
LAYOUT = Layout("/r/.git", "/r/.git", "/r", bare=False, hooks_dir="/r/.git/hooks")


@pytest.mark.parametrize(
    ("here", "hint", "placed"),
    [
        ("/r", "git stash push d/f", "git stash push d/f"),
        ("/r/d/e", "git stash push d/f", "git -C ../.. stash push d/f"),
        ("/r/d/e", "slip capture -s s d/f", "slip capture -s s d/f"),
        ("/r/d", "mv -n f f.mine", "(cd .. && mv -n f f.mine)"),
        ("/r/d", "mv -n /x/f /x/f.mine", "mv -n /x/f /x/f.mine"),
        ("/r/d", "git -C /x stash push f", "git -C /x stash push f"),
        ("/r/d", "git config --global a b", "git config --global a b"),
        ("/r/d", "slip abort -s s && slip reopen s", "slip abort -s s && slip reopen s"),
        ("/r/d", "printf x >> .slip.toml", "(cd .. && printf x >> .slip.toml)"),
        ("/r/d", "git diff a b | slip apply -", "(cd .. && git diff a b | slip apply -)"),
        ("/", "slip status -s s", "slip -C r status -s s"),
        ("/x", "slip status -s s", "slip -C /r status -s s"),
        ("/x", "slip -C /r status", "slip -C /r status"),
        ("/rr", "slip abort && slip begin", "(cd /r && slip abort && slip begin)"),
        ("/-x", "slip -C /r status", "slip -C /r status"),
    ],
)
def test_placed(here: str, hint: str, placed: str) -> None:
    assert Standing(LAYOUT, here, lambda: True).placed(hint) == placed


@pytest.mark.parametrize("message", ["|", ";", "&&", "a && b", ">>", "it's", "$HOME", "-x", ""])
def test_what_a_message_holds_is_no_joint(message: str) -> None:
    for program, place in (("git", " -C /r"), ("slip", " -C /r")):
        hint = hints.of(program, "commit", "-m", message)
        placed = Standing(LAYOUT, "/x", lambda: True).placed(hint)
        assert placed == f"{program}{place} commit -m {shlex.quote(message)}"
    inside = hints.of("slip", "commit", "-m", message)
    assert Standing(LAYOUT, "/r/d", lambda: True).placed(inside) == inside


def test_below_the_root_may_be_another_repository() -> None:
    there = Standing(LAYOUT, "/r/vendor", lambda: False)
    assert there.placed("slip capture -s s f") == "slip -C .. capture -s s f"
    both = hints.of("slip", "abort").then(hints.of("slip", "begin", "it's"))
    assert there.placed(both) == """(cd .. && slip abort && slip begin 'it'"'"'s')"""
    outside = Layout("/-r/.git", "/-r/.git", "/-r", bare=False, hooks_dir="/-r/.git/hooks")
    assert Standing(outside, "/", lambda: True).placed("mv a b") == "(cd ./-r && mv a b)"


def test_a_bare_repository_has_no_root_to_lead_to() -> None:
    bare = Layout("/b.git", "/b.git", None, bare=True, hooks_dir="/b.git/hooks")
    assert Standing(bare, "/b.git/refs", lambda: True).placed("git fsck") == "git fsck"
    assert Standing(bare, "/", lambda: True).placed("git fsck") == "git -C b.git fsck"


@pytest.fixture
def staged(repo: Lab) -> Lab:
    """A session that changes `d/f`; standing places are `d` and a directory outside."""
    repo.commit({"d/f": LINES, "d/e/x": "x\n"})
    repo.slip("begin", "s")
    repo.slip("sub", "one", "1", "d/f")
    repo.slip("write", "d/new", stdin=b"2\n")
    return repo


def refused(repo: Lab, cwd: Path, *arguments: str) -> str:
    error = repo.slip_json(*arguments, cwd=cwd, expect=1).error
    assert error["code"] == "dirty"
    hint = error["hint"]
    assert isinstance(hint, str)
    return hint


@pytest.mark.parametrize("directory", ["d", "d/e", ".."])
@pytest.mark.parametrize("case", ["untracked", "staged", "edited"])
def test_what_is_in_the_way_goes_as_it_is_typed(staged: Lab, directory: str, case: str) -> None:
    repo, cwd = staged, staged.path / directory
    outside = ("-C", str(repo.path)) if directory == ".." else ()
    if case == "untracked":
        repo.write("d/new", "mine\n")
    else:
        repo.write("d/f", LINES.replace("nine", "9"))
    if case == "staged":
        repo.git("add", "d/f")
        repo.write("d/f", LINES)
    hint = refused(repo, cwd, *outside, "commit", "-m", "land")
    told = repo.slip_json(*outside, "status", cwd=cwd).json
    assert told["refusal"]["hint"] == hint
    assert repo.slip(*outside, "status", cwd=cwd).text.endswith(f"try: {hint}\n")
    typed(hint, cwd)
    repo.slip(*outside, "commit", "-m", "land", cwd=cwd)


def test_hints_of_several_refusals(staged: Lab) -> None:
    repo, cwd = staged, staged.path / "d"
    repo.slip("begin", "other", "--title", "Other")
    repo.slip("write", "-s", "other", "d/g", stdin=b"g\n")
    repo.write("d/new", "mine\n")
    error = repo.slip_json("land", "s", "other", "-m", "land", cwd=cwd, expect=1).error
    (row,) = error["data"]["refused"]
    assert row["hint"] == error["hint"] == "(cd .. && mv -n d/new d/new.mine)"
    typed(error["hint"], cwd)
    repo.slip("land", "s", "-m", "land", cwd=cwd)


def test_the_same_command_with_a_session(repo: Lab) -> None:
    for name in ("log", "two"):
        repo.slip("begin", name)
    error = repo.slip_json("-C", ".", "log", expect=1).error
    assert error["hint"] == "slip --json -C . log -s log"
    typed(error["hint"], repo.path)
    said = repo.slip("run", "--", "echo", "run", expect=1).err.decode()
    assert said.endswith("try: slip run -s log -- echo run\n")
    assert "-s log" in repo.slip("undo", expect=1, env=slip_environment()).err.decode()


@pytest.mark.parametrize("kind", ["nested", "submodule", "linked"])
def test_a_hint_is_for_the_repository_that_was_asked(
    staged: Lab, tmp_path: Path, kind: str
) -> None:
    """A session of the same name lies where the user stands, and what was said was `-C ..`."""
    repo, vendor = staged, staged.path / "vendor"
    if kind == "nested":
        repo.git("clone", "-q", str(repo.path), str(vendor))
    elif kind == "linked":
        repo.git("worktree", "add", "-q", "--detach", str(vendor))
    else:
        repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "origin"))
        allowed = ("-c", "protocol.file.allow=always")
        repo.git(*allowed, "submodule", "--quiet", "add", str(tmp_path / "origin"), "vendor")
        repo.git("reset", "-q")
    if kind != "linked":
        repo.slip("-C", "vendor", "begin", "s")
    repo.write("d/f", LINES.replace("nine", "9"))
    (vendor / "d/f").write_text(LINES.replace("five", "5"))
    hint = refused(repo, vendor, "-C", "..", "commit", "-s", "s", "-m", "x")
    assert hint == "slip -C .. capture -s s d/f"
    typed(hint, vendor)
    assert b"9" in repo.git_bytes("show", "refs/slip/sessions/s:d/f")
    if kind != "linked":
        assert repo.slip("-C", "vendor", "diff", "-s", "s").text == ""


def test_a_place_that_is_another_repository_without_a_place_said(staged: Lab) -> None:
    """GIT_DIR names the repository; without it, the hint would mean the one that lies here."""
    repo = staged
    repo.git("clone", "-q", str(repo.path), str(repo.path / "vendor"))
    repo.write("d/f", LINES.replace("nine", "9"))
    env = slip_environment() | {"GIT_DIR": f"{repo.path}/.git", "GIT_WORK_TREE": str(repo.path)}
    said = repo.slip(
        "commit", "-s", "s", "-m", "x", cwd=repo.path / "vendor", env=env, expect=1
    ).err.decode()
    # Whoever types it has GIT_DIR too, and stands in the same worktree.
    assert said.endswith("try: slip capture -s s d/f\n")


@pytest.mark.parametrize("message", ["|", ";", "&&"])
def test_a_refusal_is_told_whatever_the_message(staged: Lab, message: str) -> None:
    repo = staged
    hook = repo.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    error = repo.slip_json("commit", "-m", message, cwd=repo.path / "d", expect=1).error
    assert error["code"] == "hook-failed"
    assert error["hint"] == f"slip commit -s s -m {shlex.quote(message)}"
    hook.write_text("#!/bin/sh\n")
    typed(error["hint"], repo.path / "d")
    assert repo.message() == f"{message}\n"
