"""More shapes of the contract: what sessions that meet each other, or their branch, answer.

The rules of outcomes.py hold here, too.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.records import NamedTuple


class Collision(NamedTuple):
    """A path in which two parties conflict; ``ours`` of a hunk is the pair's a, ``theirs`` its b.

    hunks_omitted: how many more there are than are shown.
    """

    path: str
    kind: str
    hunks: list[Any]
    hunks_omitted: int | None = None
    path_b64: str | None = None


class Pair(NamedTuple):
    """Two parties that conflict.

    A party is a session by its name, a branch by its full ref, or a worktree by its directory.
    different_onto: they would land on different branches.
    """

    a: str
    b: str
    paths: list[Collision]
    different_onto: bool | None = None


class Unreadable(NamedTuple):
    """What could not be compared, and why: a party, or it with another."""

    name: str
    why: str
    other: str | None = None


class Conflicts(NamedTuple):
    """The matrix: pairs that conflict. ``clean`` counts those that do not.

    sessions: the open sessions that were compared. parties: branches and worktrees likewise.
    """

    pairs: list[Pair]
    sessions: list[str]
    clean: int
    parties: list[str]
    unreadable: list[Unreadable]
