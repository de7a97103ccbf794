"""What differs, as replies tell it: changed paths with line counts, and who else changes them."""

from __future__ import annotations

from slipstream_git.changes import sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import Entry, File
from slipstream_git.results import Change, Overlap, path_b64, status_letter
from slipstream_git.text import linediff, paths
from slipstream_git.text.edits import Outcome
from slipstream_git.workspace import Workspace


def overlaps(ws: Workspace, session: Session) -> list[Overlap]:
    """The other open sessions that change paths which this one changes."""
    mine: set[bytes] | None = None
    found = []
    for other in sessions.every(ws):
        if other.name == session.name or other.tree == other.base_tree:
            continue
        if mine is None:
            mine = changed_paths(ws.repository, session)
        shared = sorted(ws.repository.trees.differing(other.base_tree, other.tree, mine))
        if shared:
            found.append(Overlap(other.name, [paths.display(path) for path in shared]))
    return found


def changed_paths(repository: Repository, session: Session) -> set[bytes]:
    """The paths at which a session differs from its base."""
    return {d.path for d in repository.trees.differences(session.base_tree, session.tree)}


def changes_between(
    repository: Repository, old: str, new: str, outcome: Outcome | None = None
) -> list[Change]:
    """The paths at which two trees differ, with line counts."""
    made = outcome.files if outcome else {}
    return [
        _change(repository, difference, made.get(difference.path))
        for difference in repository.trees.differences(old, new)
    ]


def _change(repository: Repository, difference: Difference, made: File | None) -> Change:
    path, old, new = difference
    before = _content(repository, old)
    after = made.data if made else _content(repository, new)
    counts = linediff.count(before, after)
    shown = paths.display(path)
    return Change(
        path=shown,
        status=status_letter(old, new),
        old_oid=old.oid if old else None,
        new_oid=new.oid if new else None,
        added=counts[0] if counts else None,
        removed=counts[1] if counts else None,
        mode=f"{new.mode:o}" if new and (old is None or old.mode != new.mode) else None,
        path_b64=path_b64(path, shown),
    )


def _content(repository: Repository, entry: Entry | None) -> bytes:
    if entry is None:
        return b""
    found = repository.objects.find(entry.oid)
    return found.data if found is not None and found.kind == "blob" else entry.oid.encode()
