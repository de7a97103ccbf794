"""Verdicts as notes on trees: one JSON line each in `refs/notes/slip/gates`.

``{"gate", "key", "status", "exit", "seconds", "tail", "time"}``. Lines are only added, so that
`git notes merge -s cat_sort_uniq` merges those of two machines; of several with one key the newest
counts.
"""

from __future__ import annotations

import json
from typing import Any, Final

from slipstream_git.changes import sessions
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import aheadrefs, notes
from slipstream_git.outcomes import GateRow
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

REF: Final = "refs/notes/slip/gates"
KEPT: Final = ("green", "red")
TRIES: Final = 64


class Verdict(NamedTuple):
    """What a gate said of a tree. time: seconds since the epoch, of two the greater is newer."""

    gate: str
    key: str
    status: str
    exit: int
    seconds: float
    tail: str
    time: int

    @property
    def row(self) -> GateRow:
        """As it is told where it was not asked for again."""
        return GateRow(
            self.gate, self.status, cached=True, seconds=self.seconds, exit=self.exit,
            tail=self.tail,
        )  # fmt: skip


_SHAPES: Final = {"gate": str, "key": str, "status": str, "exit": int, "tail": str, "time": int}


def newest(ws: Workspace, tree: str, gate: str, key: str) -> Verdict | None:
    """The newest verdict with this key, None where there is none; what is no verdict is passed by.

    Of two from the same second the red one counts.
    """
    with aheadrefs.as_they_are(ws.repository):
        note = notes.read(ws.repository, REF, tree) or b""
    found = [verdict for verdict in map(_parsed, note.splitlines()) if verdict is not None]
    own = [verdict for verdict in found if (verdict.gate, verdict.key) == (gate, key)]
    return max(own, key=lambda verdict: (verdict.time, verdict.status), default=None)


def every(ws: Workspace, tree: str) -> list[Verdict]:
    """Every verdict on a tree, in the order of their lines."""
    with aheadrefs.as_they_are(ws.repository):
        note = notes.read(ws.repository, REF, tree) or b""
    return [verdict for verdict in map(_parsed, note.splitlines()) if verdict is not None]


def keep(ws: Workspace, tree: str, verdict: Verdict) -> None:
    """Add a verdict. Raises `ref-moved`, `locked` or `git-failed`."""
    repository = ws.repository
    with aheadrefs.as_they_are(repository):
        for _ in range(TRIES):
            before = newest(ws, tree, verdict.gate, verdict.key)
            if before is not None:
                verdict = verdict._replace(time=max(verdict.time, before.time + 1))
            line = json.dumps(verdict._asdict(), separators=(",", ":")).encode()
            move = notes.adding(repository, REF, [(tree, line)], ws.signature())
            kept = repository.objects.publish()
            try:
                sessions.move(ws, [move], f"slip: {verdict.gate} is {verdict.status}")
            except SlipError as fault:
                if fault.code != "ref-moved":
                    raise
            else:
                return
            finally:
                kept.release()
    raise sessions.kept_moving(REF, TRIES)


def _parsed(line: bytes) -> Verdict | None:
    try:
        said: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("status") not in KEPT:
        return None
    is_whole = all(type(said.get(name)) is kind for name, kind in _SHAPES.items())
    if not is_whole or type(said.get("seconds")) not in (int, float):
        return None
    return Verdict(**{name: said[name] for name in Verdict._fields})
