"""`slip resolve`: what a rebase left open is decided, a path or a hunk at a time.

A decision is a step like any other: undo brings the conflict back. Edits made to the file meanwhile
stay: the change that a decision makes is merged onto what the session has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipstream_git.changes import (
    bounds,
    chain,
    conflicts,
    differences,
    sessions,
    staging,
    unresolved,
)
from slipstream_git.changes.permitting import Permit
from slipstream_git.changes.sessions import Session
from slipstream_git.changes.staging import Label
from slipstream_git.changes.unresolved import Decision, Open, Unresolved
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import filemerge
from slipstream_git.gitdb.merged import Conflict
from slipstream_git.hints import Hint, command
from slipstream_git.meetings import Resolved
from slipstream_git.model import FILE, REGULAR, TREE, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.results import path_b64
from slipstream_git.text import paths
from slipstream_git.text.weaving import Weave
from slipstream_git.workspace import Workspace


class Choice(NamedTuple):
    """What is to be taken: a side's name, ``content`` (with it), ``as-is`` or ``candidate``.

    hunk: only this one, 1-based; None for all that is left of the path.
    """

    take: str
    content: bytes | None = None
    hunk: int | None = None


class _Made(NamedTuple):
    """A decision computed, in the overlay. ``resolved``: the path is done with it."""

    tip: str
    resolved: bool


def choice(flags: Mapping[str, bool], content: bytes | None, hunk: int | None) -> Choice | None:
    """The one choice among the options; None where nothing was chosen. Raises `usage`."""
    given = [name for name, on in flags.items() if on] + ["content"] * (content is not None)
    if len(given) > 1:
        raise SlipError("usage", f"--{given[0]} and --{given[1]} exclude each other")
    if not given:
        if hunk is not None:
            raise SlipError("usage", "--hunk: say what to take, for instance --theirs")
        return None
    if hunk is not None and given[0] in ("as-is", "candidate"):
        raise SlipError("usage", f"--{given[0]} takes the whole file; leave --hunk out")
    return Choice(given[0], content, hunk)


def way_on(session: Session, wanted: str | None, hunk: int | None) -> Hint:
    """A command that decides what was named, or lists it where nothing was."""
    words = ["slip", "resolve", "-s", session.name]
    if wanted is None:
        return command(words, [])
    words += [] if hunk is None else ["--hunk", str(hunk)]
    return command([*words, "--theirs"], [paths.from_text(wanted)])


def listing(ws: Workspace, session: Session, wanted: str | None) -> Resolved:
    """What is left, of the session or of one path."""
    found = unresolved.of(ws, session)
    items = found.values() if wanted is None else [_item(session, found, wanted)]
    return Resolved(
        session=session.name,
        conflicts=unresolved.listed(ws, session, items),
        unresolved=len(found),
        hint=unresolved.hint(session, {i.path: i for i in items} or found) if found else None,
    )


def resolve(ws: Workspace, session: Session, wanted: str, what: Choice, label: Label) -> Resolved:
    """Decide a path, or one of its hunks, in a step.

    Raises `missing` for a path that is not open or a hunk that it has not, `conflict` where the
    session's edits of the file collide with the decision, `path-denied`, `exists`, `ref-moved`.
    """
    for now in sessions.tries(ws, session):
        item = _item(now, unresolved.of(ws, now), wanted)
        bounds.check_steps(ws, now.name, now.step)
        try:
            made = _made(ws, now, item, what, label)
            bounds.check_quota(ws)
            if staging.advance(ws, now, made.tip):
                return _told(ws, now, made, item.path)
        finally:
            ws.repository.objects.discard()
    raise sessions.kept_moving(f"session {session.name}")


def _item(session: Session, found: Open, wanted: str) -> Unresolved:
    """The path that was named, by its bytes, as it is shown, or as git quotes it."""
    path = paths.from_text(wanted)
    item = found.get(path) or next(
        (i for p, i in found.items() if wanted in (paths.display(p), paths.c_quoted(p))), None
    )
    if item is None:
        raise SlipError(
            "missing",
            f"{paths.display(path)} is not a path that is left to be decided",
            hint=f"slip resolve -s {session.name}" if found else f"slip status -s {session.name}",
        )
    return item


def _made(ws: Workspace, session: Session, item: Unresolved, what: Choice, label: Label) -> _Made:
    rows, result, resolved = _decided(ws, session, item, what)
    now = ws.repository.trees.lookup(session.tree, item.path)
    if result != now:
        _check_place(ws, session, item, result)
    tree = ws.repository.trees.splice(session.tree, {item.path: result} if result != now else {})
    Permit(ws, session).step(tree)
    left = session.unresolved - 1 if resolved else session.unresolved
    facts = staging.labelled(ws, session, label)._replace(unresolved=left)
    subject = paths.display(item.path)
    tip = chain.write_step(ws, tree, (session.tip,), facts, rows, subject)
    return _Made(tip, resolved)


def _check_place(ws: Workspace, session: Session, item: Unresolved, result: Entry | None) -> None:
    """What the branch itself has may always stand there; the rest is for the session's scope."""
    if result != item.ours:
        Permit(ws, session).path(item.path)
    if result is None:
        return
    blocked = ws.repository.trees.blocker(session.tree, item.path)
    if blocked is not None:
        place = paths.display(blocked[0])
        raise SlipError(
            "exists",
            f"{paths.display(item.path)} has no room: {place} is a file in {session.name}",
            hint=f"slip resolve -s {session.name}",
        )


