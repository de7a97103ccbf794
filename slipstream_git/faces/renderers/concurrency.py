"""Sessions beside each other, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import branch, changes, counted, short, some
from slipstream_git.faces.renderers.changesets import landed

if TYPE_CHECKING:
    from slipstream_git import meetings


def _queued(value: meetings.Queued) -> Iterable[str]:
    for row in (*value.landed, *value.skipped):
        yield from landed(row)
    if not value.landed and not value.skipped:
        yield "no session is open"
    yield from (f"warning: {warning}" for warning in value.warnings or [])


def _adopted(value: meetings.Adopted) -> Iterable[str]:
    if value.session is None or not value.steps:
        yield value.reason or ""
        return
    yield (
        f"{value.session} on {branch(value.onto)}, base {short(value.base)}: "
        f"{counted(value.steps, 'step')} of {branch(value.branch)}"
    )
    yield from changes(value.changes)
    for overlap in value.overlaps:
        yield f"also changed in {overlap.session}: {some(overlap.paths)}"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Adopted": _adopted,
    "Queued": _queued,
}
