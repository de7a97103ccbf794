"""Resolutions remembered: the same three versions get the same answer, here and elsewhere.

A note in `refs/notes/slip/resolutions` on the session's version (the branch's, where the session
has none) holds one JSON line for each resolution that has landed. Lines name all that they speak
of, the time too, so that `git notes merge -s cat_sort_uniq` of two machines' notes loses nothing.
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Iterable, Iterator
from typing import Any, Final

from slipstream_git.changes import chain, conflicts, sessions, unresolved
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.unresolved import Settled, Unresolved, encoded
from slipstream_git.codec import bytes_field
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import notes
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.model import EXECUTABLE, FILE, REGULAR, SYMLINK, File
from slipstream_git.records import NamedTuple
from slipstream_git.text.weaving import Weave
from slipstream_git.workspace import Workspace

REF: Final = "refs/notes/slip/resolutions"
# A note is read whole at each conflict over its blob.
LARGEST_RESULT: Final = 1 << 16
_MODES = (FILE, EXECUTABLE, SYMLINK)


class Answer(NamedTuple):
    """An earlier answer. ``file`` is None where the path was removed."""

    file: File | None


def noting(ws: Workspace, session: Session) -> list[RefMove]:
    """Note in the overlay how the session's conflicts were decided; the notes' move, if any.

    Only a landing calls this: what has not landed may still be taken back.
    """
    known: dict[str, list[dict[str, Any]]] = {}
    lines: list[tuple[str, bytes]] = []
    for settled in unresolved.settled(chain.effective(sessions.steps(ws, session))[0]):
        item, target = settled.item, _target(settled.item)
        answer = _decided(ws, settled) if target else None
        if target is None or answer is None:
            continue
        rows = known.setdefault(target, list(_rows(ws, target)))
        newest = _newest(rows, item)
        if newest is not None and newest[1] == answer:
            continue
        # Of the answers of one second the last counts, too.
        time = max(ws.clock(), newest[0] + 1) if newest else ws.clock()
        rows.append({**_conflict(item), "result": _told(answer), "time": time})
        line = json.dumps(rows[-1], ensure_ascii=False, separators=(",", ":"))
        lines.append((target, line.encode()))
    return [notes.adding(ws.repository, REF, lines, ws.signature())] if lines else []


def recalled(ws: Workspace, item: Unresolved) -> Answer | None:
    """The newest answer that was given to the same three versions."""
    target = _target(item)
    newest = _newest(_rows(ws, target), item) if target else None
    return newest[1] if newest else None


def _target(item: Unresolved) -> str | None:
    """The blob that carries the note; None where a side is no file."""
    if any(side is not None and side.mode not in _MODES for side in item.sides):
        return None
    side = item.theirs or item.ours
    return side.oid if side else None


# What was decided --------------------------------------------------------------------------------


def _decided(ws: Workspace, settled: Settled) -> Answer | None:
    """What a decision makes of the three versions; None for what is not remembered.

    What else the session has made of the file is no part of it.
    """
    item, row = settled
    if row is not None and row["take"] == "remembered":
        return None
    try:
        weave = conflicts.weave(ws, item.sides)
        answer = _woven(ws, settled, weave) if weave else _whole(ws, settled)
    except SlipError:
        return None  # a version cannot be read any more, which is no reason not to land
    too_large = answer is not None and answer.file and len(answer.file.data) > LARGEST_RESULT
    return None if too_large else answer


def _woven(ws: Workspace, settled: Settled, weave: Weave) -> Answer | None:
    """A text: what was chosen for its hunks, or the file where that differs in nothing else."""
    item, row = settled
    if row is None:
        text = weave.text(unresolved.texts(weave, item.decided))
    else:
        entry = unresolved.decoded(row["result"])
        if entry is None or entry.mode not in REGULAR:
            return None
        text = ws.repository.objects.blob(entry.oid)
        if not weave.keeps(text):
            return None
    return Answer(File(_mode(item), text))


def _mode(item: Unresolved) -> int:
    """The mode of a merged text, as git merges modes."""
    base, ours, theirs = (side.mode if side else FILE for side in item.sides)
    return theirs if item.base and ours == base else ours


def _whole(ws: Workspace, settled: Settled) -> Answer | None:
    """What has no hunks: a side, or the content that was given for it."""
    item, row = settled
    if row is None:
        return None
    entry = unresolved.decoded(row["result"])
    if row["take"] == "as-is" and entry not in (item.ours, item.theirs):
        return None  # nobody can tell what of it is the decision
    if entry is None:
        return Answer(None)
    if entry.mode not in _MODES:
        return None
    return Answer(File(entry.mode, ws.repository.objects.blob(entry.oid)))


# Lines of a note ---------------------------------------------------------------------------------


def _conflict(item: Unresolved) -> dict[str, object]:
    """What a line has of the conflict that it answers.

    Two versions say little without their path: the same file may be deleted in several places.
    """
    sides: dict[str, object] = {
        "base": encoded(item.base),
        "ours": encoded(item.ours),
        "theirs": encoded(item.theirs),
    }
    if None not in item.sides:
        return sides
    name, path = bytes_field("path", item.path)
    return {name: path, "kind": item.kind, **sides}


def _newest(rows: Iterable[dict[str, Any]], item: Unresolved) -> tuple[int, Answer] | None:
    """The answer to this conflict that counts, and its time.

    Of one time, as two machines may have it, the one whose line is the greater text.
    """
    wanted = _conflict(item)
    newest: tuple[int, str, Answer] | None = None
    for row in rows:
        time = row.get("time")
        if not isinstance(time, int) or any(row.get(k, ...) != v for k, v in wanted.items()):
            continue
        answer = _answer(item, row.get("result", ...))
        if answer is None:
            continue
        line = json.dumps(row, sort_keys=True)
        if newest is None or (time, line) > newest[:2]:
            newest = (time, line, answer)
    return (newest[0], newest[2]) if newest else None


def _rows(ws: Workspace, target: str) -> Iterator[dict[str, Any]]:
    """The lines of a note that are ours; anybody may write there, and others are passed over."""
    note = notes.read(ws.repository, REF, target)
    for line in (note or b"").decode("utf-8", "replace").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _told(answer: Answer) -> dict[str, str] | None:
    if answer.file is None:
        return None
    name, text = bytes_field("content", answer.file.data)
    return {"mode": f"{answer.file.mode:o}", name: text}


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
