"""`slip split`: a session without labels becomes one step for each part of what it changes.

A part is a path, a directory, or what CODEOWNERS says is one owner's. What must land together stays
together: both names of a renamed file, and a file that makes way for a directory of its name. The
tree of the last step is the session's; the chain as it was is kept as a rebase keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from slipstream_git import hints
from slipstream_git.changes import bounds, captures, chain, closing, sessions, telling, unresolved
from slipstream_git.changes.chain import Facts, Step
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import bytes_field, json_bytes
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, quarantine
from slipstream_git.gitdb.edited import Edit
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.model import Entry
from slipstream_git.outcomes import Split, SplitPart
from slipstream_git.records import NamedTuple
from slipstream_git.text import codeowners, paths
from slipstream_git.workspace import Workspace

WAYS = ("path", "directory", "owner")
NOBODY = "no owner"
Moves = Sequence[tuple[bytes, bytes]]
ROOT = "."


class Wish(NamedTuple):
    """How to split. depth: how many directories deep. label: a text with ``{}`` for the part.

    relabel: also where steps have labels, which go.
    """

    by: str
    depth: int = 1
    label: str = "{}"
    relabel: bool = False


class Part(NamedTuple):
    """One commit of the series to be: its label, and the entries that it brings."""

    label: str
    entries: Mapping[bytes, Entry | None]


def split(ws: Workspace, session: Session, wish: Wish, *, dry_run: bool) -> Split:
    """Make the chain again with a step and a label for each part.

    Raises `usage`, `exists` where steps have labels, `missing` where nothing is changed or nobody
    owns anything, `conflict` where paths are left to be decided, `unsupported`, `quota`.
    """
    check(wish)
    for now in sessions.tries(ws, session):
        steps, _ = chain.effective(sessions.steps(ws, now))
        _check_session(ws, now, steps, wish)
        try:
            found = parts(ws, now, steps, wish)
            begin = _begin(ws, now)
            tip, rows = chained(ws, now._replace(begin=begin), found, steps, now.tip)
            kept = None
            if not dry_run:
                bounds.check_quota(ws)
                kept = _published(ws, now, tip)
        except SlipError as fault:
            if fault.code != "ref-moved":
                raise
            continue
        finally:
            ws.repository.objects.discard()
        return Split(
            now.name, rows, now.tip if dry_run else tip, now.tree,
            kept=kept, dry_run=dry_run or None,
        )  # fmt: skip
    raise sessions.kept_moving(f"session {session.name}")


def check(wish: Wish) -> None:
    """Raises `usage` for what cannot be asked for."""
    if wish.by not in WAYS:
        raise SlipError(
            "usage", f"--by is one of {', '.join(WAYS)}, not {wish.by!r}",
            hint="slip split --by directory",
        )  # fmt: skip
    if wish.depth < 1:
        raise SlipError("usage", f"--depth is a number from 1 up, not {wish.depth}")
    if "{}" not in wish.label or not chain.one_line(wish.label):
        raise SlipError("usage", "--label is a text with {} in it, where the part's name goes")


def _check_session(ws: Workspace, session: Session, steps: Sequence[Step], wish: Wish) -> None:
    unresolved.check(ws, session, "split")
    if session.branch:
        raise SlipError(
            "unsupported",
            f"{session.name} was adopted, and each commit of its branch is a label already",
            hint=hints.of("slip", "commit", "-s", session.name, "--series"),
        )
    labels = list(dict.fromkeys(step.facts.group for step in steps if step.facts.group))
    if labels and not wish.relabel:
        raise SlipError(
            "exists",
            f"steps of {session.name} have labels already: {', '.join(labels[:5])}"
            " (--relabel gives them others)",
            hint=hints.of("slip", "commit", "-s", session.name, "--series"),
            data={"labels": labels},
        )
    if session.tree == session.base_tree:
        raise SlipError(
            "missing", f"{session.name} changes nothing that could be split",
            hint=hints.of("slip", "status", "-s", session.name),
        )  # fmt: skip


# Parts -------------------------------------------------------------------------------------------


def parts(ws: Workspace, session: Session, steps: Iterable[Step], wish: Wish) -> list[Part]:
    """What a session changes, in parts, sorted by name; what nobody owns is the last.

    steps: those in force; the session's tree may be in the overlay.
    """
    name_of = _naming(ws, session, wish)
    before, after = session.base_tree, session.tree
    changed = {d.path: d.new for d in ws.repository.trees.differences(before, after)}
    found: dict[str, dict[bytes, Entry | None]] = {}
    for together in _together(ws, before, after, changed, _moves(steps)):
        # A rename belongs where the file is now.
        there = [path for path in together if changed[path] is not None]
        name = name_of((there or together)[0])
        found.setdefault(name, {}).update({path: changed[path] for path in together})
    ordered = sorted(found, key=lambda name: (name == NOBODY, name))
    return [Part(chain.one_line(wish.label.replace("{}", name)), found[name]) for name in ordered]


def _naming(ws: Workspace, session: Session, wish: Wish) -> Callable[[bytes], str]:
    """What gives a path the name of its part."""
    if wish.by == "path":
        return paths.display
    if wish.by == "directory":
        return lambda path: _directory(path, wish.depth)
    owners = _owners(ws, session)
    return lambda path: " ".join(owners.of(path)) or NOBODY


def _directory(path: bytes, depth: int) -> str:
    above = path.split(b"/")[:-1][:depth]
    return paths.display(b"/".join(above)) + "/" if above else ROOT


def _owners(ws: Workspace, session: Session) -> codeowners.Owners:
    """Whose paths are, as the branch says that the session lands on. Raises `missing`."""
    repository = ws.repository
    head = repository.store.ref(repository.pointed_at(session.onto)) if session.onto else None
    commit = head or session.base
    tree = commits.parse(commit, repository.objects.commit(commit)).tree if commit else None
    for place in codeowners.PLACES if tree else ():
        entry = repository.trees.leaf(tree or "", place)
        if entry is not None:
            found = codeowners.parse(repository.objects.blob(entry.oid))
            if found.skipped:
                lines = ", ".join(map(str, found.skipped[:5]))
                ws.notify(f"{paths.display(place)}: passed over what cannot be read, line {lines}")
            return found
    where = ", ".join(map(paths.display, codeowners.PLACES))
    raise SlipError(
        "missing",
        f"there is no CODEOWNERS where {session.name} lands ({where})",
        hint=hints.of("slip", "split", "-s", session.name, "--by", "directory"),
    )


def _together(
    ws: Workspace, before: str, after: str, changed: Mapping[bytes, Entry | None], moves: Moves
) -> list[list[bytes]]:
    """The changed paths, those in one list that one commit must bring."""
    joined = [*moves, *_renames(ws, before, after)]
    for path in changed:
        # A file where a directory was, or the other way round.
        above = path.rpartition(b"/")[0]
        while above:
            if above in changed:
                joined.append((path, above))
            above = above.rpartition(b"/")[0]
    root = {path: path for path in (*changed, *(path for pair in joined for path in pair))}

    def top(path: bytes) -> bytes:
        while root[path] != path:
            path = root[path]
        return path

    for one, other in joined:
        root[top(one)] = top(other)
    lists: dict[bytes, list[bytes]] = {}
    for path in sorted(changed):
        lists.setdefault(top(path), []).append(path)
    return list(lists.values())


def _moves(steps: Iterable[Step]) -> list[tuple[bytes, bytes]]:
    """Old and new names of files that these steps move, whatever became of their text."""
    rows = (row for step in steps for row in chain.read_ops(step) if row["op"] == "move")
    return [(json_bytes(row, "path"), json_bytes(row, "to")) for row in rows]


def _renames(ws: Workspace, before: str, after: str) -> list[tuple[bytes, bytes]]:
    """Old and new names of files that git takes for renamed, whatever is configured."""
    options = ("-r", "-z", "--raw", "--no-abbrev", "-M50%", "-l1000", "--diff-filter=R")
    repository = ws.repository
    pending = repository.objects.pending()
    with quarantine.opened(repository) if pending else nullcontext() as room:
        env = room.env if room else None
        out = repository.git.run("diff-tree", *options, before, after, env=env).out
    fields = out.split(b"\0")[:-1]
    return list(zip(fields[1::3], fields[2::3], strict=True))


# The chain ---------------------------------------------------------------------------------------


def chained(
    ws: Workspace, session: Session, found: Sequence[Part], steps: Sequence[Step], was: str
) -> tuple[str, list[SplitPart]]:
    """A step for each part behind the session's tip, in the overlay: the newest, and its rows.

    session: at its begin commit. was: the chain as it was, which the first step keeps. steps: those
    of it in force; what they captured and decided is told again.
    """
    tip, tree = session.begin, session.base_tree
    agents = {step.facts.agent for step in steps}
    agent = agents.pop() if len(agents) == 1 else ""
    told = _told_again(steps)
    rows: list[SplitPart] = []
    for number, part in enumerate(found, 1):
        tree = ws.repository.trees.splice(tree, part.entries)
        facts = Facts(
            session=session.name,
            step=number,
            kind="split",
            begin=session.begin,
            group=part.label,
            agent=agent,
        )
        journal = [_row(path, entry) for path, entry in sorted(part.entries.items())]
        # Of a path that is as it was in the end, too: a worktree may still hold what was captured.
        mine = sorted(told if number == len(found) else told.keys() & part.entries.keys())
        journal += [row for path in mine for row in told.pop(path)]
        kept = () if rows else (was,)
        shown = [paths.display(path) for path in sorted(part.entries)]
        tip = chain.write_step(ws, tree, (tip, *kept), facts, journal, ", ".join(shown))
        rows.append(SplitPart(part.label, number, tip, tree, shown))
    return tip, rows


def _row(path: bytes, entry: Entry | None) -> dict[str, Any]:
    """A journal row: what the step brings at a path."""
    name, text = bytes_field("path", path)
    facts = {"oid": entry.oid, "mode": f"{entry.mode:o}"} if entry else {"oid": None}
    return {"op": "split", name: text, **facts}


def _told_again(steps: Sequence[Step]) -> dict[bytes, list[dict[str, Any]]]:
    """What was captured and decided, by path."""
    found: dict[bytes, list[dict[str, Any]]] = {}
    for path, entries in captures.captured_by(steps).items():
        found[path] = [captures.journal_row(Edit(path, entry)) for entry in entries]
    for step in steps:
        for row in unresolved.rows_of(step):
            found.setdefault(json_bytes(row, "path"), []).append(row)
    return found


def _begin(ws: Workspace, session: Session) -> str:
    """The begin commit of the new chain: the old one's facts, and that it comes after it."""
    was = chain.read_step(ws.repository, session.begin)
    facts = was.facts._replace(session=session.name, rebased=(*session.rebased, session.begin))
    return chain.write_step(ws, was.tree, was.parents, facts)


def _published(ws: Workspace, session: Session, tip: str) -> str:
    """Put the new chain in the old one's place; the ref under which that is kept."""
    _, closed = sessions.closing(ws, session)
    moves = [closed, RefMove(session.ref, session.tip, tip)]
    kept = ws.repository.objects.publish()
    try:
        closing.move_together(ws, moves, f"slip: split {session.name}")
    finally:
        kept.release()
    telling.rebased(ws, session, tip)
    return closed.name
