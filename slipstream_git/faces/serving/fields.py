"""The fields of a method as JSON has them, turned into an operation's parameters by the table.

They bear the long names of options and arguments. Bytes (a batch, a file's content) are text here,
or ``NAME_b64``; so is text that is not UTF-8, such as a path. A batch may also stand as the list
of ops that it is.
"""

from __future__ import annotations

import json
import os
from binascii import Error as NoBase64
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from typing import Any

from slipstream_git.faces.serving.rpc import INVALID_PARAMS, Misasked
from slipstream_git.operations.registry import Operation, Parameter

IN_BASE64 = "_b64"
BYTES_KINDS = ("file", "batch", "stdin")
# Of what is compared with names, or shown as one that does not exist.
LONGEST_NAME = 40
LARGEST_NUMBER = 2**53  # what every JSON reader has exactly


def values(row: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the handler takes them. Raises `Misasked` for a field that is wrong."""
    known = {parameter.name: parameter for parameter in row.parameters}
    found: dict[str, Any] = {}
    for field, value in given.items():
        name = field if field in known else field.removesuffix(IN_BASE64)
        parameter = known.get(name)
        if parameter is None or (
            name != field and parameter.kind.value in ("number", "flag", "switch")
        ):
            raise _unknown(row, field)
        if name in found:
            raise wrong(f"{name} is given twice, as text and in base64")
        read = _value(parameter, field, value) if name == field else _decoded(parameter, value)
        found[name] = read
    for parameter in row.parameters:
        if found.get(parameter.name) is not None:
            continue
        if parameter.default is ...:
            if not parameter.kind.optional:
                raise wrong(f"{row.name} needs {parameter.name}")
            found[parameter.name] = () if parameter.kind.many else None
        else:
            found[parameter.name] = parameter.default
    return found


def wrong(message: str) -> Misasked:
    """The fault of fields that do not fit."""
    return Misasked(INVALID_PARAMS, message)


def _unknown(row: Operation, field: str) -> Misasked:
    if not field:
        return wrong(f"the fields of {row.name} are given by name")
    names = [parameter.name for parameter in row.parameters] + ["repo"]
    close = nearest(field, names)
    advice = f"; did you mean {close}?" if close else f"; it has: {', '.join(names)}"
    return wrong(f"{row.name} has no field {field[:LONGEST_NAME]!r}{advice}")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that may be meant."""
    from difflib import get_close_matches  # takes long for long names

    close = get_close_matches(name, known, 1) if len(name) <= LONGEST_NAME else []
    return close[0] if close else None


def _value(parameter: Parameter, field: str, value: object) -> object:
    """A field's value as its parameter; null is as if it were not given."""
    kind = parameter.kind
    if value is None or kind.value in ("number", "flag", "switch"):
        return _checked(field, kind.value, value)
    if kind.value == "batch" and isinstance(value, (list, dict)):
        return json.dumps(value).encode()
    if kind.value in BYTES_KINDS:
        return _text(field, value).encode()
    if kind.many:
        return tuple(plain(field, item) for item in _several(parameter, field, value))
    return plain(field, value)


def _checked(field: str, kind: str, value: object) -> object:
    """A value that JSON has as it is."""
    if value is None:
        return None
    if kind != "number":
        if not isinstance(value, bool):
            raise wrong(f"{field} is true or false")
    elif isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_NUMBER:
        raise wrong(f"{field} is a whole number")
    return value


def _several(parameter: Parameter, field: str, value: object) -> list[object]:
    listed = value if isinstance(value, list) else [value]
    if not listed and not parameter.kind.optional:
        raise wrong(f"{field} is empty")
    return listed


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{field} is text")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise wrong(f"{field} holds half of a surrogate pair; give other bytes as {field}_b64")
    return value


def plain(field: str, value: object) -> str:
    """Text that a command line could have. Raises `Misasked`."""
    text = _text(field, value)
    if "\0" in text:
        raise wrong(f"{field} holds a zero byte")
    return text


def _decoded(parameter: Parameter, value: object) -> object:
    field = parameter.name + IN_BASE64
    if parameter.kind.value in BYTES_KINDS:
        return decoded(field, value)
    if parameter.kind.many:
        items = _several(parameter, field, value)
        return tuple(_named(field, item) for item in items)
    return _named(field, value)


def _named(field: str, value: object) -> str:
    """Text of a command line, where any bytes may stand but zero."""
    text = decoded(field, value)
    if b"\0" in text:
        raise wrong(f"{field} holds a zero byte")
    return os.fsdecode(text)


def decoded(field: str, value: object) -> bytes:
    """What a field in base64 holds. Raises `Misasked`."""
    try:
        if isinstance(value, str):
            return a2b_base64(value, strict_mode=True)
    except (NoBase64, ValueError):
        pass
    raise wrong(f"{field} is not base64")
