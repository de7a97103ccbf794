"""`slip land --check`: the whole is judged before anything moves, and what breaks it stays open."""

from __future__ import annotations

import random
import shlex
from pathlib import Path

import pytest

from slipstream_git.changes.gating import judging
from slipstream_git.changes.gating.judging import Case, Judge
from slipstream_git.errors import SlipError
from slipstream_git.outcomes import GateRow
from tests.changes.concurrency.test_land import rows, staged, subjects, who
from tests.changes.test_gated_landing import refs
from tests.desk import Desk, Free, Json, delete, replace, write
from tests.gates import gates, times
from tests.test_bad_inputs import standing

# Red where there is a file `bad`, or where both `half1` and `half2` are.
GATE = "echo run >> $RUNS; test ! -e bad && ! { test -e half1 && test -e half2; }"


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def land(desk: Desk, *names: str, **values: Free) -> Json:
    return desk.call("land", sessions=names, check=True, **values)


def refused(desk: Desk, *names: str, code: str = "gate-failed", **values: Free) -> SlipError:
    return desk.refused(code, "land", sessions=names, check=True, **values)


def ready(desk: Desk, **files: str) -> Desk:
    """Gates, and a session for each of these files, which has that one alone."""
    desk.lab.commit({".slip.toml": gates(a=GATE)})
    for session, name in files.items():
        staged(desk, session, write(name, "x\n"))
    return desk


def test_a_green_union_lands_at_once(desk: Desk, runs: Path) -> None:
    ready(desk, x="x", y="y", z="z")
    answer = land(desk, "x", "y", "z")
    assert who(answer, "landed") == ["x", "y", "z"]
    assert subjects(desk.lab)[-3:] == ["Do x", "Do y", "Do z"]
    assert times(runs) == 1
    judged = [[gate["status"] for gate in row["gates"]] for row in answer["landed"]]
    assert judged == [[], [], ["green"]]
    # What was judged is what the branch has.
    [note] = desk.lab.git("notes", "--ref=slip/gates", "list").split("\n")
    assert note.split()[1] == desk.lab.oid("main^{tree}") == answer["landed"][-1]["tree"]
    for commit in ("main", "main~1", "main~2"):
        assert "no_check" not in desk.lab.git("notes", "--ref=slip/landed", "show", commit)


@pytest.mark.parametrize("place", range(5))
def test_the_one_that_breaks_it_is_found_and_the_others_land(
    desk: Desk, runs: Path, place: int
) -> None:
    names = ["s1", "s2", "s3", "s4", "s5"]
    ready(desk, **{name: "bad" if n == place else name for n, name in enumerate(names)})
    fault = refused(desk, *names)
    assert fault.exit_status == 4
    [row] = rows(fault, "refused")
    assert (row["session"], row["code"]) == (names[place], "gate-failed")
    assert row["data"]["gates"][0]["status"] == "red"
    assert "bad" in desk.lab.tree(row["data"]["tree"])
    rest = [name for name in names if name != names[place]]
    assert who(fault, "landed") == rest
    assert "bad" not in desk.lab.tree("main")
    assert desk.lab.refs("refs/slip/sessions/").keys() == {f"refs/slip/sessions/{names[place]}"}
    # The whole, the halves, the rest, and of the first one also the branch itself.
    assert times(runs) <= 1 + 3 + 1 + (place == 0)


def test_two_that_break_it_together(desk: Desk) -> None:
    ready(desk, a="half1", b="b", c="half2", d="d")
    fault = refused(desk, "a", "b", "c", "d")
    [row] = rows(fault, "refused")
    assert (row["session"], row["data"]["on_top_of"]) == ("c", ["a", "b"])
    assert row["message"].startswith("c, on top of a, b: gate a is red: ")
    assert who(fault, "landed") == ["a", "b", "d"]
    # What is proposed shows it.
    words = shlex.split(row["hint"])
    assert words[:7] == ["slip", "run", "-s", "c", "--rev", row["data"]["tree"], "--"]
    again = desk.call("run", session="c", rev=words[5], command=tuple(words[7:]))
    assert (again["exit"], again["tree"]) == (1, words[5])


def test_several_that_break_it_each_by_itself(desk: Desk) -> None:
    ready(desk, a="bad", b="b", c="half1", d="half2", e="e")
    fault = refused(desk, "a", "b", "c", "d", "e")
    assert who(fault, "refused") == ["a", "d"]
    assert who(fault, "landed") == ["b", "c", "e"]
    assert desk.lab.tree("main").keys() >= {"b", "half1", "e"}


