"""`slip check`: gates on a session's tree, what they said noted on it, and asked once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slipstream_git.changes import settings
from slipstream_git.changes.gating import surroundings, verdictnotes
from slipstream_git.changes.gating.surroundings import programs
from slipstream_git.errors import SlipError
from slipstream_git.workspace import open_workspace
from tests.children import Children
from tests.desk import Desk, Free, Json, delete, replace, write
from tests.gates import COUNTED, gates, times
from tests.lab import Ground, Lab, Script, slip_environment
from tests.text import secret_corpus as corpus

BUILT_IN = ("conflict-markers", "secrets", "oversize", "syntax")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def ready(desk: Desk, text: str, *ops: Json) -> Desk:
    """A project with this `.slip.toml`, and a session on it."""
    desk.lab.commit({".slip.toml": text, "f": "one\n", ".gitignore": "*.o\n"})
    desk.begin("s")
    desk.apply(*ops or (write("new", "n\n"),), session="s")
    return desk


def gated(answer: Mapping[str, Any]) -> list[Json]:
    """The rows of gates that `.slip.toml` defines."""
    return [row for row in answer["gates"] if row["name"] not in BUILT_IN]


def rows(answer: Mapping[str, Any]) -> dict[str, tuple[str, bool]]:
    """Status, and whether it was known, of each gate."""
    return {row["name"]: (row["status"], row["cached"]) for row in gated(answer)}


def listed(fault: SlipError) -> list[Json]:
    return gated(fault.data)


def red(desk: Desk, **values: Free) -> Json:
    """What a check has for data that is refused."""
    fault = desk.refused("gate-failed", "check", **values)
    assert fault.exit_status == 4
    data: Json = fault.data
    return data


# What is told ------------------------------------------------------------------------------------


def test_green_and_known_the_next_time(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED + "; cat f new; echo err >&2", b="true"))
    before, refs = desk.lab.snapshot(), desk.lab.refs("refs/slip/")
    answer = desk.call("check")
    tree = desk.call("status")["tree"]
    assert (answer["session"], answer["tree"]) == ("s", tree)
    assert rows(answer) == {"a": ("green", False), "b": ("green", False)}
    first = gated(answer)[0]
    assert (first["exit"], first["tail"]) == (0, "one\nn\nerr")
    assert list(first) == ["name", "status", "cached", "seconds", "exit", "tail"]
    again = desk.call("check")
    assert rows(again) == {"a": ("green", True), "b": ("green", True)}
    assert [row | {"cached": False} for row in gated(again)] == gated(answer)
    assert times(runs) == 1
    assert (desk.lab.snapshot(), desk.lab.refs("refs/slip/")) == (before, refs)


def test_red_is_told_with_its_end_and_known_too(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a="true", b=COUNTED, c="exit 3"), write("bad", "x\n"))
    fault = desk.refused("gate-failed", "check")
    assert fault.message == "gate b is red (and c): found bad"
    assert fault.hint is not None
    assert fault.hint.commands == (("slip", "run", "-s", "s", "--", "sh", "-c", COUNTED),)
    assert fault.data["session"] == "s"
    assert rows(fault.data) == {"a": ("green", False), "b": ("red", False), "c": ("red", False)}
    again = desk.refused("gate-failed", "check")
    assert again.message == "gate b was red on this tree before (and c): found bad"
    assert rows(again.data) == {"a": ("green", True), "b": ("red", True), "c": ("red", True)}
    assert [row["exit"] for row in listed(again)] == [0, 1, 3]
    assert times(runs) == 1
    desk.apply(delete("bad"), write("c", "x\n"))
    assert rows(red(desk))["b"] == ("green", False)


def test_the_command_line(repo: Lab) -> None:
    ready(Desk(repo, "git"), gates(a="printf '\\033[2Jred\\n\\nend\\n\\n'; exit 1", b="true"))
    reply = repo.slip("check", expect=4)
    assert reply.out == b""
    said = reply.err.decode().splitlines()
    assert said[0] == "slip: gate-failed: gate a is red: end"
    at = next(n for n, line in enumerate(said) if line.startswith("  gate a: red, "))
    assert said[at + 1 : at + 4] == ["    \\x1b[2Jred", "    ", "    end"]
    assert said[at + 4].startswith("  gate b: green, ")
    assert said[-1].startswith("try: slip run -s s -- sh -c ")
    assert gated(repo.slip_json("check", expect=4).error["data"])[0]["exit"] == 1
    reply = repo.slip("check", "--gate", "b")
    assert reply.text.splitlines()[-1] == "gate b: green, as noted before"
    assert reply.err == b""
    assert gated(repo.slip_json("check", "--gate", "b").json)[0]["cached"] is True


def test_only_those_that_are_named(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED, b="true", c="true"))
    assert list(rows(desk.call("check", gate=("c", "b")))) == ["b", "c"]
    assert times(runs) == 0
    fault = desk.refused("usage", "check", gate=("b", "d"))
    assert "no gate 'd'" in fault.message
    assert fault.message.endswith("a, b, c")


def test_no_gates(desk: Desk) -> None:
    desk.begin("s")
    assert gated(desk.call("check")) == []
    assert "no gate 'a'" in desk.refused("usage", "check", gate=("a",)).message


def test_they_are_read_from_the_commit_landed_on(desk: Desk) -> None:
    repo = desk.lab
    desk.begin("old")
    desk.apply(write("x", "x\n"))
    ready(desk, gates(a="exit 1"), write(".slip.toml", gates(a="true")))
    assert rows(red(desk, session="s")) == {"a": ("red", False)}
    # A base older than the gates dodges nothing.
    assert rows(red(desk, session="old")) == {"a": ("red", False)}
    # A branch that is not there yet: the session's base.
    repo.git("branch", "side")
    desk.begin("new", onto="feature")
    desk.apply(write(".slip.toml", ""), session="new")
    assert rows(red(desk, session="new")) == {"a": ("red", False)}
    repo.commit({".slip.toml": gates(b="true")})
    assert rows(desk.call("check", session="s")) == {"b": ("green", False)}


def test_paths_that_did_not_change_skip_it(desk: Desk, runs: Path) -> None:
    text = gates(a=COUNTED) + 'paths = ["src/**", "!src/doc/**"]\n'
    ready(desk, text, write("f", "two\n"), write("src/doc/x", "x\n"))
    answer = desk.call("check")
    assert rows(answer) == {"a": ("skipped", False)}
    assert (gated(answer)[0]["exit"], times(runs)) == (None, 0)
    desk.apply(delete("src/app.py"))
    assert rows(desk.call("check")) == {"a": ("green", False)}


# What it runs in ---------------------------------------------------------------------------------


def test_it_sees_the_tree_and_what_the_pool_shares(desk: Desk) -> None:
    repo = desk.lab
    repo.write("tools/t", Script(b"#!/bin/sh\necho tool\n"))
    run = "tools/t; cat f; git status --short; git diff HEAD --name-only; git log --format=%s -1"
    ready(desk, gates(a=run) + '[pool]\nshare = ["tools"]\nsetup = "echo set > up.o"\n')
    repo.git("tag", "-m", "one", "v1")
    desk.apply(replace("f", "one", "two"))
    repo.write("f", "mine\n")
    answer = desk.call("check")
    assert gated(answer)[0]["tail"] == "tool\ntwo\nM  f\nA  new\nf\nnew\nwork"


def test_what_it_writes_reaches_nobody(desk: Desk) -> None:
    """Neither the repository nor the next gate; what is ignored stays for the next run."""
    run = (
        "git commit -qam mine; git tag t; git branch -f main; git config user.name me; git gc -q;"
        "git update-ref -d refs/heads/main; git stash -q; echo 2 > f; echo x > left; echo o > c.o;"
        'test -z "$(git -C . worktree list | sed 1d)"; slip=1; exit 0'
    )
    ready(desk, gates(a=run, b="test ! -e left; grep one f; cat c.o"))
    repo = desk.lab
    before, refs = repo.snapshot(), repo.refs("refs/slip/")
    answer = desk.call("check")
    assert rows(answer) == {"a": ("green", False), "b": ("green", False)}
    assert gated(answer)[1]["tail"] == "one\no"
    assert (repo.snapshot(), repo.refs("refs/slip/")) == (before, refs)
    assert repo.git("config", "user.name") != "me"


def test_history_and_tags_are_there(desk: Desk) -> None:
    ready(desk, gates(a="git describe --tags; git rev-parse --abbrev-ref HEAD; git branch"))
    desk.lab.git("tag", "v1")
    assert gated(desk.call("check"))[0]["tail"] == "v1\nHEAD\n* (no branch)\n  main"


def test_every_sort_of_repository(ground: Ground, store: str) -> None:
    bare = ready(Desk(ground.bare(), store), gates(a="git log --oneline | wc -l; cat new"))
    assert gated(bare.call("check"))[0]["tail"].split() == ["2", "n"]
    detached = Desk(ground.detached(), store)
    ready(detached, gates(a="cat new"))
    assert rows(detached.call("check")) == {"a": ("green", False)}
    linked = Desk(ground.linked(ground.repository("main")), store)
    ready(linked, gates(a="git status --short"))
    assert gated(linked.call("check"))[0]["tail"] == "A  new"
    unborn = Desk(ground.unborn(), store)
    unborn.begin("s")
    assert gated(unborn.call("check")) == []


def test_the_environment_is_the_callers_less_gits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "mine")
    monkeypatch.setenv("GIT_DIR", str(desk.lab.git_dir))
    monkeypatch.setenv("GIT_INDEX_FILE", "nowhere")
    ready_text = gates(a="echo $MINE ${GIT_DIR-none} ${GIT_INDEX_FILE-none}; cat")
    monkeypatch.delenv("GIT_INDEX_FILE")
    ready(desk, ready_text)
    monkeypatch.setenv("GIT_INDEX_FILE", "nowhere")
    assert gated(desk.call("check"))[0]["tail"] == "mine none none"


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "code", "reason"),
    [
        ("nosuch-program", 127, "a command was not found"),
        ("./f", 126, "it could not be executed"),
        ("kill -KILL $$", 137, "it was ended from outside, by SIGKILL"),
        ("sh -c 'kill -TERM $$'; exit $?", 143, "it was ended from outside, by SIGTERM"),
        ("sleep 600", None, "it was ended after 1 s"),
    ],
)
def test_what_could_not_run_is_red_and_not_kept(
    desk: Desk, run: str, code: int | None, reason: str
) -> None:
    ready(desk, gates(a="echo said; " + run) + "timeout_s = 1\n")
    for _ in range(2):
        fault = desk.refused("gate-failed", "check")
        [row] = listed(fault)
        assert (row["status"], row["cached"]) == ("error", False)
        assert (row["exit"], row["reason"]) == (code, reason)
        assert fault.message.startswith(f"gate a is red: {reason}; ")
    assert desk.lab.refs("refs/notes/") == {}


def test_what_dies_by_itself_is_red(desk: Desk) -> None:
    ready(desk, gates(a="kill -SEGV $$"))
    assert rows(red(desk)) == {"a": ("red", False)}
    [row] = gated(red(desk))
    assert (row["exit"], row["cached"]) == (139, True)


def test_a_set_up_that_fails_is_an_error(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED) + '[pool]\nsetup = "echo no; exit 1"\n')
    [row] = gated(red(desk))
    assert (row["status"], row["tail"], times(runs)) == ("error", "no", 0)
    assert "[pool] setup of .slip.toml failed" in row["reason"]


# Verdicts ----------------------------------------------------------------------------------------


def lines(lab: Lab, tree: str) -> list[Json]:
    return [
        json.loads(line) for line in lab.git("notes", "--ref=slip/gates", "show", tree).split("\n")
    ]


def test_a_verdict_is_a_note_on_the_tree(desk: Desk) -> None:
    ready(desk, gates(a="echo said"))
    tree = desk.call("check")["tree"]
    [line] = lines(desk.lab, tree)
    assert list(line) == ["gate", "key", "status", "exit", "seconds", "tail", "time"]
    assert (line["gate"], line["status"], line["exit"], line["tail"]) == ("a", "green", 0, "said")
    assert desk.lab.git("cat-file", "-t", tree) == "tree"


def test_a_credential_is_neither_told_nor_noted(desk: Desk) -> None:
    token = "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"
    ready(desk, gates(a=f'echo before; echo token {token[:8]}""{token[8:]}; echo after'))
    answer = desk.call("check")
    tail = gated(answer)[0]["tail"]
    assert tail.startswith("before\ntoken ")
    assert tail.endswith("\nafter")
    assert token not in tail
    assert token not in desk.lab.git("notes", "--ref=slip/gates", "show", answer["tree"])


def test_no_login_of_a_url_is_told(desk: Desk) -> None:
    ready(desk, gates(a="echo https://x:hunter2@corp.example/a ftp://bob:horse@b.example/"))
    assert gated(desk.call("check"))[0]["tail"] == "https://corp.example/a ftp://b.example/"


def test_the_newest_counts(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a="echo run >> $RUNS; exit $(($(wc -l < $RUNS) % 2))"))
    tree = red(desk)["tree"]
    assert rows(red(desk)) == {"a": ("red", True)}
    assert rows(desk.call("check", rerun=True)) == {"a": ("green", False)}
    assert rows(desk.call("check")) == {"a": ("green", True)}
    assert rows(red(desk, rerun=True)) == {"a": ("red", False)}
    assert rows(red(desk)) == {"a": ("red", True)}
    found = lines(desk.lab, str(tree))
    assert [line["status"] for line in found] == ["red", "green", "red"]
    assert [line["time"] - found[0]["time"] for line in found] == [0, 1, 2]
    # The order in which they stand after a merge of two notes is not that of time.
    note = desk.lab.git("notes", "--ref=slip/gates", "show", str(tree)).split("\n")
    for order in ([2, 0, 1], [1, 2, 0]):
        text = "\n".join(note[number] for number in order)
        desk.lab.git("notes", "--ref=slip/gates", "add", "-f", "-m", text, str(tree))
        assert rows(red(desk)) == {"a": ("red", True)}


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", "x", '{"gate":"a"}', "\\xff", '{"gate":"a","key":KEY,"status":"error"}',
     '{"gate":"a","key":KEY,"status":"green","exit":"0","seconds":1,"tail":"","time":9999999999}',
     '{"gate":"a","key":KEY,"status":"green","exit":0,"seconds":true,"tail":"","time":9999999999}'],
)  # fmt: skip
def test_what_is_no_verdict_is_passed_by(desk: Desk, line: str) -> None:
    ready(desk, gates(a="exit 1"))
    tree = str(red(desk)["tree"])
    key = lines(desk.lab, tree)[0]["key"]
    said = line.replace("KEY", json.dumps(key)).encode().replace(b"\\xff", b"\xff")
    desk.lab.git("notes", "--ref=slip/gates", "append", "-F", "-", tree, stdin=said + b"\n")
    assert rows(red(desk)) == {"a": ("red", True)}


def test_two_machines_merge_their_verdicts(desk: Desk, runs: Path) -> None:
    repo = desk.lab
    ready(desk, gates(a=COUNTED))
    desk.call("check")
    mine = repo.oid("refs/notes/slip/gates")
    repo.git("update-ref", "-d", "refs/notes/slip/gates")
    desk.apply(write("other", "x\n"))
    desk.call("check")
    theirs = repo.oid("refs/notes/slip/gates")
    repo.git("update-ref", "refs/notes/theirs", mine)
    repo.git("notes", "--ref=slip/gates", "merge", "-s", "cat_sort_uniq", "refs/notes/theirs")
    assert repo.oid("refs/notes/slip/gates") not in (mine, theirs)
    assert rows(desk.call("check")) == {"a": ("green", True)}
    desk.call("undo")
    assert rows(desk.call("check")) == {"a": ("green", True)}
    assert times(runs) == 2


def test_who_cannot_note_it_says_it_all_the_same(repo: Lab) -> None:
    ready(Desk(repo, "git"), gates(a="true"))
    (repo.git_dir / "refs/notes/slip").mkdir(parents=True)
    (repo.git_dir / "refs/notes/slip/gates.lock").touch()
    os.utime(repo.git_dir / "refs/notes/slip/gates.lock", (2e9, 2e9))
    (repo.git_dir / "refs/notes/slip/gates").mkdir()
    (repo.git_dir / "refs/notes/slip/gates/x").write_text(repo.oid("HEAD") + "\n")
    reply = repo.slip_json("check")
    assert gated(reply.json)[0]["status"] == "green"
    assert b"could not be noted" in reply.err


# What a verdict depends on -----------------------------------------------------------------------


def key_of(lab: Lab, text: str, **env: str) -> str:
    """The key of gate a of this `.slip.toml` on HEAD's tree."""
    head = lab.commit({".slip.toml": text})
    ws = open_workspace(str(lab.path), os.environ | env, in_process=False)
    with ws.repository:
        found = settings.at(ws.repository, head)
        # The same tree for all, so that keys alone are compared.
        tree = lab.oid("refs/tags/same^{tree}")
        return surroundings.key(ws, found.gates[0], found.pool, tree)


