"""Many clones that land on one branch at once, through a real web server; against plain git.

    python -m bench.sharing [--clones 20] [--works 10] [--kill] [--ways plain,slip,…]

Each clone has so many works, one new file each. git-http-backend stands behind lighttpd, on this
machine, as do all clones. Ways to land them:

- plain: commit, then `git pull --rebase && git push` until both succeed, work by work
- slip: `slip commit --push origin`, work by work, sessions staged before
- plain-together: all works committed, then one such loop
- slip-together: `slip land --all --push origin`

What must be, after each way: every work is in the branch's history exactly once, the history is
linear, every command ended well the first time it was called (but for the loops of plain git), and
all repositories are sound. With --kill the server is killed every few seconds with all that it
runs, and started again after a while; plain git is not put through that.

Prints a line of JSON for each way, and the ratios. Exit status 1 where anything is otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.git import environment, git, line
from bench.installed import SOURCE, install
from tests.children import Children
from tests.gitservers import Web

WAYS = ("plain", "slip", "plain-together", "slip-together")
FILES = 300
UP_S = (1.5, 4.0)
DOWN_S = (0.3, 1.0)
# For a loop of plain git that loses and loses.
MOST_ROUNDS = 2000


class Plan(NamedTuple):
    clones: int
    works: int
    kill: bool
    seed: int
    slip: Sequence[str]


class Outcome(NamedTuple):
    """seconds: from the first command to the last. rounds: `git pull` and push, of all clones."""

    way: str
    seconds: float
    landed: int
    kills: int
    rounds: int
    slowest_s: float
    fastest_s: float
    faults: list[str]

    @property
    def rate(self) -> float:
        return self.landed / self.seconds


def run(way: str, plan: Plan, room: Path) -> Outcome:
    """One way, in an empty directory."""
    children = Children()
    web = Web(room / "web", room / "served", children)
    web.start()
    try:
        places = _prepared(way, plan, web, room)
        return _raced(way, plan, web, places)
    finally:
        children.end()


def _prepared(way: str, plan: Plan, web: Web, room: Path) -> list[Path]:
    """The shared repository, and clones whose works wait to land."""
    hub = web.root / "hub.git"
    git(room, "init", "--quiet", "--bare", "--initial-branch=main", str(hub))
    first = room / "first"
    git(room, "init", "--quiet", "--initial-branch=main", str(first))
    for number in range(FILES):
        path = first / f"dir{number % 10}" / f"file{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n" * 20)
    git(first, "add", ".")
    git(first, "commit", "--quiet", "--message=first")
    git(first, "push", "--quiet", str(hub), "main")
    places = []
    for number in range(plan.clones):
        place = room / f"c{number}"
        git(room, "clone", "--quiet", web.url("hub.git"), str(place))
        git(place, "config", "gc.auto", "0")
        for work in _works(plan, number):
            if way.startswith("slip"):
                _slip(plan, place, "begin", work, "--title", work)
                _slip(plan, place, "write", f"works/{work}", "-s", work, given=work.encode())
        places.append(place)
    return places


def _works(plan: Plan, clone: int) -> list[str]:
    return [f"w{clone}-{number}" for number in range(plan.works)]


def _slip(plan: Plan, place: Path, *arguments: str, given: bytes = b"") -> None:
    """Raises RuntimeError with what it said where it does not end well."""
    done = subprocess.run(
        [*plan.slip, *arguments],
        cwd=place, input=given, capture_output=True, check=False, env=environment(),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{arguments} in {place.name}: {done.stderr.decode()}")


def _raced(way: str, plan: Plan, web: Web, places: Sequence[Path]) -> Outcome:
    """All clones at once, each in a thread of its own that starts processes."""
    faults: list[str] = []
    took: list[float] = []
    rounds: Counter[int] = Counter()
    ready = threading.Barrier(plan.clones + 1)

    def one(number: int) -> None:
        ready.wait()
        began = time.perf_counter()
        try:
            rounds[number] = _land(way, plan, places[number], _works(plan, number))
        except RuntimeError as fault:
            faults.append(str(fault))
        took.append(time.perf_counter() - began)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(plan.clones)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    kills = _killed(web, threads, plan.seed) if plan.kill and way.startswith("slip") else 0
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    landed, found = _judged(plan, web.root / "hub.git", places)
    return Outcome(
        way, seconds, landed, kills, sum(rounds.values()), max(took), min(took), [*faults, *found]
    )


def _killed(web: Web, threads: Sequence[threading.Thread], seed: int) -> int:
    """Kill the server and start it again as long as anybody works; how often."""
    chance = random.Random(seed)  # noqa: S311
    kills = 0
    while True:
        until = time.monotonic() + chance.uniform(*UP_S)
        while time.monotonic() < until:
            if not any(thread.is_alive() for thread in threads):
                return kills
            time.sleep(0.02)
        web.kill()
        kills += 1
        time.sleep(chance.uniform(*DOWN_S))
        web.start()


def _land(way: str, plan: Plan, place: Path, works: Sequence[str]) -> int:
    """Land one clone's works; how often it pulled and pushed, where it did so itself."""
    if way == "slip-together":
        _slip(plan, place, "land", "--all", "--push", "origin")
        return 0
    if way == "slip":
        for work in works:
            _slip(plan, place, "commit", "-s", work, "--push", "origin")
        return 0
    rounds = 0
    for number, work in enumerate(works, 1):
        (place / "works").mkdir(exist_ok=True)
        (place / "works" / work).write_text(work)
        git(place, "add", "works")
        git(place, "commit", "--quiet", f"--message={work}")
        if way == "plain" or number == len(works):
            rounds += _pulled_and_pushed(place)
    return rounds


