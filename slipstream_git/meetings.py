"""More shapes of the contract: what sessions that meet each other, or their branch, answer.

The rules of outcomes.py hold here, too.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.outcomes import Landed
from slipstream_git.records import NamedTuple
from slipstream_git.results import Change, Overlap


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
