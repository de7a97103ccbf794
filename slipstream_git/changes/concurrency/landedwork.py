"""What of a branch has landed already, by a session that was adopted from it and is closed.

Such a session lands as one commit, of which git does not know that the branch has its work: their
merge base stays where it was, and all of the branch's commits would come once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from slipstream_git.changes import chain, sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace


class Before(NamedTuple):
    """The branch's commit that was adopted last, and the commit that it landed in."""

    session: str
    adopted: str
    landed: str


def of(ws: Workspace, ref: str, head: str, onto: str) -> Before | None:
    """The newest landing on ``onto`` of what the branch ``ref`` still has, at ``head``.

    None where nothing landed, where the landing is no longer there, where the branch has been
    rewritten, or merged with ``onto`` since: then their merge base tells.
    """
    nearest: tuple[int, Before] | None = None
    for found in _landings(ws, ref):
        if not (_holds(ws, onto, found.landed) and _holds(ws, head, found.adopted)):
            continue
        if _bases(ws, onto, head) != _bases(ws, onto, found.adopted):
            continue
        counted = ws.repository.git.run("rev-list", "--count", f"{found.landed}..{onto}").out
        since = int(counted)
        if nearest is None or since < nearest[0]:
            nearest = since, found
    return nearest[1] if nearest else None


def _landings(ws: Workspace, ref: str) -> Iterator[Before]:
    for kept, tip in ws.repository.store.refs(sessions.CLOSED).items():
        # What is no chain of ours, or no longer whole, says nothing.
        with suppress(SlipError):
            last = chain.read_step(ws.repository, tip)
            if not last.facts.landed:
                continue
            name = kept.removeprefix(sessions.CLOSED).rpartition("/")[0]
            session = sessions.at(ws, name, tip)
            adopted = _adopted(ws, session) if session.branch == ref else None
            if adopted is not None:
                yield Before(name, adopted, last.facts.landed)


def _adopted(ws: Workspace, session: Session) -> str | None:
    steps = reversed(sessions.steps(ws, session))
    return next((step.facts.adopted for step in steps if step.facts.adopted), None)


def _holds(ws: Workspace, commit: str, ancestor: str) -> bool:
    asked = ("merge-base", "--is-ancestor", ancestor, commit)
    return ws.repository.git.run(*asked, accept=(0, 1, 128)).status == 0


def _bases(ws: Workspace, one: str, other: str) -> bytes:
    return ws.repository.git.run("merge-base", "--all", one, other, accept=(0, 1)).out
