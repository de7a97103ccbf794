"""The ops that edit text in place: str_replace, insert and replace_lines.

With `oid` the edit is made on the version its author read, and merged with what is there now;
without, an `old` that no longer matches is looked for in what earlier steps of the session held.
Nothing is ever guessed, and whitespace is never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from slipstream_git.errors import SlipError
from slipstream_git.model import File, Insert, Op, ReplaceLines, StrReplace
from slipstream_git.records import NamedTuple
from slipstream_git.text import matching
from slipstream_git.text.effects import Effect, join_lines, named
from slipstream_git.text.objectid import blob_id
from slipstream_git.text.overlay import Overlay, View


class Edited(NamedTuple):
    """A file's new content, and where in it the edit stands."""

    data: bytes
    told: Mapping[str, Any]


def _edit_text(
    op: StrReplace | Insert | ReplaceLines,
    overlay: Overlay,
    edit: Callable[[bytes], Edited],
) -> Effect:
    """Apply ``edit`` to the file of ``op``, or to the version its author read and merge."""
    file = overlay.text(op.path)
    if op.oid is None or op.oid == blob_id(file.data):
        edited = edit(file.data)
    else:
        edited = edit_version_read(op, op.oid, overlay.view, file.data, edit)
    return Effect({op.path: File(file.mode, edited.data)}, edited.told)


def edit_version_read(
    op: Op, oid: str, view: View, current: bytes, edit: Callable[[bytes], Edited]
) -> Edited:
    """The edit made on the blob that the author read, merged with what is there now."""
    read = view.blob(oid)
    where = f"{named(op)} is now blob {blob_id(current)}, not {oid}"
    if read is None:
        raise SlipError("stale", f"{where}, which this repository does not have", data=now(current))
    merged = view.merge(read, current, edit(read).data)
    if merged is None:
        raise SlipError("stale", f"{where}, and both changed the same lines", data=now(current))
    return Edited(merged, {"matched": "earlier-version"})


def now(current: bytes) -> dict[str, object]:
    return {"oid": blob_id(current)}


def str_replace(op: StrReplace, overlay: Overlay) -> Effect:
    def edit(data: bytes) -> Edited:
        return _replaced(op, data)

    try:
        return _edit_text(op, overlay, edit)
    except SlipError as fault:
        if fault.code not in ("no-match", "binary") or op.oid is not None:
            raise
        merged = _merge_from_earlier(op, overlay, edit)
        if merged is None:
            raise
        return merged


def _merge_from_earlier(
    op: StrReplace, overlay: Overlay, edit: Callable[[bytes], Edited]
) -> Effect | None:
    """The edit made on a version that an earlier step of the session held, merged."""
    file = overlay.text(op.path)
    for version in overlay.view.earlier(op.path):
        try:
            edited = edit(version)
        except SlipError:
            continue
        merged = overlay.view.merge(version, file.data, edited.data)
        if merged is None:
            return None
        return Effect({op.path: File(file.mode, merged)}, {"matched": "earlier-version"})
    return None


def _replaced(op: StrReplace, data: bytes) -> Edited:
    found = matching.find(data, op.old)
    spans = _counted(op, data, found.spans)
    pieces = matching.adapt_all(data, spans, op.new, found.level)
    told: dict[str, Any] = {
        "lines": [list(pair) for pair in matching.line_ranges(data, spans, pieces)]
    }
    if found.level != "exact":
        told["matched"] = found.level
    return Edited(matching.replace(data, spans, pieces), told)


def _counted(
    op: StrReplace, data: bytes, spans: Sequence[tuple[int, int]]
) -> Sequence[tuple[int, int]]:
    """The spans to replace, when there are as many as the op says."""
    if not spans:
        raise _no_match(op, data)
    if op.near_line is not None and op.count == 1:
        return [_nearest_span(op, data, spans)]
    lines = matching.lines_at(data, [start for start, _ in spans])
    if op.count == "all":
        return _disjoint(op, spans)
    if len(spans) > op.count:
        raise _ambiguous(op, lines, f"occurs {len(spans)} times, not {op.count}")
    if len(spans) < op.count:
        raise SlipError(
            "no-match",
            f"`old` occurs {len(spans)} times in {named(op)} (lines {join_lines(lines)}), "
            f"not {op.count}",
            data={"lines": lines},
        )
    return _disjoint(op, spans)


