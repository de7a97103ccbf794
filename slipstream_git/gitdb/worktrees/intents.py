"""Intents: what a command is about to do, on the disk before its first effect.

One JSON file each in ``<common dir>/slip/intents``, written aside, fsynced and renamed, so that
there is none or a whole one.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any, Final

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.barriers import AT_ONCE, Barrier, fsync, write_all
from slipstream_git.gitdb.worktrees.jobs import Placement
from slipstream_git.model import Entry
from slipstream_git.records import NamedTuple

_INTENT_FORMAT: Final = 1


class Place(NamedTuple):
    """A worktree, as far as recovery needs it; branch and head are where it stood then."""

    root: str
    git_dir: str
    branch: str | None = None
    head: str | None = None


class SessionMove(NamedTuple):
    """A further ref of the transaction; None: absent."""

    ref: str
    old: str | None
    new: str | None


class Intent(NamedTuple):
    """A landing under way; with ``branch`` and ``new_commit`` None a flush, or refs of slip's own.

    id: also the token of its writers. at_s: whole seconds since 1970.
    """

    id: str
    pid: int
    at_s: int
    worktrees: tuple[Place, ...]
    placements: tuple[Placement, ...]
    branch: str | None = None
    old_head: str | None = None
    new_commit: str | None = None
    sessions: tuple[SessionMove, ...] = ()
    with_index: bool = True


def write_intent(
    common_dir: str, intent: Intent, *, sharing: int = 0, barrier: Barrier = AT_ONCE
) -> str:
    """Write an intent; when the barrier has been raised it survives a power cut. Gives its path.

    sharing: who else may bring it to its end, see `permissions.parse`.
    """
    directory = _intents(common_dir)
    permissions.make_directory(directory, sharing)
    path = os.path.join(directory, f"{intent.id}.json")
    fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        write_all(fd, json.dumps(_encoded(intent), separators=(",", ":")).encode())
        permissions.adjust(f"{path}.new", sharing)
        fsync(fd)  # whatever the barrier: half an intent would be in every later command's way
    finally:
        os.close(fd)
    os.rename(f"{path}.new", path)
    for parent in (directory, os.path.dirname(directory), common_dir):
        barrier.leave_path(parent)
    return path


def drop_intent(path: str) -> None:
    """Forget an intent. No error when it is gone.

    That waits for no disk: what it was to bring about is there by now, and is found to be so if
    a power cut brings the intent back.
    """
    for name in (path, f"{path}.new"):
        with suppress(FileNotFoundError):
            os.unlink(name)


def pending_intents(common_dir: str) -> tuple[Intent, ...]:
    """All intents, by id. Only who holds the repository's slip lock knows their owners dead.

    Raises `unsupported` for one that a newer slip wrote, `git-failed` for what is none.
    """
    directory = _intents(common_dir)
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return ()
    intents = []
    for name in names:
        if name.endswith(".json"):
            text = _text(os.path.join(directory, name))
            if text is not None:
                intents.append(_decoded(text, name))
    return tuple(intents)


def looked_at(common_dir: str) -> dict[str, SlipError | None]:
    """Every file that should be an intent, by path: None for one, or what is wrong with it."""
    directory = _intents(common_dir)
    found: dict[str, SlipError | None] = {}
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
        if name.endswith(".json"):
            path = os.path.join(directory, name)
            try:
                text = _text(path)
                if text is not None:
                    _decoded(text, name)
                    found[path] = None
            except SlipError as fault:
                found[path] = fault
    return found


def intent_path(common_dir: str, intent_id: str) -> str:
    return os.path.join(_intents(common_dir), f"{intent_id}.json")


def _intents(common_dir: str) -> str:
    return os.path.join(common_dir, "slip", "intents")


def _encoded(intent: Intent) -> dict[str, Any]:
    return intent._asdict() | {
        "format": _INTENT_FORMAT,
        "placements": [
            [b64encode(path).decode(), old, new] for path, old, new in intent.placements
        ],
    }


def _text(path: str) -> bytes | None:
    """What an intent says, None when it is gone meanwhile."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise SlipError("git-failed", f"{path} cannot be read: {fault.strerror}") from None


def _decoded(text: bytes, name: str) -> Intent:
    try:
        return _intent(json.loads(text), name)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SlipError(
            "git-failed", f"slip/intents/{name} in the git directory is no intent of slip's"
        ) from None


def _intent(said: dict[str, Any], name: str) -> Intent:
    if said.pop("format") != _INTENT_FORMAT:
        raise SlipError("unsupported", f"{name}: the intent of a landing by a newer slip")
    return Intent(
        **said
        | {
            "worktrees": tuple(Place(*place) for place in said["worktrees"]),
            "sessions": tuple(SessionMove(*move) for move in said["sessions"]),
            "placements": tuple(
                Placement(b64decode(path), _entry(old), _entry(new))
                for path, old, new in said["placements"]
            ),
        }
    )


def _entry(said: list[Any] | None) -> Entry | None:
    return Entry(*said) if said else None
