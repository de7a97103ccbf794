"""Work that goes to other machines and comes from them: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipstream_git.operations.registry import ACTS, FileOrStdin, operation

if TYPE_CHECKING:
    from slipstream_git import outcomes
    from slipstream_git.workspace import Workspace


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
    bundle: FileOrStdin | None = None,
    name: str | None = None,
    *,
    verdicts: bool = False,
) -> outcomes.Unbundled:
    """Make a session of a bundle that another machine wrote.

    All of it is looked at before anything is taken: its refs, its objects, every step of the chain
    and the paths that it touches. Its base has to be here. It lands like any other session.

    bundle (FILE): the bundle, or - for standard input (the default)
    name (NAME): what to call the session (default: as it was called)
    verdicts: take what the bundle says of gates; only from whom you would believe it
    """
    from slipstream_git.sharing import bundling

    return bundling.unbundle(ws, bundle or b"", name, verdicts=verdicts)


# The annotations above are read as text by the table; these names are what they mean.
_NAMED_TYPES: tuple[Any, ...] = (FileOrStdin,)
