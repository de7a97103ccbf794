"""One swarm: a repository, its agents (threads that start processes), gc, the verdict."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from bench.git import environment, git
from bench.swarm import judging
from bench.swarm.agents import Agent, World
from bench.swarm.calls import Caller, Staying
from bench.swarm.worktrees import BranchAgent, WorktreeAgent

WORDS = ("LOST", "DUP", "REVERT", "PHANTOM", "TORN", "LIED", "TOUCHED", "RECALLED")
_PERSONS = {"person.txt": "mine, and not committed\n", "untracked.txt": "mine\n",
            "ignored.o": "mine\n"}  # fmt: skip


class Plan(NamedTuple):
    """How many agents, works of each, how likely a call is killed; ``kind``: see the package."""

    agents: int
    works: int
    seed: int
    kind: str = "sessions"
    kill: float = 0.2
    gc: bool = True
    shared: int = 4


class Verdict(NamedTuple):
    """faults: all that must not be. The rest tells how much was tried."""

    faults: list[str]
    counts: dict[str, int]
    seconds: float
    slowest: float
    done: dict[str, int]

    @property
    def words(self) -> dict[str, int]:
        found = Counter(fault.split(" ")[0] for fault in self.faults)
        return {word: found[word] for word in dict.fromkeys([*WORDS, *found])}


def run(plan: Plan, room: Path) -> Verdict:
    """Let them work in a new repository below ``room``, and judge."""
    world = World(room / "repo", max(3, plan.agents // 4), plan.shared)
    _make(world, plan)
    agents = [_agent(world, plan, number) for number in range(1, plan.agents + 1)]
    before = git(world.repository, "status", "--porcelain", "--ignored")
    start = time.monotonic()
    threads = [threading.Thread(target=agent.run, args=(plan.works,)) for agent in agents]
    for thread in threads:
        thread.start()
    cleanings = 0
    while any(thread.is_alive() for thread in threads):
        if plan.gc:
            with world.quiet.alone() if plan.kind == "worktrees" else nullcontext():
                cleanings += _clean(world)
        time.sleep(0.3)
    seconds = time.monotonic() - start
    faults = _afterwards(world, before) + judging.judge(world)
    times = [agent.seconds for agent in agents]
    fates = Counter(work.fate for work in world.works.values())
    counts = {"agents": plan.agents, "works": len(world.works), "landed": fates["landed"],
              "aborted": fates["aborted"], "calls": sum(a.caller.calls for a in agents),
              "killed": sum(a.caller.killed for a in agents), "gc": cleanings}  # fmt: skip
    done = sum((Counter(agent.done) for agent in agents), Counter[str]())
    return Verdict(faults, counts, seconds, max(times) / min(times), dict(sorted(done.items())))


def _make(world: World, plan: Plan) -> None:
    place = world.repository
    place.mkdir()
    git(place, "init", "--quiet", "--initial-branch=main", "--template=")
    git(place, "config", "gc.auto", "0")
    git(place, "config", "gc.reflogExpire", "never")
    for directory in ("shared", "own"):
        (place / directory).mkdir()
    for number in range(plan.shared):
        rows = [f"== {n} ==\ntok-000-{number * 1000 + n:04}\n\n" for n in range(world.anchors)]
        (place / f"shared/{number}.txt").write_text("".join(rows))
    for number in range(1, plan.agents + 1):
        (place / f"own/{number:03}.txt").write_text("start\n")
    (place / "person.txt").write_text("theirs\n")
    (place / ".gitignore").write_text("*.o\n")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", "root")
    for name, text in _PERSONS.items():
        (place / name).write_text(text)


def _agent(world: World, plan: Plan, number: int) -> Agent:
    dice = random.Random(plan.seed * 1000 + number)  # noqa: S311
    store = "libgit2" if number % 2 else "git"
    stays = plan.kind == "sessions" and number % 3 == 0
    caller = (Staying if stays else Caller)(world.repository, dice, plan.kill, store)
    if plan.kind == "sessions":
        return Agent(world, number, caller, dice)
    kind = WorktreeAgent if number % 4 < 2 else BranchAgent
    return kind(world, number, caller, dice)


def _clean(world: World) -> int:
    """gc at its most hostile. It may meet a ref that moves; that is its affair."""
    done = [
        subprocess.run(
            ["git", "-C", str(world.repository), *words], check=False, env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ).returncode
        for words in (("pack-refs", "--all"), ("gc", "--quiet", "--prune=now"))
    ]  # fmt: skip
    return int(done[-1] == 0)


def _afterwards(world: World, before: bytes) -> list[str]:
    """What a person finds when all are done, after one `slip recover` and one `slip gc`."""
    caller = Caller(world.repository, random.Random(0), 0, "git")  # noqa: S311
    faults = []
    for name in ("recover", "gc"):
        answer = caller.call(name, safe=True)
        faults += [] if answer.is_ok else [f"REFUSED {name}: {answer.value}"]
    faults += [f"LEFT {path}" for path in judging.left_behind(world.repository)]
    listed = caller.call("list", safe=True).value or {}
    faults += [f"OPEN {row['session']}" for row in listed["sessions"]]
    checks = (caller.call("doctor", safe=True).value or {})["checks"]
    faults += [f"DOCTOR {row}" for row in checks if row["status"] == "fail"]
    after = git(world.repository, "status", "--porcelain", "--ignored")
    if after != before:
        faults.append(f"TOUCHED worktree: {after!r}, not {before!r}")
    for name, text in _PERSONS.items():
        if (world.repository / name).read_text() != text:
            faults.append(f"TOUCHED {name}")
    said = judging.fsck(world.repository)
    return faults + ([f"FSCK {said}"] if said else [])
