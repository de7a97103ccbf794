"""Results as text for people and language models: compact, sorted, safe on a terminal.

Each area of operations has a module in `renderers/`, with one renderer a shape; whatever comes from
a repository goes through `paths.escape_for_terminal`, so that a file name cannot move the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from slipstream_git.operations import registry
from slipstream_git.text.paths import escape_for_terminal

BOLD, RED, GREEN, YELLOW, CYAN = "1", "31", "32", "33", "36"


def render(operation: str, value: Any, *, color: bool, terminal: bool) -> str:
    """The text of a result.

    On a terminal nothing in it can move the cursor; elsewhere bytes stay as they are, so that what
    `slip diff` prints can be applied.
    """
    if operation == "begin":
        return str(value.session)
    text = "\n".join(lines(operation, value))
    if terminal:
        text = escape_for_terminal(text)
    return _colored(text) if color else text


def lines(operation: str, value: Any) -> Iterable[str]:
    """A result of this operation, line by line, as it is."""
    area = import_module(f"slipstream_git.faces.renderers.{registry.area(operation)}")
    rendered: Iterable[str] = area.RENDERERS[type(value).__name__](value)
    return rendered


def _colored(text: str) -> str:
    return "\n".join(_colored_line(line) for line in text.split("\n"))


def _colored_line(line: str) -> str:
    code = {"+": GREEN, "-": RED, "@": CYAN, "#": YELLOW, "$": BOLD}.get(line[:1])
    if line.startswith(("diff ", "index ", "+++", "---")):
        code = BOLD
    return f"\x1b[{code}m{line}\x1b[0m" if code else line
