"""What a file defines: from its bytes and its path to symbols with exact spans. With
parsing.py alone it knows tree-sitter.

One query a language runs over the tree in C (outlining/), which costs a third of the parsing; what
it finds is put together by offsets, without walking the tree in Python. docs/reading.md has what
each language gives.

Pure: no git, no clock. The grammars come from wheels, each imported when the first file of its
language is read. Without them, and for languages that have none, definitions are looked for line
by line, and the outline says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from slipstream_git.readings import Outline, Use
from slipstream_git.text import matching, parsing
from slipstream_git.text.outlining import assembling, detecting, guessing, headings, remarks
from slipstream_git.text.outlining.assembling import PASSING, Found, Lines, Locality, Places
from slipstream_git.text.outlining.grammar import Grammar

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

__all__ = ["faults", "language_of", "may_be_script", "outline", "parser_of", "uses", "version"]

#: To be raised when what this package makes of a tree changes: caches are keyed by it.
EXTRACTOR = 2
LARGEST = parsing.LARGEST

_LONE_RETURN = re.compile(rb"\r(?!\n)")

language_of = detecting.language_of
may_be_script = detecting.may_be_script


class _Reader:
    """A language's parser and query, made once."""

    def __init__(self, grammar: Grammar) -> None:
        import tree_sitter

        language = parsing.language(grammar)
        self.grammar = grammar
        self.parser: Parser = tree_sitter.Parser(language)
        self.query: Query = tree_sitter.Query(language, grammar.query)
        self._cursor = tree_sitter.QueryCursor
        self._roles: dict[int, str] = {}

    def places(self, text: bytes) -> tuple[Places, bool]:
        """What the query finds, and whether the parser took all of the text for well-formed."""
        root = self.parser.parse(text).root_node
        places = Places([], [], [], [], [], [])
        code: list[tuple[int, int]] = []
        spans = {
            "comment": places.comments,
            "blank": places.blanks,
            "code": code,
            "attribute": places.attributes,
            "docstring": places.docstrings,
            "import": places.imports,
        }
        roles = self._roles
        values = []
        for rank, nodes in self._cursor(self.query).matches(root):
            if rank in roles:
                role = roles[rank]
            else:
                role = roles[rank] = _role(nodes)
            if role in spans:
                for node in nodes[role]:
                    spans[role].append((node.start_byte, node.end_byte))
            elif role in PASSING:
                values.append((role, nodes, rank))
            else:
                places.found.extend(_found(role, nodes, rank))
        # Most assignments are to local variables: they are dropped before anything is made of them.
        local = Locality(places.found)
        for role, nodes, rank in values:
            if not local.at(nodes[role][0].start_byte):
                places.found.extend(_found(role, nodes, rank))
        if code:
            places.blanks[:] = remarks.without(places.blanks, code)
        return places, not root.has_error


def _role(nodes: dict[str, list[Node]]) -> str:
    """The capture that says what a pattern is for; others tell more of it."""
    told = {"name", "declarator", "body", "owner"}
    return next(name for name in nodes if name not in told and not name.startswith("_"))


def _found(role: str, nodes: dict[str, list[Node]], rank: int) -> Iterator[Found]:
    whole = nodes[role][0]
    start, stop = whole.start_byte, whole.end_byte
    body = nodes["body"][0].start_byte if "body" in nodes else -1
    owner = nodes["owner"][0].text if "owner" in nodes else b""
    if role == "closure":
        yield Found(role, start, stop, (start, start), body, rank, "")
        return
    spans = (
        [(name.start_byte, name.end_byte) for name in nodes["name"]]
        if "name" in nodes
        else map(_declared, nodes["declarator"])
    )
    for span in spans:
        if span[0] == span[1]:  # an identifier that the parser made up
            continue
        yield Found(
            role,
            start,
            stop,
            span,
            body,
            -1 if role == "wrap" else rank,
            (owner or b"").decode("utf-8", "replace"),
        )


def _declared(node: Node) -> tuple[int, int]:
    """The name within a C declarator: under pointers, arrays, parameters and parentheses."""
    while True:
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type in ("parenthesized_declarator", "reference_declarator"):
            inner = node.named_children[-1] if node.named_children else None
        if inner is None:
            return node.start_byte, node.end_byte
        if inner.type.startswith("abstract_"):  # the conversion `operator bool()`
            return node.start_byte, inner.start_byte
        node = inner


