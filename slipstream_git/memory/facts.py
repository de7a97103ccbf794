"""Facts: remembered, listed, forgotten, purged.

A fact is one claim, on the commit where it was learned. Whoever makes the same claim again says
when it was last found true; whoever says the contrary is told so, and both stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from slipstream_git import factlines, hints
from slipstream_git.changes import chain
from slipstream_git.errors import SlipError
from slipstream_git.factlines import KINDS, About, Fact, Forgotten, Line
from slipstream_git.memory import anchors, claims, store, visibility
from slipstream_git.memory.store import Change, Held, Memory
from slipstream_git.memory.visibility import Seen, Stand
from slipstream_git.recollections import FactList, FactRow, Let, Remembered
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

# What is longer is a document, and belongs into a file.
LONGEST_TEXT: Final = 8192
LONGEST_TAG: Final = 64
MOST_TAGS: Final = 16
_SHORTEST_ID: Final = 4


class Claim(NamedTuple):
    """What is to be remembered, as it was asked for."""

    text: str
    kind: str = "fact"
    about: str | None = None
    tags: Sequence[str] = ()
    against: Sequence[str] = ()
    agent: str = ""


class Filter(NamedTuple):
    """Which facts are listed. about: a path, what is below it, or PATH#SYMBOL."""

    kinds: Sequence[str] = ()
    about: str | None = None
    tags: Sequence[str] = ()
    stale: bool = False
    everywhere: bool = False


def remember(ws: Workspace, claim: Claim, session: str | None, *, sync: bool = True) -> Remembered:
    """Keep a fact; it is on the disk when this returns (sync).

    Raises `usage`, `encoding`, `too-large`, `secret` for a text that cannot be kept, `missing` or
    `ambiguous` for what it is about, `missing` where there is no commit yet.
    """
    checked(claim)
    asked = visibility.stand(ws, session, None)
    if asked.at is None:
        said = "there is no commit yet that a fact could stand on"
        raise SlipError("missing", said, hint="slip begin")
    decide = _Deciding(ws, claim, asked)
    answer = store.changed(ws, decide, sync=sync)
    if not answer.known:
        ws.record(
            "remember", answer.session or "", agent=decide.agent, fact=answer.id, of=answer.kind,
            about=answer.about or "",
        )  # fmt: skip
    return answer


class _Deciding:
    """What a claim comes to among those that are there, and where its session is by then."""

    def __init__(self, ws: Workspace, claim: Claim, asked: Stand) -> None:
        self._ws = ws
        self._claim = claim
        self._asked = asked
        said = claim.agent or (asked.session.agent if asked.session else "")
        self.agent = chain.one_line(said)

    def _place(self) -> Stand:
        """What the session landed as, where that was done meanwhile. Raises `session-missing`."""
        try:
            return visibility.by_now(self._ws, self._asked)
        except SlipError as fault:
            landed = visibility.landed_meanwhile(self._ws, self._asked)
            if fault.code != "session-missing" or landed is None:
                raise
            return landed

    def _fact(self, tree: str) -> Fact:
        claim, session = self._claim, self._asked.session
        about = anchors.found(self._ws, tree, claim.about) if claim.about else About()
        return Fact(
            id=claims.identity(claim.text, about), kind=claim.kind, text=claim.text.strip(),
            time=self._ws.clock(), about=about, tags=tuple(sorted(set(claim.tags))),
            agent=self.agent, session=session.name if session else "",
            begin=session.begin if session else "",
        )  # fmt: skip

    def __call__(self, memory: Memory) -> tuple[Change | None, Remembered]:
        place = self._place()
        fact, commit = self._fact(place.view.tree), place.at
        assert commit is not None  # noqa: S101  (so it was before)
        if fact.id in memory.purged:
            said = f"{fact.id} was purged, for good; say it in other words"
            raise SlipError("secret", said)
        against = tuple(sorted({the(memory, name).id for name in self._claim.against} - {fact.id}))
        before = [held for held in memory.facts if held.fact.id == fact.id]
        seen = visibility.seen(self._ws, memory.facts, place)
        here = next((held for held in seen.here if held.fact.id == fact.id), None)
        fact = fact._replace(
            against=against or (here.fact.against if here else ()),
            tags=tuple(sorted({*fact.tags, *(here.fact.tags if here else ())})),
            time=max(fact.time, memory.newest(fact.id) + 1) if before or fact.id in memory.gone
            else fact.time,
        )  # fmt: skip
        facts = [held.fact for held in seen.here if held.fact.id != fact.id]
        contested = claims.contested([*facts, fact]).get(fact.id)
        told = Remembered(
            fact.id, commit, fact.about.shown or None, fact.kind, fact.session or None,
            contested=contested,
        )  # fmt: skip
        if here is not None and _says_the_same(here.fact, fact):
            return None, told._replace(commit=here.commit, known=True)
        lines = without(memory.raw.get(commit, b""), lambda line: _is_claim(line, fact.id))
        change = Change({commit: with_line(lines, fact)}, f"remember {fact.id}")
        return change._replace(holding=place.session), told


