"""Words of a command line as the values of an operation, where they have one reading.

Takes only whole option names, values that do not begin with a dash, and as many arguments as the
table says. Two ask: the command line, for which click decides about everything else
(`faces/argv.py`), and steps of skills, which are held to this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from slipstream_git.operations.registry import Operation, Parameter
from slipstream_git.text.decimals import decimal


class NotPlainError(Exception):
    """These words have another reading, or none."""


def _nothing(_word: str, _words: Iterator[str]) -> bool:
    return False


def read(
    row: Operation,
    words: Iterable[str],
    elsewhere: Callable[[str, Iterator[str]], bool] = _nothing,
) -> dict[str, Any]:
    """The values that the words behind an operation's name give. Raises `NotPlainError`.

    elsewhere: takes a word, and what belongs to it, that says something beside the operation.
    """
    options = _options(row)
    values: dict[str, Any] = {}
    loose: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, text = word.partition("=")
        if elsewhere(word, left):
            continue
        if word == "--":
            loose += left
        elif word == "-" or not word.startswith("-"):
            loose.append(word)
        elif (
            name not in options
            or (equals and not name.startswith("--"))
            or not _take(options[name], name, text if equals else None, left, values)
        ):
            raise NotPlainError
    if not _place(row, loose, values) or _lacks(row, values):
        raise NotPlainError
    return values


def _lacks(row: Operation, values: Mapping[str, Any]) -> bool:
    """Whether an option is missing that has to be given."""
    options = (parameter for parameter in row.parameters if not parameter.positional)
    return any(option.default is ... and option.name not in values for option in options)


def _options(row: Operation) -> Mapping[str, Parameter]:
    found: dict[str, Parameter] = {}
    for parameter in row.parameters:
        if parameter.positional:
            continue
        for name in (parameter.option, parameter.short):
            if name:
                found[name] = parameter
        if parameter.kind.value == "switch":
            found[parameter.negative] = parameter
    return found


def _take(
    parameter: Parameter,
    name: str,
    text: str | None,
    words: Iterator[str],
    values: dict[str, Any],
) -> bool:
    """Read one option's value; False where this is not for us to read."""
    if parameter.kind.value in ("flag", "switch"):
        values[parameter.name] = name != parameter.negative
        return text is None
    if text is None:
        text = next(words, "--")
        if text.startswith("-") and text != "-":
            return False
    value = _value(parameter, text)
    if parameter.kind.many:
        values[parameter.name] = (*values.get(parameter.name, ()), value)
    else:
        values[parameter.name] = value
    return value is not None


def _value(parameter: Parameter, text: str) -> object:
    return decimal(text) if parameter.kind.value == "number" else text


def _place(row: Operation, loose: list[str], values: dict[str, Any]) -> bool:
    """Give the words without a dash to the arguments, in order; False where they do not fit."""
    places = [p for p in row.parameters if p.positional and p.kind.value != "stdin"]
    for number, parameter in enumerate(places):
        if parameter.kind.many:
            if number != len(places) - 1 or not (loose or parameter.kind.optional):
                return False
            values[parameter.name] = tuple(loose)
            return True
        if loose:
            value = values[parameter.name] = _value(parameter, loose.pop(0))
            if value is None:
                return False
        elif not parameter.kind.optional:
            return False
    return not loose
