"""What a reader of a search wants first: definitions, then whole words, then parts of words.

The files of the work under way come before others; tests come last, but for what they define. Ties
go by path, so the order is always the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from slipstream_git.readings import Outline
from slipstream_git.text.patterns import Wish

# So many lines of a file are looked at; the others are taken for no better.
MOST_LOOKED_AT = 200
_TESTS = re.compile(
    rb"(?:^|/)(?:tests?|testing|specs?|__tests__|fixtures?)/|(?:^|/)test_|[._]test\."
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_DEFINING = (
    rb"\b(?:def|class|func|fn|function|struct|enum|union|trait|interface|type|typedef|module"
    rb"|namespace|const|let|var|val|define|macro_rules!|CREATE TABLE)\s+(?:[\w.:*&<>]*[.:*&>])?"
)
# A function of C and its like: a type before the name, and no end of a statement behind it. At the
# beginning of a line, or, with its body's brace, further in.
_NO_TYPE = (
    rb"(?!(?:return|else|new|throw|await|case|goto|delete|yield|raise|assert|print|echo|typedef|extern"
    rb"|import|from|for|while|until|unless|not|and|or|if|elif|when|in|is|do|require|include)\b)"
)
_TYPED = rb"[A-Za-z_][\w:<>,*&\[\] \t]*[ \t*&:]"
_FUNCTION = rb"^%b%b%%b\s*\([^;]*$|^\s+%b%b%%b\s*\([^;]*\{\s*$" % (
    _NO_TYPE, _TYPED, _NO_TYPE, _TYPED,
)  # fmt: skip
DEFINITION, WORD, PART = 0, 1, 2


class Hit(Protocol):
    """A file with lines that match, from whichever engine."""

    @property
    def path(self) -> bytes: ...
    @property
    def count(self) -> int: ...
    def lines(self, most: int | None = None) -> Iterator[tuple[int, bytes]]: ...


AnyHit = TypeVar("AnyHit", bound=Hit)


def ordered(hits: Sequence[AnyHit], wish: Wish, changed: Collection[bytes]) -> list[AnyHit]:
    """Files, the likeliest first."""

    def key(hit: AnyHit) -> tuple[bool, bool, bool, int, bytes]:
        best = min((_line_rank(text, wish) for _, text in hit.lines(MOST_LOOKED_AT)), default=PART)
        return hit.path not in changed, best != DEFINITION, is_test(hit.path), best, hit.path

    return sorted(hits, key=key)


def lines(hit: Hit, wish: Wish, outline: Outline | None) -> list[tuple[int, bytes]]:
    """Lines of a file, the likeliest first; beyond `MOST_LOOKED_AT` in their order."""
    defined = set()
    if outline is not None:
        defined = {symbol.at[0] for symbol in outline.symbols if symbol.name == wish.pattern}

    def key(row: tuple[int, tuple[int, bytes]]) -> tuple[int, int]:
        place, (number, text) = row
        if place >= MOST_LOOKED_AT:
            return PART, place
        return DEFINITION if number in defined else _line_rank(text, wish), place

    return [row for _, row in sorted(enumerate(hit.lines()), key=key)]


def is_test(path: bytes) -> bool:
    return _TESTS.search(path) is not None


def _line_rank(text: bytes, wish: Wish) -> int:
    forms = _forms(wish.pattern, ignore_case=wish.ignore_case)
    if forms is None:
        return WORD
    definition, word = forms
    if definition.search(text):
        return DEFINITION
    return WORD if word.search(text) else PART


@lru_cache(maxsize=64)
def _forms(
    pattern: str, *, ignore_case: bool
) -> tuple[re.Pattern[bytes], re.Pattern[bytes]] | None:
    """What a definition of a name and its whole word look like; None for what is no name."""
    if not _NAME.match(pattern):
        return None
    flags = re.IGNORECASE if ignore_case else 0
    name = re.escape(pattern.encode())
    definition = _DEFINING + name + rb"\b|" + _FUNCTION % (name, name)
    return re.compile(definition, flags), re.compile(rb"\b" + name + rb"\b", flags)
