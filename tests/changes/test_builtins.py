"""The built-in checks where they stand in the way: at commit, exec, land and check."""

from __future__ import annotations

import pytest

from slipstream_git.changes import builtins
from slipstream_git.errors import SlipError
from tests.desk import Desk, Free, Json, batch, delete, move, replace, write
from tests.lab import Lab, Script
from tests.text import secret_corpus as corpus
from tests.text.secret_corpus import Drawer

TOKEN = corpus.TOKENS[1].draw(Drawer(1))
OTHER = corpus.TOKENS[3].draw(Drawer(2))
KEYED = f"key = '{TOKEN}'\n"
MARKED = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n"
CODE = "def f(x):\n    return x\n"
RED: dict[str, tuple[Free, ...]] = {
    "secrets": (write("conf.py", KEYED),),
    "conflict-markers": (write("a.txt", MARKED),),
    "oversize": (write("big", "x" * 101),),
    "syntax": (replace("code.py", "return x", "return (x"),),
}


@pytest.fixture
def ready(desk: Desk) -> Desk:
    rules = "[policy]\nmax_file_bytes = 200\n"
    desk.lab.commit({"code.py": CODE, "old.txt": f"{KEYED}{MARKED}", ".slip.toml": rules})
    return desk


def rules(lab: Lab, text: str) -> None:
    lab.commit({".slip.toml": text})


def told(fault: SlipError, key: str) -> list[Json]:
    rows = fault.data[key]
    assert isinstance(rows, list)
    return rows


@pytest.mark.parametrize("check", sorted(RED))
@pytest.mark.parametrize("way", ["commit", "exec", "land", "atomic"])
def test_a_red_check_moves_nothing(ready: Desk, check: str, way: str) -> None:
    lab = ready.lab
    ready.begin("s")
    ready.apply(*RED[check])
    rules(lab, "[policy]\nmax_file_bytes = 100\n" if check == "oversize" else "")
    before, refs = lab.snapshot(), lab.refs("refs/heads/")
    code = "policy" if check == "oversize" else "gate-failed"
    if way == "exec":
        ops = batch(*RED[check])
        fault = ready.refused(code, "exec", ops=ops, session="e", message=("m",))
    elif way == "commit":
        fault = ready.commit_refused(code)
    else:
        atomic = way == "atomic"
        fault = ready.refused(code, "land", sessions=("s",), message=("m",), atomic=atomic)
    assert (lab.snapshot(), lab.refs("refs/heads/")) == (before, refs)
    assert TOKEN not in str(fault.as_json())
    if fault.code == "gate-failed" and way == "commit":
        assert fault.exit_status == 4
        assert [(row["name"], row["status"]) for row in told(fault, "gates")] == [(check, "red")]
        assert check in fault.message
        ready.commit("m", check=False)


