"""Settings in JSON, changed in place: what is not meant stays as it is, byte for byte.

Comments and commas behind the last member are read where the host reads them, and kept. A text that
is no such object, or that has a key twice, is refused with ValueError: nobody would know what its
host makes of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from slipstream_git.records import NamedTuple

_GAP: Final = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REMARK: Final = re.compile(r"[ \t]*(?:/\*[^\r\n]*?\*/|//[^\r\n]*)(?=\r?\n)")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_PLAIN: Final = re.compile(r"[-+0-9.eE]+|true|false|null")
_DEEPEST: Final = 100


class Member(NamedTuple):
    """One key of an object. start: of the key; at, end: of the value."""

    key: str
    start: int
    at: int
    end: int
    value: Any


class Object(NamedTuple):
    """start, end: of the braces and what is between. comma: behind the last member, or -1."""

    start: int
    end: int
    members: list[Member]
    comma: int = -1

    def member(self, key: str) -> Member | None:
        return next((member for member in self.members if member.key == key), None)


def value(found: Any) -> Any:  # noqa: ANN401  (JSON values)
    """What was parsed, as plain values."""
    if isinstance(found, Object):
        return {member.key: value(member.value) for member in found.members}
    return [value(one) for one in found] if isinstance(found, list) else found


def parse(text: str, *, comments: bool) -> Object:
    """The object that a text is. Raises ValueError."""
    if not comments:
        json.loads(text)  # as strict as the host
    scan = _Scan(text)
    found, end = scan.value(scan.gap(1 if text.startswith("\ufeff") else 0), 0)
    if not isinstance(found, Object) or scan.gap(end) != len(text):
        raise ValueError("it is no JSON object")
    return found


def put(text: str, keys: Sequence[str], new: object, *, comments: bool) -> str:
    """The text with a value at a path of keys; objects on the way are made where they lack."""
    if not text.strip():
        text = "{}\n"
    here = parse(text, comments=comments)
    for depth, key in enumerate(keys):
        member = here.member(key)
        if member is None:
            for inner in reversed(keys[depth + 1 :]):
                new = {inner: new}
            return _inserted(text, here, key, new)
        if depth == len(keys) - 1:
            indent = _indent_of(text, member.start)
            return text[: member.at] + _shown(new, indent, text) + text[member.end :]
        if not isinstance(member.value, Object):
            raise ValueError(f"{key!r} is no object in it")
        here = member.value
    return text


def drop(text: str, keys: Sequence[str], *, comments: bool) -> str:
    """The text without what is at a path; an object that has nothing left goes with it."""
    here = parse(text, comments=comments)
    way: list[tuple[Object, Member]] = []
    for key in keys:
        member = here.member(key)
        if member is None:
            return text
        way.append((here, member))
        here = member.value if isinstance(member.value, Object) else Object(0, 0, [])
    holder, member = way.pop()
    while way and len(holder.members) == 1 and not _said(text, holder, member):
        holder, member = way.pop()
    return _without(text, holder, member)


def is_empty(text: str) -> bool:
    """Whether nothing is left but the braces."""
    return "".join(text.split()) in ("{}", "")


def _said(text: str, holder: Object, member: Member) -> bool:
    """Whether somebody wrote a comment around the only member of an object."""
    around = text[holder.start + 1 : member.start] + text[member.end : holder.end - 1]
    return bool(around.replace(",", "").strip())


def _without(text: str, holder: Object, member: Member) -> str:
    number = holder.members.index(member)
    if number < len(holder.members) - 1:
        return text[: member.start] + text[holder.members[number + 1].start :]
    if number:
        # Comments that stand behind the one before stay there.
        start = len(text[: member.start].rstrip(" \t\r\n"))
        if holder.comma >= 0:
            return text[:start] + text[holder.comma + 1 :]
        comma = _Scan(text).gap(holder.members[number - 1].end)
        return text[:comma] + text[comma + 1 : start] + text[member.end :]
    end = holder.comma + 1 if holder.comma >= 0 else member.end
    before, after = text[holder.start + 1 : member.start], text[end : holder.end - 1]
    left = "" if not (before + after).strip() else before.rstrip() + after.lstrip(" \t")
    return text[: holder.start + 1] + left + text[holder.end - 1 :]


def _inserted(text: str, holder: Object, key: str, new: object) -> str:
    """The text with one more member, the last."""
    outer = _indent_of(text, holder.start)
    name = json.dumps(key, ensure_ascii=False)
    line_end = "\r\n" if "\r\n" in text else "\n"
    if not holder.members:
        indent = outer + _unit(text)
        said = text[holder.start + 1 : holder.end - 1].rstrip()
        body = f"{said}{line_end}{indent}{name}: {_shown(new, indent, text)}{line_end}{outer}"
        return text[: holder.start + 1] + body + text[holder.end - 1 :]
    last = holder.members[-1]
    is_spread = "\n" in text[holder.start : last.start]
    indent = _indent_of(text, last.start) if is_spread else outer
    lead = f"{line_end}{indent}" if is_spread else " "
    member = f"{lead}{name}: {_shown(new, indent, text) if is_spread else json.dumps(new)}"
    if holder.comma >= 0:
        at = _behind_comment(text, holder.comma + 1)
        return f"{text[:at]}{member},{text[at:]}"
    at = _behind_comment(text, last.end)
    return f"{text[: last.end]},{text[last.end : at]}{member}{text[at:]}"


def _behind_comment(text: str, at: int) -> int:
    """The end of a comment that stands on this line, for what is before it; else here."""
    found = _REMARK.match(text, at)
    return found.end() if found else at


def _shown(new: object, indent: str, text: str) -> str:
    said = json.dumps(new, indent=_unit(text), ensure_ascii=False)
    line_end = "\r\n" if "\r\n" in text else "\n"
    return said.replace("\n", line_end + indent)


def _indent_of(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    line = text[start:at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """By how much a text indents its first member."""
    found = re.search(r"\{[ \t]*\r?\n([ \t]+)\S", text)
    return found[1] if found else "  "


class _Scan:
    """JSON with comments, and where everything stands. Raises ValueError."""

    def __init__(self, text: str) -> None:
        self._text = text

    def gap(self, at: int) -> int:
        found = _GAP.match(self._text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        first = self._text[at : at + 1]
        if first == "{":
            return self._object(at, depth)
        if first == "[":
            return self._list(at, depth)
        found = (_STRING if first == '"' else _PLAIN).match(self._text, at)
        if found is None:
            line = self._text.count("\n", 0, at) + 1
            raise ValueError(f"line {line} is no JSON")
        return json.loads(found[0]), found.end()

    def _object(self, start: int, depth: int) -> tuple[Object, int]:
        members: list[Member] = []
        at, comma = self.gap(start + 1), -1
        while self._text[at : at + 1] != "}":
            if members and comma < 0:
                raise self._wrong(at)
            key, end = self.value(at, depth + 1)
            colon = self.gap(end)
            if not isinstance(key, str) or self._text[colon : colon + 1] != ":":
                raise self._wrong(at)
            if any(member.key == key for member in members):
                raise ValueError(f"it has {key!r} twice")
            begin = self.gap(colon + 1)
            found, end = self.value(begin, depth + 1)
            members.append(Member(key, at, begin, end, found))
            at, comma = self._behind(end)
        return Object(start, at + 1, members, comma), at + 1

    def _list(self, start: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        at, comma = self.gap(start + 1), -1
        while self._text[at : at + 1] != "]":
            if found and comma < 0:
                raise self._wrong(at)
            one, end = self.value(at, depth + 1)
            found.append(one)
            at, comma = self._behind(end)
        return found, at + 1

    def _behind(self, end: int) -> tuple[int, int]:
        """Where the next thing is, and where the comma before it is."""
        at = self.gap(end)
        return (self.gap(at + 1), at) if self._text[at : at + 1] == "," else (at, -1)

    def _wrong(self, at: int) -> ValueError:
        return ValueError(f"line {self._text.count(chr(10), 0, at) + 1} is no JSON")
