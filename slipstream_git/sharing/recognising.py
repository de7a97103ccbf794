"""Sessions whose work the branch there has already, as a commit that was made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from slipstream_git.changes import committing, squashed
from slipstream_git.changes.concurrency.reporting import Item, Tally
from slipstream_git.errors import SlipError
from slipstream_git.outcomes import Landed, Pushed
from slipstream_git.workspace import Workspace


def recognise(
    ws: Workspace, queue: Sequence[Item], there: Pushed, tally: Tally, refused: int
) -> None:
    """Close as landed those that had nothing to land, or collided, for that; told in ``tally``.

    there: the branch, and what it held. refused: how many refusals are none of this queue's.
    """
    items = {item.session.name: item for item in queue}
    for number, row in enumerate(tally.skipped):
        if row.commit is None and row.session in items:
            tally.skipped[number] = _found(ws, items[row.session], there) or row
    for fault in tally.faults[refused:]:
        if squashed.may_explain(fault.error):
            found = _found(ws, items[fault.session], there)
            if found is not None:
                tally.faults.remove(fault)
                tally.skipped.append(found)


def _found(ws: Workspace, item: Item, there: Pushed) -> Landed | None:
    with suppress(SlipError):  # its worktree has edits, or others were faster: it stays as it is
        found = committing.found_elsewhere(ws, item.session, item.order, there.old)
        return None if found is None else found._replace(pushed=there)
    return None
