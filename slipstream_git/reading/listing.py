"""`slip files`: what stands in a tree, as `git ls-tree -r` lists it, within a budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from slipstream_git.errors import SlipError
from slipstream_git.excerpts import Directory, Files, Listed
from slipstream_git.model import Entry
from slipstream_git.reading import budget, views
from slipstream_git.reading.budget import Budget
from slipstream_git.text import paths, scopes
from slipstream_git.workspace import Workspace


def files(
    ws: Workspace,
    wish: views.Wish,
    globs: Sequence[str],
    *,
    changed: bool = False,
    as_tree: bool = False,
    tokens: int = 4000,
    after: str | None = None,
) -> Files:
    """Files of a view, sorted by path; ``changed``: only those of the work under way.

    as_tree: how many files each directory has, as deep as the budget goes.
    """
    view = views.choose(ws, wish)
    if changed and view.before is None:
        raise SlipError("usage", "--changed is of a session or of the working tree")
    found = list(_changed(ws, view, globs) if changed else _walked(ws, view.tree, globs))
    if not found:
        say_if_none(ws, view.tree, globs)
    start = budget.place(view.tree, after)
    room = Budget(tokens)
    if as_tree:
        directories = _directories([path for path, _ in found], room)
        answer = Files(view.tree, [], len(found), truncated=False, directories=directories)
        return answer._replace(session=view.session, rev=view.rev)
    told = []
    for path, entry in found[start:]:
        row = Listed(oid=entry.oid, mode=f"{entry.mode:06o}", **budget.named(path))
        if not room.take(len(row.path) + 1):
            break
        told.append(row)
    truncated, following = budget.page(len(found), start, len(told), view.tree)
    return Files(view.tree, told, len(found), truncated, following, view.session, view.rev)


def _walked(ws: Workspace, tree: str, globs: Sequence[str]) -> Iterator[tuple[bytes, Entry]]:
    wanted = scopes.compile_globs(globs)
    for path, entry in ws.repository.trees.walk(tree, scopes.literal_prefix(globs)):
        if not globs or wanted(path):
            yield path, entry


def say_if_none(ws: Workspace, tree: str, globs: Sequence[str]) -> None:
    """Tell the reader of nothing that there is nothing to be read."""
    if globs and next(_walked(ws, tree, globs), None) is None:
        ws.notify(f"no file of this tree fits {', '.join(globs)}")


def _changed(
    ws: Workspace, view: views.View, globs: Sequence[str]
) -> Iterator[tuple[bytes, Entry]]:
    wanted = scopes.compile_globs(globs)
    for differing in ws.repository.trees.differences(view.before or view.tree, view.tree):
        if differing.new is not None and wanted(differing.path):
            yield differing.path, differing.new


def _directories(found: Sequence[bytes], room: Budget) -> list[Directory]:
    """Directories with their counts: those of one depth whole, or none of them."""
    told: list[tuple[bytes, int]] = []
    depth = 1
    while True:
        level = Counter(
            b"/".join(parts[:depth]) + b"/"
            for parts in (path.split(b"/") for path in found)
            if len(parts) > depth
        )
        if not level or not room.take(sum(len(path) + 8 for path in level)):
            break
        told += level.items()
        depth += 1
    return [Directory(paths.display(path), count) for path, count in sorted(told)]
