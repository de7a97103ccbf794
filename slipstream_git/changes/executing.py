"""One call for the whole job: begin, read, apply, and commit or flush."""

from __future__ import annotations

from typing import NamedTuple

from slipstream_git.changes import bounds, closing, history, landing, sessions, staging
from slipstream_git.changes.landing import Options, Order
from slipstream_git.changes.sessions import Session, Wish
from slipstream_git.changes.staging import Label, Staged
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.model import Op
from slipstream_git.outcomes import Executed, Flushed, Landed
from slipstream_git.results import FileRead
from slipstream_git.text import batches, paths
from slipstream_git.workspace import Workspace

TRIES = 64


class Request(NamedTuple):
    """What exec is asked to do; ``batch`` is None where only reading is wanted."""

    wish: Wish
    batch: bytes | None
    form: str
    reads: tuple[str, ...]
    read_all: bool
    flush: bool


def run(ws: Workspace, request: Request, options: Options | None) -> Executed:
    """Do it. A failing batch leaves nothing; a refused landing leaves the session, and says so."""
    if request.flush and options is not None:
        raise SlipError("usage", "--flush and -m exclude each other")
    if request.batch is None and (request.flush or options is not None):
        raise SlipError(
            "usage", "there is no batch to land", hint="slip exec --ops FILE -m MESSAGE"
        )
    ops = _decoded(ws, request)
    order = landing.order(ws, options) if options is not None else None
    for _ in range(TRIES):
        draft = sessions.drafted(ws, request.wish)
        if options is not None:
            landing.branch_of(ws, draft, options)
        reads = list(history.read_files(ws, draft.tree, request.reads))
        staged = staging.stage(ws, draft, ops, Label("exec", "", request.wish.agent or ""))
        told = staging.told(ws, staged) if request.batch is not None else None
        if request.read_all:
            reads += _touched(ws, staged)
        if staged.session.tip == draft.tip:
            return Executed(reads, told, _nothing(draft) if options else None)
        if options is None and not request.flush:
            diff = history.patch_text(ws, draft.tree, staged.session.tree)
            ws.repository.objects.discard()
            return Executed(reads, told and told._replace(diff=diff, dry_run=True), None)
        session = _opened(ws, draft, staged, numbered=request.wish.name is None)
        if session is None:
            continue
        done = Executed(reads, told and told._replace(session=session.name), None)
        if order is None:
            return done._replace(flush=_flush(ws, session))
        return done._replace(commit=_land(ws, session, order))
    raise SlipError(
        "ref-moved", "other sessions kept taking the free names", hint="slip begin NAME"
    )


def _decoded(ws: Workspace, request: Request) -> tuple[Op, ...]:
    if request.batch is None:
        return ()
    return batches.decode(request.batch, request.form, bounds.batch_bytes(ws))


def _opened(ws: Workspace, draft: Session, staged: Staged, *, numbered: bool) -> Session | None:
    """The session, its ref made; None when another process took the chosen name meanwhile."""
    try:
        sessions.opened(ws, draft, staged.session.tip, numbered=False)
    except SlipError as fault:
        if numbered and fault.code == "session-exists":
            return None
        raise
    return staged.session


def _nothing(draft: Session) -> Landed:
    reason = "the batch changes nothing"
    return Landed(draft.name, committed=False, old_head=None, engine=None, reason=reason)


def _touched(ws: Workspace, staged: Staged) -> list[FileRead]:
    files = [path for path, file in staged.outcome.files.items() if file is not None]
    return [history.read_file(ws, staged.session.tree, path) for path in sorted(files)]


def _land(ws: Workspace, session: Session, order: Order) -> Landed:
    try:
        landed = landing.commit(ws, session, order)
    except SlipError as fault:
        raise _left_open(fault, session) from None
    if not landed.committed:
        # The branch has it all: a bot's second run leaves nothing behind.
        move = RefMove(session.ref, session.tip, None)
        closing.move_together(ws, [move], f"slip: nothing to land of {session.name}")
    return landed


def _flush(ws: Workspace, session: Session) -> Flushed:
    from slipstream_git.changes import flushing

    try:
        return flushing.flush(ws, session, index=False)
    except SlipError as fault:
        raise _left_open(fault, session) from None


def _left_open(fault: SlipError, session: Session) -> SlipError:
    """The same refusal, naming the session that holds the work."""
    fault.data["session"] = session.name
    if fault.hint is None:
        fault.hint = f"slip diff -s {session.name}"
    fault.message += f" (session {paths.escape_for_terminal(session.name)} is left open)"
    return fault
