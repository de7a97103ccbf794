"""Which facts are near: by their words, and by what is being worked on. Pure but for SQLite.

Words are ranked by BM25, as SQLite's FTS5 has it, with English endings taken off (Porter). Facts
about what is being worked on come first, those about what changes together with it count for more.
All weights are here.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from slipstream_git.memory import words
from slipstream_git.recollections import FactRow
from slipstream_git.records import NamedTuple

# What a word in each of these counts: of the fact's text, of what it is about, of its tags.
_COLUMNS: Final = (1.0, 0.8, 1.2)
_TITLE: Final = 0.5
_BRANCH: Final = 0.4
# To be about what is worked on is more than any words.
_TOUCHED_SYMBOL: Final = 40.0
_TOUCHED: Final = 30.0
_NAMED: Final = 20.0
_BESIDE: Final = 1.5
_TOGETHER: Final = 4.0
_STALE: Final = 0.8
# Facts whose words fit so much worse than the best ones' say nothing.
_WORTH: Final = 0.04
_MOST_WORDS: Final = 64
_MOST_WHY: Final = 4
_FILLER: Final = "0x0filler"


class Signals(NamedTuple):
    """What is known of the work. touched: paths that it changes. symbols: PATH#SYMBOL likewise.

    together: paths that change along with those, by how often of the times, from 0 to 1.
    """

    query: str = ""
    title: str = ""
    branch: str = ""
    touched: frozenset[str] = frozenset()
    symbols: frozenset[str] = frozenset()
    together: Mapping[str, float] = {}


def ranked(rows: Sequence[FactRow], signals: Signals) -> list[FactRow]:
    """The facts that are near, the nearest first, each with its score and why."""
    if not rows:
        return []
    index = _Index(rows)
    asked = words.of(signals.query)
    found = [
        (index.scores(asked), 1.0, ""),
        (index.scores(words.of(signals.title)), _TITLE, "title: "),
        (index.scores(words.of_branch(signals.branch)), _BRANCH, "branch: "),
    ]
    by_words: dict[int, float] = {}
    matching: dict[int, list[str]] = {}
    for scores, weight, said in found:
        for number, (value, matched) in scores.items():
            by_words[number] = by_words.get(number, 0.0) + weight * value
            matching.setdefault(number, []).append(said + " ".join(matched[:_MOST_WHY]))
    least = _WORTH * max(by_words.values(), default=0.0)
    told: list[FactRow] = []
    for number, row in enumerate(rows):
        near, why = _by_place(row, signals)
        fitting = by_words.get(number, 0.0)
        if near or fitting > least:
            score = (near + fitting) * (_STALE if row.stale else 1.0)
            why += matching.get(number, [])
            told.append(row._replace(score=round(score, 2), why=why))
    return sorted(told, key=lambda row: (-(row.score or 0), row.about or "", row.id))


def _by_place(row: FactRow, signals: Signals) -> tuple[float, list[str]]:
    """What a fact counts for being about what is worked on."""
    if not row.about:
        return 0.0, []
    path = row.about.partition("#")[0]
    directory = path.rpartition("/")[0]
    share = signals.together.get(path, 0.0)
    if row.about in signals.symbols:
        found = _TOUCHED_SYMBOL, "changed here"
    elif path in signals.touched or any(one.startswith(f"{path}/") for one in signals.touched):
        found = _TOUCHED, "worked on here"
    elif _is_named(path, signals.query):
        found = _NAMED, "named"
    elif share:
        found = _TOGETHER * share, "changes with what is worked on"
    elif directory and any(one.rpartition("/")[0] == directory for one in signals.touched):
        found = _BESIDE, "beside what is worked on"
    else:
        return 0.0, []
    return found[0], [found[1]]


def _is_named(path: str, query: str) -> bool:
    """Whether the path stands there on its own, and not within a longer one."""
    if path not in query:
        return False
    # A full stop behind it ends a sentence, unless something follows.
    named = rf"(?<![\w/.-]){re.escape(path)}(?![\w/-]|\.\w)"
    return re.search(named, query) is not None


class _Index:
    """The words of some facts."""

    def __init__(self, rows: Sequence[FactRow]) -> None:
        self._texts = [
            (words.of(row.text), words.of(row.about or ""), words.of(" ".join(row.tags or ())))
            for row in rows
        ]
        self._database = _opened(self._texts)

    def scores(self, asked: Iterable[str]) -> dict[int, tuple[float, list[str]]]:
        """By a fact's place: how well it fits, and the words that it has."""
        distinct = list(dict.fromkeys(asked))[:_MOST_WORDS]
        if not distinct:
            return {}
        if self._database is None:
            return self._counted(distinct)
        total: Counter[int] = Counter()
        matched: dict[int, list[str]] = {}
        weights = ", ".join(map(str, _COLUMNS))
        query = f"SELECT rowid, -bm25(facts, {weights}) FROM facts WHERE facts MATCH ?"  # noqa: S608
        for word in distinct:
            for number, score in self._database.execute(query, (f'"{word}"',)):
                total[number] += score
                matched.setdefault(number, []).append(word)
        return {number: (score, matched[number]) for number, score in total.items()}

    def _counted(self, asked: Sequence[str]) -> dict[int, tuple[float, list[str]]]:
        """Without FTS5: how rare each word is that a fact has."""
        found: dict[int, tuple[float, list[str]]] = {}
        every = [frozenset().union(*parts) for parts in self._texts]
        for word in asked:
            having = [number for number, known in enumerate(every) if word in known]
            for number in having:
                score, matched = found.get(number, (0.0, []))
                rare = math.log(1 + len(every) / len(having))
                found[number] = score + rare, [*matched, word]
        return found


def _opened(texts: Sequence[tuple[Sequence[str], ...]]) -> sqlite3.Connection | None:
    database = sqlite3.connect(":memory:")
    try:
        database.execute(
            "CREATE VIRTUAL TABLE facts"
            " USING fts5 (said, about, tags, tokenize = 'porter unicode61')"
        )
    except sqlite3.OperationalError:  # a Python that was built without it
        database.close()
        return None
    rows = [tuple(" ".join(part) for part in parts) for parts in texts]
    # What most have is worth nothing to BM25. Of few facts most may have it, so others are added
    # that have none of it, and are as long.
    lengths = [sum(len(parts[column]) for parts in texts) // len(texts) for column in range(3)]
    filler = tuple(" ".join([_FILLER] * length) for length in lengths)
    numbered = enumerate([*rows, *[filler] * (len(rows) + 1)])
    database.executemany(
        "INSERT INTO facts (rowid, said, about, tags) VALUES (?, ?, ?, ?)",
        ((number, *row) for number, row in numbered),
    )
    return database
