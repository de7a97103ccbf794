"""The lines of a text that match, found by whatever finds where a pattern matches first.

A line is what stands between line breaks. Nothing here knows how a pattern is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

# The bytes of words.
WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
# A pattern for lines one behind the other in each of which another one matches. (The byte that
# ends one is a line break, since the next begins a line; the last one's may be any.)
RUN = rb"(?:^.*(?:%b).*\C)+"
# After so many lines without one between them the next ones are looked for all at once.
_IN_A_ROW = 3


class Text(Protocol):
    """What is searched: bytes or a memory map."""

    def find(self, text: bytes, start: int, end: int, /) -> int: ...
    def rfind(self, text: bytes, start: int, end: int, /) -> int: ...
    def __getitem__(self, place: slice, /) -> bytes: ...


# Where a line that matches begins and ends, and 1; or so many of them, one behind the other.
Span = tuple[int, int, int]
# The lines of a part of a text that match, in order. The part begins and ends with a line.
Lines = Callable[[Text, int, int], list[Span]]
# The spans of the first match in a part of a text and of its groups: (-1, -1) where there is none.
Match = Callable[[object, int, int], Sequence[tuple[int, int]]]
# Where in a line the first match begins, in bytes; -1 where it has none.
Place = Callable[[bytes], int]
# Where a pattern matches first in a line, from a place on.
Search = Callable[[Sequence[object], int], tuple[int, int] | None]


def of_literal(literal: bytes) -> Lines:
    """Lines that hold a text."""
    size = len(literal)

    def lines(text: Text, start: int, end: int) -> list[Span]:
        held = text[start:end]  # bytes are searched faster than a map of them
        find, rfind = held.find, held.rfind
        found: list[Span] = []
        behind = 0
        place = find(literal)
        while place >= 0:
            left = rfind(b"\n", behind, place) + 1 or behind
            behind = find(b"\n", place + size) + 1 or end - start + 1
            found.append((start + left, start + behind - 1, 1))
            place = find(literal, behind)
        return found

    return lines


def by_match(search: Match, make_run: Callable[[], Match | None] | None = None) -> Lines:
    """Lines in which a pattern matches. make_run: makes what matches `RUN` of it, if it can."""
    run: Match | None = None

    def lines(text: Text, start: int, end: int) -> list[Span]:
        nonlocal run, make_run
        found: list[Span] = []
        together = 0
        while start < end:
            left, right = search(text, start, end)[0]
            if left < 0 or (left == end and text[end - 1 : end] == b"\n"):
                break  # (behind the last line there is none)
            left = text.rfind(b"\n", start, left) + 1 or start
            right = text.find(b"\n", right, end)
            if right < 0:
                right = end
            found.append((left, right, 1))
            together = together + 1 if left == start else 0
            start = right + 1
            if together < _IN_A_ROW or make_run is None:
                continue
            together = 0
            run = run or make_run()
            if run is None:
                make_run = None
                continue
            behind = _behind(run, text, start, end)
            if behind > start:
                found.append((start, behind - 1, text[start:behind].count(b"\n")))
                start = behind
        return found

    return lines


def _behind(run: Match, text: Text, start: int, end: int) -> int:
    """Where the first line begins that a run leaves out; of an unfinished one nothing is taken."""
    stop = run(text, start, end)[0][1]
    return text.rfind(b"\n", start, stop) + 1 if stop > start else start


def within(search: Match) -> Search:
    """The same of a single line."""

    def found(line: Sequence[object], start: int) -> tuple[int, int] | None:
        left, right = search(line, start, len(line))[0]
        return None if left < 0 else (left, right)

    return found


def as_words(lines: Lines, place: Place) -> Lines:
    """Those of some lines in which a match is a word of its own."""

    def words(text: Text, start: int, end: int) -> list[Span]:
        return [span for span in lines(text, start, end) if place(text[span[0] : span[1]]) >= 0]

    return words


def each_line(place: Place) -> Lines:
    """Lines that match, each looked at by itself: it is all that a pattern sees."""

    def each(text: Text, start: int, end: int) -> list[Span]:
        return [
            (left, left + len(line), 1)
            for left, line in _split(text, start, end)
            if place(line) >= 0
        ]

    return each


def _split(text: Text, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Each line with where it begins."""
    lines = text[start:end].split(b"\n")
    if not lines[-1]:
        lines.pop()
    for line in lines:
        yield start, line
        start += len(line) + 1


def is_word(text: bytes) -> bool:
    """Whether all of its bytes are of words."""
    return WORD.issuperset(text)


def first(
    line: Sequence[object], within: Search, in_word: Callable[[object], bool], *, word: bool
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
        before = left > 0 and in_word(line[left - 1])
        if not before and right > left and not (right < len(line) and in_word(line[right])):
            return left
        start = left + 1
        while start < len(line) and in_word(line[start - 1]):
            start += 1
    return -1
