"""Sessions and notes between this repository and another, through any git server.

They stand there under the names that they have here. What another machine has is kept below
`refs/slip/remotes/`, so that it is known what has changed on which side since: a session that went
on here goes there, one that went on there comes here, and one that went on in both places stays as
it is on both sides. Notes are merged, line by line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slipstream_git import hints
from slipstream_git.changes import bounds, closing, freenames, sessions
from slipstream_git.changes.sessions import OPEN
from slipstream_git.codec import to_json
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import incoming, notemerge, remotes
from slipstream_git.gitdb.incoming import Incoming
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.remotes import FETCHED, Remote
from slipstream_git.outcomes import Exchanged, Unshared
from slipstream_git.sharing import checking
from slipstream_git.sharing.following import holds
from slipstream_git.sharing.pacing import Pace
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

NOTES = tuple(f"refs/notes/slip/{name}" for name in ("gates", "landed", "memory", "resolutions"))
LARGEST = 512 << 20
TRIES = 32


def push(ws: Workspace, name: str | None, names: Sequence[str]) -> Exchanged:
    """Bring open sessions and notes there, all of it in one transaction of that repository.

    names: of sessions; every open one where there is none. Raises `ref-moved` where any has gone on
    there, too, once all else is there.
    """
    remote = reached(ws, name)
    pace = Pace(ws, remote.key, remote.shown)
    wanted = _named(ws, names)
    came: list[str] = []
    while True:
        there = pace.patient(lambda: remote.listed(f"{OPEN}*", *NOTES))
        told = Exchanged("to", remote.shown, [], [], [], [])
        if not _notes_come(ws, remote, there, came):
            pace.lost(remote.shown)
            continue
        moves = _going(ws, remote, wanted, there, told, everyone=not names)
        refusal = remote.push({ref: (there.get(ref), new) for ref, new in moves.items()})
        if refusal is None:
            # Those that stand there already may have gone by a slip that was killed before this.
            same = {ref: oid for ref, oid in there.items() if ws.repository.store.ref(ref) == oid}
            _keep(ws, remote, same | moves)
            return _answer(told._replace(came=list(dict.fromkeys(came)) or None))
        if not refusal.final:
            pace.failed()
        now = pace.patient(lambda: remote.listed(f"{OPEN}*", *NOTES))
        if any(now.get(ref) != there.get(ref) for ref in moves):
            pace.lost(remote.shown)
        elif refusal.final or not pace.again():
            remarks = f" ({refusal.remarks})" if refusal.remarks else ""
            said = f"{remote.shown} did not take the push: {refusal.said}{remarks}"
            raise SlipError("git-failed", said, hint=hints.of("slip", "push", remote.shown))


def _notes_come(ws: Workspace, remote: Remote, there: Mapping[str, str], came: list[str]) -> bool:
    """Merge the notes that stand there into those here; False where they moved meanwhile."""
    aside = Exchanged("from", remote.shown, [], [], [], [])
    try:
        _come(ws, remote, {ref: oid for ref, oid in there.items() if ref in NOTES}, aside, None)
    except SlipError as fault:
        if fault.code != "ref-moved":
            raise
        return False
    came.extend(aside.notes)
    return True


def pull(ws: Workspace, name: str | None, names: Sequence[str], called: str | None) -> Exchanged:
    """Bring sessions and notes from there, each session checked before it is one here.

    names: of sessions; all that are there where there is none. called: what to call a single one
    here. Raises the first refusal once all that could come is here.
    """
    if called is not None and len(names) != 1:
        raise SlipError("usage", "--name is for one session that is named")
    if called is not None:
        paths.session_name(called)
    remote = reached(ws, name)
    pace = Pace(ws, remote.key, remote.shown)
    locked = pace.patient(remote.followed)  # so that the bases are here
    if locked:
        ws.notify(locked)
    for _ in range(TRIES):
        there = pace.patient(lambda: remote.listed(f"{OPEN}*", *NOTES))
        told = Exchanged("from", remote.shown, [], [], [], [])
        for wanted in names:
            paths.session_name(wanted)
            if OPEN + wanted not in there:
                said = f"{remote.shown} has no session named {wanted}"
                raise SlipError(
                    "session-missing", said, hint=hints.of("slip", "pull", remote.shown)
                )
        left_out = {OPEN + n for n in names} if names else set(there)
        chosen = {ref: oid for ref, oid in there.items() if ref in left_out or ref in NOTES}
        try:
            _come(ws, remote, chosen, told, called)
        except SlipError as fault:
            if fault.code != "ref-moved":
                raise
        else:
            return _answer(told)
    raise sessions.kept_moving(remote.shown, TRIES)


def reached(ws: Workspace, name: str | None) -> Remote:
    """The remote that is named; else the current branch's, the only one, or `origin`."""
    config = ws.repository.config
    if name is None:
        branch, _ = ws.repository.head()
        short = (branch or "").removeprefix(sessions.BRANCHES)
        known = {key.split(".")[1] for key in config.below("remote") if key.count(".") == 2}
        name = config.get(f"branch.{short}.remote") or (known.pop() if len(known) == 1 else None)
    telling = ws.progress if ws.at_terminal else None
    return remotes.named(ws.repository, name or "origin", asking=ws.at_terminal, telling=telling)


