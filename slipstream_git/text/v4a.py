"""The ``*** Begin Patch`` format that models are taught, also named V4A: read and applied.

It has no line numbers, so a hunk stands by its text alone, below the lines that ``@@`` names; and
it knows neither line endings nor a missing last newline, so the file's own are kept. Reading and
placing stand together because of that: both follow from this format and serve no other.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, Literal, NoReturn

from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple
from slipstream_git.text.filepatch import Change, FilePatch, Hunk, Patched, Placed
from slipstream_git.text.hunkrows import LINES, MINUS, PLUS, SPACE, sides_of
from slipstream_git.text.patchfaults import fault, said, shown
from slipstream_git.text.placement import Lines, no_match, unique

# Where a patch begins, of this format or another.
START = re.compile(
    rb"^(?:\*\*\* Begin Patch|diff --|--- |\+\+\+ |@@|Binary files |GIT binary)", re.MULTILINE
)
_V4A_END = re.compile(rb"^\*\*\* End Patch[ \t]*\r?$", re.MULTILINE)
_V4A_FILE = re.compile(rb"\*\*\* (Add|Delete|Update) File:(.*)", re.DOTALL)
_V4A_MOVE: Final = b"*** Move to:"
_V4A_EOF: Final = b"*** End of File"


def parse_v4a(text: bytes, pos: int) -> tuple[FilePatch, ...]:
    begin = text.find(b"\n", pos) + 1 or len(text)
    end = _V4A_END.search(text, begin)
    if end is None:
        fault(text, len(text), "no '*** End Patch' (was the text cut off?)")
    more = START.search(text, end.end())
    if more is not None:
        fault(text, more.start(), "another patch after '*** End Patch'")
    body = text[begin : end.start()]
    if text[pos:begin].endswith(b"\r\n"):  # the whole text came with CRLF: that is transport
        body = body.replace(b"\r\n", b"\n")
    rows = _Rows(body.split(b"\n")[:-1], text.count(b"\n", 0, begin) + 1)
    files = tuple(_v4a_files(rows))
    if not files:
        rows.fault(0, "the patch is empty")
    return files


class _Rows(NamedTuple):
    """Rows of a patch text, without their LF, and the line in the text the first of them has."""

    rows: list[bytes]
    line: int

    def part(self, start: int, end: int) -> _Rows:
        return _Rows(self.rows[start:end], self.line + start)

    def fault(self, n: int, what: str, code: str = "bad-patch") -> NoReturn:
        line = self.line + n
        raise SlipError(code, f"patch line {line}: {what}", data={"line": line})


def _v4a_files(rows: _Rows) -> Iterator[FilePatch]:
    starts = [n for n, row in enumerate(rows.rows) if _V4A_FILE.match(row)]
    for n, row in enumerate(rows.rows[: starts[0] if starts else None]):
        if row.strip():
            rows.fault(n, f"expected '*** Add|Update|Delete File: PATH', found {shown(row)}")
    for start, end in zip(starts, [*starts[1:], len(rows.rows)], strict=False):
        yield _v4a_file(rows.part(start, end))


def _v4a_file(rows: _Rows) -> FilePatch:
    header = _V4A_FILE.match(rows.rows[0])
    verb, path = header.groups() if header else (b"", b"")
    name, body = _v4a_name(rows, 0, path), rows.part(1, len(rows.rows))
    if verb == b"Update":
        return _v4a_update(name, body)
    if verb == b"Add":
        return FilePatch(None, name, "add", hunks=_v4a_content(body), dialect="v4a")
    for n, row in enumerate(body.rows):
        if row.strip():
            body.fault(n, f"a line below '*** Delete File': {shown(row)}")
    return FilePatch(name, None, "delete", dialect="v4a")


def _v4a_name(rows: _Rows, n: int, name: bytes) -> bytes:
    name = name.strip()
    if not name:
        rows.fault(n, "an empty file name")
    if b"\0" in name:
        rows.fault(n, f"a NUL in a file name: {shown(name)}", "bad-path")
    return name


def _v4a_content(rows: _Rows) -> tuple[Hunk, ...]:
    body = list(rows.rows)
    while body and not body[-1]:
        body.pop()
    for n, row in enumerate(body):
        if not row.startswith(b"+"):
            rows.fault(n, f"a line of an added file must start with '+': {shown(row)}")
    text = b"".join(row + b"\n" for row in body)
    return (Hunk(text, 0, 0, 1, len(body)),) if body else ()


def _v4a_update(name: bytes, rows: _Rows) -> FilePatch:
    moves = bool(rows.rows) and rows.rows[0].startswith(_V4A_MOVE)
    target = _v4a_name(rows, 0, rows.rows[0][len(_V4A_MOVE) :]) if moves else name
    hunks = tuple(_v4a_hunks(rows.part(int(moves), len(rows.rows))))
    if not hunks and not moves:
        rows.fault(-1, "an update without a change")
    change: Change = "rename" if target != name else "modify"
    return FilePatch(name, target, change, hunks=hunks, dialect="v4a")


def _v4a_hunks(rows: _Rows) -> Iterator[Hunk]:
    anchors: list[bytes] = []
    body: list[bytes] = []
    for n, row in enumerate(rows.rows):
        at_end = row.rstrip() == _V4A_EOF
        if (row.startswith(b"@@") and body) or at_end:
            yield _v4a_hunk(rows, n, anchors, body, at_end=at_end)
            anchors, body = [], []
        if row.startswith(b"@@"):
            anchors += _v4a_anchor(rows, n)
        elif not at_end and (row or body):  # an empty row before the first is layout
            body.append(_v4a_row(rows, n))
    if body or anchors:
        yield _v4a_hunk(rows, len(rows.rows), anchors, body)


def _v4a_anchor(rows: _Rows, n: int) -> list[bytes]:
    row = rows.rows[n]
    if re.match(rb"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@", row):
        rows.fault(n, "line numbers do not belong in a '*** Begin Patch' text; send a unified diff")
    if row.strip() != b"@@" and not row.startswith(b"@@ "):
        rows.fault(n, f"expected '@@' or '@@ TEXT', found {shown(row)}")
    anchor = row[3:].rstrip(b"\r")
    return [anchor] if anchor.strip() else []


def _v4a_row(rows: _Rows, n: int) -> bytes:
    row = rows.rows[n]
    if row and row[0] not in (SPACE, MINUS, PLUS):
        rows.fault(n, f"a line must start with ' ', '-' or '+': {shown(row)}")
    return row


def _v4a_hunk(
    rows: _Rows, n: int, anchors: list[bytes], body: list[bytes], *, at_end: bool = False
) -> Hunk:
    while body and not body[-1] and not at_end:  # layout before the next section
        body.pop()
    added = sum(row.startswith(b"+") for row in body)
    removed = sum(row.startswith(b"-") for row in body)
    if not added and not removed:
        rows.fault(n - 1, "a hunk that changes nothing")
    text = b"".join((row or b" ") + b"\n" for row in body)
    return Hunk(text, None, len(body) - added, None, len(body) - removed, tuple(anchors), at_end)


# --- applying ---------------------------------------------------------------------------------


class _Text(NamedTuple):
    """A file in the eyes of a format that knows lines but neither their endings nor a last one.

    rows: as they stand, but the last one always ended; exact, loose and bare: the same rows to
    compare with, without LF, without LF or CRLF, and without blanks at both ends.
    """

    rows: list[bytes]
    exact: Lines
    loose: Lines
    bare: Lines
    lent: bytes  # the ending that the last row lacks


def _text(data: bytes) -> _Text:
    rows = LINES.findall(data)
    exact = [row.removesuffix(b"\n") for row in rows]
    loose = [row.removesuffix(b"\r") for row in exact]
    lent = b""
    if rows and not rows[-1].endswith(b"\n"):
        lent = _ending(rows[-2]) if len(rows) > 1 else b"\n"
        rows[-1] += lent
    return _Text(rows, Lines(exact), Lines(loose), Lines([row.strip() for row in exact]), lent)


def _ending(row: bytes) -> bytes:
    return b"\r\n" if row.endswith(b"\r\n") else b"\n"


def apply_unnumbered(patch: FilePatch, data: bytes) -> Patched:
    text = _text(data)
    made: list[bytes] = []
    placed: list[Placed] = []
    done = 0
    for number, hunk in enumerate(patch.hunks, 1):
        start = _after_anchors(patch, number, text, done)
        at, matched = _seek(patch, number, text, start)
        made += text.rows[done:at]
        new = _v4a_new(hunk, text, at, matched)
        placed.append(Placed((len(made) + 1, len(made) + len(new)), 0, matched))
        made += new
        done = at + hunk.old_count
    made += text.rows[done:]
    return Patched(_unlent(b"".join(made), text.lent), tuple(placed))


def _unlent(result: bytes, lent: bytes) -> bytes:
    """A file without a final newline keeps having none."""
    if not lent:
        return result
    return result.removesuffix(lent if result.endswith(lent) else b"\n")


def _after_anchors(patch: FilePatch, number: int, text: _Text, done: int) -> int:
    """Below the first line that equals each anchor, blanks at the ends aside if none equals it.

    One already passed by an earlier hunk (`@@ class A` above each of its methods) holds.
    """
    for anchor in patch.hunks[number - 1].anchors:
        hits = text.exact.places(anchor), text.bare.places(anchor.strip())
        below = [at[n] for at in hits if (n := bisect_left(at, done)) < len(at)]
        if below:
            done = below[0] + 1
        elif not hits[1]:
            what = f"no line is {shown(anchor)}"
            no_match(patch, number, text.exact, [anchor], near=done, why=what)
    return done


def _seek(
    patch: FilePatch, number: int, text: _Text, start: int
) -> tuple[int, Literal["exact", "eol"]]:
    hunk = patch.hunks[number - 1]
    old, _ = sides_of(hunk.body)
    block = [row.removesuffix(b"\n") for row in old]
    if not block:
        return _seek_nothing(patch, number, text, start), "exact"
    loose = [row.removesuffix(b"\r") for row in block]
    low = max(start, len(text.rows) - len(block)) if hunk.at_end else start
    at = _seek_in(patch, number, text.exact, block, low)
    if at is not None:
        return at, "exact"
    at = _seek_in(patch, number, text.loose, loose, low)
    if at is not None:
        return at, "eol"
    return no_match(patch, number, text.exact, block, near=low)


def _seek_in(
    patch: FilePatch, number: int, lines: Lines, block: list[bytes], low: int
) -> int | None:
    """Right below its anchor, which is as good as a context line; else where it occurs once."""
    if patch.hunks[number - 1].anchors and lines.holds(block, low):
        return low
    return unique(patch, number, lines.find(block, low))


def _seek_nothing(patch: FilePatch, number: int, text: _Text, start: int) -> int:
    """Where rows go that stand by no other: published readers disagree, so only the sure place."""
    if patch.hunks[number - 1].at_end or start == len(text.rows):
        return len(text.rows)
    why = "it has only added lines; give a context line, or *** End of File"
    raise SlipError(
        "ambiguous",
        f"{said(patch)}: hunk {number} could stand anywhere: {why}",
        data={"hunk": number, "lines": []},
    )


def _v4a_new(hunk: Hunk, text: _Text, at: int, matched: Literal["exact", "eol"]) -> list[bytes]:
    """The rows it makes: the file's own for context, added ones ending like the row before."""
    new: list[bytes] = []
    ending = _added_ending(text, at if hunk.old_count else at - 1, matched)
    for row in hunk.body.split(b"\n")[:-1]:
        if row[0] == PLUS:
            added = row[1:]
            bare = added if matched == "exact" and ending == b"\n" else added.removesuffix(b"\r")
            new.append(bare + ending)
            continue
        ending = _added_ending(text, at, matched)
        if row[0] == SPACE:
            new.append(text.rows[at])
        at += 1
    return new


def _added_ending(text: _Text, at: int, matched: Literal["exact", "eol"]) -> bytes:
    """An exact match on a CRLF file has the CR in the patch's own rows."""
    if at < 0 or at >= len(text.rows):
        return b"\n"
    if matched == "exact" and text.exact.rows[at].endswith(b"\r"):
        return b"\n"
    return _ending(text.rows[at])
