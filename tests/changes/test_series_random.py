"""Random series: the last tree is that of the single commit, and every commit is sound.

Each draws files, steps of a few labels (mixed as it comes), undo and redo, renames, and perhaps a
branch that has moved on meanwhile. Where git itself can cherry-pick the steps in that order, its
trees are those of the series.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import NamedTuple

import pytest

from slipstream_git.errors import SlipError
from tests.desk import Desk, Free, Json, delete, move, replace, write
from tests.lab import Lab

LABELS = ("one", "two", "three", "four", None)
LINES = 60


class Played(NamedTuple):
    """What became of a seed. commits: 0 where it was refused."""

    commits: int
    interleaved: bool
    merged: bool


class Draw:
    """A session drawn from a seed, staged on a branch of its own."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk = desk
        self.name = f"s{seed}"
        self.random = random.Random(seed)  # noqa: S311
        self.branch = f"b{seed}"
        self.files = {f"d{n % 3}/f{n}": [f"{n} {i}\n" for i in range(LINES)] for n in range(5)}
        self.edits = 0

    def stage(self) -> None:
        repo = self.desk.lab
        repo.commit({path: "".join(lines) for path, lines in self.files.items()}, "base")
        repo.git("branch", self.branch)
        self.desk.begin(self.name, onto=self.branch, base=self.branch, title="The rest")
        labels = self.random.sample(LABELS, self.random.randint(1, len(LABELS)))
        for _ in range(self.random.randint(2, 9)):
            label = self.random.choice(labels)
            ops = [self.op() for _ in range(self.random.randint(1, 3))]
            self.desk.apply(*ops, session=self.name, group=label)
            self.undo_or_redo()
        if self.random.random() < 0.6:
            self.move_the_branch()

    def op(self) -> Json:
        path = self.random.choice(sorted(self.files))
        kind = self.random.choices(("edit", "move", "add", "delete"), (12, 2, 2, 1))[0]
        if kind == "move":
            to = f"d{self.random.randrange(4)}/m{self.edits}"
            self.edits += 1
            self.files[to] = self.files.pop(path)
            return move(path, to)
        if kind == "delete" and len(self.files) > 2:
            del self.files[path]
            return delete(path)
        if kind == "add":
            to = f"n{self.edits}"
            self.edits += 1
            self.files[to] = [f"{to} {i}\n" for i in range(LINES)]
            return write(to, "".join(self.files[to]))
        lines = self.files[path]
        number = self.random.randrange(len(lines))
        self.edits += 1
        new = f"edit {self.edits} of {self.name}\n"
        old, lines[number] = lines[number], new
        return replace(path, old, new)

    def undo_or_redo(self) -> None:
        """Take back or bring back the last step; the drawn files follow the session."""
        if self.random.random() < 0.2:
            self.desk.call("undo", session=self.name)
            if self.random.random() < 0.5:
                self.desk.call("redo", session=self.name)
            tree = self.desk.lab.tree(f"refs/slip/sessions/{self.name}")
            own = {p: t for p, t in tree.items() if p not in ("README.md", "src/app.py")}
            self.files = {p: t.decode().splitlines(keepends=True) for p, t in own.items()}

    def move_the_branch(self) -> None:
        """A commit on the branch, in lines and files that the session mostly leaves alone."""
        repo = self.desk.lab
        tree = repo.tree(self.branch)
        path = self.random.choice(sorted(p for p in tree if p.startswith("d")))
        text = tree[path].decode().splitlines(keepends=True)
        text[self.random.randrange(len(text))] = "theirs\n"
        repo.git("checkout", "--quiet", self.branch)
        repo.commit({path: "".join(text), "theirs.txt": "theirs\n"}, "meanwhile")
        repo.git("checkout", "--quiet", "main")

    def labels_in_force(self) -> list[str | None]:
        rows = self.desk.call("log", session=self.name)["steps"]
        return [row.get("group") for row in rows if row["op"] == "apply" and not row["undone"]]


def tried(desk: Desk, name: str, **values: Free) -> Json | SlipError:
    """A landing, or its refusal, which may be for a conflict alone."""
    try:
        return desk.call("commit", session=name, **values)
    except SlipError as fault:
        if fault.code != "conflict":
            raise
        return fault


