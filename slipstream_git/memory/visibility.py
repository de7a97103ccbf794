"""Which facts count in what is read: those whose commit is in its history.

So what was learned on a branch that has not been merged misleads nobody on another, and comes along
when it is merged. A session also has what was learned in it, whatever a rebase made of its chain.
A commit that was amended or rebased is another commit; facts on the former one, which no ref
reaches any more, are the new one's where it can be told: the same author and date and subject.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from slipstream_git.changes import sessions
from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb import commits
from slipstream_git.memory.store import Held
from slipstream_git.reading import views
from slipstream_git.reading.views import View, Wish
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace

# How far a history is looked through for what a commit has become.
MOST_COMMITS: Final = 5000


class Stand(NamedTuple):
    """From where facts are looked at. head: the commit whose history counts; None: there is none.

    at: where a fact that is learned now belongs.
    """

    view: View
    head: str | None
    session: Session | None = None

    @property
    def at(self) -> str | None:
        return self.session.tip if self.session else self.head


class Seen(NamedTuple):
    """Facts that count here, one line of each, and those that do not."""

    here: Sequence[Held]
    elsewhere: Sequence[Held]


def stand(ws: Workspace, session: str | None, rev: str | None) -> Stand:
    """From where a reader looks: a session, a revision, or HEAD with the working tree's edits."""
    wish = Wish(session, rev)
    meant = views.session_meant(ws, wish)
    view = views.choose(ws, wish._replace(session=meant.name) if meant else wish)
    if meant is not None:
        return Stand(view, meant.tip, meant)
    return Stand(view, view.commit if rev is not None else ws.repository.head()[1])


def by_now(ws: Workspace, place: Stand) -> Stand:
    """The place as it is by now, of a session that others change meanwhile.

    Raises `session-missing` where that is closed; `landed_meanwhile` has what it landed as.
    """
    was = place.session
    if was is None:
        return place
    tip = ws.repository.store.ref(was.ref)
    session = sessions.at(ws, was.name, tip) if tip else None
    if session is None or not session.is_same(was):
        raise sessions.missing(ws, was.name)
    return Stand(views.of_session(session), session.tip, session)


def landed_meanwhile(ws: Workspace, place: Stand) -> Stand | None:
    """What a session that is closed by now landed as; None where it did not."""
    landed = sessions.landed_as(ws, place.session) if place.session else None
    if landed is None:
        return None
    return Stand(View(commits.tree_of(ws.repository.objects, landed), landed, rev=landed), landed)


def seen(ws: Workspace, held: Iterable[Held], place: Stand) -> Seen:
    """Facts by whether they count at a place; of several lines of one claim the newest."""
    everything = sorted(held, key=_order, reverse=True)
    own = {one.commit for one in everything if _is_own(place.session, one)}
    others = {one.commit for one in everything} - own
    there = own | in_history(ws, others, place.head)
    here: dict[str, Held] = {}
    for one in everything:
        if one.commit in there and (one.commit not in own or _is_own(place.session, one)):
            here.setdefault(one.fact.id, one)
    elsewhere: dict[str, Held] = {}
    for one in everything:
        if one.fact.id not in here:
            elsewhere.setdefault(one.fact.id, one)
    return Seen(list(here.values()), list(elsewhere.values()))


def in_history(ws: Workspace, oids: Collection[str], head: str | None) -> set[str]:
    """Those commits that are in the history of ``head``, or have become one that is."""
    if head is None or not oids:
        return set()
    known = _there(ws, oids)
    found = known - _outside(ws, known, head)
    left = known - found
    return found | (_rewritten(ws, left, head) if left else set())


def _order(one: Held) -> tuple[int, str, str, str, str]:
    """The same for whoever has the same notes."""
    fact = one.fact
    return fact.time, fact.text, fact.kind, str(fact), one.commit


def _is_own(session: Session | None, one: Held) -> bool:
    return session is not None and bool(one.fact.begin) and session.began(one.fact.begin)


def _there(ws: Workspace, oids: Iterable[str]) -> set[str]:
    """Those that are commits that the repository has: a clone may have facts on others."""
    asked = "".join(f"{oid}\n" for oid in sorted(oids)).encode()
    out = ws.repository.git.run("cat-file", "--batch-check", stdin=asked).out.decode()
    rows = (line.split() for line in out.splitlines())
    return {row[0] for row in rows if len(row) == 3 and row[1] == "commit"}


def _outside(ws: Workspace, oids: Collection[str], head: str) -> set[str]:
    """Those that are not in the history of ``head``; what both have is not walked."""
    asked = "".join(f"{oid}\n" for oid in sorted(oids)) + f"^{head}\n"
    done = ws.repository.git.run("rev-list", "--stdin", stdin=asked.encode())
    return set(oids).intersection(done.out.decode().split())


def _rewritten(ws: Workspace, oids: Collection[str], head: str) -> set[str]:
    """Those that no branch, tag or session reaches, and that ``head`` has in another form."""
    asked = "".join(f"{oid}\n" for oid in sorted(oids)).encode()
    done = ws.repository.git.run(
        "rev-list", "--stdin", "--not", "--branches", "--tags", "--remotes",
        f"--glob={sessions.OPEN}*", f"--glob={sessions.CLOSED}*", stdin=asked,
    )  # fmt: skip
    orphans = set(oids).intersection(done.out.decode().split())
    if not orphans:
        return set()
    listed = ws.repository.git.run(
        "log", f"-n{MOST_COMMITS}", "--no-show-signature", "--format=%an <%ae> %ad%x00%s",
        "--date=raw", "--end-of-options", head, "--",
    ).out.split(b"\n")  # fmt: skip
    subjects: dict[bytes, set[bytes]] = {}
    for line in listed:
        who, _, subject = line.partition(b"\0")
        subjects.setdefault(who, set()).add(subject)
    found = set()
    for oid in orphans:
        was = commits.parse(oid, ws.repository.objects.commit(oid))
        if was.subject.encode("utf-8", "surrogateescape") in subjects.get(was.author, ()):
            found.add(oid)
    return found
