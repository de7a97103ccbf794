"""How fast slip searches in a process that is running, against one `rg`.

    python bench/search.py [--repo PATH]… [--turns 5] [--only WORD] [--index DIR]

Each row is a kind of pattern. First the lines must be those of `git grep` on the same tree, path,
number and text; then both sides take turns, all lines told, and slip's once more stopped at 200.
Processor time of both sides stands beside, since the other has two cores and slip mostly one. Last
come ten files staged and then searched for what stands in one of them, against one whole `rg`.
Where nothing can be left out (no literal) the other side is `git grep -P`: rg's Unicode classes
cost it several times as much. Without --repo the source of the kernel is taken, as `bench/trees.py`
makes it. Of a machine that does other work the ratios say little: rg starves first.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import trees
from bench.git import environment, line
from slipstream_git.gitdb.repository import Repository, open_repository
from slipstream_git.model import FILE, Entry
from slipstream_git.reading.search import index, places, scanning
from slipstream_git.reading.search.segments import Segment
from slipstream_git.text.patterns import Wish, compile_pattern

CAP = 200
LARGE = 50_000
SEVERAL_LOOKS_BELOW = 20_000
FRESH = "ten new blobs"
RARE = Wish("epoll_create1")


# A line: path, number, text.
Row = tuple[bytes, int, bytes]
Numbered = tuple[int, bytes]


class Kind(NamedTuple):
    """targets: rg / slip for small trees and large ones, all lines; then stopped at 200."""

    name: str
    wishes: Sequence[Wish]
    targets: tuple[float | None, float | None] = (None, None)
    capped: tuple[float | None, float | None] = (None, None)


ROWS = (
    Kind("no match", (Wish("zzqqxxjj"), Wish("no_such_name_here")), (50, 600)),
    Kind("rare literal", (Wish("epoll_create1"), Wish("0xdeadbeef")), (50, 600)),
    Kind("mid literal", (Wish("deprecated"), Wish("recursive")), (5, 40)),
    Kind("selective regex", (Wish(r"def \w+_facts\("), Wish(r"retry_\w+\s*=")), (20, 50)),
    Kind("alternation", (Wish("reconnect_timeout|backoff_limit"),), (20, 50)),
    Kind("selective, ignoring case", (Wish("Backoff_Max", ignore_case=True),), (20, 50)),
    Kind("common literal", (Wish("import"), Wish("return")), (2, 1.2), (16, 90)),
    Kind("no literal", (Wish(r"\d{6,}"), Wish(r"[A-Z]{12,}")), (1, 1)),
)


class Searcher:
    """A tree, located; what a server would have at hand."""

    def __init__(self, place: Path, cache: Path) -> None:
        self.repository: Repository = open_repository(str(place), environment(), in_process=True)
        self.tree = line(place, "rev-parse", "HEAD^{tree}")
        self.index = index.Index(str(cache), None, 20, index.DEFAULT_MOST_BYTES)
        self.sources = places.Sources(
            self.repository, self.index, self.repository.objects.blob, _unseen
        )
        self.places = places.Places()

    def located(self) -> places.Located:
        return self.places.locate(self.sources, self.tree)

    def told(self, wish: Wish, most: float = float("inf")) -> list[tuple[bytes, list[Numbered]]]:
        """The lines file by file, as they are found; no more files once there are so many."""
        found = []
        count = 0
        pattern = compile_pattern(wish)
        for hit in scanning.scan(self.located(), pattern, None):
            found.append((hit.path, list(hit.rows)))
            count += len(hit.rows)
            if count >= most:
                break
        return found

    def stage(self, changes: Mapping[bytes, bytes]) -> None:
        """Go on with a tree in which these files are so, as a session that staged them would."""
        objects, trees = self.repository.objects, self.repository.trees
        self.tree = trees.splice(
            self.tree,
            {path: Entry(FILE, objects.write("blob", data)) for path, data in changes.items()},
        )

    def answer(self, wish: Wish) -> tuple[str, list[Row]]:
        """The engine that matched, and the lines."""
        found: list[Row] = []
        pattern = compile_pattern(wish)
        for hit in scanning.scan(self.located(), pattern, None):
            found.extend((hit.path, number, text) for number, text in hit.rows)
        return pattern.engine, found


def _unseen(_done: int, _of: int) -> None:
    """Nobody watches."""


def rg(place: Path, wish: Wish) -> bytes:
    options = ["-i"] * wish.ignore_case + ["-w"] * wish.word + ["-F"] * wish.fixed
    return _output(
        ["rg", "-n", "--no-heading", "--no-ignore", "--hidden", "-g", "!.git", *options],
        place, wish, ".",
    )  # fmt: skip


def git_grep(place: Path, wish: Wish, *what: str) -> bytes:
    """`-z`: path, number and text with a NUL between, whatever the path holds."""
    options = ["-i"] * wish.ignore_case + ["-w"] * wish.word + ["-F" if wish.fixed else "-P"]
    return _output(["git", "grep", "-nIz", *options], place, wish, *what)


def grepped(place: Path, wish: Wish) -> list[Row]:
    r"""The lines of HEAD that git finds.

    Without the compiler of its pattern library, which misses lines: PCRE2 10.42 finds `\[\W` in
    "[\u2212" only so.
    """
    if not wish.fixed:
        wish = wish._replace(pattern=f"(*NO_JIT){wish.pattern}")
    rows = (row.split(b"\0", 2) for row in git_grep(place, wish, "HEAD").split(b"\n")[:-1])
    return [(path.removeprefix(b"HEAD:"), int(number), text) for path, number, text in rows]


def _output(words: Sequence[str], place: Path, wish: Wish, *what: str) -> bytes:
    done = subprocess.run(
        [*words, "-e", wish.pattern, *what], cwd=place, capture_output=True, check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def equal(searcher: Searcher, place: Path, wish: Wish) -> int:
    """How many lines there are. Raises AssertionError unless they are git's."""
    told = searcher.answer(wish)[1]
    assert sorted(told) == sorted(grepped(place, wish)), wish
    return len(told)


