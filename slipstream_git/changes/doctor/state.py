"""What slip itself keeps in the repository: its refs, what landings left, and locks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from slipstream_git import hints
from slipstream_git.changes import sessions
from slipstream_git.changes.doctor.findings import FAIL, WARN, Finding, all_of, removing, some
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks, reffiles
from slipstream_git.gitdb.worktrees import checkouts, intents
from slipstream_git.text.objectid import is_id
from slipstream_git.workspace import Workspace

OURS = ("refs/slip/", "refs/notes/slip/")
# Nobody holds a lock so long but who died with it, or sits in an editor.
STALE_S = 600
# git holds one of a ref for milliseconds, or as long as a hook looks at the transaction.
STALE_REF_S = 60
OF_FILES = ("index.lock", "config.lock", "shallow.lock")
LOCKS = ("HEAD.lock", "packed-refs.lock", "packed-refs.new", "config.lock", "shallow.lock")


# Refs ---------------------------------------------------------------------------------------------


def refs(ws: Workspace) -> Finding:
    """Every ref of slip's: readable, its commit there, its chain one that this slip reads."""
    common_dir = ws.repository.layout.common_dir
    found = []
    known = {
        name: held for place in OURS for name, held in reffiles.below(common_dir, place).items()
    }
    for ref, held in known.items():
        finding = _ref(ws, ref, held)
        if finding is not None:
            found.append(finding)
    return all_of(found, f"{len(known)} refs, all sound")


def _ref(ws: Workspace, ref: str, held: str) -> Finding | None:
    path = os.path.join(ws.repository.layout.common_dir, ref)
    if not is_id(held):
        return Finding(f"{ref} holds no id", FAIL, removing([path]))
    deletion = hints.of("git", "update-ref", "-d", ref, held)
    try:
        found = ws.repository.objects.find(held)
    except SlipError:
        found = None
    if found is None:
        return Finding(f"{ref} names {held[:10]}, which is gone or broken", FAIL, deletion)
    if not ref.startswith((sessions.OPEN, sessions.CLOSED)):
        return None
    try:
        sessions.at(ws, ref, held)
    except SlipError as fault:
        # Its commit may be somebody's: it gets a branch before it loses the ref.
        branch = hints.of("git", "branch", f"kept/{ref.removeprefix('refs/slip/')}", held)
        fix = branch.then(deletion) if found.kind == "commit" else deletion
        return Finding(f"{ref} holds no chain of slip's: {fault.message}", FAIL, fix)
    return None


# Intents ------------------------------------------------------------------------------------------


def intents_left(ws: Workspace) -> Finding:
    """Landings that died half way, and what stands among their intents and is none."""
    layout = ws.repository.layout
    said = intents.looked_at(layout.common_dir)
    if not said:
        return Finding("no landing was left half way")
    with locks.held_if_free(os.path.join(layout.slip_dir, "lock"), layout.sharing) as is_free:
        if not is_free:
            return Finding("a landing is under way")
    return all_of([_intent(ws, path, why) for path, why in said.items()], "")


def _intent(ws: Workspace, path: str, why: SlipError | None) -> Finding:
    name = os.path.basename(path)
    if why is None:
        said = f"{name}: a landing died half way"
        return Finding(said, WARN, "slip recover", lambda: _recovered(ws))
    if why.code == "unsupported":
        return Finding(why.message, FAIL)
    return Finding(f"{name} is no intent of slip's", FAIL, removing([path]))


def _recovered(ws: Workspace) -> str:
    from slipstream_git.changes import recovery

    became = [f"{row.session}: {row.outcome}" for row in recovery.recover(ws).intents]
    return f"recovered {some(became)}" if became else "there was nothing left to recover"


# Locks --------------------------------------------------------------------------------------------


def locks_left(ws: Workspace) -> Finding:
    """Lock files of git's that have stood for long; slip's own goes with its holder."""
    now = ws.clock()
    held = dict(_locks(ws))
    stale = [path for path, touched in held.items() if now - touched > _patience_s(path)]
    if stale:
        names = [os.path.relpath(path, ws.repository.layout.common_dir) for path in stale]
        longest = int(now - max(held[path] for path in stale))
        said = f"held for {longest} s or more: {some(names)}; remove what no git holds"
        return Finding(said, WARN, removing(stale))
    return Finding(f"{len(held)} held, none for long" if held else "none held")


def _patience_s(path: str) -> int:
    return STALE_S if os.path.basename(path) in OF_FILES else STALE_REF_S


def _locks(ws: Workspace) -> Iterator[tuple[str, float]]:
    """Lock files and when they were touched."""
    common_dir = ws.repository.layout.common_dir
    paths = [os.path.join(common_dir, name) for name in LOCKS]
    paths += [path for path in reffiles.files(common_dir, "refs") if path.endswith(".lock")]
    for git_dir in _git_dirs(ws):
        paths += [os.path.join(git_dir, name) for name in ("index.lock", "HEAD.lock")]
    for path in dict.fromkeys(paths):
        with suppress(FileNotFoundError, NotADirectoryError):
            yield path, os.stat(path).st_mtime


def _git_dirs(ws: Workspace) -> list[str]:
    found: Mapping[str, None] = dict.fromkeys(
        worktree.git_dir
        for worktree in checkouts.list_worktrees(ws.repository.git)
        if worktree.git_dir
    )
    return [ws.repository.layout.git_dir, *found]