# What is taken -----------------------------------------------------------------------------------

Decided = tuple[list[dict[str, Any]], Entry | None, bool]


def _decided(ws: Workspace, session: Session, item: Unresolved, what: Choice) -> Decided:
    """Journal rows, the path's new entry, and whether it is resolved."""
    now = ws.repository.trees.lookup(session.tree, item.path)
    if what.take == "as-is":
        return _whole(item, "as-is", now)
    if what.take == "candidate":
        return _whole(item, "candidate", _candidate(ws, session, item))
    if what.content is not None and len(what.content) > bounds.file_bytes(ws):
        raise SlipError(
            "too-large", f"the text for {paths.display(item.path)} has {len(what.content)} bytes"
        )
    if what.hunk is None and what.content is not None:
        versions = (now, item.ours, item.theirs)
        mode = next((e.mode for e in versions if e is not None and _is_file(e)), FILE)
        return _whole(item, "content", Entry(mode, _blob(ws, what.content)))
    weave = conflicts.weave(ws, item.sides)
    if weave is None:
        return _whole(item, what.take, _side(session, item, what, now))
    return _woven(ws, session, item, weave, what)


def _whole(item: Unresolved, take: str, entry: Entry | None) -> Decided:
    return [unresolved.path_row(item.path, take, entry)], entry, True


def _side(session: Session, item: Unresolved, what: Choice, now: Entry | None) -> Entry | None:
    """A side's version of a path whose versions cannot be taken apart."""
    shown = paths.display(item.path)
    take = what.take if what.take in ("ours", "base") else "theirs"
    hint = command(["slip", "resolve", "-s", session.name, f"--{take}"], [item.path])
    if what.hunk is not None:
        raise SlipError("missing", f"{shown} has no hunks to decide: {item.kind}", hint=hint)
    if what.take == "both":
        raise SlipError("unsupported", f"{shown} cannot hold both: {item.kind}", hint=hint)
    entry = {"ours": item.ours, "theirs": item.theirs, "base": item.base}[what.take]
    # A directory stays as it is in the session, with what was decided below it.
    both = entry is not None and now is not None and entry.mode == now.mode == TREE
    return now if both else entry


