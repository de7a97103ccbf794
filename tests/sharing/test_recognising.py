"""Work that the branch there has already, squashed by a forge; and what gates say of a queue."""

from __future__ import annotations

import pytest

from tests.gates import COUNTED, gates, times
from tests.lab import Ground, Lab
from tests.sharing.hubs import Hub, push, staged
from tests.sharing.test_pushing import sessions

LINES = "".join(f"{number}\n" for number in range(9))


def squashed(hub: Hub, *, goes_on: bool) -> tuple[Lab, str]:
    """A clone with a session whose work somebody has merged there, and perhaps gone on from."""
    hub.commit({"lines": LINES}, "lines")
    one = hub.clone("one")
    staged(one, "s1", LINES.replace("4", "mine"), "lines")
    staged(one, "s2")
    merged = hub.commit({"lines": LINES.replace("4", "mine")}, "Do s1 (#7)")
    if goes_on:
        hub.commit({"lines": LINES.replace("4", "gone on")}, "more")
    return one, merged


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("command", ["commit", "series", "land", "atomic"])
def test_it_is_closed_as_landed(hub: Hub, command: str, *, goes_on: bool) -> None:
    one, merged = squashed(hub, goes_on=goes_on)
    before = hub.lab.oid("main")
    if command in ("commit", "series"):
        done = push(one, "s1", *(["--series"] if command == "series" else [])).json
        assert hub.lab.oid("main") == before
        assert sessions(one) == ["s2"]
    else:
        words = ["--atomic"] if command == "atomic" else []
        reply = one.slip_json("land", "--all", "--push", "origin", *words, expect=None)
        if command == "atomic" and goes_on:
            # What collides lets none of them land; asked once more it is out of the way.
            reply = one.slip_json("land", "--all", "--push", "origin", *words)
            assert hub.subjects()[-1] == "Do s2"
            assert sessions(one) == []
            return
        [done] = [row for row in reply.json["skipped"] if row["session"] == "s1"]
        assert hub.subjects()[-1] == "Do s2"
        assert sessions(one) == []
    assert (done["already"], done["committed"], done["commit"]) == (True, False, merged)


def test_a_dry_run_only_tells(hub: Hub) -> None:
    one, merged = squashed(hub, goes_on=True)
    reply = push(one, "s1", "--dry-run").json
    assert (reply["already"], reply["commit"]) == (True, merged)
    assert sessions(one) == ["s1", "s2"]


def test_gates_judge_each_of_a_queue_by_itself(hub: Hub, ground: Ground) -> None:
    """With --push also under --check: nothing is halved, and what is red stays open."""
    runs = ground.place / "runs"
    hub.commit({".slip.toml": gates(a=COUNTED)}, "gates")
    one = hub.clone("one")
    for name in ("s1", "s2", "s3"):
        staged(one, name, path="bad" if name == "s2" else name)
    env = {"RUNS": str(runs)}
    words = ("land", "--all", "--check", "--push", "origin")
    error = one.slip_json(*words, env=env, expect=4).error
    assert [row["session"] for row in error["data"]["refused"]] == ["s2"]
    assert hub.subjects() == ["gates", "Do s1", "Do s3"]
    assert sessions(one) == ["s2"]
    assert times(runs) == 3
