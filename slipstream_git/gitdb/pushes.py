"""Landings on their way to another repository, on the disk before they are pushed.

A push may have happened though nobody heard so: a server that died after it, a slip that was
killed. What was pushed is therefore written down first, one JSON file each in
``<common dir>/slip/pushes``, written aside, fsynced and renamed; whoever asks the other side next
finds there what to look for.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.barriers import AT_ONCE, NEVER, fsync, write_all
from slipstream_git.gitdb.layout import Layout
from slipstream_git.records import NamedTuple

_FORMAT = 1


class Row(NamedTuple):
    """A session, its newest step as it was pushed, and the commit that it became."""

    session: str
    tip: str
    commit: str


class Part(NamedTuple):
    """A commit of a series: of which label, and of which steps."""

    commit: str
    label: str
    steps: tuple[int, ...]


class Attempt(NamedTuple):
    """A push of one branch, which moves there from ``old`` to ``commit`` or not at all.

    remote: as the user named it. ref: there. branch: here, makes: which is made where it is not
    there. rows: the sessions, in order; parts: of the only one, the commits of its series. is_bots:
    a branch that is made anew. here: what that held here, where it was not there and this was taken
    for it. The rest is how the landing was asked for.
    """

    id: str
    at_s: int
    remote: str
    ref: str
    branch: str
    makes: bool
    old: str | None
    commit: str
    rows: tuple[Row, ...]
    keep: bool = False
    unchecked: bool = False
    no_checkout: bool = False
    no_sync: bool = False
    parts: tuple[Part, ...] = ()
    is_bots: bool = False
    here: str | None = None


def note(layout: Layout, attempt: Attempt) -> None:
    """Write an attempt down; it survives a power cut unless its landing is not to. OSError."""
    directory = _directory(layout)
    permissions.make_directory(directory, layout.sharing)
    path = os.path.join(directory, f"{attempt.id}.json")
    said = json.dumps({"format": _FORMAT, **attempt._asdict()}, separators=(",", ":"))
    handle = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        write_all(handle, said.encode("utf-8", "surrogateescape"))
        permissions.adjust(f"{path}.new", layout.sharing)
        if not attempt.no_sync:
            fsync(handle)
    finally:
        os.close(handle)
    os.rename(f"{path}.new", path)
    barrier = NEVER if attempt.no_sync else AT_ONCE
    for parent in (directory, os.path.dirname(directory)):
        barrier.leave_path(parent)


def drop(layout: Layout, attempt: Attempt) -> None:
    """Forget an attempt of which it is known what became of it."""
    with suppress(OSError):
        os.unlink(os.path.join(_directory(layout), f"{attempt.id}.json"))


def pending(layout: Layout) -> list[Attempt]:
    """Attempts of which that is not known; what is none of this version's is passed over."""
    directory = _directory(layout)
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        if name.endswith(".json"):
            with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
                found.append(_read(os.path.join(directory, name)))
    return found


def _read(path: str) -> Attempt:
    with open(path, "rb") as stream:
        said = json.loads(stream.read())
    if said.pop("format") != _FORMAT:
        raise ValueError(path)
    rows = tuple(Row(*row) for row in said["rows"])
    parts = tuple(Part(oid, label, tuple(steps)) for oid, label, steps in said.get("parts", ()))
    return Attempt(**said | {"rows": rows, "parts": parts})


def _directory(layout: Layout) -> str:
    return os.path.join(layout.slip_dir, "pushes")
