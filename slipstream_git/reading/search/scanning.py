"""The lines of a tree that match: what the index leaves over is read, and nothing else.

What is left over is looked at in chunks, since to begin and end a look takes as long as some
thousands of bytes of it: neighbours as they lie in the segment, others copied together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from slipstream_git.reading.search.places import Located, Part
from slipstream_git.reading.search.ranking import Hit, Row
from slipstream_git.reading.search.segments import Bits, Segment
from slipstream_git.records import NamedTuple
from slipstream_git.text.linefinding import Span, Text
from slipstream_git.text.patterns import Pattern

Wanted = Callable[[bytes], bool]

# Units to a chunk: little for a reader who wants little.
FIRST_UNITS, MOST_UNITS = 16, 256
# Chunks are looked at two at a time where they are large, need no copying and hold little: else it
# is the interpreter that is busy, and threads would stand in each other's way.
THREADS = 2
LARGE_CHUNK, FEW_PIECES, FEW_SPANS = 512 << 10, 8, 250


class _Chunk(NamedTuple):
    """Some units in one text.

    pieces: where each of its pieces begins in it, neighbours being one; shifts: how much
    further on that is in the segment's text.
    """

    text: Text
    start: int
    end: int
    pieces: Sequence[int]
    shifts: Sequence[int]


def scan(located: Located, pattern: Pattern, wanted: Wanted | None) -> Iterator[Hit]:
    """Files with matching lines, those of a segment together; sorted by path within each.

    wanted: which paths; None for all. The caller stops when it has enough.
    """
    for part in located.whole.parts:
        yield from _of_part(located, part, pattern, wanted)
    yield from _beside(located, pattern, wanted)


def _of_part(
    located: Located, part: Part, pattern: Pattern, wanted: Wanted | None
) -> Iterator[Hit]:
    segment = part.segment
    paths, ids = located.whole.paths, located.whole.ids
    units = part.units
    held = segment.may_hold(pattern.need, folds=pattern.folds)
    if held is not None:
        units = units & held
    if wanted is not None and units.any():
        chosen = np.fromiter(
            (place >= 0 and wanted(paths[place]) for place in part.paths.tolist()), bool
        )
        for blob, places in part.more.items():
            chosen[blob] = chosen[blob] or any(wanted(paths[place]) for place in places)
        units = units & part.units_of(chosen)
    for blob, rows in by_blob(segment, pattern, _set(units)):
        first = int(part.paths[blob])
        if first < 0:
            continue
        for place in (first, *part.more.get(blob, ())):
            path = paths[place]
            if place not in located.gone and (wanted is None or wanted(path)):
                yield Hit(path, rows, ids[place])


def _set(bits: Bits) -> NDArray[np.int64]:
    """The numbers of the bits that are set."""
    filled = np.flatnonzero(bits)
    if not len(filled):
        return filled
    flags = np.unpackbits(bits[filled].view(np.uint8), bitorder="little").reshape(-1, 64)
    rows, columns = np.nonzero(flags)
    return filled[rows] * 64 + columns


def by_blob(
    segment: Segment, pattern: Pattern, units: NDArray[np.int64]
) -> Iterator[tuple[int, list[Row]]]:
    """Matching lines of these units, those of a blob together."""
    blob, held = -1, list[Row]()
    for chunk, found in _searched(_chunks(segment, units), pattern):
        for another, rows in _rows(segment, chunk, found):
            if another == blob:
                held += rows
                continue
            if held:
                yield blob, held
            blob, held = another, rows
    if held:
        yield blob, held


def _rows(segment: Segment, chunk: _Chunk, found: list[Span]) -> Iterator[tuple[int, list[Row]]]:
    """The lines of a chunk, those of a blob together."""
    if not found:
        return
    if any(lines > 1 for _, _, lines in found):
        found = [piece for span in found for piece in _within_blobs(segment, chunk, span)]
    blobs, near, first = _placed(segment, chunk, found)
    text = chunk.text[chunk.start : chunk.end]
    count = text.count
    base = chunk.start
    rows: list[Row] = []
    blob = blobs[0]
    place = number = -1
    for (left, right, lines), another, unit, line in zip(found, blobs, near, first, strict=True):
        if another != blob:
            yield blob, rows
            blob, rows = another, []
        if unit > place:
            place, number = unit, line
        number += count(b"\n", place - base, left - base)
        place = right
        if lines == 1:
            rows.append((number, text[left - base : right - base]))
        else:
            rows += enumerate(text[left - base : right - base].split(b"\n"), number)
            number += lines - 1
    yield blob, rows


# Chunks ------------------------------------------------------------------------------------------


def _chunks(segment: Segment, units: NDArray[np.int64]) -> Iterator[_Chunk]:
    first, size = 0, FIRST_UNITS
    while first < len(units):
        some = units[first : first + size]
        first += size
        size = min(size * 4, MOST_UNITS)
        starts = segment.unit_starts[some] + segment.base
        ends = segment.unit_starts[some + 1] + segment.base
        apart = np.flatnonzero(starts[1:] != ends[:-1])
        if not len(apart):
            start, end = int(starts[0]), int(ends[-1])
            yield _Chunk(segment.text, start, end, (start,), (0,))
            continue
        starts = starts[np.append(0, apart + 1)]
        ends = ends[np.append(apart, -1)]
        pieces = np.append(0, np.cumsum(ends - starts))
        view = segment.view
        rows = zip(starts.tolist(), ends.tolist(), strict=True)
        text = b"".join([view[start:end] for start, end in rows])
        shifts = (starts - pieces[:-1]).tolist()
        yield _Chunk(text, 0, len(text), pieces[:-1].tolist(), shifts)


def _searched(chunks: Iterator[_Chunk], pattern: Pattern) -> Iterator[tuple[_Chunk, list[Span]]]:
    """Each chunk with what was found in it."""
    ahead: deque[tuple[_Chunk, Future[list[Span]]]] = deque()
    with ExitStack() as stack:
        pool: ThreadPoolExecutor | None = None
        few = False
        while True:
            while few and pool is not None and len(ahead) <= THREADS:
                chunk = next(chunks, None)
                if chunk is None:
                    break
                look = pool.submit(pattern.lines, chunk.text, chunk.start, chunk.end)
                ahead.append((chunk, look))
            if ahead:
                chunk, look = ahead.popleft()
                found = look.result()
            else:
                chunk = next(chunks, None)
                if chunk is None:
                    return
                found = pattern.lines(chunk.text, chunk.start, chunk.end)
            few = len(found) <= FEW_SPANS and len(chunk.pieces) <= FEW_PIECES
            if few and pool is None and pattern.threads and chunk.end - chunk.start > LARGE_CHUNK:
                pool = stack.enter_context(ThreadPoolExecutor(THREADS))
            yield chunk, found


def _placed(
    segment: Segment, chunk: _Chunk, found: Sequence[Span]
) -> tuple[list[int], list[int], list[int]]:
    """The blob of each span, a place in the chunk from which its line is counted, and its number.

    That place is where the unit begins, or the blob if it is behind that.
    """
    places = np.fromiter((span[0] for span in found), np.int64, len(found))
    shifts = np.array(chunk.shifts)[np.searchsorted(chunk.pieces, places, "right") - 1]
    shifts -= segment.base
    places += shifts
    blobs = segment.blob_starts.searchsorted(places, "right") - 1
    units = segment.unit_starts.searchsorted(places, "right") - 1
    unit, blob = segment.unit_starts[units], segment.blob_starts[blobs]
    numbers = np.where(unit >= blob, segment.lines[units], 1)
    return blobs.tolist(), (np.maximum(unit, blob) - shifts).tolist(), numbers.tolist()


def _within_blobs(segment: Segment, chunk: _Chunk, span: Span) -> Iterator[Span]:
    """A span as pieces that are each of one blob."""
    left, right, count = span
    while count:
        piece = bisect_right(chunk.pieces, left) - 1
        shift = chunk.shifts[piece] - segment.base
        blob = int(segment.blob_starts.searchsorted(left + shift, "right"))
        behind = int(segment.blob_starts[blob]) - shift
        if piece + 1 < len(chunk.pieces):
            behind = min(behind, chunk.pieces[piece + 1])
        if behind > right:
            yield left, right, count
            return
        lines = chunk.text[left:behind].count(b"\n")
        yield left, behind - 1, lines
        left, count = behind, count - lines


def _beside(located: Located, pattern: Pattern, wanted: Wanted | None) -> Iterator[Hit]:
    """Files that no segment holds, searched as they are."""
    for path, text in located.beside.items():
        if text and (wanted is None or wanted(path)):
            rows = list(_numbered(text, pattern.lines(text, 0, len(text))))
            if rows:
                yield Hit(path, rows)


def _numbered(text: bytes, found: Iterable[Span]) -> Iterator[Row]:
    place, number = 0, 1
    for left, right, _ in found:
        number += text.count(b"\n", place, left)
        yield from enumerate(text[left:right].split(b"\n"), number)
        place = left
