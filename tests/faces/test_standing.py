"""Hints as they can be typed where the user stands: each is typed, there."""

from __future__ import annotations

from pathlib import Path

import pytest

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
        ("/x", "git commit -m 'a && b'", "git -C /r commit -m 'a && b'"),
        ("/x", "it is 'no command", "it is 'no command"),
    ],
)
def test_placed(here: str, hint: str, placed: str) -> None:
    assert Standing(LAYOUT, here).placed(hint) == placed


def test_a_bare_repository_has_no_root_to_lead_to() -> None:
    bare = Layout("/b.git", "/b.git", None, bare=True, hooks_dir="/b.git/hooks")
    assert Standing(bare, "/b.git/refs").placed("git fsck") == "git fsck"
    assert Standing(bare, "/").placed("git fsck") == "git -C b.git fsck"


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