def _disjoint(op: StrReplace, spans: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise SlipError("ambiguous", f"the matches of `old` in {named(op)} overlap each other")
    return spans


def _nearest_span(op: StrReplace, data: bytes, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    line = cast("int", op.near_line)
    ranked = sorted((abs(matching.line_at(data, span[0]) - line), span) for span in spans)
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        lines = [matching.line_at(data, start) for start, _ in spans]
        raise _ambiguous(op, lines, f"occurs twice equally near to line {line}")
    return ranked[0][1]


def _ambiguous(op: Op, lines: Sequence[int], what: str) -> SlipError:
    return SlipError(
        "ambiguous",
        f"`old` {what} in {named(op)} (lines {join_lines(lines)}); "
        "give more context, `count`, or `near_line`",
        data={"lines": list(lines)},
    )


def _no_match(op: StrReplace, data: bytes) -> SlipError:
    from slipstream_git.text import explaining  # only on the way to an error

    detail = explaining.explain_no_match(data, op.old, op.near_line)
    if matching.is_binary(data):
        return SlipError("binary", f"`old` is not in {named(op)}, which is a binary file")
    return SlipError("no-match", f"`old` is not in {named(op)}{_teach(detail)}", data=detail)


def _teach(detail: Mapping[str, Any]) -> str:
    """The first difference, as the end of a sentence."""
    first = detail.get("first_difference")
    if not first:
        nearest = detail.get("nearest")
        return f"; the nearest is at line {nearest[0]['start']}" if nearest else ""
    return f"; line {first['line']} differs: expected {first['expected']}, found {first['found']}"


# Whole lines -----------------------------------------------------------------------------------


def insert(op: Insert, overlay: Overlay) -> Effect:
    return _edit_text(op, overlay, lambda data: _inserted(op, data))


def _inserted(op: Insert, data: bytes) -> Edited:
    lines = matching.lines(data)
    after = op.after_line if op.after_line is not None else _anchor_line(op, data)
    if after > len(lines):
        raise SlipError(
            "out-of-range",
            f"{named(op)} has {len(lines)} lines; there is no line {after} to insert after",
            data={"total_lines": len(lines)},
        )
    start = sum(map(len, lines[:after]))
    if after == 0 and data.startswith(b"\xef\xbb\xbf"):
        start = 3
    return _spliced(data, (start, start), op.text, after + 1)


def _anchor_line(op: Insert, data: bytes) -> int:
    """The number of lines that come before the inserted text."""
    anchor = cast("bytes", op.before if op.before is not None else op.after)
    found = matching.find(data, anchor)
    if not found.spans:
        from slipstream_git.text import explaining

        detail = explaining.explain_no_match(data, anchor)
        raise SlipError(
            "no-match", f"the anchor is not in {named(op)}{_teach(detail)}", data=detail
        )
    starts = [matching.line_at(data, start) for start, _ in found.spans]
    if len(starts) > 1:
        raise SlipError(
            "ambiguous",
            f"the anchor occurs {len(starts)} times in {named(op)} (lines {join_lines(starts)})",
            data={"lines": starts},
        )
    start, end = found.spans[0]
    return starts[0] - 1 if op.before is not None else matching.line_at(data, max(start, end - 1))


def replace_lines(op: ReplaceLines, overlay: Overlay) -> Effect:
    return _edit_text(op, overlay, lambda data: _lines_replaced(op, data))


def _lines_replaced(op: ReplaceLines, data: bytes) -> Edited:
    lines = matching.lines(data)
    if op.end > len(lines):
        raise SlipError(
            "out-of-range",
            f"{named(op)} has {len(lines)} lines; lines {op.start} to {op.end} are not all there",
            data={"total_lines": len(lines)},
        )
    start = sum(map(len, lines[: op.start - 1]))
    end = start + sum(map(len, lines[op.start - 1 : op.end]))
    if op.start == 1 and data.startswith(b"\xef\xbb\xbf"):
        start = 3
    return _spliced(data, (start, end), op.text, op.start)


def _spliced(data: bytes, span: tuple[int, int], text: bytes, line: int) -> Edited:
    """``text`` as whole lines in place of ``span``, which begins and ends between lines."""
    start, end = span
    at_open_end = end == len(data) and data not in (b"", b"\xef\xbb\xbf") and data[-1:] != b"\n"
    piece = matching.adapt(data, span, text, "exact")
    ending = b"\r\n" if matching.adapt(data, span, b"\n", "exact") == b"\r\n" else b"\n"
    if at_open_end:
        # The file has no final newline and keeps having none.
        piece = piece.removesuffix(b"\n").removesuffix(b"\r") if piece.endswith(ending) else piece
        if start and data[start - 1 : start] != b"\n" and text:
            piece = ending + piece
    elif piece and not piece.endswith(b"\n"):
        piece += ending
    made = data[:start] + piece + data[end:]
    if at_open_end and not text and start < end:
        # The line before is the last one now, and goes without its ending.
        made = data[:start].removesuffix(b"\n").removesuffix(b"\r")
    count = max(1, len(matching.lines(text)))
    return Edited(made, {"lines": [[line, line + count - 1]]})
