"""The names in a unified diff's headers: C-quoting, prefixes, ``/dev/null``, and two that disagree.

A diff names its file up to six times, each time with a prefix and quoting of its own. All of them
must mean the same file, or the patch would be put on one it was not made for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from slipstream_git.text.patchfaults import fault, shown

NOWHERE: Final = b"/dev/null"

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb'\\(?:([abfnrtv"\\])|([0-3][0-7][0-7])|)')
_PLAIN_ESCAPES: Final = dict(zip(b'abfnrtv"\\', b'\a\b\f\n\r\t\v"\\', strict=True))


def common_name(old: bytes, new: bytes) -> bytes | None:
    """The name both sides mean: the same name twice, or the same under two prefixes (a/ and b/)."""
    if old == new:
        return old
    old_rest, new_rest = old.partition(b"/")[2], new.partition(b"/")[2]
    return old_rest if old_rest and old_rest == new_rest else None


def disagree(text: bytes, pos: int, names: Sequence[bytes]) -> bytes:
    """Refuses, except that a name leaving the repository comes out, so that it is called that."""
    for name in names:
        bare = re.sub(rb"\A[ab]/", b"", name)
        leaves = bare.startswith(b"/") or {b"..", b".git"} & {*bare.lower().split(b"/")}
        if leaves and name != NOWHERE:
            return bare
    return fault(text, pos, f"the names disagree: {', '.join(map(shown, dict.fromkeys(names)))}")


def side_name(text: bytes, pos: int, value: bytes) -> bytes:
    """The name of a ---/+++ line, prefix and all, without its timestamp."""
    if value.startswith(b'"'):
        name, rest = unquote(text, pos, value)
        if rest.strip() and not rest.startswith(b"\t"):
            fault(text, pos, f"text after the quoted name: {shown(rest)}")
    else:
        name = value.partition(b"\t")[0].removesuffix(b"\r")
    return checked(text, pos, name)


def checked(text: bytes, pos: int, name: bytes) -> bytes:
    if b"\0" in name:
        fault(text, pos, f"a NUL in a file name: {shown(name)}", "bad-path")
    if not name or name in {b"a/", b"b/"}:
        fault(text, pos, "an empty file name")
    return name


def unquote(text: bytes, pos: int, value: bytes) -> tuple[bytes, bytes]:
    """A C-quoted name at the start of value, and what follows its closing quote."""

    def plain(escape: re.Match[bytes]) -> bytes:
        if escape[2]:
            return bytes([int(escape[2], 8)])
        if not escape[1]:
            fault(text, pos, f"a bad escape in a quoted name: {shown(value)}")
        return bytes([_PLAIN_ESCAPES[escape[1][0]]])

    quoted = _QUOTED.match(value)
    if quoted is None:
        fault(text, pos, f"a quoted name does not end: {shown(value)}")
    return checked(text, pos, _ESCAPE.sub(plain, quoted[1])), value[quoted.end() :]
