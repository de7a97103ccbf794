"""Patterns and the lines that they match, as `git grep -P` would: RE2's syntax, in linear time.

A line is what stands between line breaks; a pattern never matches across one, and `^` and `$` are a
line's ends. What RE2 does not have (what was matched before, what stands around) goes to the
`regex` package, line by line and under a time limit. Both libraries are known here alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import partial

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple
from slipstream_git.text import linefinding, required
from slipstream_git.text.linefinding import Lines, Match, Place
from slipstream_git.text.regexsyntax import read
from slipstream_git.text.required import Need

LONGEST_PATTERN = 10_000
# For the package that may take a time that grows with the power of a line's length.
MOST_SECONDS = 10.0
# What means something else in a pattern than itself.
_META = frozenset(r"\.^$*+?{}[]|()")
_ANY_BYTE_OR_QUOTED = re.compile(rb"\\[CQ]")
_TEXT_ENDS = re.compile(r"\\[Az]")


class Wish(NamedTuple):
    """How a pattern is meant. fixed: plain text. word: at word boundaries, as ``git grep -w``."""

    pattern: str
    fixed: bool = False
    ignore_case: bool = False
    word: bool = False


class Pattern(NamedTuple):
    """A pattern, compiled.

    need: what a line that matches holds, in lower case. folds: letters beyond ASCII may match those
    of ``need`` (the Kelvin sign is a k under ignore-case). engine: `re2` or `regex`. threads:
    whether several may look at once, since they hold no lock meanwhile.
    """

    lines: Lines
    place: Place
    need: Need
    folds: bool
    engine: str
    threads: bool = False


def compile_pattern(wish: Wish) -> Pattern:
    """Raises `usage` with the place of the fault; ImportError where a library is missing."""
    check(wish)
    import re2

    raw = wish.pattern.encode("utf-8", "surrogateescape")
    encoding = "utf-8" if _is_utf8(raw) else "latin-1"
    text = raw.decode(encoding)
    source = re.escape(raw) if wish.fixed else raw
    whole = wish.fixed and wish.word and linefinding.is_word(raw[:1] + raw[-1:])
    if whole:
        source = rb"\b(?:" + source + rb")\b"
    matcher = _matcher(encoding, ignore_case=wish.ignore_case)
    try:
        search = matcher(source, re2._Anchor.UNANCHORED)  # noqa: SLF001
    except re2.error:
        return _by_regex(wish)
    if wish.fixed:
        need = required.of_literal(raw, ignore_case=wish.ignore_case)
    else:
        need = required.required(read(text, ignore_case=wish.ignore_case, encoding=encoding))
    folds = encoding == "utf-8" and (wish.ignore_case or "(?" in text)
    alone = wish.word and not whole
    within = linefinding.within(search)

    def place(line: bytes) -> int:
        return linefinding.first(line, within, linefinding.WORD.__contains__, word=alone)

    threads = False
    if not wish.fixed and _TEXT_ENDS.search(text):
        lines = linefinding.each_line(place)
    elif alone:
        lines = linefinding.as_words(linefinding.by_match(search), place)
    elif not (wish.ignore_case or whole) and (wish.fixed or _META.isdisjoint(text)):
        lines = linefinding.of_literal(raw)
    else:
        lines, threads = linefinding.by_match(search, partial(_run, matcher, source)), True
    return Pattern(lines, place, need, folds, "re2", threads)


def _matcher(encoding: str, *, ignore_case: bool) -> Callable[[bytes, object], Match]:
    """What compiles a pattern for RE2, given where it is anchored."""
    import re2

    options = re2.Options()
    options.never_nl = True
    options.never_capture = True  # nobody asks what a group took
    options.log_errors = False
    options.case_sensitive = not ignore_case
    if encoding == "latin-1":
        options.encoding = re2.Options.Encoding.LATIN1

    def compiled(source: bytes, anchor: object) -> Match:
        pattern = re2.compile(b"(?m)" + source, options)
        return partial(pattern._regexp.Match, anchor)  # noqa: SLF001  (its match objects take half
        # of the time)

    return compiled


def _run(matcher: Callable[[bytes, object], Match], source: bytes) -> Match | None:
    """A pattern for many lines at once; None where that would be another one, or too large."""
    import re2

    if _ANY_BYTE_OR_QUOTED.search(source):
        return None
    try:
        return matcher(linefinding.RUN % source, re2._Anchor.ANCHOR_START)  # noqa: SLF001
    except re2.error:
        return None


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


# The regex package -------------------------------------------------------------------------------


def _by_regex(wish: Wish) -> Pattern:
    import regex

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
        left = linefinding.first(shown, within, _is_word, word=wish.word)
        return len(shown[:left].encode("utf-8", "surrogateescape")) if left > 0 else left

    lines = linefinding.each_line(place)
    part = read(wish.pattern, ignore_case=wish.ignore_case)
    return Pattern(lines, place, required.required(part), folds=True, engine="regex")


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
    said = getattr(fault, "msg", None) or str(fault) or type(fault).__name__
    return unreadable(pattern, said, getattr(fault, "pos", None))


def unreadable(pattern: str, said: str, place: int | None = None) -> SlipError:
    """The refusal of a pattern. place: where its fault is, from 0."""
    shown = ascii(pattern)[1:-1]
    where = "" if place is None else f" at character {place + 1}"
    return SlipError(
        "usage",
        f"pattern '{shown}': {said}{where}",
        hint=hints.of("slip", "search", "--fixed", "--", pattern),
        data={"pattern": shown, "position": place},
    )
