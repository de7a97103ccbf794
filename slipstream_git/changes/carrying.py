"""What a session learned goes where its work goes: facts on its steps become facts on the commit.

The lines stay what they are; only the commit that carries them is another one. With a session that
is aborted they stay on its chain, and come back with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from slipstream_git import factlines
from slipstream_git.changes import chain
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.factlines import Fact
from slipstream_git.gitdb import notes
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.workspace import Workspace


def moves(ws: Workspace, session: Session, commit: str) -> list[RefMove]:
    """Facts of the session put on the commit that it lands as, in the overlay; the notes' move."""
    tip = ws.repository.store.ref(factlines.REF)
    if tip is None or not session.has_ref:
        return []
    try:
        return _moves(ws, session, commit, tip)
    except SlipError as fault:  # which is no reason not to land
        ws.notify(f"facts of {session.name} stay on its chain: {fault.message}")
        return []


def _moves(ws: Workspace, session: Session, commit: str, tip: str) -> list[RefMove]:
    repository = ws.repository
    carried: list[bytes] = []
    left: dict[str, bytes] = {}
    for target, note in _notes(ws, session, tip).items():
        lines = note.split(b"\n")
        own = [line for line in lines if _is_own(session, line)]
        if own:
            carried += own
            left[target] = b"\n".join(line for line in lines if line not in own)
    if not carried:
        return []
    there = (notes.at_commit(repository, tip, commit) or b"").split(b"\n")
    together = dict.fromkeys(line for line in (*there, *carried) if line)
    left[commit] = b"".join(line + b"\n" for line in together)
    signature = ws.signature()
    said = f"Facts of {session.name} carried to what it landed as by slip"
    return [notes.replacing(repository, factlines.REF, left, signature, said=said)]


def _notes(ws: Workspace, session: Session, tip: str) -> Mapping[str, bytes]:
    """The notes that may hold facts of a session, by commit."""
    repository = ws.repository
    if session.rebased:  # the chains from before may be gone, and what was learned on them is not
        blobs = notes.every(repository, tip)
        return {target: repository.objects.blob(oid) for target, oid in blobs.items()}
    found, oid = dict[str, bytes](), session.tip
    while True:
        note = notes.at_commit(repository, tip, oid)
        if note:
            found[oid] = note
        parents = chain.read_step(repository, oid).parents
        if oid == session.begin or not parents:
            return found
        oid = parents[0]


def _is_own(session: Session, line: bytes) -> bool:
    found = factlines.decode(line)
    return isinstance(found, Fact) and bool(found.begin) and session.began(found.begin)
