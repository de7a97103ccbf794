"""Candidates: a conflicting file as it may have been meant, to be looked at by a person.

The session's own ops are replayed on the branch's version of the file: an op says where it goes
by text, which may still be there where git's lines collide. A step that has no such ops for the
file is replayed as its diff, hunk by hunk with little context (text/replaying). A candidate is
right about half the time (docs/conflicts.md), so nothing ever lands one by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from slipstream_git.changes import chain, enclosing, sessions
from slipstream_git.changes.chain import Step
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import decode_ops
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.model import FILE, OPS, REGULAR, Entry, Insert, Move, Op, Read, StrReplace, Sub
from slipstream_git.records import NamedTuple
from slipstream_git.text import edits, effects, matching, paths, replaying
from slipstream_git.text.objectid import blob_id
from slipstream_git.workspace import Workspace

# Above these a candidate would cost more than the milliseconds that an error may take.
MOST_BYTES = 1 << 20
MOST_LINES = 10_000
MOST_STEPS = 200
LONGEST_TEXT = 10_000


class Candidate(NamedTuple):
    """A file's content and mode. way: "ops" where all of it came by ops, else "lines".

    both_orders_agree: the branch's change made on the session's version gives the same bytes,
    and no two insertions stand at one place. parses: its parser finds no fault in it that a side
    has not; None where there is none.
    """

    data: bytes
    mode: int
    both_orders_agree: bool
    way: str
    parses: bool | None = None


class _Sides(NamedTuple):
    """The three versions that met, and the name under which the session has the file."""

    base: Entry
    ours: Entry
    theirs: Entry
    name: bytes


def of(ws: Workspace, session: Session, conflicting: Conflict | bytes) -> Candidate | None:
    """The candidate for a conflict, or for a path of the session met with its branch; or None.

    conflicting: where it is a `Conflict`, its three versions count (theirs is the session's), and
    the session only has the ops. Never raises for want of a candidate.
    """
    try:
        sides = _sides(ws, session, conflicting)
        return _candidate(ws, session, sides) if sides else None
    except (SlipError, ValueError, KeyError):
        return None  # a broken or foreign chain must not take the conflict's place


def told(candidate: Candidate) -> dict[str, Any]:
    """The `candidate` of a conflict's file: its text clipped; the blob itself is not stored."""
    text = candidate.data.decode("utf-8", "replace")
    shown = text
    if len(text) > LONGEST_TEXT:
        shown = text[: text.rfind("\n", 0, LONGEST_TEXT) + 1 or LONGEST_TEXT]
    row = {
        "oid": blob_id(candidate.data),
        "mode": f"{candidate.mode:06o}",
        "text": shown,
        "both_orders_agree": candidate.both_orders_agree,
        "way": candidate.way,
    }
    if candidate.parses is not None:
        row["parses"] = candidate.parses
    if text.encode() != candidate.data:
        row["lossy"] = True
    if len(shown) < len(text):
        row["left_out"] = {"lines": len(text[len(shown) :].splitlines())}
    return row


def _sides(ws: Workspace, session: Session, conflicting: Conflict | bytes) -> _Sides | None:
    trees = ws.repository.trees
    if isinstance(conflicting, Conflict):
        base, ours, theirs = conflicting.base, conflicting.ours, conflicting.theirs
        name = _name(ws, session, conflicting.path, theirs)
    else:
        name = conflicting
        head = ws.repository.store.ref(session.onto) if session.onto else None
        tree = commits.parse(head, ws.repository.objects.commit(head)).tree if head else None
        base = trees.leaf(session.base_tree, name)
        ours = trees.leaf(tree, name) if tree else None
        theirs = trees.leaf(session.tree, name)
    if base is None or ours is None or theirs is None:
        return None
    if any(side.mode not in REGULAR for side in (base, ours, theirs)):
        return None
    return _Sides(base, ours, theirs, name)


def _name(ws: Workspace, session: Session, path: bytes, theirs: Entry | None) -> bytes:
    """Where the session has the file, which the branch may have under another name.

    The conflict's own path where the session has theirs nowhere (a rebased one need not).
    """
    trees = ws.repository.trees
    if theirs is None or trees.leaf(session.tree, path) == theirs:
        return path
    found = trees.differences(session.base_tree, session.tree)
    return next((change.path for change in found if change.new == theirs), path)


def _candidate(ws: Workspace, session: Session, sides: _Sides) -> Candidate | None:
    base, ours, theirs = map(ws.repository.objects.blob, (side.oid for side in sides[:3]))
    if any(map(_is_unfit, (base, ours, theirs))):
        return None
    mode = sides.ours.mode if sides.theirs.mode == sides.base.mode else sides.theirs.mode
    made = _replayed(ws, session, sides)
    found = _judged((base, ours, theirs), *made) if made else of_texts(base, ours, theirs)
    if found is None:
        return None
    return found._replace(
        mode=mode, parses=enclosing.parses(sides.name, found.data, (base, ours, theirs))
    )


def of_texts(base: bytes, ours: bytes, theirs: bytes) -> Candidate | None:
    """The candidate where nothing is known but three texts: theirs' diff replayed on ours."""
    if any(map(_is_unfit, (base, ours, theirs))):
        return None
    data = replaying.replay(base, theirs, ours, after_others=True)
    return None if data is None else _judged((base, ours, theirs), data, "lines")


def _judged(texts: tuple[bytes, bytes, bytes], data: bytes, way: str) -> Candidate | None:
    """What was made, as a candidate; None where it is what a side has already."""
    base, ours, theirs = texts
    if data in (ours, theirs):
        return None
    agree = replaying.replay(base, ours, theirs) == data
    return Candidate(data, FILE, agree, way)


def _is_unfit(data: bytes) -> bool:
    return len(data) > MOST_BYTES or data.count(b"\n") > MOST_LINES or matching.is_binary(data)


# The session's own steps ------------------------------------------------------------------------


class _Change(NamedTuple):
    """What one step did to the file, and under which name it was before."""

    step: Step
    before: Entry
    after: Entry
    name: bytes


def _replayed(ws: Workspace, session: Session, sides: _Sides) -> tuple[bytes, str] | None:
    """The steps in force that changed the file, each made on what the ones before it gave.

    None where one of them cannot be: the session's diff as a whole may still.
    """
    changes = _changes(ws, session, sides.name)
    if not changes:
        return None
    # Steps that a rebase has put together, say, do not lead from the base to the session's file.
    if (changes[0].before.oid, changes[-1].after.oid) != (sides.base.oid, sides.theirs.oid):
        return None
    data = ws.repository.objects.blob(sides.ours.oid)
    way = "ops"
    for change in changes:
        by_ops = _by_ops(change, data)
        if by_ops is None:
            way = "lines"
            before, after = map(ws.repository.objects.blob, (change.before.oid, change.after.oid))
            by_ops = replaying.replay(before, after, data, after_others=True)
        if by_ops is None:
            return None
        data = by_ops
    return data, way


def _changes(ws: Workspace, session: Session, name: bytes) -> list[_Change] | None:
    """The effective steps that changed the file, oldest first; None where they do not tell."""
    trees = ws.repository.trees
    active, _ = chain.effective(sessions.steps(ws, session))
    if len(active) > MOST_STEPS:
        return None
    found = []
    for step in reversed(active):
        before_tree = chain.read_step(ws.repository, step.parents[0]).tree
        after, before = trees.leaf(step.tree, name), trees.leaf(before_tree, name)
        if after == before:
            continue
        source = name if before else _moved_from(step, name)
        before = before or (trees.leaf(before_tree, source) if source else None)
        if source is None or before is None or after is None:
            return None
        found.append(_Change(step, before, after, source))
        name = source
    return found[::-1]


def _moved_from(step: Step, name: bytes) -> bytes | None:
    ops = decode_ops(row for row in chain.read_ops(step) if row.get("op") == "move")
    sources = [op.path for op in ops if isinstance(op, Move) and op.to == name]
    return sources[0] if len(sources) == 1 else None


def _by_ops(change: _Change, data: bytes) -> bytes | None:
    """The file after the step's ops; None where one does not say by text where it goes."""
    ops = _textual(change)
    if not ops:
        return None
    try:
        view = _OneFile(change.name, data)
        made = edits.apply_all(ops, view, lambda _path: None).files.get(change.name)
    except SlipError:
        return None
    return made.data if made else None


def _textual(change: _Change) -> list[Op]:
    """The step's ops on the file, as ops that go by text; none where one of them does not."""
    rows = chain.read_ops(change.step)
    if any("content_oid" in row or row["op"] not in OPS for row in rows):
        return []
    # Other patterns would have to be read by a library that takes longer to load than all this.
    named = ((), (paths.display(change.name),))
    found: list[Op] = []
    for op in decode_ops(rows):
        if isinstance(op, (StrReplace, Insert)) and op.path == change.name and _is_free(op):
            found.append(op._replace(oid=None))
        elif isinstance(op, Sub) and not op.regex and op.globs in named:
            found.append(op._replace(expect=None))
        elif isinstance(op, Sub) or (change.name in effects.touched(op) and type(op) is not Read):
            return []
    return found


def _is_free(op: StrReplace | Insert) -> bool:
    """Whether an op goes by text alone: the lines that it counts may have moved."""
    return (op.near_line if isinstance(op, StrReplace) else op.after_line) is None


class _OneFile:
    """A tree that holds one file (the `View` of text/overlay)."""

    def __init__(self, path: bytes, data: bytes) -> None:
        self._path = path
        self._data = data
        self._entry = Entry(FILE, blob_id(data))

    def entry(self, path: bytes) -> Entry | None:
        return self._entry if path == self._path else None

    def blocker(self, _path: bytes) -> tuple[bytes, Entry] | None:
        return None

    def blob(self, oid: str) -> bytes | None:
        return self._data if oid == self._entry.oid else None

    def below(self, _path: bytes) -> Iterable[bytes]:
        return ()

    def siblings(self, _directory: bytes) -> Iterable[bytes]:
        return ()

    def select(self, _globs: Sequence[str], _literal: bytes | None) -> Iterable[bytes]:
        return (self._path,)

    def earlier(self, _path: bytes) -> Iterator[bytes]:
        return iter(())

    def merge(self, _base: bytes, _ours: bytes, _theirs: bytes) -> bytes | None:
        return None

    def substitute(
        self, change: Callable[[bytes], tuple[bytes, int]], data: bytes
    ) -> tuple[bytes, int]:
        return change(data)
