"""`[policy]` of the branch: every way to stage a step is refused at once, and landing once more."""

from __future__ import annotations

import pytest

from slipstream_git.errors import SlipError
from tests.desk import Desk, Free, batch, delete, move, replace, write
from tests.lab import Lab

PROTECTED = '[policy]\nprotected = [".github/**", "*.lock"]\n'


def ruled(desk: Desk, rules: str, **begun: Free) -> Desk:
    """A branch with these rules, some files, and a session that was begun on it."""
    desk.lab.commit(
        {
            ".slip.toml": rules,
            ".github/ci.yml": "on: push\n",
            "a.lock": "1\n",
            "src/a.txt": "one\ntwo\nthree\n",
        }
    )
    desk.begin("s", **begun)
    return desk


def held(desk: Desk, fault: SlipError, before: dict[str, str]) -> None:
    """That the refusal names the way out, and that nothing has moved."""
    assert "\n" not in fault.message
    assert fault.hint is not None
    assert desk.lab.refs() == before


DOORS = {
    "write": (write(".github/new.yml", "x\n"),),
    "edit": (replace(".github/ci.yml", "push", "pull"),),
    "delete": (delete("a.lock"),),
    "move away": (move("a.lock", "b"),),
    "move to": (move("src/a.txt", "deep/x.lock"),),
    "copy to": ({"op": "copy", "path": "src/a.txt", "to": ".github/a"},),
    "chmod": ({"op": "chmod", "path": "a.lock", "mode": "100755"},),
    "link": ({"op": "symlink", "path": ".github/l", "target": "x"},),
    "sub": ({"op": "sub", "globs": ["*.lock"], "pattern": "1", "replacement": "2"},),
    "second": (write("fine", "x\n"), write(".github/x", "x\n")),
}


@pytest.mark.parametrize("door", sorted(DOORS))
def test_an_op_on_a_protected_path_is_refused(desk: Desk, door: str) -> None:
    ruled(desk, PROTECTED)
    before = desk.lab.refs()
    fault = desk.apply_refused("policy", *DOORS[door])
    held(desk, fault, before)
    assert str(fault.hint).startswith("slip begin --allow-protected ")
    (row,) = [row for row in fault.data["ops"] if row["code"] == "policy"]  # type: ignore[attr-defined]
    assert row["index"] == len(DOORS[door]) - 1


def test_several_refusals_are_told_together(desk: Desk) -> None:
    ruled(desk, PROTECTED, deny=("src/**",))
    ops = (write(".github/x", "x\n"), write("src/x", "x\n"), write("ok", "x\n"))
    fault = desk.apply_refused("batch", *ops)
    assert [row["code"] for row in fault.data["ops"]] == ["policy", "path-denied"]  # type: ignore[attr-defined]
    assert fault.hint == "slip begin --allow-protected .github/x"


def test_every_command_that_stages_is_refused(desk: Desk) -> None:
    lab = ruled(desk, PROTECTED).lab
    lab.write(".github/ci.yml", "on: never\n")
    before = lab.refs()
    script = ("sh", "-c", "echo x >> a.lock")
    calls: dict[str, Free] = {
        "write": {"path": "x.lock", "content": b"x"},
        "rm": {"paths": ("a.lock",)},
        "mv": {"path": "a.lock", "to": "b"},
        "sub": {"pattern": "push", "replacement": "x", "globs": (".github/*",)},
        "capture": {},
        "run": {"command": script, "capture": True},
        "exec": {"ops": batch(write("x.lock", "x\n")), "message": ("m",)},
    }
    for name, values in calls.items():
        fault = desk.refused("policy", name, **values)
        held(desk, fault, before)


def test_a_substitution_over_everything_leaves_protected_files_out(desk: Desk) -> None:
    ruled(desk, PROTECTED)
    answer = desk.call("sub", pattern="o", replacement="0")
    assert ".github/ci.yml" not in {change["path"] for change in answer["changes"]}
    assert "src/a.txt" in {change["path"] for change in answer["changes"]}


