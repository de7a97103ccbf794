"""The session's chain: one commit for each accepted change, its text normative and versioned.

    slip s1: str_replace a.py, write b.py         the subject, for people
                                                  (blank)
    {"op":"str_replace","path":"a.py",…}          the accepted ops, one JSON object a line
                                                  (blank)
    Slip-Format: 1                                trailers, the step's facts
    Slip-Session: s1
    Slip-Step: 3

The begin commit (step 0) has the base as its parent and the base's tree; the tree of every later
one is the project as staged then. So ``git log -p refs/slip/sessions/s1`` reads as it should,
and a session can be listed, shared and replayed from its ref alone. docs/data-layout.md has the
full table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slipstream_git.codec import encode_op
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import Op, Write
from slipstream_git.records import NamedTuple
from slipstream_git.text.decimals import decimal
from slipstream_git.text.effects import named
from slipstream_git.text.objectid import blob_id
from slipstream_git.workspace import Workspace

FORMAT = "1"
# A larger `content` is told by its blob id, which the step's own tree keeps alive.
LARGEST_INLINE = 4096
LONGEST_SUBJECT = 72


class Facts(NamedTuple):
    """What a step's trailers say. Empty strings and tuples where a trailer is absent."""

    session: str
    step: int
    kind: str
    begin: str = ""
    group: str = ""
    agent: str = ""
    undoes: int = 0
    redoes: int = 0
    landed: str = ""
    onto: str = ""
    makes_onto: bool = False
    title: str = ""
    worktree: str = ""
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    unresolved: int = 0
    branch: str = ""
    adopted: str = ""
    subject: str = ""
    rebased: tuple[str, ...] = ()
    allow_protected: tuple[str, ...] = ()


class Step(NamedTuple):
    """One commit of a chain. ``number`` 0 is the begin commit."""

    commit: str
    parents: tuple[str, ...]
    tree: str
    time: int
    facts: Facts
    message: bytes

    @property
    def number(self) -> int:
        return self.facts.step


def write_step(
    ws: Workspace,
    tree: str,
    parents: tuple[str, ...],
    facts: Facts,
    journal: Sequence[Mapping[str, Any]] = (),
    subject: str = "",
    author: bytes | None = None,
) -> str:
    """Add a step's commit to the overlay; its id.

    journal: what was accepted, one JSON object each. subject: what it was about, for people.
    author: where another made it than the caller.
    """
    signature = ws.signature()
    message = _message(facts, journal, subject)
    return ws.repository.objects.write(
        "commit", commits.encode(tree, parents, author or signature, signature, message)
    )


def write_again(
    ws: Workspace, step: Step, tree: str, parents: tuple[str, ...], facts: Facts
) -> str:
    """A step in another place: its author, subject and journal as they were; the commit's id."""
    was = commits.parse(step.commit, ws.repository.objects.commit(step.commit))
    kept = was.message.rstrip(b"\n").rpartition(b"\n\n")[0]
    trailers = "\n".join(_trailer_lines(facts)).encode("utf-8", "surrogateescape")
    message = kept + b"\n\n" + trailers + b"\n"
    return ws.repository.objects.write(
        "commit", commits.encode(tree, parents, was.author, ws.signature(), message)
    )


def read_step(repository: Repository, oid: str) -> Step:
    """Raises `git-failed` where the commit is no step of a chain that this version reads."""
    commit = commits.parse(oid, repository.objects.commit(oid))
    facts = _facts(oid, commit.message)
    words = commit.committer.rsplit(b" ", 2)
    seconds = (decimal(words[1]) or 0) if len(words) == 3 else 0
    return Step(oid, commit.parents, commit.tree, seconds, facts, commit.message)


def read_ops(step: Step) -> list[dict[str, Any]]:
    """The accepted ops of a step, as the JSON objects that were written."""
    lines = step.message.split(b"\n\n")
    body = lines[1].split(b"\n") if len(lines) > 2 else []
    return [json.loads(line) for line in body if line.startswith(b"{")]


def ops_journal(repository: Repository, tree: str, ops: Sequence[Op]) -> list[dict[str, Any]]:
    """The ops as journal rows; a large `content` that ``tree`` holds is told by its blob id."""
    return [_journal_row(repository, tree, op) for op in ops]


def ops_subject(ops: Sequence[Op]) -> str:
    """The paths of a batch, for the subject line."""
    return ", ".join(dict.fromkeys(named(op) for op in ops))


