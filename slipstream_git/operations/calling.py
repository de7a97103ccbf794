"""How every face calls an operation: one place for what comes before all of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from slipstream_git.gitdb import packs
from slipstream_git.operations import registry
from slipstream_git.operations.registry import Operation
from slipstream_git.workspace import Workspace

# They tell of landings that died.
LOOKING_FOR_ITSELF = ("recover", "doctor")


def call(row: Operation, ws: Workspace, values: Mapping[str, Any]) -> Any:
    """Call an operation in a repository. A landing that died there is first brought to its end.

    Where the operation has written and slip's packs have become many, they are merged afterwards.
    """
    ws.repository.look_again()
    if ws.unfinished and row.name not in LOOKING_FOR_ITSELF:
        from slipstream_git.changes import recovery

        recovery.recover_if_idle(ws)
    try:
        answer = row.handler(ws, **values)
    finally:
        if registry.area(row.name) == "reading":
            ws.repository.objects.discard()  # the working tree as it was, which nobody writes
    if ws.repository.objects.published:
        _tidy(ws)
    return answer


def _tidy(ws: Workspace) -> None:
    """Merge slip's packs when they are many; what cannot be merged now waits for the next time."""
    layout = ws.repository.layout
    if len(packs.own_names(layout.objects_dir)) <= packs.MOST_PACKS:
        return
    from slipstream_git.gitdb import consolidation

    with suppress(OSError):
        consolidation.consolidate(layout.objects_dir, layout.slip_dir, sharing=layout.sharing)
