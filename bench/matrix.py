"""What `slip conflicts` costs, as a ratio to one `git merge-tree` process for each pair.

    python bench/matrix.py [--repo PATH] [--sessions 20] [--shared 20] [--turns 7]

Every session edits eight lines in four files of its own and one line in one of ``--shared`` files,
at one of eight places; who takes which is drawn, always the same. The sides take turns on one
clone that borrows the repository's objects, with its workspace open in the process:

- git: `git merge-tree --write-tree A B` on the sessions' refs, one process for each pair.
- cold: nothing is remembered, neither in the process nor in the repository.
- fresh: as the sessions' own steps leave it: what each touches is remembered, and no merge is.
- warm: the process is new to it, and the repository remembers all.

All must name the same pairs in every turn, else the run stops.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import edits, pairs, sides, trees
from bench.git import environment
from slipstream_git.changes import sessions, staging
from slipstream_git.changes.concurrency import matrix
from slipstream_git.text import batches
from slipstream_git.workspace import open_workspace

OWN_FILES = 4
PLACES = 8
# What each side of slip's begins without.
FORGOTTEN = {"cold": ("verdicts", "footprints"), "fresh": ("verdicts",), "warm": ()}


class Git:
    """One process a pair, one after the other."""

    name = "git"

    def __init__(self, place: Path, names: Sequence[str]) -> None:
        self._place = place
        self._pairs = list(combinations(names, 2))
        self._found: list[tuple[str, str]] = []

    def prepare(self, turn: int) -> None:
        del turn
        self._found = []

    def run(self, turn: int) -> None:
        del turn
        env = environment()
        for a, b in self._pairs:
            done = subprocess.run(
                ["git", "merge-tree", "--write-tree", sessions.OPEN + a, sessions.OPEN + b],
                cwd=self._place, env=env, stdout=subprocess.DEVNULL, check=False,
            )  # fmt: skip
            if done.returncode:
                self._found.append((a, b))

    def outcome(self) -> str:
        return json.dumps(self._found)


class Slip:
    """The matrix of sessions in a process that has the repository open."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self._place = place
        self._found: list[tuple[str, str]] = []
        self._ws = open_workspace(str(self._place), environment(), in_process=True)

    def prepare(self, turn: int) -> None:
        del turn
        self._ws.repository.close()
        for name in FORGOTTEN[self.name]:
            (self._place / ".git" / "slip" / name).unlink(missing_ok=True)
        self._ws = open_workspace(str(self._place), environment(), in_process=True)

    def run(self, turn: int) -> None:
        del turn
        told = matrix.conflicts_among(self._ws, worktrees=False)
        if told.unreadable:
            raise RuntimeError(str(told.unreadable))
        self._found = [(pair.a, pair.b) for pair in told.pairs]

    def outcome(self) -> str:
        return json.dumps(self._found)


def staged(place: Path, count: int, shared: int) -> list[str]:
    """Open the sessions, sorted by name; each with its edits."""
    chance = random.Random(20)  # noqa: S311  (the same edits everywhere are the point)
    files = shared + OWN_FILES * count
    sites = edits.choose(place, PLACES * files, files)
    by_path: dict[str, list[edits.Site]] = {}
    for site in sites:
        by_path.setdefault(site.path, []).append(site)
    paths = chance.sample(sorted(by_path), files)
    names = [f"s{number:03}" for number in range(count)]
    ws = open_workspace(str(place), environment(), in_process=True)
    with ws.repository:
        for number, name in enumerate(names):
            own = paths[shared + OWN_FILES * number :][:OWN_FILES]
            mine = [site for path in own for site in by_path[path][:2]]
            mine.append(chance.choice(by_path[chance.choice(paths[:shared])]))
            ops = [
                {"op": "str_replace", "path": site.path, "old": site.block(0),
                 "new": site.block(number + 1)}
                for site in mine
            ]  # fmt: skip
            sessions.begin(ws, sessions.Wish(name))
            batch = batches.decode(json.dumps(ops).encode(), "auto")
            staging.apply(ws, sessions.load(ws, name), batch, staging.Label())
    return names


def main(arguments: Sequence[str]) -> int:
    """Run the turns; print a line for each of slip's sides."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repo", type=Path, help="default: one of 5,000 files is made up")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--shared", type=int, default=20, help="files that sessions may share")
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args(arguments)
    room = Path(tempfile.mkdtemp(prefix="slip-bench-"))
    try:
        place = sides.clone(options.repo or trees.synthetic(), room / "repository")
        names = staged(place, options.sessions, options.shared)
        by_git = Git(place, names)
        ours = [Slip(name, place) for name in FORGOTTEN]
        times = pairs.race([[by_git, *ours]], options.turns)
        found = json.loads(by_git.outcome())
    finally:
        shutil.rmtree(room, ignore_errors=True)
    count = len(names) * (len(names) - 1) // 2
    print(f"{len(names)} sessions, {count} pairs, {len(found)} in conflict; {os.cpu_count()} cores")
    print("| ratio of | median | least, greatest | ms |")
    print("|---|---|---|---|")
    for name in FORGOTTEN:
        ratio = pairs.spread(times[name], times["git"])
        mine, git = (statistics.median(times[side]) * 1000 for side in (name, "git"))
        print(
            f"| {name} / git | {ratio.median:.4f} | {ratio.least:.4f}, {ratio.most:.4f} | "
            f"{mine:.0f} / {git:.0f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
