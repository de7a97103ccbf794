"""Whether search finds the lines that `git grep` finds: random queries of a repository's own words.

    python bench/equality.py [--queries 500] [--seed 1] PATH…

Plain text, words, ignoring case, regular expressions made of pieces of lines, with globs; the lines
must be the same by path, number and text. What differs is printed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.search import Searcher, grepped
from slipstream_git.text.patterns import Wish
from slipstream_git.text.scopes import compile_globs

# What a word may be put between, or a piece of it be.
_FORMS = (
    "{a}", "^{a}", "{a}$", "{a}.*{b}", "{a}|{b}", r"{a}\w+", r"\b{a}", r"{a}\s+\w", "{a}?{b}",
    r"({a}|{b})\(", r"{a}[^a-z]", r"\W{a}\W", "(?i){a}", r"{a}\d*$", r"^\s*{a}", "{a}{{1,2}}",
    r"[{a}]{{6,}}", r"\d{{4,}}.*{a}", "(?:{a})+{b}", r"{a}(?=\W)", r"(?<!\w){a}", ".{a}.",
)  # fmt: skip

_CUTS = (r"\w+", r"\w{3,}", r"\w+\W+\w+", r"\W+\w+", r"[^\s]+", r"[^\x00-\x7f]+")


def words(searcher: Searcher, chance: random.Random) -> list[str]:
    """Pieces of lines, most of them words, some with what stands beside them."""
    located = searcher.located()
    found: list[str] = []
    while len(found) < 4000:
        oid = chance.choice(located.whole.ids)
        data = searcher.repository.objects.blob(oid)
        if b"\0" in data[:8000] or not data:
            continue
        line = chance.choice(data.split(b"\n")).decode("utf-8", "ignore")
        cut = chance.choice(
            [r"\w+", r"\w{3,}", r"\w+\W+\w+", r"\W+\w+", r"[^\s]+", r"[^\x00-\x7f]+"]
        )
        pieces = re.findall(cut, line)
        if pieces:
            piece = chance.choice(pieces)[: chance.randrange(2, 24)]
            found += [piece] if "\n" not in piece and "\0" not in piece else []
    return found


def query(chance: random.Random, known: list[str]) -> Wish:
    a, b = chance.choice(known), chance.choice(known)
    ignore_case, word = chance.random() < 0.3, chance.random() < 0.25
    if chance.random() < 0.4:
        return Wish(a, fixed=True, ignore_case=ignore_case, word=word)
    form = chance.choice(_FORMS)
    if "[{a}]" in form:
        a = re.sub(r"[^a-z]", "", a) or "abc"
    return Wish(form.format(a=re.escape(a), b=re.escape(b)), ignore_case=ignore_case, word=word)


def compare(place: Path, queries: int, seed: int) -> int:
    """How many queries gave other lines."""
    cache = Path(tempfile.mkdtemp(prefix="slip-bench-"))
    chance = random.Random(seed)  # noqa: S311
    differing = 0
    engines: Counter[str] = Counter()
    lines = 0
    try:
        searcher = Searcher(place, cache)
        known = words(searcher, chance)
        for _ in range(queries):
            wish = query(chance, known)
            glob = chance.choice(["", "", "", "*.py", "!*.md", "src", "/lib/**", "*.c"])
            wanted = compile_globs([glob] if glob else [])
            try:
                engine, rows = searcher.answer(wish)
            except Exception as fault:  # noqa: BLE001  (a crash is what is looked for)
                print(f"{place.name}: {wish}: {fault!r}")
                differing += 1
                continue
            engines[engine] += 1
            mine = sorted(row for row in rows if wanted(row[0]))
            theirs = sorted(row for row in grepped(place, wish) if wanted(row[0]))
            lines += len(mine)
            if mine != theirs:
                differing += 1
                odd = set(mine).symmetric_difference(theirs)
                print(f"{place.name}: {wish} {glob}: {len(mine)}, git {len(theirs)}: {min(odd)}")
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    told = ", ".join(f"{count} by {engine}" for engine, count in sorted(engines.items()))
    print(f"{place.name}: {queries - differing} of {queries} equal ({told}), {lines:,} lines")
    return differing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repo", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    differing = [compare(place, options.queries, options.seed) for place in options.repo]
    return int(any(differing))


if __name__ == "__main__":
    sys.exit(main())
