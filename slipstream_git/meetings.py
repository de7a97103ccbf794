"""More shapes of the contract: what sessions that meet each other, or their branch, answer.

The rules of outcomes.py hold here, too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from slipstream_git.outcomes import Landed


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
