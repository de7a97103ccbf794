"""Sessions beside each other, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import branch, counted

if TYPE_CHECKING:  # the renderers are found by the name of a shape
    from slipstream_git import meetings


def _conflicts(value: meetings.Conflicts) -> Iterable[str]:
    for pair in value.pairs:
        apart = " (they land on different branches)" if pair.different_onto else ""
        yield f"{_party(pair.a)} and {_party(pair.b)} conflict{apart}"
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
        yield f"    lines {a}-{b} against {c}-{d}"
        yield from (f"    - {line}" for line in hunk["ours_text"].splitlines())
        yield from (f"    + {line}" for line in hunk["theirs_text"].splitlines())
    if collision.hunks_omitted:
        yield f"    … {counted(collision.hunks_omitted, 'hunk')} more"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {"Conflicts": _conflicts}
