"""Landing where `.slip.toml` defines gates: what lands is what was judged, or nothing moves."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import time
from pathlib import Path

import pytest

from slipstream_git.changes.gating import judging
from slipstream_git.changes.gating.judging import Case, Judge
from slipstream_git.errors import SlipError
from slipstream_git.outcomes import GateRow
from tests.changes.test_hooks import hook
from tests.children import Children
from tests.desk import Desk, Free, Json, batch, delete, replace, write
from tests.gates import COUNTED, gates, times
from tests.lab import Lab
from tests.test_bad_inputs import standing

VERDICTS = "refs/notes/slip/gates"


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def ready(desk: Desk, text: str, *ops: Json) -> Desk:
    """A project with this `.slip.toml`, and a session on it."""
    desk.lab.commit({".slip.toml": text, "f": "".join(f"{n}\n" for n in range(20))})
    desk.begin("s")
    desk.apply(*ops or (write("new", "n\n"),), session="s")
    return desk


def rows(answer: Json) -> list[tuple[str, str, bool]]:
    return [(row["name"], row["status"], row["cached"]) for row in answer["gates"]]


def refs(lab: Lab) -> dict[str, str]:
    """Every ref but the verdicts'."""
    return {name: oid for name, oid in lab.refs().items() if name != VERDICTS}


def unchanged(desk: Desk, **values: Free) -> Json:
    """The data of a refused landing that left everything as it was, byte by byte."""
    repo = desk.lab
    before, files = refs(repo), standing(repo)
    fault = desk.commit_refused("gate-failed", **values)
    assert fault.exit_status == 4
    assert refs(repo) == before
    assert standing(repo)._replace(refs="") == files._replace(refs="")
    return fault.data


def test_green_lands_and_is_told(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED, b="cat new"))
    landed = desk.commit("land", session="s")
    assert rows(landed) == [("a", "green", False), ("b", "green", False)]
    assert landed["gates"][1]["tail"] == "n"
    assert desk.lab.oid("main") == landed["commit"]
    assert times(runs) == 1
    note = json.loads(desk.lab.git("notes", "--ref=slip/landed", "show", "main"))
    assert "no_check" not in note


def test_what_was_checked_lands_without_a_run(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED))
    desk.call("check", session="s")
    assert rows(desk.commit("land", session="s")) == [("a", "green", True)]
    assert times(runs) == 1


def test_red_moves_nothing(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED, b="true"), write("bad", "x\n"), write("f", "x\n"))
    desk.lab.write("f", "mine\n")
    desk.lab.write("left", "mine\n")
    desk.lab.git("add", "left")
    data = unchanged(desk, session="s", no_checkout=True)
    assert (data["session"], rows(data)) == ("s", [("a", "red", False), ("b", "green", False)])
    assert data["tree"] == desk.call("status", session="s")["tree"]
    data = unchanged(desk, session="s", check=True, no_checkout=True)
    assert rows(data) == [("a", "red", True), ("b", "green", True)]
    assert times(runs) == 1
    # What is wrong in the worktree is told before anybody waits for a gate.
    desk.apply(write("g", "x\n"), session="s")
    desk.commit_refused("dirty", session="s")
    assert times(runs) == 1


def test_a_change_of_the_gates_is_judged_by_the_old_ones(desk: Desk) -> None:
    ready(desk, gates(a="exit 1"), write(".slip.toml", gates(a="true")))
    assert unchanged(desk, session="s")["gates"][0]["name"] == "a"
    desk.begin("none")
    desk.apply(delete(".slip.toml"), session="none")
    assert unchanged(desk, session="none")["gates"][0]["status"] == "red"


def test_a_base_older_than_the_gates_is_judged_by_the_new_ones(desk: Desk) -> None:
    desk.begin("old")
    desk.apply(write("bad", "x\n"), session="old")
    desk.lab.commit({".slip.toml": gates(a=COUNTED)})
    data = unchanged(desk, session="old")
    assert rows(data) == [("a", "red", False)]
    # The merge is what was judged, not the session's own tree.
    assert data["tree"] != desk.call("status", session="old")["tree"]
    assert desk.lab.tree(data["tree"]).keys() >= {".slip.toml", "bad", "README.md"}


def test_no_check_lands_and_says_so(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED), write("bad", "x\n"))
    landed = desk.commit("land", session="s", check=False)
    assert (landed["committed"], landed["gates"], times(runs)) == (True, [], 0)
    note = json.loads(desk.lab.git("notes", "--ref=slip/landed", "show", "main"))
    assert note["no_check"] is True
    assert VERDICTS not in desk.lab.refs()


