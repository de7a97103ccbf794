"""A mind map in Mermaid's syntax, in which nothing from a repository is syntax.

A node's text stands in `["…"]`, where Mermaid knows entities (`#34;`, `#quot;`) and reads Markdown
between back quotes alone. So signs that could end the text, begin an entity or be read as HTML are
written as entities themselves; line breaks and controls are not there at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from slipstream_git.records import NamedTuple

_ODD: Final = re.compile(r"[^\w ./:+,()@=-]|_")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_LONGEST: Final = 80


class Node(NamedTuple):
    text: str
    below: Sequence[Node] = ()


def mindmap(root: Node) -> str:
    """The text of a map, without a fence."""
    return "\n".join(("mindmap", *_lines(root, 1, iter(range(1 << 30)))))


def label(text: str) -> str:
    """A text as it stands between the quotes of a node."""
    flat = " ".join(_CONTROL.sub("\ufffd", text).split()) or " "
    short = flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"
    return _ODD.sub(lambda found: f"#{ord(found[0])};", short)


def _lines(node: Node, depth: int, numbers: Iterator[int]) -> Iterator[str]:
    yield f'{"  " * depth}n{next(numbers)}["{label(node.text)}"]'
    for inner in node.below:
        yield from _lines(inner, depth + 1, numbers)
