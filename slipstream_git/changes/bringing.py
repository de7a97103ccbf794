"""Bringing worktrees along: the files and index entries of what lands, or of a flush.

What may be written over is what somebody keeps: the version the branch had, the version that
lands, and every version in the session's chain (what was captured). Anything else is the user's.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from os import fsencode

from slipstream_git.changes import captures, sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes
from slipstream_git.gitdb.barriers import Barrier
from slipstream_git.gitdb.conversion import Cleaned, Smudged
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.worktrees import checkouts
from slipstream_git.gitdb.worktrees.checkouts import manner_of
from slipstream_git.gitdb.worktrees.jobs import (
    Acceptable,
    Convertible,
    Job,
    Placement,
    Trouble,
    Worktree,
)
from slipstream_git.gitdb.worktrees.looking import CHANGED, NOT_TRACKED
from slipstream_git.gitdb.worktrees.troubles import STAGED_DIFFERENTLY, InTheWay, looking_again
from slipstream_git.gitdb.worktrees.walking import shown
from slipstream_git.gitdb.worktrees.writer import Writer
from slipstream_git.hints import Hint, command
from slipstream_git.model import TREE, Entry
from slipstream_git.workspace import Workspace

# So many files a hint moves aside; the same again tells of the others.
_MOST_ASIDE = 20


@contextmanager
def hinting_at(ws: Workspace, session: Session) -> Iterator[None]:
    """A refusal inside because of files in the way gets a hint that takes them out of it."""
    try:
        yield
    except InTheWay as fault:
        there = [] if fault.root == ws.repository.layout.root else ["-C", fault.root]
        fault.hint = _way_out(ws, session, there, fault.troubles)
        raise


def _way_out(
    ws: Workspace, session: Session, there: Sequence[str], troubles: Sequence[Trouble]
) -> Hint:
    """A command that leads these out of a landing's way; of files nothing is lost by it."""
    from slipstream_git.gitdb import edited  # hardly ever needed

    why = {trouble.path: set[str]() for trouble in troubles}
    for trouble in troubles:
        why[trouble.path].add(trouble.why)
    new = [path for path in why if NOT_TRACKED in why[path]]
    if new:
        # The session has files of its own there, so capturing these could only conflict.
        root = fsencode(there[1]) + b"/" if there else b""
        both = [path for path in new[:_MOST_ASIDE] if STAGED_DIFFERENTLY in why[path]]
        parts = [command(["git", *there, "rm", "-qf", "--cached"], both)] if both else []
        parts += [
            command(["mv", "-n"], [root + path, root + path + b".mine"])
            for path in new[:_MOST_ASIDE]
        ]
        first, *rest = parts
        for part in rest:
            first = first.then(part)
        return first
    staged = [path for path in why if STAGED_DIFFERENTLY in why[path]]
    captured = captures.captured(ws, session) if staged else {}
    otherwise = _otherwise_than_staged(ws, there, staged)
    # What is staged was gone on from, or only the index has it: then the file gets it back.
    only = [path for path in staged if CHANGED not in why[path] and path not in captured]
    later = [path for path in staged if path in otherwise and path not in only]
    parts = []
    # Only a flush finds such edits, and only here: where the index is brought along, it refuses.
    hidden = [] if there else edited.hidden(ws.repository, sorted(why))
    if hidden:
        parts.append(looking_again(ws.repository.layout.root or "", hidden))
    if later:
        parts.append(command(["git", *there, "add"], later))
    if only:
        parts.append(command(["git", *there, "restore"], only))
    parts.append(command(["slip", *there, "capture", "-s", session.name], sorted(why)))
    return reduce(Hint.then, parts)


def _otherwise_than_staged(
    ws: Workspace, there: Sequence[str], staged: Sequence[bytes]
) -> Collection[bytes]:
    """Those whose files are not as the index has them."""
    if not staged:
        return ()
    git = ws.repository.git.at(there[1], os.path.join(there[1], ".git")) if there else None
    asked = (git or ws.repository.git).run(
        "--literal-pathspecs", "diff-files", "--name-only", "-z", "--", *staged, accept=range(256)
    )
    return set(asked.out.split(b"\0"))