def _says_the_same(before: Fact, after: Fact) -> bool:
    """Whether nothing would be learned from saying it again: what it is about is as it was."""
    return before == after._replace(
        time=before.time, text=before.text, session=before.session, begin=before.begin,
        agent=before.agent,
    )  # fmt: skip


def _is_claim(line: bytes, identity: str) -> bool:
    found = factlines.decode(line)
    return isinstance(found, Fact) and found.id == identity


def with_line(note: bytes, line: Line) -> bytes:
    """A note with one line more, whether it ended its last one or not."""
    end = b"" if not note or note.endswith(b"\n") else b"\n"
    return note + end + factlines.encode(line) + b"\n"


def without(note: bytes, unwanted: Callable[[bytes], bool]) -> bytes:
    """A note without some of its lines; those of others stay, whatever they are."""
    kept = [line for line in note.split(b"\n") if line and not unwanted(line)]
    return b"".join(line + b"\n" for line in kept)


def checked(claim: Claim) -> None:
    """Raises `usage`, `encoding`, `too-large` or `secret` for what is not kept."""
    if not claim.text.strip():
        raise SlipError("usage", "there is nothing to remember", hint="slip remember --help")
    if claim.kind not in KINDS:
        raise SlipError("usage", f"--kind is one of {', '.join(KINDS)}, not {claim.kind[:40]!r}")
    for text in (claim.text, claim.agent, *claim.tags):
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise SlipError("encoding", "a fact is text, and this is not UTF-8") from None
        _check_secret(data)
    if len(claim.text.encode()) > LONGEST_TEXT:
        raise SlipError(
            "too-large",
            f"the fact has {len(claim.text.encode())} bytes; {LONGEST_TEXT} are kept: what is"
            " longer is a document, and can be a file that a fact is about",
        )
    if len(claim.tags) > MOST_TAGS or any(not 0 < len(tag) <= LONGEST_TAG for tag in claim.tags):
        raise SlipError("usage", f"--tag: at most {MOST_TAGS}, of 1 to {LONGEST_TAG} characters")


def _check_secret(data: bytes) -> None:
    from slipstream_git.text import secrets

    found = secrets.find(data)
    if found:
        rules = ", ".join(sorted({one.rule for one in found}))
        raise SlipError("secret", f"the fact holds a credential ({rules}); nothing was kept")


# Listed ------------------------------------------------------------------------------------------


def listed(
    ws: Workspace, wanted: Filter, session: str | None, rev: str | None, *, markdown: bool = False
) -> FactList:
    """Facts that count here, by kind, what they are about, and id."""
    place = visibility.stand(ws, session, rev)
    memory = store.load(ws)
    warn(ws, memory)
    seen = visibility.seen(ws, memory.facts, place)
    rows = rowed(ws, seen, place, everywhere=wanted.everywhere)
    rows = [row for row in rows if _is_wanted(row, wanted)]
    return FactList(
        sorted(rows, key=_in_list), len(rows), len(seen.elsewhere),
        unread=memory.unread or None, markdown=markdown or None,
        session=place.session.name if place.session else None, rev=place.view.rev,
    )  # fmt: skip


def rowed(ws: Workspace, seen: Seen, place: Stand, *, everywhere: bool = False) -> list[FactRow]:
    """Facts as they are told, in no order. everywhere: with those that do not count here."""
    contested = claims.contested(held.fact for held in seen.here)
    looking = anchors.Looking(ws, place.view.tree)
    rows = [_row(held, looking.stale(held.fact), contested) for held in seen.here]
    if everywhere:
        rows += [_row(held, None, {})._replace(elsewhere=True) for held in seen.elsewhere]
    return rows


def _row(held: Held, stale: str | None, contested: Mapping[str, list[str]]) -> FactRow:
    fact = held.fact
    return FactRow(
        id=fact.id, text=fact.text, kind=fact.kind, about=fact.about.shown or None,
        stale=stale is not None, commit=held.commit, stale_why=stale,
        contested=contested.get(fact.id), tags=list(fact.tags) or None,
        session=fact.session or None, agent=fact.agent or None, time=fact.time,
    )  # fmt: skip


def _is_wanted(row: FactRow, wanted: Filter) -> bool:
    if wanted.kinds and row.kind not in wanted.kinds:
        return False
    if wanted.tags and not set(wanted.tags) & set(row.tags or ()):
        return False
    if wanted.stale and not row.stale:
        return False
    if wanted.about is None:
        return True
    about, place = row.about or "", anchors.plain(wanted.about)
    return about == place or about.startswith((f"{place}/", f"{place}#"))


