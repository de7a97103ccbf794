"""Which repository and session a host's event is about, without a process where that is sure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from slipstream_git.gitdb import nearby, reffiles
from slipstream_git.gitdb.layout import SESSION_MARK, Layout
from slipstream_git.hosts.ground import Ground

SESSIONS: Final = "refs/slip/sessions/"


def layout(ground: Ground, directory: str) -> Layout | None:
    """Where the repository's parts are; None where there is none. Raises as `Ground.open`."""
    near = nearby.find(directory, ground.env)
    if near.is_sure:
        return near.layout
    with ground.open(directory).repository as repository:
        return repository.layout


def open_sessions(place: Layout) -> list[str]:
    """The open sessions, sorted."""
    return [ref.removeprefix(SESSIONS) for ref in reffiles.below(place.common_dir, SESSIONS)]


def session(place: Layout, env: Mapping[str, str], names: list[str]) -> str:
    """The session that is meant, of these; empty where that is not plain without reading chains.

    $SLIP_SESSION, else the one whose own worktree this is, else the only open one, where the
    repository has one worktree.
    """
    wanted = env.get("SLIP_SESSION") or _marked(place)
    if wanted:
        return wanted if wanted in names else ""
    alone = len(names) == 1 and not os.path.isdir(os.path.join(place.common_dir, "worktrees"))
    return names[0] if alone else ""


def _marked(place: Layout) -> str:
    try:
        with open(os.path.join(place.git_dir, SESSION_MARK), "rb") as stream:
            return os.fsdecode(stream.read(4096)).partition(" ")[0]
    except OSError:
        return ""
