"""Many sessions at once: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipstream_git.operations.registry import ACTS, LOOKS, FileOrStdin, operation

if TYPE_CHECKING:
    from slipstream_git import meetings
    from slipstream_git.workspace import Workspace


@operation(LOOKS)
def conflicts(
    ws: Workspace,
    sessions: tuple[str, ...] = (),
    *,
    branch: tuple[str, ...] = (),
    worktrees: bool = False,
) -> meetings.Conflicts:
    """Show which open sessions would conflict with each other or with their branch, and where.

    Nothing is changed, and nothing has to be landed to know it. Pairs that would merge cleanly are
    counted. Of a conflict's hunks, `ours` is what the first of the pair has, `theirs` the second.

    sessions (SESSION): only pairs with one of these (default: all open sessions)
    branch (BRANCH): compare the sessions with this branch, too
    worktrees: compare with uncommitted edits and own commits in the repository's worktrees, too
    """
    from slipstream_git.changes.concurrency import matrix

    return matrix.conflicts_among(ws, sessions, branch, worktrees=worktrees)


@operation(ACTS)
def rebase(
    ws: Workspace,
    *,
    session: str | None = None,
    onto: str | None = None,
    fetch: str | None = None,
    no_remembered: bool = False,
) -> meetings.Rebased:
    """Move the session onto the head of its branch.

    What merges is merged as git merges. What conflicts is kept in the session: the files have the
    branch's text there, without markers, until `slip resolve` decides; no landing before that. The
    chain as it was is kept as a closed session.

    onto (BRANCH): move it onto this branch, which becomes the session's own
    fetch (REMOTE): move it onto what the branch holds on this remote, or at this URL, which is
        where `--push REMOTE` lands it; no branch here moves
    no_remembered: settle no conflict as the same one was settled before
    """
    from slipstream_git.changes import sessions
    from slipstream_git.changes.concurrency import rebasing

    chosen, there = sessions.choose(ws, session), None
    if fetch is not None:
        from slipstream_git.sharing import pushing

        there = pushing.head_there(ws, chosen, onto, fetch)
    return rebasing.rebase(ws, chosen, onto, recall=not no_remembered, there=there)


@operation(ACTS)
def resolve(
    ws: Workspace,
    path: str | None = None,
    *,
    session: str | None = None,
    hunk: int | None = None,
    ours: bool = False,
    theirs: bool = False,
    base: bool = False,
    both: bool = False,
    candidate: bool = False,
    content: FileOrStdin | None = None,
    as_is: bool = False,
    group: str | None = None,
    agent: str | None = None,
) -> meetings.Resolved:
    """Decide what a rebase left open, as a step; without a choice, list what is left.

    Ours is the branch, theirs the session. Edits that the session has made to the file since stay.
    Once it has landed, the same conflict is settled the same way when another rebase meets it.

    path (PATH): the file (default: list them all)
    hunk (N): decide this hunk only, by the number that is listed (default: all that are left)
    ours: take what the branch has
    theirs: take what the session had
    base: take what both came from
    both: take the branch's lines, then the session's
    candidate: take the candidate that is listed, where there is one; look at it first
    content (FILE): take this text, for the hunk or for the whole file; - is standard input
    as_is: take the file as the session has it now
    """
    from slipstream_git.changes import sessions
    from slipstream_git.changes.concurrency import resolving
    from slipstream_git.changes.staging import Label
    from slipstream_git.errors import SlipError

    flags = {"ours": ours, "theirs": theirs, "base": base, "both": both, "as-is": as_is,
             "candidate": candidate}  # fmt: skip
    chosen = sessions.choose(ws, session)
    try:
        what = resolving.choice(flags, content, hunk)
    except SlipError as fault:
        fault.hint = resolving.way_on(chosen, path, hunk)
        raise
    if path is None and what is not None:
        raise SlipError("usage", "name the path to decide", hint=f"slip resolve -s {chosen.name}")
    if path is None or what is None:
        return resolving.listing(ws, chosen, path)
    label = Label("resolve", group or "", agent or "")
    return resolving.resolve(ws, chosen, path, what, label)


@operation(ACTS)
def land(
    ws: Workspace,
    sessions: tuple[str, ...] = (),
    *,
    all: bool = False,  # noqa: A002  (the option's name in the contract)
    atomic: bool = False,
    message: tuple[str, ...] = (),
    onto: str | None = None,
    author: str | None = None,
    trailer: tuple[str, ...] = (),
    signoff: bool = False,
    check: bool | None = None,
    sign: bool | None = None,
    no_verify: bool = False,
    no_checkout: bool = False,
    keep: bool = False,
    no_sync: bool = False,
    dry_run: bool = False,
    allow_protected: tuple[str, ...] = (),
    push: str | None = None,
) -> meetings.Queued:
    """Land several sessions in order, each as a commit of its own.

    A commit's message is its session's title. A session that is refused (a conflict, a file in the
    way, a hook) stays open and is told of with what `slip commit` would say; the others land, and
    the exit status is that of the gravest refusal. One that collides is tried once more when others
    have landed after it. With --atomic they all land in one ref transaction, on one branch, or none
    of them does.

    Gates of .slip.toml judge each by itself. With --check they judge all of a branch's together,
    before any of them lands: where that is red, the first session that breaks it is found by
    halving and stays open, and the rest is judged again, until what is left is green and lands at
    once.

    sessions (SESSION): what to land, in this order
    all: land every open session, in the order they were begun, by name where that is the same; one
        that lacks a branch or a message is refused like any other
    atomic: all of them or none
    message (-m, TEXT): the message of those without a title, and of a single session that is named
    onto (BRANCH): land all of them on this branch (default: each on its own)
    """
    from slipstream_git.changes import asking, messages
    from slipstream_git.changes.concurrency import queueing

    text = messages.Message(message, None, author, None, trailer, signoff)
    options = asking.Options(
        text, onto, check, sign, no_verify, no_checkout, keep, no_sync,
        merge=False, dry_run=dry_run, allow_protected=allow_protected, push=push,
    )  # fmt: skip
    if push is None:
        return queueing.land(ws, sessions, options, everyone=all, atomic=atomic)
    from slipstream_git.sharing import pushing

    return queueing.land(ws, sessions, options, everyone=all, atomic=atomic, elsewhere=pushing.land)


@operation(ACTS)
def adopt(
    ws: Workspace,
    branch: str,
    name: str | None = None,
    *,
    onto: str | None = None,
    title: str | None = None,
    agent: str | None = None,
) -> meetings.Adopted:
    """Make a session of the work that a branch holds.

    A step for each commit that the branch has and the other one lacks (one for all of them, where
    merges are among them), on their merge base: so the session conflicts and lands as git's merge
    of the branch would. The branch and its worktree stay as they are. Adopting a branch again
    brings its new commits into the session; where that has landed, into a new one on the commit
    that landed. What lands is normalised as `git add` would: a blob with CRLF lands
    with LF where the attributes say so.

    branch (BRANCH): a local or remote-tracking branch
    name (NAME): what to call the session (default: like the branch)
    onto (BRANCH): the branch to land on (default: the local branch that BRANCH tracks, else the
        current one)
    title (TEXT): what the session is for (default: a single commit's subject, else the branch)
    """
    from slipstream_git.changes.concurrency import adopting

    return adopting.adopt(ws, branch, name, onto=onto, title=title, agent=agent)


# The annotations above are read as text by the table; these names are what they mean.
_NAMED_TYPES: tuple[Any, ...] = (FileOrStdin,)
