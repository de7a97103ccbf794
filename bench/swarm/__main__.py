"""`python -m bench.swarm`: one swarm, a line of figures, and whatever must not be."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.swarm.running import Plan, run


def main(arguments: Sequence[str]) -> int:
    """Run it; exit status 1 where anything was found that must not be."""
    parser = argparse.ArgumentParser(prog="python -m bench.swarm")
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--works", type=int, default=4, help="of each agent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=("sessions", "worktrees"), default="sessions")
    parser.add_argument("--kill", type=float, default=0.2, help="how likely a call is killed")
    parser.add_argument("--no-gc", action="store_true")
    parser.add_argument("--keep", type=Path, help="work in this empty directory, and leave it")
    asked = parser.parse_args(arguments)
    plan = Plan(asked.agents, asked.works, asked.seed, asked.kind, asked.kill, not asked.no_gc)
    with tempfile.TemporaryDirectory(prefix="slip-swarm-") as room:
        verdict = run(plan, asked.keep or Path(room))
    for fault in verdict.faults:
        print(fault[:2000])
    print(json.dumps({
        **verdict.counts, **verdict.words, "seconds": round(verdict.seconds, 1),
        "slowest/fastest": round(verdict.slowest, 2), "done": verdict.done,
    }))  # fmt: skip
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