def _named(ws: Workspace, names: Sequence[str]) -> list[str]:
    return [sessions.load(ws, name).name for name in dict.fromkeys(names)] or [
        session.name for session in sessions.every(ws)
    ]


def _answer(told: Exchanged) -> Exchanged:
    """The answer. Raises its first refusal, with the whole answer as data."""
    if not told.refused:
        return told
    said = "; ".join(row.message for row in told.refused)
    first, done = told.refused[0], "pushed" if told.way == "to" else "pulled"
    raise SlipError(
        first.code, f"{said}; {done}: {', '.join(told.sessions) or 'none'}", hint=first.hint,
        data=to_json(told),
    )  # fmt: skip


# Going -------------------------------------------------------------------------------------------


def _going(
    ws: Workspace,
    remote: Remote,
    names: Sequence[str],
    there: Mapping[str, str],
    told: Exchanged,
    *,
    everyone: bool,
) -> dict[str, str | None]:
    """What each ref is to hold there that is to move; told in ``told``."""
    moves: dict[str, str | None] = {}
    for name in names:
        ref, now = OPEN + name, there.get(OPEN + name)
        tip = ws.repository.store.ref(ref)
        if tip is None or now == tip:
            continue
        if now is None or _went_on(ws, name, now, tip):
            moves[ref] = tip
            told.sessions.append(name)
        elif ws.repository.objects.find(now) is None or not holds(ws.repository, now, tip):
            told.refused.append(_diverged(remote, name))
    for ref, now in there.items() if everyone else ():
        name = ref.removeprefix(OPEN)
        if (
            ref.startswith(OPEN)
            and ws.repository.store.ref(ref) is None
            and _kept_here(ws, remote, name, now)
        ):
            moves[ref] = None
            told.closed.append(name)
    for ref in NOTES:
        tip = ws.repository.store.ref(ref)
        if tip is not None and there.get(ref) != tip:
            moves[ref] = tip
            told.notes.append(ref)
    return moves


def _went_on(ws: Workspace, name: str, before: str, tip: str) -> bool:
    """Whether a session went on from an older state of it: by steps, or by a rebase."""
    if ws.repository.objects.find(before) is None:
        return False
    if holds(ws.repository, tip, before):
        return True
    session = sessions.at(ws, name, tip)
    return any(was.tip == before for was in sessions.before_rebases(ws, session))


def _kept_here(ws: Workspace, remote: Remote, name: str, there: str) -> bool:
    """Whether a session that stands there is one that was shared, and has been closed here."""
    if ws.repository.store.ref(_tracking(remote, name)) != there:
        return False
    closed = sessions.closed_numbers(ws, name)
    return bool(closed) and holds(ws.repository, closed[max(closed)], there)


def _diverged(remote: Remote, name: str) -> Unshared:
    hint = hints.of("slip", "pull", remote.shown, name, "--name", f"{name}-theirs")
    return Unshared(name, "ref-moved", f"{name} went on here and on {remote.shown}", hint)


def _tracking(remote: Remote, name: str) -> str:
    return f"{FETCHED}{remote.key}/sessions/{name}"


