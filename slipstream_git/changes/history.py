"""A session looked at, and its steps taken back and brought back.

Undo and redo append a step, so nothing is ever lost; taking back a step in the middle is a
three-way merge, which may conflict, and then there is no step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from slipstream_git import hints
from slipstream_git.changes import chain, differences, overlapping, sessions, staging, views
from slipstream_git.changes.chain import Facts, Step
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import json_bytes
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, merge, quarantine
from slipstream_git.outcomes import Diffed, Logged, LogStep, Shown, Stepped
from slipstream_git.results import FileRead, Listed, Refusal, Status, Told, WasRead, path_b64
from slipstream_git.text import fileops, paths
from slipstream_git.text.decimals import decimal
from slipstream_git.text.tokens import tokens_of
from slipstream_git.workspace import Workspace


def undo(ws: Workspace, session: Session, wanted: str | None) -> Stepped:
    """Take back a step (the newest in force by default). Raises `missing` or `conflict`."""
    active, _ = chain.effective(sessions.steps(ws, session))
    if not active:
        raise SlipError("missing", f"session {session.name} has no step to take back")
    step = _named_step(active, wanted) if wanted else active[-1]
    if step is None:
        raise SlipError(
            "missing", f"step {wanted} is not in force", hint=f"slip log -s {session.name}"
        )
    if step.facts.kind == "rebase":
        raise _kept_elsewhere(ws, session, step)
    parent = chain.read_step(ws.repository, step.parents[0])
    after = _merged(ws, session, step.tree, parent.tree, f"undo of step {step.number}")
    active = [s for s in active if s is not step]
    left = _left(session, active, step)
    facts = _facts(session, "undo")._replace(undoes=step.number, unresolved=left)
    told = _append(ws, session, after, facts)._replace(undone=step.number)
    return _with_decisions(session, told, active, step)


def redo(ws: Workspace, session: Session) -> Stepped:
    """Bring back the step that was taken back last. Raises `missing` or `conflict`."""
    active, undone = chain.effective(sessions.steps(ws, session))
    if not undone:
        raise SlipError(
            "missing",
            f"session {session.name} has nothing to redo; a new step ends what could be brought"
            " back, but `slip show STEP` still has its ops",
            hint=f"slip log -s {session.name}",
        )
    step = undone[-1]
    parent = chain.read_step(ws.repository, step.parents[0])
    after = _merged(ws, session, parent.tree, step.tree, f"redo of step {step.number}")
    active = sorted([*active, step], key=lambda s: s.number)
    left = _left(session, active, step)
    facts = _facts(session, "redo")._replace(redoes=step.number, unresolved=left)
    told = _append(ws, session, after, facts)._replace(redone=step.number)
    return _with_decisions(session, told, active, step)._replace(undecided=None)


def _left(session: Session, active: Sequence[Step], changed: Step) -> int:
    """How many paths are left to be decided when these steps are in force."""
    if changed.facts.kind != "resolve":
        return session.unresolved
    from slipstream_git.changes import unresolved

    return len(unresolved.folded(active))


def _with_decisions(
    session: Session, told: Stepped, active: Sequence[Step], changed: Step
) -> Stepped:
    """The answer for a decision says what is left; for every other step it is as it is."""
    if changed.facts.kind != "resolve":
        return told
    from slipstream_git.changes import unresolved

    open_now = unresolved.folded(active)
    touched = {json_bytes(row, "path") for row in chain.read_ops(changed)}
    names = [paths.display(path) for path in sorted(touched.intersection(open_now))]
    hint = unresolved.hint(session, open_now) if open_now else None
    return told._replace(undecided=names or None, unresolved=len(open_now), hint=hint)


def _kept_elsewhere(ws: Workspace, session: Session, step: Step) -> SlipError:
    """A rebase is not undone by a step: the session stood on another base."""
    numbers = sorted(sessions.closed_numbers(ws, session.name).items(), reverse=True)
    number = next((n for n, tip in numbers if _holds(ws, tip, step.parents[1])), None)
    hint = f"slip abort -s {session.name} && slip reopen {session.name}@{number}"
    return SlipError(
        "unsupported",
        f"step {step.number} is a rebase, which no step takes back; the chain as it was is kept",
        hint=hint if number else None,
    )


def _holds(ws: Workspace, tip: str, commit: str) -> bool:
    """Whether a commit is in the chain of this tip."""
    done = ws.repository.git.run("merge-base", "--is-ancestor", commit, tip, accept=(0, 1))
    return done.status == 0


def _named_step(steps: Sequence[Step], wanted: str) -> Step | None:
    """The step that a number or an id prefix names."""
    number = decimal(wanted) if len(wanted) < 7 else None
    if number is not None:
        return next((s for s in steps if s.number == number), None)
    found = [s for s in steps if len(wanted) >= 4 and s.commit.startswith(wanted)]
    return found[0] if len(found) == 1 else None


def _merged(ws: Workspace, session: Session, base: str, theirs: str, what: str) -> str:
    merged = merge.three_way(ws.repository, base, session.tree, theirs, ws.clock())
    if merged.conflicts:
        from slipstream_git.changes import conflicts

        raise conflicts.error(
            ws,
            merged.conflicts,
            f"{what} conflicts with later steps",
            conflicts.Meeting(
                session.onto, session.tip, session.base, "as it is now", "what was asked for",
                trees=(base, session.tree, theirs), other=session,
            ),
            hint=f"slip log -s {session.name}",
        )  # fmt: skip
    return merged.tree


def _facts(session: Session, kind: str) -> Facts:
    return Facts(session=session.name, step=session.step + 1, kind=kind, begin=session.begin)


def _append(ws: Workspace, session: Session, tree: str, facts: Facts) -> Stepped:
    # Before anything moves: it reads files, one of which may be broken.
    changes = differences.changes_between(ws.repository, session.tree, tree)
    tip = chain.write_step(ws, tree, (session.tip,), facts)
    if not staging.advance(ws, session, tip):
        raise SlipError(
            "ref-moved",
            f"session {session.name} moved meanwhile",
            hint=f"slip log -s {session.name}",
        )
    after = session._replace(tip=tip, tree=tree, step=facts.step)
    overlaps = overlapping.overlaps(ws, after, session)
    return Stepped(session.name, facts.step, tip, tree, changes=changes, overlaps=overlaps)


def status(ws: Workspace, session: Session) -> Status:
    """Where a session stands: what it changes, and how far its branch has moved on."""
    onto_commit = ws.repository.store.ref(session.onto) if session.onto else None
    active, _ = chain.effective(sessions.steps(ws, session))
    return Status(
        session=session.name,
        base=session.base,
        onto=session.onto,
        onto_commit=onto_commit,
        behind=_behind(ws, session.base, onto_commit),
        tip=session.tip,
        tree=session.tree,
        steps=len(active),
        changes=differences.changes_between(ws.repository, session.base_tree, session.tree),
        conflicts=[],
        title=session.title or None,
        agent=session.agent or None,
        unresolved=session.unresolved or None,
    )


def outlook(ws: Workspace, session: Session) -> Status:
    """Its status, and what would refuse a landing now."""
    from slipstream_git.changes import obstacles, proposing, squashed

    found, fault = status(ws, session), obstacles.obstacle(ws, session)
    found = found._replace(message=proposing.message(ws, session), told=told(ws, session))
    collides = fault is not None and squashed.may_explain(fault)
    if found.behind and (fault is None or collides):
        found = found._replace(landed_as=squashed.standing(ws, session, collides=collides))
    if fault is None or found.landed_as:
        return found
    files = fault.data.get("files") if fault.code == "conflict" else None
    refusal = Refusal(fault.code, fault.message, fault.hint)
    return found._replace(conflicts=files if isinstance(files, list) else [], refusal=refusal)


def told(ws: Workspace, session: Session) -> Told | None:
    """What readers were told in a session, as its events say; None where that is nothing."""
    from slipstream_git.events import standing

    found = standing.now(ws.repository.layout, session.name).served
    if not found.answers:
        return None
    return Told(found.answers, tokens_of(found.bytes), tokens_of(found.whole))


def _behind(ws: Workspace, base: str | None, onto_commit: str | None) -> int | None:
    """Commits of the branch that the session does not stand on; None without a branch."""
    if onto_commit is None:
        return None
    if onto_commit == base:
        return 0
    span = f"{base}..{onto_commit}" if base else onto_commit
    return int(ws.repository.git.run("rev-list", "--count", span).out)


def listing(ws: Workspace, *, closed: bool) -> Listed:
    """Every open session, or every closed chain, with its state."""
    if not closed:
        states = (_readable_status(ws, name, tip) for name, tip in _chains(ws, sessions.OPEN))
        found = [state for state in states if state]
        sessions.tell_of_others(ws, (state.session for state in found))
        return Listed(found)
    found = []
    for chain_name, tip in _chains(ws, sessions.CLOSED):
        name, _, number = chain_name.rpartition("/")
        state = _readable_status(ws, name, tip)
        if state:
            found.append(state._replace(session=f"{name}@{number}"))
    return Listed(found)


def _chains(ws: Workspace, prefix: str) -> Iterable[tuple[str, str]]:
    refs = ws.repository.store.refs(prefix).items()
    return ((ref.removeprefix(prefix), tip) for ref, tip in refs)


def _readable_status(ws: Workspace, name: str, tip: str) -> Status | None:
    """The state of a chain; None for a ref that holds no chain of ours, which hides no other."""
    try:
        return status(ws, sessions.at(ws, name, tip))
    except SlipError:
        return None


def log(ws: Workspace, session: Session) -> Logged:
    """The session's steps in order, those taken back marked."""
    history = sessions.steps(ws, session)
    active = {step.number for step in chain.effective(history)[0]}
    rows = []
    before = session.base_tree
    for step in history:
        own = not (step.facts.undoes or step.facts.redoes)
        differences = ws.repository.trees.differences(before, step.tree)
        rows.append(
            LogStep(
                step=step.number,
                commit=step.commit,
                op=step.facts.kind,
                time=step.time,
                undone=own and step.number not in active,
                paths=[paths.display(d.path) for d in differences],
                group=step.facts.group or None,
                agent=step.facts.agent or None,
            )
        )
        before = step.tree
    return Logged(session.name, rows)


