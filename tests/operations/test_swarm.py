"""Many processes at once on one repository: what was acknowledged is there, exactly once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.swarm import judging
from bench.swarm.agents import Agent, Work, World
from bench.swarm.calls import Caller
from bench.swarm.effects import Effect
from bench.swarm.running import Plan, run
from tests.children import Children, Started
from tests.desk import STORES, Desk, write
from tests.lab import Lab, slip_command, slip_environment

Env = dict[str, str]


def start(children: Children, lab: Lab, *arguments: str, env: Env) -> Started:
    return lab.start(children, "--json", *arguments, env=env, out=subprocess.PIPE)


def landing(children: Children, lab: Lab, count: int, env: Env) -> list[Started]:
    """Landings of sessions n0, n1, … under way."""
    names = [f"n{number}" for number in range(count)]
    return [start(children, lab, "commit", "-s", n, "-m", f"land {n}", env=env) for n in names]


def answers(running: list[Started]) -> list[dict[str, object]]:
    """What all of them said, every one of them with exit status 0."""
    found = []
    for child in running:
        out, err = child.communicate(timeout=300)
        assert child.returncode == 0, (out, err)
        found.append(json.loads(out))
    return found


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def env(store: str) -> Env:
    """Which object store the processes use."""
    return {"SLIP_STORE": store}


def stage(lab: Lab, count: int) -> None:
    """Sessions n0, n1, …, each of which adds a file of its own."""
    desk = Desk(lab, "git")
    for number in range(count):
        desk.begin(f"n{number}")
        desk.apply(write(f"f{number}", f"{number}\n"), session=f"n{number}")


APPLIES = """
import subprocess, sys
worker, command = sys.argv[1], sys.argv[2:]
for number in range(5):
    op = '[{"op":"write","path":"w%s/%d","content":"x"}]' % (worker, number)
    done = subprocess.run([*command, "apply", "-s", "work", "-"], input=op.encode())
    sys.exit(1) if done.returncode else None
"""


def test_ten_workers_apply_to_one_session(repo: Lab, env: Env, children: Children) -> None:
    repo.slip("begin", "work")
    running = [
        children.start(
            [sys.executable, "-c", APPLIES, str(worker), *slip_command()],
            cwd=repo.path, env=slip_environment(env), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for worker in range(10)
    ]  # fmt: skip
    for child in running:
        out, err = child.communicate(timeout=300)
        assert child.returncode == 0, (out, err)
    tip = "refs/slip/sessions/work"
    found = {path for path in repo.tree(tip) if path.startswith("w")}
    assert found == {f"w{worker}/{number}" for worker in range(10) for number in range(5)}
    assert repo.git("rev-list", "--count", f"main..{tip}") == "51"
    steps = repo.slip_json("log", "-s", "work").json["steps"]
    assert [row["step"] for row in steps] == list(range(1, 51))


def test_twenty_begin_at_once(repo: Lab, env: Env, children: Children) -> None:
    said = answers([start(children, repo, "begin", env=env) for _ in range(20)])
    assert {row["session"] for row in said} == {f"s{number}" for number in range(1, 21)}
    assert len(repo.refs("refs/slip/sessions/")) == 20


def test_one_name_is_begun_once(repo: Lab, env: Env, children: Children) -> None:
    running = [start(children, repo, "begin", "work", env=env) for _ in range(8)]
    codes = []
    for child in running:
        out, _ = child.communicate(timeout=300)
        codes.append(json.loads(out).get("error", {}).get("code"))
    assert sorted(codes, key=str) == sorted([None] + ["session-exists"] * 7, key=str)


def test_twenty_land_on_one_branch(repo: Lab, env: Env, children: Children) -> None:
    repo.write("mine", "untracked\n")
    stage(repo, 20)
    said = answers(landing(children, repo, 20, env))
    assert repo.git("rev-list", "--count", "main") == "21"
    listed = set(repo.git("rev-list", "main").splitlines())
    assert {row["commit"] for row in said} < listed
    assert len({row["commit"] for row in said}) == 20
    assert {path for path in repo.tree() if path.startswith("f")} == {f"f{n}" for n in range(20)}
    assert repo.git("status", "--porcelain") == "?? mine"
    assert len(repo.git("notes", "--ref=slip/landed", "list").splitlines()) == 20
    assert repo.refs("refs/slip/sessions/") == {}


def test_landings_among_plain_commits(bare_repo: Lab, env: Env, children: Children) -> None:
    """Somebody else moves the branch with git while sessions land."""
    stage(bare_repo, 6)
    running = landing(children, bare_repo, 6, env)
    others = 0
    while any(child.poll() is None for child in running):
        head = bare_repo.oid("main")
        tree = f"{head}^{{tree}}"
        commit = bare_repo.git("commit-tree", tree, "-p", head, "-m", f"other {others}")
        moved = bare_repo.git("update-ref", "refs/heads/main", commit, head, expect=None)
        others += moved == ""
        time.sleep(0.2)
    answers(running)
    assert {f"f{n}" for n in range(6)} < set(bare_repo.tree("main"))
    subjects = bare_repo.git("log", "--format=%s", "main").splitlines()
    assert sum(subject.startswith("land n") for subject in subjects) == 6


# Agents in each other's way, killed, with gc meanwhile (what is judged: bench/swarm) --------------


@pytest.mark.parametrize("kind", ["sessions", pytest.param("worktrees", marks=pytest.mark.slow)])
def test_a_small_swarm(kind: str, tmp_path: Path) -> None:
    verdict = run(Plan(agents=5, works=1, seed=1, kind=kind, shared=1), tmp_path)
    assert verdict.faults == []
    assert verdict.counts["landed"] + verdict.counts["aborted"] == verdict.counts["works"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", ["sessions", "worktrees"])
def test_a_swarm(kind: str, seed: int, tmp_path: Path) -> None:
    verdict = run(Plan(agents=20, works=3, seed=seed, kind=kind), tmp_path)
    assert verdict.faults == []
    assert verdict.counts["killed"]
    assert verdict.done["conflicting rebase"]


PATH = "shared/0.txt"
SEED, OURS, OTHERS = "tok-000-0001", "tok-001-0001", "tok-002-0001"


@pytest.fixture
def landed(repo: Lab) -> World:
    """A branch on which two sessions landed, one of them putting its token for the first's."""
    world = World(repo.path, 3, 1)
    effects = {
        "seed": Effect().edited(PATH, None, SEED),
        "one": Effect().edited(PATH, SEED, OURS),
        "two": Effect().edited(PATH, None, OTHERS),
    }
    texts = {"seed": [SEED], "one": [OURS], "two": [OURS, OTHERS]}
    for name, effect in effects.items():
        work = world.works[name] = Work(name)
        work.effects, work.fate, work.claimed = [effect], "landed", True
        repo.commit({PATH: "".join(f"{token}\n" for token in texts[name])}, work.title)
    return world


