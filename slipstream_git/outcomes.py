"""More shapes of the contract: what landing, history and the whole repository's operations answer.

Apart from results.py because a cold `slip apply` should not build classes it does not use (0.2 ms
each). The same rules hold: a field with the default None is left out of the JSON when it is None.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.records import NamedTuple
from slipstream_git.results import Applied, Change, FileRead, Overlap


class Stepped(NamedTuple):
    """What undo and redo answer.

    Of a decision (a `resolve` step) also: ``undecided``, its paths that are to be decided again,
    and ``unresolved``, how many are left in the session.
    """

    session: str
    step: int
    commit: str
    tree: str
    undone: int | None = None
    redone: int | None = None
    changes: list[Change] | None = None
    overlaps: list[Overlap] | None = None
    undecided: list[str] | None = None
    unresolved: int | None = None
    hint: str | None = None


class LogStep(NamedTuple):
    step: int
    commit: str
    op: str
    time: int
    undone: bool
    paths: list[str]
    group: str | None = None
    agent: str | None = None


class Logged(NamedTuple):
    session: str
    steps: list[LogStep]


class Shown(NamedTuple):
    session: str
    step: int
    commit: str
    op: str
    ops: list[Any]
    changes: list[Change]
    diff: str


class ReportedCommit(NamedTuple):
    """A landed commit, with what its note says. message: below the subject."""

    commit: str
    subject: str
    message: str | None = None
    session: str | None = None
    agent: str | None = None
    no_check: bool | None = None


class SideTaken(NamedTuple):
    """How a path was decided where a session met another's work. sides: `ours` (the branch's),
    `theirs` (the session's), `content` and so on; one for the whole path, or what its hunks took.
    """

    path: str
    sides: list[str]
    path_b64: str | None = None


class Report(NamedTuple):
    """What a reviewer is told. base, head: the commits before and at the end; no head before
    landing. gates: what was noted of ``tree``. unchecked: what nobody looked at, in sentences.
    labels: of a session's steps. decided: where others' work was met. markdown: all of it, fit for
    a pull request.
    """

    title: str
    commits: list[ReportedCommit]
    changes: list[Change]
    gates: list[GateRow]
    unchecked: list[str]
    tree: str
    base: str | None = None
    head: str | None = None
    message: str | None = None
    session: str | None = None
    agent: str | None = None
    onto: str | None = None
    steps: int | None = None
    labels: list[str] | None = None
    decided: list[SideTaken] | None = None
    markdown: str = ""


class SplitPart(NamedTuple):
    """One part of a session that was split: its label, and the step that brings it."""

    group: str
    step: int
    commit: str
    tree: str
    paths: list[str]


class Split(NamedTuple):
    """What split made. ``kept``: the ref that keeps the chain as it was."""

    session: str
    parts: list[SplitPart]
    tip: str
    tree: str
    kept: str | None = None
    dry_run: bool | None = None


class Diffed(NamedTuple):
    session: str
    base: str | None
    tree: str
    changes: list[Change]
    diff: str | None = None
    conflicts: list[Any] | None = None


class Closed(NamedTuple):
    session: str
    ref: str
    commit: str


class HookRun(NamedTuple):
    """One hook that ran. ``changed``: paths it changed in what lands; ``not_landed``: elsewhere."""

    name: str
    status: str
    exit: int
    changed: list[str] | None = None
    not_landed: list[str] | None = None
    output: str | None = None


class GateRow(NamedTuple):
    """What one gate, or built-in check, said of a tree.

    status: green, red, skipped (nothing that it looks at has changed), or error (it could not run
    to its end; counts as red). cached: as was noted before. exit: as a shell has it; null where
    there is none. tail: the end of what it printed. reason: why it is an error.
    """

    name: str
    status: str
    cached: bool
    seconds: float
    exit: int | None
    tail: str | None
    reason: str | None = None


class Checked(NamedTuple):
    """What check answers where nothing is red; else this is the error's ``data``."""

    session: str
    tree: str
    gates: list[GateRow]


class SeriesCommit(NamedTuple):
    """One commit of a series. ``steps``: those of the session that it holds."""

    commit: str
    group: str | None  # null for the steps without a label
    subject: str
    steps: list[int]
    tree: str
    paths: list[str]
    gates: list[GateRow] | None = None


class Pushed(NamedTuple):
    """Where a landing went that was pushed, or would go. ref: the full name there.

    old: what it held there, null where it was not there. tries: how often it was merged and pushed,
    0 for a dry run. followed: the branch here holds it, too.
    """

    remote: str
    ref: str
    old: str | None
    tries: int
    followed: bool


class Landed(NamedTuple):
    """What commit answers; ``old_head`` is null for a first commit, ``engine`` without a merge.

    ``committed``: by this very call; ``already``: before it, as ``commit``. Of a series, that is
    the last. ``kept``: people's commits on top, of a bot's branch.
    """

    session: str
    committed: bool
    old_head: str | None
    engine: str | None
    reason: str | None = None
    already: bool | None = None
    commit: str | None = None
    commits: list[str] | None = None
    series: list[SeriesCommit] | None = None
    kept: list[str] | None = None
    branch: str | None = None
    tree: str | None = None
    merged: bool | None = None
    changes: list[Change] | None = None
    checkout: str | None = None
    behind_worktrees: list[str] | None = None
    gates: list[GateRow] | None = None
    hooks: list[HookRun] | None = None
    dry_run: bool | None = None
    warnings: list[str] | None = None
    pushed: Pushed | None = None


class Bundled(NamedTuple):
    """A session written to a file. size: in bytes. verdicts: how many of gates are in it."""

    session: str
    file: str
    base: str | None
    tip: str
    steps: int
    size: int
    verdicts: int


class Unbundled(NamedTuple):
    """A session made of a bundle. verdicts: how many on its tree were new; taken where asked for.

    already: the session was here, with this very chain.
    """

    session: str
    ref: str
    base: str | None
    onto: str | None
    tip: str
    steps: int
    verdicts: int
    verdicts_taken: bool
    already: bool | None = None


class Unshared(NamedTuple):
    """A session that did not go or come, and why, as an error would say it."""

    session: str
    code: str
    message: str
    hint: str | None


class Exchanged(NamedTuple):
    """What push and pull answer; where any session is ``refused`` this is the error's ``data``.

    way: ``to`` the remote for a push, ``from`` it for a pull. sessions: those that went or came.
    closed: those taken away there because they are closed here. notes: what notes went or came, by
    their refs; came: those that a push merged into its own first.
    """

    way: str
    remote: str
    sessions: list[str]
    closed: list[str]
    notes: list[str]
    refused: list[Unshared]
    came: list[str] | None = None


class Written(NamedTuple):
    """A worktree file that flush wrote (W) or deleted (D)."""

    path: str
    status: str


class Flushed(NamedTuple):
    """What flush did; ``files`` are those that were not as they should be."""

    session: str
    tree: str
    worktree: str
    files: list[Written]
    warnings: list[str] | None = None


class LeftAlone(NamedTuple):
    """A path that somebody changed since the landing died."""

    path: str
    why: str


class RecoveredIntent(NamedTuple):
    """What became of a command that died: ``landed``, ``flushed``, ``closed``, ``reopened``,
    ``rebased``, ``resolved``, ``expired``, ``pulled``, or ``undone``; of a push ``pushed``,
    ``undone``, or ``unknown``.
    """

    session: str
    branch: str | None
    commit: str | None
    outcome: str
    left: list[LeftAlone]


class Recovered(NamedTuple):
    """Every landing that had died, and what it was brought to."""

    intents: list[RecoveredIntent]


class Expired(NamedTuple):
    """A closed session that gc let go."""

    session: str
    ref: str
    commit: str


class Collected(NamedTuple):
    """What gc did. ``kept`` counts closed sessions; bytes and objects are those of sessions alone.

    ``packs`` are slip's own.
    """

    expired: list[Expired]
    kept: int
    bytes_before: int
    bytes_after: int
    objects_before: int
    objects_after: int
    packs_before: int
    packs_after: int
    dry_run: bool | None = None


class Check(NamedTuple):
    """One thing that doctor looked at: ``ok``, ``warn`` or ``fail``, and what to type.

    fixed: what --fix did before it looked once more.
    """

    name: str
    status: str
    detail: str
    fix: str | None
    fixed: str | None = None


class Examined(NamedTuple):
    checks: list[Check]


class Executed(NamedTuple):
    reads: list[FileRead]
    apply: Applied | None
    commit: Landed | None
    flush: Flushed | None = None


class MergedTree(NamedTuple):
    clean: bool
    tree: str
    engine: str


class DemoStep(NamedTuple):
    """One command of the demo, and what it answered: a result or an error."""

    said: str
    command: str
    operation: str
    value: Any
    error: Any = None


class Demonstrated(NamedTuple):
    """The demo's repository, and its story."""

    repository: str
    steps: list[DemoStep]


class Ran(NamedTuple):
    """How a command ended that ran in a warm worktree, and what of it was folded back.

    tree: what it ran on. dropped: it failed, so nothing was captured. not_captured: submodules and
    repositories in which it left something. settings: lines for `.slip.toml` that may help where a
    program was not found.
    """

    session: str
    exit: int
    seconds: float
    tree: str
    captured: Applied | None = None
    timed_out: bool | None = None
    dropped: bool | None = None
    not_captured: list[str] | None = None
    settings: list[str] | None = None


class SessionWorktree(NamedTuple):
    """A session's own worktree. head: the step it stands on. brought: paths that were behind."""

    session: str
    worktree: str
    head: str
    made: bool | None = None
    brought: list[str] | None = None
    removed: bool | None = None


class Served(NamedTuple):
    """A server that has ended. ended: idle, signal, or end (of standard input)."""

    ended: str
    requests: int
    socket: str | None = None