def test_a_rehearsal_runs_nothing(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED), write("bad", "x\n"))
    before = desk.lab.refs()
    assert desk.commit("land", session="s", dry_run=True)["gates"] == []
    assert (times(runs), desk.lab.refs()) == (0, before)


def test_paths_are_of_what_lands(desk: Desk, runs: Path) -> None:
    ready(desk, gates(a=COUNTED) + 'paths = ["src/**"]\n', replace("f", "\n3\n", "\nthree\n"))
    desk.lab.commit({"src/new.py": "x\n"})
    assert rows(desk.commit("land", session="s")) == [("a", "skipped", False)]
    assert times(runs) == 0


def test_what_hooks_made_of_it_is_what_is_judged(desk: Desk) -> None:
    hook = desk.lab.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho hooked > new\ngit add new\n")
    hook.chmod(0o755)
    ready(desk, gates(a="grep -x hooked new"))
    landed = desk.commit("land", session="s")
    assert rows(landed) == [("a", "green", False)]
    assert desk.lab.tree("main")["new"] == b"hooked\n"
    [note] = desk.lab.git("notes", "--ref=slip/gates", "list").split("\n")
    assert note.split()[1] == desk.lab.oid("main^{tree}") == landed["tree"]


def typed(desk: Desk, fault: SlipError) -> str:
    """What the hint of a red gate prints when it is typed: the same as the gate."""
    words = shlex.split(str(fault.hint))
    assert words[:2] == ["slip", "run"]
    [row] = [row for row in fault.data["gates"] if row["status"] == "red"]  # type: ignore[attr-defined]
    before, files = desk.lab.refs(), standing(desk.lab)
    reply = desk.lab.slip(*words[1:], expect=row["exit"])
    assert (desk.lab.refs(), standing(desk.lab)) == (before, files)
    assert reply.text.rstrip() == row["tail"]
    return reply.text


BOTH = "git diff --name-only HEAD; test ! -e one -o ! -e two || { echo both; exit 7; }"


@pytest.mark.parametrize("way", ["run", "known"])
def test_the_hint_after_a_merge_shows_what_was_red(desk: Desk, way: str) -> None:
    """Neither the branch is red, nor the session."""
    ready(desk, gates(a=BOTH), write("one", "1\n"))
    desk.lab.commit({"two": "2\n"})
    desk.call("check", session="s")
    fault = desk.commit_refused("gate-failed", session="s")
    if way == "known":  # what is known is not run again, and its tree is there all the same
        desk.lab.git("gc", "--quiet", "--prune=now")
        fault = desk.commit_refused("gate-failed", session="s")
        assert rows(fault.data) == [("a", "red", True)]
    assert typed(desk, fault) == "one\nboth\n"
    assert f"--rev {fault.data['tree']}" in str(fault.hint)


def test_the_hint_has_what_hooks_made_of_it(desk: Desk) -> None:
    hook(desk.lab, "pre-commit", "echo 2 > two; git add two")
    ready(desk, gates(a=BOTH), write("one", "1\n"))
    assert typed(desk, desk.commit_refused("gate-failed", session="s")) == "one\ntwo\nboth\n"


def test_the_hint_of_a_series_has_the_commit_that_is_red(desk: Desk) -> None:
    ready(desk, gates(a="test ! -e bad || { echo bad; exit 7; }"))
    desk.apply(write("bad", "b\n"), session="s", group="One")
    desk.apply(delete("bad"), write("two", "2\n"), session="s", group="Two")
    fault = desk.commit_refused("gate-failed", session="s", series=True, each=True)
    assert typed(desk, fault) == "bad\n"


def test_other_files_are_run_on_as_they_are_named(desk: Desk) -> None:
    ready(desk, gates(a="true"))
    tree = desk.lab.oid("main~1^{tree}")
    for rev in (tree, "main~1", desk.lab.oid("main~1")):
        ran = desk.call("run", session="s", rev=rev, command=("test", "!", "-e", "new"))
        assert (ran["exit"], ran["tree"]) == (0, tree)
    for rev in ("nosuch", "0" * 40, desk.lab.oid("main:f")):
        desk.refused("missing", "run", session="s", rev=rev, command=("true",))
    desk.refused("usage", "run", session="s", rev=tree, command=("true",), capture=True)


