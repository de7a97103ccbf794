"""What a killed run left beside the files it was placing: found, and dealt with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from slipstream_git.gitdb.worktrees.jobs import TEMPORARY, Placement, Trouble
from slipstream_git.gitdb.worktrees.looking import Surprise, View, Wanted, wanted_files
from slipstream_git.gitdb.worktrees.walking import (
    ABSENT,
    Blocked,
    Leaf,
    Walk,
    beside,
    leaf_at,
    put_back,
    shown,
)


def leftovers(root: str, placements: Iterable[Placement], token: str) -> Iterator[bytes]:
    """Paths of temporary files that a run under this token left behind."""
    prefix = TEMPORARY + token.encode() + b"-"
    with Walk(root) as walk:
        for directory, names in _listed(walk, wanted_files(placements)):
            yield from (b"/".join([*directory, n]) for n in names if n.startswith(prefix))


def clear_leftovers(view: View) -> list[Trouble]:
    """Deal with what the run that is being recovered left; idempotent.

    Going back, the view's placements are those of the killed run turned round. What was set aside
    is put back where nothing stands at its path, and when going back also over what that run
    placed; known content is let go; anything else is kept and told.
    """
    troubles = []
    by_number = {wanted.number: wanted for wanted in view.all}
    pattern = re.compile(re.escape(view.prefix) + rb"([no])([0-9]+)")
    with Walk(view.root) as walk:
        found = [
            (d, n, m)
            for d, names in _listed(walk, view.all)
            for n in names
            if (m := pattern.fullmatch(n))
        ]
        for directory, name, match in found:
            wanted = by_number.get(int(match[2]))
            if wanted is None:
                continue
            walk.forget()
            try:
                why = _clear(view, walk, directory, name, wanted)
            except (Blocked, FileNotFoundError, Surprise):
                why = f"moved while recovering; kept as {shown(name)}"
            if why:
                troubles.append(Trouble(wanted.path, why))
            view.job.checkpoint("leftover")
    return troubles


def _listed(
    walk: Walk, wanted: Iterable[Wanted]
) -> Iterator[tuple[tuple[bytes, ...], list[bytes]]]:
    """Every directory where a temporary file can be, with the names in it."""
    for directory in sorted({w.directory[:n] for w in wanted for n in range(len(w.directory) + 1)}):
        with suppress(FileNotFoundError, Blocked), os.scandir(walk.enter(directory)) as items:
            yield directory, sorted(os.fsencode(item.name) for item in items)


def _clear(
    view: View, walk: Walk, directory: tuple[bytes, ...], name: bytes, wanted: Wanted
) -> str | None:
    if name.startswith(view.prefix + b"n"):
        os.unlink(name, dir_fd=walk.enter(directory))
        return None
    with beside(view.root, None, directory) as kept_at:
        return _clear_aside(view, walk, kept_at, name, wanted)


def _clear_aside(view: View, walk: Walk, kept_at: int, name: bytes, wanted: Wanted) -> str | None:
    is_back = view.recovering == "back"
    kept = leaf_at(kept_at, name)
    known = view.is_known(kept_at, name, wanted, kept)
    current, fd = _current(walk, wanted)
    was_removed = not is_back and wanted.new is None and known
    if current.kind == "absent" and not was_removed:
        fd, _ = walk.make(wanted.directory)
        return put_back(kept_at, name, fd, wanted.name)
    # Going back, `old` is what the killed run placed.
    if is_back and view.is_old(fd, wanted, current):
        os.rename(name, wanted.name, src_dir_fd=kept_at, dst_dir_fd=fd)
    elif not known and current.signature[:2] != kept.signature[:2]:
        return f"written to meanwhile; kept as {shown(name)}"
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=kept_at)
    return None


def _current(walk: Walk, wanted: Wanted) -> tuple[Leaf, int]:
    try:
        fd = walk.enter(wanted.directory)
    except FileNotFoundError:
        return ABSENT, -1
    except Blocked:
        # A file where the parent was: what is known is placed anew if that goes.
        return Leaf("blocked"), -1
    return leaf_at(fd, wanted.name), fd
