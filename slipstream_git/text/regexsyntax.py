"""A regular expression's text as a tree, as far as an index needs it.

Reads what RE2 and the `regex` package have in common; each of them checks the pattern itself. A
construct that means different things to the two, or that nothing is known of, is `OPAQUE`, and one
that changes the meaning of all that follows (``(?x)``, fuzzy counts) makes the whole so.
"""

from __future__ import annotations

from slipstream_git.records import NamedTuple
from slipstream_git.text.decimals import decimal

DEEPEST = 200
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_CONTROLS = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_HEX = frozenset("0123456789abcdefABCDEF")
# `(?` and one of these: nothing of the text is taken.
_LOOKING = ("?=", "?!", "?<=", "?<!")
_GROUPS = ("?:", "?>", "?|")


class Literal(NamedTuple):
    """Text, in lower case; None where its letters have other forms beyond ASCII."""

    text: bytes | None


class Chars(NamedTuple):
    """One character of these, in lower case; empty for a class that is not told one by one."""

    chars: frozenset[bytes]


class Sequenced(NamedTuple):
    parts: tuple[Part, ...]


class Alternatives(NamedTuple):
    branches: tuple[Part, ...]


class Repeated(NamedTuple):
    """most: None for any number."""

    part: Part
    least: int
    most: int | None


Part = Literal | Chars | Sequenced | Alternatives | Repeated

# A class that is not told one by one, and whatever else nothing is known of.
OPAQUE = Chars(frozenset())
# A place between characters.
NOTHING = Sequenced(())
_PLACES = "bBAzZGK"
_CLASSES = "dDwWsSC"


class _GivesUp(Exception):
    """The whole pattern is beyond this reader."""


def read(pattern: str, *, ignore_case: bool, encoding: str = "utf-8") -> Part:
    """The tree of a pattern that is known to be valid.

    encoding: how its characters are stored in the text that is searched.
    """
    reader = _Reader(pattern, encoding)
    try:
        part = reader.alternatives(0, folded=ignore_case)
    except (_GivesUp, IndexError, ValueError):
        return OPAQUE
    return part if reader.at_end() else OPAQUE


