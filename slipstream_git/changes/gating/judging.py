"""Gates run on a tree, each in a warm worktree of its own, unless it was judged before.

Only what a gate says by itself is noted, green and red. That it ran too long, was ended from
outside or could not be run says nothing of the tree: it is an error, which counts as red and is
tried again the next time.
"""

from __future__ import annotations

import os
import signal
import time
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from slipstream_git import hints
from slipstream_git.changes import telling
from slipstream_git.changes.gating import surroundings, verdictnotes
from slipstream_git.changes.gating.verdictnotes import Verdict
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.settings import Gate, Settings
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks
from slipstream_git.gitdb.process import without_credentials
from slipstream_git.outcomes import GateRow
from slipstream_git.records import NamedTuple
from slipstream_git.text import scopes
from slipstream_git.workspace import Workspace

if TYPE_CHECKING:
    from slipstream_git.gitdb.supervising import Ended

BAD: Final = ("red", "error")
# Of a slot alone: git keeps refs/worktree/ in its own git directory.
_UNBORN: Final = "refs/worktree/unborn"
_NOT_RUN: Final = {126: "it could not be executed", 127: "a command was not found"}
# What others send: a person, a system that ends or has no memory left.
_FROM_OUTSIDE: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
_LOCKS: Final = 4096
# How long others are waited for, beside what a gate may take.
_PATIENCE_S: Final = 600.0


class Case(NamedTuple):
    """A tree to be judged. before: what it is a change of. on: the commit that HEAD shall be."""

    before: str
    tree: str
    on: str | None


class Judge:
    """Judges trees by the gates of one `.slip.toml`. rerun: what was noted before counts not.

    session: whose trees they are; empty where several are judged as one.
    """

    def __init__(
        self, ws: Workspace, settings: Settings, session: str = "", *, rerun: bool = False
    ) -> None:
        self._session = session
        self._ws = ws
        self._settings = settings
        self._rerun = rerun

    def rows(self, case: Case, gates: Sequence[Gate]) -> list[GateRow]:
        """What each gate says of a tree, in their order, whatever the others say.

        Objects of the overlay are written. Raises `policy`, `locked`, `git-failed`.
        """
        found: list[GateRow] = []
        try:
            for number, gate in enumerate(gates, 1):
                of = f" ({number} of {len(gates)})" if len(gates) > 1 else ""
                found.append(self._row(case, gate, f"gate {gate.name}{of}"))
                telling.judged(self._ws, self._session, case.tree, found[-1])
        finally:
            self._ws.doing("")
        return found

    def _row(self, case: Case, gate: Gate, said: str) -> GateRow:
        if not is_wanted(self._ws, gate, case.before, case.tree):
            return skipped(gate)
        key = surroundings.key(self._ws, gate, self._settings.pool, case.tree)
        known = self._known(case, gate, key)
        if known is not None:
            return known
        self._ws.doing(f"{said}: waiting")
        # Two who want the same do it once.
        with self._alone(case, gate, key):
            return self._known(case, gate, key) or self._judged(case, gate, key, said)

    def _known(self, case: Case, gate: Gate, key: str) -> GateRow | None:
        found = None if self._rerun else verdictnotes.newest(self._ws, case.tree, gate.name, key)
        return None if found is None else found.row

    def _alone(self, case: Case, gate: Gate, key: str) -> locks.Held:
        layout = self._ws.repository.layout
        number = zlib.crc32(f"{case.tree}{key}".encode()) % _LOCKS
        path = os.path.join(layout.slip_dir, "gates", f"{number:03x}")
        return locks.held_file(path, layout.sharing, gate.timeout_s + _PATIENCE_S)

    def _judged(self, case: Case, gate: Gate, key: str, said: str) -> GateRow:
        began = time.monotonic()
        try:
            ended = self._run(case, gate, said)
        except SlipError as fault:
            if fault.code != "hook-failed":  # the set-up of the warm worktree
                raise
            tail = str(fault.data.get("output") or "")
            return _error(gate, time.monotonic() - began, None, tail, fault.message)
        seconds = round(time.monotonic() - began, 3)
        status, code, reason = _meaning(ended, gate)
        tail = _text(ended)
        if status == "error":
            return _error(gate, seconds, code, tail, reason)
        verdict = Verdict(gate.name, key, status, code or 0, seconds, tail, self._ws.clock())
        try:
            verdictnotes.keep(self._ws, case.tree, verdict)
        except (SlipError, OSError) as fault:  # it is said all the same, and asked again next time
            self._ws.notify(f"the verdict of gate {gate.name} could not be noted: {fault}")
        return GateRow(gate.name, status, cached=False, seconds=seconds, exit=code, tail=tail)

    def _run(self, case: Case, gate: Gate, said: str) -> Ended:
        from slipstream_git.changes import warm  # what is known is told without
        from slipstream_git.gitdb import supervising

        ws, repository = self._ws, self._ws.repository
        kept = repository.objects.publish()
        try:
            ws.doing(f"{said}: bringing a warm worktree to {case.tree[:10]}")
            pool, at = self._settings.pool, case.on or _UNBORN
            # Those who have the others may need as long as this one.
            patience_s = gate.timeout_s + _PATIENCE_S
            with warm.leased(
                repository, case.tree, at, pool, for_long=True, patience_s=patience_s
            ) as slot:
                slot.set_apart()
                began = time.monotonic()
                return supervising.run(
                    slot.trusting().adding(warm.ignoring(ws.env, slot, pool)),
                    gate.run,
                    timeout_s=gate.timeout_s,
                    held=(slot.lock,),
                    ticking=lambda: ws.doing(f"{said}, {time.monotonic() - began:.0f} s"),
                )
        except OSError as fault:
            raise SlipError("git-failed", f"gate {gate.name}: {fault.strerror}") from None
        finally:
            kept.release()


