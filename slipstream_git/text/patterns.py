"""Patterns and the lines that they match, as `git grep -P` would: RE2's syntax, in linear time.

A line is what stands between line breaks; a pattern never matches across one, and `^` and `$` are a
line's ends. What RE2 does not have (what was matched before, what stands around) goes to the
`regex` package, line by line and under a time limit. Both libraries are known here alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple
from slipstream_git.text import required
from slipstream_git.text.regexsyntax import read
from slipstream_git.text.required import Need

LONGEST_PATTERN = 10_000
# For the package that may take a time that grows with the power of a line's length.
MOST_SECONDS = 10.0
_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_TEXT_ENDS = re.compile(r"\\[Az]")
INSTALL = "pip install 'slipstream-git[reading]'"


class Text(Protocol):
    """What is searched: bytes or a memory map."""

    def find(self, text: bytes, start: int, end: int, /) -> int: ...
    def rfind(self, text: bytes, start: int, end: int, /) -> int: ...
    def __getitem__(self, place: slice, /) -> bytes: ...


class Wish(NamedTuple):
    """How a pattern is meant. fixed: plain text. word: at word boundaries, as ``git grep -w``."""

    pattern: str
    fixed: bool = False
    ignore_case: bool = False
    word: bool = False


# The lines of a part of a text that match, as where each begins and ends. The part begins and ends
# with a line.
Lines = Callable[[Text, int, int], Iterator[tuple[int, int]]]
# Where in a line the first match begins, in bytes; -1 where it has none.
Place = Callable[[bytes], int]
# Where a pattern matches first in a line, from a place on.
_Search = Callable[[Sequence[object], int], tuple[int, int] | None]
# RE2's own: the spans of a match and its groups, the first (-1, -1) where there is none.
_Match = Callable[[object, object, int, int], Sequence[tuple[int, int]]]


class Pattern(NamedTuple):
    """A pattern, compiled.

    need: what a line that matches holds, in lower case. folds: letters beyond ASCII may match those
    of ``need`` (the Kelvin sign is a k under ignore-case). engine: `re2` or `regex`.
    """

    lines: Lines
    place: Place
    need: Need
    folds: bool
    engine: str


def compile_pattern(wish: Wish) -> Pattern:
    """Raises `usage` with the place of the fault; `unsupported` where the libraries are missing."""
    check(wish)
    try:
        import re2
    except ImportError:
        raise missing_extra() from None
    raw = wish.pattern.encode("utf-8", "surrogateescape")
    encoding = "utf-8" if _is_utf8(raw) else "latin-1"
    source = re.escape(raw) if wish.fixed else raw
    whole = wish.fixed and wish.word and raw[0] in _WORD and raw[-1] in _WORD
    if whole:
        source = rb"\b(?:" + source + rb")\b"
    options = re2.Options()
    options.never_nl = True
    options.log_errors = False
    options.case_sensitive = not wish.ignore_case
    if encoding == "latin-1":
        options.encoding = re2.Options.Encoding.LATIN1
    try:
        compiled = re2.compile(b"(?m)" + source, options)
    except re2.error:
        return _by_regex(wish)
    search = compiled._regexp.Match  # noqa: SLF001  (past its match objects: half of the time)
    anywhere = re2._Anchor.UNANCHORED  # noqa: SLF001
    text = raw.decode(encoding)
    if wish.fixed:
        need = required.of_literal(raw, ignore_case=wish.ignore_case)
    else:
        need = required.required(read(text, ignore_case=wish.ignore_case, encoding=encoding))
    folds = encoding == "utf-8" and (wish.ignore_case or "(?" in text)
    lines = _line_finder(search, anywhere)
    within = _within(search, anywhere)
    alone = wish.word and not whole

    def place(line: bytes) -> int:
        return _first(line, within, _WORD.__contains__, word=alone)

    if not wish.fixed and _TEXT_ENDS.search(text):
        lines = _each_line(place)
    elif alone:
        lines = _as_words(lines, place)
    return Pattern(lines, place, need, folds, "re2")


def missing_extra() -> SlipError:
    return SlipError("unsupported", "searching needs the extra `reading`", hint=INSTALL)


def check(wish: Wish) -> None:
    """Refuse what is no pattern for lines. Raises `usage`."""
    shown = ascii(wish.pattern[:60])[1:-1]
    if not wish.pattern:
        raise SlipError("usage", "the pattern is empty", hint="slip search .")
    if len(wish.pattern) > LONGEST_PATTERN:
        raise SlipError("usage", f"a pattern has at most {LONGEST_PATTERN} characters")
    if "\n" in wish.pattern or "\0" in wish.pattern:
        raise SlipError("usage", f"pattern '{shown}' holds a line break or a NUL, and no line does")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


# RE2 ---------------------------------------------------------------------------------------------


def _line_finder(search: _Match, anywhere: object) -> Lines:
    def lines(text: Text, start: int, end: int) -> Iterator[tuple[int, int]]:
        while start < end:
            left, right = search(anywhere, text, start, end)[0]
            if left < 0 or (left == end and text[end - 1 : end] == b"\n"):
                return  # (behind the last line there is none)
            left = text.rfind(b"\n", start, left) + 1 or start
            right = text.find(b"\n", right, end)
            if right < 0:
                right = end
            yield left, right
            start = right + 1

    return lines


def _within(search: _Match, anywhere: object) -> _Search:
    def within(line: Sequence[object], start: int) -> tuple[int, int] | None:
        left, right = search(anywhere, line, start, len(line))[0]
        return None if left < 0 else (left, right)

    return within


def _as_words(lines: Lines, place: Place) -> Lines:
    def words(text: Text, start: int, end: int) -> Iterator[tuple[int, int]]:
        for left, right in lines(text, start, end):
            if place(text[left:right]) >= 0:
                yield left, right

    return words


def _each_line(place: Place) -> Lines:
    def each(text: Text, start: int, end: int) -> Iterator[tuple[int, int]]:
        for left, line in _split(text, start, end):
            if place(line) >= 0:
                yield left, left + len(line)

    return each


def _split(text: Text, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    lines = text[start:end].split(b"\n")
    if not lines[-1]:
        lines.pop()
    for line in lines:
        yield start, line
        start += len(line) + 1


def _first(
    line: Sequence[object], within: _Search, is_word: Callable[[object], bool], *, word: bool
) -> int:
    """Where the first match begins, with ``word`` the first that stands alone; -1 for none.

    After one that does not, git goes on at the next word.
    """
    if not word:
        found = within(line, 0)
        return -1 if found is None else found[0]
    start = 0
    while start < len(line):
        found = within(line, start)
        if found is None:
            return -1
        left, right = found
        before = left > 0 and is_word(line[left - 1])
        if not before and right > left and not (right < len(line) and is_word(line[right])):
            return left
        start = left + 1
        while start < len(line) and is_word(line[start - 1]):
            start += 1
    return -1


# The regex package -------------------------------------------------------------------------------


def _by_regex(wish: Wish) -> Pattern:
    try:
        import regex
    except ImportError:
        raise missing_extra() from None
    flags = regex.MULTILINE | (regex.IGNORECASE if wish.ignore_case else 0)
    if wish.pattern.isascii() or not wish.ignore_case:
        flags |= regex.ASCII  # \w and its like, as RE2 has them; but then case is ASCII's, too
    try:
        compiled = regex.compile(wish.pattern, flags)
    except (regex.error, ValueError, OverflowError, RecursionError) as fault:
        raise _fault(wish.pattern, fault) from None
    deadline = _Deadline()

    def within(line: Sequence[object], start: int) -> tuple[int, int] | None:
        try:
            found = compiled.search(line, start, timeout=deadline.left())
        except TimeoutError:
            raise SlipError(
                "too-large",
                f"the pattern took longer than {MOST_SECONDS:g} seconds; narrow it, or the globs",
            ) from None
        return None if found is None else found.span()

    def place(line: bytes) -> int:
        shown = line.decode("utf-8", "surrogateescape")
        left = _first(shown, within, _is_word, word=wish.word)
        return len(shown[:left].encode("utf-8", "surrogateescape")) if left > 0 else left

    part = read(wish.pattern, ignore_case=wish.ignore_case)
    return Pattern(_each_line(place), place, required.required(part), folds=True, engine="regex")


def _is_word(char: object) -> bool:
    return isinstance(char, str) and char.isascii() and (char.isalnum() or char == "_")


class _Deadline:
    """Begins with the first line that is looked at."""

    def __init__(self) -> None:
        self._end: float | None = None

    def left(self) -> float:
        now = time.monotonic()
        if self._end is None:
            self._end = now + MOST_SECONDS
        return max(self._end - now, 0.001)


def _fault(pattern: str, fault: Exception) -> SlipError:
    shown = ascii(pattern)[1:-1]
    place = getattr(fault, "pos", None)
    said = getattr(fault, "msg", None) or str(fault) or type(fault).__name__
    where = "" if place is None else f" at character {place + 1}"
    return SlipError(
        "usage",
        f"pattern '{shown}': {said}{where}",
        hint="slip search --fixed …",
        data={"pattern": shown, "position": place},
    )
