"""From a line to where it came from: a commit, and the session, step and op that made it.

git says which commit a line is from; the note on that commit, which session landed as it; and in
the session's chain, as long as that is kept, git says once more which step a line is from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from slipstream_git.changes import chain, provenance, sessions
from slipstream_git.changes.chain import Step
from slipstream_git.changes.sessions import Session
from slipstream_git.codec import json_bytes
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.records import NamedTuple
from slipstream_git.results import Why, path_b64
from slipstream_git.text import paths
from slipstream_git.text.decimals import decimal
from slipstream_git.text.patchnames import unquote
from slipstream_git.workspace import Workspace

# Fields of an op that hold what it puts into a file.
TEXTS = ("new", "text", "content", "replacement", "diff")


class _Line(NamedTuple):
    """A line, and the commit that it is from: its path and number there.

    commit: None for what no commit has.
    """

    text: bytes
    commit: str | None
    path: bytes
    number: int
    header: Mapping[str, str]


def why(ws: Workspace, session: Session | None, revision: str | None, place: str) -> Why:
    """Where a line of the working tree, a session or a revision is from.

    place: ``PATH:LINE``. Raises `usage`, `missing`, `out-of-range`.
    """
    path, number = _placed(place)
    if session is not None:
        at: str | None = session.tip
    elif revision is not None or ws.repository.layout.root is None:
        at = ws.repository.resolve(revision or "HEAD")
    else:
        at = None
    _check_there(ws, at, path)
    line = _blamed(ws, at, path, number)
    shown = paths.display(path)
    told = Why(
        path=shown,
        line=number,
        text=line.text.decode("utf-8", "replace"),
        path_b64=path_b64(path, shown),
    )
    if line.commit is None:
        return told
    step = None if session is None else _step(ws, session, line.commit)
    if session is not None and step is not None:
        return _of_step(ws, told, session, step, line)
    told = told._replace(
        commit=line.commit,
        author=f"{line.header.get('author')} {line.header.get('author-mail')}",
        time=decimal(line.header.get("author-time", "")),
        subject=line.header.get("summary"),
    )
    note = provenance.newest(ws, line.commit)
    return told if note is None else _of_landed(ws, told, note, line)


def _placed(place: str) -> tuple[bytes, int]:
    path, _, digits = place.rpartition(":")
    number = decimal(digits)
    if not path or number is None:
        raise SlipError("usage", f"{place}: say which line, as in PATH:LINE")
    if number < 1:
        raise SlipError("out-of-range", f"{place}: lines run from 1")
    return paths.check_existing(paths.from_text(path)), number


def _check_there(ws: Workspace, at: str | None, path: bytes) -> None:
    """Raises `missing`; and `unsupported` for what has no lines."""
    if at is None:
        root = os.fsencode(ws.repository.layout.root or "")
        is_there = os.path.isfile(os.path.join(root, path))
    else:
        tree = commits.tree_of(ws.repository.objects, at)
        is_there = ws.repository.trees.leaf(tree, path) is not None
    if not is_there:
        raise SlipError("missing", f"there is no file {paths.display(path)}")


def _blamed(ws: Workspace, at: str | None, path: bytes, number: int, *options: str) -> _Line:
    """What git says of a line. at: a commit; None for the file of the working tree."""
    asked = ("blame", "--porcelain", f"-L{number},{number}", *options, *([at] if at else []))
    done = ws.repository.git.run(*asked, "--", path, accept=(0, 128))
    if done.status:
        code = "out-of-range" if b"has only" in done.err else "git-failed"
        raise SlipError(code, f"{paths.display(path)}:{number}: {done.said}")
    first, *rows = done.out.split(b"\n")
    header = dict(_field(row) for row in rows if row and not row.startswith(b"\t"))
    text = next((row[1:] for row in rows if row.startswith(b"\t")), b"")
    oid, there = first.split()[:2]
    name = os.fsencode(header.get("filename", ""))
    name = unquote(name, 0, name)[0] if name.startswith(b'"') else name
    is_committed = oid.strip(b"0") != b""
    return _Line(text, oid.decode() if is_committed else None, name or path, int(there), header)


def _field(row: bytes) -> tuple[str, str]:
    name, _, value = row.partition(b" ")
    return name.decode(), os.fsdecode(value)


# Sessions ----------------------------------------------------------------------------------------


def _of_landed(ws: Workspace, told: Why, note: Mapping[str, Any], line: _Line) -> Why:
    told = told._replace(
        session=note["session"],
        agent=provenance.text(note, "agent"),
        title=provenance.text(note, "title"),
        group=provenance.text(note, "group"),
    )
    tip = provenance.text(note, "tip") or ""
    try:
        session = sessions.at(ws, note["session"], tip)
        made = _blamed_in_chain(ws, session, line)
        step = None if made is None else _step(ws, session, made.commit or "")
    except SlipError:
        return told._replace(chain_gone=True)
    told = told._replace(kept_as=_kept_as(ws, session))
    return told if step is None or made is None else _of_step(ws, told, session, step, made)


def _blamed_in_chain(ws: Workspace, session: Session, line: _Line) -> _Line | None:
    """The same line in the chain, the nearest one of that text; None where it has none.

    What landed beside it, or was converted at the landing, is not in the chain.
    """
    entry = ws.repository.trees.leaf(session.tree, line.path)
    if entry is None:
        return None
    rows = ws.repository.objects.blob(entry.oid).split(b"\n")
    alike = [number for number, text in enumerate(rows, 1) if text == line.text]
    if not alike:
        return None
    number = min(alike, key=lambda found: (abs(found - line.number), found))
    # What else went into a capture is no step.
    return _blamed(ws, session.tip, line.path, number, "--first-parent")


def _step(ws: Workspace, session: Session, commit: str) -> Step | None:
    return next((s for s in sessions.steps(ws, session) if s.commit == commit), None)


def _of_step(ws: Workspace, told: Why, session: Session, step: Step, line: _Line) -> Why:
    index, op = _op(step, line)
    was = _made_anew(ws, session, step, line)
    if was is not None:
        index, op = _op(*was)
        told = told._replace(was_step=was[0].number, was_commit=was[0].commit)
    agents = (step.facts.agent, was[0].facts.agent if was else "", told.agent, session.agent)
    return told._replace(
        session=session.name,
        title=told.title or session.title or None,
        agent=next(filter(None, agents), None),
        group=step.facts.group or told.group,
        step=step.number,
        step_commit=step.commit,
        kind=step.facts.kind,
        op=op,
        op_index=index,
    )


def _made_anew(
    ws: Workspace, session: Session, step: Step, line: _Line
) -> tuple[Step, _Line] | None:
    """The step that a line is from in the chain of which a split or a rebase made this step.

    None where it did not, or where that chain has no such line, or is gone.
    """
    found = None
    while step.facts.kind in ("split", "rebase"):
        # The first step that was made so keeps the chain as it was.
        made = [s for s in sessions.steps(ws, session) if s.facts.kind == step.facts.kind]
        kept = [s.parents[1] for s in made if s.number <= step.number and len(s.parents) > 1]
        try:
            session = sessions.at(ws, session.name, kept[-1])
            older = _blamed_in_chain(ws, session, line)
            before = None if older is None else _step(ws, session, older.commit or "")
        except (SlipError, IndexError):
            return found
        if older is None or before is None:
            return found
        found = before, older
        step, line = found
    return found


def _op(step: Step, line: _Line) -> tuple[int | None, dict[str, Any] | None]:
    """The op of a step that made a line: that with its text, or the last one of its path."""
    rows = list(enumerate(chain.read_ops(step)))
    ours = [(n, row) for n, row in rows if _is_about(row, line.path)]
    with_text = [(n, row) for n, row in ours if any(line.text in t for t in _texts(row))]
    found = with_text[-1:] or ours[-1:]
    return found[0] if found else (None, None)


def _is_about(row: Mapping[str, Any], path: bytes) -> bool:
    """Whether an op may have written to a path; of those that name no path it may."""
    named = [json_bytes(row, key) for key in ("path", "to") if key in row or f"{key}_b64" in row]
    return path in named if named else True


def _texts(row: Mapping[str, Any]) -> list[bytes]:
    keys = [key for key in TEXTS if key in row or f"{key}_b64" in row]
    return [json_bytes(row, key) for key in keys]


def _kept_as(ws: Workspace, session: Session) -> str | None:
    """What `slip reopen` calls a closed chain that ends in this one."""
    for number, tip in sorted(sessions.closed_numbers(ws, session.name).items(), reverse=True):
        if session.tip in (tip, *chain.read_step(ws.repository, tip).parents):
            return f"{session.name}@{number}"
    return None
