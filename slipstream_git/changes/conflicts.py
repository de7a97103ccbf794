"""Conflicts as data: which files, which hunks, and who made the other side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.model import EXECUTABLE, FILE, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import hunks, paths
from slipstream_git.workspace import Workspace

MOST_AUTHORS = 5


class Meeting(NamedTuple):
    """What met what: the base, the other side's branch and head, and both sides' names."""

    onto: str | None
    onto_commit: str | None
    base: str | None
    ours: str
    theirs: str


def error(
    ws: Workspace,
    found: Sequence[Conflict],
    message: str,
    meeting: Meeting,
    *,
    advice: str = "",
    hint: str | None = None,
) -> SlipError:
    """The `conflict` error, with every conflicting file and its hunks in ``data``.

    advice: how to go on, the end of the message.
    """
    onto, onto_commit, base, ours, theirs = meeting
    files = [file(ws, conflict, base, onto_commit) for conflict in found]
    names = ", ".join(paths.display(conflict.path) for conflict in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    data = {
        "onto": onto,
        "onto_commit": onto_commit,
        "base": base,
        "sides": {"ours": ours, "theirs": theirs},
        "files": files,
    }
    return SlipError("conflict", f"{message}: {names}{more}{advice}", hint=hint, data=data)


def file(
    ws: Workspace, conflict: Conflict, base: str | None, onto_commit: str | None
) -> dict[str, Any]:
    """One conflicting file: the three blobs, its hunks, and who changed it between two commits."""
    return {
        "path": paths.display(conflict.path),
        "kind": conflict.kind,
        "base_oid": conflict.base.oid if conflict.base else None,
        "ours_oid": conflict.ours.oid if conflict.ours else None,
        "theirs_oid": conflict.theirs.oid if conflict.theirs else None,
        "hunks": to_json(hunks_of(ws, conflict)),
        "by": _authors(ws, conflict.path, base, onto_commit),
    }


def hunks_of(ws: Workspace, conflict: Conflict) -> list[hunks.Hunk]:
    if conflict.kind not in ("content", "add-add") or not (conflict.ours and conflict.theirs):
        return []
    sides = (conflict.base, conflict.ours, conflict.theirs)
    if any(side is not None and side.mode not in (FILE, EXECUTABLE) for side in sides):
        return []
    base, ours, theirs = (_content(ws, side) for side in sides)
    return hunks.colliding(base, ours, theirs)


def _content(ws: Workspace, entry: Entry | None) -> bytes:
    return b"" if entry is None else ws.repository.objects.blob(entry.oid)


def _authors(
    ws: Workspace, path: bytes, base: str | None, onto_commit: str | None
) -> list[dict[str, str]]:
    """The newest commits of the other side that touched the path."""
    if onto_commit is None or onto_commit == base:
        return []
    span = f"{base}..{onto_commit}" if base else onto_commit
    out = ws.repository.git.run(
        "--literal-pathspecs", "log", f"-{MOST_AUTHORS}", "--format=%H%x00%an%x00%s", "-z",
        span, "--", path, accept=(0, 128),
    ).out  # fmt: skip
    fields = out.decode("utf-8", "replace").rstrip("\0").split("\0")
    rows = zip(*[iter(fields)] * 3, strict=False)
    return [
        {"commit": commit, "author": author, "subject": subject} for commit, author, subject in rows
    ]