def test_exec_lands_or_leaves_the_session(desk: Desk, runs: Path) -> None:
    desk.lab.commit({".slip.toml": gates(a=COUNTED)})
    done = desk.call("exec", ops=batch(write("x", "x\n")), message=("land",))
    assert rows(done["commit"]) == [("a", "green", False)]
    before = refs(desk.lab)
    fault = desk.refused("gate-failed", "exec", ops=batch(write("bad", "x\n")), message=("land",))
    assert fault.data["session"] == "s1"
    assert fault.hint is not None
    assert fault.hint.commands[0][:4] == ("slip", "run", "-s", "s1")
    assert refs(desk.lab).keys() - before.keys() == {"refs/slip/sessions/s1"}
    assert times(runs) == 2


def test_a_first_commit_has_no_gates_yet(unborn_repo: Lab, store: str) -> None:
    desk = Desk(unborn_repo, store)
    desk.begin("s")
    desk.apply(write(".slip.toml", gates(a="exit 1")))
    assert desk.commit("land")["gates"] == []
    desk.begin("t")
    desk.apply(write("x", "x\n"))
    assert rows(unchanged(desk)) == [("a", "red", False)]


def test_a_new_branch_is_judged_by_its_base(desk: Desk) -> None:
    ready(desk, gates(a="test ! -e bad"))
    desk.begin("n", onto="feature")
    desk.apply(write("bad", "x\n"), session="n")
    assert rows(unchanged(desk, session="n")) == [("a", "red", False)]
    desk.apply(delete("bad"), write("good", "x\n"), session="n")
    assert rows(desk.commit("land", session="n")) == [("a", "green", False)]
    assert desk.lab.tree("feature")["good"] == b"x\n"


