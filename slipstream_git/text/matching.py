"""Where ``old`` occurs in a file, and what to write in its place.

Two levels, the first with a match decides: the exact bytes; then the bytes with CRLF and LF taken
as equal. Nothing looser is ever matched; what is said of a failed match is in explaining.py.

A line ends with LF or CRLF. A lone CR, a form feed, U+0085 and U+2028 are characters of a line.
Files may be of any size; nothing here loops over their bytes in Python.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from slipstream_git.records import NamedTuple

Span = tuple[int, int]
Level = Literal["exact", "eol"]

_BINARY_WINDOW_BYTES: Final = 8000  # git: xdiff-interface.c, FIRST_FEW_BYTES


class Found(NamedTuple):
    """Every occurrence, overlapping ones too, as byte ranges ``[start, end)`` in order."""

    level: Level
    spans: tuple[Span, ...]


def is_binary(data: bytes) -> bool:
    """As git judges: a NUL in the first 8000 bytes."""
    return b"\0" in data[:_BINARY_WINDOW_BYTES]


def lines(data: bytes) -> list[bytes]:
    """Split after each LF; the pieces joined are the data again."""
    pieces = [piece + b"\n" for piece in data.split(b"\n")]
    pieces[-1] = pieces[-1][:-1]
    return pieces if pieces[-1] else pieces[:-1]


# --- finding --------------------------------------------------------------------------------------


def find(data: bytes, old: bytes) -> Found:
    """Where ``old`` occurs; no spans at level ``exact`` where it does not (or is empty).

    No span begins in the middle of a CRLF pair: an ``old`` that begins with LF matches the pair as
    a whole, at level ``eol``.
    """
    exact = [at for at in _occurrences(data, old) if data[at - 1 : at + 1] != b"\r\n"]
    if exact:
        return Found("exact", tuple((start, start + len(old)) for start in exact))
    if b"\n" in old and (b"\r\n" in old or b"\r\n" in data):
        spans = _found_by_lines(data, old)
        if spans:
            return Found("eol", spans)
    return Found("exact", ())


def _occurrences(data: bytes, old: bytes) -> list[int]:
    starts: list[int] = []
    at = data.find(old) if old else -1
    while at >= 0:
        starts.append(at)
        at = data.find(old, at + 1)
    return starts


def _found_by_lines(data: bytes, old: bytes) -> tuple[Span, ...]:
    wanted = old.replace(b"\r\n", b"\n")
    starts = _occurrences(data.replace(b"\r\n", b"\n"), wanted)
    if not starts:
        return ()
    # In the normalised text the k-th pair is one LF, k bytes further left than its CR was.
    pairs = re.finditer(rb"\r\n", data)
    line_feeds = [pair.start() - index for index, pair in enumerate(pairs)]

    def original(offset: int) -> int:
        return offset + bisect_left(line_feeds, offset)

    return tuple((original(start), original(start + len(wanted))) for start in starts)


# --- writing in the file's own line endings -------------------------------------------------------


class _Line(NamedTuple):
    text: bytes
    end: bytes  # b"\n", b"\r\n", or b"" for what follows the last line end


class _Place(NamedTuple):
    """All that decides how ``new`` is written at a span."""

    region: bytes
    in_pair: bool  # the span begins between a CR and its LF
    ending: bytes  # of the line the span stands on; b"" in a file of one line


def adapt(data: bytes, span: Span, new: bytes, level: Level) -> bytes:
    """The bytes to write for ``new`` at a span of ``find``, in the line endings of the file.

    A line of ``new`` takes the ending of the matched line that it stands for: those that begin
    and end both texts alike, and the ones between where they are as many. Other lines take
    the ending of the first matched line; where the match holds none, that of the line
    it stands on; an empty span at the start of a line, that of the line before.
    At level ``exact`` a CRLF written in ``new`` stays. A file of one line says nothing, and
    ``new`` stays as it is.
    """
    return adapt_all(data, (span,), new, level)[0]


def adapt_all(data: bytes, spans: Sequence[Span], new: bytes, level: Level) -> list[bytes]:
    """``adapt`` for many spans in order, at the cost of one pass over the file."""
    if b"\n" not in new or (b"\r" not in new and b"\r" not in data):
        return [new] * len(spans)
    written: dict[_Place, bytes] = {}
    out = []
    for place in _places(data, spans):
        if place not in written:
            written[place] = _written(place, new, level)
        out.append(written[place])
    return out


def _places(data: bytes, spans: Sequence[Span]) -> Iterator[_Place]:
    # The first LF at or after the span and what it ends; kept, since lines may be very long.
    line_feed, ending = -1, b""
    for start, end in spans:
        if line_feed < start:
            line_feed = data.find(b"\n", start)
            line_feed = len(data) if line_feed < 0 else line_feed
            ending = _ending_at(data, line_feed)
        before = data[max(0, start - 1) : start]
        if start == end and before == b"\n":
            yield _Place(b"", in_pair=False, ending=_ending_at(data, start - 1))
        else:
            in_pair = before == b"\r" and data[start:end].startswith(b"\n")
            yield _Place(data[start:end], in_pair, ending)


def _ending_at(data: bytes, line_feed: int) -> bytes:
    """The line end whose LF is there; at the end of the file, the last one of all."""
    if line_feed == len(data):
        line_feed = data.rfind(b"\n")
    if line_feed < 0:
        return b""
    return b"\r\n" if line_feed and data[line_feed - 1] == ord("\r") else b"\n"


def _written(place: _Place, new: bytes, level: Level) -> bytes:
    matched = _split(place.region)
    if place.in_pair:
        matched[0] = matched[0]._replace(end=b"\r\n")
    wanted = _split(new)
    default = next((line.end for line in matched if line.end), place.ending)
    styles = _styles(matched, wanted, default)
    written = b"".join(
        line.text + _end_of(line.end, style, level)
        for line, style in zip(wanted, styles, strict=True)
    )
    # The CR of the pair is before the span, and stays there.
    return written[1:] if place.in_pair and written.startswith(b"\r\n") else written


def _end_of(given: bytes, style: bytes, level: Level) -> bytes:
    if not given or not style or (level == "exact" and given == b"\r\n"):
        return given
    return style


def _split(text: bytes) -> list[_Line]:
    """At least one line; the last one, and only it, has no end."""
    *ended, rest = text.split(b"\n")
    whole = [
        _Line(line[:-1], b"\r\n") if line.endswith(b"\r") else _Line(line, b"\n") for line in ended
    ]
    return [*whole, _Line(rest, b"")]


def _styles(matched: list[_Line], wanted: list[_Line], default: bytes) -> list[bytes]:
    """For each wanted line the line end that the file would give it."""
    head = _alike(matched, wanted)
    room = min(len(matched), len(wanted)) - head
    tail = min(room, _alike(matched[::-1], wanted[::-1]))
    ends = [line.end or default for line in matched]
    middle = ends[head : len(ends) - tail]
    count = len(wanted) - head - tail
    if len(middle) != count:
        middle = [default] * count
    return ends[:head] + middle + ends[len(ends) - tail :]


def _alike(left: list[_Line], right: list[_Line]) -> int:
    """How many lines the two begin with in common, line ends apart."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one.text != other.text or bool(one.end) != bool(other.end):
            break
        count += 1
    return count