def _keep(ws: Workspace, remote: Remote, known: Mapping[str, str | None]) -> None:
    """Remember what sessions stand there by now."""
    moves = []
    for ref, oid in known.items():
        place = _tracking(remote, ref.removeprefix(OPEN))
        now = ws.repository.store.ref(place)
        if ref.startswith(OPEN) and now != oid:
            moves.append(RefMove(place, now, oid))
    if moves:
        sessions.move(ws, moves, f"slip: push {remote.shown}")


# Coming ------------------------------------------------------------------------------------------


def _come(
    ws: Workspace, remote: Remote, there: Mapping[str, str], told: Exchanged, called: str | None
) -> None:
    """Take what stands there and is new here; told in ``told``. Raises `ref-moved`: once more."""
    store = ws.repository.store
    wanted = {}
    for ref, oid in there.items():
        known = _tracking(remote, ref.removeprefix(OPEN)) if ref.startswith(OPEN) else ref
        here = store.ref(OPEN + called) if called else store.ref(ref)
        if oid not in (here, store.ref(known)) or (called and here is None):
            wanted[ref] = oid
    if not wanted:
        return
    moves: list[RefMove] = []
    with incoming.opened(ws.repository) as come:
        done = remote.fetched_into(come.git, sorted(wanted))
        if done.status:
            raise remote.unreached("fetch", done)
        if any(come.view.objects.find(oid) is None for oid in wanted.values()):
            raise SlipError("ref-moved", f"{remote.shown} moved while it was read")
        tips = []
        for ref, oid in wanted.items():
            found = (
                _session(ws, come, remote, ref, oid, told, called)
                if ref.startswith(OPEN)
                else [RefMove(ref, store.ref(ref), oid)]
            )
            tips += [oid] if found else []
            moves += found
        come.take(tips, LARGEST)
    bounds.check_quota(ws)
    kept = ws.repository.objects.publish()
    try:
        moves = [move for move in (_with_ours(ws, move) for move in moves) if move.old != move.new]
        told.notes.extend(move.name for move in moves if move.name in NOTES)
        more = ws.repository.objects.publish()
        try:
            if moves:
                # What makes a ref decides for what moves or deletes one.
                moves.sort(key=lambda move: move.old is not None)
                closing.move_together(ws, moves, f"slip: pull {remote.shown}")
        finally:
            more.release()
    finally:
        kept.release()


def _with_ours(ws: Workspace, move: RefMove) -> RefMove:
    """Notes that came, merged with those that are here; anything else as it is."""
    if move.name not in NOTES or move.new is None:
        return move
    merged = notemerge.merged(ws.repository, move.old, move.new, ws.signature())
    return move._replace(new=merged)


def _session(
    ws: Workspace,
    come: Incoming,
    remote: Remote,
    ref: str,
    oid: str,
    told: Exchanged,
    called: str | None,
) -> list[RefMove]:
    """The moves that make a session of what came; none, and told, where it is refused."""
    name = called or ref.removeprefix(OPEN)
    store = ws.repository.store
    place = _tracking(remote, ref.removeprefix(OPEN))
    known = store.ref(place)
    try:
        session = checking.check(ws, come.view, name, oid)
        taken = store.refs(OPEN)
        here = taken.get(OPEN + name)
        if here is None:
            freenames.check(name, taken)
    except SlipError as fault:
        # Whoever gave it a name that is none was not this caller.
        code = "unsupported" if fault.code == "bad-name" else fault.code
        told.refused.append(Unshared(name, code, fault.message, fault.hint))
        return []
    tracked = [] if called else [RefMove(place, known, oid)]
    if here is None:
        told.sessions.append(name)
        return [RefMove(OPEN + name, None, oid), *tracked]
    if holds(come.view, oid, here):
        told.sessions.append(name)
        return [RefMove(OPEN + name, here, oid), *tracked]
    if here == known and session.began(sessions.at(ws, name, here).begin):
        # Rebased there, and nothing was done here since it was last the same.
        told.sessions.append(name)
        _, kept = sessions.closing(ws, sessions.at(ws, name, here))
        return [RefMove(OPEN + name, here, oid), kept, *tracked]
    if ws.repository.objects.find(oid) is None or not holds(ws.repository, here, oid):
        told.refused.append(_diverged(remote, name))
    return []
