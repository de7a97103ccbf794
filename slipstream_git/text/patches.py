"""A patch text as values, and what each file's part of it makes of that file's bytes.

Two functions: ``parse`` turns a unified diff (git's or plain) or a ``*** Begin Patch`` text into
``FilePatch`` values, ``apply_file`` puts one of them on bytes. A patch either fits exactly or is
refused: no fuzz, no whitespace leniency, no line that is silently skipped. A tool that takes what
it does not understand for prose makes half of a change and reports success, so a hunk longer
or shorter than its header, two names that disagree, or a cut text is ``bad-patch``.

The parser is our own and works on offsets into the bytes; why not unidiff, with figures, stands in
docs/adr/0003-patch-parser.md. git's apply.c is the model where this page is silent. Where we differ
on purpose: git takes the nearest of several matching places, we refuse (``ambiguous``); git ignores
rows after a hunk's end, we refuse; git needs ``--unidiff-zero`` for hunks without context, we
place them by their number.

Not here: whether a path may be touched (absolute names and ``..`` come out as they stand, for
the path gate), whether a file exists, combined diffs, submodule changes.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, NoReturn

from slipstream_git.errors import SlipError

Change = Literal["modify", "add", "delete", "rename", "copy"]

MAX_BINARY_BYTES: Final = 1 << 30
MAX_LINE_NUMBER: Final = (1 << 31) - 1
MAX_HEADER_BYTES: Final = 1 << 14  # paths end at 4096 bytes, C-quoting makes four of one
MAX_SHOWN_CHARACTERS: Final = 400  # of a line in an error; a minified file is one line
MANY_PLACES: Final = 20  # of an ambiguous hunk, so many places are named

_BOM: Final = b"\xef\xbb\xbf"
_NOWHERE: Final = b"/dev/null"
_GITLINK: Final = b"160000"
_MODES: Final = (b"100644", b"100755", b"120000")

_START = re.compile(
    rb"^(?:\*\*\* Begin Patch|diff --|--- |\+\+\+ |@@|Binary files |GIT binary)", re.MULTILINE
)
_OPENING = re.compile(
    rb"^(?:diff --git |diff --c(?:c|ombined) |--- [^\n]*\n\+\+\+ |@@ -|\+\+\+ [^\n]*\n@@ -"
    rb"|GIT binary patch\r?\n|Binary files [^\n]* differ\r?$)",
    re.MULTILINE,
)
_EXTENDED = re.compile(
    rb"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to"
    rb"|similarity index|dissimilarity index|index) ([^\n]*)\n"
)
_SIDES = re.compile(rb"--- ([^\n]*)\n\+\+\+ ([^\n]*)\n")
_HUNK = re.compile(
    rb"@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@(?![^\s])[^\n]*\n"
)
_INDEX = re.compile(rb"([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: ([0-7]+))?")
_BINARY = re.compile(rb"(literal|delta) (\d{1,19})\n")
_SURPLUS = re.compile(rb"(?:\r?\n)*([ +\-\\])")
# What may follow a hunk although it starts with "-": a mail signature, with its blank or without.
_SIGNATURE = re.compile(rb"-- \r?(?:\n|\Z)|--\r?\n\d+\.\d")
_EPOCH = re.compile(
    rb"[^\n]*\t(1969-12-31|1970-01-01) (\d\d):(\d\d):00(?:\.0+)? ([-+])(\d\d):?(\d\d)\r?"
)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb'\\(?:([abfnrtv"\\])|([0-3][0-7][0-7])|)')
_PLAIN_ESCAPES: Final = dict(zip(b'abfnrtv"\\', b'\a\b\f\n\r\t\v"\\', strict=True))
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")

_SPACE, _MINUS, _PLUS, _BACKSLASH, _LF, _CR = b" -+\\\n\r"


class Hunk(NamedTuple):
    r"""One place of one file.

    body: the rows as the patch has them, each ending in LF: ``" "`` context, ``"-"`` removed,
        ``"+"`` added, ``"\\"`` a mark that the row above has no newline. An empty row is an empty
        context line.
    old_start, new_start: 1-based; None in ``*** Begin Patch`` texts, which have no numbers.
    anchors: the ``@@ text`` lines before it, in order; the search begins after them.
    at_end: ``*** End of File`` stood after it: it ends where the file ends.
    """

    body: bytes
    old_start: int | None
    old_count: int
    new_start: int | None
    new_count: int
    anchors: tuple[bytes, ...] = ()
    at_end: bool = False


class Binary(NamedTuple):
    """A ``GIT binary patch``: the new content itself, or a git delta that makes it from the old.

    data: inflated; of the size the patch declared.
    """

    kind: Literal["literal", "delta"]
    data: bytes


class FilePatch(NamedTuple):
    """What a patch does to one file.

    old_path is None for an add, new_path for a delete. Modes are ints such as 0o100755, None
    where the patch does not say (then: the file's own, or 0o100644 for an add). old_oid and new_oid
    are the hex of the index line, possibly abbreviated; only a binary delta is held to them. A
    type change is two of these: a delete, then an add of the same path.
    """

    old_path: bytes | None
    new_path: bytes | None
    change: Change
    old_mode: int | None = None
    new_mode: int | None = None
    hunks: tuple[Hunk, ...] = ()
    binary: Binary | None = None
    old_oid: bytes | None = None
    new_oid: bytes | None = None
    dialect: Literal["diff", "v4a"] = "diff"


class Placed(NamedTuple):
    """Where a hunk went.

    lines: the first and last line of the hunk, context included, in the *result*; 1-based; where
        nothing of the hunk is left the last is the first less one.
    offset: lines from the place the patch named to the place found, in the old file; 0 where the
        patch has no numbers.
    matched: ``eol`` where the file's CRLF stood for the patch's LF (``*** Begin Patch`` only).
    """

    lines: tuple[int, int]
    offset: int
    matched: Literal["exact", "eol"] = "exact"


class Patched(NamedTuple):
    data: bytes
    placed: tuple[Placed, ...]


def parse(diff: bytes) -> tuple[FilePatch, ...]:
    """Every file of a patch, in its order; prose and mail headers around the files are left out.

    Takes time and memory linear in the text. Raises ``bad-patch`` with the line for any fault of
    shape (an empty text and mere prose are ones), ``bad-path`` for a NUL in a name, ``unsupported``
    for a submodule, ``too-large`` for a binary declared above ``MAX_BINARY_BYTES``.
    """
    text = diff.removeprefix(_BOM)
    start = _START.search(text)
    if start is not None and start[0].startswith(b"***"):
        return _parse_v4a(text, start.start())
    files = tuple(_files(text))
    if not files:
        what = "no file header in this patch" if text.strip() else "the patch is empty"
        _fault(text, start.start() if start else 0, what)
    return files


def apply_file(patch: FilePatch, data: bytes) -> Patched:
    """The file after the patch. ``data`` is the content of ``old_path``, empty for an add.

    A hunk goes where its header says if it fits there to the byte; else to the one place after the
    hunk before it where it fits; once a hunk was found elsewhere the numbers are no longer believed
    and each later one must fit exactly once. Without context a hunk stands by its number alone;
    without any after the change it moves only to the file's end; one from line 1 with less context
    before than after stays at the top. A hunk without numbers must fit once below its anchors, or
    stand right below the last of them. Raises ``no-match`` (data: hunk, line, expected, found,
    nearest), ``ambiguous`` (data: hunk, lines), ``exists``, ``bad-patch`` for a broken delta.
    """
    if patch.change == "add" and data:
        raise SlipError("exists", f"{_said(patch)}: the patch adds it, but it exists")
    if patch.binary is not None:
        return Patched(_apply_binary(patch, patch.binary, data), ())
    if patch.dialect == "v4a" and patch.change == "delete":
        return Patched(b"", ())
    if patch.hunks and patch.hunks[0].old_start is None:
        return _apply_unnumbered(patch, data)
    return _apply_numbered(patch, data)


# --- faults -----------------------------------------------------------------------------------


def _fault(text: bytes, pos: int, what: str, code: str = "bad-patch") -> NoReturn:
    line = text.count(b"\n", 0, pos) + 1
    raise SlipError(code, f"patch line {line}: {what}", data={"line": line})


def _shown(raw: bytes, limit: int = 80) -> str:
    """One line, quoted, with tabs, CR and bytes that are not UTF-8 visible."""
    return repr(_readable(raw, limit))


def _readable(raw: bytes, limit: int = MAX_SHOWN_CHARACTERS) -> str:
    text = raw[: 4 * limit].decode("utf-8", "backslashreplace")
    return text if len(text) <= limit else text[:limit] + "…"


def _said(patch: FilePatch) -> str:
    path = patch.old_path or patch.new_path or b"?"
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else _shown(path, 200)


# --- unified diffs: files ---------------------------------------------------------------------


def _files(text: bytes) -> Iterator[FilePatch]:
    pos = 0
    while (opening := _OPENING.search(text, pos)) is not None:
        patch, pos = _file_at(text, opening.start())
        _refuse_surplus(text, pos)
        yield patch


def _file_at(text: bytes, pos: int) -> tuple[FilePatch, int]:
    if text.startswith(b"diff --git ", pos):
        return _git_file(text, pos)
    if text.startswith(b"--- ", pos):
        return _plain_file(text, pos)
    if text.startswith(b"diff --c", pos):
        _fault(text, pos, "a combined diff (of a merge) cannot be applied")
    if text.startswith(b"+++ ", pos):
        _fault(text, pos, "a +++ line without a --- line before it")
    if text.startswith(b"@@", pos):
        _fault(text, pos, "a hunk before any file header")
    _fault(
        text, pos, "a binary file's content is not in this patch (make it with git diff --binary)"
    )


def _refuse_surplus(text: bytes, pos: int) -> None:
    """Rows after a finished hunk were meant as part of it; to skip them would halve the change."""
    surplus = _SURPLUS.match(text, pos)
    if surplus is None:
        return
    at = surplus.start(1)
    if not _SIDES.match(text, at) and not _SIGNATURE.match(text, at):
        _fault(text, at, "more lines than the hunk header says")


def _plain_file(text: bytes, pos: int) -> tuple[FilePatch, int]:
    sides = _SIDES.match(text, pos)
    if sides is None:
        _fault(text, pos, "the patch ends within a file header")
    old, new = (_side(text, pos, side) for side in sides.groups())
    change = _plain_change(text, pos, sides, (old, new))
    name = _plain_name(text, pos, old, new)
    hunks, end = _hunks(text, sides.end(), change)
    if not hunks:
        _fault(text, sides.end(), "a hunk header (@@ -1,2 +1,2 @@) must follow the +++ line")
    return _file_patch(change, name, name)._replace(hunks=hunks), end


def _plain_change(
    text: bytes, pos: int, sides: re.Match[bytes], names: tuple[bytes, bytes]
) -> Change:
    if names == (_NOWHERE, _NOWHERE):
        _fault(text, pos, "both sides are /dev/null")
    # diff -N writes an absent file as one of the epoch, under its name
    if names[0] == _NOWHERE or _is_epoch(sides[1]):
        return "add"
    return "delete" if names[1] == _NOWHERE or _is_epoch(sides[2]) else "modify"


def _is_epoch(side: bytes) -> bool:
    stamp = _EPOCH.fullmatch(side)
    if stamp is None:
        return False
    hour, minute, zone_hour, zone_minute = (int(stamp[n]) for n in (2, 3, 5, 6))
    zone = (zone_hour * 60 + zone_minute) * (-1 if stamp[4] == b"-" else 1)
    day = -24 * 60 if stamp[1].startswith(b"1969") else 0
    return day + hour * 60 + minute == zone


def _plain_name(text: bytes, pos: int, old: bytes, new: bytes) -> bytes:
    if old == _NOWHERE:
        return new.removeprefix(b"b/")
    if new == _NOWHERE:
        return old.removeprefix(b"a/")
    common = _common(old, new)
    if common is not None:
        return common
    # x.orig and x, x and x~: the shorter is meant, as in git
    if old.removeprefix(b"a/").startswith(short := new.removeprefix(b"b/")):
        return short
    if new.removeprefix(b"b/").startswith(short := old.removeprefix(b"a/")):
        return short
    return _disagree(text, pos, (old, new))


def _common(old: bytes, new: bytes) -> bytes | None:
    """The name both sides mean: the same name twice, or the same under two prefixes (a/ and b/)."""
    if old == new:
        return old
    old_rest, new_rest = old.partition(b"/")[2], new.partition(b"/")[2]
    return old_rest if old_rest and old_rest == new_rest else None


def _disagree(text: bytes, pos: int, names: Sequence[bytes]) -> bytes:
    """Refuses, except that a name leaving the repository comes out, so that it is called that."""
    for name in names:
        bare = re.sub(rb"\A[ab]/", b"", name)
        leaves = bare.startswith(b"/") or {b"..", b".git"} & {*bare.lower().split(b"/")}
        if leaves and name != _NOWHERE:
            return bare
    _fault(text, pos, f"the names disagree: {', '.join(map(_shown, dict.fromkeys(names)))}")


def _file_patch(change: Change, old: bytes, new: bytes) -> FilePatch:
    return FilePatch(None if change == "add" else old, None if change == "delete" else new, change)


# --- unified diffs: git's headers -------------------------------------------------------------


class _GitHeader(NamedTuple):
    """Everything above the hunks: the `diff --git` names, extended lines, and ---/+++ names."""

    at: int
    names: bytes
    fields: dict[bytes, bytes]
    sides: tuple[bytes, bytes] | None


def _git_file(text: bytes, pos: int) -> tuple[FilePatch, int]:
    header, end = _git_header(text, pos)
    change = _git_change(text, header)
    old, new = _git_names(text, header, change)
    patch = _with_modes(text, header, _file_patch(change, old, new))
    if text.startswith(b"GIT binary patch", end):
        binary, end = _binary(text, end)
        return patch._replace(binary=binary), end
    if text.startswith((b"Binary files ", b"Files "), end):
        _file_at(text, end)
    hunks, end = _hunks(text, end, change)
    if header.sides and not hunks:
        _fault(text, end, "a hunk header (@@ -1,2 +1,2 @@) must follow the +++ line")
    if not hunks and change == "modify" and patch.old_mode == patch.new_mode:
        _fault(text, pos, "this file's header changes nothing")
    return patch._replace(hunks=hunks), end


def _git_header(text: bytes, pos: int) -> tuple[_GitHeader, int]:
    end = text.find(b"\n", pos) + 1
    if not end or end - pos > MAX_HEADER_BYTES:
        _fault(text, pos, "the diff --git line is cut off or too long")
    names = text[pos + len(b"diff --git ") : end].rstrip(b"\r\n")
    fields, end = _extended(text, end)
    sides = _SIDES.match(text, end)
    if sides is None:
        if text.startswith(b"--- ", end):
            _fault(text, end, "a --- line without a +++ line after it")
        return _GitHeader(pos, names, fields, None), end
    old, new = (_side(text, end, side) for side in sides.groups())
    return _GitHeader(pos, names, fields, (old, new)), sides.end()


def _extended(text: bytes, pos: int) -> tuple[dict[bytes, bytes], int]:
    fields: dict[bytes, bytes] = {}
    while (found := _EXTENDED.match(text, pos)) is not None:
        if found[1] in fields:
            _fault(text, pos, f"a second {found[1].decode()!r} line for one file")
        fields[found[1]] = found[2].removesuffix(b"\r")
        pos = found.end()
    if text.find(b"\n", pos) < 0 and _EXTENDED.match(text[pos:] + b"\n"):
        _fault(text, pos, "the patch ends within a file header")
    return fields, pos


def _git_change(text: bytes, header: _GitHeader) -> Change:
    for keys in _PAIRS:
        if len(header.fields.keys() & {*keys}) == 1:
            _fault(text, header.at, f"half of a pair of lines: {b' / '.join(keys).decode()}")
    changes = [change for key, change in _MARKS.items() if key in header.fields]
    if len(changes) > 1:
        _fault(text, header.at, f"one file cannot be {' and '.join(changes)} at once")
    return changes[0] if changes else _change_by_sides(text, header)


_MARKS: Final[dict[bytes, Change]] = {
    b"new file mode": "add",
    b"deleted file mode": "delete",
    b"rename from": "rename",
    b"copy from": "copy",
}
_PAIRS: Final = (
    (b"rename from", b"rename to"),
    (b"copy from", b"copy to"),
    (b"old mode", b"new mode"),
)


def _change_by_sides(text: bytes, header: _GitHeader) -> Change:
    """For headers written by hand: a side at /dev/null says as much as `new file mode`."""
    old, new = header.sides or (b"", b"")
    if old == new == _NOWHERE:
        _fault(text, header.at, "both sides are /dev/null")
    return "add" if old == _NOWHERE else "delete" if new == _NOWHERE else "modify"


def _git_names(text: bytes, header: _GitHeader, change: Change) -> tuple[bytes, bytes]:
    if change in {"rename", "copy"}:
        return _moved_names(text, header, change.encode())
    pair = _header_pair(text, header)
    name = _common(*pair) if pair else None
    if pair is None or name is None:
        name = _disagree(text, header.at, (*(header.sides or ()), *header.names.split(b" ")))
        return name, name
    expected = (
        _NOWHERE if change == "add" else pair[0],
        _NOWHERE if change == "delete" else pair[1],
    )
    if header.sides and header.sides != expected:
        name = _disagree(text, header.at, (*header.sides, *pair))
    return name, name


def _moved_names(text: bytes, header: _GitHeader, verb: bytes) -> tuple[bytes, bytes]:
    """From the rename or copy lines, which have no prefix; the other lines must say the same."""
    old, new = (_whole_name(text, header, verb + end) for end in (b" from", b" to"))
    pair = _quoted_pair(text, header) if b'"' in header.names else None
    for said in (pair, header.sides):
        if said and not (_is_prefixed(said[0], old) and _is_prefixed(said[1], new)):
            name = _disagree(text, header.at, (*said, old, new))
            return name, name
    if pair is None and not _is_spelled(header.names, old, new):
        name = _disagree(text, header.at, (header.names, old, new))
        return name, name
    return old, new


def _whole_name(text: bytes, header: _GitHeader, key: bytes) -> bytes:
    value = header.fields[key]
    name, rest = _unquote(text, header.at, value) if value.startswith(b'"') else (value, b"")
    return _checked(text, header.at, name + rest)


def _is_prefixed(said: bytes, name: bytes) -> bool:
    return said == name or said.partition(b"/")[2] == name


def _is_spelled(names: bytes, old: bytes, new: bytes) -> bool:
    pattern = rb"(?:[^/ ]*/)?%b (?:[^/ ]*/)?%b" % (re.escape(old), re.escape(new))
    return re.fullmatch(pattern, names, re.DOTALL) is not None


def _header_pair(text: bytes, header: _GitHeader) -> tuple[bytes, bytes] | None:
    """The two names of a `diff --git` line; a name may hold blanks, so the halves must agree."""
    names = _checked(text, header.at, header.names)
    if b'"' in names:
        return _quoted_pair(text, header)
    middle = len(names) // 2
    pair = names[:middle], names[middle + 1 :]
    if names[middle : middle + 1] == b" " and _common(*pair) is not None:
        return pair
    return _pair_by_sides(names, *header.sides) if header.sides else None


def _pair_by_sides(names: bytes, old: bytes, new: bytes) -> tuple[bytes, bytes] | None:
    """Prefixes of unequal length: only the ---/+++ lines tell where the first name ends."""
    if new != _NOWHERE and names.endswith(b" " + new):
        return names[: -len(new) - 1], new
    if old != _NOWHERE and names.startswith(old + b" "):
        return old, names[len(old) + 1 :]
    return None


def _quoted_pair(text: bytes, header: _GitHeader) -> tuple[bytes, bytes]:
    names = header.names
    if names.startswith(b'"'):
        old, rest = _unquote(text, header.at, names)
    else:
        old, quote, rest = names.partition(b' "')
        rest = quote + rest
    new = rest[1:]
    if new.startswith(b'"'):
        new, rest = _unquote(text, header.at, new)
        new += rest
    return old, new


def _side(text: bytes, pos: int, value: bytes) -> bytes:
    """The name of a ---/+++ line, prefix and all, without its timestamp."""
    if value.startswith(b'"'):
        name, rest = _unquote(text, pos, value)
        if rest.strip() and not rest.startswith(b"\t"):
            _fault(text, pos, f"text after the quoted name: {_shown(rest)}")
    else:
        name = value.partition(b"\t")[0].removesuffix(b"\r")
    return _checked(text, pos, name)


def _checked(text: bytes, pos: int, name: bytes) -> bytes:
    if b"\0" in name:
        _fault(text, pos, f"a NUL in a file name: {_shown(name)}", "bad-path")
    if not name or name in {b"a/", b"b/"}:
        _fault(text, pos, "an empty file name")
    return name


def _unquote(text: bytes, pos: int, value: bytes) -> tuple[bytes, bytes]:
    """A C-quoted name at the start of value, and what follows its closing quote."""

    def plain(escape: re.Match[bytes]) -> bytes:
        if escape[2]:
            return bytes([int(escape[2], 8)])
        if not escape[1]:
            _fault(text, pos, f"a bad escape in a quoted name: {_shown(value)}")
        return bytes([_PLAIN_ESCAPES[escape[1][0]]])

    quoted = _QUOTED.match(value)
    if quoted is None:
        _fault(text, pos, f"a quoted name does not end: {_shown(value)}")
    return _checked(text, pos, _ESCAPE.sub(plain, quoted[1])), value[quoted.end() :]


def _with_modes(text: bytes, header: _GitHeader, patch: FilePatch) -> FilePatch:
    fields = header.fields
    index = _INDEX.fullmatch(fields.get(b"index", b""))
    shared = index[3] if index else None
    old = _mode(
        text, header.at, fields.get(b"old mode") or fields.get(b"deleted file mode") or shared
    )
    new = _mode(text, header.at, fields.get(b"new mode") or fields.get(b"new file mode") or shared)
    if old and new and (old ^ new) & 0o170000:
        _fault(text, header.at, "a change of type must be a delete and an add")
    return patch._replace(
        old_mode=None if patch.change == "add" else old,
        new_mode=None if patch.change == "delete" else new,
        old_oid=index[1] if index else None,
        new_oid=index[2] if index else None,
    )


def _mode(text: bytes, pos: int, mode: bytes | None) -> int | None:
    if mode is None:
        return None
    if mode == _GITLINK:
        _fault(text, pos, "a submodule change (mode 160000) cannot be applied", "unsupported")
    if mode not in _MODES:
        _fault(text, pos, f"mode {_shown(mode)} is none of 100644, 100755, 120000")
    return int(mode, 8)


# --- unified diffs: hunks ---------------------------------------------------------------------


def _hunks(text: bytes, pos: int, change: Change) -> tuple[tuple[Hunk, ...], int]:
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
    _fault(text, pos, f"{what}: {_shown(row)}")


def _hunk_numbers(text: bytes, head: re.Match[bytes], change: Change) -> tuple[int, int, int, int]:
    """Start and count of the old side, start and count of the new one."""
    old_start, new_start = int(head[1]), int(head[3])
    old, new = int(head[2] or 1), int(head[4] or 1)
    if max(old_start + old, new_start + new) > MAX_LINE_NUMBER:
        _fault(text, head.start(), "a line number in the hunk header is too large")
    if (old and not old_start) or (new and not new_start):
        _fault(text, head.start(), "a hunk with lines cannot start at line 0")
    if (change == "add" and old) or (change == "delete" and new):
        side = "old" if change == "add" else "new"
        _fault(text, head.start(), f"{side} lines in a patch that says {change}")
    return old_start, old, new_start, new


def _body_end(text: bytes, pos: int, old: int, new: int) -> int:
    """Where the rows end that a header promised. The inner loop of parsing: one find() a row."""
    find, size = text.find, len(text)
    said, changes, before = (old, new), 0, _BACKSLASH
    while old or new or (pos < size and text[pos] == _BACKSLASH):
        end = find(b"\n", pos) + 1
        if not end:
            _fault(text, pos, "the patch ends within a hunk" + (" line" if pos < size else ""))
        kind = text[pos]
        if kind == _BACKSLASH:
            _check_marker(text, pos, before, old, new)
        elif kind == _MINUS:
            old -= 1
            changes += 1
        elif kind == _PLUS:
            new -= 1
            changes += 1
        elif kind in (_SPACE, _LF) or (kind == _CR and end == pos + 2):
            old -= 1
            new -= 1
        else:
            _fault(
                text, pos, f"the hunk ends before the {said[0]} old and {said[1]} new lines it says"
            )
        if old < 0 or new < 0:
            _fault(text, pos, f"more lines than the {said[0]} old and {said[1]} new the hunk says")
        pos, before = end, kind
    if not changes:
        _fault(text, pos, "a hunk that changes nothing")
    return pos


def _check_marker(text: bytes, pos: int, before: int, old: int, new: int) -> None:
    if not text.startswith(b"\\ ", pos) or before == _BACKSLASH:
        _fault(text, pos, "a stray line that starts with a backslash")
    if (old and before != _PLUS) or (new and before != _MINUS):
        _fault(text, pos, "'No newline at end of file' before the last line")


# --- binary patches ---------------------------------------------------------------------------


def _binary(text: bytes, pos: int) -> tuple[Binary, int]:
    pos = text.find(b"\n", pos) + 1 or len(text)
    head = _BINARY.match(text, pos)
    if head is None:
        _fault(text, pos, "a binary patch begins with 'literal SIZE' or 'delta SIZE'")
    rows, end = _binary_rows(text, head)
    data = _inflate(text, head, b"".join(rows))
    kind: Literal["literal", "delta"] = "literal" if head[1] == b"literal" else "delta"
    if kind == "delta":
        _check_result_size(text, pos, data)
    backward = _BINARY.match(text, end)
    if backward is not None:  # the way back, which git prints too; only its shape matters here
        _, end = _binary_rows(text, backward)
    return Binary(kind, data), end


def _binary_rows(text: bytes, head: re.Match[bytes]) -> tuple[list[bytes], int]:
    """The decoded rows, up to the empty line that ends them, and the place after it."""
    if int(head[2]) > MAX_BINARY_BYTES:
        _fault(text, head.start(), f"a binary of {int(head[2])} bytes", "too-large")
    end = text.find(b"\n\n", head.end())
    if end < 0:
        _fault(text, head.start(), "the patch ends within a binary")
    from base64 import b85decode

    rows: list[bytes] = []
    at = head.end()
    for row in text[at:end].split(b"\n"):
        try:
            rows.append(_binary_row(row, b85decode(row[1:])))
        except ValueError:
            _fault(text, at, "a bad line in a binary patch")
        at += len(row) + 1
    return rows, end + 2


def _binary_row(row: bytes, raw: bytes) -> bytes:
    size = row[0] - (64 if row[0] < 97 else 70)  # A to Z are 1 to 26, a to z 27 to 52
    if not row[:1].isalpha() or len(row) % 5 != 1 or not len(raw) - 4 < size <= len(raw):
        raise ValueError
    return raw[:size]


def _inflate(text: bytes, head: re.Match[bytes], packed: bytes) -> bytes:
    """Never makes more than one byte above the size declared, however the data was packed."""
    size, inflater = int(head[2]), zlib.decompressobj()
    try:
        data = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        _fault(text, head.start(), f"a binary that does not inflate ({error})")
    if len(data) > size:
        _fault(text, head.start(), f"a binary larger than the {size} bytes it says", "too-large")
    if len(data) < size or not inflater.eof or inflater.unused_data:
        _fault(text, head.start(), f"a binary that is not of the {size} bytes it says")
    return data


def _check_result_size(text: bytes, pos: int, delta: bytes) -> None:
    try:
        size, _ = _size_at(delta, _size_at(delta, 0)[1])
    except (IndexError, ValueError):
        _fault(text, pos, "a broken binary delta")
    if size > MAX_BINARY_BYTES:
        _fault(text, pos, f"a binary delta that makes {size} bytes", "too-large")


def _apply_binary(patch: FilePatch, binary: Binary, data: bytes) -> bytes:
    result = binary.data
    if binary.kind == "delta":
        result = _apply_delta(patch, data, binary.data)
    if patch.change == "delete" and result:
        raise SlipError(
            "no-match", f"{_said(patch)}: content is left of a file that is to be deleted"
        )
    return result


def _apply_delta(patch: FilePatch, base: bytes, delta: bytes) -> bytes:
    """A delta has no context: sizes and, where the index line has them, object ids stand for it."""
    base_size, pos = _size_at(delta, 0)
    size, pos = _size_at(delta, pos)
    if base_size != len(base) or not _is_blob(base, patch.old_oid):
        raise SlipError(
            "no-match",
            f"{_said(patch)}: the binary patch was made for other content ({base_size} bytes)",
            data={"expected_bytes": base_size, "found_bytes": len(base)},
        )
    try:
        result = _delta_result(base, delta, pos, size)
    except (IndexError, ValueError) as error:
        raise SlipError("bad-patch", f"{_said(patch)}: a broken binary delta") from error
    if not _is_blob(result, patch.new_oid):
        raise SlipError(
            "no-match", f"{_said(patch)}: the binary patch makes other content than it says"
        )
    return result


def _size_at(delta: bytes, pos: int) -> tuple[int, int]:
    size, shift = 0, 0
    while True:
        byte = delta[pos]
        size |= (byte & 0x7F) << shift
        pos, shift = pos + 1, shift + 7
        if byte < 0x80:
            return size, pos
        if shift > 63:
            raise ValueError


def _delta_result(base: bytes, delta: bytes, pos: int, size: int) -> bytes:
    made = bytearray()
    while pos < len(delta):
        command = delta[pos]
        pos += 1
        if command & 0x80:
            start, length, pos = _copy_command(delta, pos, command)
            made += _slice(base, start, length)
        else:
            made += _slice(delta, pos, command)
            pos += command
        if len(made) > size:
            raise ValueError
    if len(made) != size:
        raise ValueError
    return bytes(made)


def _copy_command(delta: bytes, pos: int, command: int) -> tuple[int, int, int]:
    numbers = [0] * 7  # four bytes of start, three of length, each there if its bit is set
    for bit in range(7):
        if command >> bit & 1:
            numbers[bit] = delta[pos]
            pos += 1
    length = int.from_bytes(bytes(numbers[4:]), "little") or 0x10000
    return int.from_bytes(bytes(numbers[:4]), "little"), length, pos


def _slice(data: bytes, start: int, length: int) -> bytes:
    if not length or start + length > len(data):
        raise ValueError
    return data[start : start + length]


def _is_blob(data: bytes, oid: bytes | None) -> bool:
    """Whether data has this (abbreviated) object id; true where there is none to ask."""
    if oid is None:
        return True
    import hashlib

    hasher = hashlib.sha256 if len(oid) > 40 else hashlib.sha1
    name = hasher(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return name.encode().startswith(oid)


# --- places -----------------------------------------------------------------------------------


class _Lines:
    """A file's rows, and where blocks of them occur; the index is made when first asked for.

    A scan a hunk would be quadratic when one inserted line moves each of a million hunks.
    """

    __slots__ = ("_places", "rows")

    def __init__(self, rows: list[bytes]) -> None:
        self.rows = rows
        self._places: dict[bytes, list[int]] | None = None

    def places(self, row: bytes) -> list[int]:
        if self._places is None:
            self._places = {}
            for at, known in enumerate(self.rows):
                self._places.setdefault(known, []).append(at)
        return self._places.get(row, [])

    def holds(self, block: list[bytes], at: int) -> bool:
        return self.rows[at : at + len(block)] == block

    def find(self, block: list[bytes], start: int) -> Iterator[int]:
        """Each index not below start where the (non-empty) block stands, in order."""
        rarest = min(range(len(block)), key=lambda n: len(self.places(block[n])))
        hits = self.places(block[rarest])
        for n in range(bisect_left(hits, start + rarest), len(hits)):
            if self.holds(block, hits[n] - rarest):
                yield hits[n] - rarest


def _unique(patch: FilePatch, number: int, places: Iterator[int]) -> int | None:
    found = [at for at, _ in zip(places, range(MANY_PLACES), strict=False)]
    if len(found) < 2:
        return found[0] if found else None
    lines = [at + 1 for at in found]
    raise SlipError(
        "ambiguous",
        f"{_said(patch)}: hunk {number} fits at lines {', '.join(map(str, lines[:5]))}"
        f"{' and more' if len(lines) > 5 else ''}",
        data={"hunk": number, "lines": lines},
    )


def _no_match(
    patch: FilePatch, number: int, lines: _Lines, block: list[bytes], *, near: int, why: str = ""
) -> NoReturn:
    at = _best_place(lines, block, near)
    n = next((n for n, row in enumerate(block) if lines.rows[at + n : at + n + 1] != [row]), 0)
    found = lines.rows[at + n] if at + n < len(lines.rows) else None
    expected = block[n] if block else b""
    what = why or (
        f"expected {_shown(expected)}, found {'the end' if found is None else _shown(found)}"
    )
    raise SlipError(
        "no-match",
        f"{_said(patch)}: hunk {number} does not fit near line {at + n + 1}: {what}",
        data={
            "hunk": number,
            "line": at + n + 1,
            "expected": _readable(expected),
            "found": None if found is None else _readable(found),
            "nearest": [
                {"line": k + 1, "text": _readable(lines.rows[k])}
                for k in range(max(0, at + n - 1), min(len(lines.rows), at + n + 2))
            ],
        },
    )


def _best_place(lines: _Lines, block: list[bytes], near: int) -> int:
    """Where most rows of the block stand; on a tie the place nearest to where it was sought."""
    votes: dict[int, int] = {}
    for n, row in enumerate(block):
        for hit in lines.places(row)[:MANY_PLACES]:
            if hit >= n:
                votes[hit - n] = votes.get(hit - n, 0) + 1
    return max(
        votes, key=lambda at: (votes[at], -abs(at - near)), default=min(near, len(lines.rows))
    )


# --- hunks with numbers -----------------------------------------------------------------------


def _apply_numbered(patch: FilePatch, data: bytes) -> Patched:
    lines = _Lines(_LINES.findall(data))
    made: list[bytes] = []
    placed: list[Placed] = []
    done, moved = 0, False
    for number, hunk in enumerate(patch.hunks, 1):
        old, new = _sides_of(hunk.body)
        at = _place(patch, number, lines, (old, new), done=done, moved=moved)
        made += lines.rows[done:at]
        if new and made and not made[-1].endswith(b"\n"):
            why = "the line before it has no newline, which the patch does not say"
            _no_match(patch, number, lines, old, near=at, why=why)
        offset = at - _stated(hunk)
        placed.append(Placed((len(made) + 1, len(made) + len(new)), offset))
        made += new
        done, moved = at + len(old), moved or offset != 0
    made += lines.rows[done:]
    result = b"".join(made)
    if patch.change == "delete" and result:
        why = f"{len(made)} lines are left of a file that is to be deleted"
        raise SlipError("no-match", f"{_said(patch)}: {why}", data={"hunk": len(patch.hunks)})
    return Patched(result, tuple(placed))


def _sides_of(body: bytes) -> tuple[list[bytes], list[bytes]]:
    """The rows a hunk wants and the rows it makes."""
    old: list[bytes] = []
    new: list[bytes] = []
    last: tuple[list[bytes], ...] = ()
    for row in _LINES.findall(body):
        kind = row[0]
        if kind == _BACKSLASH:
            for side in last:
                side[-1] = side[-1][:-1]
            continue
        last = (new,) if kind == _PLUS else (old,) if kind == _MINUS else (old, new)
        text = row if kind in (_LF, _CR) else row[1:]
        for side in last:
            side.append(text)
    return old, new


def _stated(hunk: Hunk) -> int:
    """The index it says it begins at; without old rows the header names the row before."""
    start = hunk.old_start or 0
    return start - 1 if hunk.old_count else start


def _place(
    patch: FilePatch,
    number: int,
    lines: _Lines,
    sides: tuple[list[bytes], list[bytes]],
    *,
    done: int,
    moved: bool,
) -> int:
    hunk, old = patch.hunks[number - 1], sides[0]
    stated, last = _stated(hunk), len(lines.rows) - len(old)
    # A side without a final newline is the end of its file.
    ends = _is_unended(old) or _is_unended(sides[1])
    fits = done <= stated <= last and lines.holds(old, stated) and (not ends or stated == last)
    if fits and not moved:
        return stated
    head, tail = _context(hunk.body)
    if head or tail:
        pinned = stated <= 0 and head < tail
        places = (
            at
            for at in lines.find(old, done)
            if (at == last or not ends) and (at == stated or (not pinned and (tail or at == last)))
        )
        found = _unique(patch, number, places)
    else:
        found = stated if fits else None
    if found is None:
        overlaps = stated < done and lines.holds(old, stated)  # as `git diff -W` can print them
        why = "its lines are partly those of the hunk before it" if overlaps else ""
        _no_match(patch, number, lines, old, near=max(stated, done), why=why)
    return found


def _is_unended(rows: list[bytes]) -> bool:
    return bool(rows) and not rows[-1].endswith(b"\n")


def _context(body: bytes) -> tuple[int, int]:
    """How many context rows stand before the first change and after the last."""
    kinds = [row[0] for row in _LINES.findall(body) if row[0] != _BACKSLASH]
    changed = [n for n, kind in enumerate(kinds) if kind in (_MINUS, _PLUS)]
    return changed[0], len(kinds) - 1 - changed[-1]


# --- the *** Begin Patch format: reading ------------------------------------------------------

_V4A_END = re.compile(rb"^\*\*\* End Patch[ \t]*\r?$", re.MULTILINE)
_V4A_FILE = re.compile(rb"\*\*\* (Add|Delete|Update) File:(.*)", re.DOTALL)
_V4A_MOVE: Final = b"*** Move to:"
_V4A_EOF: Final = b"*** End of File"


def _parse_v4a(text: bytes, pos: int) -> tuple[FilePatch, ...]:
    begin = text.find(b"\n", pos) + 1 or len(text)
    end = _V4A_END.search(text, begin)
    if end is None:
        _fault(text, len(text), "no '*** End Patch' (was the text cut off?)")
    more = _START.search(text, end.end())
    if more is not None:
        _fault(text, more.start(), "another patch after '*** End Patch'")
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
            rows.fault(n, f"expected '*** Add|Update|Delete File: PATH', found {_shown(row)}")
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
            body.fault(n, f"a line below '*** Delete File': {_shown(row)}")
    return FilePatch(name, None, "delete", dialect="v4a")


def _v4a_name(rows: _Rows, n: int, name: bytes) -> bytes:
    name = name.strip()
    if not name:
        rows.fault(n, "an empty file name")
    if b"\0" in name:
        rows.fault(n, f"a NUL in a file name: {_shown(name)}", "bad-path")
    return name


def _v4a_content(rows: _Rows) -> tuple[Hunk, ...]:
    body = list(rows.rows)
    while body and not body[-1]:
        body.pop()
    for n, row in enumerate(body):
        if not row.startswith(b"+"):
            rows.fault(n, f"a line of an added file must start with '+': {_shown(row)}")
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
        rows.fault(n, f"expected '@@' or '@@ TEXT', found {_shown(row)}")
    anchor = row[3:].rstrip(b"\r")
    return [anchor] if anchor.strip() else []


def _v4a_row(rows: _Rows, n: int) -> bytes:
    row = rows.rows[n]
    if row and row[0] not in (_SPACE, _MINUS, _PLUS):
        rows.fault(n, f"a line must start with ' ', '-' or '+': {_shown(row)}")
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


# --- the *** Begin Patch format: applying -----------------------------------------------------


class _Text(NamedTuple):
    """A file in the eyes of a format that knows lines but neither their endings nor a last one.

    rows: as they stand, but the last one always ended; exact, loose and bare: the same rows to
    compare with, without LF, without LF or CRLF, and without blanks at both ends.
    """

    rows: list[bytes]
    exact: _Lines
    loose: _Lines
    bare: _Lines
    lent: bytes  # the ending that the last row lacks


def _text(data: bytes) -> _Text:
    rows = _LINES.findall(data)
    exact = [row.removesuffix(b"\n") for row in rows]
    loose = [row.removesuffix(b"\r") for row in exact]
    lent = b""
    if rows and not rows[-1].endswith(b"\n"):
        lent = _ending(rows[-2]) if len(rows) > 1 else b"\n"
        rows[-1] += lent
    return _Text(rows, _Lines(exact), _Lines(loose), _Lines([row.strip() for row in exact]), lent)


def _ending(row: bytes) -> bytes:
    return b"\r\n" if row.endswith(b"\r\n") else b"\n"


def _apply_unnumbered(patch: FilePatch, data: bytes) -> Patched:
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
            what = f"no line is {_shown(anchor)}"
            _no_match(patch, number, text.exact, [anchor], near=done, why=what)
    return done


def _seek(
    patch: FilePatch, number: int, text: _Text, start: int
) -> tuple[int, Literal["exact", "eol"]]:
    hunk = patch.hunks[number - 1]
    old, _ = _sides_of(hunk.body)
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
    _no_match(patch, number, text.exact, block, near=low)


def _seek_in(
    patch: FilePatch, number: int, lines: _Lines, block: list[bytes], low: int
) -> int | None:
    """Right below its anchor, which is as good as a context line; else where it occurs once."""
    if patch.hunks[number - 1].anchors and lines.holds(block, low):
        return low
    return _unique(patch, number, lines.find(block, low))


def _seek_nothing(patch: FilePatch, number: int, text: _Text, start: int) -> int:
    """Where rows go that stand by no other: published readers disagree, so only the sure place."""
    if patch.hunks[number - 1].at_end or start == len(text.rows):
        return len(text.rows)
    why = "it has only added lines; give a context line, or *** End of File"
    raise SlipError(
        "ambiguous",
        f"{_said(patch)}: hunk {number} could stand anywhere: {why}",
        data={"hunk": number, "lines": []},
    )


def _v4a_new(hunk: Hunk, text: _Text, at: int, matched: Literal["exact", "eol"]) -> list[bytes]:
    """The rows it makes: the file's own for context, added ones ending like the row before."""
    new: list[bytes] = []
    ending = _added_ending(text, at if hunk.old_count else at - 1, matched)
    for row in hunk.body.split(b"\n")[:-1]:
        if row[0] == _PLUS:
            added = row[1:]
            bare = added if matched == "exact" and ending == b"\n" else added.removesuffix(b"\r")
            new.append(bare + ending)
            continue
        ending = _added_ending(text, at, matched)
        if row[0] == _SPACE:
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
