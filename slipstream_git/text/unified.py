"""The files of a unified diff, git's or plain: their headers, and where each part of one ends.

git's headers say more than a name (change, modes, object ids) and may say it in several places; a
plain ``diff -u`` says only two names and times. Both become the same ``FilePatch``, and whatever
contradicts itself is refused here, before anything is applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from slipstream_git.records import NamedTuple
from slipstream_git.text.binarypatch import read_binary
from slipstream_git.text.filepatch import Change, FilePatch
from slipstream_git.text.hunkrows import read_hunks
from slipstream_git.text.patchfaults import fault, shown
from slipstream_git.text.patchnames import (
    NOWHERE,
    checked,
    common_name,
    disagree,
    side_name,
    unquote,
)

MAX_HEADER_BYTES: Final = 1 << 14  # paths end at 4096 bytes, C-quoting makes four of one

_GITLINK: Final = b"160000"
_MODES: Final = (b"100644", b"100755", b"120000")

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
_INDEX = re.compile(rb"([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: ([0-7]+))?")
_SURPLUS = re.compile(rb"(?:\r?\n)*([ +\-\\])")
# What may follow a hunk although it starts with "-": a mail signature, with its blank or without.
_SIGNATURE = re.compile(rb"-- \r?(?:\n|\Z)|--\r?\n\d+\.\d")
_EPOCH = re.compile(
    rb"[^\n]*\t(1969-12-31|1970-01-01) (\d\d):(\d\d):00(?:\.0+)? ([-+])(\d\d):?(\d\d)\r?"
)


def read_files(text: bytes) -> Iterator[FilePatch]:
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
        fault(text, pos, "a combined diff (of a merge) cannot be applied")
    if text.startswith(b"+++ ", pos):
        fault(text, pos, "a +++ line without a --- line before it")
    if text.startswith(b"@@", pos):
        fault(text, pos, "a hunk before any file header")
    return fault(
        text, pos, "a binary file's content is not in this patch (make it with git diff --binary)"
    )


def _refuse_surplus(text: bytes, pos: int) -> None:
    """Rows after a finished hunk were meant as part of it; to skip them would halve the change."""
    surplus = _SURPLUS.match(text, pos)
    if surplus is None:
        return
    at = surplus.start(1)
    if not _SIDES.match(text, at) and not _SIGNATURE.match(text, at):
        fault(text, at, "more lines than the hunk header says")


def _plain_file(text: bytes, pos: int) -> tuple[FilePatch, int]:
    sides = _SIDES.match(text, pos)
    if sides is None:
        fault(text, pos, "the patch ends within a file header")
    old, new = (side_name(text, pos, side) for side in sides.groups())
    change = _plain_change(text, pos, sides, (old, new))
    name = _plain_name(text, pos, old, new)
    hunks, end = read_hunks(text, sides.end(), change)
    if not hunks:
        fault(text, sides.end(), "a hunk header (@@ -1,2 +1,2 @@) must follow the +++ line")
    return _file_patch(change, name, name)._replace(hunks=hunks), end


def _plain_change(
    text: bytes, pos: int, sides: re.Match[bytes], names: tuple[bytes, bytes]
) -> Change:
    if names == (NOWHERE, NOWHERE):
        fault(text, pos, "both sides are /dev/null")
    # diff -N writes an absent file as one of the epoch, under its name
    if names[0] == NOWHERE or _is_epoch(sides[1]):
        return "add"
    return "delete" if names[1] == NOWHERE or _is_epoch(sides[2]) else "modify"


def _is_epoch(side: bytes) -> bool:
    stamp = _EPOCH.fullmatch(side)
    if stamp is None:
        return False
    hour, minute, zone_hour, zone_minute = (int(stamp[n]) for n in (2, 3, 5, 6))
    zone = (zone_hour * 60 + zone_minute) * (-1 if stamp[4] == b"-" else 1)
    day = -24 * 60 if stamp[1].startswith(b"1969") else 0
    return day + hour * 60 + minute == zone


def _plain_name(text: bytes, pos: int, old: bytes, new: bytes) -> bytes:
    if old == NOWHERE:
        return new.removeprefix(b"b/")
    if new == NOWHERE:
        return old.removeprefix(b"a/")
    common = common_name(old, new)
    if common is not None:
        return common
    # x.orig and x, x and x~: the shorter is meant, as in git
    if old.removeprefix(b"a/").startswith(short := new.removeprefix(b"b/")):
        return short
    if new.removeprefix(b"b/").startswith(short := old.removeprefix(b"a/")):
        return short
    return disagree(text, pos, (old, new))


def _file_patch(change: Change, old: bytes, new: bytes) -> FilePatch:
    return FilePatch(None if change == "add" else old, None if change == "delete" else new, change)


# --- git's headers ----------------------------------------------------------------------------


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
        binary, end = read_binary(text, end)
        return patch._replace(binary=binary), end
    if text.startswith((b"Binary files ", b"Files "), end):
        _file_at(text, end)
    hunks, end = read_hunks(text, end, change)
    if header.sides and not hunks:
        fault(text, end, "a hunk header (@@ -1,2 +1,2 @@) must follow the +++ line")
    if not hunks and change == "modify" and patch.old_mode == patch.new_mode:
        fault(text, pos, "this file's header changes nothing")
    return patch._replace(hunks=hunks), end


def _git_header(text: bytes, pos: int) -> tuple[_GitHeader, int]:
    end = text.find(b"\n", pos) + 1
    if not end or end - pos > MAX_HEADER_BYTES:
        fault(text, pos, "the diff --git line is cut off or too long")
    names = text[pos + len(b"diff --git ") : end].rstrip(b"\r\n")
    fields, end = _extended(text, end)
    sides = _SIDES.match(text, end)
    if sides is None:
        if text.startswith(b"--- ", end):
            fault(text, end, "a --- line without a +++ line after it")
        return _GitHeader(pos, names, fields, None), end
    old, new = (side_name(text, end, side) for side in sides.groups())
    return _GitHeader(pos, names, fields, (old, new)), sides.end()


def _extended(text: bytes, pos: int) -> tuple[dict[bytes, bytes], int]:
    fields: dict[bytes, bytes] = {}
    while (found := _EXTENDED.match(text, pos)) is not None:
        if found[1] in fields:
            fault(text, pos, f"a second {found[1].decode()!r} line for one file")
        fields[found[1]] = found[2].removesuffix(b"\r")
        pos = found.end()
    if text.find(b"\n", pos) < 0 and _EXTENDED.match(text[pos:] + b"\n"):
        fault(text, pos, "the patch ends within a file header")
    return fields, pos


def _git_change(text: bytes, header: _GitHeader) -> Change:
    for keys in _PAIRS:
        if len(header.fields.keys() & {*keys}) == 1:
            fault(text, header.at, f"half of a pair of lines: {b' / '.join(keys).decode()}")
    changes = [change for key, change in _MARKS.items() if key in header.fields]
    if len(changes) > 1:
        fault(text, header.at, f"one file cannot be {' and '.join(changes)} at once")
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
    if old == new == NOWHERE:
        fault(text, header.at, "both sides are /dev/null")
    return "add" if old == NOWHERE else "delete" if new == NOWHERE else "modify"


def _git_names(text: bytes, header: _GitHeader, change: Change) -> tuple[bytes, bytes]:
    if change in {"rename", "copy"}:
        return _moved_names(text, header, change.encode())
    pair = _header_pair(text, header)
    name = common_name(*pair) if pair else None
    if pair is None or name is None:
        name = disagree(text, header.at, (*(header.sides or ()), *header.names.split(b" ")))
        return name, name
    expected = (
        NOWHERE if change == "add" else pair[0],
        NOWHERE if change == "delete" else pair[1],
    )
    if header.sides and header.sides != expected:
        name = disagree(text, header.at, (*header.sides, *pair))
    return name, name


def _moved_names(text: bytes, header: _GitHeader, verb: bytes) -> tuple[bytes, bytes]:
    """From the rename or copy lines, which have no prefix; the other lines must say the same."""
    old, new = (_whole_name(text, header, verb + end) for end in (b" from", b" to"))
    pair = _quoted_pair(text, header) if b'"' in header.names else None
    for said in (pair, header.sides):
        if said and not (_is_prefixed(said[0], old) and _is_prefixed(said[1], new)):
            name = disagree(text, header.at, (*said, old, new))
            return name, name
    if pair is None and not _is_spelled(header.names, old, new):
        name = disagree(text, header.at, (header.names, old, new))
        return name, name
    return old, new


def _whole_name(text: bytes, header: _GitHeader, key: bytes) -> bytes:
    value = header.fields[key]
    name, rest = unquote(text, header.at, value) if value.startswith(b'"') else (value, b"")
    return checked(text, header.at, name + rest)


def _is_prefixed(said: bytes, name: bytes) -> bool:
    return said == name or said.partition(b"/")[2] == name


def _is_spelled(names: bytes, old: bytes, new: bytes) -> bool:
    pattern = rb"(?:[^/ ]*/)?%b (?:[^/ ]*/)?%b" % (re.escape(old), re.escape(new))
    return re.fullmatch(pattern, names, re.DOTALL) is not None


def _header_pair(text: bytes, header: _GitHeader) -> tuple[bytes, bytes] | None:
    """The two names of a `diff --git` line; a name may hold blanks, so the halves must agree."""
    names = checked(text, header.at, header.names)
    if b'"' in names:
        return _quoted_pair(text, header)
    middle = len(names) // 2
    pair = names[:middle], names[middle + 1 :]
    if names[middle : middle + 1] == b" " and common_name(*pair) is not None:
        return pair
    return _pair_by_sides(names, *header.sides) if header.sides else None


def _pair_by_sides(names: bytes, old: bytes, new: bytes) -> tuple[bytes, bytes] | None:
    """Prefixes of unequal length: only the ---/+++ lines tell where the first name ends."""
    if new != NOWHERE and names.endswith(b" " + new):
        return names[: -len(new) - 1], new
    if old != NOWHERE and names.startswith(old + b" "):
        return old, names[len(old) + 1 :]
    return None


def _quoted_pair(text: bytes, header: _GitHeader) -> tuple[bytes, bytes]:
    names = header.names
    if names.startswith(b'"'):
        old, rest = unquote(text, header.at, names)
    else:
        old, quote, rest = names.partition(b' "')
        rest = quote + rest
    new = rest[1:]
    if new.startswith(b'"'):
        new, rest = unquote(text, header.at, new)
        new += rest
    return old, new


def _with_modes(text: bytes, header: _GitHeader, patch: FilePatch) -> FilePatch:
    fields = header.fields
    index = _INDEX.fullmatch(fields.get(b"index", b""))
    shared = index[3] if index else None
    old = _mode(
        text, header.at, fields.get(b"old mode") or fields.get(b"deleted file mode") or shared
    )
    new = _mode(text, header.at, fields.get(b"new mode") or fields.get(b"new file mode") or shared)
    if old and new and (old ^ new) & 0o170000:
        fault(text, header.at, "a change of type must be a delete and an add")
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
        fault(text, pos, "a submodule change (mode 160000) cannot be applied", "unsupported")
    if mode not in _MODES:
        fault(text, pos, f"mode {shown(mode)} is none of 100644, 100755, 120000")
    return int(mode, 8)
