"""What the reading operations answer, as text: compact, and always with how to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipstream_git import excerpts
    from slipstream_git.excerpts import Line, Used


def _files(value: excerpts.Files) -> Iterable[str]:
    if value.directories is not None:
        for directory in value.directories:
            indent = "  " * (directory.path.count("/") - 1)
            yield f"{indent}{directory.path} {directory.files}"
        yield f"# {_count(value.total, 'file')}"
        return
    yield from (file.path for file in value.files)
    if value.truncated:
        left = value.total - len(value.files)
        yield f"# {_count(left, 'file')} of {value.total} not shown{_going_on(value.next)}"


def _map(value: excerpts.Map) -> Iterable[str]:
    for file in value.files:
        yield f"{file.path} ({_count(file.lines, 'line')}){_behind(file.summary)}"
        for item in file.symbols:
            inner = "  " if item.parent and item.kind != "heading" else ""
            yield f"{item.line:>6} {inner}{item.signature}"
        if file.omitted:
            yield f"       +{file.omitted} more"
    if value.short:
        yield "# short tests; slip map PATH shows them"
        yield from (f"{row.path} ({_count(row.files, 'file')})" for row in value.short)
    if value.omitted:
        yield f"# {_count(value.omitted, 'file')} not shown{_going_on(value.next)}"


def _symbols(value: excerpts.Symbols) -> Iterable[str]:
    for item in value.matches:
        yield f"{item.path}:{item.start}-{item.end} {item.kind} {item.name} ({item.oid})"
        yield from _numbered(item.text, item.start)
        if item.truncated:
            yield f"# cut; go on with: slip lines {item.path} {item.end + 1}"
    for other in value.others or ():
        yield f"{other.path}:{other.line}-{other.end} {other.kind} {other.name}: {other.signature}"
    if value.others:
        more = len(value.others) + (value.omitted or 0)
        yield f"# {_count(more, 'more')} of that name; choose with --inside PATH"


def _lines(value: excerpts.LinesRead) -> Iterable[str]:
    yield f"{value.path} ({value.oid})"
    yield from _numbered(value.text, value.start)
    if value.next:
        yield f"# {value.total_lines} lines; go on with: slip lines {value.path} {value.next}"


def _numbered(text: str, start: int) -> Iterable[str]:
    rows = text.split("\n")
    if rows and not rows[-1]:
        rows.pop()
    for number, row in enumerate(rows, start):
        yield f"{number:>6}  {row.removesuffix(chr(13))}"


def _searched(value: excerpts.Searched) -> Iterable[str]:
    return _raw(value) if value.raw else _grouped(value)


def _grouped(value: excerpts.Searched) -> Iterable[str]:
    least = "" if value.counted == "all" else "at least "
    yield f"# {least}{_count(value.total, 'line')} in {_count(value.files, 'file')}"
    counts = {item.path: item.lines for item in value.counts or ()}
    if not value.matches:
        yield from (f"{path}: {lines}" for path, lines in counts.items())
    for path, rows in groupby(value.matches, key=lambda row: row.path):
        lines = list(rows)
        shown = sum(1 + (row.again or 0) for row in lines if not row.context)
        yield path
        yield from map(_line, lines)
        if counts.get(path, 0) > shown:
            yield f"       +{counts[path] - shown} more"
    if value.next:
        left = value.files - len(counts)
        told = _count(left, "more file") if value.counted == "all" else "more"
        yield f"# {told} not shown{_going_on(value.next)}"


def _line(row: Line) -> str:
    again = f"  (and {row.again} times more)" if row.again else ""
    symbol = f"  [{row.symbol}]" if row.symbol else ""
    sign = "-" if row.context else ":"
    return f"{row.line:>6}{sign} {row.text}{_column(row)}{again}{symbol}"


def _column(row: Line | Used) -> str:
    """Where in a long line it is, of which only the part around it is shown."""
    return f"  (column {row.column})" if row.column else ""


def _raw(value: excerpts.Searched) -> Iterable[str]:
    """Every line on its own, as `rg` and `git grep -n` print them."""
    for row in value.matches:
        sign = "-" if row.context else ":"
        yield f"{row.path}{sign}{row.line}{sign}{row.text}"


def _references(value: excerpts.References) -> Iterable[str]:
    unsure = "" if value.exact else ", comments and strings perhaps among them"
    yield f"# {_count(value.total, 'line')} in {_count(value.files, 'file')}{unsure}"
    for path, rows in groupby(value.uses, key=lambda row: row.path):
        yield path
        for row in rows:
            mark = "=" if row.defines else ":"
            symbol = f"  [{row.symbol}]" if row.symbol else ""
            yield f"{row.line:>6}{mark} {row.text}{_column(row)}{symbol}"
    if value.unread:
        yield f"# {_count(value.unread, 'more file')} with that word not read"
    if value.next:
        yield f"# {value.total - len(value.uses)} lines not shown{_going_on(value.next)}"


def _going_on(cursor: str | None) -> str:
    return f"; go on with --after {cursor}" if cursor else ""


def _behind(text: str) -> str:
    return f" {text}" if text else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 or what == "more" else f"{number} {what}s"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Files": _files,
    "Map": _map,
    "Symbols": _symbols,
    "LinesRead": _lines,
    "Searched": _searched,
    "References": _references,
}
