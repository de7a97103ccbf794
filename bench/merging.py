"""How fast slip merges in a process that is running, against one `git merge-tree`.

    python bench/merging.py [--repo PATH] [--turns 15]

Two sessions edit N files each, a tenth of them shared; and, turn about, the same with the branch
moved 5,000 files on. Without --repo the source of the kernel is taken, as `bench/trees.py` makes
it. Each turn merges sessions made for it, on all sides the same, by turns; the trees must be equal.
What slip has read of the base it keeps, as a server would.
"""

from __future__ import annotations

import argparse
import gc
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import trees
from bench.git import environment, git, line
from bench.pairs import Side, race, spread
from slipstream_git.gitdb import commits, merge
from slipstream_git.gitdb.repository import Repository, open_repository
from slipstream_git.model import FILE, Entry

COUNTS = (5, 50, 500)
MOVED = 5000
PERSON = b"bench <bench@localhost> 1700000000 +0000"


class Maker:
    """Sessions over one tree: edits of one line in each of some files, far from one another."""

    def __init__(self, place: Path) -> None:
        self.repository = open_repository(str(place), environment(), in_process=True)
        self.base = line(place, "rev-parse", "HEAD")
        self.tree = line(place, "rev-parse", "HEAD^{tree}")
        self.chance = random.Random(5)  # noqa: S311  (the same files everywhere)
        rows = git(place, "ls-tree", "-r", "-l", "-z", "HEAD").split(b"\0")[:-1]
        self.files = [
            path
            for facts, _, path in (row.partition(b"\t") for row in rows)
            if facts.startswith(b"100644") and 2_000 < int(facts.split()[3]) < 40_000
        ]

    def edited(self, tree: str, files: Sequence[bytes], place: float, text: bytes) -> str:
        """The tree with one line of each file changed, at a part of its length."""
        changes: dict[bytes, Entry | None] = {}
        for path in files:
            entry = self.repository.trees.lookup(tree, path)
            assert entry is not None
            lines = self.repository.objects.blob(entry.oid).split(b"\n")
            lines[int(len(lines) * place)] = text
            oid = self.repository.objects.write("blob", b"\n".join(lines))
            changes[path] = Entry(FILE, oid)
        return self.repository.trees.splice(tree, changes)

    def committed(self, tree: str) -> str:
        data = commits.encode(tree, (self.base,), PERSON, PERSON, b"session\n")
        return self.repository.objects.write("commit", data)


class Pairs:
    """The two sessions of each turn, made and published before any is timed."""

    def __init__(self, maker: Maker, count: int, turns: int, *, moved: bool) -> None:
        far = maker.chance.sample(maker.files, MOVED) if moved else []
        head = maker.edited(maker.tree, far, 0.1, b"moved on")
        self.trees: list[tuple[str, str]] = []
        self.commits: list[tuple[str, str]] = []
        for turn in range(turns + 1):
            files = maker.chance.sample(maker.files, 2 * count)
            shared = files[: max(1, count // 10)]
            ours = [*shared, *files[count : 2 * count - len(shared)]]
            texts = (b"ours %d" % turn, b"theirs %d" % turn)
            one = maker.edited(head, ours, 0.3, texts[0])
            two = maker.edited(maker.tree, files[:count], 0.7, texts[1])
            self.trees.append((one, two))
            self.commits.append((maker.committed(one), maker.committed(two)))
        maker.repository.objects.publish().release()


class Slip:
    def __init__(self, name: str, maker: Maker, place: Path, pairs: Pairs) -> None:
        self.name = name
        self._base, self._pairs = maker.tree, pairs
        self._repository: Repository = open_repository(str(place), environment(), in_process=True)
        self._tree = ""

    def prepare(self, turn: int) -> None:
        del turn
        self._repository.objects.discard()

    def run(self, turn: int) -> None:
        ours, theirs = self._pairs.trees[turn]
        made = merge.three_way(self._repository, self._base, ours, theirs, int(time.time()))
        assert made.engine == "walk", made.engine
        self._tree = made.tree

    def outcome(self) -> str:
        return self._tree


class Git:
    def __init__(self, name: str, place: Path, pairs: Pairs) -> None:
        self.name = name
        self._place, self._pairs = place, pairs
        self._env = environment()
        self._tree = ""

    def prepare(self, turn: int) -> None:
        del turn

    def run(self, turn: int) -> None:
        self._tree = subprocess.run(
            ["git", "-C", str(self._place), "merge-tree", "--write-tree",
             *self._pairs.commits[turn]],
            stdout=subprocess.PIPE, check=True, env=self._env,
        ).stdout.decode().strip()  # fmt: skip

    def outcome(self) -> str:
        return self._tree


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repo", type=Path)
    parser.add_argument("--turns", type=int, default=15)
    asked = parser.parse_args(arguments)
    room = Path(tempfile.mkdtemp(prefix="slip-merging-"))
    try:
        place = room / "repository"
        source = asked.repo or trees.linux()
        git(room, "clone", "--quiet", "--bare", "--shared", str(source), str(place))
        return _raced(place, asked.turns)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _raced(place: Path, turns: int) -> int:
    maker = Maker(place)
    missed = 0
    print("| files | branch | slip / git merge-tree | least, greatest | target | | ms |")
    print("|---|---|---|---|---|---|---|")
    for count in COUNTS:
        branches = {"as it was": False, f"{MOVED:,} files on": True}
        teams: list[list[Side]] = []
        for branch, moved in branches.items():
            pairs = Pairs(maker, count, turns, moved=moved)
            teams.append([Slip(f"slip, {branch}", maker, place, pairs),
                          Git(f"git, {branch}", place, pairs)])  # fmt: skip
        gc.collect()
        gc.freeze()  # what made the sessions is no part of what merges them
        times = race(teams, turns)
        for branch in branches:
            mine, git = times[f"slip, {branch}"], times[f"git, {branch}"]
            ratio = spread(mine, git)
            most = 1 if count == COUNTS[0] else 2
            verdict = "met" if ratio.median <= most else "MISSED"
            missed += verdict != "met"
            ms = " / ".join(f"{1000 * statistics.median(t):.1f}" for t in (mine, git))
            print(
                f"| {count} | {branch} | {ratio.median:.2f} | {ratio.least:.2f}, {ratio.most:.2f}"
                f" | at most {most} | {verdict} | {ms} |"
            )
        unmoved, moved_on = (times[f"slip, {branch}"] for branch in branches)
        grown = spread(moved_on, unmoved)
        verdict = "met" if grown.median <= 2 else "MISSED"
        missed += verdict != "met"
        print(
            f"| {count} | moved / as it was, slip alone | {grown.median:.2f}"
            f" | {grown.least:.2f}, {grown.most:.2f} | at most 2 | {verdict} | |"
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
