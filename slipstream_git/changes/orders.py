"""How a series is asked for, and each commit of it: its message, and whether gates judge it."""

from __future__ import annotations

from slipstream_git import hints
from slipstream_git.changes import botbranch, landing, messages, proposing, provenance
from slipstream_git.changes.asking import Options
from slipstream_git.changes.grouping import Group
from slipstream_git.changes.landing import Order
from slipstream_git.changes.messages import Message
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.workspace import Workspace


def order(ws: Workspace, options: Options) -> Order:
    """Refuse what cannot land whatever the session holds. Raises `usage` for ``--merge``, too.

    A message is not needed where every step has a label.
    """
    if options.merge:
        said = "--series" if options.series else "--bot-branch"
        raise SlipError(
            "usage",
            f"{said} and --merge exclude each other",
            hint=hints.again(without=("--merge",)),
        )
    if options.bot_branch is not None:
        botbranch.check(ws, options)
    message = options.message
    if options.series and not message.given:
        message = message._replace(paragraphs=("a series",))
    return landing.order(ws, options._replace(message=message))._replace(options=options)


def own(ws: Workspace, session: Session, group: Group, order: Order, *, is_last: bool) -> Order:
    """How a group's commit is made: with its own message; gates see the last, or each."""
    options = order.options
    message = _message(ws, session, group, options)
    text = messages.text(ws.repository, message, order.identity)
    text = provenance.trailed(ws, session, text)
    return order._replace(text=text, is_judged=is_last or options.each)


def _message(ws: Workspace, session: Session, group: Group, options: Options) -> Message:
    """The label above the message that was given. Raises `usage` where there is neither."""
    message, steps = options.message, [change.step for change in group.changes]
    if group.label and not message.given:
        return message._replace(paragraphs=(proposing.message_of(ws, group.label, steps),))
    if group.label:
        subject = proposing.subject_of(group.label, steps)
        if message.file is not None:
            return message._replace(file=subject.encode() + b"\n\n" + message.file)
        return message._replace(paragraphs=(subject, *message.paragraphs))
    completed = proposing.completed(ws, session, message)
    if not completed.given:
        raise SlipError(
            "usage",
            f"no message for {group.said} ({listed(group)}): they need -m",
            hint=hints.again(*hints.MESSAGE),
        )
    return completed


def listed(group: Group) -> str:
    return ", ".join(map(str, group.numbers))
