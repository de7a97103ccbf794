"""How a worktree that cannot be brought along says so: what is in the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.worktrees.jobs import Trouble
from slipstream_git.gitdb.worktrees.walking import shown
from slipstream_git.hints import Hint, command

STAGED_DIFFERENTLY: Final = "staged differently"
_SHOWN_PATHS = 5


class InTheWay(SlipError):
    """`dirty`, with the paths as bytes, so that whoever knows the session can tell the way out.

    ``left`` are paths that could not be taken back.
    """

    def __init__(
        self, root: str, troubles: Iterable[Trouble], left: Iterable[Trouble] = ()
    ) -> None:
        self.root = root
        self.troubles = sorted(set(troubles))
        named = ", ".join(f"{shown(t.path)} ({t.why})" for t in self.troubles[:_SHOWN_PATHS])
        more = len(self.troubles) - _SHOWN_PATHS
        super().__init__(
            "dirty",
            f"in the way in {root}: {named}" + (f" and {more} more" if more > 0 else ""),
            data=_told(root, left) | {"paths": _as_json(self.troubles)},
        )


def failed(root: str, fault: OSError, left: Iterable[Trouble] = ()) -> SlipError:
    """The system refused."""
    said = fault.strerror or type(fault).__name__
    if isinstance(fault.filename, str | bytes):
        said += f": {shown(os.fsencode(fault.filename))}"
    return SlipError("git-failed", f"cannot place files in {root}: {said}", data=_told(root, left))


def not_looked_at(root: str, hidden: Sequence[bytes]) -> SlipError:
    """The refusal where git was told not to look at files, so that nobody knows what they hold."""
    path = hidden[0]
    return SlipError(
        "unsupported",
        f"{shown(path)} is marked for git not to look at, in {root}",
        hint=looking_again(root, hidden),
        data={"worktree": root, "path": shown(path)},
    )


def looking_again(root: str, hidden: Sequence[bytes]) -> Hint:
    """What makes git look at these files again, whichever mark they have."""
    there = ["git", "-C", root, "update-index"]  # heeds the first such option, and no further one
    assumed = command([*there, "--no-assume-unchanged"], hidden)
    return assumed.then(command([*there, "--no-skip-worktree"], hidden))


def _told(root: str, left: Iterable[Trouble]) -> dict[str, object]:
    kept = _as_json(left)
    return {"worktree": root} | ({"left": kept} if kept else {})


def _as_json(troubles: Iterable[Trouble]) -> list[dict[str, str]]:
    return [{"path": shown(t.path), "why": t.why} for t in troubles]
