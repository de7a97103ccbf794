"""A hint to ask again: the whole of what was asked, in words that a shell takes as they are."""

from __future__ import annotations

import shlex

import pytest

from slipstream_git.changes import asking
from slipstream_git.changes.messages import Message
from slipstream_git.errors import SlipError
from slipstream_git.operations import registry
from tests.desk import Desk, Free, replace, write
from tests.lab import Lab, typed

HOSTILE = ("a;touch$IFS'pwned", "$(touch${IFS}pwned)", "x|y&z", '`a`"b"')
WHO = "A B <a@example.com>"


def hook(repo: Lab, script: str = "exit 1", name: str = "pre-commit") -> None:
    path = repo.path / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def unhook(repo: Lab) -> None:
    (repo.path / ".git/hooks/pre-commit").unlink()


@pytest.fixture
def staged(desk: Desk) -> Desk:
    """Two sessions without a title, and a branch `dev` to land on."""
    desk.lab.git("branch", "dev")
    for name in ("a", "b"):
        desk.begin(name)
        desk.apply(write(name, "1\n"), session=name)
    return desk


def told(fault: SlipError, name: str) -> str:
    assert fault.hint is not None
    assert name in shlex.split(fault.hint), fault.hint
    return fault.hint


@pytest.mark.parametrize("name", HOSTILE)
def test_a_branch_of_any_name_is_a_word(desk: Desk, name: str) -> None:
    repo = desk.lab
    branch = ("branch", name)
    repo.git(*branch)
    desk.begin("s", onto=name)
    desk.apply(write("f", "1\n"), session="s")
    repo.git("branch", "-D", "--quiet", name)
    told(desk.commit_refused("missing", session="s"), name)
    told(desk.refused("missing", "rebase", session="s"), name)
    repo.git(*branch)
    desk.begin("main", onto="main", title="T")
    desk.apply(replace("README.md", "Demo", "mine"), session="main")
    repo.git("checkout", "--quiet", name)
    repo.commit({"README.md": "# theirs\n"})
    repo.git("checkout", "--quiet", "main")
    told(desk.commit_refused("conflict", session="main", onto=name), name)
    hook(repo)
    again = told(desk.commit_refused("hook-failed", session="s", onto=name), name)
    unhook(repo)
    typed(again, repo.path)
    assert repo.message(name) == "land\n"
    assert not (repo.path / "pwned").exists()


def test_a_branch_to_adopt_is_a_word(desk: Desk) -> None:
    repo = desk.lab
    for name in HOSTILE:
        repo.git("checkout", "--quiet", "-b", name)
        told(desk.refused("usage", "adopt", branch=name), name)
        repo.git("checkout", "--quiet", "main")


# --- the whole of what was asked ------------------------------------------------------------------


def test_a_commit_is_asked_for_again_with_all_that_was_said(staged: Desk) -> None:
    repo = staged.lab
    hook(repo)
    main = repo.oid("main")
    said = ("-m", "hello", "-m", "A body", "--trailer", "Key=Value")
    reply = repo.slip_json(
        "commit", "-s", "a", "--onto", "dev", "--keep", "--author", WHO, "--signoff",
        "--date", "2020-01-01T00:00:00Z", *said, expect=1,
    )  # fmt: skip
    assert reply.error["hint"] == (
        f"slip commit -s a --onto dev --author '{WHO}' --date 2020-01-01T00:00:00Z"
        " --trailer Key=Value --signoff --keep -m hello -m 'A body'"
    )
    unhook(repo)
    typed(reply.error["hint"], repo.path)
    assert repo.oid("main") == main
    assert repo.git("log", "-1", "--format=%an <%ae> %at", "dev") == f"{WHO} 1577836800"
    paragraphs = repo.message("dev").split("\n\n")
    assert paragraphs[:2] == ["hello", "A body"]
    assert paragraphs[2].startswith("Key: Value\nSigned-off-by: ")
    assert "refs/slip/sessions/a" in repo.refs()


@pytest.mark.parametrize("option", ["dry_run", "no_checkout", "no_sync", "merge", "no_verify"])
def test_each_flag_is_said_again(staged: Desk, option: str) -> None:
    staged.begin("c", onto="dev")
    staged.apply(write("c", "1\n"), session="c")
    staged.lab.git("branch", "-D", "--quiet", "dev")
    values: Free = {"session": "c", option: True}
    fault = staged.commit_refused("missing", **values)
    flag = f"--{option.replace('_', '-')}"
    assert fault.hint == f"slip commit -s c --onto dev {flag} -m land"
    fault = staged.commit_refused("missing", check=False, **values)
    assert fault.hint == f"slip commit -s c --onto dev --no-check {flag} -m land"


