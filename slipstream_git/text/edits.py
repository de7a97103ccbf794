"""What each op means: a batch of ops, in order, over an overlay of bytes.

Pure: the batch sees the tree through a `View`, and nothing is written anywhere. Every op
works on what the ops before it made; when any fails, all that fail are reported, and the batch
has no outcome at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha1
from typing import Any, NamedTuple, cast

from slipstream_git.codec import OP_NAMES
from slipstream_git.errors import SlipError
from slipstream_git.model import (
    SYMLINK,
    Chmod,
    Copy,
    Delete,
    File,
    Insert,
    Move,
    Op,
    Patch,
    Read,
    ReplaceLines,
    StrReplace,
    Sub,
    Symlink,
    Write,
)
from slipstream_git.text import matching, paths
from slipstream_git.text.overlay import (
    REGULAR,
    Changes,
    Overlay,
    View,
    check_collisions,
)

LARGEST_FILE = 1 << 30
READ_LINES = 2000
READ_BYTES = 200_000


class OpResult(NamedTuple):
    """What one op did. Lines are ranges in the file as the op left it."""

    index: int
    op: str
    path: str
    matched: str | None = None
    lines: list[list[int]] | None = None
    replaced: int | None = None
    files: int | None = None
    offset: int | None = None
    oid: str | None = None
    mode: str | None = None
    start: int | None = None
    end: int | None = None
    total_lines: int | None = None
    text: str | None = None
    truncated: bool | None = None
    lossy: bool | None = None


class Outcome(NamedTuple):
    """What a batch makes of the tree: the files that it touched, and a result for each op."""

    files: Mapping[bytes, File | None]
    results: tuple[OpResult, ...]


class Effect(NamedTuple):
    """What one op changes, and what it has to tell."""

    changes: Changes
    told: Mapping[str, Any] = {}


def blob_id(data: bytes) -> str:
    """The id of a blob with this content."""
    return sha1(b"blob %d\0" % len(data) + data).hexdigest()


def apply_all(ops: Sequence[Op], view: View, permit: Callable[[bytes], None]) -> Outcome:
    """Apply a batch. Raises the one failing op's own code, or `batch` when several failed."""
    overlay = Overlay(view, permit)
    results: list[OpResult] = []
    failures: list[dict[str, object]] = []
    spoiled: set[bytes] = set()
    for index, op in enumerate(ops):
        try:
            _check_not_spoiled(op, spoiled)
            effect = _EFFECTS[type(op)](op, overlay)
            _check_sizes(effect.changes)
        except SlipError as fault:
            spoiled |= set(touched(op))
            failures.append(failure(index, op, fault))
            continue
        overlay.changes |= effect.changes
        results.append(_result(index, op, effect))
    if failures:
        raise refusal(failures)
    check_collisions(view, overlay.changes)
    return Outcome(overlay.changes, tuple(results))


def failure(index: int, op: Op, fault: SlipError) -> dict[str, object]:
    """One failing op as `error.data.ops` lists it."""
    row: dict[str, object] = {"index": index, "op": OP_NAMES[type(op)], "path": named(op)}
    return row | {"code": fault.code, "message": fault.message} | dict(fault.data)


def refusal(failures: Sequence[Mapping[str, object]]) -> SlipError:
    """The error for a batch with these failing ops."""
    tried = [row for row in failures if row["code"] != "not-tried"]
    first = tried[0]
    message = f"op {first['index']} ({first['op']} {first['path']}): {first['message']}"
    if len(tried) == 1:
        return SlipError(str(first["code"]), message, data={"ops": list(failures)})
    return SlipError(
        "batch", f"{len(tried)} ops failed; {message}", data={"ops": list(failures)}
    )


def touched(op: Op) -> Iterator[bytes]:
    """The paths that an op names in its own fields (a patch and a `sub` name theirs inside)."""
    if isinstance(op, Patch):
        yield from _patched_paths(op)
    elif not isinstance(op, Sub):
        yield op.path
        if isinstance(op, (Move, Copy)):
            yield op.to


def _patched_paths(op: Patch) -> Iterator[bytes]:
    from slipstream_git.text import patches

    try:
        files = patches.parse(op.diff)
    except SlipError:
        return
    for file in files:
        yield from {file.old_path, file.new_path} - {None}  # type: ignore[misc]


