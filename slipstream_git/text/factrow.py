"""A fact in one line, as it is printed and as a reader's budget counts it.

Whoever wrote it is not whoever asks: its words stand in quotes, on this line, and nothing in them
can move a cursor.
"""

from __future__ import annotations

from typing import Final

from slipstream_git.recollections import Digested, FactRow
from slipstream_git.text.paths import escape_for_terminal

# So much of an id is printed; `slip forget` takes it.
SHORT: Final = 10
INDENT: Final = "  "


def one_line(text: str) -> str:
    """What others wrote, in one line, with nothing that a terminal acts on."""
    return escape_for_terminal(text).replace("\n", "\\n").replace("\t", "\\t")


def printed(row: FactRow) -> str:
    """The fact, what it is about, and what has to be known of it."""
    about = f" {one_line(row.about)}" if row.about else ""
    marks = [f"stale: what it speaks of is {row.stale_why}"] if row.stale else []
    if row.contested:
        marks.append(f"contested by {', '.join(other[:SHORT] for other in row.contested)}")
    if row.elsewhere:
        marks.append("not in this history")
    if row.why:
        marks.append(f"why: {', '.join(row.why)}")
    behind = f" ({'; '.join(map(one_line, marks))})" if marks else ""
    return f'{row.id[:SHORT]} {row.kind}{about}: "{one_line(row.text)}"{behind}'


def rest(left: int, known: int) -> str:
    """What is said of the facts that are not told."""
    if left:
        return f"# {left} more are near, of {known} (slip facts)"
    if known:
        return f"# nothing says which of {known} facts are near; slip facts lists them"
    return "# nothing is remembered here yet"


def digested(value: Digested) -> list[str]:
    """Where things stand, line by line, and what is otherwise since."""
    lines = []
    if value.written is not None:
        lines.append(f"# as it was noted at {value.written}")
    for title, rows in value.sections.items():
        lines += [f"{title}:", *(f"{INDENT}{row}" for row in rows)]
    if value.since is not None:
        lines += ["# since then" if value.since else "# and nothing has changed since"]
        lines += value.since
    return lines or ["# nothing is open, decided or planned here"]
