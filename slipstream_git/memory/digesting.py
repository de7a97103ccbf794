"""Where things stand, in a few lines: written down before a context is lost, and read back after.

Every line is of something that is recorded: sessions and what is left to decide in them, decisions
and todos that somebody remembered as such, paths that differ between trees, verdicts of gates.
Nothing is guessed from prose, and nothing is taken from the last digest: so decisions are not lost,
nor told twice, however often this is done.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from slipstream_git import factlines
from slipstream_git.changes import sessions
from slipstream_git.changes.gating import verdictnotes
from slipstream_git.changes.sessions import Session
from slipstream_git.errors import SlipError
from slipstream_git.factlines import Digest
from slipstream_git.gitdb import commits
from slipstream_git.memory import facts, store, visibility
from slipstream_git.memory.store import Change, Memory
from slipstream_git.memory.visibility import Stand
from slipstream_git.recollections import Digested, FactRow
from slipstream_git.records import NamedTuple
from slipstream_git.results import status_letter
from slipstream_git.text import factrow, paths, secrets
from slipstream_git.text.tokens import BYTES_A_TOKEN, tokens_of
from slipstream_git.workspace import Workspace

TOKENS: Final = 1000
LEAST_TOKENS: Final = 60
RESUME_TOKENS: Final = 1300
OPEN, DECIDED, NEXT, CHECKED, TOUCHED = "open", "decided", "next", "checked", "touched"
# In the order in which they get room, and how much of it each may take at most.
_SHARES: Final = {OPEN: 0.2, CHECKED: 0.1, DECIDED: 0.5, NEXT: 0.3, TOUCHED: 1.0}
_SHOWN: Final = (OPEN, DECIDED, NEXT, CHECKED, TOUCHED)
_LONGEST_LINE: Final = 320
_LOOKED_BACK: Final = 20
# What nobody has resumed for so long is not resumed any more.
_KEPT_S: Final = 30 * 86_400


class Row(NamedTuple):
    """One line. id: of the fact that it tells, by which it is told where there is no room."""

    text: str
    id: str = ""


def digest(
    ws: Workspace, session: str | None, *, tokens: int = TOKENS, sync: bool = True
) -> Digested:
    """Say where things stand, and keep it where `resume` finds it. Raises `usage`, and
    `session-missing` where the session is closed meanwhile.
    """
    _check(tokens)
    asked = visibility.stand(ws, session, None)
    if asked.at is None:
        said = "there is no commit yet that a digest could stand on"
        raise SlipError("missing", said, hint="slip begin")

    def decide(memory: Memory) -> tuple[Change, Digested]:
        place = visibility.by_now(ws, asked)
        at = place.at
        assert at is not None  # noqa: S101  (so it was before)
        rows = _rows(ws, place, memory)
        sections = _within(rows, tokens)
        ids = tuple(sorted(row.id for lines in rows.values() for row in lines if row.id))
        line = Digest(_key(ws, place), _time(ws, memory, place), at, ids, sections)
        contents = _without_old(ws, memory, line.key)
        contents[at] = facts.with_line(contents.get(at, memory.raw.get(at, b"")), line)
        answer = _told(place, sections)._replace(commit=at, kept=True)
        return Change(contents, "digest", holding=place.session), answer

    answer = store.changed(ws, decide, sync=sync)
    who = asked.session
    ws.record(
        "digest", who.name if who else "", agent=who.agent if who else "", tip=answer.commit,
        tokens=answer.tokens,
    )  # fmt: skip
    return answer


def resume(ws: Workspace, session: str | None, *, tokens: int = RESUME_TOKENS) -> Digested:
    """The digest that was kept last, and what is otherwise since; as it is now where none was."""
    _check(tokens)
    place = visibility.stand(ws, session, None)
    memory = store.load(ws)
    facts.warn(ws, memory)
    kept = _kept(ws, place, memory)
    if kept is None:
        return _told(place, _within(_rows(ws, place, memory), tokens))
    stored = {title: list(kept.sections.get(title, ())) for title in _SHOWN}
    room = int(tokens * BYTES_A_TOKEN) if tokens else None
    answer = _told(place, _cut_to(stored, kept.time, room))
    answer = answer._replace(written=kept.time, commit=kept.tip)
    news = list(_differences(kept, _rows(ws, place, memory)))
    since = [row.text for row in news]
    if room is not None:
        left = room - _size(factrow.digested(answer._replace(since=[])))
        since = _fitting(news, left, "more has changed: slip digest")
    answer = answer._replace(since=since)
    return answer._replace(tokens=tokens_of(_size(factrow.digested(answer))))


def _check(tokens: int) -> None:
    if tokens < 0 or 0 < tokens < LEAST_TOKENS:
        said = f"--tokens {tokens}: give at least {LEAST_TOKENS}, or 0 for no limit"
        raise SlipError("usage", said)


def _told(place: Stand, sections: Mapping[str, Sequence[str]]) -> Digested:
    told = {title: list(lines) for title, lines in sections.items() if lines}
    name = place.session.name if place.session else None
    answer = Digested(told, 0, name)
    return answer._replace(tokens=tokens_of(_size(factrow.digested(answer))))


# Kept --------------------------------------------------------------------------------------------


def _key(ws: Workspace, place: Stand) -> str:
    if place.session is not None:
        return f"session {place.session.begin}"
    branch, commit = ws.repository.head()
    return f"head {paths.display(os.fsencode(branch)) if branch else commit}"


def _keys(ws: Workspace, place: Stand) -> list[str]:
    """The keys of what was kept for this place, also from before a rebase."""
    if place.session is None:
        return [_key(ws, place)]
    return [f"session {begin}" for begin in (place.session.begin, *place.session.rebased)]


def _kept(ws: Workspace, place: Stand, memory: Memory) -> Digest | None:
    found = [memory.digests[key][0] for key in _keys(ws, place) if key in memory.digests]
    newest = max(found, key=lambda one: one.time, default=None)
    if newest is None:
        return None
    # Whoever can write notes may have written it.
    cleaned = {
        title: tuple(row.text for row in _clean([Row(line) for line in newest.sections[title]]))
        for title in _SHOWN
        if title in newest.sections
    }
    return newest._replace(sections=cleaned)


def _time(ws: Workspace, memory: Memory, place: Stand) -> int:
    before = _kept(ws, place, memory)
    return max(ws.clock(), before.time + 1 if before else 0)


def _without_old(ws: Workspace, memory: Memory, key: str) -> dict[str, bytes]:
    """The notes without what a new digest of this key takes the place of, and what is old."""
    limit = ws.clock() - _KEPT_S

    def is_old(line: bytes) -> bool:
        found = factlines.decode(line) if line.startswith(b'{"digest"') else None
        return isinstance(found, Digest) and (found.key == key or found.time < limit)

    contents = {commit: facts.without(note, is_old) for commit, note in memory.raw.items()}
    return {commit: note for commit, note in contents.items() if note != memory.raw[commit]}


# As it is now ------------------------------------------------------------------------------------


def _rows(ws: Workspace, place: Stand, memory: Memory) -> dict[str, list[Row]]:
    """The lines of each section, all of them."""
    seen = visibility.seen(ws, memory.facts, place)
    rows = facts.rowed(ws, seen, place)
    rows.sort(key=lambda row: (-(row.time or 0), row.id))
    decisions = [row for row in rows if row.kind == "decision"]
    todos = [row for row in rows if row.kind == "todo"]
    found = {
        OPEN: [Row(line) for line in _open(ws, place)],
        DECIDED: [_row(row) for row in decisions],
        NEXT: [_row(row) for row in todos],
        CHECKED: [Row(line) for line in _checked(ws, place)],
        TOUCHED: [Row(line) for line in _touched(ws, place)],
    }
    return {title: _clean(found[title]) for title in _SHOWN}


def _row(row: FactRow) -> Row:
    return Row(factrow.printed(row), row.id)


def _clean(rows: Sequence[Row]) -> list[Row]:
    """Lines in which nothing moves a cursor and no credential stands, not too long."""
    found = []
    for row in rows:
        data = factrow.one_line(row.text).encode("utf-8", "replace")
        text = secrets.redacted(data).decode("utf-8", "replace")
        if len(text.encode()) > _LONGEST_LINE:
            text = text.encode()[: _LONGEST_LINE - 3].decode("utf-8", "ignore") + "…"
        found.append(Row(text, row.id))
    return found


def _open(ws: Workspace, place: Stand) -> Iterator[str]:
    everyone = sessions.every(ws)
    mine = place.session
    if mine is not None:
        from slipstream_git.changes import obstacles, unresolved

        yield _session_line(ws, mine)
        for path in sorted(unresolved.of(ws, mine)):
            yield f"{mine.name}: {paths.display(path)} is to be decided (slip resolve)"
        fault = obstacles.obstacle(ws, mine)
        if fault is not None:
            yield f"{mine.name}: landing now would be refused: {fault.code}: {fault.message}"
    for session in everyone:
        if mine is None or session.name != mine.name:
            yield _session_line(ws, session)


def _session_line(ws: Workspace, session: Session) -> str:
    branch = (session.onto or "no branch").removeprefix(sessions.BRANCHES)
    changed = len(ws.repository.trees.differences(session.base_tree, session.tree))
    title = f": {session.title}" if session.title else ""
    left = f", {session.unresolved} to be decided" if session.unresolved else ""
    return f"{session.name} on {branch}, step {session.step}, paths changed: {changed}{left}{title}"


def _checked(ws: Workspace, place: Stand) -> Iterator[str]:
    """What gates said of the tree, or of the newest one before it that they have seen."""
    with suppress(SlipError):
        for number, tree in _trees(ws, place):
            newest: dict[str, verdictnotes.Verdict] = {}
            for verdict in verdictnotes.every(ws, tree):
                before = newest.get(verdict.gate)
                if before is None or (verdict.time, verdict.status) > (before.time, before.status):
                    newest[verdict.gate] = verdict
            if newest:
                where = "" if number is None else f" at step {number}, and not since"
                yield from (f"{name} {newest[name].status}{where}" for name in sorted(newest))
                return


def _trees(ws: Workspace, place: Stand) -> Iterator[tuple[int | None, str]]:
    """The tree as it is, then those of earlier steps with their numbers, the newest first."""
    if place.session is None:
        if place.head is not None:
            yield None, commits.tree_of(ws.repository.objects, place.head)
        return
    yield None, place.session.tree
    for step in reversed(sessions.steps(ws, place.session)[-_LOOKED_BACK:]):
        if step.tree != place.session.tree:
            yield step.number, step.tree


def _touched(ws: Workspace, place: Stand) -> Iterator[str]:
    if place.view.before is not None:
        for path, old, new in ws.repository.trees.differences(place.view.before, place.view.tree):
            yield f"{status_letter(old, new)} {paths.display(path)}"


# Within the budget -------------------------------------------------------------------------------


def _within(found: Mapping[str, Sequence[Row]], tokens: int) -> dict[str, tuple[str, ...]]:
    """As many lines of each section as fit, each behind its title."""
    if not tokens:
        return {title: tuple(row.text for row in rows) for title, rows in found.items()}
    room = int(tokens * BYTES_A_TOKEN)
    left = room
    chosen: dict[str, tuple[str, ...]] = {}
    for title, share in _SHARES.items():
        head = _size([f"{title}:"])
        own = min(left, int(room * share)) - head
        lines = _fitting(_indented(found[title]), own, _rest(title))
        chosen[title] = tuple(line.removeprefix(factrow.INDENT) for line in lines)
        left -= _size(lines) + head if lines else 0
    return {title: chosen[title] for title in _SHOWN}


def _indented(rows: Sequence[Row]) -> list[Row]:
    return [Row(factrow.INDENT + row.text, row.id) for row in rows]


def _rest(title: str) -> str:
    """What is said of those that there is no room for."""
    commands = {
        OPEN: "slip list", DECIDED: "slip facts --kind decision", NEXT: "slip facts --kind todo",
        CHECKED: "slip check", TOUCHED: "slip diff --stat",
    }  # fmt: skip
    return f"more: {commands[title]}"


def _fitting(rows: Sequence[Row], room: int, more: str) -> list[str]:
    """The lines that fit; facts that do not are told by their ids, the others are counted."""
    if _size([row.text for row in rows]) <= room:
        return [row.text for row in rows]
    counted = f"{factrow.INDENT}+{len(rows)} {more}"
    names = [row.id[: factrow.SHORT] for row in rows if row.id]
    # Room for all ids comes before room for the first texts.
    reserved = _size([counted]) + (len(" ".join(names)) + len(factrow.INDENT) + 1 if names else 0)
    if reserved > room:
        reserved = _size([counted])
    told: list[str] = []
    while len(told) < len(rows) and _size([*told, rows[len(told)].text]) + reserved <= room:
        told.append(rows[len(told)].text)
    left, ids = len(rows) - len(told), ""
    for row in rows[len(told) :]:
        longer = f"{ids or ' '} {row.id[: factrow.SHORT]}"
        if not row.id or _size([*told, longer, counted]) > room:
            break
        ids, left = longer, left - 1
    told += [ids] if ids else []
    if left and _size([*told, f"{factrow.INDENT}+{left} {more}"]) <= room:
        told.append(f"{factrow.INDENT}+{left} {more}")
    return told if _size(told) <= room else []


def _cut_to(
    sections: Mapping[str, list[str]], written: int, room: int | None
) -> dict[str, list[str]]:
    """What was kept, as much of it as there is room for."""
    if room is None:
        return dict(sections)
    found: dict[str, list[str]] = {}
    for title in _SHOWN:
        for line in sections.get(title, ()):
            longer = {**found, title: [*found.get(title, []), line]}
            # With the time at which it was written, and a line for what is new.
            if _size(factrow.digested(Digested(longer, 0, written=written, since=[]))) > room:
                return found
            found = longer
    return found


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode("utf-8", "replace")) + 1 for line in lines)


def _differences(kept: Digest, now: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Lines that are new, and those that do not hold any more, by section.

    Of a section that had no room for all of its lines only facts are known to be new.
    """
    standing = {row.id for rows in now.values() for row in rows if row.id}
    for title in _SHOWN:
        was = kept.sections.get(title, ())
        had_no_room = any(line.startswith("+") for line in was)
        for row in now[title]:
            is_known = row.id in kept.facts if row.id else had_no_room
            if row.text not in was and not is_known:
                yield Row(f"now {title}: {row.text}", row.id)
        if title in (DECIDED, NEXT):
            yield from _gone(kept, title, standing)
            continue
        texts = {row.text for row in now[title]}
        for line in was:
            if line not in texts and not line.startswith("+"):
                yield Row(f"no more {title}: {line}")


def _gone(kept: Digest, title: str, standing: Collection[str]) -> Iterator[Row]:
    """Facts of a section that were told, in words or by their ids, and stand no more."""
    every = {name[: factrow.SHORT] for name in kept.facts}
    over = {name[: factrow.SHORT] for name in kept.facts if name not in standing}
    for line in kept.sections.get(title, ()):
        names = line.split()
        if every.issuperset(names):
            yield from (Row(f"no more {title}: {name}") for name in names if name in over)
        elif names[0] in over:
            yield Row(f"no more {title}: {line}")