@pytest.mark.parametrize("name", ["commit", "land", "exec"])
def test_no_option_of_a_landing_is_forgotten(name: str) -> None:
    """Every option of the table is one of `Options`, or said by other means."""
    row = registry.find(name)
    assert row is not None
    otherwise = {"session", "sessions", "all", "atomic", "message_file"}
    # What exec has beside is of the session that stays open.
    exec_only = {"ops", "format", "read", "files", "read_all", "base", "title", "agent", "allow",
                 "deny", "flush", "split", "depth", "label"}  # fmt: skip
    full = asking.Options(
        Message(("m",), None, "a", "d", ("t",), signoff=True, one_date=True),
        "o", check=True, sign=True, no_verify=True, no_checkout=True, keep=True, no_sync=True,
        merge=True, dry_run=True, series=True, each=True, bot_branch="rebase",
        allow_protected=("p",), push="r",
    )  # fmt: skip
    fault = SlipError("locked", "locked")
    asking.hint_again(fault, "s", full)
    words = shlex.split(str(fault.hint))
    for parameter in row.parameters:
        if parameter.name in otherwise | (exec_only if name == "exec" else set()):
            continue
        assert parameter.option in words or parameter.short in words, parameter.name


def test_a_message_from_a_file_is_said_again(staged: Desk) -> None:
    repo = staged.lab
    hook(repo)
    text = b"It's $HOME\n\n| a\nb \xe9 ;\n"
    fault = staged.refused("hook-failed", "commit", session="a", message_file=text)
    unhook(repo)
    typed(fault.hint, repo.path)
    assert repo.git_bytes("log", "-1", "--format=%B", "--encoding=", "main").rstrip() == (
        text.rstrip()
    )


def test_several_are_asked_for_again_with_all_that_was_said(staged: Desk) -> None:
    repo = staged.lab
    hook(repo)
    said = {"message": ("MSG",), "keep": True, "onto": "dev"}
    fault = staged.refused("hook-failed", "land", sessions=("a", "b"), atomic=True, **said)
    assert fault.hint == "slip land a b --atomic --onto dev --keep -m MSG"
    unhook(repo)
    typed(fault.hint, repo.path)
    assert repo.git("log", "--format=%s", "main..dev").splitlines() == ["MSG", "MSG"]
    assert {"refs/slip/sessions/a", "refs/slip/sessions/b"} <= repo.refs().keys()


def test_a_rehearsal_is_asked_for_again_as_one(staged: Desk) -> None:
    repo = staged.lab
    for name in ("c", "d"):
        staged.begin(name, onto="dev")
        staged.apply(write(name, "1\n"), session=name)
    repo.git("branch", "-D", "--quiet", "dev")
    said = {"message": ("it's",), "dry_run": True}
    fault = staged.refused("missing", "land", sessions=("c", "d"), **said)
    assert fault.hint == """slip land c d --onto dev --dry-run -m 'it'"'"'s'"""
    before = repo.refs()
    typed(fault.hint, repo.path)
    assert repo.refs() == before
    for name in ("a", "b"):
        staged.call("abort", session=name)
    fault = staged.refused("missing", "land", all=True, atomic=True, message=("m",))
    assert fault.hint == "slip land --all --atomic --onto dev -m m"


def test_what_lands_one_by_one_keeps_the_rest_of_what_was_said(staged: Desk) -> None:
    for name in ("x", "y"):
        staged.begin(name, title=f"Do {name}")
        staged.apply(replace("README.md", "Demo", name), session=name)
    fault = staged.refused("conflict", "land", sessions=("x", "y"), atomic=True, keep=True)
    assert fault.hint == "slip land x y --keep"


def test_the_branch_of_some_is_landed_on_as_it_was_asked(staged: Desk) -> None:
    staged.begin("x", onto="dev", title="Do x")
    staged.apply(write("x", "1\n"), session="x")
    said = {"message": ("m",), "keep": True, "atomic": True}
    fault = staged.refused("unsupported", "land", sessions=("x", "a"), **said)
    # Named alone, it would land as `m`.
    assert fault.hint == "slip land x --atomic --keep"
    fault = staged.refused("unsupported", "land", sessions=("a", "b", "x"), **said)
    assert fault.hint == "slip land a b --atomic --keep -m m"


def test_what_exec_left_open_lands_as_it_was_asked(desk: Desk) -> None:
    repo = desk.lab
    repo.git("branch", "dev")
    hook(repo)
    values = {"ops": b'[{"op":"write","path":"a","content":"1"}]', "author": WHO, "onto": "dev"}
    fault = desk.refused("hook-failed", "exec", message=("x",), no_checkout=True, **values)
    assert fault.hint == f"slip commit -s s1 --onto dev --author '{WHO}' --no-checkout -m x"
