"""How much a session may hold: limits that git config sets, judged before anything is written.

    slip.quota          bytes that open and closed sessions may take on the disk (default: no limit)
    slip.maxBatchBytes  the text of one batch (default 256m, at most 512m)
    slip.maxFileBytes   one file that an op makes or a capture takes (default and at most 1g)
    slip.maxSteps       steps of one session, undo and redo not refused (default 10000)

They keep an agent that runs wild from filling the disk. Landing is never refused by them, nor are
undo and redo: what is there can always be finished or taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

if TYPE_CHECKING:
    from slipstream_git.gitdb.edited import Edit

LARGEST_BATCH = 512 << 20
MOST_STEPS = 10_000


def batch_bytes(ws: Workspace) -> int:
    """How long a batch's text may be."""
    from slipstream_git.text import batches  # `slip begin` needs no ops, and waits for none

    return min(
        ws.repository.config.number("slip.maxBatchBytes", batches.LARGEST_BATCH), LARGEST_BATCH
    )


def file_bytes(ws: Workspace) -> int:
    """How large a file may be; above a gigabyte slip reads none, as it holds them in memory."""
    from slipstream_git.text import edits

    return min(
        ws.repository.config.number("slip.maxFileBytes", edits.LARGEST_FILE), edits.LARGEST_FILE
    )


def check_captured(ws: Workspace, found: Iterable[Edit]) -> None:
    """Refuse captured files that are too large as git stores them. Raises `too-large`."""
    most, pending = file_bytes(ws), ws.repository.objects.pending()
    for path, entry in found:
        blob = pending.get(entry.oid) if entry else None
        if blob is not None and len(blob.data) > most:
            raise SlipError("too-large", f"{paths.display(path)} is over {most} bytes")


def check_steps(ws: Workspace, name: str, steps: int) -> None:
    """Refuse one more step of a session that has ``steps``. Raises `quota`."""
    most = ws.repository.config.number("slip.maxSteps", MOST_STEPS)
    if steps >= most:
        raise SlipError(
            "quota",
            f"session {name} has {steps} steps, and slip.maxSteps allows {most}",
            hint=f"slip commit -s {name} -m MESSAGE",
            data={"steps": steps, "limit": most},
        )


def check_open(ws: Workspace, taken: Collection[str]) -> None:
    """Refuse one more open session beside these. Raises `quota`."""
    if 0 < ws.most_sessions <= len(taken):
        raise SlipError(
            "quota",
            f"{ws.most_sessions} sessions are open here already; land or abort one",
            hint=hints.of("slip", "list"),
        )


def check_quota(ws: Workspace) -> None:
    """Refuse to write what is pending where that would go over `slip.quota`. Raises `quota`.

    New objects count with their plain size, which is more than they will take. Two writers at once
    may both find room, so a quota can be passed by as much as is written at one moment.
    """
    repository = ws.repository
    if repository.config.get("slip.quota") is None:
        return
    from slipstream_git.gitdb import usage

    quota = repository.config.number("slip.quota", 0)
    more = sum(len(item.data) for item in repository.objects.pending().values())
    size = usage.size_above(repository, quota - more)
    if size is None:
        return
    raise SlipError(
        "quota",
        f"sessions take {size} bytes and this adds up to {more}; slip.quota allows {quota}",
        hint="slip gc",
        data={"bytes": size, "adds": more, "limit": quota},
    )
