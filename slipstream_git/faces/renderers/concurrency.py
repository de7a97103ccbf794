"""Sessions beside each other, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.renderers.changesets import landed

if TYPE_CHECKING:
    from slipstream_git import meetings


def _queued(value: meetings.Queued) -> Iterable[str]:
    for row in (*value.landed, *value.skipped):
        yield from landed(row)
    if not value.landed and not value.skipped:
        yield "no session is open"
    yield from (f"warning: {warning}" for warning in value.warnings or [])


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {"Queued": _queued}