@pytest.mark.parametrize("through", ["begin", "exec", "commit", "land"])
def test_who_was_allowed_may(desk: Desk, through: str) -> None:
    globs = (".github/**",)
    if through == "exec":
        ruled(desk, PROTECTED)
        ops = batch(write(".github/x", "x\n"))
        desk.call("exec", ops=ops, message=("m",), session="e", allow_protected=globs)
    elif through == "begin":
        ruled(desk, PROTECTED, allow_protected=globs)
        desk.apply(write(".github/x", "x\n"))
        held(desk, desk.apply_refused("policy", write("x.lock", "1")), desk.lab.refs())
        desk.commit("m")
    else:
        ruled(desk, "")
        desk.apply(write(".github/x", "x\n"))
        desk.lab.commit({".slip.toml": PROTECTED})
        before = desk.lab.refs()
        fault = desk.commit_refused("policy", session="s")
        held(desk, fault, before)
        assert fault.hint == "slip commit -s s --allow-protected .github/x -m land"
        if through == "commit":
            desk.commit("m", session="s", allow_protected=globs)
        else:
            desk.call("land", sessions=("s",), message=("m",), allow_protected=globs)
    assert desk.lab.tree("HEAD")[".github/x"] == b"x\n"


def test_the_right_is_in_the_begin_commit_and_outlives_a_rebase(desk: Desk) -> None:
    ruled(desk, PROTECTED, allow_protected=(".github/**", "a.lock"))
    desk.apply(write(".github/x", "x\n"))
    desk.lab.commit({"other": "1\n"})
    desk.call("rebase", session="s")
    begin = desk.lab.git("log", "--format=%H", "--reverse", "HEAD..refs/slip/sessions/s")
    message = desk.lab.message(begin.split()[0])
    assert "Slip-Allow-Protected: .github/**\nSlip-Allow-Protected: a.lock\n" in message
    desk.apply(write(".github/y", "y\n"))
    desk.commit("m")


def test_a_right_that_cannot_be_read_is_refused(desk: Desk) -> None:
    ruled(desk, PROTECTED)
    desk.refused("usage", "begin", name="t", allow_protected=("a/../b",))
    desk.refused("usage", "begin", name="t", allow_protected=("",))


def test_the_branchs_rules_count_and_not_the_sessions(desk: Desk) -> None:
    ruled(desk, PROTECTED)
    desk.apply(write(".slip.toml", ""))
    desk.apply_refused("policy", write(".github/x", "x\n"))


def test_a_base_older_than_the_rules_counts_for_nothing(desk: Desk) -> None:
    desk.begin("old")
    desk.lab.commit({".slip.toml": PROTECTED})
    desk.apply_refused("policy", write("x.lock", "x\n"))


def test_while_the_branch_is_not_there_the_base_rules(desk: Desk) -> None:
    ruled(desk, PROTECTED)
    desk.call("abort")
    desk.begin("t", onto="later")
    desk.apply_refused("policy", write("x.lock", "x\n"))


def test_a_broken_file_of_rules_is_told_at_once(desk: Desk) -> None:
    ruled(desk, "[policy\n")
    fault = desk.apply_refused("policy", write("x", "x\n"))
    assert str(fault.hint).startswith("git show ")


def test_a_session_that_may_not_be_undone_is_none(desk: Desk) -> None:
    ruled(desk, "")
    desk.apply(write("x.lock", "x\n"))
    desk.lab.commit({".slip.toml": PROTECTED})
    desk.commit_refused("policy")
    desk.call("undo")
    assert desk.commit("m")["committed"] is False


# Limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "fits", "too_much"),
    [
        ("max_files = 2", [write("x", "1\n"), write("y", "1\n")], [write("z", "1\n")]),
        ("max_lines = 3", [write("x", "1\n2\n3\n")], [write("x", "1\n2\n3\n4\n")]),
        ("max_lines = 2", [replace("src/a.txt", "two", "2")], [replace("src/a.txt", "one", "1")]),
        ("max_bytes = 6", [write("x", "12345\n")], [write("y", "1\n")]),
        ("max_bytes = 4", [write("x", b"\0\1\2\3")], [write("x", b"\0\1\2\3\4")]),
        ("max_file_bytes = 14", [write("x", "x" * 14)], [write("x", "x" * 15)]),
        ("max_files = 0", [], [write("x", "")]),
    ],
)
def test_a_session_may_change_so_much(
    desk: Desk, rule: str, fits: list[Free], too_much: list[Free]
) -> None:
    ruled(desk, f"[policy]\n{rule}\n")
    if fits:
        desk.apply(*fits)
    before = desk.lab.refs()
    fault = desk.apply_refused("policy", *too_much)
    key, most = rule.split(" = ")
    assert fault.data["rule"] == key
    assert fault.data["limit"] == int(most)
    assert int(str(fault.data["count"])) > int(most)
    assert desk.lab.refs() == before
    if fits:
        desk.commit("m")