def test_a_key_is_of_the_command_and_not_of_its_limits(repo: Lab) -> None:
    repo.git("tag", "same")
    same = key_of(repo, gates(a="true"))
    assert key_of(repo, gates(a="true", b="false")) == same
    assert key_of(repo, gates(a="true") + 'timeout_s = 5\npaths = ["src"]\n') == same
    others = [
        key_of(repo, gates(a="false")),
        key_of(repo, gates(b="true")),
        key_of(repo, gates(a="true") + '[pool]\nsetup = "true"\n'),
        key_of(repo, gates(a="true") + '[pool]\nshare = ["x"]\n'),
        key_of(repo, gates(a="true") + 'versions = ["echo 1"]\n'),
        key_of(repo, gates(a="true") + 'versions = ["echo 2"]\n'),
        key_of(repo, gates(a="true") + 'versions = ["echo 2; exit 1"]\n'),
        # More than is kept of what a gate prints.
        key_of(repo, gates(a="true") + 'versions = ["echo 1; seq 9999"]\n'),
        key_of(repo, gates(a="true") + 'versions = ["echo 2; seq 9999"]\n'),
        key_of(repo, gates(a="true") + 'variables = ["CI"]\n'),
        key_of(repo, gates(a="true") + 'variables = ["CI"]\n', CI="1"),
        key_of(repo, gates(a="true") + 'files = ["nosuch"]\n'),
        key_of(repo, gates(a="true") + 'files = [".git/HEAD"]\n'),
    ]
    assert len({same, *others}) == len(others) + 1


