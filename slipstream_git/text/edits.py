"""What each op means: a batch of ops, in order, over an overlay of bytes.

Pure: the batch sees the tree through a `View`, and nothing is written anywhere. Every op
works on what the ops before it made; when any fails, all that fail are reported, and the batch
has no outcome at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slipstream_git.codec import OP_NAMES
from slipstream_git.errors import SlipError
from slipstream_git.model import (
    Chmod,
    Copy,
    Delete,
    File,
    Insert,
    Move,
    Op,
    Patch,
    Read,
    ReplaceLines,
    StrReplace,
    Sub,
    Symlink,
    Write,
)
from slipstream_git.records import NamedTuple
from slipstream_git.text import fileops, hazards, paths, textops
from slipstream_git.text.effects import Effect, named, touched
from slipstream_git.text.overlay import Changes, Overlay, View, check_collisions

LARGEST_FILE = 1 << 30
LONGEST_TITLE = 200


class OpResult(NamedTuple):
    """What one op did. Lines are ranges in the file as the op left it."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a result
    op: str
    path: str
    matched: str | None = None
    lines: list[list[int]] | None = None
    replaced: int | None = None
    files: int | None = None
    offset: int | None = None
    oid: str | None = None
    mode: str | None = None
    start: int | None = None
    end: int | None = None
    total_lines: int | None = None
    text: str | None = None
    truncated: bool | None = None
    lossy: bool | None = None


class Outcome(NamedTuple):
    """What a batch makes of the tree: the files that it touched, and a result for each op."""

    files: Mapping[bytes, File | None]
    results: tuple[OpResult, ...]


def apply_all(
    ops: Sequence[Op],
    view: View,
    permit: Callable[[bytes], None],
    largest: int | None = None,
) -> Outcome:
    """Apply a batch. Raises the one failing op's own code, or `batch` when several failed.

    largest: bytes of a file that an op may make; `LARGEST_FILE` where nothing is said.
    """
    largest = LARGEST_FILE if largest is None else largest
    overlay = Overlay(view, permit)
    results: list[OpResult] = []
    failures: list[dict[str, object]] = []
    spoiled: set[bytes] = set()
    for index, op in enumerate(ops):
        try:
            _check_not_spoiled(op, spoiled)
            effect = _EFFECTS[type(op)](op, overlay)
            _check_sizes(effect.changes, largest)
        except SlipError as fault:
            spoiled |= set(touched(op))
            failures.append(failure(index, op, fault))
            continue
        overlay.take(effect.changes)
        results.append(_result(index, op, effect))
    if failures:
        raise refusal(failures)
    check_collisions(view, overlay.changes)
    hazards.check(view, overlay.changes)
    return Outcome(overlay.changes, tuple(results))


def failure(index: int, op: Op, fault: SlipError) -> dict[str, object]:
    """One failing op as `error.data.ops` lists it."""
    row: dict[str, object] = {"index": index, "op": OP_NAMES[type(op)], "path": named(op)}
    return row | {"code": fault.code, "message": fault.message} | dict(fault.data)


def refusal(failures: Sequence[Mapping[str, object]]) -> SlipError:
    """The error for a batch with these failing ops."""
    tried = [row for row in failures if row["code"] != "not-tried"]
    first = tried[0]
    message = f"op {first['index']} ({_title(first)}): {first['message']}"
    if len(tried) == 1:
        return SlipError(str(first["code"]), message, data={"ops": list(failures)})
    return SlipError("batch", f"{len(tried)} ops failed; {message}", data={"ops": list(failures)})


def _title(row: Mapping[str, object]) -> str:
    """What an op does to which path, in no more words than a line holds."""
    text = f"{row['op']} {row['path']}".rstrip()
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1] + "…"


def _check_not_spoiled(op: Op, spoiled: set[bytes]) -> None:
    for path in touched(op) if spoiled else ():
        if path in spoiled:
            raise SlipError("not-tried", f"an earlier op on {paths.display(path)} failed")


def _check_sizes(changes: Changes, largest: int) -> None:
    for path, file in changes.items():
        if file and len(file.data) > largest:
            raise SlipError("too-large", f"{paths.display(path)} would be over {largest} bytes")


def _result(index: int, op: Op, effect: Effect) -> OpResult:
    return OpResult(index, OP_NAMES[type(op)], named(op), **effect.told)


def _sub(op: Sub, overlay: Overlay) -> Effect:
    from slipstream_git.text import substitution  # the patterns cost an import

    return substitution.sub(op, overlay)


def _patch(op: Patch, overlay: Overlay) -> Effect:
    from slipstream_git.text import patching

    return patching.patch(op, overlay)


_EFFECTS: Mapping[type, Callable[[Any, Overlay], Effect]] = {
    StrReplace: textops.str_replace,
    Sub: _sub,
    Write: fileops.write,
    Insert: textops.insert,
    ReplaceLines: textops.replace_lines,
    Delete: fileops.delete,
    Move: fileops.move,
    Copy: fileops.copy,
    Chmod: fileops.chmod,
    Symlink: fileops.symlink,
    Patch: _patch,
    Read: fileops.read,
}
