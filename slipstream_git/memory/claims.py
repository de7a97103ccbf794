"""Claims as such: when two are the same, and when they are contrary. Pure.

The same: the same words about the same thing, whatever case, blanks, and full stop. Contrary: one
was said to be so (``--against``), or both are about the same thing and differ in nothing but a
negation, or in nothing but numbers (of which more than a few make a list). What means the contrary
in other words is not found; nobody's fact is taken away for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final

from slipstream_git.factlines import ID_DIGITS, About, Fact
from slipstream_git.text.objectid import digest

_LONGEST_COMPARED: Final = 400
_MOST_SIDES: Final = 4
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?|[^\s\w]", re.UNICODE)
_NUMBER: Final = re.compile(r"v?\d[\d.,_]*[a-z]{0,3}\Z")
_SAYING_NO: Final = frozenset({
    "not", "no", "never", "don't", "doesn't", "isn't", "aren't", "won't", "can't", "cannot",
    "mustn't", "shouldn't", "didn't", "without", "nicht", "kein", "keine", "nie", "ohne", "pas",
    "jamais", "sans", "nunca", "sin",
})  # fmt: skip
# What stands in the other claim in the place of these.
_SAYING_SO: Final = frozenset({
    "do", "does", "is", "are", "will", "can", "must", "should", "did", "with", "mit", "ne", "avec",
    "con",
})  # fmt: skip


def normal(text: str) -> str:
    """What of a text makes the claim."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(folded.split()).rstrip(".!\u3002 ")


def identity(text: str, about: About) -> str:
    """The claim's id: of what is said, and of what."""
    parts = (about.path, about.symbol, about.rev, normal(text))
    return digest("\0".join(parts).encode("utf-8", "surrogatepass")).hex()[:ID_DIGITS]


def contested(facts: Iterable[Fact]) -> Mapping[str, list[str]]:
    """By its id, the ids of the claims that each is contrary to, sorted."""
    known = {fact.id: fact for fact in facts}
    found: dict[str, set[str]] = {}
    alike: dict[tuple[str, ...], list[tuple[str, _Shape]]] = {}
    for fact in known.values():
        for other in fact.against:
            if other in known:
                _pair(found, fact.id, other)
        if (
            len(fact.text) <= _LONGEST_COMPARED
        ):  # longer ones that differ in a number are no quarrel
            words = [word.replace("\u2019", "'") for word in _WORD.findall(normal(fact.text))]
            shape = _Shape(words)
            key = (fact.about.path, fact.about.symbol, fact.about.rev, *shape.frame)
            alike.setdefault(key, []).append((fact.id, shape))
    for group in alike.values():
        if 1 < len(group) <= _MOST_SIDES:  # more of them are a list
            for (one, shape), (other, another) in combinations(group, 2):
                if shape.is_contrary(another):
                    _pair(found, one, other)
    return {name: sorted(others) for name, others in found.items()}


class _Shape:
    """What two contrary claims have in common (`frame`), and where they may differ."""

    def __init__(self, words: list[str]) -> None:
        self.frame = tuple(
            "0" if _NUMBER.match(word) else word
            for word in words
            if word not in _SAYING_NO | _SAYING_SO
        )
        self.numbers = tuple(word for word in words if _NUMBER.match(word))
        self.says_no = sum(word in _SAYING_NO for word in words) % 2 == 1

    def is_contrary(self, other: _Shape) -> bool:
        return (self.says_no != other.says_no) != (self.numbers != other.numbers)


def _pair(found: dict[str, set[str]], one: str, other: str) -> None:
    if one != other:
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