def test_another_program_of_that_name_is_another_key(repo: Lab, tmp_path: Path) -> None:
    repo.git("tag", "same")
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    (tmp_path / "bin").mkdir()
    tool, interpreter = tmp_path / "bin/tool", tmp_path / "bin/runs"
    seen = [key_of(repo, gates(a="X=1 tool -q | cat"), PATH=path)]
    for place, text in (
        (tool, f"#!{interpreter}\n1\n"),
        (interpreter, "#!/usr/bin/env -S runs2 -x\n"),
        (tmp_path / "bin/runs2", "#!/bin/sh\n"),
        (tmp_path / "bin/runs2", "#!/bin/sh -e\n"),
        (interpreter, "#!/usr/bin/env -S runs2 -y\n"),
        (tool, f"#!{interpreter}\n2\n"),
    ):
        place.write_text(text)
        place.chmod(0o755)
        seen.append(key_of(repo, gates(a="X=1 tool -q | cat"), PATH=path))
    assert len(set(seen)) == len(seen)
    # The same things elsewhere are the same.
    tool.write_text("#!/bin/sh\n2\n")
    here = key_of(repo, gates(a="tool"), PATH=path)
    (tmp_path / "bin").rename(tmp_path / "other")
    there = f"{tmp_path}/other:{os.environ['PATH']}"
    assert key_of(repo, gates(a="tool"), PATH=there) == here