def replace(data: bytes, spans: Sequence[Span], replacements: Sequence[bytes]) -> bytes:
    """The data with each span replaced; ``ValueError`` where spans overlap or are out of order."""
    pieces = []
    done = 0
    for (start, end), replacement in zip(spans, replacements, strict=True):
        if not done <= start <= end <= len(data):
            raise ValueError(f"span {start}..{end} overlaps another or is out of order")
        pieces += [data[done:start], replacement]
        done = end
    pieces.append(data[done:])
    return b"".join(pieces)


# --- line numbers ---------------------------------------------------------------------------------


def line_at(data: bytes, offset: int) -> int:
    """The number, from 1, of the line that the byte at ``offset`` is on."""
    return data.count(b"\n", 0, offset) + 1


def lines_at(data: bytes, offsets: Sequence[int]) -> list[int]:
    """``line_at`` for offsets in ascending order, at the cost of one pass."""
    numbers = []
    line, done = 1, 0
    for offset in offsets:
        line += data.count(b"\n", done, offset)
        numbers.append(line)
        done = offset
    return numbers


def line_ranges(
    data: bytes, spans: Sequence[Span], replacements: Sequence[bytes]
) -> list[tuple[int, int]]:
    """Where each replacement stands in the *result* of ``replace``: first and last line, from 1.

    A deletion gives ``(a, a)``: the line that now stands there, or the last one.
    """
    ranges = []
    shift = 0
    starts = lines_at(data, [start for start, _ in spans])
    for line, (start, end), text in zip(starts, spans, replacements, strict=True):
        first = line + shift
        added = text.count(b"\n")
        ranges.append((first, first + added - (1 if text.endswith(b"\n") else 0)))
        shift += added - data.count(b"\n", start, end)
    total = data.count(b"\n") + shift + (0 if _ends_line(data, spans, replacements) else 1)
    last = max(total, 1)
    return [(min(first, last), min(final, last)) for first, final in ranges]


def _ends_line(data: bytes, spans: Sequence[Span], replacements: Sequence[bytes]) -> bool:
    """Whether the result ends with LF (or is empty)."""
    end = len(data)
    for (start, stop), text in zip(reversed(spans), reversed(replacements), strict=True):
        if stop != end:
            break
        if text:
            return text.endswith(b"\n")
        end = start
    return end == 0 or data[end - 1] == ord("\n")