def is_wanted(ws: Workspace, gate: Gate, before: str, tree: str) -> bool:
    """Whether anything has changed that a gate looks at."""
    if not gate.paths:
        return True
    matches = scopes.compile_globs(gate.paths)
    return any(matches(item.path) for item in ws.repository.trees.differences(before, tree))


def skipped(gate: Gate) -> GateRow:
    return GateRow(gate.name, "skipped", cached=False, seconds=0.0, exit=None, tail=None)


def _error(gate: Gate, seconds: float, code: int | None, tail: str, reason: str | None) -> GateRow:
    return GateRow(
        gate.name, "error", cached=False, seconds=round(seconds, 3), exit=code, tail=tail,
        reason=reason,
    )  # fmt: skip


def _meaning(ended: Ended, gate: Gate) -> tuple[str, int | None, str | None]:
    """Status, exit status as a shell has it, and why it is an error."""
    if ended.timed_out:
        return "error", None, f"it was ended after {gate.timeout_s} s"
    if ended.status is None:
        return "error", None, "it was lost: what watched over it is gone"
    code = 128 - ended.status if ended.status < 0 else ended.status
    number = code - 128
    if code in _NOT_RUN:
        return "error", code, _NOT_RUN[code]
    if number in _FROM_OUTSIDE:
        return "error", code, f"it was ended from outside, by {signal.Signals(number).name}"
    return ("red" if code else "green"), code, None


def _text(ended: Ended) -> str:
    """What is told and noted of what it printed: whole lines, and no credentials."""
    from slipstream_git.text import secrets

    cut = len(ended.before)
    # With what stood before, so that nothing is left of one that the cut goes through.
    inside = [
        one._replace(start=max(one.start - cut, 0), stop=one.stop - cut)
        for one in secrets.find(ended.before + ended.tail)
        if one.stop > cut
    ]
    text = secrets.redacted(ended.tail, inside).decode("utf-8", "replace").rstrip()
    text = without_credentials(text)  # of URLs whatever they are, as in what git says
    _, line_end, rest = text.partition("\n")
    return rest if cut and line_end and rest else text


# Refused -----------------------------------------------------------------------------------------


def passed(
    ws: Workspace, session: Session, case: Case, rules: Settings, gates: Sequence[Gate]
) -> list[GateRow]:
    """What these gates say of a tree, where that is nothing bad. Raises `gate-failed`, …"""
    rows = Judge(ws, rules, session.name).rows(case, gates)
    if failing(rows):
        raise refusal(ws, session, case.tree, rows, gates)
    return rows


def failing(rows: Sequence[GateRow]) -> list[GateRow]:
    return [row for row in rows if row.status in BAD]


def refusal(
    ws: Workspace, session: Session, tree: str, rows: Sequence[GateRow], gates: Sequence[Gate]
) -> SlipError:
    """The `gate-failed` for these rows, of which one at least is bad.

    Where it is not the session's own tree, the tree is written, so that its hint finds it.
    """
    bad = failing(rows)
    first = bad[0]
    lines = (first.tail or "").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    why = f"{first.reason}; {last}" if first.reason and lines else first.reason or last
    more = f" (and {', '.join(row.name for row in bad[1:])})" if bad[1:] else ""
    is_known = first.cached and first.status == "red"
    was = "was red on this tree before" if is_known else "is red"
    command = next((gate.run for gate in gates if gate.name == first.name), None)
    return SlipError(
        "gate-failed",
        f"gate {first.name} {was}{more}: {why}",
        hint=_again(ws, session, tree, command) if command else None,
        data={"session": session.name, "tree": tree, "gates": to_json(list(rows))},
    )


def _again(ws: Workspace, session: Session, tree: str, command: str) -> hints.Hint:
    """The command that was red, on the tree that it was red on."""
    other: tuple[str, ...] = ()
    if tree != session.tree:
        ws.repository.objects.publish().release()
        other = ("--rev", tree)
    return hints.of("slip", "run", "-s", session.name, *other, "--", "sh", "-c", command)
