"""How a worktree that cannot be brought along says so: what is in the way, and the way out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.looking import Trouble
from slipstream_git.gitdb.walking import shown

STAGED_DIFFERENTLY: Final = "staged differently"
_SHOWN_PATHS = 5


def in_the_way(root: str, troubles: Iterable[Trouble], left: Iterable[Trouble] = ()) -> SlipError:
    """The refusal; ``left`` are paths that could not be taken back."""
    listed = sorted(set(troubles))
    named = ", ".join(f"{shown(t.path)} ({t.why})" for t in listed[:_SHOWN_PATHS])
    more = len(listed) - _SHOWN_PATHS
    return SlipError(
        "dirty",
        f"in the way in {root}: {named}" + (f" and {more} more" if more > 0 else ""),
        hint=_way_out(listed),
        data=_told(root, left) | {"paths": _as_json(listed)},
    )


def _way_out(troubles: Iterable[Trouble]) -> str:
    """What takes the edits in, so that they are in no landing's way."""
    every = {t.path for t in troubles}
    staged = sorted(t.path for t in troubles if t.why == STAGED_DIFFERENTLY)
    capture = command("slip capture", sorted(every))
    # What is staged and not in the file either is nobody's to take in but git's.
    return f"{command('git add', staged)} && {capture}" if staged else capture


def failed(root: str, fault: OSError, left: Iterable[Trouble] = ()) -> SlipError:
    """The system refused."""
    said = fault.strerror or type(fault).__name__
    if isinstance(fault.filename, str | bytes):
        said += f": {shown(os.fsencode(fault.filename))}"
    return SlipError("git-failed", f"cannot place files in {root}: {said}", data=_told(root, left))


def command(verb: str, paths: Iterable[bytes]) -> str:
    """A command that can be typed as it stands."""
    words = [shlex.quote(os.fsdecode(path)) for path in paths]
    end = ["--"] if any(word.startswith("-") for word in words) else []
    return " ".join([verb, *end, *words])


def _told(root: str, left: Iterable[Trouble]) -> dict[str, object]:
    kept = _as_json(left)
    return {"worktree": root} | ({"left": kept} if kept else {})


def _as_json(troubles: Iterable[Trouble]) -> list[dict[str, str]]:
    return [{"path": shown(t.path), "why": t.why} for t in troubles]
