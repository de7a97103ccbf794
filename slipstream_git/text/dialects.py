"""Which language a batch is written in, and the two that are not JSON as ops.

``detect`` looks at the first characters and at lines that no JSON text can hold at column one.
JSON itself is decoded by the codec. A unified diff and a ``*** Begin Patch`` text become one
``Patch`` op as they stand: ``patches.parse`` reads both. SEARCH/REPLACE blocks become one op each.

What SEARCH/REPLACE cannot say: a part of a line; the last line of a file that has no final newline
(``old`` always ends in one, so such a block is ``no-match``; use ``str_replace``); a new file
without a final newline; one of several occurrences; a rename, a mode, a deletion of a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from slipstream_git import model
from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple

JSON: Final = "json"
JSONL: Final = "jsonl"
DIFF: Final = "diff"
V4A: Final = "v4a"
BLOCKS: Final = "blocks"

_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_MARKS = re.compile(
    rb"^(?:(?P<v4a>\*\*\* Begin Patch)|(?P<blocks><{5,9} SEARCH>?[ \t]*\r?$)"
    rb"|(?P<diff>diff --git |--- [^\n]*\n\+\+\+ ))",
    re.MULTILINE,
)
_SEARCH = re.compile(rb"(<{5,9}) SEARCH>?\s*")
_DIVIDER = re.compile(rb"(={5,9})\s*")
_REPLACE = re.compile(rb"(>{5,9}) REPLACE\s*")
_FENCE = re.compile(rb"`{3,}[\w+.-]*")
# `### path`, `**path**`, `path:` and `` `path` `` are ways in which models set a path line.
_DRESSED = re.compile(rb"(?:#+[ \t]+)?([*`]*)(.+?)(:?)\1(:?)", re.DOTALL)


def detect(text: bytes) -> str:
    """One of ``json``, ``jsonl``, ``diff``, ``v4a``, ``blocks``.

    A byte-order mark and blanks before the text do not count. A text that begins with ``[`` or
    ``{`` is JSON whatever follows; it is ``jsonl`` if its first line alone is an object and more
    follows. Else the first line that opens a diff, a patch or a block decides. Raises ``bad-json``
    otherwise, also on empty input.
    """
    start = text.removeprefix(_BOM).lstrip()
    if start.startswith(b"{"):
        return JSONL if _is_first_of_many(start) else JSON
    if start.startswith(b"["):
        return JSON
    mark = _MARKS.search(start)
    if mark is None:
        _undetected(start)
    return str(mark.lastgroup)


def to_ops(text: bytes, dialect: str) -> tuple[model.Op, ...]:
    """Turn a ``diff``, ``v4a`` or ``blocks`` text into its ops, in order.

    Raises ``bad-patch`` with the line for malformed blocks; a diff is not looked into here. Any
    other dialect is ``usage``.
    """
    if dialect in {DIFF, V4A}:
        return (model.Patch(diff=text),)
    if dialect == BLOCKS:
        return tuple(_op(block) for block in _blocks(text.removeprefix(_BOM)))
    raise SlipError("usage", f"no text format {dialect!r}; there are diff, v4a and blocks")


def _is_first_of_many(text: bytes) -> bool:
    line, _, rest = text.partition(b"\n")
    if not rest.strip():
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _undetected(text: bytes) -> NoReturn:
    if not text:
        what = "the input is empty; expected ops as JSON, a diff, or SEARCH/REPLACE blocks"
    elif text.startswith(_UTF16):
        what = "the input is UTF-16; send UTF-8"
    else:
        first = text.partition(b"\n")[0].strip()[:40].decode("utf-8", "backslashreplace")
        what = (
            f"neither JSON nor a diff nor SEARCH/REPLACE blocks: it begins {first!r};"
            " expected [ or { or 'diff --git' or '*** Begin Patch' or '<<<<<<< SEARCH'"
        )
    raise SlipError("bad-json", what)


class _Block(NamedTuple):
    path: bytes
    search: bytes
    replace: bytes


def _op(block: _Block) -> model.Op:
    if not block.search:
        return model.Write(path=block.path, content=block.replace, create="only")
    return model.StrReplace(path=block.path, old=block.search, new=block.replace)


def _blocks(text: bytes) -> Iterator[_Block]:
    rows = re.findall(rb"[^\n]*\n|[^\n]+", text)
    path, below = b"", 0
    for start, end in _spans(rows):
        path = _path_above(rows, below, start) or path
        if not path:
            _fault(start, "no file name above the first SEARCH")
        divider = _divider(rows, start, end)
        yield _Block(path, b"".join(rows[start + 1 : divider]), b"".join(rows[divider + 1 : end]))
        below = end + 1
    if not below:
        _fault(0, "no SEARCH/REPLACE block in this text")


def _spans(rows: list[bytes]) -> Iterator[tuple[int, int]]:
    """Where each block begins and ends: the rows of its SEARCH and REPLACE marks."""
    start: int | None = None
    for n, row in enumerate(rows):
        if _SEARCH.fullmatch(row):
            if start is not None:
                _fault(n, f"SEARCH before the block of line {start + 1} has its REPLACE mark")
            start = n
        elif _REPLACE.fullmatch(row):
            if start is None:
                _fault(n, "a REPLACE mark without a SEARCH mark")
            yield start, n
            start = None
    if start is not None:
        _fault(start, "this block has no '>>>>>>> REPLACE' mark (was the text cut off?)")


def _divider(rows: list[bytes], start: int, end: int) -> int:
    """The one ``=======`` of a block; among several, the one as long as the block's first mark.

    So content with such lines (headings underlined with =) can be sent by longer or shorter marks.
    """
    found = [
        (n, len(mark[1])) for n in range(start + 1, end) if (mark := _DIVIDER.fullmatch(rows[n]))
    ]
    if not found:
        _fault(start, "this block has no '=======' line")
    if len(found) > 1:
        opening = _SEARCH.fullmatch(rows[start])
        found = [(n, size) for n, size in found if opening and size == len(opening[1])]
    if len(found) != 1:
        _fault(
            start, "several lines of this block could be its '=======': use marks of another length"
        )
    return found[0][0]


def _path_above(rows: list[bytes], below: int, start: int) -> bytes:
    """The nearest line above SEARCH that is neither empty nor a fence, without its dress."""
    for row in reversed(rows[below:start]):
        line = row.strip()
        if line and not _FENCE.fullmatch(line):
            dressed = _DRESSED.fullmatch(line)
            return dressed[2] if dressed else line
    return b""


def _fault(row: int, what: str) -> NoReturn:
    raise SlipError("bad-patch", f"blocks line {row + 1}: {what}", data={"line": row + 1})
