"""What a reviewer is told: of a session before it lands, of commits that have landed.

What is said of gates is what was noted of the very tree; and what nothing has looked at is said as
well, since silence reads like a yes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipstream_git import hints
from slipstream_git.changes import (
    chain,
    differences,
    landing,
    obstacles,
    proposing,
    provenance,
    sessions,
    settings,
    unresolved,
)
from slipstream_git.changes.builtins import Checks
from slipstream_git.changes.chain import Step
from slipstream_git.changes.gating import judging, surroundings, verdictnotes
from slipstream_git.changes.gating.verdictnotes import Verdict
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.settings import Gate, Settings
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.commits import Commit
from slipstream_git.outcomes import GateRow, Report, ReportedCommit, SideTaken
from slipstream_git.records import NamedTuple
from slipstream_git.results import path_b64
from slipstream_git.text import markdown, paths
from slipstream_git.workspace import Workspace

MOST_FILES = 200
MOST_COMMITS = 100


class _Judged(NamedTuple):
    """What gates said of a tree, and what nobody said."""

    rows: list[GateRow]
    unchecked: list[str]


def of_session(ws: Workspace, session: Session) -> Report:
    """What a session would land, as far as that can be told without landing it."""
    unchecked: list[str] = []
    start, tree, before = session.base, session.tree, session.base_tree
    fault = obstacles.obstacle(ws, session)
    if fault is None:
        met = landing.met(ws, session)
        start, tree, before = met.start, met.tree, met.head_tree
    else:
        unchecked.append(f"It would not land now: {fault.code}: {fault.message}")
    active, _ = chain.effective(sessions.steps(ws, session))
    title, _, body = (proposing.message(ws, session) or "").partition("\n")
    judged = _judged(ws, settings.at(ws.repository, start), before, tree)
    labels = dict.fromkeys(step.facts.group for step in active if step.facts.group)
    return _told(
        Report(
            title=title or f"Session {session.name}",
            message=body.strip() or None,
            session=session.name,
            agent=session.agent or None,
            onto=session.onto,
            base=start,
            tree=tree,
            steps=len(active),
            labels=list(labels) or None,
            decided=_decided(active) or None,
            commits=[],
            changes=differences.changes_between(ws.repository, before, tree),
            gates=judged.rows,
            unchecked=[*unchecked, *judged.unchecked],
        )
    )


def of_commits(ws: Workspace, revisions: str) -> Report:
    """What a commit, or those of ``A..B``, changed. Raises `missing`; `usage` for none."""
    found = _listed(ws, revisions)
    last, first = found[-1], found[0]
    base = first.parents[0] if first.parents else None
    before = commits.tree_of(ws.repository.objects, base)
    judged = _judged(ws, settings.at(ws.repository, base), before, last.tree)
    rows = [_reported(ws, commit) for commit in found]
    unchecked = judged.unchecked
    unjudged = [row.commit[:10] for row in rows if row.no_check]
    if unjudged:
        unchecked.append(f"Landed with --no-check: {', '.join(unjudged)}")
    if verdictnotes.every(ws, last.tree) and len(found) > 1:
        lone = sum(not verdictnotes.every(ws, commit.tree) for commit in found[:-1])
        if lone:
            unchecked.append(f"{lone} of {len(found)} commits by themselves; the last tree was")
    one = rows[0] if len(rows) == 1 else None
    names = {row.session for row in rows}
    agents = {row.agent for row in rows}
    return _told(
        Report(
            title=one.subject if one else f"{len(rows)} commits",
            message=one.message if one else None,
            session=names.pop() if len(names) == 1 else None,
            agent=agents.pop() if len(agents) == 1 else None,
            base=base,
            head=last.oid,
            tree=last.tree,
            commits=rows,
            changes=differences.changes_between(ws.repository, before, last.tree),
            gates=judged.rows,
            unchecked=unchecked,
        )
    )


# What there is to tell ---------------------------------------------------------------------------


def _decided(active: Sequence[Step]) -> list[SideTaken]:
    """How each path was decided that collided with others' work."""
    found: list[SideTaken] = []
    for item, row in unresolved.settled(active):
        takes = [each.take for each in item.decided.values()] if row is None else [row["take"]]
        shown = paths.display(item.path)
        found.append(SideTaken(shown, sorted(set(takes)), path_b64(item.path, shown)))
    return sorted(found)


def _listed(ws: Workspace, revisions: str) -> list[Commit]:
    """The commits, oldest first; merges are followed by their first parent."""
    earlier, dots, later = revisions.partition("..")
    if dots and later.startswith("."):
        meant = hints.of("slip", "show", "--rev", f"{earlier}..{later[1:]}")
        raise SlipError("usage", f"{revisions}: say two dots, for what the first lacks", hint=meant)
    last = ws.repository.resolve((later or "HEAD") if dots else revisions)
    words = ["rev-list", "--first-parent", "--reverse", last]
    words += [f"^{ws.repository.resolve(earlier or 'HEAD')}"] if dots else ["--max-count=1"]
    oids = ws.repository.git.run(*words).out.decode().split()
    if not oids:
        raise SlipError("usage", f"{revisions}: there is no commit in it")
    return [commits.parse(oid, ws.repository.objects.commit(oid)) for oid in oids]


