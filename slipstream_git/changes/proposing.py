"""The message that a session lands with when nobody gives another: its title, or its branch's."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.changes import chain, sessions
from slipstream_git.changes.chain import Step
from slipstream_git.changes.messages import Message
from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb import commits
from slipstream_git.workspace import Workspace


def message(ws: Workspace, session: Session) -> str | None:
    """The session's title; None where it has none.

    Of one commit that was adopted, and stands alone under its own subject, the whole message, as
    long as it is there. Below the title of several, their subjects as a list.
    """
    if not session.title or not session.branch:
        return session.title or None
    active, _ = chain.effective(sessions.steps(ws, session))
    adopted = [step for step in active if step.facts.adopted and step.facts.group]
    if len(active) == len(adopted) == 1:
        return _own_message(ws, adopted[0], session.title) or session.title
    if len(adopted) < 2:
        return session.title
    return "\n".join([session.title, "", *(f"- {_subject(step)}" for step in adopted)])


def completed(ws: Workspace, session: Session, given: Message) -> Message:
    """The message as it was given, else with the one that is proposed, where there is one."""
    proposed = None if given.given else message(ws, session)
    return given if proposed is None else given._replace(paragraphs=(proposed,))


def subject_of(label: str, steps: Sequence[Step]) -> str:
    """What the commit of a group is called: its label, or what a single adopted commit was."""
    return _subject(steps[0]) if _is_adopted(steps) else label


def message_of(ws: Workspace, label: str, steps: Sequence[Step]) -> str:
    """The same with all that the adopted commit said, as long as it is there."""
    subject = subject_of(label, steps)
    own = _own_message(ws, steps[0], subject) if _is_adopted(steps) else None
    return own or subject


def _is_adopted(steps: Sequence[Step]) -> bool:
    return len(steps) == 1 and bool(steps[0].facts.adopted)


def _own_message(ws: Workspace, step: Step, title: str) -> str | None:
    found = ws.repository.objects.find(step.facts.adopted)
    if found is None or found.kind != "commit" or title != _subject(step):
        return None
    try:
        return commits.parse(step.facts.adopted, found.data).message.decode()
    except UnicodeDecodeError:
        return None


def _subject(step: Step) -> str:
    """What the commit of a step was called, which a label of its own may differ from."""
    return step.facts.subject or step.facts.group
