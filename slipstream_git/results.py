"""What the operations answer: the shapes of the contract, as named tuples.

Paths are text here (C-quoted where they are not plain UTF-8, then ``path_b64`` has the bytes).
A field with the default None is left out of the JSON when it is None.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any

from slipstream_git.model import Entry
from slipstream_git.records import NamedTuple


class Change(NamedTuple):
    """One path that differs between two trees. Counts are lines, None for binary content."""

    path: str
    status: str
    old_oid: str | None
    new_oid: str | None
    added: int | None
    removed: int | None
    mode: str | None = None
    path_b64: str | None = None


class Overlap(NamedTuple):
    """Another open session that changes the same paths."""

    session: str
    paths: list[str]


class Begun(NamedTuple):
    session: str
    ref: str
    base: str | None
    onto: str | None
    commit: str


class Applied(NamedTuple):
    """What one accepted batch made. ``step`` and ``commit`` are the tip's when nothing changed."""

    session: str
    step: int
    commit: str
    tree: str
    changes: list[Change]
    ops: list[Any]
    overlaps: list[Overlap]
    unchanged: bool | None = None
    dry_run: bool | None = None
    diff: str | None = None
    replaced: int | None = None
    files: int | None = None


class Refusal(NamedTuple):
    """Why something would be refused now, as the error would say it."""

    code: str
    message: str
    hint: str | None = None


class Told(NamedTuple):
    """What readers were told in a session, as an estimate at 3.6 bytes a token.

    whole_tokens: what the files that slices were of would have been, read whole, each blob once.
    """

    answers: int
    tokens: int
    whole_tokens: int


class Status(NamedTuple):
    """refusal: of a landing, if it were tried now; not looked for in lists.

    unresolved: how many paths a rebase left to be decided. message: what it lands with where no
    other is given; not looked for in lists. landed_as: a commit of its branch that was made of its
    work elsewhere; not looked for in lists. told: what reading in it has cost; likewise.
    """

    session: str
    base: str | None
    onto: str | None
    onto_commit: str | None
    behind: int | None
    tip: str
    tree: str
    steps: int
    changes: list[Change]
    conflicts: list[Any]
    title: str | None
    agent: str | None
    refusal: Refusal | None = None
    unresolved: int | None = None
    message: str | None = None
    landed_as: str | None = None
    told: Told | None = None


class Listed(NamedTuple):
    sessions: list[Status]


class FileRead(NamedTuple):
    """conflict: what is left to be decided of the file, as the conflict error has it.

    outline: the symbols of a file that is too long to be told whole (`excerpts.Defined`).
    """

    path: str
    oid: str
    mode: str
    start: int
    end: int
    total_lines: int
    text: str
    truncated: bool
    lossy: bool | None = None
    path_b64: str | None = None
    conflict: Any = None
    outline: list[Any] | None = None


class WasRead(NamedTuple):
    files: list[FileRead]
    session: str | None = None
    rev: str | None = None


def status_letter(old: Entry | None, new: Entry | None) -> str:
    """A, D, T (type change) or M, as ``git diff --name-status`` prints them."""
    if old is None:
        return "A"
    if new is None:
        return "D"
    return "T" if old.mode & 0o170000 != new.mode & 0o170000 else "M"


def path_b64(path: bytes, shown: str) -> str | None:
    """The bytes of a path that its text does not give."""
    if shown.encode("utf-8", "surrogatepass") == path:
        return None
    return b2a_base64(path, newline=False).decode()


class Why(NamedTuple):
    """Where a line is from. Without ``commit`` and ``session`` it is not committed.

    time: the author's, in seconds since the epoch. kind: of the step. op: as the chain has it,
    op_index counting from 0. was_step, was_commit: the step that it is of, where a split or a
    rebase has made that step anew. kept_as: what `slip reopen` takes. chain_gone: the session's
    steps are not here any more, or never were.
    """

    path: str
    line: int
    text: str
    commit: str | None = None
    author: str | None = None
    time: int | None = None
    subject: str | None = None
    session: str | None = None
    title: str | None = None
    agent: str | None = None
    group: str | None = None
    step: int | None = None
    step_commit: str | None = None
    kind: str | None = None
    op: Any = None
    op_index: int | None = None
    was_step: int | None = None
    was_commit: str | None = None
    kept_as: str | None = None
    chain_gone: bool | None = None
    path_b64: str | None = None