def _reported(ws: Workspace, commit: Commit) -> ReportedCommit:
    subject, _, body = commit.message.decode("utf-8", "replace").partition("\n")
    note = provenance.newest(ws, commit.oid) or {}
    return ReportedCommit(
        commit=commit.oid,
        subject=subject,
        message=body.strip() or None,
        session=provenance.text(note, "session"),
        agent=provenance.text(note, "agent"),
        no_check=bool(note.get("no_check")) or None,
    )


def _judged(ws: Workspace, rules: Settings, before: str, tree: str) -> _Judged:
    rows = Checks(ws.repository).rows(before, tree, rules)
    unchecked = [f"{row.name}: switched off" for row in rows if row.status == "skipped"]
    rows = [row for row in rows if row.status != "skipped"]
    if not rules.gates:
        unchecked.append("The branch defines no gates (.slip.toml)")
    for gate in rules.gates:
        said = [verdict for verdict in verdictnotes.every(ws, tree) if verdict.gate == gate.name]
        found = _last_word(ws, rules, gate, tree, said)
        if found is not None:
            rows.append(found.row)
        elif said:
            unchecked.append(
                f"Gate {gate.name} was {said[-1].status} here by another definition or in other"
                " surroundings"
            )
        elif not judging.is_wanted(ws, gate, before, tree):
            rows.append(judging.skipped(gate))
        else:
            unchecked.append(f"Gate {gate.name} has said nothing of this tree")
        if found is not None and gate.versions:
            unchecked.append(f"What the versions of gate {gate.name} print by now")
    return _Judged(rows, unchecked)


def _last_word(
    ws: Workspace, rules: Settings, gate: Gate, tree: str, said: Sequence[Verdict]
) -> Verdict | None:
    """The newest verdict of a gate as it is now; what prints its ``versions`` is not run."""
    if said and not gate.versions:
        key = surroundings.key(ws, gate, rules.pool, tree)
        said = [verdict for verdict in said if verdict.key == key]
    return max(said, key=lambda verdict: (verdict.time, verdict.status), default=None)


# Told --------------------------------------------------------------------------------------------


def _told(report: Report) -> Report:
    return report._replace(markdown="\n\n".join(_sections(report)) + "\n")


def _sections(report: Report) -> Iterator[str]:
    yield f"## {markdown.plain(report.title)}"
    if report.message:
        yield markdown.paragraphs(report.message)
    yield " · ".join(_origin(report))
    if len(report.commits) > 1:
        yield "### Commits"
        yield "\n".join(_commit_lines(report.commits))
    yield "### Changes"
    yield _changes(report)
    if report.decided:
        yield "### Conflicts with others' work"
        yield "\n".join(_decision(row) for row in report.decided)
    yield "### Checked"
    if report.gates:
        rows = [(markdown.code(row.name), _verdict(row)) for row in report.gates]
        yield markdown.table(("Gate", "Verdict"), rows)
        for row in report.gates:
            if row.status == "red" and row.tail:
                yield f"What {markdown.code(row.name)} printed last:"
                yield markdown.block(row.tail)
    else:
        yield "Nothing."
    if report.unchecked:
        yield "### Not checked"
        yield "\n".join(f"- {markdown.plain(line)}" for line in report.unchecked)


def _decision(row: SideTaken) -> str:
    named = {"ours": "what the branch had", "theirs": "what the session made"}
    said = " and ".join(named.get(side, markdown.plain(side)) for side in row.sides)
    return f"- {markdown.code(row.path)} was decided: {said}"


def _origin(report: Report) -> Iterator[str]:
    if report.session:
        yield f"Session {markdown.code(report.session)}"
    if report.agent:
        yield f"by {markdown.plain(report.agent)}"
    if report.onto:
        yield f"onto {markdown.code(report.onto.removeprefix(sessions.BRANCHES))}"
    if report.base:
        yield f"base {markdown.code(report.base[:10])}"
    if report.head:
        yield f"commit {markdown.code(report.head[:10])}"
    yield f"tree {markdown.code(report.tree[:10])}"
    if report.steps is not None:
        yield f"{report.steps} step{'' if report.steps == 1 else 's'}"
    if report.labels:
        yield f"parts: {', '.join(markdown.plain(label) for label in report.labels)}"


def _commit_lines(rows: Sequence[ReportedCommit]) -> Iterator[str]:
    for row in rows[:MOST_COMMITS]:
        yield f"1. {markdown.code(row.commit[:10])} {markdown.plain(row.subject)}"
    if len(rows) > MOST_COMMITS:
        yield f"\nand {len(rows) - MOST_COMMITS} more"


def _changes(report: Report) -> str:
    if not report.changes:
        return "Nothing."
    cells = [
        (row.status, markdown.code(row.path), _count(row.added), _count(row.removed))
        for row in report.changes[:MOST_FILES]
    ]
    added = sum(row.added or 0 for row in report.changes)
    removed = sum(row.removed or 0 for row in report.changes)
    files = len(report.changes)
    total = f"{files} file{'' if files == 1 else 's'}, {added} lines added, {removed} removed"
    more = f"\n\nand {files - MOST_FILES} more files" if files > MOST_FILES else ""
    return f"{total}.\n\n{markdown.table(('', 'File', '+ ', '- '), cells)}{more}"


def _count(lines: int | None) -> str:
    return "binary" if lines is None else str(lines)


def _verdict(row: GateRow) -> str:
    if row.status == "skipped":
        return "not needed: nothing that it looks at has changed"
    return f"**{row.status}**, {row.seconds:.1f} s"
