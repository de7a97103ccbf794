"""Whether a file can be parsed, and where not: a parser alone, which is made in a millisecond.

outline.py tells what a file defines, and has far more to load for it.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from slipstream_git.text.outlining import detecting
from slipstream_git.text.outlining.grammar import Grammar

if TYPE_CHECKING:
    from tree_sitter import Language, Parser

#: Parsing takes some forty times the memory of the text.
LARGEST = 10_000_000

_KEPT_HIGH = bytes(range(0x80)) + b"x" * 0x80


def language(grammar: Grammar) -> Language:
    """A grammar as tree-sitter takes it. Raises ImportError where its wheel is not installed."""
    import tree_sitter

    maker = getattr(import_module(grammar.module), grammar.maker)
    # Some wheels still give a number where others give a capsule: that warns and works.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        capsule: object = maker()
        return tree_sitter.Language(capsule)


@cache
def _parser(name: str) -> Parser | None:
    grammar = detecting.grammar(name)
    if grammar is None:
        return None
    try:
        import tree_sitter

        return tree_sitter.Parser(language(grammar))
    except (ImportError, ValueError, RuntimeError):  # not installed, or another tree-sitter's
        return None


def first_fault(path: str, data: bytes) -> int | None:
    """The line of the first place that a file's parser skips or makes up; 0 where there is none.

    None where it has no parser.
    """
    parser = _parser(detecting.language_of(path, data)) if len(data) <= LARGEST else None
    if parser is None:
        return None
    # Bytes and lines stay where they are: a lone return is no line break here.
    node = parser.parse(legible(data)).root_node
    if not node.has_error:
        return 0
    while not (node.is_error or node.is_missing):
        wrong = [child for child in node.children if child.has_error or child.is_missing]
        if not wrong:
            break
        node = wrong[0]
    return node.start_point[0] + 1


def legible(data: bytes) -> bytes:
    """What a parser reads: as long as the text, without the bytes that end or upset it.

    A NUL would end the text. Where a text is not UTF-8, each of its high bytes counts as a letter.
    """
    if b"\0" in data:
        data = data.replace(b"\0", b" ")
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.translate(_KEPT_HIGH)
    return data
