"""What a reader of a search wants first: definitions, then whole words, then parts of words.

The files of the work under way come before others; tests come last, but for what they define. Ties
go by path, so the order is always the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from slipstream_git.readings import Outline
from slipstream_git.records import NamedTuple
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


Row = tuple[int, bytes]


class Hit(NamedTuple):
    """A file with lines that match: each its number, 1-based, and its text.

    oid: the file's blob, where the engine knows it.
    """

    path: bytes
    rows: Sequence[Row]
    oid: str | None = None


def ordered(hits: Sequence[Hit], wish: Wish, changed: Collection[bytes]) -> list[Hit]:
    """Files, the likeliest first."""
    rank = _ranker(wish)

    def key(hit: Hit) -> tuple[bool, bool, bool, int, bytes]:
        best = WORD
        if rank is not None:
            best = min((rank(text) for _, text in hit.rows[:MOST_LOOKED_AT]), default=PART)
        return hit.path not in changed, best != DEFINITION, is_test(hit.path), best, hit.path

    return sorted(hits, key=key)


def lines(hit: Hit, wish: Wish, outline: Outline | None) -> Sequence[Row]:
    """Lines of a file, the likeliest first; beyond `MOST_LOOKED_AT` in their order."""
    rank = _ranker(wish)
    defined = set()
    if outline is not None:
        defined = {symbol.at[0] for symbol in outline.symbols if symbol.name == wish.pattern}
    if rank is None and not defined:
        return hit.rows

    def key(row: Row) -> int:
        if row[0] in defined:
            return DEFINITION
        return WORD if rank is None else rank(row[1])

    return [*sorted(hit.rows[:MOST_LOOKED_AT], key=key), *hit.rows[MOST_LOOKED_AT:]]


def is_test(path: bytes) -> bool:
    return _TESTS.search(path) is not None


def _ranker(wish: Wish) -> Callable[[bytes], int] | None:
    """What tells how likely a line is; None for what is no name: all lines are as likely."""
    forms = _forms(wish.pattern, ignore_case=wish.ignore_case)
    if forms is None:
        return None
    defines, holds = forms[0].search, forms[1].search

    def rank(text: bytes) -> int:
        if defines(text):
            return DEFINITION
        return WORD if holds(text) else PART

    return rank


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