def test_the_branch_that_moves_meanwhile_has_the_merge_judged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lands was judged, each time that the branch has moved."""
    ready(desk, gates(a="true"))
    asked: list[str] = []
    real = Judge.rows

    def moving(self: Judge, case: Case, of: Free) -> list[GateRow]:
        found = real(self, case, of)
        asked.append(case.tree)
        if len(asked) < 3:
            desk.lab.commit({f"other{len(asked)}": "x\n"})
        return found

    monkeypatch.setattr(judging.Judge, "rows", moving)
    landed = desk.commit("land", session="s")
    assert len(set(asked)) == 3
    assert asked[-1] == landed["tree"] == desk.lab.oid("main^{tree}")
    assert rows(landed) == [("a", "green", False)]
    assert desk.lab.tree("main").keys() >= {"new", "other1", "other2"}


def test_the_same_tree_on_a_moved_branch_is_not_run_again(
    desk: Desk, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(desk, gates(a=COUNTED))
    real, asked = Judge.rows, []

    def moving(self: Judge, case: Case, of: Free) -> list[GateRow]:
        asked.append(case.tree)
        found = real(self, case, of)
        if len(asked) == 1:
            desk.lab.git("commit", "--quiet", "--allow-empty", "-m", "empty")
        return found

    monkeypatch.setattr(judging.Judge, "rows", moving)
    landed = desk.commit("land", session="s")
    assert rows(landed) == [("a", "green", False)]
    assert (asked, times(runs)) == ([landed["tree"]], 1)
    assert desk.lab.git("log", "--format=%s", "-2", "main").split("\n") == ["land", "empty"]


def test_who_needs_no_gate_goes_by(repo: Lab, children: Children, tmp_path: Path) -> None:
    """The landing lock is free while a gate runs."""
    run = f"echo > {tmp_path}/began; while test ! -e {tmp_path}/go; do sleep 0.05; done"
    desk = ready(Desk(repo, "git"), gates(a=run))
    slow = repo.start(children, "commit", "-s", "s", "-m", "slow")
    deadline = time.monotonic() + 60
    while not (tmp_path / "began").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    desk.begin("quick")
    desk.apply(write("q", "q\n"), session="quick")
    desk.commit("quick", session="quick", check=False)
    (tmp_path / "go").touch()
    assert slow.wait() == 0
    assert repo.git("log", "--format=%s", "-2").split("\n") == ["slow", "quick"]


@pytest.mark.parametrize("command", ["check", "commit"])
def test_ctrl_c_ends_it_and_moves_nothing(
    repo: Lab, children: Children, tmp_path: Path, command: str
) -> None:
    run = f"(setsid sleep 600 & echo $! > {tmp_path}/pid); sleep 600"
    ready(Desk(repo, "git"), gates(a=run))
    before = repo.refs()
    said = ("commit", "-m", "land") if command == "commit" else ("check",)
    started = repo.start(children, *said)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(started.pid, signal.SIGINT)
    assert started.wait() == 130
    pid = (tmp_path / "pid").read_text().strip()
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
    assert repo.refs() == before


def test_killed_while_it_runs_and_tried_again(
    repo: Lab, children: Children, tmp_path: Path
) -> None:
    """The next finds a slot that is put right, and the old state whole."""
    run = f"echo x > left; echo x > f; echo $$ > {tmp_path}/pid; test -e {tmp_path}/go || sleep 600"
    desk = ready(Desk(repo, "git"), gates(a=run + "; test ! -e old; touch old"))
    before = repo.refs()
    started = repo.start(children, "commit", "-m", "land")
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.kill()
    started.wait()
    assert repo.refs() == before
    (tmp_path / "go").touch()
    # The watcher has the slot until nothing of the gate is left.
    with (repo.path / ".git/slip/pool/1/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert rows(desk.commit("land")) == [("a", "green", False)]
    # The same slot: nobody holds the one that was killed in.
    assert [place.name for place in (repo.path / ".git/slip/pool").iterdir()] == ["1"]


# --- a series -------------------------------------------------------------------------------------


def series(desk: Desk, **values: Free) -> Json:
    """Two commits, of which the first has a file that the second takes away."""
    desk.apply(write("bad", "b\n"), session="s", group="One")
    desk.apply(delete("bad"), write("two", "2\n"), session="s", group="Two")
    return desk.call("commit", session="s", message=("The rest",), series=True, **values)


def test_of_a_series_the_last_tree_is_judged(desk: Desk, runs: Path) -> None:
    ready(desk, gates(tests=COUNTED))
    told = series(desk)
    assert [row["group"] for row in told["series"][:2]] == ["One", "Two"]
    assert rows(told) == [("tests", "green", False)]
    assert times(runs) == 1


def test_each_commit_of_a_series_is_judged_if_asked(desk: Desk, runs: Path) -> None:
    repo = desk.lab
    ready(desk, gates(tests=COUNTED))
    desk.apply(write("bad", "b\n"), session="s", group="One")
    desk.apply(delete("bad"), write("two", "2\n"), session="s", group="Two")
    before = refs(repo), standing(repo)._replace(refs="")
    fault = desk.commit_refused("gate-failed", session="s", series=True, each=True)
    assert (refs(repo), standing(repo)._replace(refs="")) == before
    assert fault.data["group"] == "One"
    assert "'One'" in fault.message
    assert fault.hint is not None
    assert times(runs) == 1
    desk.call("undo", session="s", step="2")
    told = desk.call("commit", session="s", message=("rest",), series=True, each=True)
    assert [row["gates"][0]["status"] for row in told["series"]] == ["green"] * len(told["series"])
    assert times(runs) == 1 + len(told["series"])


def test_a_gate_of_some_paths_sees_all_that_the_series_changes(desk: Desk, runs: Path) -> None:
    ready(desk, gates(tests=COUNTED) + 'paths = ["one"]\n')
    desk.apply(write("one", "1\n"), session="s", group="One")
    assert rows(desk.call("commit", session="s", message=("rest",), series=True)) == [
        ("tests", "green", False)
    ]
    assert times(runs) == 1


def test_gates_judge_the_last_commit_that_there_is(desk: Desk, runs: Path) -> None:
    """Hooks take what the last one would have brought."""
    repo = desk.lab
    ready(desk, gates(tests=COUNTED))
    desk.apply(write("bad", "b\n"), session="s", group="One")
    hook = repo.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ngit rm -q --cached --ignore-unmatch new\n")
    hook.chmod(0o755)
    before = refs(repo)
    fault = desk.commit_refused("gate-failed", session="s", series=True)
    assert fault.data["group"] == "One"
    assert refs(repo) == before
    assert times(runs) == 1


def test_gates_judge_a_series_whose_last_group_a_hook_has_done(desk: Desk) -> None:
    """The first commit's hook makes what the second was to make, so there is but one commit."""
    desk.lab.commit({".slip.toml": '[gate.a]\nrun = "! grep -q bad f"\n', "f": "0\n"})
    hook(desk.lab, "pre-commit", "grep -q ugly f && { echo bad > f; git add f; } || true")
    desk.begin("s")
    desk.apply(write("f", "ugly\n"), session="s", group="first")
    desk.apply(write("f", "bad\n"), session="s", group="second")
    before = desk.lab.refs("refs/heads/")
    desk.commit_refused("gate-failed", session="s", series=True)
    assert desk.lab.refs("refs/heads/") == before
