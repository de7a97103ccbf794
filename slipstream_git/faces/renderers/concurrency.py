"""Sessions beside each other, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import branch, changes, counted, left_open, short, some, within
from slipstream_git.faces.renderers.changesets import landed

if TYPE_CHECKING:
    from slipstream_git import meetings


def _rebased(value: meetings.Rebased) -> Iterable[str]:
    if not value.rebased:
        yield f"{value.session}: nothing to do: {value.reason}"
    else:
        steps = counted(value.steps, "step")
        yield f"{value.session} now stands on {branch(value.onto)} {short(value.base)}, {steps}"
    yield from changes(value.changes)
    if value.remembered:
        yield f"settled as before: {some(value.remembered)}"
    if value.conflicts:
        yield "to be decided before it can land; the files have the branch's text there:"
        yield from left_open(value.conflicts)
    if value.hint:
        yield f"try: {value.hint}"


def _resolved(value: meetings.Resolved) -> Iterable[str]:
    if value.step is not None:
        done = "is resolved" if value.resolved else "has hunks left"
        yield f"{value.session} step {value.step} {short(value.commit)}: {value.path} {done}"
        yield from changes(value.changes or [])
    yield from left_open(value.conflicts)
    if not value.unresolved:
        yield f"nothing is left to decide in {value.session}"
    elif value.step is not None:
        yield f"left to decide: {counted(value.unresolved, 'path')}"
    if value.hint:
        yield f"try: {value.hint}"


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


def _conflicts(value: meetings.Conflicts) -> Iterable[str]:
    for pair in value.pairs:
        apart = " (they land on different branches)" if pair.different_onto else ""
        yield f"{_party(pair.a)} and {_party(pair.b)} conflict{apart}"
        if any(collision.hunks for collision in pair.paths):
            yield f"  lines of {_party(pair.a)} (-) against those of {_party(pair.b)} (+):"
        for collision in pair.paths:
            yield from _collision(collision)
    for row in value.unreadable:
        other = f" and {_party(row.other)}" if row.other else ""
        yield f"warning: {_party(row.name)}{other} could not be compared: {row.why}"
    yield f"{counted(len(value.pairs), 'pair')} in conflict, {value.clean} clean"


def _party(name: str) -> str:
    """A session by its name; a session may be called like a branch, so a branch says that it is."""
    return f"branch {branch(name)}" if name.startswith("refs/") else name


def _collision(collision: meetings.Collision) -> Iterable[str]:
    yield f"  {collision.path} ({collision.kind})"
    for hunk in collision.hunks:
        (a, b), (c, d) = hunk["ours"], hunk["theirs"]
        yield f"    lines {a}-{b} against {c}-{d}{within(hunk)}"
        yield from (f"    - {line}" for line in hunk["ours_text"].splitlines())
        yield from (f"    + {line}" for line in hunk["theirs_text"].splitlines())
    if collision.hunks_omitted:
        yield f"    … {counted(collision.hunks_omitted, 'hunk')} more"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Conflicts": _conflicts,
    "Rebased": _rebased,
    "Resolved": _resolved,
    "Adopted": _adopted,
    "Queued": _queued,
}
