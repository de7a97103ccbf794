"""A merge that conflicts as a tree without markers, and its conflicts as a person names them.

git pushes what has no place aside, under names such as ``d~<commit>``; it tells the sides of one
path under two names then, and a renamed file's version may hold markers already. Here each
conflict is one path with the versions that base, branch and session themselves have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from slipstream_git.changes import conflicts
from slipstream_git.changes.footprints import parents
from slipstream_git.changes.unresolved import Open, Unresolved
from slipstream_git.gitdb.merged import Conflict, Merge, own_name
from slipstream_git.model import REGULAR, TREE, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace


class Inputs(NamedTuple):
    """The trees that were merged."""

    base: str
    ours: str
    theirs: str


class Settled(NamedTuple):
    """``tree``: all that merges, and one side of the rest. Its objects are pending."""

    tree: str
    conflicts: Open


def settled(
    ws: Workspace, inputs: Inputs, merged: Merge, kept: Literal["ours", "theirs"] = "ours"
) -> Settled:
    """A conflicting merge made a tree that a session can hold.

    kept: whose side stands where they collide.
    """
    trees = ws.repository.trees
    found, aside = _gathered(ws, inputs, merged.conflicts)
    places: dict[bytes, Entry | None] = dict.fromkeys(aside)
    for conflict in merged.conflicts:
        if _is_below(conflict.path, found):
            places[conflict.path] = trees.leaf(getattr(inputs, kept), conflict.path)
    # What lies below a name comes first, then what takes the name.
    tree = trees.splice(merged.tree, places)
    tree = trees.splice(tree, _entries(ws, merged.tree, found.values(), kept))
    _keep(ws, inputs.ours, tree)
    return Settled(tree, dict(sorted(found.items())))


def _entries(
    ws: Workspace, tree: str, found: Iterable[Unresolved], kept: Literal["ours", "theirs"]
) -> dict[bytes, Entry | None]:
    """What stands at each path until it is decided.

    A text is merged, with that side's lines where it collides; else it is what the side has.
    tree: where git's own merge says which mode the file has.
    """
    placed: dict[bytes, Entry | None] = {}
    for item in found:
        entry = item.ours if kept == "ours" else item.theirs
        weave = conflicts.weave(ws, item.sides)
        if weave is not None and entry is not None:
            merged = ws.repository.trees.lookup(tree, item.path)
            mode = merged.mode if merged and merged.mode in REGULAR else entry.mode
            lines = {n: c.side(kept) for n, c in enumerate(weave.collisions, 1)}
            entry = Entry(mode, ws.repository.objects.write("blob", weave.text(lines)))
        if entry is None or entry.mode != TREE:
            placed[item.path] = entry
    return placed


def _gathered(
    ws: Workspace, inputs: Inputs, standing: Sequence[Conflict]
) -> tuple[Open, list[bytes]]:
    """Conflicts by the paths that they are about, and the names that git made up."""
    found: Open = {}
    aside: list[bytes] = []
    for conflict in standing:
        path = _own_path(ws, inputs, conflict.path)
        if path != conflict.path:
            aside.append(conflict.path)
        known = found.get(path) or Unresolved(path, conflict.kind, None, None, None)
        found[path] = known._replace(
            base=known.base or conflict.base,
            ours=known.ours or _real(ws, inputs.ours, path, conflict.ours),
            theirs=known.theirs or _real(ws, inputs.theirs, path, conflict.theirs),
        )
    found = {path: _with_directory(ws, inputs, item) for path, item in found.items()}
    open_paths = {
        path: item
        for path, item in found.items()
        # Gone on both sides, as what both renamed in different ways: its new names are told.
        if (item.ours or item.theirs) and not _is_below(path, found)
    }
    gone = [path for path, item in found.items() if not (item.ours or item.theirs)]
    return open_paths, [*aside, *gone]


def _own_path(ws: Workspace, inputs: Inputs, path: bytes) -> bytes:
    if any(ws.repository.trees.lookup(tree, path) for tree in inputs):
        return path
    return own_name(path)


def _real(ws: Workspace, tree: str, path: bytes, entry: Entry | None) -> Entry | None:
    """A side's version; where git gives one that it merged itself, the side's own."""
    if entry is None or entry.mode not in REGULAR:
        return entry
    if ws.repository.store.read(entry.oid) is not None:
        return entry
    return ws.repository.trees.leaf(tree, path)


def _with_directory(ws: Workspace, inputs: Inputs, item: Unresolved) -> Unresolved:
    """Where a file meets a directory: the directory is the other side's version."""
    if item.kind != "file-directory":
        return item
    if item.ours is None:
        return item._replace(ours=_directory(ws, inputs.ours, item.path))
    return item._replace(theirs=_directory(ws, inputs.theirs, item.path))


def _directory(ws: Workspace, tree: str, path: bytes) -> Entry | None:
    entry = ws.repository.trees.lookup(tree, path)
    return entry if entry is not None and entry.mode == TREE else None


def _is_below(path: bytes, found: Open) -> bool:
    """Whether a path is in a directory that is itself a side of a conflict, and told with it."""
    above = (found.get(place) for place in parents(path))
    return any(item is not None and item.kind == "file-directory" for item in above)


def _keep(ws: Workspace, ours: str, tree: str) -> None:
    """Take into the overlay what git's merge made and the tree needs."""
    repository = ws.repository
    for oid in repository.trees.additions(ours, tree):
        if oid not in repository.objects.pending() and repository.store.read(oid) is None:
            item = repository.objects.read(oid)
            repository.objects.write(item.kind, item.data, oid)
