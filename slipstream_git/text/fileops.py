"""The ops that take a file whole: write, delete, move, copy, chmod, symlink and read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.model import (
    REGULAR,
    SYMLINK,
    Chmod,
    Copy,
    Delete,
    File,
    Move,
    Op,
    Read,
    Symlink,
    Write,
)
from slipstream_git.text import matching, paths
from slipstream_git.text.effects import Effect, named
from slipstream_git.text.objectid import blob_id
from slipstream_git.text.overlay import Changes, Overlay
from slipstream_git.text.textops import Edited, edit_version_read, now

READ_LINES = 2000
READ_BYTES = 200_000


def write(op: Write, overlay: Overlay) -> Effect:
    overlay.vacant(op.path)
    file = overlay.find(op.path)
    if file is None and op.create == "never":
        overlay.existing(op.path)
    if file is not None and op.create == "only":
        raise SlipError("exists", f"{named(op)} exists already", data={"oid": blob_id(file.data)})
    if file is None:
        _check_unread(op, op.oid)
        return Effect({op.path: File(op.mode or REGULAR[0], op.content)})
    file = overlay.text(op.path)
    mode = op.mode or file.mode
    if op.oid is None or op.oid == blob_id(file.data):
        return Effect({op.path: File(mode, op.content)})
    edited = edit_version_read(
        op, op.oid, overlay.view, file.data, lambda _: Edited(op.content, {})
    )
    return Effect({op.path: File(mode, edited.data)}, edited.told)


def _check_unread(op: Op, oid: str | None) -> None:
    if oid is not None:
        raise SlipError("stale", f"{named(op)} is gone; it was blob {oid} when it was read")


def _whole(op: Delete | Move | Copy | Chmod | Read, overlay: Overlay) -> File:
    """The file of an op that takes it whole, being the one its author read."""
    file = overlay.existing(op.path)
    if op.oid is not None and op.oid != blob_id(file.data):
        raise SlipError(
            "stale",
            f"{named(op)} is now blob {blob_id(file.data)}, not {op.oid}",
            data=now(file.data),
        )
    return file


def delete(op: Delete, overlay: Overlay) -> Effect:
    _whole(op, overlay)
    return Effect({op.path: None})


def move(op: Move, overlay: Overlay) -> Effect:
    file = _whole(op, overlay)
    return Effect(_arrival(op, overlay, file, leaves=op.path))


def copy(op: Copy, overlay: Overlay) -> Effect:
    return Effect(_arrival(op, overlay, _whole(op, overlay), leaves=None))


def _arrival(op: Move | Copy, overlay: Overlay, file: File, leaves: bytes | None) -> Changes:
    with nullcontext() if leaves is None else overlay.without(leaves):
        overlay.vacant(op.to)
        if overlay.find(op.to) is not None:
            raise SlipError("exists", f"{paths.display(op.to)} exists already")
    if file.mode == SYMLINK:
        paths.check_symlink_target(op.to, file.data)
    return {op.to: file} if leaves is None else {leaves: None, op.to: file}


def chmod(op: Chmod, overlay: Overlay) -> Effect:
    file = _whole(op, overlay)
    if file.mode not in REGULAR:
        raise SlipError("unsupported", f"{named(op)} is a symbolic link; it has no mode to change")
    return Effect({op.path: File(op.mode, file.data)})


def symlink(op: Symlink, overlay: Overlay) -> Effect:
    overlay.vacant(op.path)
    paths.check_symlink_target(op.path, op.target)
    file = overlay.find(op.path)
    if file is not None:
        _whole(Delete(op.path, op.oid), overlay)
    else:
        _check_unread(op, op.oid)
    return Effect({op.path: File(SYMLINK, op.target)})


def read(op: Read, overlay: Overlay) -> Effect:
    file = _whole(op, overlay)
    return Effect({}, excerpt(file, op.start, op.end))


def excerpt(
    file: File, start: int | None, end: int | None, *, capped: bool = True
) -> dict[str, Any]:
    """Lines of a file as the shapes of `read` tell them. Raises `out-of-range`."""
    lines = matching.lines(file.data)
    first, last = start or 1, len(lines) if end is None else min(end, len(lines))
    if first > max(1, len(lines)):
        raise SlipError(
            "out-of-range",
            f"the file has {len(lines)} lines; there is no line {first}",
            data={"total_lines": len(lines)},
        )
    kept = lines[first - 1 : last]
    if capped:
        kept = _capped(kept)
    data = b"".join(kept)
    told: dict[str, Any] = {
        "oid": blob_id(file.data),
        "mode": f"{file.mode:o}",
        "start": first,
        "end": first + len(kept) - 1,
        "total_lines": len(lines),
        "text": data.decode("utf-8", "replace"),
        "truncated": len(kept) < last - first + 1,
    }
    if told["text"].encode("utf-8", "replace") != data:
        told["lossy"] = True
    return told


def _capped(lines: Sequence[bytes]) -> list[bytes]:
    kept: list[bytes] = []
    size = 0
    for line in lines[:READ_LINES]:
        size += len(line)
        if size > READ_BYTES and kept:
            break
        kept.append(line)
    return kept
