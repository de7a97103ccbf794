"""Outlines of blobs, made once: a SQLite file, keyed by blob id and by what made them.

It may be deleted at any time, and is when it cannot be read. A process keeps the latest in memory.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

from slipstream_git.readings import Outline, Symbol
from slipstream_git.records import NamedTuple
from slipstream_git.text import outline as outlining
from slipstream_git.text import paths

MOST_KEPT = 20_000
# Rows asked for at once: SQLite's oldest limit on parameters is 999.
_AT_ONCE = 500
MOST_BYTES = 512 << 20
_FORM = 1
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS outlines (key TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ranks (key TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID",
)


class File(NamedTuple):
    path: bytes
    oid: str


class Outlines:
    """The outlines of one repository.

    place: the SQLite file. read: a blob's bytes. kept: those that are in memory, which other
    repositories may have made.
    """

    def __init__(
        self, place: str, read: Callable[[str], bytes], kept: dict[str, Outline] | None = None
    ) -> None:
        self._place = place
        self._read = read
        self._kept: dict[str, Outline] = {} if kept is None else kept
        self._database: sqlite3.Connection | None = None

    def of(self, file: File) -> Outline:
        return self._kept.get(_key(file)) or self.every([file])[file.path]

    def every(
        self, files: Sequence[File], progress: Callable[[int, int], None] | None = None
    ) -> Mapping[bytes, Outline]:
        """Outlines by path. progress: is told how many of those that must be made are."""
        keys = {file: _key(file) for file in files}
        known = ((key, self._kept.get(key)) for key in keys.values())
        found = {key: outline for key, outline in known if outline is not None}
        missing = [key for key in dict.fromkeys(keys.values()) if key not in found]
        for key, data in self._stored("outlines", missing):
            with suppress(ValueError, TypeError, zlib.error):
                found[key] = _decoded(data)
        new: dict[str, bytes] = {}
        made = [file for file, key in keys.items() if key not in found]
        for number, file in enumerate(made, 1):
            key = keys[file]
            if key not in found:
                text = paths.legible(file.path)
                found[key] = outlining.outline(text, self._read(file.oid))
                new[key] = _encoded(found[key])
            if progress is not None:
                progress(number, len(made))
            if len(new) >= _AT_ONCE:
                self._store("outlines", new)
                new = {}
        self._store("outlines", new)
        self._keep(found)
        return {file.path: found[key] for file, key in keys.items()}

    def rank(self, key: str) -> bytes | None:
        """What was worked out for a whole tree."""
        return next((data for _, data in self._stored("ranks", [key])), None)

    def keep_rank(self, key: str, data: bytes) -> None:
        self._store("ranks", {key: data})

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _keep(self, found: Mapping[str, Outline]) -> None:
        if len(self._kept) + len(found) > MOST_KEPT:
            self._kept.clear()
        self._kept.update(found)

    # The file ------------------------------------------------------------------------------------

    def _stored(self, table: str, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The rows that are there; none where the file is no database (any more)."""
        rows: list[tuple[str, bytes]] = []
        try:
            database = self._opened()
            for first in range(0, len(keys), _AT_ONCE):
                some = keys[first : first + _AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, data FROM {table} WHERE key IN ({marks})"  # noqa: S608  (ours)
                rows += database.execute(query, some)
        except (sqlite3.Error, OSError):
            self._begin_again()
        return iter(rows)

    def _store(self, table: str, rows: Mapping[str, bytes]) -> None:
        if not rows:
            return
        try:
            database = self._opened()
            with database:
                query = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)"  # noqa: S608  (ours)
                database.executemany(query, rows.items())
        except (sqlite3.Error, OSError):
            self._begin_again()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            if os.path.exists(self._place) and os.path.getsize(self._place) > MOST_BYTES:
                os.unlink(self._place)
            os.makedirs(os.path.dirname(self._place), mode=0o700, exist_ok=True)
            database = sqlite3.connect(self._place, timeout=5.0, check_same_thread=False)
            # What a power cut takes is made again.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")
            for statement in _SCHEMA:
                database.execute(statement)
            self._database = database
        return self._database

    def _begin_again(self) -> None:
        """Without what cannot be read or written; the next process makes it anew."""
        with suppress(sqlite3.Error):
            self.close()
        self._database = None
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(self._place + suffix)


def _key(file: File) -> str:
    return f"{file.oid} {_maker(file.path)}"


@lru_cache(maxsize=1 << 15)
def _maker(path: bytes) -> str:
    """What makes a file's outline, and in which form it is kept."""
    return f"{_FORM} {outlining.version(paths.legible(path))}"


def _encoded(outline: Outline) -> bytes:
    return zlib.compress(json.dumps(outline, separators=(",", ":")).encode(), 1)


def _decoded(data: bytes) -> Outline:
    fields = json.loads(zlib.decompress(data))
    told = dict(zip(Outline._fields, fields, strict=True))
    symbols = tuple(_symbol(row) for row in told["symbols"])
    return Outline(**{**told, "symbols": symbols, "imports": tuple(told["imports"])})


def _symbol(row: Iterable[object]) -> Symbol:
    symbol = Symbol._make(row)
    line, column = symbol.at
    return symbol._replace(at=(line, column))
