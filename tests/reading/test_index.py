"""The index's files: whole or not there, shared by clones, never a stale or a wrong line."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from slipstream_git.gitdb import locks
from slipstream_git.gitdb.repository import open_repository
from slipstream_git.reading.search import index, places, scanning, segments
from slipstream_git.reading.search.index import Index
from slipstream_git.reading.search.segments import Broken, Segment
from slipstream_git.text.objectid import blob_id
from slipstream_git.text.patterns import Wish, compile_pattern
from slipstream_git.text.required import AnyOf
from tests.lab import Content, Lab

Texts = Mapping[str, bytes]


def unseen(_done: int, _of: int) -> None:
    """Nobody watches."""


def unread(oid: str) -> bytes:
    raise AssertionError(oid)


def texts(count: int, size: int, seed: int = 0) -> Texts:
    """Texts by blob id, each of lines of words that are all different."""
    chance = random.Random(seed)  # noqa: S311
    found = {}
    for number in range(count):
        rows = [f"{number} {chance.randbytes(9).hex()} line {row}\n" for row in range(size // 32)]
        data = "".join(rows).encode() + b"end" * (number % 2)
        found[blob_id(data)] = data
    return found


def written(place: Path, blobs: Texts) -> Segment:
    drafted = segments.draft(blobs.items(), 20)
    path = place / (drafted.name + index.SUFFIX)
    path.write_bytes(b"".join(drafted.pieces))
    return Segment(str(path))


def test_a_segment_gives_back_what_it_was_made_of(tmp_path: Path) -> None:
    blobs = {**texts(50, 900), **texts(3, 40_000, 1), blob_id(b""): b"", blob_id(b"x"): b"x"}
    segment = written(tmp_path, blobs)
    numbers = segment.find(segments.rows_of_ids(list(blobs), 20)).tolist()
    for number, data in zip(numbers, blobs.values(), strict=True):
        ended = data if not data or data.endswith(b"\n") else data + b"\n"
        assert segment.blob(number) == ended
    assert [oid.hex() for oid in segment.ids()] == list(blobs)
    assert segment.find(segments.rows_of_ids(["0" * 40, "f" * 40], 20)).tolist() == [-1, -1]


def test_units_begin_with_lines_and_know_their_numbers(tmp_path: Path) -> None:
    blobs = {**texts(200, 700), **texts(4, 50_000, 1), "a" * 40: b"x" * 20_000 + b"\nlast\n"}
    segment = written(tmp_path, blobs)
    starts, blob_starts = segment.unit_starts.tolist(), segment.blob_starts.tolist()
    assert starts[0] == 0
    assert starts[-1] == blob_starts[-1] == segment.header.content_bytes
    assert all(a < b for a, b in pairwise(starts))
    for unit, start in enumerate(starts[:-1]):
        blob = int(np.searchsorted(segment.blob_starts, start, "right")) - 1
        before = segment.text[segment.base + blob_starts[blob] : segment.base + start]
        assert not before or before.endswith(b"\n")
        assert segment.lines[unit] == before.count(b"\n") + 1


def test_no_unit_that_holds_a_text_is_left_out(tmp_path: Path) -> None:
    blobs = texts(60, 3000)
    segment = written(tmp_path, blobs)
    whole = segment.text[segment.base :]
    chance = random.Random(7)  # noqa: S311
    for _ in range(300):
        start = chance.randrange(len(whole) - 20)
        literal = whole[start : start + chance.randrange(3, 15)].split(b"\n")[0]
        may = segment.may_hold(literal.lower(), folds=False)
        if may is None:
            assert len(literal) < 3
            continue
        bits = np.unpackbits(may.view(np.uint8), bitorder="little")
        unit = int(np.searchsorted(segment.unit_starts, start, "right")) - 1
        assert bits[unit]
    nowhere = segment.may_hold(b"~~no such text~~", folds=False)
    assert nowhere is not None
    assert not nowhere.any()
    assert segment.may_hold(AnyOf((b"line", b"x")), folds=False) is None


def test_the_index_is_a_sixth_of_the_content(tmp_path: Path) -> None:
    blobs = texts(600, 6000)
    segment = written(tmp_path, blobs)
    assert segment.size_bytes - segment.header.content_bytes < 0.18 * segment.header.content_bytes


@pytest.mark.parametrize("cut", [0, 7, 11, 40, 1000, -1])
def test_half_a_segment_is_none(tmp_path: Path, cut: int) -> None:
    segment = written(tmp_path, texts(5, 900))
    path = tmp_path / segment.name
    data = path.read_bytes()[:cut]
    path.unlink()  # the one that is mapped keeps its content
    path.write_bytes(data)
    with pytest.raises(Broken):
        Segment(str(path))


def test_a_segment_that_is_cut_under_our_feet_is_seen(tmp_path: Path) -> None:
    segment = written(tmp_path, texts(5, 900))
    assert segment.is_whole()
    os.truncate(tmp_path / segment.name, 100)
    assert not segment.is_whole()


# The directory -----------------------------------------------------------------------------------


def made(place: Path, shared: Path | None = None, most_bytes: int = 1 << 30) -> Index:
    return Index(str(place), None if shared is None else str(shared), 20, most_bytes)


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.suffix == index.SUFFIX)


def test_a_little_stays_in_memory_and_much_becomes_a_segment(tmp_path: Path) -> None:
    few, many = texts(5, 900), texts(400, 9000, 1)
    here = made(tmp_path / "index")
    assert here.add(list(few), few.__getitem__, unseen).texts == few
    assert not (tmp_path / "index").exists()
    told: list[tuple[int, int]] = []
    assert here.add(list(many), many.__getitem__, lambda *at: told.append(at)).texts == {}
    assert told[-1] == (400, 400)
    assert here.missing([*many, *few]) == list(few)
    again = made(tmp_path / "index")
    assert again.missing(list(many)) == []
    assert names(tmp_path / "index") == [again.segments()[0].name]
    assert (tmp_path / "index" / again.segments()[0].name).stat().st_mode & 0o777 == 0o600


def test_small_segments_become_one(tmp_path: Path) -> None:
    here = made(tmp_path)
    every: dict[str, bytes] = {}
    for seed in range(index.MOST_SMALL + 1):
        blobs = texts(30, 80_000, seed + 1)
        every |= blobs
        here.add(list(blobs), blobs.__getitem__, unseen)
    assert len(names(tmp_path)) == 1
    assert here.missing(list(every)) == []
    found = here.segments()[0]
    for oid, data in list(every.items())[::20]:
        number = int(found.find(segments.rows_of_ids([oid], 20))[0])
        assert found.blob(number).rstrip(b"\n") == data.rstrip(b"\n")


def test_clones_share_a_file(tmp_path: Path) -> None:
    blobs = texts(400, 9000)
    shared = tmp_path / "cache"
    made(tmp_path / "a", shared).add(list(blobs), blobs.__getitem__, unseen)
    reads: list[str] = []

    def read(oid: str) -> bytes:
        reads.append(oid)
        return blobs[oid]

    other = made(tmp_path / "b", shared)
    other.add(list(blobs), read, unseen)
    (name,) = names(tmp_path / "b")
    assert len(reads) < len(blobs)  # enough to see that there is much to read
    assert (tmp_path / "a" / name).stat().st_ino == (tmp_path / "b" / name).stat().st_ino
    assert other.segments()[0] is made(tmp_path / "a").segments()[0]
    stranger = texts(400, 9000, 5)
    third = made(tmp_path / "c", shared)
    third.add(list(stranger), stranger.__getitem__, unseen)
    assert name not in names(tmp_path / "c")


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    first, second = texts(400, 9000, 1), texts(400, 9000, 2)
    here = made(tmp_path, most_bytes=6 << 20)
    here.add(list(first), first.__getitem__, unseen)
    (old,) = names(tmp_path)
    os.utime(tmp_path / old, (1, 1))
    here.add(list(second), second.__getitem__, unseen)
    assert old not in names(tmp_path)
    assert here.missing(list(second)) == []
    assert here.missing(list(first)) == list(first)


def test_a_tree_that_is_larger_than_the_limit_is_indexed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(index, "SMALL_BYTES", 0)
    blobs = texts(400, 9000)
    here = made(tmp_path / "index", tmp_path / "cache", most_bytes=1 << 20)
    assert here.add(list(blobs), blobs.__getitem__, unseen).texts == {}
    assert len(names(tmp_path / "index")) > 2
    assert len(names(tmp_path / "cache")) == 1
    assert here.missing(list(blobs)) == []
    assert here.add(list(blobs), unread, unseen).texts == {}  # nothing is read again


def test_what_goes_with_blobs_of_others_is_made_again(tmp_path: Path) -> None:
    first, second = texts(400, 9000, 1), texts(400, 9000, 2)
    kept = dict(list(first.items())[::4])
    here = made(tmp_path, most_bytes=3 << 20)
    here.add(list(first), first.__getitem__, unseen)
    (old,) = names(tmp_path)
    os.utime(tmp_path / old, (1, 1))
    both = {**kept, **second}
    assert here.add(list(both), both.__getitem__, unseen).texts == {}
    assert old not in names(tmp_path)
    assert here.missing(list(both)) == []


class LetGo(Index):
    """As if another process let everything go as soon as it can be searched."""

    directory = Path()

    def add(self, ids: Sequence[str], read: index.Reader, progress: index.Progress) -> index.Held:
        held = super().add(ids, read, progress)
        for segment in held.segments:
            (self.directory / segment.name).unlink()
        return held


def test_what_another_process_lets_go_meanwhile_is_still_searched(
    repo: Lab, tmp_path: Path
) -> None:
    files: dict[str, Content] = dict(texts(400, 9000).items())
    repo.commit(files, "files")
    letting_go = LetGo(str(tmp_path), None, 20, 1 << 30)
    letting_go.directory = tmp_path
    with open_repository(str(repo.path), os.environ, in_process=True) as repository:
        tree = repo.git("rev-parse", "HEAD^{tree}").strip()
        sources = places.Sources(repository, letting_go, repository.objects.blob, unseen)
        located = places.Places().locate(sources, tree)
        found = scanning.scan(located, compile_pattern(Wish("line 7$")), None)
        assert {hit.path.decode() for hit in found} >= set(files)
    assert names(tmp_path) == []


def test_what_is_broken_or_left_half_is_swept_away(tmp_path: Path) -> None:
    blobs = texts(400, 9000)
    (tmp_path / ("0" * 40 + index.SUFFIX)).write_bytes(b"no segment")
    (tmp_path / "left.seg.part").write_bytes(b"half")
    here = made(tmp_path)
    here.add(list(blobs), blobs.__getitem__, unseen)
    assert len(names(tmp_path)) == 1
    assert not list(tmp_path.glob("*.part"))


def test_nobody_waits_long_for_another_who_builds(tmp_path: Path) -> None:
    blobs = texts(400, 9000)
    here = made(tmp_path)
    with locks.held_file(str(tmp_path / "lock"), 0):
        start = time.monotonic()
        with pytest.raises(BlockingIOError):
            here.add(list(blobs), blobs.__getitem__, unseen)
        assert time.monotonic() - start < 5
    assert here.add(list(blobs), blobs.__getitem__, unseen).texts == {}


def test_two_who_build_at_once_build_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PATIENCE_S", 60.0)
    blobs = texts(400, 9000)
    reads: list[str] = []

    def read(oid: str) -> bytes:
        reads.append(oid)
        return blobs[oid]

    def build() -> None:
        made(tmp_path).add(list(blobs), read, unseen)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(tmp_path)) == 1
    # Each sees first how much there is; one reads it.
    assert len(reads) < len(blobs) + 4 * 300


def test_the_first_line_of_all_begins_a_line(tmp_path: Path) -> None:
    segment = written(tmp_path, {"a" * 40: b"first word\nfirst again\n"})
    for pattern, count in ((r"^first", 2), (r"^\s*first", 2), (r"\bfirst", 2), (r"^\w+ word$", 1)):
        found = scanning.by_blob(segment, compile_pattern(Wish(pattern)), np.array([0]))
        assert [len(rows) for _, rows in found] == [count]


def test_lines_have_their_numbers_wherever_units_are_cut(tmp_path: Path) -> None:
    blobs = {**texts(80, 500), **texts(3, 30_000, 1)}
    segment = written(tmp_path, blobs)
    pattern = compile_pattern(Wish("line [0-9]*[05]$"))
    units = np.arange(segment.header.units)
    for number, found in scanning.by_blob(segment, pattern, units):
        rows = segment.blob(number).split(b"\n")
        expected = [
            (place, row) for place, row in enumerate(rows, 1) if row.endswith((b"0", b"5"))
            and b" line " in row
        ]  # fmt: skip
        assert found == expected


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_lines_are_the_same_however_units_are_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, *, threads: bool
) -> None:
    if threads:
        monkeypatch.setattr(scanning, "LARGE_CHUNK", 0)
        monkeypatch.setattr(scanning, "FEW_PIECES", 1 << 20)
    chance = random.Random(3)  # noqa: S311
    blobs = {**texts(300, 600), **texts(6, 60_000, 1), **texts(200, 90, 2)}
    segment = written(tmp_path, blobs)
    chosen = [unit for unit in range(segment.header.units) if chance.random() < share]
    rows = []
    for number, data in enumerate(blobs.values()):
        place = int(segment.blob_starts[number])
        for line, row in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
            unit = int(np.searchsorted(segment.unit_starts, place, "right")) - 1
            rows += [(number, line, row)] if row and unit in chosen else []
            place += len(row) + 1
    for pattern in ("line", r"line \d*7$", r"line \d", "[0-9]5", "^7.*[ab]c", "zzz+"):
        seen = re.compile(pattern.encode())
        expected: dict[int, list[tuple[int, bytes]]] = {}
        for number, line, row in rows:
            if seen.search(row):
                expected.setdefault(number, []).append((line, row))
        compiled = compile_pattern(Wish(pattern))
        assert dict(scanning.by_blob(segment, compiled, np.array(chosen))) == expected
