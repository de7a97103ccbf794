"""Text put into Markdown as GitHub and GitLab read it, so that it shows as what it is.

What comes from a repository makes no heading, link, image, HTML or table cell of its own there,
calls nobody (``@name``) and closes nothing (``fixes #1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*{}\[\]|~>$]|(?<![^\W_])_|_(?![^\W_]))")
# At the beginning of a line: headings, lists, rules, underlines of headings.
_LEADING = re.compile(r"^([#+\-=]|\d+(?=[.)]))")
_CALLING = re.compile(r"((?<![\w`])[@#!](?=\w)|[#!](?=\d)|\bGH-(?=\d)|^/(?=\w))", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RUN = re.compile(r"`+")
# It shows as nothing, and parts a sign from the name that it would call.
JOINER = "\u2060"


def plain(text: str) -> str:
    """One line of text."""
    flat = " ".join(_CONTROL.sub("\ufffd", text).split())
    called = _CALLING.sub(rf"\1{JOINER}", flat)
    shown = _SPECIAL.sub(r"\\\1", called).replace("&", "&amp;").replace("<", "&lt;")
    leading = _LEADING.match(shown)
    if leading is None:
        return shown
    sign = leading[1]
    return (f"{sign}\\" if sign.isdigit() else f"\\{sign}") + shown[len(sign) :]


def code(text: str) -> str:
    """One line as code, in a table, too."""
    flat = _CONTROL.sub("\ufffd", text).replace("\n", "\ufffd")
    fence = "`" * (_longest_run(flat) + 1)
    edge = " " if flat.startswith("`") or flat.endswith("`") or not flat.strip() else ""
    # A bar would end a table's cell even in here.
    return f"{fence}{edge}{flat}{edge}{fence}".replace("|", "\\|")


def block(text: str) -> str:
    """Lines as a block of code."""
    clean = _CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))
    fence = "`" * max(3, _longest_run(clean) + 1)
    return f"{fence}text\n{clean.rstrip()}\n{fence}"


def paragraphs(text: str) -> str:
    """A message: its lines as they are broken, its blank lines as they are."""
    lines = text.strip().split("\n")
    return "\n".join(f"{plain(line)}\\" if _goes_on(lines, i) else plain(line)
                     for i, line in enumerate(lines))  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are Markdown already. Columns whose head ends in a space are numbers."""
    marks = ["--:" if name.endswith(" ") else "---" for name in head]
    every = [head, marks, *rows]
    return "\n".join(f"| {' | '.join(cell.strip() for cell in row)} |" for row in every)


def _goes_on(lines: Sequence[str], place: int) -> bool:
    return bool(lines[place].strip()) and place + 1 < len(lines) and bool(lines[place + 1].strip())


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN.findall(text)), default=0)