class _Reader:
    """A place in a pattern, read from left to right."""

    def __init__(self, pattern: str, encoding: str) -> None:
        self._text = pattern
        self._place = 0
        self._encoding = encoding

    def at_end(self) -> bool:
        return self._place >= len(self._text)

    def alternatives(self, depth: int, *, folded: bool) -> Part:
        if depth > DEEPEST:
            raise _GivesUp
        branches: list[Part] = []
        parts: list[Part] = []
        while not self.at_end() and self._text[self._place] != ")":
            if self._took("|"):
                branches.append(Sequenced(tuple(parts)))
                parts = []
                continue
            flags = self._flags()
            if flags is not None:
                folded = _folded(flags, before=folded)
                continue
            parts.append(self._repeats(self._atom(depth, folded=folded)))
        branches.append(Sequenced(tuple(parts)))
        return Alternatives(tuple(branches)) if len(branches) > 1 else branches[0]

    def _took(self, text: str) -> bool:
        if self._text.startswith(text, self._place):
            self._place += len(text)
            return True
        return False

    def _next(self) -> str:
        char = self._text[self._place]
        self._place += 1
        return char

    def _until(self, end: str) -> str:
        stop = self._text.index(end, self._place)
        found = self._text[self._place : stop]
        self._place = stop + len(end)
        return found

    def _flags(self) -> str | None:
        """The flags of a ``(?i)``, which count to the end of the group that it stands in."""
        if not self._text.startswith("(?", self._place):
            return None
        stop = self._place + 2
        while self._text[stop] in "imsUaLuxnwbeprV01-":
            stop += 1
        if self._text[stop] != ")" or stop == self._place + 2:
            return None
        found = self._text[self._place + 2 : stop]
        self._place = stop + 1
        return found

    def _repeats(self, part: Part) -> Part:
        while not self.at_end():
            counts = self._counts()
            if counts is None:
                return part
            part = Repeated(part, *counts)
            if not self._took("?"):  # lazy, or with + possessive: the same texts, or fewer
                self._took("+")
        return part

    def _counts(self) -> tuple[int, int | None] | None:
        char = self._text[self._place]
        if char in _REPEATS:
            self._place += 1
            return _REPEATS[char]
        if char != "{":
            return None
        stop = self._text.find("}", self._place)
        least, comma, most = self._text[self._place + 1 : max(stop, self._place)].partition(",")
        fewest, limit = decimal(least), decimal(most)
        if stop < 0 or fewest is None or (most and limit is None):
            raise _GivesUp  # literal to one, a fuzzy count to the other
        self._place = stop + 1
        return fewest, limit if comma else fewest

    def _atom(self, depth: int, *, folded: bool) -> Part:
        char = self._next()
        if char == "(":
            return self._group(depth, folded=folded)
        if char == "[":
            return self._class(folded=folded)
        if char == "\\":
            return self._escape(folded=folded)
        if char in "^$":
            return NOTHING
        if char == ".":
            return OPAQUE
        return self._literal(char, folded=folded)

    def _literal(self, text: str, *, folded: bool) -> Literal:
        if folded and not text.isascii():
            return Literal(None)
        return Literal(text.encode(self._encoding).lower())

    def _group(self, depth: int, *, folded: bool) -> Part:
        looks = any(self._took(mark) for mark in _LOOKING)
        if not looks and (self._took("?P<") or self._took("?<")):
            self._until(">")
        elif self._text.startswith("?", self._place) and not looks:
            folded = self._group_flags(folded=folded)
        inner = self.alternatives(depth + 1, folded=folded)
        if self._next() != ")":
            raise _GivesUp
        return NOTHING if looks else inner

    def _group_flags(self, *, folded: bool) -> bool:
        if any(self._took(mark) for mark in _GROUPS):
            return folded
        flags = self._until(":")[1:]
        if not flags or not set(flags) <= set("imsU-"):
            raise _GivesUp
        return _folded(flags, before=folded)

    def _escape(self, *, folded: bool) -> Part:
        char = self._next()
        if char in _PLACES:
            return NOTHING
        if char in _CLASSES or char in "pP" or char.isdigit():
            return self._named_class(char)
        if char == "Q":
            return self._quoted()
        if char == "x":
            char = chr(self._hex())
        elif char in _CONTROLS:
            char = chr(_CONTROLS[char])
        elif char.isalnum():
            raise _GivesUp
        return self._literal(char, folded=folded)

    def _named_class(self, char: str) -> Part:
        """The rest of named class or of a number: octal, or what a group took."""
        if char in "pP":
            if self._took("{"):
                self._until("}")
            else:
                self._next()
        while char.isdigit() and not self.at_end() and self._text[self._place].isdigit():
            self._place += 1
        return OPAQUE

    def _quoted(self) -> Part:
        stop = self._text.find("\\E", self._place)
        stop = len(self._text) if stop < 0 else stop
        text = self._text[self._place : stop]
        self._place = stop + 2
        return OPAQUE if text else NOTHING  # a count behind it is of its last character only

    def _hex(self) -> int:
        if self._took("{"):
            return int(self._until("}"), 16)
        digits = self._text[self._place : self._place + 2]
        if len(digits) != 2 or not set(digits) <= _HEX:
            raise _GivesUp
        self._place += 2
        return int(digits, 16)

    def _class(self, *, folded: bool) -> Part:
        """A class of a few plain characters, told one by one; any other as a class."""
        start = self._place
        self._took("^")
        self._took("]")
        while self._text[self._place] != "]":
            if self._text.startswith("[:", self._place):
                self._until(":]")
            elif self._next() == "\\":
                escaped = self._next()
                if escaped in "pPxN" and self._took("{"):
                    self._until("}")
        inside = self._text[start : self._place]
        self._place += 1
        if set(inside) & set("^[]\\-&|~") or (folded and not inside.isascii()):
            return OPAQUE
        return Chars(frozenset(char.encode(self._encoding).lower() for char in inside))


def _folded(flags: str, *, before: bool) -> bool:
    """Whether case is ignored from here on."""
    if not set(flags) <= set("imsU-"):
        raise _GivesUp
    on, _, off = flags.partition("-")
    return ("i" in on or before) and "i" not in off
