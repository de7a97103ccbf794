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
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import bytes_field, json_bytes, to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.gitdb.worktrees.troubles import command
from slipstream_git.model import REGULAR, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import matching, paths, weaving
from slipstream_git.text.weaving import Weave
from slipstream_git.workspace import Workspace

Sides = tuple[Entry | None, Entry | None, Entry | None]


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
    def sides(self) -> Sides:
        return self.base, self.ours, self.theirs


Open = dict[bytes, Unresolved]


def of(ws: Workspace, session: Session) -> Open:
    """The paths of a session that are left to be decided."""
    if not session.unresolved:
        return {}
    return folded(sessions.effective(sessions.steps(ws, session))[0])


def folded(steps: Iterable[Step]) -> Open:
    """What is left after these steps."""
    found: Open = {}
    for step in steps:
        fold(found, step)
    return left_of(found)


def left_of(found: Open) -> Open:
    """What was folded, without the paths of which each hunk is decided."""
    return {path: item for path, item in found.items() if not item.is_decided}


def fold(found: Open, step: Step) -> None:
    """Carry one more step into what is left.

    Whether a path is decided by its hunks is not written down: an undo may take one of them back.
    """
    if step.facts.kind not in ("rebase", "resolve"):
        return
    for row in chain.read_ops(step):
        if row["op"] not in ("conflict", "resolve"):
            continue
        path = json_bytes(row, "path")
        if row["op"] == "conflict":
            base, ours, theirs = (decoded(row[name]) for name in ("base", "ours", "theirs"))
            found[path] = Unresolved(path, row["kind"], base, ours, theirs)
        elif "hunk" not in row:
            found.pop(path, None)
        elif path in found:
            text = json_bytes(row, "text") if row["take"] == "content" else None
            decided = {**found[path].decided, row["hunk"]: Decision(row["take"], text)}
            found[path] = found[path]._replace(decided=decided, hunks=row["of"])


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


def weave(ws: Workspace, sides: Sides, kind: str) -> Weave | None:
    """The text of a conflict taken apart; None for one that has no hunks to decide."""
    _, ours, theirs = sides
    if kind not in ("content", "add-add") or ours is None or theirs is None:
        return None
    if any(side is not None and side.mode not in REGULAR for side in sides):
        return None
    texts = [ws.repository.objects.blob(side.oid) if side else b"" for side in sides]
    if any(map(matching.is_binary, texts)):
        return None
    found = weaving.taken_apart(texts[0], texts[1], texts[2])
    return found if found.collisions else None


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
    was = before(ws, session)
    meeting = conflicts.Meeting(
        session.onto, session.base, was.base, "", session.name,
        trees=(was.base_tree, session.base_tree, was.tree), session=was,
    )  # fmt: skip
    met = [Conflict(item.path, item.kind, *item.sides) for item in items]
    rows = conflicts.files(ws, met, meeting)
    return [_numbered(ws, item, row) for item, row in zip(items, rows, strict=True)]


def _numbered(ws: Workspace, item: Unresolved, row: dict[str, Any]) -> dict[str, Any]:
    found = weave(ws, item.sides, item.kind)
    rows = enumerate(found.hunks if found else (), 1)
    left = [{"hunk": n, **to_json(conflicts.clipped(h))} for n, h in rows if n not in item.decided]
    row.pop("hunks_left_out", None)
    row["hunks"] = left[: conflicts.MOST_HUNKS]
    if len(left) > conflicts.MOST_HUNKS:
        row["hunks_left_out"] = len(left) - conflicts.MOST_HUNKS
    if item.decided:
        row["decided"] = sorted(item.decided)
    return row


def before(ws: Workspace, session: Session) -> Session:
    """The session as it was before its newest rebase: whose ops met whose commits."""
    for step in reversed(sessions.steps(ws, session)):
        if step.facts.kind == "rebase":
            return sessions.at(ws, session.name, step.parents[1])
    return session


def refusal(ws: Workspace, session: Session, what: str) -> SlipError:
    """The `conflict` error for a session with paths left; ``what`` cannot be done with it."""
    found = of(ws, session)
    names = ", ".join(paths.display(path) for path in list(found)[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    branch = (session.onto or "the branch").removeprefix(sessions.BRANCHES)
    data = {
        "onto": session.onto,
        "onto_commit": session.base,
        "base": before(ws, session).base,
        "sides": {"ours": branch, "theirs": session.name},
        "files": listed(ws, session, found.values()),
    }
    return SlipError(
        "conflict",
        f"{session.name} cannot be {what}: unresolved: {names}{more}",
        hint=hint(session, found),
        data=data,
    )


def hint(session: Session, found: Open) -> str | None:
    """A command that decides the first path that is left."""
    return command(["slip", "resolve", "-s", session.name, "--theirs"], list(found)[:1])


def check(ws: Workspace, session: Session, what: str) -> None:
    """Raises `conflict` where paths are left to be decided."""
    if session.unresolved:
        raise refusal(ws, session, what)
