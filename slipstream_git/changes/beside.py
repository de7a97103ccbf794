"""What moves with a branch when a session lands on it, whoever moves the branch."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.changes import carrying, closing, provenance
from slipstream_git.changes.asking import Options
from slipstream_git.changes.provenance import Share
from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.workspace import Workspace


def moves(
    ws: Workspace, session: Session, oid: str, options: Options, shares: Sequence[Share] = ()
) -> list[RefMove]:
    """The session's refs and the notes, for a landing as ``oid``.

    shares: of a series, what each of its commits holds.
    """
    found = [] if options.keep else [*closing.landed(ws, session, oid)]
    found += provenance.noting(ws, session, shares or [Share(oid)], options)
    found += carrying.moves(ws, session, oid)
    if session.rebased:
        from slipstream_git.changes import resolutions

        found += resolutions.noting(ws, session)
    return found
