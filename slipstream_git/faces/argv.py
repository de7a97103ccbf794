"""Plain command lines, read without click (which costs 20 ms to import).

Takes only what has one reading (`operations/plainwords.py`). For anything else the answer is None
and click decides; a property test holds that the two never read a line differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipstream_git.faces.calls import Call
from slipstream_git.operations import registry
from slipstream_git.operations.plainwords import NotPlainError, read
from slipstream_git.operations.registry import Operation

FLAGS = ("--json", "--no-color")


def parse(arguments: Sequence[str]) -> Call | None:
    """The call that these words make, None where click should read them."""
    words = iter(arguments)
    directory = "."
    for word in words:
        if word in FLAGS:
            continue
        if word == "-C":
            directory = next(words, "-")
            if not directory or directory.startswith("-"):
                return None
        elif word in registry.names():
            row = registry.find(word)
            call = None if row is None else _command(row, directory, words)
            # A value never begins with a dash here, so these words are the options themselves.
            ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
            as_json, plain = (flag in ours for flag in FLAGS)
            return None if call is None else call._replace(json=as_json, plain=plain)
        else:
            return None
    return None


def _command(row: Operation, directory: str, words: Iterator[str]) -> Call | None:
    where = [directory]

    def for_all(word: str, left: Iterator[str]) -> bool:
        if word == "-C":
            where.append(next(left, "-"))
            if not where[-1] or where[-1].startswith("-"):
                raise NotPlainError
        return word == "-C" or word in FLAGS

    try:
        values = read(row, words, for_all)
    except NotPlainError:
        return None
    return Call(row, where[-1], values)
