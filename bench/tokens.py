"""What a reader pays: `slip symbol` and `slip map` against reading files, and against grep.

    python bench/tokens.py PATH… [--most 2000]

For each function of a repository (tests among them), in bytes of what the reader is given:

- `slip symbol NAME`, the qualified name, as the JSON that a tool call answers with;
- its whole file;
- grep and a range, as a thrifty agent does it: `git grep -n -w NAME`, its first 50 lines, then 60
  lines from the definition on, since nobody knows yet where it ends. The working tree has to be as
  HEAD is: it is what grep reads, in a tenth of the time.

And the map of the whole repository, everything told, against all files that it tells of. At 3.6
bytes a token the ratios are those of tokens.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.git import environment, git
from slipstream_git import codec
from slipstream_git.errors import SlipError
from slipstream_git.faces import text
from slipstream_git.reading import mapping, naming, shelf, views
from slipstream_git.reading.outlines import File
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace, open_workspace

RANGE_LINES = 60
GREP_LINES = 50
MOST = 2000
KINDS = ("function", "method")
HEAD = views.Wish(rev="HEAD")


class Paid(NamedTuple):
    """Bytes for one function. first: whether the first definition is that very function; told:
    whether any in the answer is, with its text or only its place.
    """

    symbol: int
    file: int
    grep: int
    first: bool
    told: bool


def functions(ws: Workspace, files: Sequence[File]) -> list[tuple[File, str, int]]:
    """All functions: file, qualified name, first line."""
    outlines = shelf.of(ws).outlines.every(files)
    return [
        (file, symbol.qualified, symbol.line)
        for file in files
        for symbol in outlines[file.path].symbols
        if symbol.kind in KINDS and outlines[file.path].engine == "tree-sitter"
    ]


def paid(ws: Workspace, place: Path, file: File, name: str, line: int) -> Paid | None:
    try:
        told = naming.symbol(ws, HEAD, name)
    except SlipError:
        return None
    data = shelf.of(ws).blob(file.oid)
    rows = data.split(b"\n")
    ranged = b"\n".join(rows[line - 1 : line - 1 + RANGE_LINES])
    word = name.rpartition(".")[2]
    grepped = git(place, "grep", "-n", "-w", "-F", "-e", word).split(b"\n")[:GREP_LINES]
    here = [one.oid == file.oid and one.start <= line <= one.end for one in told.matches]
    path = paths.display(file.path)
    listed = any(one.path == path and one.line == line for one in told.others or ())
    return Paid(
        len(codec.dumps(codec.to_json(told)).encode()),
        len(data),
        sum(len(row) + 1 for row in grepped) + len(ranged) + 8 * RANGE_LINES,
        here[0],
        any(here) or listed,
    )


def measure(place: Path, most: int) -> None:
    ws = open_workspace(str(place), environment(), in_process=True)
    with ws.repository:
        tree = views.choose(ws, HEAD).tree
        files = sorted(mapping.mapped_files(ws, tree))
        every = functions(ws, files)
        chosen = random.Random(3).sample(every, min(most, len(every)))  # noqa: S311
        rows = [row for item in chosen if (row := paid(ws, place, *item)) is not None]
        told = mapping.tree_map(ws, HEAD, tokens=0)
        shown = "\n".join(text.lines("map", told))
        whole = sum(len(shelf.of(ws).blob(file.oid)) for file in files)
        print(
            f"| {place.name} | {len(rows)} of {len(every)} |"
            f" {statistics.median(1 - row.symbol / row.file for row in rows):.1%} |"
            f" {statistics.median(1 - row.symbol / row.grep for row in rows):.1%} |"
            f" {sum(row.first for row in rows) / len(rows):.1%} |"
            f" {sum(row.told for row in rows) / len(chosen):.1%} |"
            f" {len(shown.encode()) / whole:.1%} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repo", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=MOST, help="functions of each, drawn")
    print("| repository | functions | symbol less than file | less than grep and range |"
          " it in the first place | in the one answer | map of reading all |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    asked = parser.parse_args()
    for place in asked.repo:
        measure(place, asked.most)


if __name__ == "__main__":
    main()
