"""Many processes landing on one branch at once: landings a second, as ratios to plain git.

    python bench/many.py [--processes 50] [--landings 4] [--turns 3]

Every process lands its share on ``main``, which no worktree has checked out, and nobody syncs to
the disk. The sides take turns, each in a clone of its own:

- git: a shell loop of `git commit-tree` (the tree stays as it is) and `git update-ref` with the old
  value, again and again until it is not refused. It merges nothing and could not: what it lands is
  an empty commit, the least that a landing can be.
- slip commit: whole commands, on sessions staged beforehand; each adds a file.
- slip exec: whole commands that begin, apply and land.
- in-process: one process each, its sessions staged beforehand; each lands one more to warm up, and
  then these, one after the other.

After every turn the branch must have exactly as many new commits as were landed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import installed, sides, trees
from bench.git import environment, git, line
from bench.installed import Installed

BRANCH = "refs/heads/main"
GATE = 'read gate; for n in $(seq "$1"); do '
GIT_LOOP = (
    GATE
    + """while :; do
    old=$(git rev-parse refs/heads/main)
    new=$(git commit-tree -p "$old" -m "$2 $n" "$old^{tree}")
    git -c core.fsync=none update-ref refs/heads/main "$new" "$old" 2>/dev/null && break
done; done"""
)
COMMITS = GATE + '"$3" commit -s "s$2-$n" -m "$2 $n" --no-sync >/dev/null || exit 1; done'
EXECS = (
    GATE
    # With the shell's own number, so that every turn adds files.
    + """printf '[{"op":"write","path":"landed/%s-%s-%s","content":"x"}]' "$$" "$2" "$n" |
    "$3" exec --ops - --onto main -m "$2 $n" --no-sync >/dev/null || exit 1; done"""
)
# One landing goes before, so that everything it needs is imported.
IN_PROCESS = """
import json, sys
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import open_workspace
import os
count, worker = int(sys.argv[1]), sys.argv[2]
ws = open_workspace(".", os.environ, in_process=True)
begin, apply, commit = map(registry.find, ("begin", "apply", "commit"))
name = f"warm{os.getpid()}"
op = {"op": "write", "path": f"landed/{name}", "content": "x"}
calling.call(begin, ws, {"name": name, "base": "main", "onto": "main"})
calling.call(apply, ws, {"session": name, "ops": json.dumps([op]).encode()})
calling.call(commit, ws, {"session": name, "message": [name], "no_sync": True})
print("ready", flush=True)
sys.stdin.readline()
for n in range(1, count + 1):
    calling.call(commit, ws, {"session": f"s{worker}-{n}", "message": [f"{worker} {n}"],
                              "no_sync": True})
"""


class Load(NamedTuple):
    processes: int
    landings: int


class Contender(NamedTuple):
    """One side: how each of its processes is started, and whether sessions are staged for it."""

    name: str
    command: Callable[[Load, int, Installed], Sequence[str]]
    staged: bool


def _shell(script: str) -> Callable[[Load, int, Installed], Sequence[str]]:
    def command(load: Load, worker: int, slip: Installed) -> Sequence[str]:
        return ["sh", "-c", script, "sh", str(load.landings), str(worker), str(slip.slip)]

    return command


def _python(load: Load, worker: int, slip: Installed) -> Sequence[str]:
    return [str(slip.python), "-c", IN_PROCESS, str(load.landings), str(worker)]


GIT = Contender("git", _shell(GIT_LOOP), staged=False)
SLIP = (
    Contender("in-process", _python, staged=True),
    Contender("slip commit", _shell(COMMITS), staged=True),
    Contender("slip exec", _shell(EXECS), staged=False),
)


def landings_a_second(contender: Contender, place: Path, load: Load, slip: Installed) -> float:
    """One turn of one side. Raises RuntimeError when a process failed or a landing is missing."""
    if contender.staged:
        _stage(place, load, slip)
    children = [
        subprocess.Popen(
            contender.command(load, worker, slip), cwd=place, env=environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for worker in range(load.processes)
    ]  # fmt: skip
    for child in children if contender.name == "in-process" else ():
        assert child.stdout is not None
        child.stdout.readline()  # imported, and its workspace open
    before = int(line(place, "rev-list", "--count", BRANCH))
    start = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.close()
    for child in children:
        if child.wait():
            raise RuntimeError(f"{contender.name}: a process failed")
        assert child.stdout is not None
        child.stdout.close()
    seconds = time.perf_counter() - start
    landed = int(line(place, "rev-list", "--count", BRANCH)) - before
    if landed != load.processes * load.landings:
        raise RuntimeError(f"{contender.name}: {landed} landings are on the branch")
    return landed / seconds


def _stage(place: Path, load: Load, slip: Installed) -> None:
    script = """
import json, os, sys
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import open_workspace
ws = open_workspace(".", os.environ, in_process=True)
begin, apply = registry.find("begin"), registry.find("apply")
for worker in range(int(sys.argv[1])):
    for n in range(1, int(sys.argv[2]) + 1):
        name = f"s{worker}-{n}"
        calling.call(begin, ws, {"name": name, "base": "main", "onto": "main"})
        op = {"op": "write", "path": f"landed/{name}-{sys.argv[3]}", "content": "x"}
        calling.call(apply, ws, {"session": name, "ops": json.dumps([op]).encode()})
"""
    token = line(place, "rev-parse", BRANCH)[:8]
    subprocess.run(
        [str(slip.python), "-c", script, str(load.processes), str(load.landings), token],
        cwd=place, env=environment(), check=True,
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Run the turns; print a line for each of slip's sides."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--landings", type=int, default=4, help="of each process")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(arguments)
    load = Load(options.processes, options.landings)
    with tempfile.TemporaryDirectory() as temporary:
        room = Path(temporary)
        slip = installed.install(room)
        source = trees.synthetic()
        places = {}
        for contender in (GIT, *SLIP):
            places[contender.name] = place = sides.clone(
                source, room / contender.name.replace(" ", "-")
            )
            git(place, "config", "gc.auto", "0")
            git(place, "update-ref", BRANCH, line(place, "rev-parse", "HEAD"))
            git(place, "update-ref", "--no-deref", "HEAD", line(place, "rev-parse", BRANCH))
        ratios: dict[str, list[float]] = {contender.name: [] for contender in SLIP}
        rates: dict[str, list[float]] = {contender.name: [] for contender in (GIT, *SLIP)}
        for turn in range(options.turns):
            for contender in (GIT, *SLIP):
                rate = landings_a_second(contender, places[contender.name], load, slip)
                rates[contender.name].append(rate)
            for contender in SLIP:
                ratios[contender.name].append(rates[contender.name][turn] / rates[GIT.name][turn])
    print(f"{load.processes} processes, {load.landings} landings each, {options.turns} turns")
    print("| landings a second | median ratio | least, greatest | a second |")
    print("|---|---|---|---|")
    for name, found in ratios.items():
        a_second = (
            f"{statistics.median(rates[name]):.0f} / {statistics.median(rates[GIT.name]):.0f}"
        )
        print(
            f"| {name} / git | {statistics.median(found):.2f} | "
            f"{min(found):.2f}, {max(found):.2f} | {a_second} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
