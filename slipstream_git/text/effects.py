"""What one op does to a file tree: the value that each op's function returns, and op naming."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from slipstream_git.errors import SlipError
from slipstream_git.model import Copy, Move, Op, Patch, Sub
from slipstream_git.text import paths
from slipstream_git.text.overlay import Changes


class Effect(NamedTuple):
    """What one op changes, and what it has to tell."""

    changes: Changes
    told: Mapping[str, Any] = {}


def touched(op: Op) -> Iterator[bytes]:
    """The paths that an op names in its own fields (a patch and a `sub` name theirs inside)."""
    if isinstance(op, Patch):
        yield from _patched_paths(op)
    elif not isinstance(op, Sub):
        yield op.path
        if isinstance(op, (Move, Copy)):
            yield op.to


def _patched_paths(op: Patch) -> Iterator[bytes]:
    from slipstream_git.text import patches

    try:
        files = patches.parse(op.diff)
    except SlipError:
        return
    for file in files:
        yield from {file.old_path, file.new_path} - {None}  # type: ignore[misc]


def named(op: Op) -> str:
    """The path of an op as text, for results and messages."""
    if isinstance(op, Sub):
        return " ".join(op.globs) or "**"
    if isinstance(op, Patch):
        return ", ".join(sorted(paths.display(path) for path in set(_patched_paths(op))))
    return paths.display(op.path)


def join_lines(lines: Sequence[int]) -> str:
    """Line numbers for a message, the first dozen of them."""
    shown = ", ".join(str(line) for line in lines[:12])
    return f"{shown}, …" if len(lines) > 12 else shown