def test_none_is_green(desk: Desk) -> None:
    ready(desk, a="bad")
    before, files = refs(desk.lab), standing(desk.lab)
    fault = refused(desk, "a")
    assert (who(fault, "refused"), who(fault, "landed")) == (["a"], [])
    assert refs(desk.lab) == before
    assert standing(desk.lab)._replace(refs="") == files._replace(refs="")


def test_atomic_is_all_or_none_and_the_second_time_free(desk: Desk, runs: Path) -> None:
    ready(desk, a="a", b="bad", c="c")
    before, files = refs(desk.lab), standing(desk.lab)
    told = []
    for _ in range(2):
        fault = refused(desk, "a", "b", "c", atomic=True)
        told += rows(fault, "refused")
        assert (who(fault, "refused"), who(fault, "landed")) == (["b"], [])
        assert refs(desk.lab) == before
        assert standing(desk.lab)._replace(refs="") == files._replace(refs="")
        assert times(runs) == 3
    assert [row["data"]["gates"][0]["cached"] for row in told] == [False, True]
    assert who(land(desk, "a", "c", atomic=True), "landed") == ["a", "c"]


def test_the_refused_one_is_judged_once_more_and_then_known(desk: Desk, runs: Path) -> None:
    ready(desk, a="a", b="b", c="bad")
    refused(desk, all=True)
    before = times(runs)
    for _ in range(2):
        assert who(refused(desk, all=True), "refused") == ["c"]
    # The same tree as the union that was red; of the branch alone it is known, too.
    assert times(runs) == before


def test_conflicts_stay_open_as_ever(desk: Desk, runs: Path) -> None:
    ready(desk, a="a")
    staged(desk, "b", replace("README.md", "Demo", "b"))
    staged(desk, "c", replace("README.md", "Demo", "c"))
    staged(desk, "d", write("bad", "x\n"), replace("src/app.py", "1", "2"))
    staged(desk, "e", replace("src/app.py", "1", "3"))
    fault = refused(desk, "a", "b", "c", "d", "e", code="conflict")
    codes = {row["session"]: row["code"] for row in rows(fault, "refused")}
    # With d refused, e conflicts with nothing.
    assert codes == {"c": "conflict", "d": "gate-failed"}
    assert who(fault, "landed") == ["a", "b", "e"]
    [conflict] = [row for row in rows(fault, "refused") if row["session"] == "c"]
    assert conflict["data"]["onto_commit"] == desk.lab.oid("main")
    assert conflict["hint"] == "slip rebase -s c"


def test_what_is_in_the_way_is_told_and_the_rest_lands(desk: Desk) -> None:
    ready(desk, a="a", b="b", c="c")
    desk.lab.write("b", "mine\n")
    fault = refused(desk, "a", "b", "c", code="dirty")
    assert (who(fault, "refused"), who(fault, "landed")) == (["b"], ["a", "c"])
    assert desk.lab.read("b") == b"mine\n"


def test_no_gates_is_asked_wrongly(desk: Desk) -> None:
    staged(desk, "a")
    staged(desk, "b")
    before = desk.lab.refs()
    for atomic in (False, True):
        assert who(refused(desk, "a", "b", code="usage", atomic=atomic), "refused") == ["a", "b"]
    assert desk.lab.refs() == before


def test_a_rehearsal_runs_nothing(desk: Desk, runs: Path) -> None:
    ready(desk, a="a", b="bad")
    before = desk.lab.refs()
    assert who(land(desk, "a", "b", dry_run=True), "landed") == ["a", "b"]
    assert (times(runs), desk.lab.refs()) == (0, before)


def test_a_session_that_weakens_the_gates_is_judged_with_the_rest(desk: Desk) -> None:
    """Also for those that come after it: the branch's gates from before judge the whole."""
    ready(desk)
    staged(desk, "a", write(".slip.toml", ""))
    staged(desk, "b", write("bad", "x\n"))
    staged(desk, "c", write("c", "x\n"))
    fault = refused(desk, "a", "b", "c")
    assert who(fault, "refused") == ["b"]
    assert who(fault, "landed") == ["a", "c"]
    assert desk.lab.tree("main")[".slip.toml"] == b""


