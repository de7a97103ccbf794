"""Plain command lines, read without click (which costs 20 ms to import).

Takes only what has one reading: whole option names, values that do not begin with a dash, as many
arguments as the table says. For anything else the answer is None and click decides; a property
test holds that the two never read a line differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slipstream_git.faces.calls import Call
from slipstream_git.operations import registry
from slipstream_git.operations.registry import Operation, Parameter
from slipstream_git.text.decimals import decimal

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
    options = _options(row)
    values: dict[str, Any] = {}
    loose: list[str] = []
    for word in words:
        name, equals, text = word.partition("=")
        if word in FLAGS:
            continue
        if word == "--":
            loose += words
        elif word == "-C":
            directory = next(words, "-")
            if not directory or directory.startswith("-"):
                return None
        elif word == "-" or not word.startswith("-"):
            loose.append(word)
        elif (
            name not in options
            or (equals and not name.startswith("--"))
            or not _take(options[name], name, text if equals else None, words, values)
        ):
            return None
    if not _place(row, loose, values) or _lacks(row, values):
        return None
    return Call(row, directory, values)


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