def words(world: World) -> list[str]:
    return [fault.split(" ")[0] for fault in judging.judge(world)]


def test_the_judge_finds_nothing_where_nothing_is(landed: World) -> None:
    assert words(landed) == []


def test_the_judge_finds_what_was_lost(landed: World, repo: Lab) -> None:
    repo.git("reset", "--quiet", "--hard", "main~1")
    assert words(landed) == ["LOST", "LIED"]


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ((OTHERS,), ["REVERT"]),
        ((OURS,), ["LOST"]),
        ((OURS, OTHERS, "tok-003-0001"), ["PHANTOM"]),
        ((OURS, OTHERS, SEED), ["PHANTOM"]),
        ((OURS, OTHERS, OTHERS), ["DUP"]),
    ],
)
def test_the_judge_finds_a_wrong_merge(
    landed: World, repo: Lab, tokens: tuple[str, ...], found: list[str]
) -> None:
    repo.git("reset", "--quiet", "--hard", "main~1")
    repo.commit({PATH: "".join(f"{token}\n" for token in tokens)}, landed.works["two"].title)
    assert words(landed) == found


def test_the_judge_finds_what_nobody_did_or_did_twice(landed: World, repo: Lab) -> None:
    repo.commit({}, "by nobody")
    assert words(landed) == ["PHANTOM"]
    repo.commit({}, landed.works["two"].title)
    assert words(landed)[0] == "DUP"


def test_the_judge_finds_a_session_that_should_not_have_landed(landed: World) -> None:
    landed.works["two"].fate = "aborted"
    landed.works["two"].claimed = False
    assert words(landed) == ["PHANTOM"]


def test_an_agent_that_ends_by_any_fault_says_so(repo: Lab) -> None:
    class Faulty(Agent):
        def work(self, work: Work) -> None:
            raise KeyError(work.name)

    dice = random.Random(1)  # noqa: S311
    world = World(repo.path, 3, 1)
    Faulty(world, 7, Caller(repo.path, dice, 0.0, "git"), dice).run(2)
    assert world.faults == ["BROKEN 7: KeyError('a007-0')"]


def test_an_agent_goes_back_to_before_a_rebase(repo: Lab) -> None:
    """And a path that was decided, and undone, is open when it rebases anew."""
    repo.commit({PATH: f"{SEED}\n", "own/001.txt": ""})
    dice = random.Random(1)  # noqa: S311
    world = World(repo.path, 3, 1)
    agent = Agent(world, 1, Caller(repo.path, dice, 0.0, "git"), dice)
    work = world.works["w"] = Work("w")
    agent.begin(work)
    op = {"op": "str_replace", "path": PATH, "old": SEED, "new": OURS}
    after = Effect().edited(PATH, SEED, OURS)
    agent.change(work, after, "apply", session="w", ops=json.dumps([op]))
    repo.commit({PATH: f"{OTHERS}\n"})
    agent.settle(work)
    assert work.before == ("w@1", after)
    repo.slip("resolve", "-s", "w", "--theirs", PATH, expect=None)  # the agent may have done so
    repo.slip("undo", "-s", "w")
    agent._go_back(work, PATH)
    assert agent.done["rebased anew after an undo"] == 1
    assert world.faults == []
    assert [row["path"] for row in repo.slip_json("resolve", "-s", "w").json["conflicts"]] == [PATH]
