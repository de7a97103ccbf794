"""How every face calls an operation: one place for what comes before all of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from slipstream_git.gitdb import packs
from slipstream_git.operations.registry import AREAS, Operation
from slipstream_git.workspace import Workspace

# They tell of landings that died.
LOOKING_FOR_ITSELF = ("recover", "doctor")
# What they tell of a session costs its reader.
TELLING = (*AREAS["reading"], "read", "diff", "log", "recall", "facts")


def call(row: Operation, ws: Workspace, values: Mapping[str, Any]) -> Any:
    """Call an operation in a repository. A landing that died there is first brought to its end.

    What the operation computed and did not publish is forgotten, however it ends: in a process that
    stays, the next one would publish it. Where it has written and slip's packs have become many,
    they are merged afterwards.
    """
    ws.repository.look_again()
    ws.repository.objects.published = False
    if ws.unfinished and row.name not in LOOKING_FOR_ITSELF:
        from slipstream_git.changes import recovery

        recovery.recover_if_idle(ws)
    try:
        answer = row.handler(ws, **values)
    finally:
        ws.repository.objects.discard()
    if ws.repository.objects.published:
        _tidy(ws)
    if row.name in TELLING and getattr(answer, "session", None):
        _count(ws, row.name, answer)
    return answer


def _count(ws: Workspace, name: str, answer: Any) -> None:
    """Note what a reader was told in a session, for its budget."""
    from slipstream_git.reading import served

    blobs = served.blobs(ws, answer)
    ws.record("served", answer.session, op=name, bytes=served.size(answer), blobs=blobs)


def prepare_search(ws: Workspace) -> None:
    """Have the search index hold what is checked out, for searches to come. Tells `ws.progress`.

    No operation, but what comes before some. Raises ImportError without the extra `reading`.
    """
    from slipstream_git.reading import shelf, views

    shelf.of(ws).located(views.choose(ws, views.Wish(rev="HEAD")).tree, None, ws.progress)


def _tidy(ws: Workspace) -> None:
    """Merge slip's packs when they are many; what cannot be merged now waits for the next time."""
    layout = ws.repository.layout
    if len(packs.own_names(layout.objects_dir)) <= packs.MOST_PACKS:
        return
    from slipstream_git.gitdb import consolidation

    with suppress(OSError):
        consolidation.consolidate(layout.objects_dir, layout.slip_dir, sharing=layout.sharing)
