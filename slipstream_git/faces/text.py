"""Results as text for people and language models: compact, sorted, safe on a terminal.

One renderer a result type, in `_RENDERERS`; whatever comes from a repository goes through
`paths.escape_for_terminal`, so that a file name cannot move the cursor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slipstream_git.errors import SlipError
from slipstream_git.text.paths import escape_for_terminal

if TYPE_CHECKING:  # the renderers are found by the name of a shape: none is built to print another
    from slipstream_git import outcomes, results
    from slipstream_git.results import Change

SHORT = 10
BOLD, RED, GREEN, YELLOW, CYAN = "1", "31", "32", "33", "36"


def render(operation: str, value: Any, *, color: bool, terminal: bool) -> str:
    """The text of a result.

    On a terminal nothing in it can move the cursor; elsewhere bytes stay as they are, so that what
    `slip diff` prints can be applied.
    """
    if operation == "begin":
        return str(value.session)
    renderer = _RENDERERS[type(value).__name__]
    text = "\n".join(renderer(value))
    if terminal:
        text = escape_for_terminal(text)
    return _colored(text) if color else text


def render_error(error: SlipError) -> str:
    """An error: one line, details of failing ops where they teach, and a hint."""
    lines = [f"slip: {error.code}: {error.message}"]
    lines += _op_details(error.data.get("ops"))
    lines += _conflict_details(error.data.get("files"), error.data.get("sides"))
    lines += _program_details(error.data)
    if error.hint:
        lines.append(f"try: {error.hint}")
    return escape_for_terminal("\n".join(lines))


def _program_details(data: Mapping[str, object]) -> Iterable[str]:
    """What a hook or set-up command said last, and the settings that would help it."""
    yield from (f"  {line}" for line in str(data.get("output") or "").splitlines()[-20:])
    settings = data.get("settings")
    if isinstance(settings, list):
        yield "  warm worktrees lack what your project ignores; .slip.toml can give it to them:"
        yield from (f"    {line}" for line in settings)


def _colored(text: str) -> str:
    return "\n".join(_colored_line(line) for line in text.split("\n"))


def _colored_line(line: str) -> str:
    code = {"+": GREEN, "-": RED, "@": CYAN, "#": YELLOW, "$": BOLD}.get(line[:1])
    if line.startswith(("diff ", "index ", "+++", "---")):
        code = BOLD
    return f"\x1b[{code}m{line}\x1b[0m" if code else line


def _op_details(ops: object) -> list[str]:
    rows = ops if isinstance(ops, list) else []
    if len(rows) > 1:
        listed = [
            f"  op {row.get('index')} {row.get('op')} {row.get('path')}: "
            f"{row.get('code')}: {row.get('message')}"
            for row in rows
        ]
    else:
        listed = []
    for row in rows:
        listed += _teaching(row)
    return listed


def _teaching(row: Mapping[str, Any]) -> Iterable[str]:
    """The exact text to use instead, or the nearest lines with their numbers."""
    exact = row.get("use_instead")
    if exact:
        yield f"  the file has (use this as `old` in op {row.get('index')}):"
        yield from (f"    {line}" for line in str(exact).splitlines())
        return
    for window in (row.get("nearest") or [])[:2]:
        yield f"  nearest, from line {window['start']}:"
        lines = str(window["text"]).splitlines()[:12]
        yield from (f"  {window['start'] + i:>6}  {line}" for i, line in enumerate(lines))


def _conflict_details(files: object, sides: object) -> Iterable[str]:
    names = {"base": "both came from", **(sides if isinstance(sides, dict) else {})}
    for file in files if isinstance(files, list) else []:
        yield f"  {file['path']}: {file['kind']}"
        for author in file.get("by", [])[:3]:
            yield f"    by {author['commit'][:SHORT]} {author['author']}: {author['subject']}"
        for hunk in file.get("hunks", [])[:3]:
            yield from _hunk_lines(hunk, names)


def _hunk_lines(hunk: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    for side in ("base", "ours", "theirs"):
        first, last = hunk[side]
        where = f"lines {first}-{last}" if last >= first else f"before line {first}"
        yield f"    {names.get(side, side)}, {where}:"
        yield from (f"      {line}" for line in str(hunk[f"{side}_text"]).splitlines()[:8])


def _changes(changes: Sequence[Change]) -> Iterable[str]:
    for change in changes:
        counts = "binary" if change.added is None else f"+{change.added} -{change.removed}"
        mode = f" mode {change.mode}" if change.mode and change.status != "A" else ""
        yield f"{change.status} {change.path} {counts}{mode}"


def _applied(value: results.Applied) -> Iterable[str]:
    if value.unchanged:
        yield f"{value.session}: the batch changes nothing; no step was made"
    elif value.dry_run:
        yield f"{value.session}: would be step {value.step}; nothing was kept"
    else:
        yield f"{value.session} step {value.step} {value.commit[:SHORT]}"
    yield from _changes(value.changes)
    if value.replaced is not None:
        yield f"replaced {value.replaced} in {_counted(value.files or 0, 'file')}"
    for row in value.ops:
        yield from _told(row)
    for overlap in value.overlaps:
        yield f"also changed in {overlap.session}: {_some(overlap.paths)}"


def _told(row: Mapping[str, Any]) -> Iterable[str]:
    if row.get("matched"):
        yield f"op {row['index']} {row['path']}: matched by {row['matched']}"
    if row.get("offset"):
        yield f"op {row['index']} {row['path']}: applied at an offset of {row['offset']} lines"
    if "text" in row:
        yield from _numbered(row["path"], row)


def _numbered(path: str, row: Mapping[str, Any]) -> Iterable[str]:
    yield f"{path} {row['oid']} lines {row['start']}-{row['end']} of {row['total_lines']}"
    lines = row["text"].split("\n")
    if lines and not lines[-1]:
        lines.pop()
    width = len(str(row["end"]))
    yield from (f"{row['start'] + i:>{width}}\t{line}" for i, line in enumerate(lines))
    if row.get("truncated"):
        yield f"… more: slip read {path}:{row['end'] + 1}-"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _begun(value: results.Begun) -> Iterable[str]:
    yield f"{value.session} on {_branch(value.onto)}, base {_short(value.base)}"


def _branch(ref: str | None) -> str:
    return (ref or "no branch").removeprefix("refs/heads/")


def _short(oid: str | None) -> str:
    return oid[:SHORT] if oid else "nothing yet"


def _status(value: results.Status) -> Iterable[str]:
    steps = _counted(value.steps, "step")
    yield f"{value.session} on {_branch(value.onto)}, base {_short(value.base)}, {steps}"
    if value.title:
        yield f"title: {value.title}"
    if value.agent:
        yield f"agent: {value.agent}"
    if value.behind:
        commits = _counted(value.behind, "commit")
        yield f"the branch has {commits} that this session does not stand on"
    yield from _changes(value.changes)
    if value.refusal:
        yield f"landing now would be refused: {value.refusal.code}: {value.refusal.message}"
        if value.refusal.hint:
            yield f"try: {value.refusal.hint}"


def _listed(value: results.Listed) -> Iterable[str]:
    for session in value.sessions:
        title = f"  {session.title}" if session.title else ""
        yield (
            f"{session.session}  {_branch(session.onto)}  {_counted(session.steps, 'step')}  "
            f"{_counted(len(session.changes), 'file')}{title}"
        )
    if not value.sessions:
        yield "no session"


def _logged(value: outcomes.Logged) -> Iterable[str]:
    for step in value.steps:
        undone = " (undone)" if step.undone else ""
        group = f" [{step.group}]" if step.group else ""
        agent = f" by {step.agent}" if step.agent else ""
        yield (
            f"{step.step} {step.commit[:SHORT]} {step.op}{undone}{group}{agent} {_some(step.paths)}"
        )
    if not value.steps:
        yield f"{value.session}: no steps"


def _shown(value: outcomes.Shown) -> Iterable[str]:
    yield f"{value.session} step {value.step} {value.commit} {value.op}"
    yield from _changes(value.changes)
    for op in value.ops:
        yield json.dumps(op, ensure_ascii=False)
    yield value.diff


def _diffed(value: outcomes.Diffed) -> Iterable[str]:
    if value.diff is None:
        yield from _changes(value.changes)
    else:
        yield value.diff


def _stepped(value: outcomes.Stepped) -> Iterable[str]:
    what = f"took back step {value.undone}" if value.undone else f"brought back step {value.redone}"
    yield f"{value.session}: {what} (step {value.step})"
    yield from _changes(value.changes or [])


def _was_read(value: results.WasRead) -> Iterable[str]:
    for file in value.files:
        yield from _numbered(file.path, file._asdict())


def _closed(value: outcomes.Closed) -> Iterable[str]:
    yield f"{value.session} closed; `slip reopen {value.session}` brings it back"


def _landed(value: outcomes.Landed) -> Iterable[str]:
    if value.already:
        yield f"{value.session} has landed already as {_short(value.commit)}"
        return
    if value.commit is None:
        yield f"{value.session}: nothing committed: {value.reason}"
        return
    how = f", merged by {value.engine}" if value.merged else ""
    if value.dry_run:
        yield f"{value.session} would land on {_branch(value.branch)}{how}"
    else:
        yield f"{value.session} landed on {_branch(value.branch)} as {_short(value.commit)}{how}"
    yield from _changes(value.changes or [])
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
    yield f"{value.session}: {_counted(len(value.files), 'file')} changed in {value.worktree}"
    yield from (f"{file.status} {file.path}" for file in value.files)
    yield from (f"warning: {warning}" for warning in value.warnings or [])


def _executed(value: outcomes.Executed) -> Iterable[str]:
    for file in value.reads:
        yield from _numbered(file.path, file._asdict())
    landed = value.commit is not None and value.commit.commit is not None
    if value.apply is not None:
        # What landed is listed below; here only what the batch has to tell besides.
        yield from _applied(value.apply._replace(changes=[]) if landed else value.apply)
    if value.flush is not None:
        yield from _flushed(value.flush)
    if value.commit is not None:
        yield from _landed(value.commit)
    elif value.apply is not None and value.apply.diff is not None:
        yield value.apply.diff


def _recovered(value: outcomes.Recovered) -> Iterable[str]:
    for intent in value.intents:
        where = f" on {_branch(intent.branch)}" if intent.branch else ""
        yield f"{intent.session}{where}: {intent.outcome}"
        for path, why in intent.left:
            yield f"  left alone: {path} ({why})"
    if not value.intents:
        yield "nothing to recover"


def _collected(value: outcomes.Collected) -> Iterable[str]:
    verb = "would expire" if value.dry_run else "expired"
    for gone in value.expired:
        yield f"{verb} {gone.session} {_short(gone.commit)} ({gone.ref})"
    if not value.expired:
        yield "nothing to expire"
    yield f"closed sessions kept: {value.kept}"
    for what in ("bytes", "objects", "packs"):
        before, after = getattr(value, f"{what}_before"), getattr(value, f"{what}_after")
        yield f"{what}: {after}" if before == after else f"{what}: {after} (before: {before})"


def _examined(value: outcomes.Examined) -> Iterable[str]:
    for check in value.checks:
        yield f"{check.status:<4} {check.name}: {check.detail}"
        if check.fix:
            yield f"     try: {check.fix}"


def _merged_tree(value: outcomes.MergedTree) -> Iterable[str]:
    yield value.tree


def _demonstrated(value: outcomes.Demonstrated) -> Iterable[str]:
    for step in value.steps:
        if step.said:
            yield f"\n# {step.said}"
        yield f"$ {step.command}"
        if step.error is not None:
            yield render_error(SlipError(**step.error))
        elif step.operation == "git":
            yield str(step.value).rstrip()
        elif step.operation != "begin":
            yield from _RENDERERS[type(step.value).__name__](step.value)
        else:
            yield step.value.session
    yield f"\nThe repository is at {value.repository}; look around with git."


_RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
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
    "Landed": _landed,
    "Flushed": _flushed,
    "Executed": _executed,
    "Recovered": _recovered,
    "Collected": _collected,
    "Examined": _examined,
    "MergedTree": _merged_tree,
    "Demonstrated": _demonstrated,
}
