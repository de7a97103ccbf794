"""One call for the whole job: begin, read, apply, and commit or flush."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from slipstream_git import hints
from slipstream_git.changes import (
    asking,
    bounds,
    chain,
    closing,
    committing,
    history,
    landing,
    sessions,
    staging,
)
from slipstream_git.changes.asking import Options
from slipstream_git.changes.landing import Order
from slipstream_git.changes.sessions import Session, Wish
from slipstream_git.changes.staging import Label, Staged
from slipstream_git.errors import SlipError, of_system
from slipstream_git.model import Op
from slipstream_git.outcomes import Executed, Flushed, Landed
from slipstream_git.records import NamedTuple
from slipstream_git.results import Applied, FileRead
from slipstream_git.text import batches, paths
from slipstream_git.workspace import Workspace

if TYPE_CHECKING:
    from slipstream_git.changes import splitting

TRIES = 64
Landing = Callable[[Workspace, Session, Order], Landed]


class Request(NamedTuple):
    """What exec is asked to do; ``batch`` is None where only reading is wanted.

    split: into which parts; None where the batch's own labels count.
    """

    wish: Wish
    batch: bytes | None
    form: str
    reads: tuple[str, ...]
    read_all: bool
    flush: bool
    split: splitting.Wish | None = None


def run(
    ws: Workspace, request: Request, options: Options | None, land: Landing = committing.commit
) -> Executed:
    """Do it. A failing batch leaves nothing; a refused landing leaves the session, and says so.

    land: how it lands.
    """
    _check(request, options)
    ops, labels = _decoded(ws, request)
    order = committing.order(ws, options) if options is not None else None
    for _ in range(TRIES):
        draft = sessions.drafted(ws, request.wish)
        if options is not None:
            landing.branch_of(ws, draft, options)
        reads = list(history.read_files(ws, draft.tree, request.reads))
        try:
            staged = staging.stage(ws, draft, ops, Label("exec", "", request.wish.agent or ""))
        except SlipError as fault:
            if options is None or not _is_made(ws, draft, ops, options, fault):
                raise
            return Executed(reads, None, _made(draft))
        told = _told(ws, staged) if request.batch is not None else None
        if request.read_all:
            reads += _touched(ws, staged)
        if staged.session.tip == draft.tip:
            return Executed(reads, told, _nothing(draft) if options else None)
        staged = _in_parts(ws, draft, staged, ops, labels, request)
        told = told and told._replace(step=staged.session.step, commit=staged.session.tip)
        if options is None and not request.flush:
            diff = history.patch_text(ws, draft.tree, staged.session.tree)
            return Executed(reads, told and told._replace(diff=diff, dry_run=True), None)
        done = Executed(reads, told and told._replace(session=draft.name), None)
        opening = _Opening(ws, draft, staged, numbered=request.wish.name is None)
        try:
            if order is None:
                return done._replace(flush=_flush(ws, opening))
            return done._replace(commit=_land(ws, opening, order, land))
        except _NameTakenError:
            continue
    raise SlipError(
        "ref-moved", "other sessions kept taking the free names", hint="slip begin NAME"
    )


def _check(request: Request, options: Options | None) -> None:
    """Raises `usage` for what does not go together."""
    if request.flush and options is not None:
        raise SlipError("usage", "--flush and -m exclude each other")
    if request.batch is None and (request.flush or options is not None):
        raise SlipError(
            "usage", "there is no batch to land", hint="slip exec --ops FILE -m MESSAGE"
        )
    if request.split is not None:
        from slipstream_git.changes import splitting

        splitting.check(request.split)


def _decoded(ws: Workspace, request: Request) -> tuple[tuple[Op, ...], tuple[str, ...]]:
    """The ops, and the label of each."""
    if request.batch is None:
        return (), ()
    ops, labels = batches.decode_labelled(request.batch, request.form, bounds.batch_bytes(ws))
    if request.split is not None and any(labels):
        raise SlipError(
            "usage", "--split gives labels, and ops of the batch have a `group` already"
        )
    return ops, labels


def _in_parts(
    ws: Workspace,
    draft: Session,
    staged: Staged,
    ops: Sequence[Op],
    labels: Sequence[str],
    request: Request,
) -> Staged:
    """The batch as a step for each part or for each run of a label, where there are any.

    The batch as a whole is computed first, so that it fails as a whole; the runs come to the same.
    """
    now = staged.session
    if request.split is not None:
        from slipstream_git.changes import splitting

        step = chain.read_step(ws.repository, now.tip)
        found = splitting.parts(ws, now, [step], request.split)
        tip, rows = splitting.chained(ws, draft, found, [step], now.tip)
        return staged._replace(session=now._replace(tip=tip, step=len(rows)))
    if not any(labels):
        return staged
    session = draft
    for label, run in groupby(zip(labels, ops, strict=True), key=lambda pair: pair[0]):
        batch = [op for _, op in run]
        session = staging.stage(
            ws, session, batch, Label("exec", label, request.wish.agent or "")
        ).session
    if session.tree != now.tree:
        raise SlipError(
            "unsupported", "the batch does something else when its groups are made one by one"
        )
    return staged._replace(session=session)


class _NameTakenError(Exception):
    """Another process took the name that was chosen here."""


class _Opening(NamedTuple):
    """A session that is staged and has no ref yet. numbered: its name was chosen here."""

    ws: Workspace
    draft: Session
    staged: Staged
    numbered: bool

    def open(self) -> Session:
        """Make its ref. Raises `session-exists`, or `_NameTakenError` for a name chosen here."""
        session = self.staged.session
        try:
            sessions.opened(self.ws, self.draft, session.tip, numbered=False)
        except SlipError as fault:
            if self.numbered and fault.code == "session-exists":
                raise _NameTakenError from None
            raise
        return session


def _told(ws: Workspace, staged: Staged) -> Applied:
    return staging.met(ws, staging.told(ws, staged), staged)


def _is_made(
    ws: Workspace, draft: Session, ops: Sequence[Op], options: Options, fault: SlipError
) -> bool:
    """Whether the batch fails because the branch has all of it already."""
    from slipstream_git.changes import lookingback

    head = draft.base
    if not options.bot_branch:
        head = ws.repository.store.ref(landing.branch_of(ws, draft, options))
    return lookingback.is_made(ws, draft, ops, head, fault)


def _made(draft: Session) -> Landed:
    branch = (draft.onto or "the branch").removeprefix(sessions.BRANCHES)
    reason = f"{branch} has all that this batch does already"
    return Landed(draft.name, committed=False, old_head=None, engine=None, reason=reason)


def _nothing(draft: Session) -> Landed:
    reason = "the batch changes nothing"
    return Landed(draft.name, committed=False, old_head=None, engine=None, reason=reason)


def _touched(ws: Workspace, staged: Staged) -> list[FileRead]:
    files = [path for path, file in staged.outcome.files.items() if file is not None]
    return [history.read_file(ws, staged.session.tree, path) for path in sorted(files)]


def _land(ws: Workspace, opening: _Opening, order: Order, land: Landing) -> Landed:
    """Land at once; the session gets a ref of its own only where that is refused.

    So whoever is killed on the way has landed or left nothing, and the same call works again.
    """
    if order.options.keep or order.options.push is not None:
        return _land_open(ws, opening.open(), order, land)
    bounds.check_quota(ws)
    kept = ws.repository.objects.publish()
    try:
        return committing.commit(ws, opening.staged.session._replace(has_ref=False), order)
    except BaseException as fault:
        session = _opened_after(opening)
        if isinstance(fault, SlipError | OSError) and session is not None:
            raise _left_open(fault, session, options=order.options) from None
        if isinstance(fault, SlipError):
            fault.hint = None  # it may name the session, which is not there
        raise
    finally:
        kept.release()


def _opened_after(opening: _Opening) -> Session | None:
    """The session after a refusal; None where it cannot be kept (a full disk, say)."""
    try:
        return opening.open()
    except (SlipError, OSError):
        return None


def _land_open(ws: Workspace, session: Session, order: Order, land: Landing) -> Landed:
    try:
        done = land(ws, session, order)
    except (SlipError, OSError) as fault:
        raise _left_open(fault, session, options=order.options) from None
    if done.commit is None and not order.options.keep:
        closing.abort(ws, session)  # there was nothing to land
    return done


def _flush(ws: Workspace, opening: _Opening) -> Flushed:
    from slipstream_git.changes import flushing

    session = opening.open()
    try:
        return flushing.flush(ws, session, index=False)
    except (SlipError, OSError) as fault:
        raise _left_open(fault, session) from None


def _left_open(
    fault: SlipError | OSError, session: Session, options: Options | None = None
) -> SlipError:
    """The same refusal, naming the session that holds the work.

    options: how it was to land; None where it was to be flushed.
    """
    if isinstance(fault, OSError):
        fault = of_system(fault)
    fault.data["session"] = session.name
    if options is not None:
        fault.hint = fault.hint or hints.again()
        asking.hint_again(fault, session.name, options)
    fault.hint = fault.hint or hints.of("slip", "flush", "-s", session.name)
    fault.message += f" (session {paths.escape_for_terminal(session.name)} is left open)"
    return fault
