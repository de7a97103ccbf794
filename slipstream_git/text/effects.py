"""What one op does to a file tree: the value that each op's function returns, and op naming."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from slipstream_git.errors import SlipError
from slipstream_git.model import Copy, Move, Op, Patch, Sub
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.text.objectid import blob_id
from slipstream_git.text.overlay import Changes

if TYPE_CHECKING:
    from slipstream_git.text.filepatch import FilePatch

# How many paths of parsed patches are remembered at most, before the last patch: some 20 MB.
MOST_REMEMBERED = 200_000


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


def parsed(op: Patch) -> Sequence[FilePatch]:
    """The files of a patch op; which paths they name is remembered, and not parsed for again."""
    from slipstream_git.text import patches

    try:
        files = patches.parse(op.diff)
    except SlipError:
        _patched.remember(op, ())
        raise
    named = (path for file in files for path in (file.old_path, file.new_path))
    _patched.remember(op, tuple(dict.fromkeys(path for path in named if path is not None)))
    return files


def _patched_paths(op: Patch) -> Sequence[bytes]:
    """The paths that a patch names; none where it cannot be parsed."""
    known = _patched.recall(op)
    if known is None:
        with suppress(SlipError):
            parsed(op)
        known = _patched.recall(op)
    return known or ()


class _Patched:
    """The paths of patches by the id of their text, which itself may be large and is not kept.

    They are asked for after each patch and again for the step's subject, and a parse is most of
    what a patch costs. Once the paths are too many all are forgotten.
    """

    def __init__(self) -> None:
        self._paths: dict[str, Sequence[bytes]] = {}
        self._count = 0

    def recall(self, op: Patch) -> Sequence[bytes] | None:
        return self._paths.get(blob_id(op.diff))

    def remember(self, op: Patch, named: Sequence[bytes]) -> None:
        if self._count > MOST_REMEMBERED:
            self._paths.clear()
            self._count = 0
        self._paths[blob_id(op.diff)] = named
        self._count += 1 + len(named)


_patched = _Patched()


def named(op: Op) -> str:
    """The path of an op as text, for results and messages."""
    if isinstance(op, Sub):
        return " ".join(op.globs) or "**"
    if isinstance(op, Patch):
        return ", ".join(sorted(map(paths.display, _patched_paths(op))))
    return paths.display(op.path)


def join_lines(lines: Sequence[int]) -> str:
    """Line numbers for a message, the first dozen of them."""
    shown = ", ".join(str(line) for line in lines[:12])
    return f"{shown}, …" if len(lines) > 12 else shown