def _message(facts: Facts, journal: Sequence[Mapping[str, Any]], subject: str) -> bytes:
    paragraphs = [_subject(facts, subject)]
    if journal:
        lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in journal)
        paragraphs.append("\n".join(lines))
    paragraphs.append("\n".join(_trailer_lines(facts)))
    return ("\n\n".join(paragraphs) + "\n").encode("utf-8", "surrogateescape")


def _journal_row(repository: Repository, tree: str, op: Op) -> dict[str, Any]:
    row = encode_op(op)
    if isinstance(op, Write) and len(op.content) > LARGEST_INLINE:
        entry = repository.trees.lookup(tree, op.path)
        if entry is not None and entry.oid == blob_id(op.content):
            row.pop("content", None)
            row.pop("content_b64", None)
            row["content_oid"] = entry.oid
    return row


def _subject(facts: Facts, subject: str) -> str:
    detail = one_line(subject or facts.title)
    text = f"slip {facts.session}: {facts.kind} {detail}".rstrip()
    return text if len(text) <= LONGEST_SUBJECT else text[: LONGEST_SUBJECT - 1] + "…"


def _trailer_lines(facts: Facts) -> Iterable[str]:
    rows: list[tuple[str, object]] = [
        ("Format", FORMAT),
        ("Session", facts.session),
        ("Step", facts.step),
        ("Op", facts.kind),
        ("Begin", facts.begin),
        ("Onto", facts.onto),
        ("Makes-Onto", "yes" if facts.makes_onto else ""),
        ("Group", facts.group),
        ("Agent", facts.agent),
        ("Title", facts.title),
        ("Worktree", facts.worktree),
        ("Undoes", facts.undoes or ""),
        ("Redoes", facts.redoes or ""),
        ("Landed", facts.landed),
        ("Unresolved", facts.unresolved or ""),
        ("Branch", facts.branch),
        ("Adopted", facts.adopted),
        ("Subject", facts.subject),
        *(("Allow", glob) for glob in facts.allow),
        *(("Deny", glob) for glob in facts.deny),
        *(("Allow-Protected", glob) for glob in facts.allow_protected),
        *(("Rebased", begin) for begin in facts.rebased),
    ]
    return [f"Slip-{key}: {one_line(str(value))}" for key, value in rows if value != ""]


def one_line(text: str) -> str:
    """Text that fits a trailer: control characters and line breaks become blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _facts(oid: str, message: bytes) -> Facts:
    found: dict[str, list[str]] = {}
    for key, value in commits.trailers(message):
        found.setdefault(key.removeprefix("Slip-"), []).append(value)
    counted = ("Step", "Undoes", "Redoes", "Unresolved")
    numbers = [found.get(key, ["0"])[0] for key in counted]
    if found.get("Format") != [FORMAT] or "Step" not in found or None in map(decimal, numbers):
        raise SlipError(
            "git-failed", f"{oid} is not a step that this version of slip reads", hint="slip list"
        )

    def first(key: str) -> str:
        return found.get(key, [""])[0]

    return Facts(
        session=first("Session"),
        step=int(first("Step")),
        kind=first("Op"),
        begin=first("Begin"),
        group=first("Group"),
        agent=first("Agent"),
        undoes=int(first("Undoes") or 0),
        redoes=int(first("Redoes") or 0),
        landed=first("Landed"),
        onto=first("Onto"),
        makes_onto=first("Makes-Onto") == "yes",
        title=first("Title"),
        worktree=first("Worktree"),
        allow=tuple(found.get("Allow", ())),
        deny=tuple(found.get("Deny", ())),
        unresolved=int(first("Unresolved") or 0),
        branch=first("Branch"),
        adopted=first("Adopted"),
        subject=first("Subject"),
        rebased=tuple(found.get("Rebased", ())),
        allow_protected=tuple(found.get("Allow-Protected", ())),
    )


def effective(history: Sequence[Step]) -> tuple[list[Step], list[Step]]:
    """The steps in force, in order, and those that redo would bring back, last undone last."""
    by_number = {step.number: step for step in history}
    active: list[Step] = []
    undone: list[Step] = []
    for step in history:
        if step.facts.undoes:
            taken = by_number[step.facts.undoes]
            active = [s for s in active if s is not taken]
            undone.append(taken)
        elif step.facts.redoes:
            back = by_number[step.facts.redoes]
            undone = [s for s in undone if s is not back]
            active = sorted([*active, back], key=lambda s: s.number)
        else:
            active.append(step)
            undone = []
    return active, undone