def test_a_file_too_large_for_hosts_is_red_where_nothing_is_said(
    ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipstream_git.changes.builtins.LARGEST_FILE", 100)
    rules(ready.lab, "")
    ready.begin("s")
    ready.apply(write("big", "x" * 101))
    fault = ready.commit_refused("gate-failed")
    assert fault.data["findings"] == [
        {
            "check": "oversize",
            "rule": "file-too-large",
            "path": "big",
            "text": "101 bytes, and 100 are allowed",
        }
    ]


def test_findings_say_where_what_and_how_to_allow_it(ready: Desk) -> None:
    ready.begin("s")
    ready.apply(write("conf.py", f"# a\n{KEYED}"), write("b.txt", f"\n{MARKED}"))
    fault = ready.commit_refused("gate-failed")
    rows = told(fault, "findings")
    assert [(row["check"], row["path"], row["line"]) for row in rows] == [
        ("conflict-markers", "b.txt", 2),
        ("conflict-markers", "b.txt", 4),
        ("conflict-markers", "b.txt", 6),
        ("secrets", "conf.py", 2),
    ]
    assert rows[-1]["text"] == "key = '[secret:github-token]'"
    assert fault.hint == "slip read -s s b.txt:2"
    rules(ready.lab, f'[builtin]\nallow_lines = ["{rows[-1]["mark"]}"]\nconflict_markers = false\n')
    assert ready.commit("m")["committed"]


def test_files_may_be_left_alone(ready: Desk) -> None:
    rules(ready.lab, '[builtin]\nallow = ["fixtures/**"]\n')
    ready.begin("s")
    ready.apply(write("fixtures/conf.py", KEYED))
    ready.commit("m", keep=True)
    ready.apply(write("conf.py", KEYED))
    ready.commit_refused("gate-failed")


@pytest.mark.parametrize("check", ["secrets", "conflict-markers", "syntax"])
def test_each_is_switched_off_by_itself_and_by_the_branch_alone(ready: Desk, check: str) -> None:
    ready.begin("s")
    off = f"[builtin]\n{check.replace('-', '_')} = false\n"
    ready.apply(*RED[check], write(".slip.toml", off))
    ready.commit_refused("gate-failed")
    rules(ready.lab, off)
    assert ready.commit("m")["committed"]


def test_what_was_there_or_only_moves_is_nobodys(ready: Desk) -> None:
    ready.begin("s")
    ready.apply(replace("old.txt", "<<<<<<< HEAD", "first\n<<<<<<< HEAD"))
    ready.commit("in the same file")
    ready.begin("t")
    ready.apply(move("old.txt", "new.txt"))
    ready.commit("moved")
    ready.begin("u")
    ready.apply(delete("new.txt"), write("a.py", f"def f():\n    {KEYED}"), write("b.txt", MARKED))
    ready.commit("moved line by line")
    ready.begin("v")
    ready.apply(write("c.py", KEYED.replace(TOKEN, OTHER)))
    ready.commit_refused("gate-failed")


def test_syntax_is_judged_only_where_it_was_sound(ready: Desk) -> None:
    ready.lab.commit({"odd.py": "def f(:\n"})
    ready.begin("s")
    ready.apply(write("new.py", "def f(:\n"), write("odd.py", "def g(:\n"), write("x.txt", "(((\n"))
    ready.commit("m")
    ready.begin("t")
    ready.apply(write("code.py", "x = 1\n\ndef f(x:\n    return x\n"))
    fault = ready.commit_refused("gate-failed")
    (row,) = told(fault, "findings")
    assert (row["check"], row["path"]) == ("syntax", "code.py")
    assert row["line"] in (1, 3)


def test_what_a_merge_makes_is_judged_on_what_it_adds_to_the_branch(ready: Desk) -> None:
    ready.begin("s")
    ready.apply(write("conf.py", KEYED))
    head = ready.lab.commit({"conf.py": KEYED})
    ready.commit("m")
    assert ready.lab.oid("HEAD") == head  # it has that by now: nothing is added


def test_what_a_hook_adds_is_judged_too(ready: Desk) -> None:
    lab = ready.lab
    hook = lab.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_bytes(Script(f"#!/bin/sh\necho \"k = '{TOKEN}'\" > k.py\ngit add k.py\n".encode()))
    hook.chmod(0o755)
    ready.begin("s")
    ready.apply(write("fine", "x\n"))
    before = lab.snapshot()
    fault = ready.commit_refused("gate-failed")
    assert TOKEN not in str(fault.as_json())
    assert lab.snapshot() == before


def test_a_credential_in_the_message_is_refused(ready: Desk) -> None:
    ready.begin("s")
    ready.apply(write("fine", "x\n"))
    fault = ready.commit_refused("secret", f"Use {TOKEN}")
    assert TOKEN not in str(fault.as_json())
    rules(ready.lab, "[builtin]\nsecrets = false\n")
    ready.commit(f"Use {TOKEN}")


def test_of_several_only_the_red_one_stays_open(ready: Desk) -> None:
    for name, op in (("a", write("a", "1\n")), ("b", write("b", KEYED)), ("c", write("c", "1\n"))):
        ready.begin(name, title=name)
        ready.apply(op, session=name)
    fault = ready.refused("gate-failed", "land", sessions=("a", "b", "c"))
    assert TOKEN not in str(fault.as_json())
    assert {"a", "c"} <= set(ready.lab.tree())
    assert "b" not in ready.lab.tree()
    assert list(ready.lab.refs("refs/slip/sessions/")) == ["refs/slip/sessions/b"]


def test_a_dry_run_tells_of_it(ready: Desk) -> None:
    ready.begin("s")
    ready.apply(write("b", KEYED))
    ready.commit_refused("gate-failed", dry_run=True)


def test_check_tells_what_is_red_or_named(ready: Desk) -> None:
    rules(ready.lab, "[builtin]\nsyntax = false\n")
    ready.begin("s")
    ready.apply(write("fine", "x\n"))
    assert ready.call("check")["gates"] == []
    rows = ready.call("check", gate=builtins.NAMES)["gates"]
    assert [(row["name"], row["status"]) for row in rows] == [
        ("conflict-markers", "green"),
        ("secrets", "green"),
        ("oversize", "green"),
        ("syntax", "skipped"),
    ]
    ready.apply(write("b", KEYED))
    fault = ready.refused("gate-failed", "check")
    assert TOKEN not in str(fault.as_json())
    assert [(row["name"], row["status"]) for row in told(fault, "gates")] == [("secrets", "red")]
    assert ready.call("check", gate=("oversize",))["gates"][0]["status"] == "green"
    ready.refused("usage", "check", gate=("no-such",))


def test_no_commit_of_a_series_brings_what_a_later_one_takes_out(ready: Desk) -> None:
    ready.begin("s")
    ready.apply(write("a", KEYED), group="first")
    ready.apply(write("a", "clean\n"), group="second")
    before, refs = ready.lab.snapshot(), ready.lab.refs("refs/heads/")
    fault = ready.commit_refused("gate-failed", series=True)
    assert TOKEN not in str(fault.as_json())
    assert (ready.lab.snapshot(), ready.lab.refs("refs/heads/")) == (before, refs)
    ready.commit("as one")
