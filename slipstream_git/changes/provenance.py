"""Where a landed commit came from: one JSON line in `refs/notes/slip/landed`, and trailers.

A message is the user's: a trailer is added only where `slip.trailers` in git config names it. With
`slip.provenance` false there is no note either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from slipstream_git.changes import messages, wording
from slipstream_git.changes.asking import Options
from slipstream_git.changes.sessions import BRANCHES, Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import notes
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.hints import of
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

REF = "refs/notes/slip/landed"
SESSION, AGENT = "Slip-Session", "Assisted-by"


class Share(NamedTuple):
    """A landed commit, and what of the session it holds: all, or the steps of one group."""

    commit: str
    group: str = ""
    steps: Sequence[int] = ()


def noting(
    ws: Workspace, session: Session, shares: Sequence[Share], options: Options
) -> list[RefMove]:
    """Note in the overlay which session, base and chain commits came from; the move of its ref."""
    if not ws.repository.config.flag("slip.provenance", default=True):
        return []
    facts = {
        "session": session.name,
        "base": session.base,
        "tip": session.tip,
        "agent": wording.blotted(session.agent) or None,
        "title": wording.blotted(session.title) or None,
        "no_check": options.check is False or None,
        "bot_branch": options.bot_branch is not None or None,
    }
    lines = []
    for share in shares:
        group = wording.blotted(share.group) or None
        own = facts | {"group": group, "steps": list(share.steps) or None}
        kept = {key: value for key, value in own.items() if value is not None}
        line = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
        lines.append((share.commit, line))
    return [notes.adding(ws.repository, REF, lines, ws.signature())]


def trailed(ws: Workspace, session: Session, text: bytes) -> bytes:
    """A message with the trailers that are configured, each once. Raises `usage` for another."""
    wanted = (ws.repository.config.get("slip.trailers") or "").replace(",", " ").split()
    if not wanted:
        return text
    values = {SESSION: session.name, AGENT: wording.blotted(session.agent)}
    known = {name.lower(): name for name in values}
    odd = next((name for name in wanted if name.lower() not in known), None)
    if odd is not None:
        raise SlipError(
            "usage",
            f"slip.trailers names {odd!r}; slip has {SESSION} and {AGENT}",
            hint=of("git", "config", "--show-origin", "--get-all", "slip.trailers"),
        )
    names = dict.fromkeys(known[name.lower()] for name in wanted)
    lines = [f"{name}: {values[name]}" for name in names if values[name]]
    return messages.with_trailers(ws.repository, text, lines, once=True) if lines else text


def newest(ws: Workspace, commit: str) -> Mapping[str, Any] | None:
    """What the newest line of slip's on a commit says; None where there is none."""
    note = notes.read(ws.repository, REF, commit) or b""
    for line in reversed(note.splitlines()):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue  # somebody else's
        if isinstance(said, dict) and isinstance(said.get("session"), str):
            return said
    return None


def text(note: Mapping[str, Any], key: str) -> str | None:
    """A fact of a note, where it is a text."""
    value = note.get(key)
    return value if isinstance(value, str) else None


def is_bots(ws: Workspace, commit: str) -> bool:
    """Whether a note says that a bot made this commit for its branch."""
    said = newest(ws, commit)
    return said is not None and said.get("bot_branch") is True


def tell_of_branch(ws: Workspace, session: Session) -> None:
    """Say that the branch which a landed session was adopted from is still there, and why."""
    name = session.branch.removeprefix(BRANCHES)
    if name == session.branch or ws.repository.store.ref(session.branch) is None:
        return
    from slipstream_git.gitdb.worktrees import checkouts

    everywhere = checkouts.list_worktrees(ws.repository.git)
    there = next((w.root for w in everywhere if w.branch == session.branch), None)
    # git deletes no branch that is checked out, and a worktree may hold what nobody has kept.
    then = (
        f"it is checked out in {there}"
        if there
        else f"to delete it: {of('git', 'branch', '-D', name)}"
    )
    ws.notify(
        f"the branch {name} stays as it was; its work landed as a new commit, so git does not"
        f" take it for merged ({then})"
    )
