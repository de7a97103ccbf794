"""Errors as text: one line, details of failing ops and conflicts where they teach, and a hint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.faces.phrases import SHORT, branch, short
from slipstream_git.text.paths import escape_for_terminal


def render_error(error: SlipError) -> str:
    """An error: one line, details of failing ops where they teach, and a hint."""
    lines = [f"slip: {error.code}: {error.message}"]
    lines += _op_details(error.data.get("ops"))
    lines += _conflict_details(error.data.get("files"), error.data.get("sides"))
    lines += _program_details(error.data)
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
    for file in files if isinstance(files, list) else []:
        yield f"  {file['path']}: {file['kind']}"
        for author in file.get("by", [])[:3]:
            who = f"{author.get('session') or author['commit'][:SHORT]} {author['author']}".strip()
            yield f"    by {who}: {author['subject']}"
        for hunk in file.get("hunks", [])[:3]:
            yield from _hunk_lines(hunk, names)


def _hunk_lines(hunk: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    for side in ("base", "ours", "theirs"):
        first, last = hunk[side]
        where = f"lines {first}-{last}" if last >= first else f"before line {first}"
        yield f"    {names.get(side, side)}, {where}:"
        yield from (f"      {line}" for line in str(hunk[f"{side}_text"]).splitlines()[:8])


def _queue_details(data: Mapping[str, Any], hint: str | None) -> Iterable[str]:
    """What became of each session where some of several were refused."""
    if "refused" not in data:
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
        yield from (f"  {line}" for line in (*told, *_program_details(row["data"])))
        if row["hint"] and row["hint"] != hint:
            yield f"    try: {row['hint']}"