def _pulled_and_pushed(place: Path) -> int:
    """`until git pull --rebase && git push; do :; done`; how many rounds it took."""
    for number in range(1, MOST_ROUNDS):
        for command in (("pull", "--quiet", "--rebase"), ("push", "--quiet")):
            done = subprocess.run(
                ["git", "-C", str(place), *command],
                capture_output=True, check=False, env=environment(),
            )  # fmt: skip
            if done.returncode:
                break
        else:
            return number
    raise RuntimeError(f"{place.name} lost {MOST_ROUNDS} times")


def _judged(plan: Plan, hub: Path, places: Sequence[Path]) -> tuple[int, list[str]]:
    """How many works have landed, and all that is not as it must be."""
    subjects = git(hub, "log", "--format=%s", "main").decode().split()
    counts = Counter(subjects)
    wanted = [work for number in range(plan.clones) for work in _works(plan, number)]
    faults = [f"{work} is there {counts[work]} times" for work in wanted if counts[work] != 1]
    faults += [f"{other} is nobody's" for other in counts if other not in {*wanted, "first"}]
    if line(hub, "rev-list", "--count", "--min-parents=2", "main") != "0":
        faults.append("the history is not linear")
    for place in (hub, *places):
        try:
            git(place, "fsck", "--strict", "--no-dangling", "--no-progress")
        except subprocess.CalledProcessError:
            faults.append(f"git fsck in {place.name}")
    for place in places:
        left = git(place, "for-each-ref", "refs/slip/sessions/").decode().split()
        if left or git(place, "status", "--porcelain") or any(place.glob(".git/slip/pushes/*")):
            faults.append(f"{place.name} needs help")
    return len(set(subjects) & set(wanted)), faults


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sharing")
    parser.add_argument("--clones", type=int, default=20)
    parser.add_argument("--works", type=int, default=10, help="of each clone")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--kill", action="store_true", help="kill and start the server meanwhile")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", action="store_true", help="slip as it lies here, not installed")
    parser.add_argument("--room", type=Path, help="where the repositories are made")
    asked = parser.parse_args(arguments)
    rates: dict[str, float] = {}
    failed = False
    with tempfile.TemporaryDirectory(prefix="slip-sharing-", dir=asked.room) as name:
        room = Path(name)
        code = (
            f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import slipstream_git.__main__ as m"
        )
        slip = [sys.executable, "-P", "-c", f"{code}; sys.exit(m.main())"]
        if not asked.source:
            slip = [str(install(room).slip)]
        plan = Plan(asked.clones, asked.works, asked.kill, asked.seed, slip)
        for way in asked.ways.split(","):
            place = room / way
            place.mkdir()
            done = run(way, plan, place)
            rates[way] = done.rate
            failed = failed or bool(done.faults)
            for fault in done.faults:
                print(fault[:2000])
            print(json.dumps({
                "way": way, "clones": plan.clones, "works": plan.works, "landed": done.landed,
                "seconds": round(done.seconds, 2), "a second": round(done.rate, 2),
                "server kills": done.kills, "pulls": done.rounds,
                "slowest/fastest clone": round(done.slowest_s / done.fastest_s, 2),
            }), flush=True)  # fmt: skip
    for slow, quick in (("plain", "slip"), ("plain-together", "slip-together"),
                        ("plain", "slip-together")):  # fmt: skip
        if slow in rates and quick in rates:
            print(f"{quick} / {slow}: {rates[quick] / rates[slow]:.2f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
