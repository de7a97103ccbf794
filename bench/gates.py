"""What gates cost beside what they run: a verdict that is known, and a pool that changes sessions.

    python bench/gates.py --repo PATH [--turns 5] [--seconds 5] [--room DIR]

In a bare clone of a repository, by whole commands, two things take turns:

- the first check of a tree by a gate that takes some seconds, against the second check of it;
- a check of another session than the one before, by a gate that does nothing, against
  `git worktree add`. Each switch writes what differs between the two sessions.

PATH is read only. Worktrees are removed at the end, because that slows what is made after it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import installed, rows
from bench.git import environment, git, line
from bench.pairs import spread

EDITED = 5


class Ground:
    """A bare clone with gates on its branch, and the slip that works in it."""

    def __init__(self, source: Path, room: Path, slip: Path) -> None:
        self.path = room / "bare"
        self.slip = slip
        self._made = 0
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", "--local", str(source), str(self.path)],
            check=True, env=environment(),
        )  # fmt: skip
        self.files = git(self.path, "ls-tree", "-r", "-z", "--name-only", "HEAD").split(b"\0")[:-1]

    def define(self, run: str) -> None:
        """Give the branch this gate and no other."""
        text = f"[gate.bench]\nrun = {json.dumps(run)}\n"
        batch = json.dumps([{"op": "write", "path": ".slip.toml", "content": text}])
        self.command("exec", "--ops", "-", "-m", "gate", "--no-check", stdin=batch.encode())

    def session(self, name: str) -> None:
        self.command("begin", name)
        self.edit(name)

    def edit(self, name: str) -> None:
        """Edit a few files that no session has edited before, so that the tree is new."""
        ops: list[dict[str, str]] = []
        while len(ops) < EDITED:
            self._made += 1
            path = self.files[self._made * 997 % len(self.files)].decode("utf-8", "replace")
            if "\ufffd" not in path and not self._is_link(path):
                # Nothing that a parser of any language minds: syntax is checked as well.
                ops.append({"op": "write", "path": path, "content": f"\n\n{' ' * self._made}\n"})
        batch = json.dumps(ops)
        self.command("apply", "-s", name, "-", stdin=batch.encode())

    def _is_link(self, path: str) -> bool:
        return not line(self.path, "ls-tree", "HEAD", "--", path).startswith("100644")

    def command(self, *words: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(
            [self.slip, "-C", str(self.path), *words],
            input=stdin, check=True, stdout=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        return done.stdout

    def checked(self, name: str, *words: str) -> bool:
        """Check a session; whether its verdict was known."""
        answer = json.loads(self.command("--json", "check", "-s", name, *words))
        [row] = answer["gates"]
        assert row["status"] == "green"
        return bool(row["cached"])


def seconds(began: float) -> float:
    return time.perf_counter() - began


def known(ground: Ground, turns: int) -> tuple[list[float], list[float]]:
    """Second and first checks of one tree, a new one each turn. Turn 0 makes the slot."""
    second, first = [], []
    for turn in range(turns + 1):
        ground.edit("a")
        began = time.perf_counter()
        assert not ground.checked("a")
        took = seconds(began)
        began = time.perf_counter()
        assert ground.checked("a")
        if turn:
            first.append(took)
            second.append(seconds(began))
    return second, first


def switched(ground: Ground, room: Path, turns: int) -> tuple[list[float], list[float]]:
    """Checks of the other session, and worktrees of it added."""
    switches, worktrees = [], []
    for turn in range(turns + 1):
        name = "ab"[turn % 2]
        began = time.perf_counter()
        assert not ground.checked(name, "--rerun")
        took = seconds(began)
        place = room / f"worktree-{turn}"
        began = time.perf_counter()
        tip = f"refs/slip/sessions/{name}"
        git(ground.path, "worktree", "add", "--quiet", "--detach", str(place), tip)
        if turn:
            switches.append(took)
            worktrees.append(seconds(began))
    for turn in range(turns + 1):
        shutil.rmtree(room / f"worktree-{turn}")
    git(ground.path, "worktree", "prune")
    return switches, worktrees


def told(what: str, above: Sequence[float], below: Sequence[float], target: rows.Target) -> str:
    found = spread(above, below)
    verdict = "met" if target.met(found.median) else "MISSED"
    times = f"{median(above) * 1000:,.0f} / {median(below) * 1000:,.0f}"
    numbers = f"{found.median:.4f} | {found.least:.4f}, {found.most:.4f}"
    return f"| {what} | {numbers} | {found.turns} | {target} | {verdict} | {times} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--room", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.room, ignore_cleanup_errors=True) as name:
        room = Path(name)
        ground = Ground(options.repo, room, installed.install(room).slip)
        print(f"{len(ground.files):,} files, {EDITED} edited in each session")
        print("| row | ratio | least, greatest | turns | target | | ms |")
        print("|---|---|---|---|---|---|---|")
        ground.define(f"sleep {options.seconds:g}")
        ground.session("a")
        what = f"second check / first check, gate of {options.seconds:g} s"
        print(told(what, *known(ground, options.turns), rows.Target(most=0.01)), flush=True)
        ground.define("true")
        ground.session("b")
        what = "check of the other session, gate `true` / git worktree add"
        found = switched(ground, room, options.turns)
        print(told(what, *found, rows.Target(most=0.1)), flush=True)


if __name__ == "__main__":
    main()
