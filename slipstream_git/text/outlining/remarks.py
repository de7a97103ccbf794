"""Comments: what stands above a definition, what it says, and what is left of code without them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

LONGEST_SUMMARY = 200

Span = tuple[int, int]

# Marks of comments at the beginning of a line, and at the end of the last.
_MARKS = re.compile(
    r"^[ \t]*(?:/\*+!?<?|/{2,}[!<]?|#+:?|--+\[*|;+|%+|\*+(?!/)|\(\*+|\{-\|?)?[ \t]?"
)
_CLOSING = re.compile(r"[ \t]*(?:\*+/|\*\)|-\}|\]\])[ \t]*\Z")
_TAG = re.compile(r"\s*(?:[@\\][a-z]|:[a-z]+[ :]|#\[|-{3}|={3}|Args:|Returns:|Parameters\b)")
_XML = re.compile(r"</?[A-Za-z][^<>]*>")
_SENTENCE = re.compile(r"(.+?[.!?。])(?:[\s)\"'`]|$)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|cf|vs|resp|approx|Mr|Dr|No)|\b[A-Z])\.$")
_BLANKS = re.compile(rb"\s*")
_PREFIX = re.compile(r"[A-Za-z]{0,3}(\"\"\"|'''|\"|')")
# Comments that speak to a tool, or of the licence, and not of what the file is for.
_IDLE = re.compile(
    r"\A#!|\A\W*(?:-\*-|vim?:|ex:|eslint|jshint|jslint|jscs|global |istanbul|prettier-|@ts-|@flow|"
    r"@generated|tslint|pylint|flake8|noqa|type:|mypy:|ruff:|fmt:|coding[:=]|frozen_string_literal|"
    r"shellcheck|nolint|go:build|\+build|clang-format|rubocop|phpcs|use strict)|"
    r"\b(?:copyright|licen[cs]ed?|SPDX-|all rights reserved|\(c\) \d{4}|GNU General Public)",
    re.IGNORECASE,
)


class Remarks:
    """The comments and attributes of one file, asked by where code stands."""

    def __init__(
        self,
        data: bytes,
        comments: list[Span],
        attributes: list[Span],
        docstrings: list[Span],
        inner: bytes = b"",
    ) -> None:
        self._inner = inner
        self._data = data
        self._comments = sorted(comments)
        self._starts = [start for start, _ in self._comments]
        self._attributes = sorted(attributes)
        self._attribute_starts = [start for start, _ in self._attributes]
        both = sorted(
            [(*span, False) for span in comments] + [(*span, True) for span in attributes]
        )
        self._both = both
        self._both_starts = [start for start, _, _ in both]
        self._docstrings = dict(docstrings)
        self._ends = dict(self._comments) if docstrings else {}

    def above(self, start: int) -> tuple[int, int]:
        """Where the definition at ``start`` begins with its attributes, and with its comment."""
        first = top = start
        place = bisect_left(self._both_starts, start) - 1
        while place >= 0:
            begins, ends, attribute = self._both[place]
            gap = self._data[ends:top]
            if gap.strip() or gap.count(b"\n") > (self._data[ends - 1 : ends] != b"\n"):
                break
            if not attribute and not self._outer(begins):
                break
            top = begins
            if attribute:
                first = begins
            place -= 1
        return first, top

    def _outer(self, begins: int) -> bool:
        """Whether a comment may speak of what follows it, and not of what it stands in."""
        inner = bool(self._inner) and self._data.startswith(self._inner, begins)
        shebang = begins == 0 and self._data.startswith(b"#!")
        return not inner and not shebang and self._alone(begins)

    def _alone(self, begins: int) -> bool:
        """Whether nothing but blanks stands before a comment on its line."""
        return not self._data[self._data.rfind(b"\n", 0, begins) + 1 : begins].strip()

    def trimmed(self, start: int, stop: int) -> int:
        """``stop`` without blanks and comments that a parser counted in at the end."""
        data = self._data
        while stop > start:
            while stop > start and data[stop - 1] in b" \t\r\n\f":
                stop -= 1
            place = bisect_left(self._starts, stop) - 1
            if place < 0 or self._comments[place][0] <= start:
                break
            begins, ends = self._comments[place]
            if len(data[begins:ends].rstrip()) + begins < stop:
                break
            stop = begins
        return stop

    def code(self, start: int, stop: int, name: int) -> bytes:
        """The text between two places without comments, and without attributes before the name."""
        cut = self._between(self._comments, self._starts, start, stop)
        cut += self._between(self._attributes, self._attribute_starts, start, name)
        if not cut:
            return self._data[start:stop]
        return b" ".join(outside(self._data[:stop], cut, start))

    @staticmethod
    def _between(spans: list[Span], starts: list[int], start: int, stop: int) -> list[Span]:
        return spans[bisect_left(starts, start) : bisect_left(starts, stop)]

    def summary(self, body: int, above: int, first: int) -> str:
        """The first sentence of the docstring that opens the body, else of the comment above."""
        if body >= 0 and self._docstrings:
            while body in self._ends:
                body = _blank(self._data, self._ends[body])
            if body in self._docstrings:
                return docstring(self._data[body : self._docstrings[body]])
        if above == first:
            return ""
        place, until = bisect_left(self._starts, above), bisect_left(self._starts, first)
        return spoken(self._data[slice(*span)] for span in self._comments[place:until])

    def file_summary(self, before: int) -> str:
        """What the file says of itself: its docstring, else its first comment that is no licence.

        ``before``: where the first definition begins with its own comment.
        """
        for start, ends in self._docstrings.items():
            if start < before:
                return docstring(self._data[start:ends])
            break
        for block in self._blocks(before):
            text = b"\n".join(self._data[slice(*span)] for span in block)
            if not _IDLE.search(text.decode("utf-8", "replace")):
                return spoken(self._data[slice(*span)] for span in block)
        return ""

    def _blocks(self, before: int) -> Iterator[list[Span]]:
        """Comments on lines of their own that follow one another without an empty line."""
        block: list[Span] = []
        for span in self._comments:
            if span[0] >= before:
                break
            if not self._alone(span[0]):
                continue
            if block:
                gap = self._data[block[-1][1] : span[0]]
                joins = not gap.strip() and gap.count(b"\n") < 2
                if not joins or _IDLE.match(self._text(block[-1])):
                    yield block
                    block = []
            block.append(span)
        if block:
            yield block

    def _text(self, span: Span) -> str:
        return self._data[slice(*span)].decode("utf-8", "replace")


def _blank(data: bytes, start: int) -> int:
    """Behind the blanks that stand at a place."""
    found = _BLANKS.match(data, start)
    return found.end() if found else start


def outside(data: bytes, spans: list[Span], start: int = 0) -> list[bytes]:
    """The pieces of a text between spans, which may nest."""
    spans.sort()
    pieces = []
    for begins, ends in spans:
        if begins > start:
            pieces.append(data[start:begins])
        if ends > start:  # noqa: PLR1730  (as `max`, which costs a call)
            start = ends
    pieces.append(data[start:])
    return pieces


def without(spans: list[Span], holes: list[Span]) -> list[Span]:
    """Spans less the holes in them. What lies within a hole is kept: it is a span of its own."""
    holes.sort()
    starts = [start for start, _ in holes]
    kept: list[Span] = []
    for start, stop in spans:
        for begins, ends in holes[bisect_left(starts, start) : bisect_left(starts, stop)]:
            if begins >= start:
                kept.append((start, begins))
                start = ends  # noqa: PLW2901  (the rest of the span)
        kept.append((start, stop))
    return kept


def docstring(literal: bytes) -> str:
    """The first sentence of a Python string literal."""
    text = literal.decode("utf-8", "replace")
    if opening := _PREFIX.match(text):
        text = text[opening.end() :].removesuffix(opening[1])
    return sentence(text.splitlines())


def spoken(comments: Iterable[bytes]) -> str:
    """The first sentence of comments, without their marks."""
    return sentence(_unmarked(comments))


def _unmarked(comments: Iterable[bytes]) -> Iterator[str]:
    for comment in comments:
        text = _CLOSING.sub("", comment.decode("utf-8", "replace").strip())
        for line in text.splitlines() or [""]:
            yield _MARKS.sub("", line)


def sentence(lines: Iterable[str]) -> str:
    """The first sentence of the first paragraph that is no tag and no rule, on one line."""
    words: list[str] = []
    for line in lines:
        said = (_XML.sub("", line) if "<" in line else line).strip()
        if _TAG.match(said) or not any(map(str.isalnum, said)):
            if words:
                break
            continue
        words.append(said)
    text = " ".join(" ".join(words).split())
    end = 0
    while found := _SENTENCE.match(text, end):
        end = found.end(1)
        if not _ABBREVIATION.search(text[:end]):
            text = text[:end]
            break
    if len(text) > LONGEST_SUMMARY:
        return text[: LONGEST_SUMMARY - 1].rstrip() + "…"
    return text