def named(op: Op) -> str:
    """The path of an op as text, for results and messages."""
    if isinstance(op, Sub):
        return " ".join(op.globs) or "**"
    if isinstance(op, Patch):
        return ", ".join(sorted(paths.display(path) for path in set(_patched_paths(op))))
    return paths.display(op.path)


def _check_not_spoiled(op: Op, spoiled: set[bytes]) -> None:
    for path in touched(op) if spoiled else ():
        if path in spoiled:
            raise SlipError("not-tried", f"an earlier op on {paths.display(path)} failed")


def _check_sizes(changes: Changes) -> None:
    for path, file in changes.items():
        if file and len(file.data) > LARGEST_FILE:
            raise SlipError("too-large", f"{paths.display(path)} would be over {LARGEST_FILE} bytes")


def _result(index: int, op: Op, effect: Effect) -> OpResult:
    return OpResult(index, OP_NAMES[type(op)], named(op), **effect.told)


# Editing text ----------------------------------------------------------------------------------


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
        edited = _edit_version_read(op, op.oid, overlay.view, file.data, edit)
    return Effect({op.path: File(file.mode, edited.data)}, edited.told)


def _edit_version_read(
    op: Op, oid: str, view: View, current: bytes, edit: Callable[[bytes], Edited]
) -> Edited:
    """The edit made on the blob that the author read, merged with what is there now."""
    read = view.blob(oid)
    where = f"{named(op)} is now blob {blob_id(current)}, not {oid}"
    if read is None:
        raise SlipError("stale", f"{where}, which this repository does not have", data=_now(current))
    merged = view.merge(read, current, edit(read).data)
    if merged is None:
        raise SlipError("stale", f"{where}, and both changed the same lines", data=_now(current))
    return Edited(merged, {"matched": "earlier-version"})


def _now(current: bytes) -> dict[str, object]:
    return {"oid": blob_id(current)}


def _str_replace(op: StrReplace, overlay: Overlay) -> Effect:
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
    pieces = [matching.adapt(data, span, op.new, found.level) for span in spans]
    told: dict[str, Any] = {"lines": matching.line_ranges(data, spans, pieces)}
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
    lines = [matching.line_at(data, start) for start, _ in spans]
    if op.count == "all":
        return _disjoint(op, spans)
    if len(spans) > op.count:
        raise _ambiguous(op, lines, f"occurs {len(spans)} times, not {op.count}")
    if len(spans) < op.count:
        raise SlipError(
            "no-match",
            f"`old` occurs {len(spans)} times in {named(op)}, not {op.count} (line {_join(lines)})",
            data={"lines": lines},
        )
    return _disjoint(op, spans)


