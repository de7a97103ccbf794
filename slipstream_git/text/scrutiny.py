"""What must not land in a file, looked for in the lines that a change adds: and in no others, so
that nobody has to answer for what stood there before.

Conflict markers that were left behind, and credentials ([secrets](secrets.py)). Binary files are
passed over. Pure: bytes in, places out.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from slipstream_git.records import NamedTuple
from slipstream_git.text import linediff, matching, secrets
from slipstream_git.text.objectid import sha256
from slipstream_git.text.secrets import Found

CONFLICTS: Final = "conflict-markers"
SECRETS: Final = "secrets"
# So far back a private key may begin of which only inner lines were changed.
_CONTEXT: Final = 8192
_LONGEST_SHOWN: Final = 100
# git ends a marker with a blank and a label, or not at all. The one in the middle is also how a
# title is underlined, so it alone says nothing.
_MARKER: Final = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?:[ \t][^\r\n]*)?\r?$", re.MULTILINE)
_MIDDLE: Final = re.compile(rb"^={7}\r?$", re.MULTILINE)


class Place(NamedTuple):
    """Something found. line: of the new file, from 1. text: the line, with no secret in it.

    mark: of the line as it is, by which `.slip.toml` may allow it.
    """

    check: str
    rule: str
    line: int
    text: str
    mark: str


class Addition:
    """A file as it was (None: it was not there) and as it would be."""

    def __init__(self, old: bytes | None, new: bytes) -> None:
        self._new = new
        self._gone, self._middle = linediff.middles(old or b"", new)
        shared = linediff.shared(old or b"", new)
        self._start = new.rfind(b"\n", 0, shared) + 1

    @cached_property
    def removed(self) -> Counter[bytes]:
        """How many of each line went, without its ending: moved ones did not."""
        return _counted(self._gone) - _counted(self._middle)

    @cached_property
    def added(self) -> Counter[bytes]:
        return _counted(self._middle) - _counted(self._gone)

    def conflict_markers(self) -> Iterator[Place]:
        if matching.is_binary(self._new):
            return
        text = self._middle
        found = [one.span() for one in _MARKER.finditer(text)] if _has_marker(text) else []
        if found:
            found += [one.span() for one in _MIDDLE.finditer(text)]
        for start, stop in sorted(found):
            if text[start:stop].rstrip(b"\r") in self.added:
                yield self._place(CONFLICTS, "conflict-marker", self._start + start, [])

    def credentials(self) -> Iterator[Place]:
        """One place for each credential: the first added line that holds a part of it."""
        if matching.is_binary(self._new):
            return
        start = self._start
        begin = self._new.rfind(b"\n", 0, max(0, start - _CONTEXT)) + 1 if start else 0
        text = self._new[begin : start + len(self._middle)]
        found = secrets.find(text)
        for one in found:
            at = self._first_added(begin + one.start, begin + one.stop)
            if at is not None:
                hidden = [f._replace(start=f.start + begin, stop=f.stop + begin) for f in found]
                yield self._place(SECRETS, one.rule, at, hidden)

    def _first_added(self, start: int, stop: int) -> int | None:
        """The start of the first added line that reaches into a span of the new file."""
        at = self._new.rfind(b"\n", 0, start) + 1
        while at < stop:
            end = self._new.find(b"\n", at)
            end = len(self._new) if end < 0 else end
            if at >= self._start and self._new[at:end].rstrip(b"\r") in self.added:
                return at
            at = end + 1
        return None

    def _place(self, check: str, rule: str, at: int, hidden: list[Found]) -> Place:
        """hidden: every credential near the line, none of which may be shown."""
        end = self._new.find(b"\n", at)
        line = self._new[at : len(self._new) if end < 0 else end].rstrip(b"\r")
        text = _without(line, at, hidden).decode("utf-8", "replace").strip()
        if len(text) > _LONGEST_SHOWN:
            text = text[: _LONGEST_SHOWN - 1] + "…"
        return Place(check, rule, self._new.count(b"\n", 0, at) + 1, text, mark(line))


def readable(data: bytes) -> bytes:
    """A text in UTF-16 that says so (a byte order mark) in UTF-8; anything else as it is."""
    if not data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return data
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError:
        return data


def mark(line: bytes) -> str:
    """By which a line is told again without being shown: blanks around it do not count."""
    digest: str = sha256(line.strip()).hexdigest()
    return digest[:12]


def _has_marker(text: bytes) -> bool:
    return b"<<<<<<<" in text or b">>>>>>>" in text or b"|||||||" in text


def _counted(text: bytes) -> Counter[bytes]:
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return Counter(line.rstrip(b"\r") for line in lines)


def _without(line: bytes, at: int, hidden: list[Found]) -> bytes:
    """The line that begins at ``at`` of the file, every credential taken out of it."""
    end = at + len(line)
    inside = [
        one._replace(start=max(one.start, at) - at, stop=min(one.stop, end) - at)
        for one in hidden
        if one.start < end and one.stop > at
    ]
    return secrets.redacted(line, inside)