class Spent(NamedTuple):
    """Seconds: on the clock, and of processors, child processes included."""

    wall: float
    processor: float


def spent(work: Callable[[], object]) -> Spent:
    before, start = _processor(), time.perf_counter()
    work()
    wall = time.perf_counter() - start
    return Spent(wall, _processor() - before)


def _processor() -> float:
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in told)


def measure(name: str, place: Path, turns: int, only: str, kept: str | None) -> None:
    cache = Path(kept or tempfile.mkdtemp(prefix="slip-bench-"))
    try:
        searcher = Searcher(place, cache)
        first = spent(searcher.located)
        files = len(searcher.located().whole.paths)
        segments = searcher.index.segments()
        content = sum(segment.header.content_bytes for segment in segments)
        size = sum(segment.size_bytes for segment in segments)
        opened = spent(lambda: [Segment(str(path)) for path in cache.glob(f"*{index.SUFFIX}")])
        located = spent(Searcher(place, cache).located)
        print(
            f"\n{name}: {files} files, {content >> 20} MB of text, index"
            f" {(size - content) / max(content, 1):.1%} of it; the first look took"
            f" {first.wall:.2f} s ({first.processor:.2f} of a processor), to open the index"
            f" {opened.wall:.4f} s ({opened.processor:.4f}), a tree with the index at hand"
            f" {located.wall:.2f} s ({located.processor:.2f}); load {os.getloadavg()[0]:.1f}\n",
            flush=True,
        )
        print(
            "| kind | pattern | lines | other / slip | processor | target | stopped at 200 | ms |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for row in ROWS:
            for wish in row.wishes if only in row.name else ():
                _row(searcher, place, row, wish, turns, large=files > LARGE)
        if only in FRESH:
            _fresh(searcher, place, turns)
        print(f"\nload {os.getloadavg()[0]:.1f} at the end")
    finally:
        if kept is None:
            shutil.rmtree(cache, ignore_errors=True)


def _row(
    searcher: Searcher, place: Path, row: Kind, wish: Wish, turns: int, *, large: bool
) -> None:
    count = equal(searcher, place, wish)
    other = git_grep if row.name == "no literal" else rg
    # What takes a millisecond is looked at several times: one look tells of the clock.
    looks = 1 if count > SEVERAL_LOOKS_BELOW else 5
    rounds = [
        (
            spent(lambda: other(place, wish)),
            median([spent(lambda: searcher.told(wish)) for _ in range(looks)]),
            median([spent(lambda: searcher.told(wish, CAP)) for _ in range(looks)]),
        )
        for _ in range(turns + 1)
    ]
    theirs, ours, capped = zip(*rounds[1:], strict=True)
    shown = wish.pattern.replace("|", "\\|")
    flag = " (-i)" if wish.ignore_case else ""
    walls = [a.wall / b.wall for a, b in zip(theirs, ours, strict=True)]
    stopped = [a.wall / b.wall for a, b in zip(theirs, capped, strict=True)]
    print(
        f"| {row.name} | `{shown}`{flag} | {count} | {_told(walls)} |"
        f" {median(theirs).processor / median(ours).processor:.3g} |"
        f" {_met(walls, row.targets[large])} |"
        f" {_told(stopped)} {_met(stopped, row.capped[large])} |"
        f" {median(theirs).wall * 1e3:.1f} / {median(ours).wall * 1e3:.2f} |",
        flush=True,
    )


def _fresh(searcher: Searcher, place: Path, turns: int) -> None:
    """Ten files are staged; the first search after that finds what is new, and only that."""
    whole = searcher.located().whole
    step = len(whole.paths) // 10
    ratios = []
    for turn in range(turns + 1):
        theirs = spent(lambda: rg(place, RARE))
        mark = f"fresh_{turn}_{os.getpid()}"
        changes = {
            whole.paths[at]: searcher.repository.objects.blob(whole.ids[at]) + f"{mark}\n".encode()
            for at in range(step // 2, step * 10, step)
        }
        searcher.stage(changes)
        found: list[tuple[bytes, list[Numbered]]] = []
        ours = spent(lambda: found.extend(searcher.told(Wish(mark))))  # noqa: B023
        assert sorted(path for path, _ in found) == sorted(
            path for path, data in changes.items() if b"\0" not in data[:8000]
        )
        ratios += [ours.wall / theirs.wall] * (turn > 0)
    ratio = statistics.median(ratios)
    print(
        f"| {FRESH}, slip / rg | | 10 | {_told(ratios)} | | 0.15,"
        f" {'met' if ratio <= 0.15 else 'MISSED'} | | |",
        flush=True,
    )


def median(times: Sequence[Spent]) -> Spent:
    return sorted(times)[len(times) // 2]


def _told(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.3g} ({min(ratios):.3g} to {max(ratios):.3g})"


def _met(ratios: Sequence[float], target: float | None) -> str:
    if target is None:
        return ""
    return f"{target:g}, {'met' if statistics.median(ratios) >= target else 'MISSED'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repo", action="append", default=[], metavar="PATH")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--index", metavar="DIR", help="where it is kept; of one repository")
    parser.add_argument("--only", default="", metavar="WORD", help="rows whose name holds it")
    options = parser.parse_args()
    if not options.repo:
        measure("linux", trees.linux(), options.turns, options.only, options.index)
    for repo in options.repo:
        measure(Path(repo).name, Path(repo), options.turns, options.only, options.index)


if __name__ == "__main__":
    main()
