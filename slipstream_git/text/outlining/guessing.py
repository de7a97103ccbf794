"""Definitions looked for line by line, where there is no parser: by their keyword and indentation.

A guess: it misses what has no keyword (C's functions, methods of Java), and takes a line of a
string for code. So an outline made here says `engine: "lines"`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from slipstream_git.readings import Outline, Symbol
from slipstream_git.text.outlining.assembling import LONGEST_SIGNATURE, MOST_SYMBOLS, Lines
from slipstream_git.text.outlining.detecting import DATA
from slipstream_git.text.outlining.grammar import TYPES

KEYWORDS = {
    "class": "class", "struct": "class", "union": "class", "record": "class", "object": "class",
    "trait": "interface", "interface": "interface", "protocol": "interface",
    "enum": "enum", "type": "type", "typedef": "type", "typealias": "type",
    "def": "function", "defp": "function", "func": "function", "fn": "function", "fun": "function",
    "function": "function", "sub": "function", "proc": "function", "subroutine": "function",
    "procedure": "function", "defun": "function", "defn": "function", "message": "class",
    "service": "interface", "rpc": "function",
    "module": "module", "namespace": "module", "package": "module", "defmodule": "module",
    "mod": "module", "macro": "macro", "defmacro": "macro", "macro_rules!": "macro",
}  # fmt: skip
_MODIFIERS = (
    "export default declare pub public private protected internal static final abstract sealed open"
    " override async inline const unsafe extern virtual partial data case implicit lazy local"
)
_DEFINITION = re.compile(
    rf"(?P<indent>[ \t]*)\(?(?:(?:{'|'.join(_MODIFIERS.split())})(?:\([a-z]+\))?[ \t]+)*"
    rf"(?P<keyword>{'|'.join(map(re.escape, KEYWORDS))})(?:[ \t]+|(?<=!))[*&]?"
    r"(?P<name>[^\W\d][\w$]*(?:(?:::|\.|:)[^\W\d][\w$]*)*[?!]?)",
)
_MACRO = re.compile(r"[ \t]*#[ \t]*define[ \t]+(?P<name>\w+)")
_CLOSING = re.compile(r"[ \t]*(?:[)\]}]+[;,]?|end\b.*|esac|fi|done)[ \t]*$")
_WORD = re.compile(rb"[\w\x80-\xff]+")


def outline(language: str, data: bytes, fault: str) -> Outline:
    """An outline by lines. ``fault``: why it is not a parser's; "" is kept for files of data."""
    text = data.decode("utf-8", "replace").split("\n")
    lines = Lines(data)
    guessing = language not in DATA
    symbols = list(islice(_symbols(text, lines), MOST_SYMBOLS)) if guessing else []
    words = Counter(_WORD.findall(data)) if guessing else Counter()
    words.subtract(symbol.name.encode() for symbol in symbols)
    names = {
        word.decode("utf-8", "replace"): count
        for word, count in sorted(words.items())
        if count > 0 and not word[:1].isdigit()
    }
    kept = fault if guessing or fault == "too-large" else "no-grammar"
    return Outline(language, "lines", len(lines), tuple(symbols), (), names, "", kept, 0)


def _symbols(text: list[str], lines: Lines) -> Iterator[Symbol]:
    open_: list[tuple[int, str, str]] = []  # its last line, its name, its kind
    for place, line in enumerate(text):
        found = _MACRO.match(line) or _DEFINITION.match(line)
        if not found:
            continue
        macro = found.re is _MACRO
        number, end = place + 1, place + 1 if macro else _end(text, place)
        while open_ and open_[-1][0] < number:
            open_.pop()
        kind = "macro" if macro else KEYWORDS[found["keyword"]]
        if kind == "function" and open_ and open_[-1][2] in TYPES:
            kind = "method"
        parent = open_[-1][1] if open_ else ""
        column = len(line[: found.start("name")].encode())
        symbol = Symbol(
            name=found["name"],
            kind=kind,
            line=number,
            end=end,
            signature=" ".join(line.split())[:LONGEST_SIGNATURE].rstrip(" {:=;"),
            parent=parent,
            summary="",
            doc=number,
            start=lines.begins(number),
            stop=lines.ends(end),
            at=(number, column),
        )
        yield symbol
        open_.append((end, symbol.qualified, kind))


def _end(text: list[str], place: int) -> int:
    """The last line of a block: the one before the first that is indented no more, or closes it."""
    limit = _indent(text[place])
    last = place
    for following in range(place + 1, len(text)):
        line = text[following]
        if not line.strip():
            continue
        if _indent(line) <= limit:
            if _indent(line) == limit and _CLOSING.match(line):
                return following + 1
            if line.strip() != "{":
                break
        last = following
    return last + 1


def _indent(line: str) -> int:
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())