def test_a_program_of_the_tree_counts_by_what_interprets_it(repo: Lab, tmp_path: Path) -> None:
    repo.commit({"check.x": Script(f"#!{tmp_path}/runs\n".encode())})
    repo.git("tag", "same")
    before = key_of(repo, gates(a="./check.x"))
    (tmp_path / "runs").write_text("1")
    assert key_of(repo, gates(a="./check.x")) != before


def test_programs_are_found_in_a_command() -> None:
    found = surroundings.programs
    assert found("pytest -q") == ["pytest"]
    assert found("cd x && A=1 make test; ! (lint | tee log) & exec env B=2 go vet") == [
        "cd", "make", "lint", "tee", "go",
    ]  # fmt: skip
    assert found("if test -e x\nthen './a b' >x 2>&1\nfi") == ["test", "./a b", "fi"]
    assert found('$TOOL x; `which y`; echo "a;b"') == ["echo"]
    assert found("echo 'open") == ["echo"]


def test_what_is_no_file_among_the_files_is_refused(desk: Desk, tmp_path: Path) -> None:
    """And not waited for: what nobody writes to, what never ends, what is too long to read."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(surroundings.MOST_FILE_BYTES + 1)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    odd = {
        str(tmp_path): "is a directory",
        "/dev/zero": "is no regular file",
        "/dev/tty": "is no regular file",
        f"{tmp_path}/fifo": "is no regular file",
        f"{tmp_path}/link": "is no regular file",
        f"{tmp_path}/socket": "is no regular file",
        f"{tmp_path}/huge": "has 1073741825 bytes",
    }
    ready(desk, "")
    for name, said in odd.items():
        desk.lab.commit({".slip.toml": gates(a="true") + f'files = ["{name}"]\n'})
        for fault in (desk.refused("policy", "check"), desk.commit_refused("policy")):
            assert f"[gate.a] files: {name} {said}" in fault.message
    # As a program it is what cannot be run.
    desk.lab.commit({".slip.toml": gates(a=f"{tmp_path}/fifo")})
    assert rows(desk.refused("gate-failed", "check").data) == {"a": ("error", False)}
    desk.lab.commit({".slip.toml": gates(a="true") + 'files = ["/proc/version", "/dev/null/x"]\n'})
    assert rows(desk.call("check")) == {"a": ("green", False)}


# At once, and killed -----------------------------------------------------------------------------


def test_two_at_once_run_it_once(repo: Lab, children: Children, runs: Path) -> None:
    ready(Desk(repo, "git"), gates(a="sleep 1; " + COUNTED, b="echo b >> $RUNS"))
    started = [repo.start(children, "check") for _ in range(4)]
    assert [child.wait() for child in started] == [0, 0, 0, 0]
    assert times(runs) == 2
    tree = Desk(repo, "git").call("status")["tree"]
    assert [line["gate"] for line in lines(repo, tree)] == ["a", "b"]


def test_many_trees_at_once_lose_no_verdict(repo: Lab, children: Children, runs: Path) -> None:
    desk = Desk(repo, "git")
    repo.commit({".slip.toml": gates(a=COUNTED)})
    for number in range(5):
        desk.begin(f"s{number}")
        desk.apply(write("f", f"{number}\n"), session=f"s{number}")
    started = [repo.start(children, "check", "-s", f"s{n}") for n in range(5)]
    assert [child.wait() for child in started] == [0] * 5
    assert len(repo.git("notes", "--ref=slip/gates", "list").split("\n")) == 5
    for number in range(5):
        assert rows(desk.call("check", session=f"s{number}")) == {"a": ("green", True)}
    assert times(runs) == 5


def test_every_verdict(desk: Desk) -> None:
    ready(desk, gates(a="true", b="exit 2"))
    tree = str(red(desk)["tree"])
    ws = open_workspace(str(desk.lab.path), os.environ, in_process=False)
    with ws.repository:
        found = verdictnotes.every(ws, tree)
    assert [(v.gate, v.status, v.exit) for v in found] == [("a", "green", 0), ("b", "red", 2)]


def test_programs_behind_a_comment_are_part_of_the_key() -> None:
    run = "# don't lint; twice\nruff check .  # all\nsh -c 'a\nb' && mypy"
    assert programs(run) == ["ruff", "sh", "mypy"]
    assert programs("cd lib && CI=1 make test | tee log") == ["cd", "make", "tee"]


# What a second check costs ------------------------------------------------------------------------


def test_a_second_check_loads_and_starts_little(repo: Lab) -> None:
    """A hundredth of a gate of ten seconds is little more than a Python's start."""
    ready(Desk(repo, "git"), gates(a="true"))
    code = "import sys\nfrom slipstream_git.__main__ import main\n"
    code += "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"

    def loaded() -> set[str]:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, "check", "-s", "s"],
            cwd=repo.path, env=slip_environment(), capture_output=True, check=True,
        )  # fmt: skip
        return set(done.stderr.decode().splitlines()[-1].split())

    rules = "slipstream_git.text.secrets"
    dear = {rules, "slipstream_git.text.parsing", "tomllib", "hashlib", "pygit2", "click"}
    assert {rules, "tomllib"} <= loaded()
    assert not loaded() & dear


