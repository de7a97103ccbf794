"""Every error code over MCP: its shape, and its hint, which is called as it stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from slipstream_git import errors
from slipstream_git.faces.mcp import tools
from slipstream_git.faces.mcp.calls import Desk, Reply
from slipstream_git.faces.mcp.watching import Watcher
from slipstream_git.operations.serving import Hosting
from tests.lab import Lab, Script

Free: TypeAlias = Any
# Said of one op of several; what interrupts a call has nobody who hears; no bug is known.
NEVER_ALONE = {"not-tried", "interrupted", "bug"}
CASES: dict[str, Callable[[Bench], Reply]] = {}


class Bench:
    """A repository with one open session, and calls in this process."""

    def __init__(self, repo: Lab) -> None:
        self.repo = repo
        self.desk = Desk(Hosting(str(repo.path), None, "default"), os.environ, None)
        self.did("slip_begin", name="work")

    def ask(self, tool: str, **given: Free) -> Reply:
        return self.desk.answer(tool, given, Watcher(lambda _done, _of, _what: None))

    def did(self, tool: str, **given: Free) -> dict[str, Any]:
        reply = self.ask(tool, **given)
        assert not reply.is_error, reply
        return reply.told

    def apply(self, *ops: Free, **given: Free) -> Reply:
        return self.ask("slip_apply", ops=list(ops), **given)

    def more(self, op: str, /, **args: Free) -> Reply:
        return self.ask("slip_more", op=op, args=args)

    def landing(self) -> Reply:
        """A landing of one edit."""
        self.did("slip_apply", ops=[replaced("return 1", "return 2")])
        return self.ask("slip_commit", message=["m"])

    def configured(self, text: str) -> None:
        self.repo.commit({".slip.toml": text}, "settings")


def replaced(old: str, new: str, path: str = "src/app.py") -> dict[str, Any]:
    return {"op": "str_replace", "path": path, "old": old, "new": new}


def written(path: str, content: str, **more: Free) -> dict[str, Any]:
    return {"op": "write", "path": path, "content": content, **more}


def case(code: str) -> Callable[[Callable[[Bench], Reply]], Callable[[Bench], Reply]]:
    def kept(make: Callable[[Bench], Reply]) -> Callable[[Bench], Reply]:
        CASES[code] = make
        return make

    return kept


@pytest.fixture
def bench(repo: Lab) -> Iterator[Bench]:
    made = Bench(repo)
    yield made
    made.desk.close()


@case("no-match")
def no_match(bench: Bench) -> Reply:
    return bench.apply(replaced("return 7", "return 2"))


@case("ambiguous")
def ambiguous(bench: Bench) -> Reply:
    bench.did("slip_apply", ops=[written("t", "x\nx\n")])
    return bench.apply(replaced("x", "y", "t"))


@case("stale")
def stale(bench: Bench) -> Reply:
    return bench.apply(written("README.md", "x\n", oid="0" * 40))


@case("exists")
def exists(bench: Bench) -> Reply:
    return bench.apply(written("README.md", "x\n", create="only"))


@case("missing")
def missing(bench: Bench) -> Reply:
    return bench.ask("sp_lines", path="nope.py")


@case("path-denied")
def path_denied(bench: Bench) -> Reply:
    bench.did("slip_begin", name="narrow", allow=["docs/**"])
    return bench.apply(written("x", "x\n"), session="narrow")


@case("bad-path")
def bad_path(bench: Bench) -> Reply:
    return bench.apply(written(".git/config", "x\n"))


@case("too-large")
def too_large(bench: Bench) -> Reply:
    bench.repo.git("config", "slip.maxBatchBytes", "9")
    return bench.apply(written("x", "x" * 99))


@case("binary")
def binary(bench: Bench) -> Reply:
    bench.did("slip_apply", ops=[{"op": "write", "path": "b", "content_b64": "AAEC"}])
    return bench.apply(replaced("nope", "x", "b"))


@case("dirty")
def dirty(bench: Bench) -> Reply:
    bench.repo.write("src/app.py", "mine\n")
    return bench.landing()


@case("session-missing")
def session_missing(bench: Bench) -> Reply:
    return bench.ask("slip_status", session="gone")


@case("session-exists")
def session_exists(bench: Bench) -> Reply:
    return bench.ask("slip_begin", name="work")


@case("session-required")
def session_required(bench: Bench) -> Reply:
    bench.did("slip_begin", name="other")
    return bench.ask("slip_status")


@case("unsupported")
def unsupported(bench: Bench) -> Reply:
    bench.repo.git("symlink", expect=None)
    bench.did("slip_apply", ops=[{"op": "symlink", "path": "l", "target": "README.md"}])
    return bench.apply(replaced("a", "b", "l"))


@case("git-failed")
def git_failed(bench: Bench) -> Reply:
    bench.repo.git("config", "user.useConfigOnly", "true")
    bench.repo.git("config", "commit.gpgSign", "true")
    bench.repo.git("config", "gpg.program", "/nowhere/gpg")
    return bench.landing()


@case("hook-failed")
def hook_failed(bench: Bench) -> Reply:
    bench.repo.write(".git/hooks/pre-commit", Script(b"#!/bin/sh\nexit 1\n"))
    return bench.landing()


@case("policy")
def policy(bench: Bench) -> Reply:
    bench.configured('[policy]\nprotected = ["src/**"]\n')
    bench.did("slip_begin", name="other")
    return bench.apply(replaced("return 1", "return 2"), session="other")


@case("secret")
def secret(bench: Bench) -> Reply:
    return bench.ask("sp_remember", text="ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8")


@case("quota")
def quota(bench: Bench) -> Reply:
    bench.repo.git("config", "slip.quota", "1")
    return bench.apply(written("x", "x\n"))


@case("locked")
def locked(bench: Bench) -> Reply:
    (bench.repo.path / ".git/refs/heads/main.lock").write_text("")
    reply = bench.landing()
    (bench.repo.path / ".git/refs/heads/main.lock").unlink()
    return reply


@case("out-of-range")
def out_of_range(bench: Bench) -> Reply:
    return bench.ask("sp_lines", path="README.md", start=99)


@case("batch")
def batch(bench: Bench) -> Reply:
    return bench.apply(replaced("nope", "x"), written(".git/x", "x"))


@case("usage")
def usage(bench: Bench) -> Reply:
    return bench.ask("sp_search", pattern="x", fixed=True, regex=True)


@case("bad-op")
def bad_op(bench: Bench) -> Reply:
    return bench.apply({"op": "wite"})


@case("bad-json")
def bad_json(bench: Bench) -> Reply:
    return bench.more("apply", ops="[", format="json")


@case("bad-patch")
def bad_patch(bench: Bench) -> Reply:
    return bench.apply({"op": "patch", "diff": "no diff\n"})


@case("bad-name")
def bad_name(bench: Bench) -> Reply:
    return bench.ask("slip_begin", name="a b")


@case("conflict")
def conflict(bench: Bench) -> Reply:
    bench.repo.commit({"src/app.py": "def main():\n    return 3\n"}, "meanwhile")
    return bench.landing()


@case("gate-failed")
def gate_failed(bench: Bench) -> Reply:
    bench.configured('[gate.red]\nrun = "exit 1"\n')
    return bench.landing()


def follow(bench: Bench, hint: dict[str, Any]) -> Reply:
    reply = bench.ask(hint["tool"], **hint["arguments"])
    return follow(bench, hint["then"]) if "then" in hint and not reply.is_error else reply


def test_every_code_has_its_case() -> None:
    unseen = set(errors.EXIT_STATUS) - set(CASES) - NEVER_ALONE
    # What only a race or a broken repository brings about; their hints are read off the source.
    assert unseen == {"ref-moved", "encoding"}


@pytest.mark.parametrize("code", CASES)
def test_a_code_s_hint_is_a_call(bench: Bench, code: str) -> None:
    reply = CASES[code](bench)
    assert reply.is_error
    assert set(reply.told) <= {"ok", "error", "repo"}
    error = reply.told["error"]
    assert error["code"] == code, error
    assert set(error) - {"shell"} == {"code", "message", "hint", "data"}
    assert reply.text.startswith(f"{code}: ")
    hint = error["hint"]
    if hint is None:
        return
    assert hint["tool"] in tools.listed("default") or hint["tool"] == tools.MORE
    assert f"try: {hint['tool']} " in reply.text
    followed = follow(bench, hint)
    if followed.is_error:
        after = followed.told["error"]
        # What it is refused for is the state that it meets, never how it was asked for.
        assert after["code"] not in ("usage", "bug", "bad-json", "bad-op"), (hint, after)
