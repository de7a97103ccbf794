"""Commits of several that land together, each shown to hooks, gates and signature by itself."""

from __future__ import annotations

from slipstream_git.changes import landing
from slipstream_git.changes.landing import Cleared, Made, Merged, Order
from slipstream_git.workspace import Workspace


def made(
    ws: Workspace,
    merged: Merged,
    order: Order,
    cleared: dict[str, Cleared],
    name: str,
    *,
    clearing: bool,
) -> tuple[Made, bool]:
    """The commit of a merge, and whether hooks, gates and signature have seen it.

    clearing: they see it now, and what they make of it is kept in ``cleared``. Where they have not
    seen it, the commit is as if nothing came of it.
    """
    if clearing and order.is_slow(merged.rules):
        cleared[name] = landing.clear(ws, merged, order, cleared.get(name))
    found = landing.make(ws, merged, order, cleared.get(name))
    if found is not None:
        return found, True
    found = landing.make(ws, merged, order._replace(hooks=(), sign=False, is_judged=False), None)
    if found is None:
        raise ValueError("a commit that nobody has to see was not made")
    return found, False
