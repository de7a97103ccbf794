"""A session landed as one commit or as a series, whichever was asked for."""

from __future__ import annotations

from slipstream_git import hints
from slipstream_git.changes import asking, landing, proposing
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
    if not (options.series or options.bot_branch):
        return landing.order(ws, options)
    from slipstream_git.changes import orders

    return orders.order(ws, options)


def ordered(ws: Workspace, session: Session, options: Options) -> Order:
    """The same for one session, which a hint names, with its own message where none is given."""
    if options.bot_branch and not options.series:
        options = options._replace(message=proposing.completed(ws, session, options.message))
    elif not (options.series or options.each):
        return landing.ordered(ws, session, options)
    try:
        return order(ws, options)
    except SlipError as fault:
        asking.hint_again(fault, session.name, options)
        raise


def commit(ws: Workspace, session: Session, order: Order) -> Landed:
    """Land a session. Raises `conflict`, `dirty`, `hook-failed`, `ref-moved`, …: nothing moved.

    One that has nothing to land, or collides, because its branch has its work already as a commit
    that was made elsewhere, is closed as landed.
    """
    try:
        done = _commit(ws, session, order)
    except SlipError as fault:
        from slipstream_git.changes import squashed

        found = None
        if squashed.may_explain(fault):
            found = found_elsewhere(ws, session, order, _head(ws, session, order))
        if found is None:
            raise
        return found
    if done.commit is not None:
        return done
    return found_elsewhere(ws, session, order, _head(ws, session, order)) or done


def as_landed(ws: Workspace, session: Session, order: Order, done: Landed) -> Landed:
    """A bot's session closed, whose branch is as it would be made."""
    if done.commit is not None and session.has_ref and not order.options.keep:
        from slipstream_git.changes import squashed

        squashed.closed(ws, session, done.commit, dry_run=order.options.dry_run)
    return done


def _commit(ws: Workspace, session: Session, order: Order) -> Landed:
    options = order.options
    if not (options.series or options.bot_branch):
        return landing.commit(ws, session, order)
    from slipstream_git.changes import seriallanding

    done = seriallanding.commit(ws, session, order)
    is_open = session.has_ref and not (options.keep or options.dry_run)
    if is_open and done.already and done.commit is not None:
        from slipstream_git.changes import squashed

        squashed.closed(ws, session, done.commit, dry_run=False)
    return done


def _head(ws: Workspace, session: Session, order: Order) -> str | None:
    return ws.repository.store.ref(landing.branch_of(ws, session, order.options))


def found_elsewhere(
    ws: Workspace, session: Session, order: Order, head: str | None
) -> Landed | None:
    """The session closed as landed with a commit that its branch has; None where it has none.

    head: of the branch, here or there.
    """
    options = order.options
    if options.keep or options.bot_branch or not session.has_ref or session.unresolved:
        return None
    from slipstream_git.changes import squashed

    commit = squashed.landing_of(ws, session, head)
    if commit is None:
        return None
    return squashed.closed(ws, session, commit, dry_run=options.dry_run)
