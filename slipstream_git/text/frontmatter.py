"""The head of a Markdown file, between two lines of dashes: a small, strict part of YAML.

A reader of all of YAML makes what the text asks for (objects, aliases that grow without bound), and
reads `no` as false. Here a key has a text, a list of texts, or a table of texts; whatever YAML
reads otherwise is a fault with its line. So what is taken is read alike by every YAML reader, and a
test holds that against one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from slipstream_git.records import NamedTuple

FENCE: Final = "---"
_KEY: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(?:[ ]+(.*?))?[ ]*")
# Words that a YAML reader makes something else of than a text.
_NO_TEXT: Final = re.compile(
    r"(?:~|null|true|false|yes|no|on|off|y|n|=|<<|[-+]?[.0-9][-+.0-9_:eExXoOa-fA-F]*(?:[tTzZ ].*)?"
    r"|[-+]?\.(?:inf|nan))",
    re.IGNORECASE,
)
_LEADING: Final = frozenset("[]{}&*!|>%@`\"'#,?:-")

Value: TypeAlias = str | list[str] | dict[str, str]


class Fault(NamedTuple):
    """What is wrong in a file. line: 1-based."""

    line: int
    message: str


class Field(NamedTuple):
    """What a key has. line: where the key stands."""

    line: int
    value: Value


class Head(NamedTuple):
    """A file taken apart. body: its lines below the head; start: the number of the first."""

    fields: dict[str, Field]
    body: list[str]
    start: int
    faults: list[Fault]


def read(lines: Sequence[str]) -> Head:
    """The head of a file and what stands below it, with all faults of the head."""
    if not lines or lines[0].rstrip() != FENCE:
        said = "the first line is ---, and front matter follows"
        return Head({}, list(lines), 1, [Fault(1, said)])
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
    if end is None:
        return Head({}, [], len(lines) + 1, [Fault(1, "no second line --- ends the front matter")])
    reader = _Reader(lines[1:end])
    reader.read()
    return Head(reader.fields, list(lines[end + 1 :]), end + 2, reader.faults)


class _Reader:
    def __init__(self, lines: Sequence[str]) -> None:
        self.fields: dict[str, Field] = {}
        self.faults: list[Fault] = []
        self._lines = lines
        self._at = 0

    def read(self) -> None:
        while self._at < len(self._lines):
            text, line = self._lines[self._at], self._at + 2
            self._at += 1
            if not text.strip() or text.startswith("#"):
                continue
            found = _KEY.fullmatch(text)
            if found is None:
                self._fault(line, "not `key: value`")
                self._below()
            elif found[1] in self.fields:
                self._fault(line, f"{found[1]} stands here twice")
                self._below()
            else:
                self.fields[found[1]] = Field(line, self._value(line, found[2] or ""))

    def _fault(self, line: int, message: str) -> None:
        self.faults.append(Fault(line, message))

    def _below(self) -> list[tuple[int, str]]:
        """The lines that belong to the last key, as (line, text)."""
        found = []
        while self._at < len(self._lines):
            text = self._lines[self._at]
            if text.strip() and not text.startswith(" "):
                break
            self._at += 1
            if text.strip():
                found.append((self._at + 1, text.rstrip()))
        return found

    def _value(self, line: int, text: str) -> Value:
        below = self._below()
        if text == ">-":
            return self._folded(line, below)
        if text:
            for number, _ in below:
                self._fault(number, "goes on behind a value; begin a long one with >-")
            return self._scalar(line, text)
        if below and below[0][1].lstrip().startswith("- "):
            return self._list(below)
        if not below:
            self._fault(line, "has no value")
        return self._table(below)

    def _folded(self, line: int, below: Sequence[tuple[int, str]]) -> str:
        if not below:
            self._fault(line, "nothing follows >-")
        indent = _indent(below[0][1]) if below else 0
        for number, text in below:
            if _indent(text) != indent:
                self._fault(number, "is indented otherwise than the line before")
        return " ".join(text.strip() for _, text in below)

    def _list(self, below: Sequence[tuple[int, str]]) -> list[str]:
        found = []
        for number, text in below:
            item = text.strip()
            if not item.startswith("- ") or _indent(text) != _indent(below[0][1]):
                self._fault(number, "not an item of the list: `- text`")
                continue
            found.append(self._scalar(number, item[2:].strip()))
        return found

    def _table(self, below: Sequence[tuple[int, str]]) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, text in below:
            key = _KEY.fullmatch(text.strip())
            if key is None or not key[2] or _indent(text) != _indent(below[0][1]):
                self._fault(number, "not `key: text`")
            elif key[1] in found:
                self._fault(number, f"{key[1]} stands here twice")
            else:
                found[key[1]] = self._scalar(number, key[2])
        return found

    def _scalar(self, line: int, text: str) -> str:
        if text[0] == '"':
            return self._quoted(line, text, r'"((?:[^"\\]|\\["\\])*)"', r"\\(.)", r"\1")
        if text[0] == "'":
            return self._quoted(line, text, r"'((?:[^']|'')*)'", "''", "'")
        if text[0] in _LEADING or ": " in text or " #" in text or text.endswith(":"):
            self._fault(line, f"{text[:40]!r}: put it in quotes; it is no plain text in YAML")
        elif _NO_TEXT.fullmatch(text):
            self._fault(line, f"{text[:40]!r}: put it in quotes; YAML reads no text there")
        return text

    def _quoted(self, line: int, text: str, whole: str, escape: str, plain: str) -> str:
        found = re.fullmatch(whole, text)
        if found is None:
            self._fault(line, "a quoted text ends with its line; it escapes quotes and \\\\ alone")
            return text
        return re.sub(escape, plain, found[1])


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
