"""What reading a file for its structure answers: an outline and its symbols.

Lines are 1-based and inclusive, offsets are in bytes, columns in bytes from 0. The words of `kind`
are the contract's: module class interface enum type function method property constant variable
macro heading.
"""

from __future__ import annotations

from slipstream_git.records import NamedTuple


class Symbol(NamedTuple):
    """One definition.

    ``line`` to ``end``: all of it, decorators and attributes included. ``doc``: where the comment
    above it begins, else ``line``. ``start`` and ``stop``: the bytes of `doc` to `end`, whole lines
    unless another definition shares them. ``parent``: the qualified name of what it stands in, ""
    at the top. ``at``: line and column of its name. ``signature`` is one line, ``summary`` the
    first sentence of its documentation or "".
    """

    name: str
    kind: str
    line: int
    end: int
    signature: str
    parent: str
    summary: str
    doc: int
    start: int
    stop: int
    at: tuple[int, int]

    @property
    def qualified(self) -> str:
        return f"{self.parent}.{self.name}" if self.parent else self.name


class Outline(NamedTuple):
    """What a file defines, imports and refers to.

    ``engine``: "tree-sitter"; "headings" for Markdown, whose scan is exact; "lines" where symbols
    were guessed line by line. ``fault``: "" or why it may be incomplete: "syntax" (the parser
    skipped something), "too-large", "too-many" (``omitted`` symbols are left out), "binary",
    "not-installed" (the extra is missing), "incompatible" (its parser is of another
    version), "no-grammar". ``names``: how often each identifier is used,
    outside of comments and strings, and not counting where this file defines it.
    ``imports``: modules as the file writes them, in order, each once.
    """

    language: str
    engine: str
    lines: int
    symbols: tuple[Symbol, ...]
    imports: tuple[str, ...]
    names: dict[str, int]
    summary: str
    fault: str
    omitted: int

    def enclosing(self, line: int, to: int | None = None) -> str | None:
        """The qualified name of the innermost symbol that a line stands in, or that holds all
        lines from ``line`` to ``to``; the comment above a symbol is part of it.
        """
        last = line if to is None else to
        around = [symbol for symbol in self.symbols if symbol.doc <= line and last <= symbol.end]
        if not around:
            return None
        return min(around, key=lambda symbol: symbol.end - symbol.line).qualified


class Use(NamedTuple):
    """Where a name stands in code. ``defines``: whether this file defines it right there."""

    line: int
    column: int
    defines: bool


class MindMap(NamedTuple):
    """What a session touches. mermaid: the map's text. files, symbols: how many it touches.

    omitted: files that are not in the map.
    """

    session: str
    mermaid: str
    files: int
    symbols: int
    omitted: int
