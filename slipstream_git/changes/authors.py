"""Who made the other side of a conflict: commits of the branch, or steps of a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from slipstream_git.changes import chain, sessions
from slipstream_git.changes.footprints import parents
from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb import commits
from slipstream_git.model import ZERO
from slipstream_git.records import NamedTuple
from slipstream_git.text import alignment, matching
from slipstream_git.text.histogram import Edit
from slipstream_git.text.hunks import Hunk
from slipstream_git.workspace import Workspace

MOST_AUTHORS = 5
# Paths that git is asked about, and commits that it names, in all.
MOST_PATHS = 200
MOST_COMMITS = 500
# Lines that are compared to find who changed the conflicting ones, in all.
MOST_LINES = 100_000

_START = b"\x01"


class Touch(NamedTuple):
    """A change of one path: the blob before and after (`ZERO` where there was none).

    session: the name of the session whose step it is; None for a commit of a branch.
    """

    commit: str
    author: str
    subject: str
    old: str
    new: str
    session: str | None = None


class Row(NamedTuple):
    """One of a conflict's `by`. lines: it changed the lines that conflict."""

    commit: str
    author: str
    subject: str
    session: str | None = None
    lines: bool | None = None


def of_branch(
    ws: Workspace, base: str | None, head: str, wanted: Iterable[bytes]
) -> Mapping[bytes, list[Touch]]:
    """The commits from ``base`` to ``head`` that touched each path, newest first; one process.

    What touched a file below one of the paths counts for that path.
    """
    paths = list(dict.fromkeys(wanted))[:MOST_PATHS]
    if head == base or not paths:
        return {}
    out = ws.repository.git.run(
        "--literal-pathspecs", "log", f"--max-count={MOST_COMMITS}", "-z", "--raw", "--no-abbrev",
        "--no-renames", "--diff-merges=combined", "--format=%x01%H%x00%an%x00%s",
        f"{base}..{head}" if base else head, "--", *paths, accept=(0, 128),
    ).out  # fmt: skip
    found: dict[bytes, list[Touch]] = {}
    for path, touch in _parsed(out):
        for place in {path, *parents(path)} & set(paths):
            found.setdefault(place, []).append(touch)
    return found


def _parsed(out: bytes) -> Iterator[tuple[bytes, Touch]]:
    """What `log -z --raw` prints: a commit's three fields, then pairs of facts and path."""
    fields = iter(out.split(b"\0"))
    commit = author = subject = ""
    for field in fields:
        text = field.removeprefix(b"\n")
        if text.startswith(_START):
            commit = text[1:].decode()
            author, subject = (next(fields, b"").decode("utf-8", "replace") for _ in range(2))
        elif text.startswith(b":"):
            facts = text.decode().split(" ")
            parents = len(text) - len(text.lstrip(b":"))
            oids = facts[parents + 1 :]
            path = next(fields, b"")
            # A merge has one blob for each parent, none of which is what it was made from.
            old = oids[0] if parents == 1 else ""
            yield path, Touch(commit, author, subject, old, oids[parents])


def of_session(
    ws: Workspace, session: Session, wanted: Iterable[bytes]
) -> Mapping[bytes, list[Touch]]:
    """The steps of a session that touched each path, newest first; no process at all."""
    trees, paths = ws.repository.trees, set(wanted)
    found: dict[bytes, list[Touch]] = {}
    active, _ = chain.effective(sessions.steps(ws, session))
    for step in reversed(active):
        before = chain.read_step(ws.repository, step.parents[0]).tree
        for path in trees.differing(before, step.tree, paths):
            old, new = trees.leaf(before, path), trees.leaf(step.tree, path)
            found.setdefault(path, []).append(
                Touch(
                    step.commit,
                    step.facts.agent or session.agent or _committer(ws, step.commit),
                    step.message.split(b"\n", 1)[0].decode("utf-8", "replace"),
                    old.oid if old else ZERO,
                    new.oid if new else ZERO,
                    session.name,
                )
            )
    return found


def _committer(ws: Workspace, oid: str) -> str:
    who = commits.parse(oid, ws.repository.objects.commit(oid)).committer
    return who.partition(b" <")[0].decode("utf-8", "replace")


class Lines:
    """Finds who changed the lines that conflict; gives up when it has compared enough."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._left = MOST_LINES

    def touched(self, touches: Sequence[Touch], oid: str, found: Sequence[Hunk]) -> set[str]:
        """The commits that changed what conflicts of blob ``oid``.

        They are followed back from it as long as each made what the last one began with; not
        through a merge that mixed contents.
        """
        spans = [(hunk.ours[0] - 1, hunk.ours[1]) for hunk in found]
        names: set[str] = set()
        for touch in touches:
            if touch.new != oid:
                continue
            if touch.old in ("", ZERO):
                return names | ({touch.commit} if touch.old == ZERO else set())
            old, new = (matching.lines(self._ws.repository.objects.blob(o)) for o in touch[3:5])
            self._left -= len(old) + len(new)
            if self._left < 0:
                break
            edits = alignment.quick_edits(old, new)
            if any(_meet(edit, span) for edit in edits for span in spans):
                names.add(touch.commit)
            spans = [_before(edits, span) for span in spans]
            oid = touch.old
        return names


def _meet(edit: Edit, span: tuple[int, int]) -> bool:
    """Whether an edit made or took away any of the new lines [start, end)."""
    start, end = span
    if edit.low == edit.high or start == end:
        return edit.low <= end and start <= edit.high
    return edit.low < end and start < edit.high


def _before(edits: Sequence[Edit], span: tuple[int, int]) -> tuple[int, int]:
    """The old lines that new lines [start, end) came from, with all of an edit that they meet."""
    start, end = span
    grown = sum(_growth(e) for e in edits if e.high <= start and not _meet(e, span))
    inside = [edit for edit in edits if _meet(edit, span)]
    first, last = start - grown, end - grown - sum(map(_growth, inside))
    if inside and inside[0].low <= start:
        first = inside[0].start
    if inside and inside[-1].high >= end:
        last = inside[-1].end
    return first, max(first, last)


def _growth(edit: Edit) -> int:
    return (edit.high - edit.low) - (edit.end - edit.start)


def rows(touches: Sequence[Touch], lines: set[str]) -> list[Row]:
    """The `by` of a conflict: who changed the lines that conflict, then others, newest first."""
    ranked = sorted(touches, key=lambda touch: touch.commit not in lines)
    once = {touch.commit: touch for touch in reversed(ranked)}
    return [
        Row(t.commit, t.author, t.subject, t.session, (t.commit in lines) or None)
        for t in reversed(once.values())
    ][:MOST_AUTHORS]
