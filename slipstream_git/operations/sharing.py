"""Work that goes to other machines and comes from them: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipstream_git.operations.registry import ACTS, StoredOrStdin, operation

if TYPE_CHECKING:
    from slipstream_git import outcomes
    from slipstream_git.workspace import Workspace


@operation(ACTS)
def push(
    ws: Workspace, remote: str | None = None, sessions: tuple[str, ...] = ()
) -> outcomes.Exchanged:
    """Bring open sessions and notes to a remote, for other machines to pull.

    What gates said, where commits came from, how conflicts were settled and what was learned are
    notes: they are merged with those that are there. A session that is closed here and was pushed
    before is taken away there. One that has gone on there, too, is left as it is, and told of. All
    of it moves there in one transaction. No branch moves, and none lists what was pushed.

    remote (REMOTE): a remote or a URL (default: the current branch's remote, the only one, or
        origin)
    sessions (SESSION): these alone (default: every open session)
    """
    from slipstream_git.sharing import exchanging

    return exchanging.push(ws, remote, sessions)


@operation(ACTS)
def pull(
    ws: Workspace,
    remote: str | None = None,
    sessions: tuple[str, ...] = (),
    *,
    name: str | None = None,
) -> outcomes.Exchanged:
    """Bring sessions and notes from a remote.

    First what `git fetch REMOTE` fetches. Each session is checked before it is one here, as
    `slip unbundle` does; one that has gone on here, too, is left as it is, and told of. Notes are
    merged. No branch, index or file of yours changes.

    remote (REMOTE): a remote or a URL (default: the current branch's remote, the only one, or
        origin)
    sessions (SESSION): these alone (default: all that are there)
    name (NAME): what to call a single session here
    """
    from slipstream_git.sharing import exchanging

    return exchanging.pull(ws, remote, sessions, name)


@operation(ACTS)
def bundle(ws: Workspace, *, output: str, session: str | None = None) -> outcomes.Bundled:
    """Write a session to a file that another machine can check and land.

    The file is a git bundle: the session's chain on its base, with what gates said of its trees. A
    bundle that is there is written over, no other file.

    output (-o, FILE): the file to write
    """
    from slipstream_git.changes import sessions
    from slipstream_git.sharing import bundling

    return bundling.bundle(ws, sessions.choose(ws, session), output)


@operation(ACTS)
def unbundle(
    ws: Workspace,
    bundle: StoredOrStdin | None = None,
    name: str | None = None,
    *,
    verdicts: bool = False,
) -> outcomes.Unbundled:
    """Make a session of a bundle that another machine wrote.

    All of it is looked at before anything is taken: its refs, its objects, every step of the chain
    and the paths that it touches. Its base has to be here. It lands like any other session.

    bundle (FILE): the bundle, a regular file, or - for standard input (the default)
    name (NAME): what to call the session (default: as it was called)
    verdicts: take what the bundle says of gates; only from whom you would believe it
    """
    from slipstream_git.sharing import bundling

    return bundling.unbundle(ws, bundle or b"", name, verdicts=verdicts)


# The annotations above are read as text by the table; these names are what they mean.
_NAMED_TYPES: tuple[Any, ...] = (StoredOrStdin,)
