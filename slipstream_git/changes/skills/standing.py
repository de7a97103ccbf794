"""How far runs of skills have come, a file each, below the git directory.

They are nobody's truth: where one is lost, the run begins again. What was said for a command's
values is in them, so they are for their owner to read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, Final, cast

from slipstream_git.gitdb import locks, permissions
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

FORMAT: Final = 1
_ALONE: Final = "-"


class Standing(NamedTuple):
    """Where a run stands. oid: of the skill's file. begin: of the session, where there is one.

    next: the step to go on with. landed: the last step that has landed something, 0 for none.
    values: as they were said. green: by the number of a gate that asks several times, the tree on
    which it was green as often as it asks.
    """

    oid: str
    next: int = 1
    begin: str | None = None
    landed: int = 0
    values: Mapping[str, list[str]] = {}
    green: Mapping[str, str] = {}


def path(ws: Workspace, source: str, skill: str, session: str | None) -> str:
    """The file of a run; all three names have been held against their patterns."""
    directory = os.path.join(ws.repository.layout.slip_dir, "skills", source)
    return os.path.join(directory, f"{skill}@{session or _ALONE}.json")


def alone(ws: Workspace, place: str) -> AbstractContextManager[bool]:
    """Hold a run; whether nobody else walks it."""
    return locks.held_if_free(f"{place}.lock", ws.repository.layout.sharing)


def read(place: str) -> Standing | None:
    """Where a run stands; None for one that has not begun, or whose file cannot be read."""
    try:
        with open(place, encoding="utf-8") as stream:
            said = json.load(stream)
        if said.pop("format") != FORMAT:
            return None
        found = Standing(**said)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if _is_sound(found) else None


def _is_sound(found: Standing) -> bool:
    oid, following, _, landed, values, green = cast("tuple[Any, ...]", found)
    are_numbers = type(following) is int and type(landed) is int and isinstance(green, dict)
    are_lists = isinstance(values, dict) and all(isinstance(w, list) for w in values.values())
    return isinstance(oid, str) and are_numbers and are_lists


def keep(ws: Workspace, place: str, standing: Standing) -> None:
    """Raises OSError."""
    sharing = ws.repository.layout.sharing
    permissions.make_directory(os.path.dirname(place), sharing)
    temporary = f"{place}.{ws.token()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump({"format": FORMAT, **standing._asdict()}, stream)
    os.replace(temporary, place)


def forget(place: str) -> None:
    with suppress(OSError):
        os.remove(place)
