"""A session's state by now, for processes that do not stay: what it was last time, and the news.

Kept beside the log in a file that may go at any time; then all of the log is read once more.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Final

from slipstream_git.events import folding, log
from slipstream_git.events.folding import State
from slipstream_git.events.log import Place
from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.layout import Layout
from slipstream_git.records import NamedTuple

# So much is read again sooner than another file is written.
_WORTH_KEEPING: Final = 32 << 10
_FORM: Final = 1


class Carried(NamedTuple):
    """A state, and how far the log was read for it."""

    state: State = State()
    place: Place = Place()


def now(layout: Layout, session: str) -> State:
    """What a session's events come to by now."""
    before = _kept(layout, session)
    after = carried(layout, session, before)
    if abs(after.place.offset - before.place.offset) > _WORTH_KEEPING:
        _keep(layout, session, after)
    return after.state


def carried(layout: Layout, session: str, before: Carried) -> Carried:
    """A state carried on with what came since: what a process that stays calls again and again."""
    page = log.read(log.path_of(layout, session), before.place)
    state = folding.from_json(page.before) if page.anew else before.state
    return Carried(folding.folded(state, page.events), page.place)


def _kept(layout: Layout, session: str) -> Carried:
    try:
        with open(log.carried_path(layout, session), "rb") as stream:
            said = json.load(stream)
        if said["form"] != _FORM:
            return Carried()
        place = Place(*said["place"])
        state = folding.from_json(said["state"])
        if any(type(value) is not int or value < 0 for value in place):
            return Carried()
        # A state that is none would go with a place behind what it lacks.
        return Carried(state, place) if state != State() else Carried()
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return Carried()


def _keep(layout: Layout, session: str, found: Carried) -> None:
    said = {"form": _FORM, "place": list(found.place), "state": folding.to_json(found.state)}
    path = log.carried_path(layout, session)
    aside = log.aside(path)
    try:
        with open(aside, "w", encoding="ascii") as stream:
            json.dump(said, stream, separators=(",", ":"))
        permissions.adjust(aside, layout.sharing)
        os.rename(aside, path)
    except OSError:
        with suppress(OSError):
            os.unlink(aside)