def every_worktree(ws: Workspace) -> list[Worktree]:
    """All worktrees of the repository, the caller's own as git found it.

    ``git worktree list`` takes the main worktree to be where the git directory is, which
    core.worktree and GIT_WORK_TREE say otherwise.
    """
    layout = ws.repository.layout
    is_only = checkouts.is_only(layout)
    found = [] if is_only else list(checkouts.list_worktrees(ws.repository.git))
    if layout.root is None:
        return found
    branch, head = ws.repository.head()
    own = Worktree(layout.root, layout.git_dir, branch, head)
    others = [w for w in found if not _same(w.git_dir, layout.git_dir)]
    listed = [w for w in found if _same(w.git_dir, layout.git_dir)]
    return [*(w._replace(root=own.root, bare=False, branch=branch) for w in listed[:1] or [own]),
            *others]  # fmt: skip


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def writers(
    ws: Workspace,
    chains: Sequence[Session],
    placements: Sequence[Placement],
    worktrees: Sequence[Worktree],
    *,
    tree: str,
    token: str,
    index: bool,
    barrier: Barrier,
) -> list[Writer]:
    """A writer for each worktree; nothing is looked at yet.

    chains: the sessions whose versions of a file may be written over.
    """
    git = ws.repository.git
    return [
        Writer(
            git,
            Job(
                worktree,
                placements,
                content_of(ws.repository, worktree, tree, placements),
                token,
                acceptable=of_any(versions(ws, session) for session in chains),
                with_index=index,
                manner=manner_of(ws.repository.config_in(worktree.root, worktree.git_dir)),
                barrier=barrier,
            ),
        )
        for worktree in worktrees
    ]


def preflight(found: Sequence[Writer]) -> None:
    """Look whether everything can be placed. Raises `dirty`, `locked`, …; nothing is changed."""
    for writer in found:
        writer.preflight()


def content_of(
    repository: Repository, worktree: Worktree, tree: str, placements: Sequence[Placement]
) -> Convertible:
    """What belongs in a worktree for the entries of placements, as git would check it out.

    tree: its attributes count. It also tells what git would store for a file that stands otherwise,
    which `git status` calls unchanged where that is the blob it knows.
    """
    paths = [placement.path for placement in placements]
    values = attributes.of_paths(repository, tree, paths)
    what = attributes.filtered(repository, values)
    filtered = {path for path, why in what.items() if why.startswith("filter=")}
    converted = what.keys() | attributes.with_crlf(repository, values)
    git = repository.git.at(worktree.root, worktree.git_dir)
    smudged = Smudged(repository, tree, placements, converted, filtered)
    cleaned = Cleaned(repository, git, paths)
    return Convertible(smudged.content, cleaned, smudged.prepare, filtered)


def versions(ws: Workspace, session: Session) -> Acceptable:
    """The versions of a path that the session keeps: every step's, and what it captured.

    But not what it captured and took back by an undo: that is the user's own again.

    None among them: a step removed the file, so that its absence is the session's doing.
    """
    trees = [step.tree for step in sessions.steps(ws, session)]
    captured = captures.captured(ws, session)
    given_back = captures.given_back(ws, session)

    def acceptable(path: bytes) -> Collection[Entry | None]:
        found: list[Entry | None] = list(captured.get(path, ()))
        for tree in trees:
            entry = ws.repository.trees.lookup(tree, path)
            if entry is None or entry.mode != TREE:
                found.append(entry)
        return [e for e in dict.fromkeys(found) if e not in given_back.get(path, ())]

    return acceptable


def of_any(kept: Iterable[Acceptable]) -> Acceptable:
    """The versions of a path that any of several keep."""
    everyone = list(kept)
    return lambda path: [entry for acceptable in everyone for entry in acceptable(path)]


def placements_between(repository: Repository, old: str, new: str) -> list[Placement]:
    """What to place to come from one tree to another."""
    return [Placement(*difference) for difference in repository.trees.differences(old, new)]


def place(found: Sequence[Writer]) -> None:
    """Move every worktree's files; when one is surprised, those before it are taken back."""
    done: list[Writer] = []
    try:
        for writer in found:
            writer.place()
            done.append(writer)
    except BaseException:
        roll_back(done)
        raise


def hold(found: Sequence[Writer]) -> None:
    """Lock every index and write all aside, so that `place` only renames."""
    done: list[Writer] = []
    try:
        for writer in found:
            writer.hold()
            done.append(writer)
    except BaseException:
        roll_back(done)
        raise


def roll_back(found: Sequence[Writer]) -> list[str]:
    """Take back what was held and placed; a line for each path that somebody changed since."""
    return [line for writer in reversed(found) for line in _told(writer, writer.roll_back())]


def settle(found: Sequence[Writer]) -> tuple[list[str], SlipError | OSError | None]:
    """Let go of what was set aside, in every worktree.

    Gives a line for each file that somebody wrote to while it was replaced, saying where that is
    kept; and the first fault, where something could not be let go.
    """
    lines: list[str] = []
    first: SlipError | OSError | None = None
    for writer in found:
        try:
            lines += _told(writer, writer.settle())
        except (SlipError, OSError) as fault:
            first = first or fault
    return lines, first


def _told(writer: Writer, troubles: Sequence[Trouble]) -> list[str]:
    root = fsencode(writer.worktree.root)
    return [f"{shown(root + b'/' + path)}: {why}" for path, why in troubles]