def _disjoint(op: StrReplace, spans: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
        if start < end:
            raise SlipError("ambiguous", f"the matches of `old` in {named(op)} overlap each other")
    return spans


def _nearest_span(
    op: StrReplace, data: bytes, spans: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    line = cast("int", op.near_line)
    ranked = sorted((abs(matching.line_at(data, span[0]) - line), span) for span in spans)
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        lines = [matching.line_at(data, start) for start, _ in spans]
        raise _ambiguous(op, lines, f"occurs twice equally near to line {line}")
    return ranked[0][1]


def _ambiguous(op: Op, lines: Sequence[int], what: str) -> SlipError:
    return SlipError(
        "ambiguous",
        f"`old` {what} in {named(op)} (lines {_join(lines)}); "
        "give more context, `count`, or `near_line`",
        data={"lines": list(lines)},
    )


def _join(lines: Sequence[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:12])
    return f"{shown}, …" if len(lines) > 12 else shown


def _no_match(op: StrReplace, data: bytes) -> SlipError:
    detail = matching.explain_no_match(data, op.old, op.near_line)
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


def _insert(op: Insert, overlay: Overlay) -> Effect:
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
        detail = matching.explain_no_match(data, anchor)
        raise SlipError("no-match", f"the anchor is not in {named(op)}{_teach(detail)}", data=detail)
    starts = [matching.line_at(data, start) for start, _ in found.spans]
    if len(starts) > 1:
        raise SlipError(
            "ambiguous",
            f"the anchor occurs {len(starts)} times in {named(op)} (lines {_join(starts)})",
            data={"lines": starts},
        )
    start, end = found.spans[0]
    return starts[0] - 1 if op.before is not None else matching.line_at(data, max(start, end - 1))


def _replace_lines(op: ReplaceLines, overlay: Overlay) -> Effect:
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
    if at_open_end and not text:
        made = data[:start].removesuffix(b"\n").removesuffix(b"\r")
    count = max(1, len(matching.lines(text)))
    return Edited(made, {"lines": [[line, line + count - 1]]})


# Whole files -----------------------------------------------------------------------------------


def _write(op: Write, overlay: Overlay) -> Effect:
    overlay.vacant(op.path)
    file = overlay.find(op.path)
    if file is None and op.create == "never":
        overlay.existing(op.path)
    if file is not None and op.create == "only":
        raise SlipError("exists", f"{named(op)} exists already", data={"oid": blob_id(file.data)})
    if file is None:
        _check_unread(op, op.oid)
        return Effect({op.path: File(op.mode or REGULAR[0], op.content)})
    file = overlay.text(op.path)
    mode = op.mode or file.mode
    if op.oid is None or op.oid == blob_id(file.data):
        return Effect({op.path: File(mode, op.content)})
    edited = _edit_version_read(
        op, op.oid, overlay.view, file.data, lambda _: Edited(op.content, {})
    )
    return Effect({op.path: File(mode, edited.data)}, edited.told)


def _check_unread(op: Op, oid: str | None) -> None:
    if oid is not None:
        raise SlipError("stale", f"{named(op)} is gone; it was blob {oid} when it was read")


def _whole(op: Delete | Move | Copy | Chmod | Read, overlay: Overlay) -> File:
    """The file of an op that takes it whole, being the one its author read."""
    file = overlay.existing(op.path)
    if op.oid is not None and op.oid != blob_id(file.data):
        raise SlipError(
            "stale",
            f"{named(op)} is now blob {blob_id(file.data)}, not {op.oid}",
            data=_now(file.data),
        )
    return file


def _delete(op: Delete, overlay: Overlay) -> Effect:
    _whole(op, overlay)
    return Effect({op.path: None})


def _move(op: Move, overlay: Overlay) -> Effect:
    file = _whole(op, overlay)
    return Effect(_arrival(op, overlay, file, leaves=op.path))


def _copy(op: Copy, overlay: Overlay) -> Effect:
    return Effect(_arrival(op, overlay, _whole(op, overlay), leaves=None))


def _arrival(op: Move | Copy, overlay: Overlay, file: File, leaves: bytes | None) -> Changes:
    changes: Changes = {} if leaves is None else {leaves: None}
    trial = Overlay(overlay.view, overlay.permit)
    trial.changes = {**overlay.changes, **changes}
    trial.vacant(op.to)
    if trial.find(op.to) is not None:
        raise SlipError("exists", f"{paths.display(op.to)} exists already")
    if file.mode == SYMLINK:
        paths.check_symlink_target(op.to, file.data)
    return {**changes, op.to: file}


def _chmod(op: Chmod, overlay: Overlay) -> Effect:
    file = _whole(op, overlay)
    if file.mode not in REGULAR:
        raise SlipError("unsupported", f"{named(op)} is a symbolic link; it has no mode to change")
    return Effect({op.path: File(op.mode, file.data)})


def _symlink(op: Symlink, overlay: Overlay) -> Effect:
    overlay.vacant(op.path)
    paths.check_symlink_target(op.path, op.target)
    file = overlay.find(op.path)
    if file is not None:
        _whole(Delete(op.path, op.oid), overlay)
    else:
        _check_unread(op, op.oid)
    return Effect({op.path: File(SYMLINK, op.target)})


def _read(op: Read, overlay: Overlay) -> Effect:
    file = _whole(op, overlay)
    return Effect({}, excerpt(file, op.start, op.end))


def excerpt(file: File, start: int | None, end: int | None) -> dict[str, Any]:
    """Lines of a file as the shapes of `read` tell them, capped. Raises `out-of-range`."""
    lines = matching.lines(file.data)
    first, last = start or 1, len(lines) if end is None else min(end, len(lines))
    if first > max(1, len(lines)):
        raise SlipError(
            "out-of-range",
            f"the file has {len(lines)} lines; there is no line {first}",
            data={"total_lines": len(lines)},
        )
    kept = _capped(lines[first - 1 : last])
    data = b"".join(kept)
    told: dict[str, Any] = {
        "oid": blob_id(file.data),
        "mode": f"{file.mode:o}",
        "start": first,
        "end": first + len(kept) - 1,
        "total_lines": len(lines),
        "text": data.decode("utf-8", "replace"),
        "truncated": len(kept) < last - first + 1,
    }
    if told["text"].encode("utf-8", "replace") != data:
        told["lossy"] = True
    return told


def _capped(lines: Sequence[bytes]) -> list[bytes]:
    kept: list[bytes] = []
    size = 0
    for line in lines[:READ_LINES]:
        size += len(line)
        if size > READ_BYTES and kept:
            break
        kept.append(line)
    return kept


# Many files ------------------------------------------------------------------------------------


def _sub(op: Sub, overlay: Overlay) -> Effect:
    change = _substitution(op)
    changes: Changes = {}
    total = 0
    literal = None if op.regex or op.ignore_case else op.pattern
    for path in _selected(op, overlay, literal):
        file = overlay.find(path)
        if file is None or file.mode not in REGULAR or matching.is_binary(file.data):
            continue
        data, count = overlay.view.substitute(change, file.data)
        if count:
            overlay.existing(path)
            changes[path] = File(file.mode, data)
            total += count
    _check_expected(op, total, changes)
    return Effect(changes, {"replaced": total, "files": len(changes)})


def _selected(op: Sub, overlay: Overlay, literal: bytes | None) -> list[bytes]:
    from slipstream_git.text import scopes

    wanted = scopes.compile_globs(op.globs) if op.globs else lambda _path: True
    made = {path for path, file in overlay.changes.items() if file and wanted(path)}
    gone = {path for path, file in overlay.changes.items() if file is None}
    return sorted((set(overlay.view.select(op.globs, literal)) - gone) | made)


def _substitution(op: Sub) -> Callable[[bytes], tuple[bytes, int]]:
    pattern = op.pattern if op.regex else re.escape(op.pattern)
    if op.word:
        # Bytes beyond ASCII belong to words, so that no letter is cut in two.
        pattern = rb"(?<![\w\x80-\xff])(?:" + pattern + rb")(?![\w\x80-\xff])"
    flags = re.MULTILINE | (re.IGNORECASE if op.ignore_case else 0)
    try:
        compiled = re.compile(pattern, flags)
        if op.regex:
            compiled.sub(op.replacement, b"")  # a wrong template fails here, before any file
    except (re.error, IndexError, OverflowError, RecursionError) as fault:
        raise SlipError("bad-op", f"the pattern or its replacement is wrong: {fault}") from None
    template: Any = op.replacement if op.regex else lambda _match: op.replacement
    return lambda data: compiled.subn(template, data)


def _check_expected(op: Sub, total: int, changes: Changes) -> None:
    pattern = op.pattern.decode("utf-8", "replace")
    found = {"replaced": total, "files": len(changes)}
    if op.expect is None and total == 0:
        raise SlipError("no-match", f"{pattern!r} occurs nowhere in {named(op)}", data=found)
    if op.expect is not None and total != op.expect:
        code = "no-match" if total < op.expect else "ambiguous"
        raise SlipError(
            code,
            f"{pattern!r} occurs {total} times in {len(changes)} files, not {op.expect}",
            data=found,
        )


def _patch(op: Patch, overlay: Overlay) -> Effect:
    from slipstream_git.text import patching

    changes, told = patching.apply(op.diff, overlay, op.oid)
    return Effect(changes, told)


_EFFECTS: Mapping[type, Callable[[Any, Overlay], Effect]] = {
    StrReplace: _str_replace,
    Sub: _sub,
    Write: _write,
    Insert: _insert,
    ReplaceLines: _replace_lines,
    Delete: _delete,
    Move: _move,
    Copy: _copy,
    Chmod: _chmod,
    Symlink: _symlink,
    Patch: _patch,
    Read: _read,
}
