"""A session landed as one commit or as a series, whichever was asked for."""

from __future__ import annotations

from slipstream_git import hints
from slipstream_git.changes import asking, landing
from slipstream_git.changes.asking import Options
from slipstream_git.changes.landing import Order
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.outcomes import Landed
from slipstream_git.workspace import Workspace


def order(ws: Workspace, options: Options) -> Order:
    """Refuse what cannot land whatever a session holds; nothing is computed yet."""
    if options.each and not options.series:
        raise SlipError(
            "usage", "--each gates every commit of a --series", hint=hints.again("--series")
        )
    if not options.series:
        return landing.order(ws, options)
    from slipstream_git.changes import seriallanding

    return seriallanding.order(ws, options)


def ordered(ws: Workspace, session: Session, options: Options) -> Order:
    """The same for one session, which a hint names, with its own message where none is given."""
    if not (options.series or options.each):
        return landing.ordered(ws, session, options)
    try:
        return order(ws, options)
    except SlipError as fault:
        asking.hint_again(fault, session.name, options)
        raise


def commit(ws: Workspace, session: Session, order: Order) -> Landed:
    """Land a session. Raises `conflict`, `dirty`, `hook-failed`, `ref-moved`, …: nothing moved."""
    if not order.options.series:
        return landing.commit(ws, session, order)
    from slipstream_git.changes import seriallanding

    return seriallanding.commit(ws, session, order)
