"""The lines of a tree that match: what the index leaves over is read, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from slipstream_git.reading.search.places import Located, Part
from slipstream_git.reading.search.segments import Segment
from slipstream_git.records import NamedTuple
from slipstream_git.text.patterns import Pattern, Text

# Where a line begins and ends, and a place before it in the same file, with the number of the line
# that begins there.
Span = tuple[int, int, int, int]
Wanted = Callable[[bytes], bool]

FIRST_LINES, MOST_LINES = 64, 4096


class Matched(NamedTuple):
    """A file with lines that match, and where they are in ``text``."""

    path: bytes
    oid: str
    text: Text
    spans: Sequence[Span]

    # (`count` of a tuple is never called.)
    @property
    def count(self) -> int:  # type: ignore[override]
        return len(self.spans)

    def lines(self, most: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Each with its number, 1-based."""
        spans = self.spans[:most]
        base = spans[0][2]
        text = self.text[base : spans[-1][1]]  # one copy: a file may have very many of these
        place = number = -1
        for left, right, near, line in spans:
            if near > place:
                place, number = near, line
            number += text.count(b"\n", place - base, left - base)
            place = left
            yield number, text[left - base : right - base]


def scan(located: Located, pattern: Pattern, wanted: Wanted | None) -> Iterator[Matched]:
    """Files with matching lines, those of a segment together; sorted by path within each.

    wanted: which paths; None for all. The caller stops when it has enough.
    """
    for part in located.whole.parts:
        yield from _of_part(located, part, pattern, wanted)
    yield from _beside(located, pattern, wanted)


def _of_part(
    located: Located, part: Part, pattern: Pattern, wanted: Wanted | None
) -> Iterator[Matched]:
    segment = part.segment
    units = part.units
    if wanted is not None:
        paths = located.whole.paths
        chosen = np.fromiter(
            (place >= 0 and wanted(paths[place]) for place in part.paths.tolist()), bool
        )
        units = part.units_of(chosen)
    held = segment.may_hold(pattern.need, folds=pattern.folds)
    if held is not None:
        units = units & held
    for blob, spans in by_blob(segment, pattern, _set(units)):
        first = int(part.paths[blob])
        if first < 0:
            continue
        for place in (first, *part.more.get(blob, ())):
            path = located.whole.paths[place]
            if place not in located.gone and (wanted is None or wanted(path)):
                yield Matched(path, located.whole.ids[place], segment.text, spans)


def _set(bits: NDArray[np.uint8]) -> list[int]:
    """The numbers of the bits that are set."""
    filled = np.flatnonzero(bits)
    flags = np.unpackbits(bits[filled], bitorder="little").reshape(-1, 8)
    rows, columns = np.nonzero(flags)
    found: list[int] = (filled[rows] * 8 + columns).tolist()
    return found


def by_blob(
    segment: Segment, pattern: Pattern, units: list[int]
) -> Iterator[tuple[int, list[Span]]]:
    """Matching lines of these units, those of a blob together."""
    found = _lines(segment, pattern, units)
    blob, held = -1, list[Span]()
    size = FIRST_LINES  # little for a reader who wants little
    while batch := list(islice(found, size)):
        size = min(size * 4, MOST_LINES)
        blobs, spans = _placed(segment, batch)
        edges = np.flatnonzero(np.diff(blobs)) + 1
        for first, behind in pairwise((0, *edges.tolist(), len(spans))):
            if blobs[first] == blob:
                held += spans[first:behind]
                continue
            if held:
                yield blob, held
            blob, held = int(blobs[first]), spans[first:behind]
    if held:
        yield blob, held


def _placed(segment: Segment, lines: list[tuple[int, int]]) -> tuple[NDArray[np.int64], list[Span]]:
    """The blob of each line, and the line with what its number is counted from."""
    bounds = np.array(lines, np.int64)
    lefts = bounds[:, 0] - segment.base
    blobs = segment.blob_starts.searchsorted(lefts, "right") - 1
    units = segment.unit_starts.searchsorted(lefts, "right") - 1
    near, first = segment.unit_starts[units], segment.blob_starts[blobs]
    numbers = np.where(near >= first, segment.lines[units], 1)
    near = np.maximum(near, first) + segment.base
    spans = zip(
        bounds[:, 0].tolist(), bounds[:, 1].tolist(), near.tolist(), numbers.tolist(), strict=True
    )
    return blobs, list(spans)


def _lines(segment: Segment, pattern: Pattern, units: list[int]) -> Iterator[tuple[int, int]]:
    starts, base = segment.unit_starts, segment.base
    for first, behind in _runs(units):
        start, end = int(starts[first]), int(starts[behind])
        yield from pattern.lines(segment.text, base + start, base + end)


def _runs(units: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbours together: the first of them, and the one behind the last."""
    if not units:
        return
    first = units[0]
    for unit, following in pairwise((*units, -1)):
        if following != unit + 1:
            yield first, unit + 1
            first = following


def _beside(located: Located, pattern: Pattern, wanted: Wanted | None) -> Iterator[Matched]:
    """Files that no segment holds, searched as they are."""
    for path, oid in located.beside.items():
        text = located.texts[oid]
        if text and (wanted is None or wanted(path)):
            spans = [(left, right, 0, 1) for left, right in pattern.lines(text, 0, len(text))]
            if spans:
                yield Matched(path, oid, text, spans)
