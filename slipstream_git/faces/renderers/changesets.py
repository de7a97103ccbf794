"""Change sets as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import (
    SHORT,
    branch,
    changes,
    counted,
    left_open,
    numbered,
    short,
    some,
)

if TYPE_CHECKING:  # the renderers are found by the name of a shape: none is built to print another
    from slipstream_git import outcomes, results


def _applied(value: results.Applied) -> Iterable[str]:
    if value.unchanged:
        yield f"{value.session}: the batch changes nothing; no step was made"
    elif value.dry_run:
        yield f"{value.session}: would be step {value.step}; nothing was kept"
    else:
        yield f"{value.session} step {value.step} {value.commit[:SHORT]}"
    yield from changes(value.changes)
    if value.replaced is not None:
        yield f"replaced {value.replaced} in {counted(value.files or 0, 'file')}"
    for row in value.ops:
        yield from _told(row)
    yield from _overlapping(value.overlaps)


def _overlapping(overlaps: Iterable[results.Overlap]) -> Iterable[str]:
    for overlap in overlaps:
        yield f"also changed in {overlap.session}: {some(overlap.paths)}"


def _told(row: Mapping[str, Any]) -> Iterable[str]:
    if row.get("matched"):
        yield f"op {row['index']} {row['path']}: matched by {row['matched']}"
    if row.get("offset"):
        yield f"op {row['index']} {row['path']}: applied at an offset of {row['offset']} lines"
    if "text" in row:
        yield from numbered(row["path"], row)


def _begun(value: results.Begun) -> Iterable[str]:
    yield f"{value.session} on {branch(value.onto)}, base {short(value.base)}"


def _status(value: results.Status) -> Iterable[str]:
    steps = counted(value.steps, "step")
    yield f"{value.session} on {branch(value.onto)}, base {short(value.base)}, {steps}"
    if value.title:
        yield f"title: {value.title}"
    if value.agent:
        yield f"agent: {value.agent}"
    if value.behind:
        commits = counted(value.behind, "commit")
        yield f"the branch has {commits} that this session does not stand on"
    yield from changes(value.changes)
    if value.unresolved:
        yield f"to be decided: {counted(value.unresolved, 'path')}"
        yield from left_open(value.conflicts)
    if value.refusal:
        yield f"landing now would be refused: {value.refusal.code}: {value.refusal.message}"
        if value.refusal.hint:
            yield f"try: {value.refusal.hint}"


def _listed(value: results.Listed) -> Iterable[str]:
    for session in value.sessions:
        title = f"  {session.title}" if session.title else ""
        left = f"  {session.unresolved} to be decided" if session.unresolved else ""
        yield (
            f"{session.session}  {branch(session.onto)}  {counted(session.steps, 'step')}  "
            f"{counted(len(session.changes), 'file')}{left}{title}"
        )
    if not value.sessions:
        yield "no session"


def _logged(value: outcomes.Logged) -> Iterable[str]:
    for step in value.steps:
        undone = " (undone)" if step.undone else ""
        group = f" [{step.group}]" if step.group else ""
        agent = f" by {step.agent}" if step.agent else ""
        yield (
            f"{step.step} {step.commit[:SHORT]} {step.op}{undone}{group}{agent} {some(step.paths)}"
        )
    if not value.steps:
        yield f"{value.session}: no steps"


def _shown(value: outcomes.Shown) -> Iterable[str]:
    yield f"{value.session} step {value.step} {value.commit} {value.op}"
    yield from changes(value.changes)
    for op in value.ops:
        yield json.dumps(op, ensure_ascii=False)
    yield value.diff


def _diffed(value: outcomes.Diffed) -> Iterable[str]:
    for file in value.conflicts or []:
        yield f"# {file['path']} is to be decided ({file['kind']}); what follows is not all of it"
    if value.diff is None:
        yield from changes(value.changes)
    else:
        yield value.diff


def _stepped(value: outcomes.Stepped) -> Iterable[str]:
    what = f"took back step {value.undone}" if value.undone else f"brought back step {value.redone}"
    yield f"{value.session}: {what} (step {value.step})"
    yield from changes(value.changes or [])
    if value.undecided:
        yield f"to be decided again before it can land: {some(value.undecided)}"
    elif value.unresolved is not None:
        yield f"left to decide: {counted(value.unresolved, 'path')}"
    yield from _overlapping(value.overlaps or [])
    if value.hint:
        yield f"try: {value.hint}"


def _was_read(value: results.WasRead) -> Iterable[str]:
    for file in value.files:
        yield from numbered(file.path, file._asdict())
        if file.outline is not None:
            yield f"what it defines (all of it: slip read --force {file.path}):"
            yield from (f"{item.line:>6} {item.signature}" for item in file.outline)
        if file.conflict:
            yield "to be decided (`slip resolve`):"
            yield from left_open([file.conflict])


def _closed(value: outcomes.Closed) -> Iterable[str]:
    yield f"{value.session} closed; `slip reopen {value.session}` brings it back"


def landed(value: outcomes.Landed) -> Iterable[str]:
    if value.already:
        yield f"{value.session} has landed already as {short(value.commit)}"
        return
    if value.commit is None:
        yield f"{value.session}: nothing committed: {value.reason}"
        return
    how = f", merged by {value.engine}" if value.merged else ""
    if value.dry_run:
        yield f"{value.session} would land on {branch(value.branch)}{how}"
    else:
        yield f"{value.session} landed on {branch(value.branch)} as {short(value.commit)}{how}"
    yield from changes(value.changes or [])
    for run in value.hooks or []:
        yield from _hook_run(run)
    for worktree in value.behind_worktrees or []:
        yield f"left behind: {worktree}"
    yield from (f"warning: {warning}" for warning in value.warnings or [])


def _hook_run(run: outcomes.HookRun) -> Iterable[str]:
    """What a hook did that a person would not expect; nothing for one that only looked."""
    if run.status != "passed":
        yield f"warning: the hook {run.name} failed with exit status {run.exit}, after the landing"
        yield from (f"  {line}" for line in (run.output or "").splitlines()[-10:])
    if run.changed:
        yield f"the hook {run.name} changed what landed: {', '.join(run.changed)}"
    if run.not_landed:
        yield f"the hook {run.name} also left, not landed: {', '.join(run.not_landed)}"


def _flushed(value: outcomes.Flushed) -> Iterable[str]:
    yield f"{value.session}: {counted(len(value.files), 'file')} changed in {value.worktree}"
    yield from (f"{file.status} {file.path}" for file in value.files)
    yield from (f"warning: {warning}" for warning in value.warnings or [])


def _executed(value: outcomes.Executed) -> Iterable[str]:
    for file in value.reads:
        yield from numbered(file.path, file._asdict())
        if file.outline is not None:
            yield f"what it defines (all of it: slip read --force {file.path}):"
            yield from (f"{item.line:>6} {item.signature}" for item in file.outline)
    done = value.commit is not None and value.commit.commit is not None
    if value.apply is not None:
        # What landed is listed below; here only what the batch has to tell besides.
        yield from _applied(value.apply._replace(changes=[]) if done else value.apply)
    if value.flush is not None:
        yield from _flushed(value.flush)
    if value.commit is not None:
        yield from landed(value.commit)
    elif value.apply is not None and value.apply.diff is not None:
        yield value.apply.diff


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Applied": _applied,
    "Begun": _begun,
    "Status": _status,
    "Listed": _listed,
    "Logged": _logged,
    "Shown": _shown,
    "Diffed": _diffed,
    "Stepped": _stepped,
    "WasRead": _was_read,
    "Closed": _closed,
    "Landed": landed,
    "Flushed": _flushed,
    "Executed": _executed,
}