def _in_list(row: FactRow) -> tuple[int, str, str]:
    return KINDS.index(row.kind), row.about or "", row.id


def warn(ws: Workspace, memory: Memory) -> None:
    """Say what is wrong with the notes, and nobody else would find."""
    for name in sorted(memory.leaking):
        ws.notify(
            f"{name} was purged elsewhere, and its text is in the notes here:"
            f" {hints.of('slip', 'purge', name)}"
        )


# Taken back --------------------------------------------------------------------------------------


def the(memory: Memory, name: str) -> Fact:
    """The fact that an id, or the beginning of one, names. Raises `missing`, `ambiguous`."""
    found = {held.fact.id: held.fact for held in memory.facts if held.fact.id.startswith(name)}
    if name in found:
        return found[name]
    shown = paths.escape_for_terminal(name[:80]).replace("\n", "\\n")
    if not found or len(name) < _SHORTEST_ID:
        raise SlipError("missing", f"no fact is called {shown!r}", hint="slip facts --all")
    if len(found) > 1:
        names = ", ".join(sorted(found)[:5])
        raise SlipError("ambiguous", f"several facts are called {shown}: {names}")
    return next(iter(found.values()))


def forget(ws: Workspace, name: str, *, sync: bool = True) -> Let:
    """Let a fact count no more, everywhere; a line says so from now on, and the text stays."""

    def decide(memory: Memory) -> tuple[Change | None, Let]:
        fact = the(memory, name)
        times = {held.commit: held.fact.time for held in memory.facts if held.fact.id == fact.id}
        commit = min(times, key=lambda oid: (-times[oid], oid))
        line = Forgotten(fact.id, max(ws.clock(), memory.newest(fact.id)))
        note = with_line(memory.raw[commit], line)
        answer = Let(fact.id, purged=False, text=fact.text)
        return Change({commit: note}, f"forget {fact.id}"), answer

    answer = store.changed(ws, decide, sync=sync)
    ws.record("forget", fact=answer.id)
    return answer


def purge(ws: Workspace, name: str, *, sync: bool = True) -> Let:
    """Take a fact's text out of the notes and of their history, for good, as secrets must be.

    The notes begin anew with what else they hold. Raises `missing`, `ambiguous`.
    """

    def decide(memory: Memory) -> tuple[Change | None, Let]:
        identity = _purgeable(memory, name)
        contents: dict[str, bytes] = {}
        lines = 0
        for commit, note in memory.raw.items():
            if not any(_names(line, identity) for line in note.split(b"\n")):
                continue
            kept = without(note, lambda line: _names(line, identity))
            lines += note.count(b"\n") - kept.count(b"\n")
            contents[commit] = kept
        first = min(contents)
        time = max(ws.clock(), memory.newest(identity))
        contents[first] = with_line(contents[first], Forgotten(identity, time, purged=True))
        change = Change(contents, f"purge {identity}", alone=True)
        return change, Let(identity, purged=True, lines=lines)

    answer = store.changed(ws, decide, sync=sync)
    _forget_log(ws)
    ws.record("forget", fact=answer.id, purged=1)
    return answer._replace(advice=_advice(ws, answer.id))


def _purgeable(memory: Memory, name: str) -> str:
    """A fact's id, also of one that is forgotten, or was purged elsewhere."""
    identities = sorted({
        line.id
        for _, line in store.parsed(memory.raw)
        if isinstance(line, Fact) and line.id.startswith(name)
    })  # fmt: skip
    if len(name) >= _SHORTEST_ID and len(identities) == 1:
        return identities[0]
    return name if name in identities else the(memory, name).id


def _names(line: bytes, identity: str) -> bool:
    """Whether a line says the fact, or that it is gone; or digests it, maybe in its words."""
    found = factlines.decode(line)
    if isinstance(found, Fact | Forgotten):
        return found.id == identity
    return found is not None and identity in found.facts


def _forget_log(ws: Workspace) -> None:
    """The ref's log, where git keeps one, would keep what it held from gc."""
    now = ("--expire=all", "--expire-unreachable=all")
    ws.repository.git.run("reflog", "expire", *now, factlines.REF, accept=range(256))


def _advice(ws: Workspace, identity: str) -> list[str]:
    remotes = sorted({
        key.split(".")[1] for key in ws.repository.config.below("remote") if key.count(".") >= 2
    })  # fmt: skip
    found = [str(hints.of("git", "gc", "--prune=now"))]
    found += [str(hints.of("git", "push", "--force", remote, factlines.REF)) for remote in remotes]
    if remotes:
        found.append(str(hints.of("slip", "purge", identity)) + " in every other clone")
    return [*found, "and let the secret be changed: whoever fetched it has it"]
