"""More shapes of the contract: what sessions that meet each other, or their branch, answer.

The rules of outcomes.py hold here, too.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.outcomes import Landed
from slipstream_git.records import NamedTuple
from slipstream_git.results import Change, Overlap


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


class Refused(NamedTuple):
    """A session that did not land, and why: the error that `slip commit` would have given."""

    session: str
    code: str
    message: str
    hint: str | None
    data: Any


class Queued(NamedTuple):
    """What land answers, each list in the order of landing.

    ``skipped`` had nothing to land, or had landed already. Where any session is ``refused`` this is
    the error's ``data``.
    """

    landed: list[Landed]
    skipped: list[Landed]
    refused: list[Refused]
    atomic: bool | None = None
    dry_run: bool | None = None
    warnings: list[str] | None = None


class Adopted(NamedTuple):
    """What adopt answers. ``session`` is null where the branch has nothing that onto lacks.

    ``steps``: how many were added; none where the session has all of the branch already. ``head``
    is the branch's commit, ``commit`` the session's newest step. ``changes`` are what was added.
    """

    session: str | None
    branch: str
    head: str
    onto: str
    base: str | None
    commit: str | None
    steps: int
    changes: list[Change]
    overlaps: list[Overlap]
    reason: str | None = None


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
