"""The rows of a hunk: how many belong to it, and which of them are the old and the new side.

Rows are counted while a patch is read but split only when it is applied: until then a hunk is one
slice of the text, and a patch of a million hunks takes little more memory than its text.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from slipstream_git.text.filepatch import Change, Hunk
from slipstream_git.text.patchfaults import fault, shown

MAX_LINE_NUMBER: Final = (1 << 31) - 1

_HUNK = re.compile(
    rb"@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@(?![^\s])[^\n]*\n"
)
LINES = re.compile(rb"[^\n]*\n|[^\n]+")

SPACE, MINUS, PLUS, BACKSLASH, _LF, _CR = b" -+\\\n\r"


def read_hunks(text: bytes, pos: int, change: Change) -> tuple[tuple[Hunk, ...], int]:
    hunks: list[Hunk] = []
    while text.startswith(b"@@", pos):
        head = _HUNK.match(text, pos)
        if head is None:
            _bad_hunk_header(text, pos)
        numbers = _hunk_numbers(text, head, change)
        pos = _body_end(text, head.end(), numbers[1], numbers[3])
        hunks.append(Hunk(text[head.end() : pos], *numbers))
    return tuple(hunks), pos


def _bad_hunk_header(text: bytes, pos: int) -> NoReturn:
    end = text.find(b"\n", pos)
    row = text[pos : end if end >= 0 else None]
    what = "a combined diff (of a merge)" if row.startswith(b"@@@") else "a bad hunk header"
    fault(text, pos, f"{what}: {shown(row)}")


def _hunk_numbers(text: bytes, head: re.Match[bytes], change: Change) -> tuple[int, int, int, int]:
    """Start and count of the old side, start and count of the new one."""
    old_start, new_start = int(head[1]), int(head[3])
    old, new = int(head[2] or 1), int(head[4] or 1)
    if max(old_start + old, new_start + new) > MAX_LINE_NUMBER:
        fault(text, head.start(), "a line number in the hunk header is too large")
    if (old and not old_start) or (new and not new_start):
        fault(text, head.start(), "a hunk with lines cannot start at line 0")
    if (change == "add" and old) or (change == "delete" and new):
        side = "old" if change == "add" else "new"
        fault(text, head.start(), f"{side} lines in a patch that says {change}")
    return old_start, old, new_start, new


def _body_end(text: bytes, pos: int, old: int, new: int) -> int:
    """Where the rows end that a header promised. The inner loop of parsing: one find() a row."""
    find, size = text.find, len(text)
    said, changes, before = (old, new), 0, BACKSLASH
    while old or new or (pos < size and text[pos] == BACKSLASH):
        end = find(b"\n", pos) + 1
        if not end:
            fault(text, pos, "the patch ends within a hunk" + (" line" if pos < size else ""))
        kind = text[pos]
        if kind == BACKSLASH:
            _check_marker(text, pos, before, old, new)
        elif kind == MINUS:
            old -= 1
            changes += 1
        elif kind == PLUS:
            new -= 1
            changes += 1
        elif kind in (SPACE, _LF) or (kind == _CR and end == pos + 2):
            old -= 1
            new -= 1
        else:
            fault(
                text, pos, f"the hunk ends before the {said[0]} old and {said[1]} new lines it says"
            )
        if old < 0 or new < 0:
            fault(text, pos, f"more lines than the {said[0]} old and {said[1]} new the hunk says")
        pos, before = end, kind
    if not changes:
        fault(text, pos, "a hunk that changes nothing")
    return pos


def _check_marker(text: bytes, pos: int, before: int, old: int, new: int) -> None:
    if not text.startswith(b"\\ ", pos) or before == BACKSLASH:
        fault(text, pos, "a stray line that starts with a backslash")
    if (old and before != PLUS) or (new and before != MINUS):
        fault(text, pos, "'No newline at end of file' before the last line")


def sides_of(body: bytes) -> tuple[list[bytes], list[bytes]]:
    """The rows a hunk wants and the rows it makes."""
    old: list[bytes] = []
    new: list[bytes] = []
    last: tuple[list[bytes], ...] = ()
    for row in LINES.findall(body):
        kind = row[0]
        if kind == BACKSLASH:
            for side in last:
                side[-1] = side[-1][:-1]
            continue
        last = (new,) if kind == PLUS else (old,) if kind == MINUS else (old, new)
        text = row if kind in (_LF, _CR) else row[1:]
        for side in last:
            side.append(text)
    return old, new


def context(body: bytes) -> tuple[int, int]:
    """How many context rows stand before the first change and after the last."""
    kinds = [row[0] for row in LINES.findall(body) if row[0] != BACKSLASH]
    changed = [n for n, kind in enumerate(kinds) if kind in (MINUS, PLUS)]
    return changed[0], len(kinds) - 1 - changed[-1]
