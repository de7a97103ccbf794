"""Phrases that the renderers share: counts, short ids, changed files, numbered lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipstream_git.results import Change

SHORT = 10
# Of one file, as they are listed for a decision.
MOST_HUNKS = 12
# Of a side of a hunk.
MOST_LINES = 8


def changes(changes: Sequence[Change]) -> Iterable[str]:
    for change in changes:
        counts = "binary" if change.added is None else f"+{change.added} -{change.removed}"
        mode = f" mode {change.mode}" if change.mode and change.status != "A" else ""
        yield f"{change.status} {change.path} {counts}{mode}"


def numbered(path: str, row: Mapping[str, Any]) -> Iterable[str]:
    yield f"{path} {row['oid']} lines {row['start']}-{row['end']} of {row['total_lines']}"
    lines = row["text"].split("\n")
    if lines and not lines[-1]:
        lines.pop()
    width = len(str(row["end"]))
    yield from (f"{row['start'] + i:>{width}}\t{line}" for i, line in enumerate(lines))
    if row.get("truncated"):
        yield f"… more: slip read {path}:{row['end'] + 1}-"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def branch(ref: str | None) -> str:
    return (ref or "no branch").removeprefix("refs/heads/")


def short(oid: str | None) -> str:
    return oid[:SHORT] if oid else "nothing yet"


def deeds(file: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    """What each side did, where the hunks do not show it."""
    did = file.get("did", {})
    textual = file["kind"] in ("content", "add-add") and file.get("hunks")
    if not textual or any(text.startswith("renamed ") for text in did.values()):
        yield from (f"    {names.get(side, side)}: {text}" for side, text in did.items())


def within(hunk: Mapping[str, Any]) -> str:
    """The functions and classes in which a hunk stands, after it."""
    return f", in {some(hunk['symbols'])}" if hunk.get("symbols") else ""


def side_lines(hunk: Mapping[str, Any], side: str) -> Iterable[str]:
    """What a side of a hunk has, as far as it is told, and how much more there is."""
    first, last = hunk[side]
    lines = str(hunk[f"{side}_text"]).splitlines()
    yield from (f"      {line}" for line in lines[:MOST_LINES])
    more = last - first + 1 - min(len(lines), MOST_LINES)
    if more > 0:
        yield f"      … {counted(more, 'more line')}"


def left_open(files: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Conflicts that a rebase left to be decided, with the hunks that are left of each."""
    for file in files:
        decided = file.get("decided") or []
        done = f", decided: {', '.join(map(str, decided))}" if decided else ""
        yield f"{file['path']}: {file['kind']}{done}"
        yield from deeds(file, {"ours": "the branch", "theirs": "the session"})
        if file.get("candidate"):
            agreed = " on which both orders agree" if file["candidate"]["both_orders_agree"] else ""
            agreed += "" if file["candidate"].get("parses", True) else ", which does not parse"
            yield f"  there is a candidate{agreed}: --candidate takes it, --json shows it"
        for hunk in file["hunks"][:MOST_HUNKS]:
            yield f"  hunk {hunk['hunk']}{within(hunk)}"
            for side, name in (("base", "base"), ("ours", "the branch"), ("theirs", "the session")):
                first, last = hunk[side]
                where = f"lines {first}-{last}" if last >= first else f"before line {first}"
                yield f"    {name}, {where}:"
                yield from side_lines(hunk, side)
        more = len(file["hunks"]) - MOST_HUNKS
        if more > 0:
            yield f"  and {counted(more, 'hunk')} more, which --json shows"
