"""How fast slip searches in a process that is running, against one `rg`.

    python bench/search.py [--repo PATH]… [--turns 5]

Each row is a kind of pattern. First the lines must be those of `git grep` on the same tree, path,
number and text; then both sides take turns, all lines told, and slip's once more stopped at 200.
Where nothing can be left out (no literal) the other side is `git grep -P`: rg's Unicode classes
cost it several times as much. Without --repo the source of the kernel is taken, as `bench/trees.py`
makes it. Of a machine that does other work the ratios say little: rg starves first.
"""

from __future__ import annotations

import argparse
import os
import shutil
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

from bench import trees
from bench.git import environment, line
from slipstream_git.gitdb.repository import Repository, open_repository
from slipstream_git.reading.search import index, places, scanning
from slipstream_git.text.patterns import Wish, compile_pattern

CAP = 200
LARGE = 50_000


# A line: path, number, text.
Row = tuple[bytes, int, bytes]


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

    def lines(self, wish: Wish, most: int | None = None) -> list[Row]:
        return self.answer(wish, most)[1]

    def answer(self, wish: Wish, most: int | None = None) -> tuple[str, list[Row]]:
        """The engine that matched, and the lines."""
        found: list[Row] = []
        pattern = compile_pattern(wish)
        for hit in scanning.scan(self.located(), pattern, None):
            found.extend((hit.path, number, text) for number, text in hit.lines(most))
            if most is not None and len(found) >= most:
                return pattern.engine, found[:most]
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
    told = searcher.lines(wish)
    assert sorted(told) == sorted(grepped(place, wish)), wish
    return len(told)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, place: Path, turns: int) -> None:
    cache = Path(tempfile.mkdtemp(prefix="slip-bench-"))
    try:
        searcher = Searcher(place, cache)
        built = seconds(searcher.located)
        opened = seconds(Searcher(place, cache).located)
        files = len(searcher.located().whole.paths)
        segments = searcher.index.segments()
        content = sum(segment.header.content_bytes for segment in segments)
        size = sum(segment.size_bytes for segment in segments)
        print(
            f"\n{name}: {files} files, {content >> 20} MB of text, index"
            f" {(size - content) / max(content, 1):.1%} of it; opened in {opened / built:.3f} of"
            f" the {built:.1f} s that building takes\n"
        )
        print("| kind | pattern | lines | other / slip | target | stopped at 200 | target |")
        print("|---|---|---|---|---|---|---|")
        for row in ROWS:
            for wish in row.wishes:
                _row(searcher, place, row, wish, turns, large=files > LARGE)
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def _row(
    searcher: Searcher, place: Path, row: Kind, wish: Wish, turns: int, *, large: bool
) -> None:
    count = equal(searcher, place, wish)
    other = git_grep if row.name == "no literal" else rg
    ratios, capped = [], []
    for turn in range(turns + 1):
        theirs = seconds(lambda: other(place, wish))
        ours = seconds(lambda: searcher.lines(wish))
        stopped = seconds(lambda: searcher.lines(wish, CAP))
        if turn:
            ratios.append(theirs / ours)
            capped.append(theirs / stopped)
    shown = wish.pattern.replace("|", "\\|")
    flag = " (-i)" if wish.ignore_case else ""
    print(
        f"| {row.name} | `{shown}`{flag} | {count} | {_told(ratios, row.targets[large])} |"
        f" {_told(capped, row.capped[large])} |",
        flush=True,
    )


def _told(ratios: Sequence[float], target: float | None) -> str:
    median = statistics.median(ratios)
    told = f"{median:.3g} ({min(ratios):.3g} to {max(ratios):.3g})"
    if target is None:
        return f"{told} | "
    return f"{told} | {target:g}, {'met' if median >= target else 'MISSED'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repo", action="append", default=[], metavar="PATH")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    if not options.repo:
        measure("linux", trees.linux(), options.turns)
    for repo in options.repo:
        measure(Path(repo).name, Path(repo), options.turns)


if __name__ == "__main__":
    main()
