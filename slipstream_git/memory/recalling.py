"""`slip recall`: the facts that are near what is asked and what is being worked on, in a budget.

The budget is of the text that is printed, all of it. Where nothing says what is near, nothing is
told but how many facts there are.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.memory import facts, ranking, store, visibility
from slipstream_git.memory.anchors import Looking
from slipstream_git.memory.ranking import Signals
from slipstream_git.memory.visibility import Seen, Stand
from slipstream_git.recollections import FactRow, Recalled
from slipstream_git.text import factrow, paths
from slipstream_git.text.tokens import BYTES_A_TOKEN, tokens_of
from slipstream_git.workspace import Workspace

TOKENS: Final = 1200
# Of one fact at most this part of the budget is told; `slip facts` has all of it.
_SHARE: Final = 4
_FIRST_SHARE: Final = 2
_LEAST_TEXT: Final = 24
# Where what changes together is looked for: so many commits, of so many paths at most.
_COMMITS: Final = 200
_MOST_PATHS: Final = 20
_WIDEST: Final = 30
_OFTEN: Final = 0.2


def recall(
    ws: Workspace, query: str, session: str | None, rev: str | None, *, tokens: int = TOKENS
) -> Recalled:
    """Facts that count here and are near, the nearest first. tokens: 0 for all of them."""
    if tokens < 0:
        raise SlipError("usage", f"--tokens {tokens}: give a positive number, or 0 for no limit")
    place = visibility.stand(ws, session, rev)
    memory = store.load(ws)
    facts.warn(ws, memory)
    seen = visibility.seen(ws, memory.facts, place)
    near = ranking.ranked(facts.rowed(ws, seen, place), signals(ws, query, place, seen))
    return _fitting(near, len(seen.here), place, tokens)


def signals(ws: Workspace, query: str, place: Stand, seen: Seen) -> Signals:
    """What is asked, and what is being worked on."""
    session, view = place.session, place.view
    branch = session.onto if session else ws.repository.head()[0] if view.rev is None else None
    found = Signals(query=query, title=session.title if session else "", branch=branch or "")
    if view.before is None or not seen.here:
        return found
    changed = ws.repository.trees.differences(view.before, view.tree)
    if not changed:
        return found
    touched = frozenset(paths.display(item.path) for item in changed)
    before = Looking(ws, view.before)
    now = Looking(ws, view.tree)
    symbols = frozenset(
        held.fact.about.shown
        for held in seen.here
        if held.fact.about.symbol
        and held.fact.about.path in touched
        and before.stale(held.fact) != now.stale(held.fact)
    )
    together = _together(ws, place, [item.path for item in changed])
    return found._replace(touched=touched, symbols=symbols, together=together)


def _together(ws: Workspace, place: Stand, touched: Sequence[bytes]) -> Mapping[str, float]:
    """Paths that often changed in the same commit as those that are touched now."""
    base = place.session.base if place.session else place.head
    if base is None or len(touched) > _MOST_PATHS:
        return {}
    listed = ws.repository.git.run(
        "--literal-pathspecs", "log", f"-n{_COMMITS}", "--no-merges", "--full-diff",
        "--name-only", "--no-renames", "--format=%x00", "-z", "--no-show-signature",
        "--end-of-options", base, "--", *touched, accept=(0, 128),
    )  # fmt: skip
    counts: Counter[bytes] = Counter()
    commits = 0
    for names in _commits(listed.out):
        if len(names) <= _WIDEST:
            commits += 1
            counts.update(names.difference(touched))
    shares = {path: count / commits for path, count in counts.items() if count > 1}
    return {paths.display(path): share for path, share in shares.items() if share >= _OFTEN}


def _commits(listed: bytes) -> Iterable[set[bytes]]:
    """The paths of each commit; each begins with an empty field."""
    names: set[bytes] = set()
    for field in listed.split(b"\0"):
        name = field.lstrip(b"\n")
        if name:
            names.add(name)
        elif names:
            yield names
            names = set()
    if names:
        yield names


# Within the budget -------------------------------------------------------------------------------


def _fitting(near: Sequence[FactRow], known: int, place: Stand, tokens: int) -> Recalled:
    """As many as fit, the nearest first; one that is too long is cut, another takes its place."""
    room = int(tokens * BYTES_A_TOKEN) if tokens else sys.maxsize
    told = list(near)
    rest = None if near else factrow.rest(0, known)
    if sum(size(factrow.printed(row)) for row in near) > room:
        # What is said at the end of what was left out has to fit, too.
        told = _chosen(near, room, room - size(factrow.rest(len(near), known)))
        left = len(near) - len(told)
        rest = factrow.rest(left, known) if left else None
    spent = sum(size(factrow.printed(row)) for row in told)
    if rest is not None and spent + size(rest) > room:
        rest = None
    spent += size(rest) if rest else 0
    return Recalled(
        told, tokens_of(spent), known, len(near) - len(told), rest,
        place.session.name if place.session else None, place.view.rev,
    )  # fmt: skip


def _chosen(near: Sequence[FactRow], room: int, left: int) -> list[FactRow]:
    told: list[FactRow] = []
    for row in near:
        share = room // (_SHARE if told else _FIRST_SHARE)
        cut = _cut(row, min(share, left))
        if cut is not None:
            told.append(cut)
            left -= size(factrow.printed(cut))
    return told


def size(text: str) -> int:
    """Bytes of a printed line, with its end."""
    return len(text.encode("utf-8", "replace")) + 1


def _cut(row: FactRow, most: int) -> FactRow | None:
    """The row, with as much of its text as ``most`` bytes of a line hold; None for too little."""
    over = size(factrow.printed(row)) - most
    if over <= 0:
        return row
    text = row.text
    while over > 0:
        keep = len(text) - max(1, over // 4 if over > 8 else 1) - 1
        if keep < _LEAST_TEXT:
            return None
        text = text[:keep]
        over = size(factrow.printed(row._replace(text=text + "…"))) - most
    return row._replace(text=text + "…", cut=True)