def test_what_is_known_of_built_in_checks_is_of_these_rules(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = corpus.TOKENS[1].draw(corpus.Drawer(1))
    lax, strict = "[builtin]\nsecrets = false\n", "[policy]\nmax_file_bytes = 100\n"
    ready(desk, lax, write("new", f"key = '{token}'\n"))
    for _ in range(2):
        assert desk.call("check")["gates"] == []
    desk.lab.commit({".slip.toml": ""})
    for _ in range(2):  # what is red is never taken as known
        assert [row["name"] for row in red(desk)["gates"]] == ["secrets"]
    desk.apply(write("new", "x" * 80))
    assert desk.call("check")["gates"] == []
    desk.lab.commit({".slip.toml": strict.replace("100", "50")})
    assert [row["name"] for row in red(desk)["gates"]] == ["oversize"]
    desk.lab.commit({".slip.toml": strict})
    assert desk.call("check")["gates"] == []
    # And of what is installed.
    facts = desk.lab.path / ".git/slip/programs"
    before = facts.read_text().count("clean-")
    assert desk.call("check")["gates"] == []
    assert facts.read_text().count("clean-") == before
    monkeypatch.syspath_prepend(str(tmp_path))
    assert desk.call("check")["gates"] == []
    assert facts.read_text().count("clean-") == before + 1


def test_what_settings_are_remembered_says_the_same(desk: Desk) -> None:
    """As read, so that what was refused is refused again."""
    ready(desk, "")
    desk.lab.commit({".slip.toml": gates(a="true") + "[policy]\nmax_files = 1.5\n"})
    for _ in range(2):
        assert "max_files is a number" in desk.refused("policy", "check").message
    desk.lab.commit({".slip.toml": "[gate.a]\nrun = 2020-01-01\n"})
    for _ in range(2):
        assert "run is a command" in desk.refused("policy", "check").message
    desk.lab.commit({".slip.toml": gates(a="echo é")})
    for status in (False, True):
        answer = desk.call("check")
        assert rows(answer) == {"a": ("green", status)}
        assert listed_tail(answer) == "é"


def listed_tail(answer: Json) -> str:
    [row] = gated(answer)
    return str(row["tail"])
