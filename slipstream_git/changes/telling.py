"""What verbs tell of what they did, for whoever watches: one call at each place.

Nothing here refuses anything, and no verb reads what is told. What has to be read for it is read
from objects that the verb has had in its hands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from slipstream_git.changes import chain
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

if TYPE_CHECKING:
    from slipstream_git.outcomes import GateRow

# What says where a session landed is its mark, whose ref is below this.
_CLOSED = "refs/slip/closed/"
_OP = b'{"op":"'


class Known(Protocol):
    """What is told of a session; `sessions.Session` has it."""

    @property
    def name(self) -> str: ...
    @property
    def begin(self) -> str: ...
    @property
    def base(self) -> str | None: ...
    @property
    def tree(self) -> str: ...
    @property
    def tip(self) -> str: ...
    @property
    def onto(self) -> str | None: ...
    @property
    def title(self) -> str: ...
    @property
    def agent(self) -> str: ...


def began(ws: Workspace, session: Known, tip: str) -> None:
    """It is open; with steps already where its tip is one."""
    ws.record(
        "begin", session.name, agent=session.agent, begin=session.begin,
        base=session.base, onto=session.onto, title=session.title,
    )  # fmt: skip
    if tip != session.begin:
        stepped(ws, session, tip)


def stepped(ws: Workspace, session: Known, tip: str) -> None:
    """It has got a step; ``session`` is as it was before."""
    with suppress(SlipError):
        step = chain.read_step(ws.repository, tip)
        before = chain.read_step(ws.repository, step.parents[0]) if step.parents else step
        changed, names = _changed(ws, before.tree, step.tree)
        ops: dict[str, int] = {}
        for line in step.message.split(b"\n"):
            if line.startswith(_OP):
                name = line[len(_OP) : line.find(b'"', len(_OP))].decode("ascii", "replace")
                ops[name] = ops.get(name, 0) + 1
        facts = step.facts
        ws.record(
            "step", session.name, agent=facts.agent or session.agent, identity=tip,
            step=facts.step, op=facts.kind, commit=tip, group=facts.group, ops=ops, paths=names,
            changed=changed, unresolved=facts.unresolved,
        )  # fmt: skip


def rebased(ws: Workspace, session: Known, tip: str) -> None:
    """Another chain took the place of the session's."""
    with suppress(SlipError):
        step = chain.read_step(ws.repository, tip)
        begin = chain.read_step(ws.repository, step.facts.begin or tip)
        ws.record(
            "rebase", session.name, agent=session.agent, identity=tip, commit=tip,
            base=begin.parents[0] if begin.parents else None, onto=begin.facts.onto,
            unresolved=step.facts.unresolved,
        )  # fmt: skip


@contextmanager
def refusals(ws: Workspace, session: Known) -> Iterator[None]:
    """Tell of a conflict that a landing meets inside; other refusals are nobody's news."""
    try:
        yield
    except SlipError as fault:
        files = fault.data.get("files")
        if fault.code == "conflict" and isinstance(files, list):
            head = str(fault.data.get("onto_commit") or "")
            names = [str(file["path"]) for file in files]
            ws.record(
                "conflict", session.name, agent=session.agent, identity=f"{session.tip} {head}",
                **{"with": fault.data.get("onto")}, paths=names, changed=len(names),
            )  # fmt: skip
        raise


def judged(ws: Workspace, session: str, tree: str, row: GateRow) -> None:
    """A gate has had its word; ``session`` is empty where it judged several as one."""
    if row.status != "skipped":
        ws.record(
            "gate", session, gate=row.name, status=row.status, tree=tree,
            ms=int(row.seconds * 1000), cached=row.cached,
        )  # fmt: skip


def landed(
    ws: Workspace, sessions: Iterable[Known], moves: Iterable[RefMove], branch: str, commit: str
) -> None:
    """Sessions are in a branch whose head became ``commit``."""
    marks: dict[str, str] = {}
    with suppress(SlipError):
        for move in moves:
            if move.name.startswith(_CLOSED) and move.new is not None:
                name = move.name.removeprefix(_CLOSED).rpartition("/")[0]
                facts = chain.read_step(ws.repository, move.new).facts
                marks[name] = facts.landed or commit
    for session in sessions:
        with suppress(SlipError):
            base = chain.read_step(ws.repository, session.begin).tree
            changed, names = _changed(ws, base, session.tree)
            oid = marks.get(session.name, commit)
            ws.record(
                "land", session.name, agent=session.agent, identity=f"{session.tip} {oid}",
                commit=oid, branch=branch, paths=names, changed=changed,
                kept=session.name not in marks,
            )  # fmt: skip


def _changed(ws: Workspace, before: str, after: str) -> tuple[int, list[str]]:
    """How many paths differ, and the first of them."""
    found = ws.repository.trees.differences(before, after)
    return len(found), [paths.display(item.path) for item in found[:64]]
