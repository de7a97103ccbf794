"""Change sets: declarations only. Each handler imports its verb inside the body, because a
command pays at start for what it uses and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipstream_git.operations.registry import (
    ACTS,
    STAGES,
    Batch,
    FileOrStdin,
    Several,
    Stdin,
    operation,
)

if TYPE_CHECKING:
    from slipstream_git import outcomes, results
    from slipstream_git.workspace import Workspace


@operation(STAGES)
def begin(
    ws: Workspace,
    name: str | None = None,
    *,
    base: str | None = None,
    onto: str | None = None,
    title: str | None = None,
    agent: str | None = None,
    allow: tuple[str, ...] = (),
    deny: tuple[str, ...] = (),
    capture: bool = False,
    allow_protected: tuple[str, ...] = (),
) -> results.Begun:
    """Open a session and print its name.

    A session is a chain of commits at refs/slip/sessions/NAME: no worktree is made, and no branch,
    index or file of yours changes.

    name (NAME): what to call it (default: s1, s2, …, the lowest free)
    capture: start from this worktree's edits of tracked files
    """
    from slipstream_git.changes import sessions

    wish = sessions.Wish(
        name, base, onto, title, agent, allow, deny, allow_protected=allow_protected
    )
    if capture:
        from slipstream_git.changes import beginning

        return beginning.capturing_edits(ws, wish)
    return sessions.begin(ws, wish)


@operation(STAGES)
def apply(
    ws: Workspace,
    ops: Batch | None = None,
    *,
    session: str | None = None,
    format: str = "auto",  # noqa: A002  (the option's name in the contract)
    group: str | None = None,
    agent: str | None = None,
    dry_run: bool = False,
) -> results.Applied:
    """Stage a batch of edits: all of it or none of it.

    The batch is a JSON list of ops, JSON lines, a unified diff, a `*** Begin Patch` text, or
    SEARCH/REPLACE blocks; which one is seen from its content. Every op sees what the ops before it
    made.

    ops (FILE): the batch, or - for standard input (the default)
    format (FORMAT): auto, json, jsonl, diff, v4a or blocks
    """
    from slipstream_git.changes import bounds, sessions, staging
    from slipstream_git.text import batches

    batch = batches.decode(ops or b"", format, bounds.batch_bytes(ws))
    label = staging.Label("apply", group or "", agent or "")
    return staging.apply(ws, sessions.choose(ws, session), batch, label, dry_run=dry_run)


@operation(ACTS)
def sub(
    ws: Workspace,
    pattern: str,
    replacement: str,
    globs: tuple[str, ...] = (),
    *,
    session: str | None = None,
    regex: bool = False,
    word: bool = False,
    ignore_case: bool = False,
    expect: int | None = None,
    group: str | None = None,
    agent: str | None = None,
    dry_run: bool = False,
) -> results.Applied:
    r"""Replace text in many files, counted.

    Refused unless the number of replacements is what --expect says (default: at least one).

    pattern (PATTERN): the text to look for, literal unless --regex
    replacement (REPLACEMENT): what to put there; with --regex, \1 is the first group
    globs (GLOB): which files: *.py is at any depth, src/** below src, !x leaves x out (default:
        every text file in scope)
    regex: PATTERN is a regular expression of Python's `re`, multi-line, on bytes
    word: match whole words only
    ignore_case: match ASCII letters without regard to case
    expect (N): how many replacements there must be
    """
    from slipstream_git.changes import sessions, staging
    from slipstream_git.text import batches

    fields = {"regex": regex, "word": word, "ignore_case": ignore_case}
    ops = batches.one(
        "sub", globs=list(globs), pattern=pattern, replacement=replacement, expect=expect, **fields
    )
    label = staging.Label("sub", group or "", agent or "")
    return staging.apply(ws, sessions.choose(ws, session), ops, label, dry_run=dry_run)


@operation(STAGES)
def write(
    ws: Workspace,
    path: str,
    content: Stdin,
    *,
    session: str | None = None,
    executable: bool = False,
    create: str = "ok",
    group: str | None = None,
    agent: str | None = None,
) -> results.Applied:
    """Write a whole file in the session, its content taken from standard input.

    path (PATH): the file
    content: the content
    executable: make it executable
    create (WHEN): ok, only (refused when it exists) or never (refused when it does not)
    """
    from base64 import b64encode

    mode = "100755" if executable else None
    text = b64encode(content).decode()
    return _one(ws, session, group, agent, "write", path=path, content_b64=text, mode=mode,
                create=create)  # fmt: skip


@operation(STAGES)
def rm(
    ws: Workspace,
    paths: Several,
    *,
    session: str | None = None,
    group: str | None = None,
    agent: str | None = None,
) -> results.Applied:
    """Delete files in the session.

    paths (PATH): the files
    """
    from slipstream_git.changes import sessions, staging
    from slipstream_git.text import batches

    ops = [op for path in paths for op in batches.one("delete", path=path)]
    label = staging.Label("rm", group or "", agent or "")
    return staging.apply(ws, sessions.choose(ws, session), ops, label)


@operation(STAGES)
def mv(
    ws: Workspace,
    path: str,
    to: str,
    *,
    session: str | None = None,
    group: str | None = None,
    agent: str | None = None,
) -> results.Applied:
    """Move a file in the session.

    path (FROM): the file
    to (TO): its new path
    """
    return _one(ws, session, group, agent, "move", path=path, to=to)


def _one(
    ws: Workspace,
    session: str | None,
    group: str | None,
    agent: str | None,
    name: str,
    **fields: object,
) -> results.Applied:
    from slipstream_git.changes import sessions, staging
    from slipstream_git.text import batches

    ops = batches.one(name, **fields)
    label = staging.Label(name, group or "", agent or "")
    return staging.apply(ws, sessions.choose(ws, session), ops, label)


@operation(STAGES)
def undo(ws: Workspace, step: str | None = None, *, session: str | None = None) -> outcomes.Stepped:
    """Take back the last step, or one in the middle; `slip redo` brings it back.

    step (STEP): the number that `slip log` prints, or the beginning of its commit id
    """
    from slipstream_git.changes import history, sessions

    return history.undo(ws, sessions.choose(ws, session), step)


@operation(STAGES)
def redo(ws: Workspace, *, session: str | None = None) -> outcomes.Stepped:
    """Bring back the step that was taken back last."""
    from slipstream_git.changes import history, sessions

    return history.redo(ws, sessions.choose(ws, session))


@operation(ACTS)
def capture(
    ws: Workspace,
    paths: tuple[str, ...] = (),
    *,
    session: str | None = None,
    untracked: bool = False,
    group: str | None = None,
    agent: str | None = None,
) -> results.Applied:
    """Take this worktree's uncommitted edits into the session; the worktree is not changed.

    paths (PATH): only these files and directories, untracked ones too (default: every edit of a
        tracked file)
    untracked: take all untracked files that are not ignored, too
    """
    from slipstream_git.changes import capturing, sessions, staging

    label = staging.Label("capture", group or "", agent or "")
    return capturing.capture(ws, sessions.choose(ws, session), paths, label, untracked=untracked)


@operation(ACTS)
def flush(ws: Workspace, *, session: str | None = None, index: bool = False) -> outcomes.Flushed:
    """Bring this worktree's files to the session's content, with no commit.

    All or nothing; refused as `dirty` when a file has edits that the session does not know. The
    session stays open: undo and flush again takes it back.

    index: stage them in the index, too
    """
    from slipstream_git.changes import flushing, sessions

    return flushing.flush(ws, sessions.choose(ws, session), index=index)


@operation(ACTS)
def commit(
    ws: Workspace,
    *,
    session: str | None = None,
    message: tuple[str, ...] = (),
    message_file: FileOrStdin | None = None,
    author: str | None = None,
    trailer: tuple[str, ...] = (),
    signoff: bool = False,
    onto: str | None = None,
    check: bool | None = None,
    merge: bool = False,
    dry_run: bool = False,
    date: str | None = None,
    committer_date_is_author_date: bool = False,
    sign: bool | None = None,
    no_verify: bool = False,
    no_checkout: bool = False,
    keep: bool = False,
    no_sync: bool = False,
    series: bool = False,
    each: bool = False,
    bot_branch: str | None = None,
    allow_protected: tuple[str, ...] = (),
    push: str | None = None,
) -> outcomes.Landed:
    """Land the session as one commit on its branch.

    Merged with what the branch has gained meanwhile, as git merges. A conflict moves nothing, and
    is shown with both sides: `slip rebase` takes it into the session, to be decided there by
    `slip resolve`. Every worktree that has the branch checked out is brought along; edits in the
    way are refused as `dirty` before anything moves. Without a message it is the session's title;
    on a terminal the editor opens, with that in it.
    """
    from slipstream_git.changes import asking, closing, committing, messages, sessions

    one_date = committer_date_is_author_date
    text = messages.Message(message, message_file, author, date, trailer, signoff, one_date)
    options = asking.Options(
        text, onto, check, sign, no_verify, no_checkout, keep, no_sync, merge, dry_run, series,
        each, bot_branch, allow_protected, push,
    )  # fmt: skip
    chosen = closing.landed_already(ws, session)
    if chosen is not None and push is not None:
        from slipstream_git.sharing import pushing

        return pushing.already(ws, chosen, options)
    if chosen is not None:
        return chosen
    found = sessions.choose(ws, session)
    order = committing.ordered(ws, found, options)
    if push is not None:
        from slipstream_git.sharing import pushing

        return pushing.commit(ws, found, order)
    return committing.commit(ws, found, order)


@operation(ACTS)
def exec_(
    ws: Workspace,
    *,
    ops: Batch | None = None,
    format: str = "auto",  # noqa: A002
    read: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
    read_all: bool = False,
    session: str | None = None,
    base: str | None = None,
    onto: str | None = None,
    title: str | None = None,
    agent: str | None = None,
    allow: tuple[str, ...] = (),
    deny: tuple[str, ...] = (),
    message: tuple[str, ...] = (),
    message_file: FileOrStdin | None = None,
    flush: bool = False,
    author: str | None = None,
    trailer: tuple[str, ...] = (),
    signoff: bool = False,
    check: bool | None = None,
    merge: bool = False,
    date: str | None = None,
    committer_date_is_author_date: bool = False,
    sign: bool | None = None,
    no_verify: bool = False,
    no_checkout: bool = False,
    keep: bool = False,
    no_sync: bool = False,
    series: bool = False,
    each: bool = False,
    bot_branch: str | None = None,
    split: str | None = None,
    depth: int = 1,
    label: str = "{}",
    allow_protected: tuple[str, ...] = (),
    push: str | None = None,
) -> outcomes.Executed:
    """Begin, read, apply and commit (or flush) in one call.

    With neither -m nor --flush the diff is shown and nothing is kept. A batch that fails leaves
    nothing; a landing that is refused leaves the session open and names it.

    ops (FILE): the batch (see `slip apply --help`), - for standard input, or the JSON itself
    format (FORMAT): auto, json, jsonl, diff, v4a or blocks
    read (PATH[:A-B]): lines to read before the batch
    files (PATH[:A-B]): the same as --read
    read_all: read every file that the batch touched, after it
    session (-s, NAME): what to call the session (default: s1, s2, …, the lowest free)
    flush: bring this worktree's files to the result, with no commit
    split (WAY): label what the batch changes for --series: by path, directory or owner (default:
        each op of a JSON batch has the label that its `group` says)
    """
    from slipstream_git.changes import asking, executing, messages, sessions, splitting

    one_date = committer_date_is_author_date
    text = messages.Message(message, message_file, author, date, trailer, signoff, one_date)
    landing_options = asking.Options(
        text, onto, check, sign, no_verify, no_checkout, keep, no_sync, merge,
        dry_run=False, series=series, each=each, bot_branch=bot_branch, push=push,
    )  # fmt: skip
    wish = sessions.Wish(
        session, base, onto, title, agent, allow, deny, allow_protected=allow_protected
    )
    way = None if split is None else splitting.Wish(split, depth, label)
    request = executing.Request(wish, ops, format, (*read, *files), read_all, flush, way)
    wanted = landing_options if text.given or series else None
    if push is None:
        return executing.run(ws, request, wanted)
    from slipstream_git.sharing import pushing

    return executing.run(ws, request, wanted, pushing.commit)


@operation(ACTS)
def abort(ws: Workspace, *, session: str | None = None) -> outcomes.Closed:
    """Close the session without landing; `slip reopen` brings it back."""
    from slipstream_git.changes import closing, sessions

    return closing.abort(ws, sessions.choose(ws, session))


@operation(ACTS)
def reopen(ws: Workspace, name: str) -> results.Begun:
    """Open a closed session again.

    name (NAME): its name, or NAME@N for an older chain of that name
    """
    from slipstream_git.changes import closing

    return closing.reopen(ws, name)


# The annotations above are read as text by the table; these names are what they mean.
_NAMED_TYPES: tuple[Any, ...] = (Batch, FileOrStdin, Several, Stdin)
