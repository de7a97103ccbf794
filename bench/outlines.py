"""How long outlines take, as a ratio to parsing the same files with tree-sitter alone.

    python bench/outlines.py [--turns 5] NAME=DIR[:GLOB]…

One process, one thread, files read beforehand, grammars loaded beforehand. The two take turns
(A B A B …); the table shows the median ratio, the least and the greatest, by processor time.
Files in languages without a grammar are left out on both sides.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from slipstream_git.text import outline

File = tuple[str, bytes]


def read(place: Path) -> list[File]:
    files = []
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink() and ".git" not in path.parts:
            data = path.read_bytes()
            if outline.outline(path.name, data).engine == "tree-sitter":
                files.append((path.name, data))
    return files


def parse_alone(files: list[File]) -> float:
    parsers = [(outline.parser_of(name, data), data) for name, data in files]
    began = time.process_time()
    for parser, data in parsers:
        parser.parse(data)
    return time.process_time() - began


def outline_all(files: list[File]) -> float:
    began = time.process_time()
    for name, data in files:
        outline.outline(name, data)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("places", nargs="+", metavar="NAME=DIR")
    asked = parser.parse_args()
    print("| repository | files | MB | symbols | parse, ms | outline, ms | ratio | least | most |")
    print("|---|---|---|---|---|---|---|---|---|")
    for place in asked.places:
        name, _, directory = place.partition("=")
        files = read(Path(directory))
        symbols = sum(len(outline.outline(*one).symbols) for one in files)
        turns = [(parse_alone(files), outline_all(files)) for _ in range(asked.turns)]
        ratios = [outlined / parsed for parsed, outlined in turns]
        parsed, outlined = (statistics.median(column) * 1000 for column in zip(*turns, strict=True))
        size = sum(len(data) for _, data in files) / 1e6
        print(
            f"| {name} | {len(files):,} | {size:.1f} | {symbols:,} | {parsed:.0f} | {outlined:.0f} "
            f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |"
        )
        kinds = Counter(outline.language_of(*one) for one in files)
        print(f"|   | {', '.join(f'{kind} {count:,}' for kind, count in kinds.most_common())} |")


if __name__ == "__main__":
    main()