@pytest.mark.parametrize("rule", ["max_files = 1", "max_lines = 1", "max_bytes = 3"])
def test_limits_hold_for_captures_and_runs(desk: Desk, rule: str) -> None:
    lab = ruled(desk, f"[policy]\n{rule}\n").lab
    lab.write("src/a.txt", "one more\nand more\n")
    lab.write("b", "much of it\n")
    desk.refused("policy", "capture", paths=("src/a.txt", "b"))
    command = ("sh", "-c", "echo 12345 > n; echo 12345 > m")
    desk.refused("policy", "run", command=command, capture=True)


def test_a_session_over_a_limit_may_shrink_and_not_land(desk: Desk) -> None:
    ruled(desk, "")
    desk.apply(write("x", "1\n"), write("y", "1\n"), write("z", "1\n"))
    desk.lab.commit({".slip.toml": "[policy]\nmax_files = 1\n"})
    fault = desk.commit_refused("policy")
    assert fault.data["count"] == 3
    desk.apply_refused("policy", write("w", "1\n"))
    desk.apply(delete("x"))
    desk.apply(delete("y"), write("z", "2\n"))
    assert desk.commit("m")["committed"]


def test_a_large_file_may_stay_and_shrink_and_move(desk: Desk) -> None:
    ruled(desk, "[policy]\nmax_file_bytes = 10\n")
    desk.apply(replace("src/a.txt", "one", "ONE"))
    desk.apply(move("src/a.txt", "b.txt"))
    desk.apply_refused("policy", replace("b.txt", "two", "two and more"))
    desk.commit("m")


LARGE = "[policy]\nmax_file_bytes = 10\n"


@pytest.mark.parametrize(
    ("went", "came", "refused"),
    [
        ({"a": 50}, {"b": 50}, None),
        ({"a": 50}, {"b": 20, "c": 20}, "c"),
        ({"a": 50}, {"b": 20, "c": 30}, "b"),  # it makes up for the larger one
        ({"a": 50, "aa": 20}, {"b": 20, "c": 30}, None),
        ({"a": 50, "aa": 20}, {"b": 30, "c": 30}, "c"),
        ({"a": 50, "aa": 60}, {"b": 50, "c": 60, "d": 50}, "d"),
        ({"a": 5}, {"b": 11}, "b"),
        ({}, {"b": 10}, None),
    ],
)
def test_one_large_file_that_goes_makes_up_for_one_that_comes(
    desk: Desk, went: dict[str, int], came: dict[str, int], refused: str | None
) -> None:
    desk.lab.commit({name: name[0] * size for name, size in went.items()})
    ruled(desk, LARGE)
    ops = [*map(delete, went), *(write(name, name * size) for name, size in came.items())]
    if refused is None:
        desk.apply(*ops)
        desk.commit("m")
    else:
        fault = desk.apply_refused("policy", *ops)
        assert fault.message.startswith(f"{refused} would have {came[refused]} bytes")


def test_the_same_file_elsewhere_is_the_one_that_went(desk: Desk) -> None:
    """Not a smaller one that comes, too: that is the one to be named."""
    desk.lab.commit({"a": "a" * 50})
    ruled(desk, LARGE)
    fault = desk.apply_refused("policy", move("a", "z"), write("b", "b" * 49), write("c", "c" * 51))
    assert fault.message.startswith("b would have 49 bytes")


def test_a_rule_that_came_later_holds_at_landing(desk: Desk) -> None:
    ruled(desk, "")
    desk.apply(write("x", "x" * 50))
    desk.lab.commit({".slip.toml": "[policy]\nmax_file_bytes = 10\n"})
    before, refs = desk.lab.snapshot(), desk.lab.refs()
    fault = desk.commit_refused("policy")
    assert fault.data["rule"] == "max_file_bytes"
    desk.commit_refused("policy", check=False)
    assert (desk.lab.snapshot(), desk.lab.refs()) == (before, refs)


def test_rules_of_a_branch_bind_a_resolution(desk: Desk) -> None:
    lab: Lab = ruled(desk, "[policy]\nmax_lines = 4\n").lab
    desk.apply(replace("src/a.txt", "two", "2"))
    lab.commit({"src/a.txt": "one\nTWO\nthree\n"})
    desk.call("rebase", session="s")
    content = "\n".join("abcdefgh").encode()
    values: dict[str, Free] = {"session": "s", "path": "src/a.txt", "content": content}
    desk.refused("policy", "resolve", **values)
    desk.call("resolve", **(values | {"content": b"one\n2\nthree\n"}))
    desk.commit("m", session="s")
