"""What a rebase left to be decided: read off the chain, told, and a reason to refuse a landing.

A step of kind `rebase` has a journal row for each conflict, a step of kind `resolve` one for what
it decided; the steps in force say together what is left. The number of paths that are left stands
in each step's trailers, so that a session without any pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slipstream_git.changes import chain, conflicts, sessions
from slipstream_git.changes.chain import Step
from slipstream_git.changes.conflicts import Entries, Meeting
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import bytes_field, json_bytes
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.hints import Hint, command
from slipstream_git.model import Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import weaving
from slipstream_git.text.weaving import Weave
from slipstream_git.workspace import Workspace


class Decision(NamedTuple):
    """What was chosen for one hunk: a side's name, or ``content`` with its text."""

    take: str
    text: bytes | None = None


class Unresolved(NamedTuple):
    """A path at which branch (ours) and session (theirs) collide.

    decided: hunks, by number. hunks: how many there are, where any is decided.
    """

    path: bytes
    kind: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None
    decided: Mapping[int, Decision] = {}
    hunks: int = 0

    @property
    def is_decided(self) -> bool:
        return 0 < self.hunks <= len(self.decided)

    @property
    def sides(self) -> Entries:
        return self.base, self.ours, self.theirs


Open = dict[bytes, Unresolved]


class Settled(NamedTuple):
    """A path that is decided: as a whole by a row of the journal, or without one by its hunks."""

    item: Unresolved
    row: Mapping[str, Any] | None = None


def of(ws: Workspace, session: Session) -> Open:
    """The paths of a session that are left to be decided."""
    if not session.unresolved:
        return {}
    return folded(chain.effective(sessions.steps(ws, session))[0])


def folded(steps: Iterable[Step]) -> Open:
    """What is left after these steps."""
    found: Open = {}
    for step in steps:
        fold(found, step)
    return left_of(found)


def left_of(found: Open) -> Open:
    """What was folded, without the paths of which each hunk is decided."""
    return {path: item for path, item in found.items() if not item.is_decided}


def settled(steps: Iterable[Step]) -> list[Settled]:
    """Every path that these steps decide."""
    found: Open = {}
    done = [item for step in steps for item in fold(found, step)]
    return done + [Settled(item) for item in found.values() if item.is_decided]


def fold(found: Open, step: Step) -> list[Settled]:
    """Carry one more step into what is left; the paths that need no more looking after.

    Whether a path is decided by its hunks is not written down: an undo may take one of them back.
    """
    done: list[Settled] = []
    for row in rows_of(step):
        path = json_bytes(row, "path")
        was = found.get(path)
        if row["op"] == "conflict":
            if was is not None and was.is_decided:
                done.append(Settled(was))
            base, ours, theirs = (decoded(row[name]) for name in ("base", "ours", "theirs"))
            found[path] = Unresolved(path, row["kind"], base, ours, theirs)
        elif was is not None and "hunk" not in row:
            done.append(Settled(found.pop(path), row))
        elif was is not None:
            text = json_bytes(row, "text") if row["take"] == "content" else None
            decided = {**was.decided, row["hunk"]: Decision(row["take"], text)}
            found[path] = was._replace(decided=decided, hunks=row["of"])
    return done


def rows_of(step: Step) -> list[dict[str, Any]]:
    """What a step's journal says of conflicts."""
    if step.facts.kind not in ("rebase", "resolve", "split"):
        return []
    return [row for row in chain.read_ops(step) if row["op"] in ("conflict", "resolve")]


# Rows of the journal -----------------------------------------------------------------------------


def conflict_row(item: Unresolved) -> dict[str, Any]:
    name, text = bytes_field("path", item.path)
    sides = zip(("base", "ours", "theirs"), item.sides, strict=True)
    return {"op": "conflict", name: text, "kind": item.kind} | {k: encoded(e) for k, e in sides}


def hunk_row(path: bytes, number: int, count: int, decision: Decision) -> dict[str, Any]:
    name, text = bytes_field("path", path)
    row: dict[str, Any] = {"op": "resolve", name: text, "hunk": number, "of": count}
    row["take"] = decision.take
    if decision.text is not None:
        key, content = bytes_field("text", decision.text)
        row[key] = content
    return row


def path_row(path: bytes, take: str, result: Entry | None) -> dict[str, Any]:
    name, text = bytes_field("path", path)
    return {"op": "resolve", name: text, "take": take, "result": encoded(result)}


def encoded(entry: Entry | None) -> dict[str, str] | None:
    return {"mode": f"{entry.mode:o}", "oid": entry.oid} if entry else None


def decoded(row: Mapping[str, str] | None) -> Entry | None:
    return Entry(int(row["mode"], 8), row["oid"]) if row else None


# Hunks -------------------------------------------------------------------------------------------


def texts(found: Weave, decided: Mapping[int, Decision]) -> dict[int, bytes]:
    """The lines that were chosen, by the number of the hunk."""
    return {
        number: chosen(found, number, decision)
        for number, decision in decided.items()
        if number <= len(found.collisions)
    }


def chosen(found: Weave, number: int, decision: Decision) -> bytes:
    collision = found.collisions[number - 1]
    if decision.text is not None:
        return decision.text
    sides: dict[str, weaving.Side] = {
        "ours": "ours", "theirs": "theirs", "base": "base", "both": "both"
    }  # fmt: skip
    return collision.side(sides[decision.take])


# What is told ------------------------------------------------------------------------------------


def listed(ws: Workspace, session: Session, found: Iterable[Unresolved]) -> list[dict[str, Any]]:
    """Each path as the `conflict` error has it, with the hunks that are left and their numbers."""
    items = list(found)
    if not items:
        return []
    return conflicts.files(ws, _met(items), _meeting(ws, session), _decided(items))


def _met(found: Iterable[Unresolved]) -> list[Conflict]:
    return [Conflict(item.path, item.kind, *item.sides) for item in found]


def _decided(found: Iterable[Unresolved]) -> conflicts.Decided:
    return {item.path: item.decided.keys() for item in found}


def _meeting(ws: Workspace, session: Session) -> Meeting:
    was = before(ws, session)
    branch = (session.onto or "the branch").removeprefix(sessions.BRANCHES)
    return Meeting(
        session.onto, session.base, was.base, branch, session.name,
        trees=(was.base_tree, session.base_tree, was.tree), session=was,
    )  # fmt: skip


def before(ws: Workspace, session: Session) -> Session:
    """The session as it was before its newest rebase: whose ops met whose commits."""
    for step in reversed(sessions.steps(ws, session)):
        if step.facts.kind == "rebase":
            return sessions.at(ws, session.name, step.parents[1])
    return session


def refusal(ws: Workspace, session: Session, what: str) -> SlipError:
    """The `conflict` error for a session with paths left; ``what`` cannot be done with it."""
    found = of(ws, session)
    return conflicts.error(
        ws,
        _met(found.values()),
        f"{session.name} cannot be {what}: unresolved",
        _meeting(ws, session),
        hint=hint(session, found),
        decided=_decided(found.values()),
    )


def hint(session: Session, found: Open) -> Hint | None:
    """A command that decides the first path that is left."""
    return command(["slip", "resolve", "-s", session.name, "--theirs"], list(found)[:1])


def check(ws: Workspace, session: Session, what: str) -> None:
    """Raises `conflict` where paths are left to be decided."""
    if session.unresolved:
        raise refusal(ws, session, what)
