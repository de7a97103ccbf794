"""What landing does as git does or does not at all: hooks, filters, encodings, sparse checkouts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slipstream_git.errors import SlipError
from tests.desk import Desk, write
from tests.lab import Lab

HOOK = b'#!/bin/sh\necho ran >> "$GIT_DIR/ran"\nexit 0\n'


def hook(repo: Lab, name: str, content: bytes = HOOK) -> None:
    place = repo.path / ".git/hooks" / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    place.chmod(0o755)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.begin("work")
    desk.apply(write("a.txt", "1\n"), write("b.bin", b"\0\r\n"))
    return desk


def never_done_wrongly(desk: Desk, right: Callable[[], bool]) -> None:
    """The landing is refused as unsupported with nothing moved, or it is right."""
    before, refs = desk.lab.snapshot(), desk.lab.refs()
    try:
        desk.commit("land")
    except SlipError as fault:
        refusal = fault
    else:
        assert right()
        return
    assert refusal.code == "unsupported"
    assert refusal.exit_status == 1
    assert (desk.lab.snapshot(), desk.lab.refs()) == (before, refs)


def test_begin_and_apply_run_no_hooks(desk: Desk) -> None:
    for name in ("pre-commit", "reference-transaction", "post-index-change", "post-checkout"):
        hook(desk.lab, name)
    desk.begin("work")
    desk.apply(write("a", "1"))
    desk.call("undo")
    desk.call("abort")
    assert not (desk.lab.path / ".git/ran").exists()


@pytest.mark.parametrize(
    "attribute", ["filter=upper", "working-tree-encoding=UTF-16", "ident", "eol=crlf"]
)
def test_what_stands_otherwise_in_a_worktree(desk: Desk, attribute: str) -> None:
    """Filters, encodings and line ends are honoured as `git checkout` would, or refused."""
    repo = desk.lab
    repo.commit({".gitattributes": f"*.txt {attribute}\n"})
    repo.git("config", "filter.upper.smudge", "tr a-z A-Z")
    repo.git("config", "filter.upper.clean", "tr A-Z a-z")
    desk.begin("work")
    desk.apply(write("a.txt", "one $Id$\ntwo\n"))

    def as_git_checks_out() -> bool:
        placed = repo.read("a.txt")
        repo.write("a.txt", None)
        repo.git("checkout", "--quiet", "--", "a.txt")
        return placed == repo.read("a.txt") and repo.git("status", "--porcelain") == ""

    never_done_wrongly(desk, as_git_checks_out)


@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_autocrlf(desk: Desk, autocrlf: str) -> None:
    repo = desk.lab
    repo.git("config", "core.autocrlf", autocrlf)
    desk.begin("work")
    desk.apply(write("a.txt", "one\ntwo\n"), write("b.bin", b"\0\n"))
    desk.commit("land")
    assert repo.tree()["a.txt"] == b"one\ntwo\n"
    assert repo.read("a.txt") == (b"one\r\ntwo\r\n" if autocrlf == "true" else b"one\ntwo\n")
    assert repo.read("b.bin") == b"\0\n"
    assert repo.git("status", "--porcelain") == ""


def test_a_captured_file_is_stored_as_git_add_stores_it(desk: Desk) -> None:
    repo = desk.lab
    repo.commit({".gitattributes": "*.txt text\n", "a.txt": "one\n"})
    repo.git("config", "core.autocrlf", "true")
    repo.write("a.txt", b"one\r\ntwo\r\n")
    desk.begin("work", capture=True)
    assert repo.tree("refs/slip/sessions/work")["a.txt"] == b"one\ntwo\n"
    desk.commit("land")
    assert repo.read("a.txt") == b"one\r\ntwo\r\n"
    assert repo.git("status", "--porcelain") == ""


def test_a_sparse_checkout(ready: Desk) -> None:
    repo = ready.lab
    repo.git("sparse-checkout", "set", "--no-cone", "/README.md", "/a.txt")
    assert not (repo.path / "src").exists()
    never_done_wrongly(ready, lambda: repo.git("status", "--porcelain") == "")
    assert not (repo.path / "src").exists()


def test_a_sparse_checkout_does_not_stop_refs_alone(ready: Desk) -> None:
    ready.lab.git("sparse-checkout", "set", "--no-cone", "/README.md")
    assert ready.commit("land", no_checkout=True)["checkout"] == "skipped"


@pytest.mark.parametrize("what", ["sha256", "shallow", "partial"])
def test_odd_repositories(desk: Desk, what: str) -> None:
    place = desk.lab.path.parent / what
    if what == "sha256":
        place.mkdir()
        Lab(place).git("init", "--quiet", "--object-format=sha256")
        desk.at(Lab(place)).refused("unsupported", "begin")
        return
    desk.lab.commit({"b": "1\n"})
    desk.lab.git("config", "uploadpack.allowFilter", "true")
    option = "--depth=1" if what == "shallow" else "--filter=blob:none"
    desk.lab.git("clone", "--quiet", option, f"file://{desk.lab.path}", str(place))
    there = desk.at(Lab(place))
    there.begin("work")
    there.apply(write("a", "1\n"))
    assert there.commit("land")["committed"]
    assert there.lab.git("status", "--porcelain") == ""
