"""The ancestor's flush, to the session's branch or to the worktree's files, and its conflict.

What is in the way is told by path, with the lines on both sides. Forced, the files in the way are
taken into the session's chain as steps of it first, so that an undo and a flush bring them back.
"""

from __future__ import annotations

import os
from base64 import b64encode
from contextlib import suppress
from typing import Any, Final

from slipstream_git.errors import SlipError
from slipstream_git.faces.serving.ancestorcalls import Calls, changed_ranges, ranges
from slipstream_git.text import paths

MOST_ROWS: Final = 50
MOST_SESSIONS: Final = 50


class Conflicting(Exception):
    """A flush that was refused: the error, and a row for each path."""

    def __init__(self, error: SlipError, rows: list[dict[str, Any]]) -> None:
        super().__init__(error.message)
        self.error = error
        self.rows = rows


def flush(
    calls: Calls, session: str, message: str | None, *, force: bool
) -> tuple[list[str], dict[str, Any]]:
    """Flush a session: the paths that were written, and what else is told.

    Raises `Conflicting`, changing nothing, and SlipError.
    """
    message = message or calls.ws.repository.config.get("slip.flushMessage") or None

    def act() -> tuple[list[str], dict[str, Any]]:
        return _land(calls, session, message) if message else _write(calls, session)

    try:
        try:
            return act()
        except SlipError as fault:
            if not force or fault.code != "dirty" or not _in_the_way(fault):
                raise
            _keep(calls, session, _in_the_way(fault))
            return act()
    except SlipError as fault:
        rows = _rows(calls, session, fault)
        if not rows:
            raise
        raise Conflicting(fault, rows) from None


def _write(calls: Calls, session: str) -> tuple[list[str], dict[str, Any]]:
    told = calls("flush", session=session)
    return [file.path for file in told.files], {"warnings": list(told.warnings or ())}


def _land(calls: Calls, session: str, message: str) -> tuple[list[str], dict[str, Any]]:
    told = calls("commit", session=session, message=message, keep=True)
    warnings = list(told.warnings or ())
    if not told.committed:
        return [], {"warnings": [*warnings, told.reason] if told.reason else warnings}
    # What it has landed is its base from now on, so that its next edits do not meet its own.
    bring_up(calls, session)
    written = [change.path for change in told.changes or ()]
    return written, {"commit": told.commit, "warnings": warnings}


def bring_up(calls: Calls, session: str) -> None:
    """Bring a session onto what its branch has gained, where nothing of it conflicts with that.

    So that whoever was refused for that, opens it again and goes on.
    """
    told = calls("status", session=session)
    if told.behind and not (told.refusal and told.refusal.code == "conflict"):
        with suppress(SlipError):
            calls("rebase", session=session)


# What is in the way ------------------------------------------------------------------------------


def _in_the_way(fault: SlipError) -> list[str]:
    """The paths of a `dirty` refusal, as they are shown."""
    rows = fault.data.get("paths")
    return [str(row["path"]) for row in rows] if isinstance(rows, list) else []


def _keep(calls: Calls, session: str, shown: list[str]) -> None:
    """Make what the worktree has at these paths a step of the session, and take that back by one.

    A flush writes over every version that the chain holds; what an undo gives back is one of them.
    """
    there: list[dict[str, Any]] = []
    mine: list[dict[str, Any]] = []
    for path in map(paths.from_text, dict.fromkeys(shown)):
        where = calls.on_disk(path)
        if where is not None and os.path.islink(where):
            raise SlipError("unsupported", f"{paths.display(path)} is a symbolic link by now")
        data = calls.disk_text(path)
        here = calls.file(path, session=session) if calls.has_file(path, session) else None
        executable = where is not None and os.stat(where).st_mode & 0o100
        there += _becoming(path, data, "100755" if executable else "100644", here is not None)
        mine += _becoming(
            path, here.data if here else None, f"{here.mode:o}" if here else "", data is not None
        )
    calls("apply", session=session, ops=there)
    try:
        calls("apply", session=session, ops=mine)
    except SlipError:
        calls("undo", session=session)
        raise


def _becoming(path: bytes, data: bytes | None, mode: str, there: bool) -> list[dict[str, Any]]:  # noqa: FBT001
    """The op that makes a path this; none where it is nothing and is to be nothing."""
    named = {"path_b64": b64encode(path).decode()}
    if data is not None:
        content = b64encode(data).decode()
        return [{"op": "write", **named, "content_b64": content, "mode": mode}]
    return [{"op": "delete", **named}] if there else []


def _rows(calls: Calls, session: str, fault: SlipError) -> list[dict[str, Any]]:
    if fault.code == "dirty":
        wanted = list(dict.fromkeys(_in_the_way(fault)))[:MOST_ROWS]
        return [_dirty_row(calls, session, path, fault) for path in wanted]
    files = fault.data.get("files") if fault.code == "conflict" else None
    found = files[:MOST_ROWS] if isinstance(files, list) else []
    return [_landing_row(calls, session, row, fault) for row in found]


def _dirty_row(calls: Calls, session: str, shown: str, fault: SlipError) -> dict[str, Any]:
    path = paths.from_text(shown)
    base = _base(calls, session)
    theirs: list[list[int]] = []
    by = None
    with suppress(SlipError):
        disk = calls.disk_text(path)
        theirs = ranges(calls.text(path, rev=base) if base else b"", disk or b"")
        by = _whose(calls, session, path, disk)
    return _row(
        shown, changed_ranges(calls, path, base, session=session), theirs, by, fault,
        f"open it again in {session} to take in what stands there, or flush with force: true to"
        f" write over it (slip undo -s {session} brings that back)",
    )  # fmt: skip


def _landing_row(
    calls: Calls, session: str, row: dict[str, Any], fault: SlipError
) -> dict[str, Any]:
    path = paths.from_text(row["path"])
    base = _base(calls, session)
    onto = fault.data.get("onto_commit")
    theirs = changed_ranges(calls, path, base, rev=onto) if isinstance(onto, str) else []
    by = next((who["session"] for who in row.get("by", ()) if who.get("session")), None)
    mine = changed_ranges(calls, path, base, session=session)
    return _row(row["path"], mine, theirs, by, fault, fault.hint or f"slip rebase -s {session}")


def _row(
    path: str,
    mine: list[list[int]],
    theirs: list[list[int]],
    by: str | None,
    fault: SlipError,
    hint: str,
) -> dict[str, Any]:
    return {
        "path": path,
        "your_edits": mine,
        "conflicting_edits": theirs,
        "by_session": by,
        "hint": hint,
        "code": fault.code,
        "message": fault.message,
    }


def _base(calls: Calls, session: str) -> str | None:
    base: str | None = calls("diff", session=session, stat=True).base
    return base


def _whose(calls: Calls, session: str, path: bytes, disk: bytes | None) -> str | None:
    """The other session that has the file as it stands on the disk; None for anybody else."""
    for name in [name for name in calls.tips() if name != session][:MOST_SESSIONS]:
        with suppress(SlipError):
            if disk is not None and calls.file(path, session=name).data == disk:
                return name
    return None
