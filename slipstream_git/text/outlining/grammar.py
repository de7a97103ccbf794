"""The form of a language's file here: a query over its syntax tree, and a few facts.

A query pattern has one capture named after a kind of symbol; its node is the definition. Beside it

- ``@name``: the identifier. Two patterns that name the same identifier are one symbol: the widest
  node gives the span, the last pattern of the query the kind.
- ``@declarator``: instead of a name, where it is found by going down the field `declarator` (C).
- ``@body``: where the signature ends. ``@owner``: the type that a method outside of it belongs to.
- ``@wrap``: only widens what another pattern finds (exports, templates); stands first.
- ``@prototype``: a function, dropped if the file also has its body. ``@alias``: a type that holds
  nothing. ``@field`` and ``@member``: properties and methods; ``@valued``: a function that is
  assigned. All of these, variables and constants are dropped where they are local.
- ``@scope``: no symbol, but what it holds is named after it. ``@closure``: no symbol; variables in
  it are local.

Patterns of one capture say what is no code: ``@comment``, ``@blank`` (strings) save
the ``@code`` in it, ``@attribute`` (decorators and attributes: part of the definition that
follows, not of its signature), ``@docstring`` (documents what it is in) and ``@import`` (a
module's name).
"""

from __future__ import annotations

from slipstream_git.records import NamedTuple

#: Definitions that hold members.
TYPES = frozenset({"class", "interface", "enum", "type"})
KINDS = TYPES | {
    "module", "function", "method", "property", "constant", "variable", "macro",
}  # fmt: skip


class Grammar(NamedTuple):
    """One language. ``wheel``: the distribution of its parser; ``maker``: the function that gives
    it.

    ``shouting``: a name in capitals is a constant, since the language has no other. ``keywords``
    are not counted as names; ``word`` is what a name looks like. ``joints`` part a name from what
    it is qualified with; ``unnamed`` are such parts that name nothing (JavaScript's `prototype`).
    ``modular``: functions of a module are methods. ``inner``: how a comment begins that speaks of
    what it stands in.
    """

    language: str
    wheel: str
    query: str
    keywords: frozenset[str]
    maker: str = "language"
    word: bytes = rb"[\w\x80-\xff]+"
    joints: str = ""
    unnamed: frozenset[str] = frozenset()
    modular: bool = False
    inner: bytes = b""
    shouting: bool = False

    @property
    def module(self) -> str:
        return self.wheel.replace("-", "_")


def keywords(text: str) -> frozenset[str]:
    return frozenset(text.split())
