"""What the reading operations answer: excerpts of a tree, each with how to go on.

Paths are text, as in `results`. A field with the default None is left out of the JSON when it is
None. ``tree`` is the tree that was read; ``session`` or ``rev`` say where it came from, and neither
is given for HEAD with the working tree's edits. ``next`` is what to give as ``after`` for the rest.
"""

from __future__ import annotations

from slipstream_git.records import NamedTuple


class Listed(NamedTuple):
    """One file. mode: as git writes it, ``100644``."""

    path: str
    oid: str
    mode: str
    path_b64: str | None = None


class Directory(NamedTuple):
    """files: how many are below it, at any depth. path: with a final slash."""

    path: str
    files: int


class Files(NamedTuple):
    """directories: in the place of files, where a tree was asked for. total: files in all."""

    tree: str
    files: list[Listed]
    total: int
    truncated: bool
    next: str | None = None
    session: str | None = None
    rev: str | None = None
    directories: list[Directory] | None = None


class LinesRead(NamedTuple):
    """Lines ``start`` to ``end`` of a file. next: the line to go on with, None at its end.

    lossy: there are bytes that are not UTF-8, shown as U+FFFD.
    """

    path: str
    oid: str
    start: int
    end: int
    total_lines: int
    text: str
    next: int | None
    tree: str
    session: str | None = None
    rev: str | None = None
    lossy: bool | None = None
    path_b64: str | None = None


class Defined(NamedTuple):
    """A symbol of a file: see `readings.Symbol`. parent: what it stands in, None at the top."""

    name: str
    kind: str
    line: int
    end: int
    signature: str
    parent: str | None = None


class Mapped(NamedTuple):
    """A file of a map. lang: its language. engine: who read it, where that was no parser."""

    path: str
    oid: str
    lang: str
    lines: int
    symbols: list[Defined]
    summary: str
    omitted: int | None = None
    engine: str | None = None
    path_b64: str | None = None


class Map(NamedTuple):
    """omitted: files that the budget has no room for. tokens: what the text of this takes.

    short: how many short tests are where, behind all other files; they are told one by one where
    paths were asked for.
    """

    tree: str
    files: list[Mapped]
    tokens: int
    omitted: int
    next: str | None
    session: str | None = None
    rev: str | None = None
    short: list[Directory] | None = None


class Definition(NamedTuple):
    """A symbol with its text, comments above it included: lines ``start`` to ``end``."""

    path: str
    oid: str
    name: str
    kind: str
    start: int
    end: int
    signature: str
    text: str
    parent: str | None = None
    truncated: bool | None = None
    lossy: bool | None = None
    path_b64: str | None = None


class Named(NamedTuple):
    """A symbol without its text."""

    path: str
    name: str
    kind: str
    line: int
    end: int
    signature: str


class Symbols(NamedTuple):
    """others: the symbols of that name whose text the budget had no room for; omitted: how many
    more there are.
    """

    matches: list[Definition]
    tokens: int
    tree: str
    others: list[Named] | None = None
    omitted: int | None = None
    session: str | None = None
    rev: str | None = None


class Line(NamedTuple):
    """A line that matches. symbol: what it stands in. context: of a line that only stands near.

    again: how many more lines of the file read the same and are left out. cut: the line is long and
    some of it was left out, with "…" in its place; column: where it matches, in bytes from 1.
    """

    path: str
    line: int
    text: str
    symbol: str | None = None
    context: bool | None = None
    again: int | None = None
    cut: bool | None = None
    column: int | None = None
    lossy: bool | None = None
    path_b64: str | None = None


class InFile(NamedTuple):
    """How many lines of a file match."""

    path: str
    lines: int
    path_b64: str | None = None


class Searched(NamedTuple):
    """total, files: lines and files that match, at least so many where ``counted`` is not all.

    counts: by file, of those that are told. raw: every line was asked for, in the order of paths.
    """

    tree: str
    matches: list[Line]
    total: int
    files: int
    truncated: bool
    next: str | None
    engine: str
    counted: str = "all"
    counts: list[InFile] | None = None
    raw: bool | None = None
    session: str | None = None
    rev: str | None = None


class Used(NamedTuple):
    """Where a name is used. defines: whether it is defined there. cut, column: see `Line`."""

    path: str
    line: int
    text: str
    symbol: str | None = None
    defines: bool | None = None
    cut: bool | None = None
    column: int | None = None
    path_b64: str | None = None


class References(NamedTuple):
    """exact: whether a parser told names from comments and strings, in every file.

    unread: how many more files hold the word, of which nothing is told.
    """

    name: str
    uses: list[Used]
    total: int
    files: int
    truncated: bool
    next: str | None
    exact: bool
    tree: str
    session: str | None = None
    rev: str | None = None
    unread: int | None = None
