"""Markdown: headings, as CommonMark has them, with the section each begins.

Fenced and indented code, HTML comments and front matter hold none. A heading inside a quotation
or a list is not the document's structure, and is left out. ``line`` to ``end`` is the section: up
to the next heading of the same level or a higher one.
"""

from __future__ import annotations

import re
from itertools import takewhile

from slipstream_git.readings import Outline, Symbol
from slipstream_git.records import NamedTuple
from slipstream_git.text.outlining import remarks
from slipstream_git.text.outlining.assembling import LONGEST_SIGNATURE, MOST_SYMBOLS, Lines, joined

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r"[ \t]*(?:[-*+] |\d+[.)] |> ?)*[ \t]*(`{3,}(?=[^`]*$)|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_PARAGRAPH = re.compile(
    r"(?: {4}|\t| {0,3}(?:>|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|[-*_= \t]+$))"
)
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_ANCHOR = re.compile(r"[ \t]*\{#[^}]*\}$|<[^>]+>")


class _Heading(NamedTuple):
    level: int
    text: str
    line: int
    after: int  # the first line behind it, setext's underline included


def outline(data: bytes) -> Outline:
    """The outline of a Markdown file."""
    text = [line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n")]
    lines = Lines(data)
    headings = _headings(text)
    symbols = _symbols(headings, text, lines)
    first = headings[0].level == 1 if headings else False
    begins = headings[0].after - 1 if first else 0
    return Outline(
        language="markdown",
        engine="headings",
        lines=len(lines),
        symbols=tuple(symbols[:MOST_SYMBOLS]),
        imports=(),
        names={},
        summary=_opening(text, begins),
        fault="too-many" if len(symbols) > MOST_SYMBOLS else "",
        omitted=max(0, len(symbols) - MOST_SYMBOLS),
    )


def _headings(text: list[str]) -> list[_Heading]:
    found: list[_Heading] = []
    paragraph: list[int] = []
    for place in _prose(text):
        line = text[place]
        if heading := _ATX.match(line):
            found.append(_Heading(len(heading[1]), _plain(heading[2] or ""), place + 1, place + 2))
            paragraph = []
        elif paragraph and paragraph[-1] == place - 1 and (under := _UNDERLINE.match(line)):
            said = " ".join(text[at].strip() for at in paragraph)
            level = 1 if under[1][0] == "=" else 2
            found.append(_Heading(level, _plain(said), paragraph[0] + 1, place + 2))
            paragraph = []
        elif not line.strip() or _interrupts(line, going_on=bool(paragraph)):
            paragraph = []
        elif paragraph and paragraph[-1] == place - 1:
            paragraph.append(place)
        else:
            # What goes on a quotation or a list item, lazily, begins no paragraph of its own.
            lazy = place and text[place - 1].strip() and _NO_PARAGRAPH.match(text[place - 1])
            after_atx = place and _ATX.match(text[place - 1])
            paragraph = [] if lazy and not after_atx else [place]
    return found


def _interrupts(line: str, *, going_on: bool) -> bool:
    """Whether a line is no paragraph's: indented code is one that does not end a paragraph."""
    return bool(_NO_PARAGRAPH.match(line)) and not (going_on and line.startswith(("    ", "\t")))


def _prose(text: list[str]) -> list[int]:
    """The lines outside of front matter, fenced code and HTML comments."""
    kept: list[int] = []
    place = _front_matter(text)
    fence, comment = "", False
    for at in range(place, len(text)):
        line = text[at]
        if comment:
            comment = "-->" not in line
        elif fence:
            closing = line.strip(" \t>")
            if set(closing) == {fence[0]} and len(closing) >= len(fence):
                fence = ""
        elif opening := _FENCE.match(line):
            fence = opening[1]
        elif line.lstrip().startswith("<!--"):
            comment = "-->" not in line
        else:
            kept.append(at)
    return kept


def _front_matter(text: list[str]) -> int:
    """How many lines of metadata a document begins with."""
    if text[0].lstrip("\ufeff") not in ("---", "+++"):
        return 0
    mark = text[0].lstrip("\ufeff")
    held = sum(1 for _ in takewhile(lambda line: line.rstrip() != mark, text[1:]))
    return held + 2 if held + 1 < len(text) else 0


def _symbols(headings: list[_Heading], text: list[str], lines: Lines) -> list[Symbol]:
    symbols: list[Symbol] = []
    above: list[tuple[int, str]] = []
    ends = _section_ends(headings, len(lines))
    for heading, end in zip(headings, ends, strict=True):
        while above and above[-1][0] >= heading.level:
            above.pop()
        name = heading.text
        source = text[heading.line - 1]
        symbols.append(
            Symbol(
                name=name,
                kind="heading",
                line=heading.line,
                end=end,
                signature=f"{'#' * heading.level} {name}"[:LONGEST_SIGNATURE],
                parent=above[-1][1] if above else "",
                summary=_opening(text, heading.after - 1),
                doc=heading.line,
                start=lines.begins(heading.line),
                stop=lines.ends(end),
                at=(heading.line, len(source[: max(0, source.find(name))].encode())),
            )
        )
        above.append((heading.level, joined(above[-1][1] if above else "", name)))
    return symbols


def _section_ends(headings: list[_Heading], last: int) -> list[int]:
    ends: list[int] = []
    following: dict[int, int] = {}  # level: the line of the next heading of that level
    for heading in reversed(headings):
        stops = [line for level, line in following.items() if level <= heading.level]
        ends.append(max(min(stops, default=last + 1) - 1, heading.after - 1))
        following[heading.level] = heading.line
    return ends[::-1]


def _opening(text: list[str], begins: int) -> str:
    """The first sentence behind a place, if prose comes before the next heading."""
    paragraph: list[str] = []
    for line in text[begins : begins + 40]:
        if _ATX.match(line) or _FENCE.match(line) or (paragraph and _UNDERLINE.match(line)):
            break
        blank = not line.strip()
        idle = line.lstrip().startswith(("<", "[![", "![", "|", "---", "- ", "* ", "+ ", ">"))
        if paragraph and (blank or idle):
            break
        if not blank and not idle:
            paragraph.append(_plain(line))
    return remarks.sentence(paragraph)


def _plain(text: str) -> str:
    """A heading without marks of links, emphasis and anchors; code keeps its words."""
    said = _ANCHOR.sub("", _LINK.sub(r"\1", text))
    said = said.replace("`", "").replace("**", "").replace("\\", "")
    return " ".join(said.split())
