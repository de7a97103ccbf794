"""What slip keeps beside sessions: notes, worktrees, caches, room, and a server's socket."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from slipstream_git import addresses, hints
from slipstream_git.changes import sessions
from slipstream_git.changes.doctor.findings import (
    FAIL,
    WARN,
    Finding,
    all_of,
    removed,
    removing,
    some,
)
from slipstream_git.errors import SlipError
from slipstream_git.events import log
from slipstream_git.gitdb import commits, reffiles, usage
from slipstream_git.gitdb.worktrees import checkouts, owned
from slipstream_git.text.objectid import is_id
from slipstream_git.workspace import Workspace

NOTES: Final = "refs/notes/slip/"
# Of what a quota allows, in percent, beyond which little is left.
NEARLY: Final = 90
_MERGING: Final = "NOTES_MERGE_PARTIAL"
_HEADS: Final = {".seg": b"slipseg", ".sqlite": b"SQLite format 3\0"}


# Notes --------------------------------------------------------------------------------------------


def notes(ws: Workspace) -> Finding:
    """Whether each ref of notes holds notes, and no merge of notes was left half way."""
    known = reffiles.below(ws.repository.layout.common_dir, NOTES)
    found = []
    count = 0
    for ref, held in known.items():
        if not is_id(held) or ws.repository.objects.find(held) is None:
            continue  # the check of refs tells of it
        try:
            count += _count(ws, held)
        except SlipError as fault:
            name = ref.removeprefix("refs/notes/")
            kept = hints.of("git", "update-ref", f"refs/notes/kept/{name}", held)
            fix = kept.then(hints.of("git", "update-ref", "-d", ref, held))
            found.append(Finding(f"{ref} holds no notes: {fault.message}", FAIL, fix))
    if os.path.isfile(os.path.join(ws.repository.layout.git_dir, _MERGING)):
        said = "a merge of notes was left half way: decide in NOTES_MERGE_WORKTREE, or leave it"
        found.append(Finding(said, WARN, "git notes merge --abort"))
    return all_of(found, f"{count} notes in {len(known)} refs")


def _count(ws: Workspace, tip: str) -> int:
    """How many notes a commit holds. Raises SlipError where it holds something else, too."""
    count = 0
    tree = commits.tree_of(ws.repository.objects, tip)
    for path, entry in ws.repository.trees.walk(tree):
        name = path.replace(b"/", b"")
        if not is_id(name.decode("utf-8", "replace")) or not stat.S_ISREG(entry.mode):
            shown = path[:80].decode("utf-8", "replace")
            raise SlipError("git-failed", f"{shown} is the note of no object")
        count += 1
    return count


# Worktrees ----------------------------------------------------------------------------------------


def worktrees(ws: Workspace) -> Finding:
    """Linked worktrees whose directory is gone, and those of sessions that are no more."""
    found = []
    listed = checkouts.list_worktrees(ws.repository.git)
    gone = [worktree.root for worktree in listed if worktree.prunable]
    if gone:
        said = f"not there any more: {some(gone)}; where that is a disk that is not mounted, wait"
        found.append(Finding(said, WARN, "git worktree prune -v"))
    for own in owned.every(ws.repository.layout.common_dir):
        if not own.is_there or _is_open(ws, own):
            continue
        said = f"{own.root} is that of {own.session}, which is no more"
        # Refused where it holds anything that is nowhere else.
        fix = hints.of("slip", "-C", own.root, "worktree", "--remove")
        found.append(Finding(said, WARN, fix))
    return all_of(found, f"{len(listed)}, all in their place")


def _is_open(ws: Workspace, own: owned.Owned) -> bool:
    ref = sessions.OPEN + own.session
    tip = ws.repository.store.ref(ref)
    try:
        return tip is not None and sessions.at(ws, own.session, tip).began(own.begin)
    except SlipError:
        return True  # the check of refs tells of it


# Caches and room ----------------------------------------------------------------------------------


def caches(ws: Workspace) -> Finding:
    """Whether files that make reading quick can be read; without them it is done anew."""
    directory = os.path.join(ws.repository.layout.slip_dir, "index")
    broken, count, size = [], 0, 0
    for path in _files(directory):
        count += 1
        size += os.path.getsize(path)
        if not _is_sound(path):
            broken.append(path)
    if broken:
        names = [os.path.relpath(path, directory) for path in broken]
        said = f"{len(broken)} of {count} files of the index are broken: {some(names)}"
        return Finding(said, WARN, removing(broken), lambda: removed(broken))
    return Finding(f"{count} files of the index, {size >> 20} MiB" if count else "nothing is kept")


def _files(directory: str) -> Iterator[str]:
    for place, _, names in os.walk(directory):
        for name in sorted(names):
            path = os.path.join(place, name)
            if name.endswith(tuple(_HEADS)) and os.path.isfile(path):
                yield path


def _is_sound(path: str) -> bool:
    kind = os.path.splitext(path)[1]
    with open(path, "rb") as stream:
        head = stream.read(16)
    if not head and kind == ".sqlite":
        return True  # a database that is being made
    if not head.startswith(_HEADS[kind]):
        return False
    if kind != ".sqlite":
        return True
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            return bool(database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        return True  # somebody writes there
    except sqlite3.Error:
        return False


def events(ws: Workspace) -> Finding:
    """Whether the logs of what happened can be read; nothing but history depends on them."""
    layout = ws.repository.layout
    found, count = [], 0
    for session in log.sessions(layout):
        path = log.path_of(layout, session)
        page = log.read(path)
        count += len(page.events)
        if page.skipped:
            said = f"{page.skipped} lines of {os.path.basename(path)} are no events"
            found.append(Finding(said, WARN, hints.of("mv", path, f"{path}.broken")))
    return all_of(found, f"{count} events")


def quota(ws: Workspace) -> Finding:
    """How much of `slip.quota` is taken."""
    config = ws.repository.config
    if config.get("slip.quota") is None:
        return Finding("none is set")
    most = config.number("slip.quota", 0)
    size = usage.measured(ws.repository).size
    said = f"{size} of {most} bytes are taken"
    if size * 100 < most * NEARLY:
        return Finding(said)
    status = FAIL if size >= most else WARN
    closed = reffiles.below(ws.repository.layout.common_dir, sessions.CLOSED)
    # Closed sessions are what can go; without any, only the limit can give way.
    raised = hints.of("git", "config", "slip.quota", str(max(2 * size, 1)))
    return Finding(said, status, "slip gc --expire now" if closed else raised)


# A server's socket --------------------------------------------------------------------------------


def sockets(ws: Workspace) -> Finding:
    """Whether somebody answers where a server of the user's listens."""
    place = addresses.address(ws.env)
    if not place:
        return Finding("no server is wanted (SLIP_SOCKET is empty)")
    try:
        kind = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return Finding("no server runs")
    if not stat.S_ISSOCK(kind.st_mode):
        said = f"{place} is no socket; a server cannot listen there"
        return Finding(said, WARN, hints.of("mv", place, f"{place}.old"))
    if _answers(place):
        return Finding(f"a server listens at {place}")
    said = f"nobody listens at {place}; a server died there"
    return Finding(said, WARN, removing([place]), lambda: removed([place]))


def _answers(place: str) -> bool:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as client:
        client.settimeout(1)
        try:
            client.connect(place)
        except ConnectionRefusedError:
            return False
        except OSError:  # it is busy, or somebody else's: not for us to call dead
            return True
    return True