@cache
def _reader(language: str) -> _Reader | str:
    """What reads a language, or the fault that says why nothing does."""
    grammar = detecting.grammar(language)
    if grammar is None:
        return "no-grammar"
    try:
        return _Reader(grammar)
    except ImportError:
        return "not-installed"
    except (ValueError, RuntimeError):  # a wheel newer than the query, or than tree-sitter
        return "incompatible"


def parser_of(path: str, data: bytes) -> Parser:
    """The bare parser of a file that has one: for measuring against it."""
    reader = _reader(language_of(path, data))
    if isinstance(reader, str):
        raise LookupError(reader)
    return reader.parser


def faults(path: str, data: bytes) -> int | None:
    """How many places of a file its parser skips or makes up; None where it has none."""
    reader = _reader(language_of(path, data)) if len(data) <= LARGEST else "too-large"
    if isinstance(reader, str):
        return None
    found = 0
    left = [reader.parser.parse(parsing.legible(_even(data))).root_node]
    while left:
        node = left.pop()
        wrong = [child for child in node.children if child.has_error or child.is_missing]
        if node.is_error or node.is_missing or (node.has_error and not wrong):
            found += 1  # (the last: what was made up is hidden)
        else:
            left += wrong
    return found


def outline(path: str, data: bytes) -> Outline:
    """The outline of a file. ``path`` says the language, with the first line where it does not.

    Never raises for what a file holds: a broken one gives what can be parsed, with ``fault``.
    """
    language = language_of(path, data)
    if matching.is_binary(data):
        return Outline(language, "lines", 0, (), (), {}, "", "binary", 0)
    if language == "markdown":
        return headings.outline(_even(data))
    reader: _Reader | str = "too-large" if len(data) > LARGEST else _reader(language)
    if isinstance(reader, str):
        return guessing.outline(language, _even(data), reader)
    return _outline(reader, _even(data))


def _outline(reader: _Reader, data: bytes) -> Outline:
    places, sound = reader.places(parsing.legible(data))
    lines = Lines(data)
    grammar = reader.grammar
    made = assembling.assemble(data, places, grammar, lines)
    imports = (data[slice(*span)].decode("utf-8", "replace") for span in sorted(places.imports))
    return Outline(
        language=grammar.language,
        engine="tree-sitter",
        lines=len(lines),
        symbols=tuple(made.symbols),
        imports=tuple(dict.fromkeys(" ".join(name.split()).strip("\"'`") for name in imports)),
        names=assembling.used(data, places, grammar, made.names),
        summary=made.summary,
        fault="too-many" if made.omitted else "" if sound else "syntax",
        omitted=made.omitted,
    )


def uses(path: str, data: bytes, name: str) -> list[Use]:
    """Where a name stands in the code of a file, comments and strings left out."""
    if not name.isprintable() or matching.is_binary(data):
        return []
    data = _even(data)
    reader = _reader(language_of(path, data)) if len(data) <= LARGEST else "too-large"
    lines = Lines(data)
    wanted = re.compile(rb"(?<![\w\x80-\xff])" + re.escape(name.encode()) + rb"(?![\w\x80-\xff])")
    hidden: list[tuple[int, int]] = []
    defined: set[int] = set()
    if isinstance(reader, _Reader):
        places, _ = reader.places(parsing.legible(data))
        hidden = [*places.comments, *places.blanks]
        defined = assembling.assemble(data, places, reader.grammar, lines).names
    return [
        Use(lines.line(at), lines.column(at), at in defined)
        for at in (found.start() for found in wanted.finditer(_hidden(data, hidden)))
    ]


def _hidden(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    """The text with blanks in place of spans, every other byte where it was."""
    text = bytearray(data)
    for start, stop in spans:
        text[start:stop] = b" " * (stop - start)
    return bytes(text)


def _even(data: bytes) -> bytes:
    """Lone carriage returns as line feeds: so the languages count lines, and parsers want it."""
    return _LONE_RETURN.sub(b"\n", data) if b"\r" in data else data


def version(path: str) -> str:
    """What an outline depends on beside the file's bytes; for keys of caches.

    The bytes may choose among languages (C or C++ in a header, the first line of a script): then
    all of them are in it.
    """
    return _version(detecting.family(path))


@cache
def _version(family: str) -> str:
    parts = [f"{EXTRACTOR}", family]
    for wheel in sorted({g.wheel for g in detecting.candidates(family)} | {"tree-sitter"}):
        try:
            parts.append(f"{wheel.removeprefix('tree-sitter-')}={metadata.version(wheel)}")
        except metadata.PackageNotFoundError:
            parts.append(f"{wheel.removeprefix('tree-sitter-')}=none")
    return " ".join(parts)
