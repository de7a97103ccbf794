"""What a session has captured of a worktree's files, as the journals of its chain tell it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipstream_git.changes import chain, sessions
from slipstream_git.changes.chain import Step
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import bytes_field, json_bytes
from slipstream_git.gitdb.edited import Edit
from slipstream_git.model import Entry
from slipstream_git.workspace import Workspace


def journal_row(edit: Edit) -> dict[str, Any]:
    """What a journal says of a captured file."""
    name, text = bytes_field("path", edit.path)
    entry = edit.entry
    facts = {"oid": entry.oid, "mode": f"{entry.mode:o}"} if entry else {"oid": None}
    return {"op": "capture", name: text, **facts}


def captured(ws: Workspace, session: Session) -> dict[bytes, list[Entry | None]]:
    """What the session has captured of each path and not taken back, oldest first."""
    return captured_by(chain.effective(sessions.steps(ws, session))[0])


def given_back(ws: Workspace, session: Session) -> dict[bytes, list[Entry | None]]:
    """What it captured and took back: the user's own again, whatever the chain still holds."""
    history = sessions.steps(ws, session)
    active, _ = chain.effective(history)
    numbers = {step.number for step in active}
    mine = captured_by(active)
    return {
        path: [entry for entry in entries if entry not in mine.get(path, ())]
        for path, entries in captured_by(s for s in history if s.number not in numbers).items()
    }


def captured_by(steps: Iterable[Step]) -> dict[bytes, list[Entry | None]]:
    """What these steps captured of each path, oldest first."""
    found: dict[bytes, list[Entry | None]] = {}
    for step in steps:
        # A rebase or a split that made other steps tells again what these captured.
        if step.facts.kind in ("capture", "rebase", "split"):
            for row in (row for row in chain.read_ops(step) if row["op"] == "capture"):
                entry = Entry(int(row["mode"], 8), row["oid"]) if row["oid"] else None
                found.setdefault(json_bytes(row, "path"), []).append(entry)
    return found


def captured_since(
    ws: Workspace, session: Session, head: str | None
) -> dict[bytes, list[Entry | None]]:
    """What `captured` tells, but for what a worktree at this step was given with the step."""
    history = sessions.steps(ws, session)
    number = next((step.number for step in history if step.commit == head), 0)
    return captured_by(s for s in chain.effective(history)[0] if s.number > number)
