"""The rows of the table: what is compared with what, and what was promised of it.

Targets hold for a size of tree: "small" is about 5,000 files, "large" 50,000 and more. A row
without a target is there to be known.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import edits, memory, served, sides
from bench.git import git
from bench.installed import Installed
from bench.pairs import Side, Spread, race, spread

LARGE = 50_000
FEW = (8, 5)  # edits, files
MANY = (1000, 500)
LEAST_FILES = 1500  # fewer cannot take MANY


class Repository(NamedTuple):
    """One repository to measure on. ``files``: of its HEAD."""

    name: str
    path: Path
    files: int

    @property
    def large(self) -> bool:
        return self.files >= LARGE


class Target(NamedTuple):
    """A promise about a ratio: at least, or at most."""

    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    def __str__(self) -> str:
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"


class Figure(NamedTuple):
    """One line of the table. ``times``: the medians of both sides, for context."""

    row: str
    repository: str
    what: str
    ratio: Spread
    target: Target | None
    times: str

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "for information"
        return "met" if self.target.met(self.ratio.median) else "MISSED"


class Bench(NamedTuple):
    """What all rows need. ``turns``: of a race of middling length."""

    room: Path
    installed: Installed
    turns: int

    def clone(self, repository: Repository, use: str) -> Path:
        return sides.clone(repository.path, self.room / f"{repository.name}-{use}")


def count_files(path: Path) -> int:
    return git(path, "ls-tree", "-r", "-z", "--name-only", "HEAD").count(b"\0")


def measure(bench: Bench, repositories: Sequence[Repository], wanted: str) -> list[Figure]:
    """All rows whose letters are in ``wanted``; the worktrees last, because they fill the disk."""
    found: list[Figure] = []
    if "c" in wanted:
        _say("c: 8 edits in 5 files, in the process")
        found += _edits_in_process(bench, repositories)
    if "e" in wanted:
        _say("e: start-up")
        found.append(_start_up(bench))
    for letters, row, least_files in (
        ("d", _many_edits, LEAST_FILES),
        ("f", _apply_command, 0),
        ("g", _exec_command, 0),
        ("h", _commit_command, 0),
        ("i", _beside_server, 0),
        ("j", _exec_call, 0),
        ("ab", _opening, 0),
    ):
        for repository in repositories if set(letters) & set(wanted) else ():
            if repository.files >= least_files:
                _say(f"{', '.join(letters)}: {repository.name}")
                found += row(bench, repository)
    return sorted(found, key=lambda figure: (figure.row, figure.target is None, figure.repository))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _opening(bench: Bench, repository: Repository) -> list[Figure]:
    """a and b, in one race, so that one worktree serves both."""
    team: list[Side] = [
        sides.BeginInProcess("in-process", bench.clone(repository, "begin")),
        sides.SlipBegin("command", bench.clone(repository, "begin-command"), bench.installed),
        sides.Worktree("worktree", bench.clone(repository, "worktree")),
    ]
    times = race([team], max(1, bench.turns // 5))
    against = "git worktree add / "
    return [
        _figure("a", repository, against + "opening a session in-process", times,
                ("worktree", "in-process"), Target(least=1000)),
        _figure("b", repository, against + "slip begin", times,
                ("worktree", "command"), Target(least=50)),
    ]  # fmt: skip


def _edits_in_process(bench: Bench, repositories: Sequence[Repository]) -> list[Figure]:
    teams: list[list[Side]] = []
    for repository in repositories:
        sites, name = edits.choose(repository.path, *FEW), repository.name
        teams.append(
            [
                sides.InProcess(f"slip {name}", bench.clone(repository, "c-slip"), sites),
                sides.Plumbing(f"plumbing {name}", bench.clone(repository, "c-git"), sites),
                sides.FastImport(f"import {name}", bench.clone(repository, "c-import"), sites),
            ]
        )
    times = race(teams, bench.turns)
    found = []
    for repository in repositories:
        name = repository.name
        target = Target(least=10 if repository.large else 5)
        what = "/ 8 edits in 5 files, in-process"
        found += [
            _figure("c", repository, f"plumbing with its own index {what}", times,
                    (f"plumbing {name}", f"slip {name}"), target),
            _figure("c", repository, f"fast-import {what}", times,
                    (f"import {name}", f"slip {name}"), None),
        ]  # fmt: skip
    return found + _growth(repositories, times)


def _growth(repositories: Sequence[Repository], times: Mapping[str, list[float]]) -> list[Figure]:
    """c again: what the size of the tree adds, each large repository against each small one."""
    return [
        _figure("c", large, f"8 edits on {large.name} / on {small.name}, in-process", times,
                (f"slip {large.name}", f"slip {small.name}"), Target(most=6))
        for large in repositories if large.large
        for small in repositories if not small.large
    ]  # fmt: skip


def _many_edits(bench: Bench, repository: Repository) -> list[Figure]:
    sites = edits.choose(repository.path, *MANY)
    team: list[Side] = [
        sides.InProcess("slip", bench.clone(repository, "d-slip"), sites),
        sides.Plumbing("plumbing", bench.clone(repository, "d-git"), sites),
        sides.FastImport("import", bench.clone(repository, "d-import"), sites),
    ]
    times = race([team], max(1, bench.turns // 2))
    what = "/ 1,000 edits in 500 files, in-process"
    batch = bench.room / f"{repository.name}.json"
    batch.write_bytes(edits.batch(sites, 1))
    used = memory.peak(bench.clone(repository, "d-memory"), batch) / 1e6
    return [
        _figure("d", repository, f"plumbing with its own index {what}", times,
                ("plumbing", "slip"), Target(least=2)),
        _figure("d", repository, f"fast-import {what}", times, ("import", "slip"), None),
        Figure("d", repository.name, "peak memory of a process that does it, MB",
               Spread(used, used, used, 1), Target(most=150), ""),
    ]  # fmt: skip


def _start_up(bench: Bench) -> Figure:
    slip, python = str(bench.installed.slip), str(bench.installed.python)
    team: list[Side] = [
        sides.Command("slip", [slip, "--version"], bench.room),
        sides.Command("python", [python, "-c", "pass"], bench.room),
    ]
    times = race([team], bench.turns * 2)
    any_repository = Repository("none", bench.room, 0)
    return _figure("e", any_repository, "slip --version / python -c pass", times,
                   ("slip", "python"), Target(most=2))  # fmt: skip


def _apply_command(bench: Bench, repository: Repository) -> list[Figure]:
    sites = edits.choose(repository.path, *FEW)
    team: list[Side] = [
        sides.SlipApply("slip", bench.clone(repository, "f-slip"), sites, bench.installed),
        sides.Plumbing("plumbing", bench.clone(repository, "f-git"), sites),
        sides.FastImport("import", bench.clone(repository, "f-import"), sites),
    ]
    times = race([team], bench.turns)
    target = Target(most=0.5 if repository.large else 1.0)
    what = "slip apply, 8 edits in 5 files, /"
    return [
        _figure("f", repository, f"{what} plumbing with its own index", times,
                ("slip", "plumbing"), target),
        _figure("f", repository, f"{what} fast-import", times, ("slip", "import"), None),
    ]  # fmt: skip


def _exec_command(bench: Bench, repository: Repository) -> list[Figure]:
    sites = edits.choose(repository.path, *FEW)
    durable = ("core.fsync=all", "core.fsyncMethod=fsync")
    team: list[Side] = [
        sides.SlipExec("slip", bench.clone(repository, "g-slip"), sites, bench.installed),
        sides.GitCommit("git", bench.clone(repository, "g-git"), sites),
        sides.GitCommit("durable", bench.clone(repository, "g-durable"), sites, durable),
    ]
    times = race([team], bench.turns)
    target = Target(most=2 if repository.large else 3)
    what = "slip exec, 8 edits in 5 files, durable, /"
    return [
        _figure("g", repository, f"{what} git apply && git commit -a", times,
                ("slip", "git"), target),
        _figure("g", repository, f"{what} the same with core.fsync=all", times,
                ("slip", "durable"), Target(most=1.5)),
    ]  # fmt: skip


def _commit_command(bench: Bench, repository: Repository) -> list[Figure]:
    sites = edits.choose(repository.path, *FEW)
    team: list[Side] = [
        sides.SlipCommit("slip", bench.clone(repository, "h-slip"), sites, bench.installed),
        sides.GitCommitFiles("git", bench.clone(repository, "h-git"), sites),
    ]
    times = race([team], bench.turns)
    what = "slip commit, 5 files, on a moved branch, durable, / git commit -- FILES"
    return [_figure("h", repository, what, times, ("slip", "git"), Target(most=3))]


def _beside_server(bench: Bench, repository: Repository) -> list[Figure]:
    sites = edits.choose(repository.path, *FEW)
    slip, python = bench.installed.slip, str(bench.installed.python)
    server = served.Server(bench.room, bench.installed)
    try:
        place = bench.clone(repository, "i-slip")
        apply = served.ServedApply("apply", place, sites, slip, server)
        word = max((word for site in sites for word in re.findall(r"\w+", site.line)), key=len)
        search = [str(slip), "search", "-s", sides.SESSION, "--fixed", "--", word]
        status = [str(slip), "status", "-s", sides.SESSION]
        team: list[Side] = [
            sides.Command("python", [python, "-c", "pass"], bench.room),
            served.ServedCommand("status", place, status, server),
            served.ServedCommand("search", place, search, server),
            apply,
        ]
        times = race([team], bench.turns * 2)
    finally:
        server.end()
    return [
        _figure("i", repository, f"slip {name} beside a server / python -c pass", times,
                (name, "python"), Target(most=2))
        for name in ("status", "apply", "search")
    ]  # fmt: skip


def _exec_call(bench: Bench, repository: Repository) -> list[Figure]:
    sites = edits.choose(repository.path, *FEW)
    server = served.Server(bench.room, bench.installed)
    try:
        team: list[Side] = [
            served.ServedExec("exec", bench.clone(repository, "j-slip"), sites, server),
            served.PlainScript(
                "script", bench.clone(repository, "j-script"), sites, bench.installed.python
            ),
        ]
        times = race([team], bench.turns)
    finally:
        server.end()
    what = "exec, 8 edits in 5 files, one call over the socket / a Python script that edits them"
    return [_figure("j", repository, what, times, ("exec", "script"), Target(most=3))]


def _figure(
    row: str,
    repository: Repository,
    what: str,
    times: Mapping[str, list[float]],
    sides_compared: tuple[str, str],
    target: Target | None,
) -> Figure:
    above, below = (times[side] for side in sides_compared)
    context = f"{_milliseconds(above)} / {_milliseconds(below)}"
    return Figure(row, repository.name, what, spread(above, below), target, context)


def _milliseconds(seconds: Sequence[float]) -> str:
    return number(statistics.median(seconds) * 1000)


def number(value: float) -> str:
    """Three digits, or all of those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
