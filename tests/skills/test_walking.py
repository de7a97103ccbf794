"""Runs of skills: gone on with, begun anew, stopped; what they never do."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from tests.desk import Desk, Free, Json, write
from tests.lab import Lab, typed
from tests.skills.scenarios import gated
from tests.skills.walks import step

SKILL = ".slip/skills/mine/SKILL.md"
HEAD = """\
---
name: mine
description: Does a thing.
---

## When to use

- Whenever.

## Guardrails

- Never else.

"""


@pytest.fixture
def desk(repo: Lab) -> Desk:
    return Desk(repo, "git")


def own(desk: Desk, body: str) -> dict[str, object]:
    """A skill of the repository, and what runs it."""
    desk.lab.commit({SKILL: HEAD + body})
    return {"skill": "mine", "trust": desk.lab.oid(f"HEAD:{SKILL}")}


def run(desk: Desk, mine: dict[str, object], *said: str, **values: Free) -> Json:
    return step(desk, str(mine["skill"]), *said, trust=mine["trust"], **values)


@pytest.fixture
def work(desk: Desk) -> Desk:
    gated(desk)
    desk.begin("work")
    desk.apply(write("src/b.py", "SOUND = 1\n"))
    return desk


def place(desk: Desk, source: str = "slip", name: str = "land-safely@work") -> Path:
    return desk.lab.common_dir / "slip/skills" / source / f"{name}.json"


def test_a_run_stops_where_somebody_has_to_look(work: Desk) -> None:
    answer = step(work, "land-safely", "message=Add b")
    rows = [(row["step"], row["kind"], row["status"]) for row in answer["steps"]]
    assert rows == [
        (1, "run", "done"), (2, "gate", "green"), (3, "gate", "green"), (4, "do", "waiting"),
    ]  # fmt: skip
    assert (answer["next"], answer["done"], answer["session"]) == (5, False, "work")
    assert answer["again"] == "slip skills run land-safely -s work"
    assert len(answer["guardrails"]) == 3
    gates = answer["steps"][2]["answers"][0]["value"]["gates"]
    assert [(row["name"], row["status"]) for row in gates] == [("tests", "green")]
    assert oct(place(work).stat().st_mode & 0o777) == "0o600"
    last = step(work, "land-safely")
    assert [row["step"] for row in last["steps"]] == [5]
    assert (last["done"], last["asked_again"], "guardrails" in last) == (True, [2, 3], False)
    assert work.lab.message() == "Add b\n"
    assert not place(work).exists()


def test_as_it_is_typed(work: Desk) -> None:
    reply = work.lab.slip("skills", "run", "land-safely", "--set", "message=Add b")
    assert "1. run: What would land, file by file.\n   $ slip diff -s work --stat\n" in reply.text
    assert "   gate tests: green" in reply.text
    assert reply.text.endswith("then go on: slip skills run land-safely -s work\n")
    typed(reply.text.rpartition("then go on: ")[2].strip(), work.lab.path)
    assert work.lab.message() == "Add b\n"


def test_a_red_gate_as_it_is_typed(work: Desk) -> None:
    work.apply(write("src/c.py", "BROKEN\n"), session="work")
    words = ("skills", "run", "land-safely", "--set", "message=Add b")
    reply = work.lab.slip(*words, expect=4)
    assert b"slip: gate-failed: land-safely, step 3 (gate): gate tests is red" in reply.err
    assert b"  gate tests: red, 1.0 s" in reply.err or b"  gate tests: red" in reply.err
    error = work.lab.slip_json("skills", "run", "land-safely", expect=4).error
    assert error["data"]["again"] == "slip skills run land-safely -s work"


def test_a_value_that_is_missing_is_asked_for_where_it_is_wanted(work: Desk) -> None:
    fault = work.refused("usage", "skills", action="run", name="land-safely")
    assert fault.hint == "slip skills run land-safely -s work --set message=VALUE"
    assert fault.data["step"] == 2
    assert step(work, "land-safely", "message=x")["next"] == 5


def test_what_is_said_wrongly(work: Desk) -> None:
    for said in (("massage=x",), ("message",), ("=x",)):
        work.refused("usage", "skills", action="run", name="land-safely", set=said)
    for number in (0, 6, -1):
        run = {"action": "run", "name": "land-safely", "from_step": number}
        work.refused("out-of-range", "skills", **run)
    work.refused("usage", "skills", action="dance")
    work.refused("usage", "skills", action="run")
    work.refused("usage", "skills", action="show")
    work.refused("usage", "skills", action="list", session="work")
    fault = work.refused("missing", "skills", action="run", name="land-safly")
    assert fault.hint == "slip skills show land-safely"
    work.refused("missing", "skills", action="show", name="../../x")


def test_a_session_that_is_wanted(desk: Desk) -> None:
    gated(desk)
    desk.refused("session-required", "skills", action="run", name="land-safely")
    desk.refused("session-missing", "skills", action="run", name="land-safely", session="work")


def test_gates_that_are_wanted(desk: Desk) -> None:
    desk.begin("a")
    fault = desk.refused("usage", "skills", action="run", name="red-union", set=("sessions=a",))
    assert "defines none" in fault.message


def test_a_session_of_the_same_name_is_another_run(work: Desk) -> None:
    step(work, "land-safely", "message=x")
    assert json.loads(place(work).read_text())["next"] == 5
    work.call("abort", session="work")
    work.begin("work", title="another")
    work.apply(write("src/c.py", "SOUND\n"), session="work")
    answer = step(work, "land-safely", "message=x")
    assert [row["step"] for row in answer["steps"]] == [1, 2, 3, 4]


def test_a_rebased_session_is_the_same_run(work: Desk) -> None:
    step(work, "land-safely", "message=x")
    work.lab.commit({"docs/x": "x\n"})
    work.call("rebase", session="work")
    assert step(work, "land-safely")["done"]


def test_a_state_that_is_broken_begins_anew(work: Desk) -> None:
    step(work, "land-safely", "message=x")
    for text in ("", "{", "[]", '{"format":9}', '{"format":1,"oid":1}', '{"format":1,"odd":1}'):
        place(work).write_text(text)
        answer = step(work, "land-safely", "message=x")
        assert [row["step"] for row in answer["steps"]] == [1, 2, 3, 4]


def test_a_skill_that_reads_otherwise_by_now(desk: Desk) -> None:
    steps = "## Steps\n\n1. **Do.** This.\n2. **Gate.** Sound.\n\n   ```sh\n   slip list\n   ```\n"
    mine = own(desk, steps)
    assert run(desk, mine)["next"] == 2
    mine = own(desk, steps.replace("This", "That"))
    values = {"action": "run", "name": "mine", "trust": mine["trust"]}
    fault = desk.refused("stale", "skills", **values)
    assert "--from-step 1" in str(fault.hint)
    typed(fault.hint, desk.lab.path)
    assert run(desk, mine)["done"]


def test_two_do_not_walk_the_same_run(work: Desk) -> None:
    step(work, "land-safely", "message=x")
    with (place(work).parent / f"{place(work).name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        work.refused("locked", "skills", action="run", name="land-safely")
    assert step(work, "land-safely")["done"]


def test_a_gate_that_asks_several_times(desk: Desk, tmp_path: Path) -> None:
    """Green twice, red the third time: as a test that depends on luck."""
    count = tmp_path / "count"
    gate = f"echo x >> {count}; test $(wc -l < {count}) -ne 3"
    desk.lab.commit({".slip.toml": f"[gate.luck]\nrun = {json.dumps(gate)}\n"})
    mine = own(
        desk,
        "## Requires\n\n- `session`: it.\n\n## Steps\n\n1. **Gate: 4 times.** Sound.\n\n"
        "   ```sh\n   slip check --rerun\n   ```\n",
    )
    desk.begin("work")
    values = {"action": "run", "name": "mine", "trust": mine["trust"]}
    fault = desk.refused("gate-failed", "skills", **values)
    assert "(time 3 of 4)" in fault.message
    assert len(run(desk, mine)["steps"][0]["answers"]) == 4


def test_what_landed_settles_the_gates_before_it(work: Desk) -> None:
    mine = own(
        work,
        "## Requires\n\n- `session`: it.\n\n## Steps\n\n"
        "1. **Gate.** Sound.\n\n   ```sh\n   slip check\n   ```\n\n"
        "2. **Run.** Land.\n\n   ```sh\n   slip commit -m x --keep\n   ```\n\n"
        "3. **Do.** Look.\n4. **Gate.** Still.\n\n   ```sh\n   slip list\n   ```\n",
    )
    assert run(work, mine, session="work")["next"] == 4
    # Red by now, and landed is landed.
    work.apply(write("src/c.py", "BROKEN\n"), session="work")
    last = run(work, mine, session="work")
    assert last["done"]
    assert "asked_again" not in last


def test_a_command_that_is_refused(work: Desk) -> None:
    work.lab.commit({"src/b.py": "other\n"})
    fault = work.refused(
        "gate-failed", "skills", action="run", name="land-safely", set=("message=x",)
    )
    assert fault.data["cause"] == "conflict"
    assert fault.data["files"]
    fault = work.refused(
        "session-exists", "skills", action="run", name="codemod", session="work",
        set=("old=a", "new=b", "count=1", "message=x"),
    )  # fmt: skip
    assert fault.data["step"] == 1


def test_searching(desk: Desk) -> None:
    def found(query: str) -> list[str]:
        rows = desk.call("skills", action="list", name=query)["skills"]
        return [row["name"] for row in rows]

    assert found("codemod")[0] == "codemod"
    assert "resolve-conflicts" in found("CONFLICT")
    assert found("red together")[0] == "red-union"
    assert found("xyzzy") == []
    assert desk.lab.slip("skills", "list", "xyzzy").text == "no skill has these words\n"


@pytest.mark.parametrize("kind", ["bare_repo", "unborn_repo", "detached_repo"])
def test_repositories_of_every_kind(request: pytest.FixtureRequest, kind: str) -> None:
    desk = Desk(request.getfixturevalue(kind), "git")
    assert desk.call("skills", action="list")["skills"]
    assert desk.call("skills", action="show", name="codemod")["steps"]


def test_a_server_answers_alike(repo: Lab) -> None:
    """The same operation over libgit2, as a server calls it."""
    ours, theirs = (Desk(repo, store).call("skills", action="list") for store in ("git", "libgit2"))
    assert ours == theirs


def test_luck_is_asked_for_in_full_on_every_tree(desk: Desk, tmp_path: Path) -> None:
    """Green three times on one tree says nothing of the next."""
    runs = tmp_path / "runs"
    desk.lab.commit({".slip.toml": f"[gate.luck]\nrun = {json.dumps(f'echo x >> {runs}')}\n"})
    mine = own(
        desk,
        "## Requires\n\n- `session`: it.\n\n## Steps\n\n1. **Gate: 3 times.** Sound.\n\n"
        "   ```sh\n   slip check --rerun\n   ```\n\n2. **Do.** Look.\n3. **Do.** Again.\n",
    )

    def asked() -> int:
        before = runs.read_text().count("x") if runs.exists() else 0
        run(desk, mine, session="work")
        return runs.read_text().count("x") - before

    desk.begin("work")
    desk.apply(write("a", "1\n"))
    assert asked() == 3
    assert asked() == 1  # and so the run is done
    assert asked() == 3
    desk.apply(write("a", "2\n"), session="work")
    assert asked() == 3


def test_the_hint_of_what_should_not_be_found_finds_it(desk: Desk) -> None:
    """In the session that is meant, not in what is checked out."""
    desk.begin("codemod")
    desk.apply(write("a", "old\n"))
    fault = desk.refused(
        "gate-failed", "skills", action="run", name="codemod", from_step=6, set=("old=old",)
    )
    assert fault.hint == "slip search -s codemod --fixed --word -- old"
    typed(fault.hint, desk.lab.path)
