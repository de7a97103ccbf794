"""Errors as text: one line, details of failing ops and conflicts where they teach, and a hint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.faces.phrases import SHORT, branch, deeds, short, side_lines, some
from slipstream_git.text.paths import escape_for_terminal

# What is shown of a conflicting file; `--json` has the rest.
MOST_HUNKS = 3


def render_error(error: SlipError) -> str:
    """An error: one line, details of failing ops where they teach, and a hint."""
    lines = [f"slip: {error.code}: {error.message}"]
    lines += _op_details(error.data.get("ops"))
    lines += _conflict_details(error.data.get("files"), error.data.get("sides"))
    lines += _program_details(error.data)
    lines += _file_details(error.data.get("faults"))
    lines += _gate_details(error.data.get("gates"))
    lines += _queue_details(error.data, error.hint)
    if error.hint:
        lines.append(f"try: {error.hint}")
    return escape_for_terminal("\n".join(lines))


def _program_details(data: Mapping[str, object]) -> Iterable[str]:
    """What a hook or set-up command said last, and the settings that would help it."""
    yield from (f"  {line}" for line in str(data.get("output") or "").splitlines()[-20:])
    settings = data.get("settings")
    if isinstance(settings, list):
        yield "  warm worktrees lack what your project ignores; .slip.toml can give it to them:"
        yield from (f"    {line}" for line in settings)


def _file_details(faults: object) -> Iterable[str]:
    """Everything that is wrong in files, each with its line."""
    for row in faults if isinstance(faults, list) else ():
        yield f"  {row['path']}:{row['line']}: {row['message']}"


def _gate_details(gates: object) -> Iterable[str]:
    """What each gate came to, and the end of what a red one printed."""
    for row in gates if isinstance(gates, list) else ():
        how = "as noted before" if row["cached"] else f"{row['seconds']:.1f} s"
        yield f"  gate {row['name']}: {row['status']}" + ("" if row["exit"] is None else f", {how}")
        if row["status"] in ("red", "error"):
            yield from (f"    {line}" for line in (row["tail"] or "").splitlines()[-20:])


def _op_details(ops: object) -> list[str]:
    rows = ops if isinstance(ops, list) else []
    if len(rows) > 1:
        listed = [
            f"  op {row.get('index')} {row.get('op')} {row.get('path')}: "
            f"{row.get('code')}: {row.get('message')}"
            for row in rows
        ]
    else:
        listed = []
    for row in rows:
        listed += _teaching(row)
    return listed


def _teaching(row: Mapping[str, Any]) -> Iterable[str]:
    """The exact text to use instead, or the nearest lines with their numbers."""
    exact = row.get("use_instead")
    if exact:
        yield f"  the file has (use this as `old` in op {row.get('index')}):"
        yield from (f"    {line}" for line in str(exact).splitlines())
        return
    for window in (row.get("nearest") or [])[:2]:
        yield f"  nearest, from line {window['start']}:"
        lines = str(window["text"]).splitlines()[:12]
        yield from (f"  {window['start'] + i:>6}  {line}" for i, line in enumerate(lines))


def _conflict_details(files: object, sides: object) -> Iterable[str]:
    names = {"base": "both came from", **(sides if isinstance(sides, dict) else {})}
    rows = files if isinstance(files, list) else []
    for file in rows:
        yield f"  {_conflict_title(file)}"
        if file.get("unexplained"):
            continue
        yield from deeds(file, names)
        yield from map(_author_line, file.get("by", [])[:3])
        hunks = file.get("hunks", [])
        for hunk in hunks[:MOST_HUNKS]:
            yield from _hunk_lines(hunk, names)
        more = max(0, len(hunks) - MOST_HUNKS) + file.get("hunks_left_out", 0)
        if more:
            yield f"    … and {more} more place{'s' if more > 1 else ''} in this file (--json)"
        yield from _candidate_lines(file.get("candidate"))


def _conflict_title(file: Mapping[str, Any]) -> str:
    if "original" in file:
        return f"{file['original']}: {file['kind']} (git puts this side at {file['path']})"
    return f"{file['path']}: {file['kind']}"


def _author_line(author: Mapping[str, Any]) -> str:
    who = f"{author.get('session') or author['commit'][:SHORT]} {author['author']}".strip()
    return f"    by {who}: {author['subject']}"


def _candidate_lines(candidate: Mapping[str, Any] | None) -> Iterable[str]:
    if candidate is None:
        return
    both = "both orders agree" if candidate["both_orders_agree"] else "the orders do not agree"
    both += "" if candidate.get("parses", True) else ", does not parse"
    count = len(str(candidate["text"]).splitlines())
    count += candidate.get("left_out", {}).get("lines", 0)
    yield f"    there is a candidate of {count} lines, to be looked at first ({both})"


def _hunk_lines(hunk: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    if hunk.get("symbols"):
        yield f"    in {some(hunk['symbols'])}:"
    for side in ("base", "ours", "theirs"):
        first, last = hunk[side]
        where = f"lines {first}-{last}" if last >= first else f"nothing, before line {first}"
        yield f"    {names.get(side, side)}, {where}:"
        yield from side_lines(hunk, side)


def _queue_details(data: Mapping[str, Any], hint: str | None) -> Iterable[str]:
    """What became of each session where some of several were refused."""
    if "refused" not in data or "landed" not in data:
        return
    verb = "would land" if data.get("dry_run") else "landed"
    for row in data["landed"]:
        yield f"  {row['session']} {verb} on {branch(row['branch'])} as {short(row['commit'])}"
    for row in data["skipped"]:
        why = (
            f"has landed already as {short(row['commit'])}" if row.get("already") else row["reason"]
        )
        yield f"  {row['session']}: {why}"
    for row in data["refused"]:
        yield f"  {row['session']}: {row['code']}: {row['message']}"
        told = [*_conflict_details(row["data"].get("files"), row["data"].get("sides"))]
        told += [*_program_details(row["data"]), *_gate_details(row["data"].get("gates"))]
        yield from (f"  {line}" for line in told)
        if row["hint"] and row["hint"] != hint:
            yield f"    try: {row['hint']}"
