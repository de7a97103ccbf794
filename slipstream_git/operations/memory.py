"""What was learned, and where one stopped: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import LOOKS, READS, STAGES, operation

if TYPE_CHECKING:
    from slipstream_git import recollections
    from slipstream_git.workspace import Workspace


@operation(STAGES)
def remember(
    ws: Workspace,
    text: str,
    *,
    about: str | None = None,
    kind: str = "fact",
    tag: tuple[str, ...] = (),
    against: tuple[str, ...] = (),
    session: str | None = None,
    agent: str | None = None,
    no_sync: bool = False,
) -> recollections.Remembered:
    """Keep a fact on the commit where it was learned, for whoever comes after.

    In a session it is the session's: it lands with it, or goes with it. What is said twice is one
    fact; what is said to the contrary stands beside it, and both are told as contested. It is on
    the disk when this is done. A text that holds a credential is refused.

    text (TEXT): one claim, in whatever words
    about (PLACE): what it speaks of: PATH, PATH#SYMBOL or a revision; it is told as stale when that
        has changed
    kind (KIND): decision, convention, gotcha, todo or fact (the default)
    tag (TAG): a word to find it by; may be given more than once
    against (ID): a fact that this one is contrary to
    session (-s, NAME): learned in this session (default: $SLIP_SESSION, or the one whose own
        worktree this is, else on HEAD)
    no_sync: do not wait until it survives a power cut
    """
    from slipstream_git.memory import facts

    claim = facts.Claim(text, kind, about, tag, against, agent or "")
    return facts.remember(ws, claim, session, sync=not no_sync)


@operation(READS)
def recall(
    ws: Workspace,
    query: str | None = None,
    *,
    session: str | None = None,
    rev: str | None = None,
    tokens: int = 1200,
) -> recollections.Recalled:
    """Tell the facts that are near: what is asked for, and what is being worked on.

    Those about what the session or the working tree changes come first; then words decide, of the
    question, the session's title and the branch. Each says why it is told. Where nothing says what
    is near, none is.

    query (QUERY): words, a name or a path
    tokens (N): how much to print at most, at 3.6 bytes a token; 0 for everything
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.memory import recalling

    return recalling.recall(ws, query or "", session, rev, tokens=tokens)


@operation(READS)
def facts(
    ws: Workspace,
    *,
    kind: tuple[str, ...] = (),
    about: str | None = None,
    tag: tuple[str, ...] = (),
    stale: bool = False,
    all: bool = False,  # noqa: A002  (what it is called everywhere)
    markdown: bool = False,
    session: str | None = None,
    rev: str | None = None,
) -> recollections.FactList:
    """List what is remembered, as far as it was learned in the history of what is read.

    kind (KIND): only of this kind; may be given more than once
    about (PLACE): only about this path, what is below it, or PATH#SYMBOL
    tag (TAG): only with this tag; may be given more than once
    stale: only those that speak of what has changed since
    all: those, too, that were learned on commits which are not in this history
    markdown: as a page that can be kept and compared
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.memory import facts

    wanted = facts.Filter(kind, about, tag, stale, all)
    return facts.listed(ws, wanted, session, rev, markdown=markdown)


@operation(STAGES)
def forget(
    ws: Workspace,
    id: str,  # noqa: A002  (what it is called everywhere)
    *,
    no_sync: bool = False,
) -> recollections.Let:
    """Let a fact count no more, here and wherever its notes are merged.

    Its text stays in the notes, as what is reverted stays in history: `slip purge` takes that out.

    id (ID): as `slip facts` prints it, or its beginning
    no_sync: do not wait until it survives a power cut
    """
    from slipstream_git.memory import facts

    return facts.forget(ws, id, sync=not no_sync)


@operation(STAGES)
def purge(
    ws: Workspace,
    id: str,  # noqa: A002  (what it is called everywhere)
) -> recollections.Let:
    """Take a fact's text out of the notes and their history, as for a secret that got in.

    The notes begin anew with all else that they hold. What is left to be done is told: git's gc,
    and copies elsewhere.

    id (ID): as `slip facts` prints it, or its beginning
    """
    from slipstream_git.memory import facts

    return facts.purge(ws, id)


@operation(STAGES)
def digest(
    ws: Workspace,
    *,
    session: str | None = None,
    tokens: int = 1000,
    no_sync: bool = False,
) -> recollections.Digested:
    """Say where things stand, and keep that for `slip resume`: before a context is compacted.

    What is open, what was decided and what comes next (facts of these kinds), what gates said,
    which paths are touched: all of it from records, nothing from prose. The last one that was kept
    for the session, or for the branch, gives way to it.

    tokens (N): how much to print and keep at most, at 3.6 bytes a token; 0 for everything
    session (-s, NAME): of this session (default: $SLIP_SESSION, or the one whose own worktree this
        is, else of the branch)
    no_sync: do not wait until it survives a power cut
    """
    from slipstream_git.memory import digesting

    return digesting.digest(ws, session, tokens=tokens, sync=not no_sync)


@operation(LOOKS)
def resume(
    ws: Workspace, *, session: str | None = None, tokens: int = 1300
) -> recollections.Digested:
    """Read back the digest that was kept last, with what is otherwise since.

    Where none was kept, where things stand now is told.

    tokens (N): how much to print at most, at 3.6 bytes a token; 0 for everything
    session (-s, NAME): of this session (default: $SLIP_SESSION, or the one whose own worktree this
        is, else of the branch)
    """
    from slipstream_git.memory import digesting

    return digesting.resume(ws, session, tokens=tokens)
