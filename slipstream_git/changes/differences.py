"""What differs, as replies tell it: changed paths with line counts."""

from __future__ import annotations

from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import Entry, File
from slipstream_git.results import Change, path_b64, status_letter
from slipstream_git.text import linediff, paths
from slipstream_git.text.edits import Outcome


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
