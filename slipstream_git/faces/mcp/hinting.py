"""Hints as calls: a command that could be typed becomes the tool and the arguments that do it.

The words are read as the command line reads them, by the same table. What is no command of slip's
(`git config …`) is nothing that a tool does: it stays a text for a shell, under a name of its own.
"""

from __future__ import annotations

import json
import os
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.faces.calls import Call
from slipstream_git.faces.mcp import tools
from slipstream_git.faces.serving import fields
from slipstream_git.operations.registry import Operation, Parameter
from slipstream_git.records import NamedTuple

HELP_OPTIONS: Final = ("--help", "-h")
# Results and errors have commands to type under these names.
FIELDS: Final = ("hint", "fix")
SHELL: Final = "shell"
_BYTES: Final = {"batch": [], "file": "", "stdin": ""}


class Asked(NamedTuple):
    """What was asked for: an operation, its fields, and the list that its asker was shown.

    repo: where the server's own was not meant.
    """

    row: Operation
    given: Mapping[str, Any]
    which: str
    repo: str | None = None


def call(asked: Asked, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The tool and the arguments that do an operation."""
    place = {} if asked.repo is None else {"repo": asked.repo}
    name = tools.name_of(operation)
    if name in tools.listed(asked.which):
        return {"tool": name, "arguments": {**given, **place}}
    return {"tool": tools.MORE, "arguments": {"op": operation, "args": dict(given), **place}}


def help_call(operation: str | None) -> dict[str, Any]:
    """What tells of an operation's fields."""
    args = {} if operation is None else {"args": {"op": operation}}
    return {"tool": tools.MORE, "arguments": {"op": tools.HELP, **args}}


def of(asked: Asked, hint: str) -> dict[str, Any] | None:
    """The calls of a hint, each next one under ``then``; None where a shell is needed for it."""
    made = hints.plain(hint)
    if isinstance(made, hints.Again):
        return _once_more(asked, made)
    if not made.commands or any(joint != "&&" for joint in made.joints):
        return None
    found: dict[str, Any] | None = None
    for words in reversed(made.commands):
        one = _of_words(asked, words)
        if one is None:
            return None
        found = one if found is None else {**one, "then": found}
    return found


def _of_words(asked: Asked, words: Sequence[str | bytes]) -> dict[str, Any] | None:
    program, *rest = (_text(word) for word in words)
    if program != "slip":
        return None
    if any(word in HELP_OPTIONS for word in rest):
        return help_call(tools.named(rest[0]))
    parsed = _parsed(rest)
    if parsed is None or not tools.is_offered(parsed.operation):
        return None
    return call(asked, parsed.operation.name, _fields(parsed.operation, parsed.values))


def _text(word: str | bytes) -> str:
    return word if isinstance(word, str) else word.decode("utf-8", "surrogateescape")


def _parsed(words: Sequence[str]) -> Call | None:
    from slipstream_git.faces import argv

    found = argv.parse(words)
    if found is not None:
        return found
    from slipstream_git.faces import cli  # its import is dear, and few hints need it

    try:
        return cli.parse(words)
    except SlipError:
        return None


def _fields(row: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of a command, as JSON; the defaults of click are what was not given."""
    found: dict[str, Any] = {}
    for parameter in row.parameters:
        value = values.get(parameter.name)
        if value is None or value in ((), parameter.default):
            continue
        if parameter.kind.value in _BYTES:  # a file to be named: here its text is given
            found[parameter.name] = _BYTES[parameter.kind.value]
        elif isinstance(value, (str, tuple)):
            found |= _spelled(parameter.name, value)
        else:
            found[parameter.name] = value
    return found


def _spelled(name: str, value: str | tuple[str, ...]) -> dict[str, Any]:
    """A field of text; in base64 where it is not UTF-8."""
    words = [value] if isinstance(value, str) else list(value)
    try:
        "".join(words).encode()
    except UnicodeEncodeError:
        name += fields.IN_BASE64
        words = [b2a_base64(os.fsencode(word), newline=False).decode() for word in words]
    return {name: words[0] if isinstance(value, str) else words}


def _once_more(asked: Asked, again: hints.Again) -> dict[str, Any]:
    """The same call with fields said otherwise, or left out."""
    options = {p.option: p for p in asked.row.parameters}
    options |= {p.short: p for p in asked.row.parameters if p.short}
    options |= {p.negative: p for p in asked.row.parameters if p.kind.value == "switch"}
    given = dict(asked.given)
    for word in again.without:
        if word in options:
            given.pop(options[word].name, None)
    name, *value = again.changed or ("",)
    if name in options:
        given[options[name].name] = _changed(options[name], name, value)
    return call(asked, asked.row.name, given)


def _changed(parameter: Parameter, name: str, value: Sequence[str]) -> Any:
    if parameter.kind.value in ("flag", "switch"):
        return name != parameter.negative
    if parameter.kind.many:
        return list(value)
    return int(value[0]) if parameter.kind.value == "number" else value[0]


def session_added(asked: Asked, session: str) -> dict[str, Any]:
    """The same call with the session that it lacked."""
    return call(asked, asked.row.name, {**asked.given, "session": session})


# In answers ---------------------------------------------------------------------------------------


def in_json(asked: Asked, value: Any, clean: Callable[[str], str]) -> Any:
    """JSON values with each hint as a call, and each text as ``clean`` makes it."""
    if isinstance(value, str):
        return of(asked, value) if isinstance(value, hints.Hint) else clean(value)
    if isinstance(value, list):
        return [in_json(asked, item, clean) for item in value]
    if not isinstance(value, dict):
        return value
    told: dict[str, Any] = {}
    for key, item in value.items():
        if key in FIELDS and isinstance(item, str):
            made = of(asked, item)
            told[clean(key)] = made
            if made is None:
                told[SHELL] = clean(str(item))
        else:
            told[clean(key)] = in_json(asked, item, clean)
    return told


def as_text(asked: Asked, hint: str) -> str:
    """A hint in a line of text."""
    made = of(asked, hint)
    return str(hint) if made is None else said(made)


def said(made: Mapping[str, Any]) -> str:
    """Calls in a line of text."""
    line = f"{made['tool']} {json.dumps(made['arguments'], ensure_ascii=False)}"
    return f"{line}, then {said(made['then'])}" if "then" in made else line
