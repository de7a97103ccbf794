"""Resolutions remembered: the same three versions get the same answer, here and elsewhere.

A note in `refs/notes/slip/resolutions` on the session's version (the branch's, where the session
has none) holds one JSON line for each resolution. Lines name all that they speak of, the time too,
so that `git notes merge -s cat_sort_uniq` of two machines' notes loses nothing.
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Iterator
from typing import Any, Final

from slipstream_git.changes.unresolved import Unresolved, encoded
from slipstream_git.codec import bytes_field
from slipstream_git.gitdb import notes
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.model import EXECUTABLE, FILE, SYMLINK, Entry, File
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

REF: Final = "refs/notes/slip/resolutions"
# A note is read whole at each conflict over its blob.
LARGEST_RESULT: Final = 1 << 16
_MODES = (FILE, EXECUTABLE, SYMLINK)


class Answer(NamedTuple):
    """An earlier answer. ``file`` is None where the path was removed."""

    file: File | None


def noting(ws: Workspace, item: Unresolved, result: Entry | None) -> RefMove | None:
    """Note a resolution in the overlay; the notes' move. None for what is not remembered."""
    target = _target(item)
    if target is None or (result is not None and result.mode not in _MODES):
        return None
    told: dict[str, Any] | None = None
    if result is not None:
        content = ws.repository.objects.blob(result.oid)
        if len(content) > LARGEST_RESULT:
            return None
        name, text = bytes_field("content", content)
        told = {"mode": f"{result.mode:o}", name: text}
    row = {**_sides(item), "result": told, "time": ws.clock()}
    line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
    return notes.adding(ws.repository, REF, target, line, ws.signature())


def recalled(ws: Workspace, item: Unresolved) -> Answer | None:
    """The newest answer that was given to the same three versions."""
    target = _target(item)
    if target is None:
        return None
    wanted = _sides(item)
    newest: tuple[int, str] = (-1, "")
    found = None
    for row, line in _rows(ws, target):
        time = row.get("time")
        if not isinstance(time, int) or any(row.get(k, ...) != v for k, v in wanted.items()):
            continue
        answer = _answer(item, row.get("result", ...))
        if answer is not None and (time, line) > newest:
            newest, found = (time, line), answer
    return found


def _target(item: Unresolved) -> str | None:
    """The blob that carries the note; None where a side is no file."""
    if any(side is not None and side.mode not in _MODES for side in item.sides):
        return None
    side = item.theirs or item.ours
    return side.oid if side else None


def _sides(item: Unresolved) -> dict[str, object]:
    return {
        "base": encoded(item.base),
        "ours": encoded(item.ours),
        "theirs": encoded(item.theirs),
    }


def _rows(ws: Workspace, target: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The lines of a note that are ours; anybody may write there, and others are passed over."""
    note = notes.read(ws.repository, REF, target)
    for line in (note or b"").decode("utf-8", "replace").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row, line


def _answer(item: Unresolved, result: object) -> Answer | None:
    """A line's result, where it can be one of this conflict."""
    if result is None:
        return Answer(None)
    if not isinstance(result, dict):
        return None
    modes = {f"{side.mode:o}": side.mode for side in item.sides if side}
    try:
        mode = modes[result["mode"]]
        if "content_b64" in result:
            return Answer(File(mode, a2b_base64(result["content_b64"], strict_mode=True)))
        return Answer(File(mode, result["content"].encode()))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
