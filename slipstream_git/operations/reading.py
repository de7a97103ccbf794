"""Reading, for people and agents with a budget: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import READS, operation

if TYPE_CHECKING:
    from slipstream_git import excerpts
    from slipstream_git.workspace import Workspace


@operation(READS)
def files(
    ws: Workspace,
    globs: tuple[str, ...] = (),
    *,
    session: str | None = None,
    rev: str | None = None,
    untracked: bool = False,
    changed: bool = False,
    tree: bool = False,
    tokens: int = 4000,
    after: str | None = None,
) -> excerpts.Files:
    """List the files of a session, a revision, or HEAD with the working tree's edits.

    changed: only those that the session, or the working tree, changes
    tree: how many files each directory has, instead of their names
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.reading import listing, views

    return listing.files(
        ws, views.Wish(session, rev, untracked), globs,
        changed=changed, as_tree=tree, tokens=tokens, after=after,
    )  # fmt: skip


@operation(READS)
def map_(
    ws: Workspace,
    paths: tuple[str, ...] = (),
    *,
    session: str | None = None,
    rev: str | None = None,
    untracked: bool = False,
    tokens: int = 2000,
    after: str | None = None,
) -> excerpts.Map:
    """Show what is where: files and their symbols, the most referred to first.

    What the session changes comes before that, and what it refers to counts for more.

    paths (PATH): only these files and directories (globs too)
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.reading import mapping, views

    wish = views.Wish(session, rev, untracked)
    return mapping.tree_map(ws, wish, paths, tokens=tokens, after=after)


@operation(READS)
def symbol(
    ws: Workspace,
    name: str,
    *,
    inside: str | None = None,
    session: str | None = None,
    rev: str | None = None,
    untracked: bool = False,
    tokens: int = 4000,
) -> excerpts.Symbols:
    """Show the text of what a name names: a function, a class, a type, …

    Where several are called so, all are shown that fit, and the others are listed.

    name (NAME): plain (`run`) or with what it stands in (`Session.run`, `sessions.run`)
    inside (PATH): only in this file, or below this directory
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.reading import naming, views

    return naming.symbol(ws, views.Wish(session, rev, untracked), name, inside, tokens=tokens)


@operation(READS)
def lines(
    ws: Workspace,
    path: str,
    start: int | None = None,
    end: int | None = None,
    *,
    session: str | None = None,
    rev: str | None = None,
    untracked: bool = False,
    tokens: int = 4000,
) -> excerpts.LinesRead:
    """Print numbered lines of a file, with the blob id that an edit of them may ask for.

    path (PATH): the file, from the root of the repository
    start (A): the first line (default: 1)
    end (B): the last line (default: the last of the file)
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.reading import excerpting, views

    wish = views.Wish(session, rev, untracked)
    return excerpting.lines(ws, wish, path, 1 if start is None else start, end, tokens=tokens)


@operation(READS)
def search(
    ws: Workspace,
    pattern: str,
    globs: tuple[str, ...] = (),
    *,
    fixed: bool = False,
    regex: bool = False,
    ignore_case: bool = False,
    word: bool = False,
    context: int = 0,
    count: bool = False,
    raw: bool = False,
    max: int | None = None,  # noqa: A002  (the option's name in the contract)
    session: str | None = None,
    rev: str | None = None,
    untracked: bool = False,
    tokens: int | None = None,
    after: str | None = None,
) -> excerpts.Searched:
    r"""Find the lines that match, the likeliest first: definitions, whole words, then the rest.

    The lines are those of `git grep` on the same tree; binary files and symlinks are not searched.

    pattern (PATTERN): a regular expression in RE2's syntax; one with \1 or (?=…) is taken, too
    fixed (-F): PATTERN is plain text
    regex: PATTERN is a regular expression (the default)
    ignore_case (-i): match letters without regard to case
    word (-w): match whole words only
    context (N): show N lines around each
    count: only how many lines of which file match
    raw: every line, in the order of paths, as PATH:LINE:TEXT
    max (N): show at most so many lines (default: 200; with --raw all)
    tokens (N): how much to tell, at 3.6 bytes a token (default: 2000; with --raw everything, which
        is 0)
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.errors import SlipError
    from slipstream_git.reading import views
    from slipstream_git.reading.search import searching
    from slipstream_git.text.patterns import Wish

    if fixed and regex:
        raise SlipError("usage", "--fixed or --regex, not both", hint="slip search --help")
    most = max if max is not None else searching.EVERY if raw else searching.MOST_SHOWN
    limit = tokens if tokens is not None else 0 if raw else searching.TOKENS
    request = searching.Request(
        Wish(pattern, fixed, ignore_case, word), globs, most, context, count, raw, limit, after
    )
    return searching.search(ws, views.Wish(session, rev, untracked), request)


@operation(READS)
def refs(
    ws: Workspace,
    name: str,
    *,
    max: int = 200,  # noqa: A002  (the option's name in the contract)
    session: str | None = None,
    rev: str | None = None,
    untracked: bool = False,
    tokens: int = 2000,
    after: str | None = None,
) -> excerpts.References:
    """Show where a name is used in code, comments and strings left out.

    name (NAME): the name; of `Session.run` the last part counts
    session (-s, NAME): read this session (default: $SLIP_SESSION, or the one whose own worktree
        this is, else the working tree)
    """
    from slipstream_git.reading import naming, views

    wish = views.Wish(session, rev, untracked)
    return naming.refs(ws, wish, name, most=max, tokens=tokens, after=after)