def play(desk: Desk, seed: int) -> Played | None:
    """Land a drawn session as a series; None where it could not land as one commit either."""
    draw = Draw(desk, seed)
    draw.stage()
    repo, labels = desk.lab, draw.labels_in_force()
    head = repo.oid(draw.branch)
    single = tried(desk, draw.name, dry_run=True)
    told = tried(desk, draw.name, series=True)
    if isinstance(single, SlipError):
        assert isinstance(told, SlipError)
        return None
    if isinstance(told, SlipError):
        assert told.data["groups"]
        assert repo.oid(draw.branch) == head
        assert repo.refs(f"refs/slip/sessions/{draw.name}")
        assert desk.call("commit", session=draw.name)["tree"] == single["tree"]
        return Played(0, is_interleaved(labels), merged=False)
    assert told["committed"] == (single.get("commit") is not None)
    if not told["committed"]:
        return Played(0, interleaved=False, merged=False)
    assert told["tree"] == single["tree"], seed
    check_history(repo, draw.branch, head, told)
    groups = [row.get("group") for row in told["series"]]
    in_order = [label for label in dict.fromkeys(labels) if label in groups]
    assert groups == sorted(in_order, key=lambda label: label is None)
    if not told["merged"] and seed % 3 == 0:
        check_by_git(repo, draw.name, head, told)
    return Played(len(told["commits"]), is_interleaved(labels), bool(told["merged"]))


def is_interleaved(labels: list[str | None]) -> bool:
    """Whether a label comes back after another."""
    runs = [label for n, label in enumerate(labels) if n == 0 or labels[n - 1] != label]
    return len(runs) > len(set(runs))


def check_history(repo: Lab, branch: str, head: str, told: Json) -> None:
    listed = repo.git("log", "--reverse", "--format=%H %P %T", f"{head}..{branch}")
    rows = [line.split() for line in listed.splitlines()]
    assert [row[0] for row in rows] == told["commits"]
    assert [row[1] for row in rows] == [head, *told["commits"][:-1]]
    trees = [row[2] for row in rows]
    assert trees == [row["tree"] for row in told["series"]]
    assert trees[-1] == told["tree"]
    assert all(tree != after for tree, after in pairwise(trees))


def check_by_git(repo: Lab, name: str, base: str, told: Json) -> None:
    """The trees are those that git makes of the steps, cherry-picked group after group."""
    form = "--format=%(trailers:key=Slip-Step,valueonly,separator=) %H"
    span = f"{base}..refs/slip/closed/{name}/1^"
    steps = dict(line.split() for line in repo.git("log", form, span).splitlines())
    tree = repo.git("rev-parse", f"{base}^{{tree}}")
    for row in told["series"]:
        for number in row["steps"]:
            tree = merged_by_git(repo, steps[str(number)], tree)
        assert tree == row["tree"]


def merged_by_git(repo: Lab, step: str, tree: str) -> str:
    """What git makes of a tree and what a step changes."""
    before = repo.git("commit-tree", "-m", "before", f"{step}^^{{tree}}")
    sides = [
        repo.git("commit-tree", "-m", "side", "-p", before, side)
        for side in (tree, f"{step}^{{tree}}")
    ]
    return repo.git("merge-tree", "--write-tree", *sides)


def check_tally(found: list[Played | None]) -> None:
    """The draw is worth something: most of it lands, and much of it is mixed and merged."""
    landed = [played for played in found if played is not None and played.commits]
    assert len(landed) > 0.6 * len(found)
    assert sum(played.commits > 1 for played in landed) > 0.4 * len(found)
    assert sum(played.interleaved for played in landed) > 0.15 * len(found)
    assert sum(played.merged for played in landed) > 0.2 * len(found)


def test_random_series(desk: Desk) -> None:
    check_tally([play(desk, seed) for seed in range(30)])


@pytest.mark.slow
def test_a_thousand_random_series(repo: Lab) -> None:
    desk = Desk(repo, "libgit2")
    check_tally([play(desk, seed) for seed in range(1000, 2000)])
