"""More shapes of the contract: what sessions that meet each other, or their branch, answer.

The rules of outcomes.py hold here, too.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.records import NamedTuple
from slipstream_git.results import Change


class Rebased(NamedTuple):
    """What rebase answers. ``conflicts``: what is left to be decided, as the conflict error has it.

    ``kept``: the ref of the chain as it was. ``single``: the steps became one. ``remembered``:
    paths that were settled as they had been before. ``reason``: why nothing moved.
    """

    session: str
    rebased: bool
    base: str | None
    onto: str | None
    tip: str
    tree: str
    steps: int
    changes: list[Change]
    conflicts: list[Any]
    old_base: str | None = None
    kept: str | None = None
    single: bool | None = None
    remembered: list[str] | None = None
    reason: str | None = None
    hint: str | None = None


class Resolved(NamedTuple):
    """What resolve answers: the step it made, and what is still left.

    Without a choice nothing is made, and ``conflicts`` is what was asked for.
    """

    session: str
    conflicts: list[Any]
    unresolved: int
    step: int | None = None
    commit: str | None = None
    tree: str | None = None
    path: str | None = None
    path_b64: str | None = None
    resolved: bool | None = None
    changes: list[Change] | None = None
    hint: str | None = None
