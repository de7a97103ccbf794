"""What hosts are told and what is written for them, as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipstream_git import hostings


def _hooked(value: hostings.Hooked) -> Iterable[str]:
    if value.output is not None:
        yield json.dumps(value.output)


def _line(value: hostings.Line) -> Iterable[str]:
    if value.line:
        yield value.line


def _set_up(value: hostings.SetUp) -> Iterable[str]:
    for file in value.files:
        yield f"{file.action} {file.path}"
        if file.diff:
            yield file.diff.rstrip("\n")
    if value.entry:
        yield value.entry.rstrip("\n")
    yield from (f"# {line}" for line in value.advice or ())


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Hooked": _hooked,
    "Line": _line,
    "SetUp": _set_up,
}