def _woven(
    ws: Workspace, session: Session, item: Unresolved, weave: Weave, what: Choice
) -> Decided:
    """A decision for one hunk, or for all that are left of a text."""
    count = len(weave.collisions)
    if what.hunk is not None and not 1 <= what.hunk <= count:
        raise SlipError(
            "missing",
            f"{paths.display(item.path)} has no hunk {what.hunk}: they are 1 to {count}",
            hint=command(["slip", "resolve", "-s", session.name], [item.path]),
        )
    left = [n for n in range(1, count + 1) if n not in item.decided]
    numbers = left if what.hunk is None else [what.hunk]
    made = {n: _decision(weave, n, what) for n in numbers}
    decided = {**item.decided, **made}
    entry = _merged(ws, session, item, weave, decided)
    rows = [unresolved.hunk_row(item.path, n, count, made[n]) for n in numbers]
    return rows, entry, len(decided) == count


def _candidate(ws: Workspace, session: Session, item: Unresolved) -> Entry:
    """The candidate that the listing shows, with the session's own edits of the file."""
    from slipstream_git.changes import candidates

    conflict = Conflict(item.path, item.kind, *item.sides)
    found = candidates.of(ws, unresolved.before(ws, session), conflict)
    weave = conflicts.weave(ws, item.sides)
    if found is None or weave is None:
        raise SlipError(
            "missing",
            f"there is no candidate for {paths.display(item.path)}",
            hint=command(["slip", "resolve", "-s", session.name], [item.path]),
        )
    before = weave.text(unresolved.texts(weave, item.decided))
    merged = _on_edits(ws, session, item, before, found.data)
    return merged._replace(mode=found.mode)


def _decision(weave: Weave, number: int, what: Choice) -> Decision:
    if what.content is None:
        return Decision(what.take)
    return Decision("content", weave.collisions[number - 1].fitted(what.content))


def _merged(
    ws: Workspace,
    session: Session,
    item: Unresolved,
    weave: Weave,
    decided: Mapping[int, Decision],
) -> Entry:
    """The file with these decisions and the session's own edits of it."""
    before = weave.text(unresolved.texts(weave, item.decided))
    after = weave.text(unresolved.texts(weave, decided))
    return _on_edits(ws, session, item, before, after)


def _on_edits(
    ws: Workspace, session: Session, item: Unresolved, before: bytes, after: bytes
) -> Entry:
    """What a decision makes of the file, which the session may have edited since."""
    now = ws.repository.trees.lookup(session.tree, item.path)
    if now is None or not _is_file(now):
        raise _edited(session, item)
    found = filemerge.merge(ws.repository.git, before, ws.repository.objects.blob(now.oid), after)
    if found is None:
        raise _edited(session, item)
    return Entry(now.mode, _blob(ws, found))


def _edited(session: Session, item: Unresolved) -> SlipError:
    shown = paths.display(item.path)
    return SlipError(
        "conflict",
        f"{session.name} has edited {shown} where this would change it; take it as it is now, or"
        " undo the edit",
        hint=command(["slip", "resolve", "-s", session.name, "--as-is"], [item.path]),
    )


def _is_file(entry: Entry) -> bool:
    return entry.mode in REGULAR


def _blob(ws: Workspace, data: bytes) -> str:
    return ws.repository.objects.write("blob", data)


# What becomes of it ------------------------------------------------------------------------------


def _told(ws: Workspace, before: Session, made: _Made, path: bytes) -> Resolved:
    session = sessions.at(ws, before.name, made.tip)
    found = unresolved.of(ws, session)
    shown = paths.display(path)
    rest: Sequence[Unresolved] = [found[path]] if path in found else []
    return Resolved(
        session=session.name,
        conflicts=unresolved.listed(ws, session, rest),
        unresolved=len(found),
        step=session.step,
        commit=session.tip,
        tree=session.tree,
        path=shown,
        path_b64=path_b64(path, shown),
        resolved=made.resolved,
        changes=differences.changes_between(ws.repository, before.tree, session.tree),
        hint=unresolved.hint(session, found) if found else None,
    )