def test_a_branch_that_is_red_already_is_not_blamed_on_the_first(desk: Desk) -> None:
    ready(desk, a="a", b="b")
    desk.lab.commit({"bad": "x\n"})
    fault = refused(desk, "a", "b")
    assert who(fault, "refused") == ["a", "b"]
    for row in rows(fault, "refused"):
        assert row["data"]["red_without"] is True
        assert f"and so it is on main without {row['session']}" in row["message"]


def test_who_mends_a_red_branch_lets_the_others_land(desk: Desk) -> None:
    ready(desk, a="a", b="half1", c="half2")
    desk.lab.commit({"bad": "x\n"})
    staged(desk, "mends", delete("bad"))
    fault = refused(desk, "a", "b", "c", "mends")
    assert who(fault, "landed") == ["c", "mends", "a"]
    [row] = rows(fault, "refused")
    assert (row["session"], row["data"]["on_top_of"]) == ("b", ["a"])


def test_skipped_gates_do_not_hold_it_up(desk: Desk, runs: Path) -> None:
    desk.lab.commit({".slip.toml": gates(a=GATE) + 'paths = ["src/**"]\n', "bad": "x\n"})
    staged(desk, "a", write("doc", "x\n"))
    staged(desk, "b", write("src/b", "x\n"))
    fault = refused(desk, "a", "b")
    assert (who(fault, "refused"), who(fault, "landed")) == (["b"], ["a"])


def test_each_branch_by_itself(desk: Desk) -> None:
    ready(desk)
    desk.lab.git("branch", "other")
    staged(desk, "a", write("half1", "x\n"))
    staged(desk, "b", write("half2", "x\n"), onto="other")
    staged(desk, "c", write("bad", "x\n"), onto="other")
    fault = refused(desk, "a", "b", "c")
    assert (who(fault, "refused"), who(fault, "landed")) == (["c"], ["a", "b"])
    assert "half1" not in desk.lab.tree("other")


def test_hooks_have_their_say_first(desk: Desk) -> None:
    ready(desk, a="a", b="b", c="c", d="bad")
    hook = desk.lab.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\ntest ! -e b || test -e c || exit 1\necho hooked > by-hook\ngit add by-hook\n"
    )
    hook.chmod(0o755)
    fault = refused(desk, "a", "b", "c", "d")
    codes = {row["session"]: row["code"] for row in rows(fault, "refused")}
    assert codes == {"b": "hook-failed", "d": "gate-failed"}
    assert who(fault, "landed") == ["a", "c"]
    assert desk.lab.tree("main")["by-hook"] == b"hooked\n"


def test_the_branch_moves_while_they_are_judged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(desk, a="half1", b="b")
    real, asked = Judge.rows, []

    def moving(self: Judge, case: Case, of: Free) -> list[GateRow]:
        found = real(self, case, of)
        asked.append(case.tree)
        if len(asked) == 1:
            desk.lab.commit({"half2": "x\n"})
        return found

    monkeypatch.setattr(judging.Judge, "rows", moving)
    fault = refused(desk, "a", "b")
    assert (who(fault, "refused"), who(fault, "landed")) == (["a"], ["b"])
    assert desk.lab.tree("main").keys() >= {"half2", "b"}
    assert "half1" not in desk.lab.tree("main")


@pytest.mark.parametrize("seed", range(6))
def test_what_lands_is_green_and_what_is_refused_was_red(desk: Desk, runs: Path, seed: int) -> None:
    """Random queues against what a walk over them would do, one by one."""
    chance = random.Random(seed)  # noqa: S311
    names = [f"s{number}" for number in range(chance.randrange(2, 7))]
    files = {name: chance.choice(["bad", "half1", "half2", f"own-{name}"]) for name in names}
    ready(desk, **files)
    try:
        told = land(desk, *names)
    except SlipError as fault:
        told = fault.data
    there: set[str] = set()
    expected: list[str] = []
    for name in names:
        now = there | {files[name]}
        if "bad" not in now and not {"half1", "half2"} <= now and files[name] not in there:
            expected.append(name)
            there = now
    assert who(told, "landed") == expected
    refusals = {row["session"]: row["code"] for row in told["refused"]}
    assert all(code == "gate-failed" for code in refusals.values())
    assert {row["session"] for row in told["skipped"]} == {
        name for name in names if files[name] in there and name not in expected
    }