def show(ws: Workspace, session: Session, wanted: str) -> Shown:
    """One step: its ops as they were accepted, and its diff."""
    history = sessions.steps(ws, session)
    step = _named_step(history, wanted)
    if step is None:
        raise SlipError(
            "missing",
            f"session {session.name} has no step {wanted}",
            hint=f"slip log -s {session.name}",
        )
    before = chain.read_step(ws.repository, step.parents[0]).tree
    return Shown(
        session=session.name,
        step=step.number,
        commit=step.commit,
        op=step.facts.kind,
        ops=chain.read_ops(step),
        changes=differences.changes_between(ws.repository, before, step.tree),
        diff=patch_text(ws, before, step.tree),
    )


def diff(ws: Workspace, session: Session, *, stat: bool, binary: bool) -> Diffed:
    """What a session changes against its base, as git prints it."""
    changes = differences.changes_between(ws.repository, session.base_tree, session.tree)
    text = None if stat else patch_text(ws, session.base_tree, session.tree, binary=binary)
    told = list(_conflicts(ws, session).values()) or None
    return Diffed(session.name, session.base, session.tree, changes, text, told)


def _conflicts(ws: Workspace, session: Session) -> dict[str, Any]:
    """What is left to be decided, by the paths as they are told."""
    if not session.unresolved:
        return {}
    from slipstream_git.changes import unresolved

    rows = unresolved.listed(ws, session, unresolved.of(ws, session).values())
    return {row["path"]: row for row in rows}


