"""What a server says when it has ended, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import counted

if TYPE_CHECKING:
    from slipstream_git import outcomes


def _served(value: outcomes.Served) -> Iterable[str]:
    yield f"ended ({value.ended}) after {counted(value.requests, 'request')}"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {"Served": _served}
