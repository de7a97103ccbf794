"""Where calls may go: one repository with its worktrees, or those below one directory.

A model takes a path from a text as readily as from its user. So a server is bound to the place
that it was started for, and any other is refused, whatever is there.
"""

from __future__ import annotations

import os
from contextlib import suppress

from slipstream_git.errors import SlipError
from slipstream_git.faces.serving import tenants


class Grounds:
    """The place of one server. given: as it was asked for; None for where the process stands."""

    def __init__(self, given: str | None) -> None:
        self.start = os.path.realpath(given or ".")
        self._is_given = given is not None

    def directory(self, repo: str | None) -> str:
        """The directory that a call means. Raises `path-denied`."""
        if repo is None:
            return self.start
        meant = os.path.realpath(os.path.join(self.start, repo))
        top = tenants.place_of(self.start)
        is_repository = tenants.is_place(top)
        if (is_repository or self._is_given) and _is_below(meant, top):
            return meant
        if is_repository and any(_is_below(meant, root) for root in _worktrees(top)):
            return meant
        where = f"{top} and what is below it" if is_repository or self._is_given else "none"
        raise SlipError(
            "path-denied", f"repo {repo[:200]!r} is not this server's: it serves {where}"
        )


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def _worktrees(top: str) -> list[str]:
    """Where the repository's own list has linked worktrees, its main one among them."""
    git_dir = _git_dir(top)
    common = os.path.join(git_dir, _text(os.path.join(git_dir, "commondir")) or ".")
    common = os.path.realpath(common)
    found = [os.path.dirname(common)] if os.path.basename(common) == ".git" else [common]
    with suppress(OSError):
        for entry in os.scandir(os.path.join(common, "worktrees")):
            pointer = _text(os.path.join(entry.path, "gitdir"))
            if pointer:
                found.append(os.path.realpath(os.path.dirname(os.path.join(common, pointer))))
    return found


def _git_dir(top: str) -> str:
    inner = os.path.join(top, ".git")
    if os.path.isdir(inner):
        return inner
    said = _text(inner)
    return os.path.join(top, said.removeprefix("gitdir: ")) if said else top


def _text(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return os.fsdecode(stream.read(4096)).rstrip("\n")
    except OSError:
        return ""