def patch_text(ws: Workspace, old: str, new: str, *, binary: bool = False) -> str:
    """``git diff`` between two trees, which may still be in the overlay.

    Bytes that are not UTF-8 come as lone surrogates, so that a face can write them out again.
    """
    full = ("--binary", "--full-index") if binary else ()
    arguments = ("diff-tree", "-p", "-M", *full, "--no-color", "--no-ext-diff", old, new)
    if ws.repository.objects.pending():
        with quarantine.opened(ws.repository) as room:
            out = ws.repository.git.run(*arguments, env=room.env).out
    else:
        out = ws.repository.git.run(*arguments).out
    return out.decode("utf-8", "surrogateescape")


def read(ws: Workspace, session: Session, wanted: Sequence[str], *, capped: bool = True) -> WasRead:
    """Numbered lines of files as the session has them; ``capped``: not too many of them."""
    told = _conflicts(ws, session)
    try:
        files = read_files(ws, session.tree, wanted, capped=capped)
    except SlipError as fault:
        if told and fault.code == "missing":
            # It may be what a conflict left out.
            fault.hint = hints.of("slip", "resolve", "-s", session.name)
        raise
    files = [file._replace(conflict=told.get(file.path)) for file in files]
    return WasRead(files, session=session.name)


def read_revision(
    ws: Workspace, revision: str, wanted: Sequence[str], *, capped: bool = True
) -> WasRead:
    """The same at a revision."""
    commit = ws.repository.resolve(revision)
    tree = commits.tree_of(ws.repository.objects, commit)
    return WasRead(read_files(ws, tree, wanted, capped=capped), rev=commit)


def read_files(
    ws: Workspace, tree: str, wanted: Sequence[str], *, capped: bool = True
) -> list[FileRead]:
    """Files of a tree, each a ``PATH`` or ``PATH:A-B``."""
    return [_read(ws, tree, spec, capped=capped) for spec in wanted]


def _read(ws: Workspace, tree: str, spec: str, *, capped: bool) -> FileRead:
    path, start, end = _range(spec)
    # A file whose own name ends like a range is that file.
    if start is not None and views.overlay(ws, tree).find(paths.from_text(spec)) is not None:
        path, start, end = spec, None, None
    return read_file(ws, tree, paths.from_text(path), start, end, capped=capped)


def read_file(
    ws: Workspace,
    tree: str,
    path: bytes,
    start: int | None = None,
    end: int | None = None,
    *,
    capped: bool = True,
) -> FileRead:
    """Lines of one file of a tree. Raises `missing` or `out-of-range`."""
    shown = paths.display(path)
    file = views.overlay(ws, tree).existing(path)
    try:
        told = fileops.excerpt(file, start, end, capped=capped)
    except SlipError as fault:
        raise SlipError(fault.code, f"{shown}: {fault.message}", data=fault.data) from None
    return FileRead(path=shown, path_b64=path_b64(path, shown), **told)


def _range(spec: str) -> tuple[str, int | None, int | None]:
    path, colon, span = spec.rpartition(":")
    first, dash, last = span.partition("-")
    start, end = decimal(first), decimal(last)
    if not (colon and path) or start is None or (last and end is None):
        return spec, None, None
    if not dash:
        end = start
    if start < 1 or (end is not None and end < start):
        raise SlipError("out-of-range", f"{spec}: lines run from 1, first to last")
    return path, start, end
