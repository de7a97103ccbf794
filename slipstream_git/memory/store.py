"""The notes of memory read as a whole, and written durably, one writer at a time.

What is read is what all lines say together: `git notes merge` may have put them in any order, and
the same one on several commits. The ref moves by compare-and-swap, so that other gits may write,
too; slip's own processes wait for each other beforehand, because each write waits for the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from slipstream_git import factlines, hints
from slipstream_git.changes import sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.factlines import Digest, Fact, Forgotten, Line
from slipstream_git.gitdb import aheadrefs, locks, notes, sweeping, transaction
from slipstream_git.gitdb.barriers import Barrier
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

TRIES: Final = 64
# From so many on, one git reads all blobs at once.
_MANY: Final = 64
T = TypeVar("T")


class Held(NamedTuple):
    """A fact's line, and the commit whose note has it."""

    fact: Fact
    commit: str


class Memory(NamedTuple):
    """All that the notes say.

    facts: those that count, every line of them, in no order. gone: ids that were forgotten, and
    until when what was said of them counts not. purged: ids that are gone for good; ``leaking`` are
    those of them whose text is in the notes all the same. digests: the newest of each key, with the
    commit. raw: the notes as they are, by commit. unread: how many lines are none of ours.
    """

    facts: Sequence[Held] = ()
    gone: Mapping[str, int] = {}
    purged: frozenset[str] = frozenset()
    leaking: frozenset[str] = frozenset()
    digests: Mapping[str, tuple[Digest, str]] = {}
    raw: Mapping[str, bytes] = {}
    unread: int = 0

    def newest(self, identity: str) -> int:
        """The greatest time of what was said of a claim, 0 where nothing was."""
        times = [held.fact.time for held in self.facts if held.fact.id == identity]
        return max([*times, self.gone.get(identity, 0)])


def load(ws: Workspace) -> Memory:
    """Read the notes. Raises `git-failed` where the ref holds no notes."""
    repository = ws.repository
    with aheadrefs.as_they_are(repository):
        tip = repository.store.ref(factlines.REF)
        if tip is None:
            return Memory()
        try:
            blobs = notes.every(repository, tip)
        except SlipError as fault:
            if fault.code == "git-failed":
                fault.hint = hints.of("git", "log", "-1", factlines.REF)
            raise
        return understood(_read(ws, blobs))


def understood(raw: Mapping[str, bytes]) -> Memory:
    """What notes say, by the commits that they are on. Pure; the order of lines is nothing."""
    found: list[Held] = []
    gone: dict[str, int] = {}
    purged: set[str] = set()
    digests: dict[str, tuple[Digest, str]] = {}
    unread = 0
    for commit, line in parsed(raw):
        if isinstance(line, Fact):
            found.append(Held(line, commit))
        elif isinstance(line, Forgotten):
            gone[line.id] = max(gone.get(line.id, 0), line.time)
            if line.purged:
                purged.add(line.id)
        elif isinstance(line, Digest):
            before = digests.get(line.key)
            if before is None or _order(line, commit) > _order(*before):
                digests[line.key] = line, commit
        else:
            unread += 1
    leaking = purged.intersection(held.fact.id for held in found)
    counting = [
        held
        for held in found
        if held.fact.id not in purged and held.fact.time > gone.get(held.fact.id, 0)
    ]
    return Memory(
        counting, gone, frozenset(purged), frozenset(leaking), digests, raw, unread
    )  # fmt: skip


def parsed(raw: Mapping[str, bytes]) -> Iterator[tuple[str, Line | None]]:
    """Every line of the notes with its commit; None for what is none of ours."""
    for commit, note in raw.items():
        for line in note.split(b"\n"):
            if line.strip():
                yield commit, factlines.decode(line)


def _order(digest: Digest, commit: str) -> tuple[int, str, str]:
    """Of digests that were written in the same second, the same one counts everywhere."""
    return digest.time, digest.tip, commit


def _read(ws: Workspace, blobs: Mapping[str, str]) -> dict[str, bytes]:
    if len(blobs) < _MANY:
        return {target: ws.repository.objects.blob(oid) for target, oid in blobs.items()}
    asked = "".join(f"{oid}\n" for oid in blobs.values()).encode()
    out = ws.repository.git.run("cat-file", "--batch", stdin=asked).out
    found, at = {}, 0
    for target in blobs:
        end = out.index(b"\n", at)
        header = out[at:end].split()
        if len(header) != 3 or header[1] != b"blob":
            raise SlipError(
                "git-failed", f"the note on {target} cannot be read", hint="git fsck"
            )  # fmt: skip
        at = end + 1 + int(header[2]) + 1
        found[target] = out[end + 1 : at - 1]
    return found


# Written -----------------------------------------------------------------------------------------


class Change(NamedTuple):
    """Notes that take the place of those that are there, by commit; an empty one goes.

    alone: what was there before is to be nobody's history. said: for the log of the notes.
    holding: the session that was looked at; where it has moved by then, nothing changes.
    """

    notes: Mapping[str, bytes]
    said: str
    alone: bool = False
    holding: Session | None = None


def changed(
    ws: Workspace, decide: Callable[[Memory], tuple[Change | None, T]], *, sync: bool = True
) -> T:
    """Change the notes as ``decide`` says of what they hold; what else it gives is the answer.

    It may be asked several times. When this returns, the change is on the disk (sync). Raises what
    it raises, `ref-moved` or `locked` where others kept being faster.
    """
    layout = ws.repository.layout
    path = os.path.join(layout.slip_dir, "memory-lock")
    with locks.held_file(path, layout.sharing):
        for _ in range(TRIES):
            change, answer = decide(load(ws))
            if change is None:
                return answer
            try:
                _publish(ws, change, sync=sync)
            except SlipError as fault:
                if fault.code != "ref-moved":
                    raise
            else:
                return answer
            finally:
                ws.repository.objects.discard()
    raise sessions.kept_moving(factlines.REF, TRIES)


def _publish(ws: Workspace, change: Change, *, sync: bool) -> None:
    repository, layout = ws.repository, ws.repository.layout
    move = notes.replacing(
        repository, factlines.REF, change.notes, ws.signature(), said=change.said,
        alone=change.alone,
    )  # fmt: skip
    moves = [move]
    if change.holding is not None:
        # Moved to where it is: so no landing comes between what was looked at and this.
        moves.append(RefMove(change.holding.ref, change.holding.tip, change.holding.tip))
    barrier = Barrier(wanted=sync)
    with barrier.over([layout.common_dir, layout.objects_dir]):
        kept = repository.objects.publish(barrier)
        try:
            try:
                _move(ws, moves, change.said, barrier)
            except SlipError as fault:
                if fault.code != "locked":
                    raise
                with locks.held(layout):
                    if not sweeping.clear_stale_locks(layout.common_dir):
                        raise
                _move(ws, moves, change.said, barrier)
        finally:
            kept.release()


def _move(ws: Workspace, moves: Sequence[RefMove], said: str, barrier: Barrier) -> None:
    """Move the refs; they are on the disk then, and what they name was there before."""
    common_dir = ws.repository.layout.common_dir
    synced = barrier.needs_now(common_dir)
    with transaction.prepared(ws.repository.git, moves, f"slip: {said}", synced=synced) as refs:
        barrier.raised()
        refs.commit()
    try:
        transaction.leave(common_dir, moves[:1], barrier)
    except OSError as fault:
        raise SlipError(
            "git-failed", f"{moves[0].name} cannot be synced: {fault.strerror}"
        ) from None
    barrier.raised()
