"""How every face calls an operation: one place for what comes before all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipstream_git.operations.registry import Operation
from slipstream_git.workspace import Workspace


def call(row: Operation, ws: Workspace, values: Mapping[str, Any]) -> Any:
    """Call an operation in a repository. A landing that died there is first brought to its end."""
    if ws.unfinished and row.name != "recover":
        from slipstream_git.changes import recovery

        recovery.recover_if_idle(ws)
    return row.handler(ws, **values)
