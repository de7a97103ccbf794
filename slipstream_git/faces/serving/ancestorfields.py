"""The ancestor's methods and their fields, as strict as all others: what is unknown is refused.

Lines are counted from 0 here, and ranges are half-open, as they were there; nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from slipstream_git.errors import SlipError
from slipstream_git.faces.serving import fields

MOST_OPS: Final = 1000
MOST_FILES: Final = 1000
_LARGEST_NUMBER: Final = fields.LARGEST_NUMBER

# Also accepted.
_ALIASES: Final = {"old": "old_str", "new": "new_str", "lines": "content"}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise fields.wrong(f"{name} is text")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise fields.wrong(f"{name} holds half of a surrogate pair")
    return value


def _plain(name: str, value: object) -> str:
    text = _text(name, value)
    if not text or "\0" in text:
        raise fields.wrong(f"{name} is empty or holds a zero byte")
    return text


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise fields.wrong(f"{name} is true or false")
    return value


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_NUMBER:
        raise fields.wrong(f"{name} is a whole number from 0 up")
    return value


def _files(name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise fields.wrong(f"{name} is a list of paths")
    if len(value) > MOST_FILES:
        raise SlipError("too-large", f"{name} has at most {MOST_FILES} paths, not {len(value)}")
    return [_plain(name, item) for item in value]


def _content(name: str, value: object) -> str | list[str]:
    if not isinstance(value, list):
        return _text(name, value)
    lines = [_text(name, item) for item in value]
    if any("\n" in line for line in lines):
        raise fields.wrong(
            f"{name} has a line with a line end in it; give it as two, or all as text"
        )
    return lines


def _ops(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise fields.wrong(f"{name} is a list")
    if len(value) > MOST_OPS:
        raise SlipError("too-large", f"{name} has at most {MOST_OPS} entries, not {len(value)}")
    return value


_Fields = Mapping[str, tuple[Callable[[str, object], object], bool]]
_SESSION: Final[_Fields] = {"session_id": (_plain, True), "repo": (_plain, False)}
_PATH: Final[_Fields] = {"path": (_plain, True)}
_RANGE: Final[_Fields] = {"start": (_number, False), "end": (_number, False)}
_FLUSH: Final[_Fields] = {"force": (_flag, False), "message": (_text, False)}

OPS: Final[Mapping[str, _Fields]] = {
    "file.read": {**_PATH, **_RANGE, "count": (_number, False)},
    "file.write": {**_PATH, **_RANGE, "content": (_content, True)},
    "file.str_replace": {
        **_PATH,
        "old_str": (_text, True),
        "new_str": (_text, True),
        "replace_all": (_flag, False),
    },
    "cursor.move": {**_PATH, "to": (_number, True)},
}
METHODS: Final[Mapping[str, _Fields]] = {
    "session.open": {
        "files": (_files, True),
        "name": (_plain, False),
        "repo": (_plain, False),
        "create": (_flag, False),
    },
    "session.flush": {**_SESSION, **_FLUSH},
    "session.close": {**_SESSION, **_FLUSH, "flush": (_flag, False)},
    "session.list": {"repo": (_plain, False)},
    **{name: {**_SESSION, **known} for name, known in OPS.items()},
    "batch": {**_SESSION, "ops": (_ops, True)},
}


def checked(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a method under their own names. Raises `Misasked`; `too-large`."""
    return _checked(method, METHODS[method], given)


def op(item: object) -> tuple[str, dict[str, Any]]:
    """One entry of a batch: its method and fields. Raises `Misasked`."""
    if not isinstance(item, dict):
        raise fields.wrong("an op is an object with a field method")
    given = dict(item)
    method = given.pop("method", None)
    if method not in OPS:
        shown = str(method)[: fields.LONGEST_NAME]
        raise fields.wrong(f"{shown!r} is no method of an op; those are: {', '.join(OPS)}")
    return method, _checked(method, OPS[method], given)


def _checked(method: str, known: _Fields, given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, value in given.items():
        name = field if field in known else _ALIASES.get(field, field)
        if name not in known:
            raise _unknown(method, known, field)
        if value is None:
            continue
        if name in found:
            raise fields.wrong(f"{field} and {name} are the same field, given twice")
        found[name] = known[name][0](field, value)
    for name, (_, is_needed) in known.items():
        if is_needed and name not in found:
            raise fields.wrong(f"{method} needs {name}")
    _check_together(found)
    return found


def _check_together(found: Mapping[str, Any]) -> None:
    start, end = found.get("start"), found.get("end")
    if start is not None and end is not None and end < start:
        raise fields.wrong(f"end {end} comes before start {start}")
    if end is not None and "count" in found:
        raise fields.wrong("end or count, not both")


def _unknown(method: str, known: _Fields, field: str) -> Exception:
    if not field:
        return fields.wrong(f"the fields of {method} are given by name")
    close = fields.nearest(field, [*known])
    advice = f"; did you mean {close}?" if close else f"; it has: {', '.join(known)}"
    return fields.wrong(f"{method} has no field {field[: fields.LONGEST_NAME]!r}{advice}")
