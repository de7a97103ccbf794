"""Sessions, their steps and their files as text."""

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

if TYPE_CHECKING:
    from slipstream_git import outcomes, readings, results


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
    if value.told:
        answers = counted(value.told.answers, "answer")
        whole = value.told.whole_tokens
        beside = f"; whole, the files they are of are {whole:,}" if whole else ""
        yield f"read in it: {answers}, about {value.told.tokens:,} tokens{beside} (an estimate)"
    yield from changes(value.changes)
    if value.unresolved:
        yield f"to be decided: {counted(value.unresolved, 'path')}"
        yield from left_open(value.conflicts)
    if value.landed_as:
        yield f"its branch has this work as {short(value.landed_as)}; `slip commit` closes it"
    if value.refusal:
        yield f"landing now would be refused: {value.refusal.code}: {value.refusal.message}"
        if value.refusal.hint:
            yield f"try: {value.refusal.hint}"


def _mind_map(value: readings.MindMap) -> Iterable[str]:
    yield value.mermaid


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


def files(value: Iterable[results.FileRead]) -> Iterable[str]:
    """Files that were read, numbered lines of each."""
    for file in value:
        yield from numbered(file.path, file._asdict())
        if file.outline is not None:
            yield f"what it defines (all of it: slip read --force {file.path}):"
            yield from (f"{item.line:>6} {item.signature}" for item in file.outline)
        if file.conflict:
            yield "to be decided (`slip resolve`):"
            yield from left_open([file.conflict])


def _diffed(value: outcomes.Diffed) -> Iterable[str]:
    for file in value.conflicts or []:
        yield f"# {file['path']} is to be decided ({file['kind']}); what follows is not all of it"
    if value.diff is None:
        yield from changes(value.changes)
    else:
        yield value.diff


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


def _was_read(value: results.WasRead) -> Iterable[str]:
    yield from files(value.files)


def _report(value: outcomes.Report) -> Iterable[str]:
    yield value.markdown.rstrip("\n")


def _why(value: results.Why) -> Iterable[str]:
    yield f"{value.path}:{value.line}: {value.text}"
    if value.commit is None and value.session is None:
        yield "not committed yet"
        return
    if value.commit is not None:
        yield f"commit {value.commit[:SHORT]} by {value.author}: {value.subject}"
    if value.session is None:
        yield "not landed by slip, as far as the notes here tell"
        return
    agent = f", by {value.agent}" if value.agent else ""
    title = f": {value.title}" if value.title else ""
    yield f"session {value.session}{agent}{title}"
    group = f" [{value.group}]" if value.group else ""
    if value.step is not None:
        yield f"step {value.step} {(value.step_commit or '')[:SHORT]} {value.kind}{group}"
    elif value.chain_gone:
        yield "its steps are not kept here"
    else:
        yield "its steps do not have this line: it was merged or converted when it landed"
    if value.op is not None:
        was = f" of step {value.was_step} before that" if value.was_step else ""
        yield f"op {value.op_index}{was}: {json.dumps(value.op, ensure_ascii=False)}"
    if value.kept_as:
        yield f"all of it: slip reopen {value.kept_as}"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Status": _status,
    "MindMap": _mind_map,
    "Listed": _listed,
    "WasRead": _was_read,
    "Diffed": _diffed,
    "Logged": _logged,
    "Shown": _shown,
    "Why": _why,
    "Report": _report,
}
