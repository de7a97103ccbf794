"""Change sets as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import (
    SHORT,
    branch,
    changes,
    counted,
    numbered,
    short,
    some,
)
from slipstream_git.faces.renderers.gates import judged
from slipstream_git.faces.renderers.inspection import files

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


def _closed(value: outcomes.Closed) -> Iterable[str]:
    yield f"{value.session} closed; `slip reopen {value.session}` brings it back"


def landed(value: outcomes.Landed) -> Iterable[str]:
    if value.already and value.reason and value.commit:
        yield f"{value.session}: {value.reason} ({short(value.commit)})"
        return
    if value.already:
        yield f"{value.session} has landed already as {short(value.commit)}"
        return
    if value.commit is None:
        yield f"{value.session}: nothing committed: {value.reason}"
        return
    how = f", merged by {value.engine}" if value.merged else ""
    where = f" of {value.pushed.remote}" if value.pushed else ""
    ref = value.pushed.ref if value.pushed else value.branch
    if value.dry_run:
        yield f"{value.session} would land on {branch(ref)}{where}{_there(value)}{how}"
    else:
        yield f"{value.session} landed on {branch(ref)}{where} as {short(value.commit)}{how}"
    yield from _series(value)
    yield from changes(value.changes or [])
    yield from judged(value.gates or [])
    for run in value.hooks or []:
        yield from _hook_run(run)
    for worktree in value.behind_worktrees or []:
        yield f"left behind: {worktree}"
    yield from (f"warning: {warning}" for warning in value.warnings or [])


def _there(value: outcomes.Landed) -> str:
    """What the branch there holds now."""
    if value.pushed is None:
        return ""
    return f", which is at {short(value.pushed.old)}" if value.pushed.old else ", not there yet"


def _series(value: outcomes.Landed) -> Iterable[str]:
    if value.kept:
        yield f"kept on top: {', '.join(map(short, value.kept))}"
    for row in value.series or []:
        # What is only to be has an id that hooks, a signature or the time may change.
        name = "-" if value.dry_run else row.commit[:SHORT]
        yield f"{name} {row.subject}  ({some(row.paths)})"


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
    yield from files(value.reads)
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
    "Stepped": _stepped,
    "Closed": _closed,
    "Landed": landed,
    "Flushed": _flushed,
    "Executed": _executed,
}
