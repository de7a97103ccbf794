"""How much a reader takes: tokens at 3.6 bytes each, and cursors for what did not fit.

A cursor holds the tree that it is of: going on in another tree would leave out lines, or tell them
twice, without a word.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.text.tokens import BYTES_A_TOKEN, tokens_of

_TREE_DIGITS = 12
# What a line of an answer has beside the text: a number and a few blanks.
LINE_BYTES = 8
LONGEST_LINE = 240
CUT = "…"
# What is told of a long line in front of what it is told for.
_BEFORE = LONGEST_LINE // 4
_LONGEST_CHARACTER = 4


class Budget:
    """What may still be told. tokens: 0 for no limit."""

    def __init__(self, tokens: int) -> None:
        if tokens < 0:
            raise SlipError(
                "usage", f"--tokens {tokens}: give a positive number, or 0 for no limit"
            )
        self._left = tokens * BYTES_A_TOKEN if tokens else float("inf")
        self.spent = 0

    def take(self, size: int) -> bool:
        """Whether so many bytes fit; if so, they are taken. The first thing always fits."""
        if self.spent and size > self._left:
            return False
        self._left -= size
        self.spent += size
        return True

    @property
    def tokens(self) -> int:
        return tokens_of(self.spent)


def cursor(tree: str, number: int) -> str:
    """Where to go on: behind so many."""
    return f"{tree[:_TREE_DIGITS]}+{number}"


def place(tree: str, after: str | None) -> int:
    """How many were told before. Raises `usage`, `stale` for a cursor of another tree."""
    if after is None:
        return 0
    digits, plus, number = after.partition("+")
    if not (plus and number.isdecimal() and len(number) < 12 and len(digits) == _TREE_DIGITS):
        raise SlipError("usage", f"--after {after!r}: take what an answer gave as `next`")
    if not tree.startswith(digits):
        raise SlipError("stale", "what is read has changed since; begin again without --after")
    return int(number)


def text_of(data: bytes) -> tuple[str, bool | None]:
    """Bytes as text, and True where there are some that are not UTF-8."""
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), True


class Excerpt(NamedTuple):
    """A line as it is told. cut: some of it is left out, with "…" in its place."""

    text: str
    lossy: bool | None = None
    cut: bool | None = None


def excerpt(line: bytes, at: int = 0) -> Excerpt:
    """A line; of one that is too long the part around the byte ``at``, from its beginning where
    that is not far.
    """
    if len(line) <= LONGEST_LINE:
        return Excerpt(*text_of(line))
    room = LONGEST_LINE - 2 * len(CUT.encode())
    start = 0
    if at > room - _BEFORE:
        start = _edge(line, min(at - _BEFORE, len(line) - room))
    end = _edge(line, start + room)
    text, lossy = text_of(line[start:end])
    shown = (CUT if start else "") + text + (CUT if end < len(line) else "")
    return Excerpt(shown, lossy, cut=True)


def _edge(line: bytes, place: int) -> int:
    """The place, or the one shortly before that is not in the middle of a character."""
    for edge in range(place, max(place - _LONGEST_CHARACTER, 0), -1):
        if edge >= len(line) or line[edge] & 0xC0 != 0x80:
            return edge
    return place


def named(path: bytes) -> dict[str, Any]:
    """The fields of an answer that name a path."""
    from slipstream_git.results import path_b64

    shown = paths.display(path)
    return {"path": shown, "path_b64": path_b64(path, shown)}


def page(total: int, start: int, shown: int, tree: str) -> tuple[bool, str | None]:
    """Whether something is left behind what was shown, and the cursor for it."""
    end = start + shown
    return (True, cursor(tree, end)) if end < total else (False, None)
