"""The methods of the daemon that slip descends from, as its clients ask them; on slip's sessions.

A session is one like any other, so it outlives the server. What is only known here goes with it: in
which repository a name is, cursors, what a client read last, and what was flushed.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Lock
from typing import Any, Final
from weakref import WeakKeyDictionary

from slipstream_git import codec
from slipstream_git.errors import ASKED_WRONGLY, SlipError
from slipstream_git.faces.serving import ancestorfields, ancestorflush, rpc
from slipstream_git.faces.serving.ancestorcalls import Calls, Neighbours
from slipstream_git.faces.serving.ancestoredits import Seen, Trial, Tried, renumbered
from slipstream_git.operations.registry import Operation
from slipstream_git.text import matching, paths
from slipstream_git.text.objectid import blob_id
from slipstream_git.workspace import Workspace

METHODS: Final = ancestorfields.METHODS
MOST_SESSIONS: Final = 1024
CONFLICT: Final = 409
NO_SESSION: Final = 404
LIMIT: Final = -32003
_NUMBERS: Final = {
    **dict.fromkeys(("conflict", "dirty", "stale", "ref-moved", "session-exists"), CONFLICT),
    **dict.fromkeys(("session-missing", "session-required"), NO_SESSION),
    **dict.fromkeys(("too-large", "quota"), LIMIT),
}
# Steps that are no edits of the session's own.
_NOT_EDITS: Final = ("capture", "rebase")


class _Known:
    """What is known of a session beside its chain, by path.

    seen: what was read last, by whomever; clients: by each of those that are still there.
    """

    def __init__(self) -> None:
        self.opened: dict[bytes, None] = {}
        self.cursors: dict[bytes, int] = {}
        self.pending: dict[bytes, int] = {}
        self.seen: dict[bytes, Seen] = {}
        self.clients: WeakKeyDictionary[object, dict[bytes, Seen]] = WeakKeyDictionary()

    def of(self, client: object) -> dict[bytes, Seen]:
        return {**self.seen, **self.clients.get(client, {})}

    def keep(self, client: object, trial: Trial, before: Mapping[bytes, Seen]) -> None:
        """Take over what a batch that was staged has made of it."""
        self.cursors, self.pending = trial.cursors, trial.pending
        own = self.clients.setdefault(client, {})
        for path, seen in trial.seen.items():
            if path in trial.have_read or seen != before.get(path):
                if path in trial.have_read or self.seen.get(path) == before.get(path):
                    self.seen[path] = seen
                own[path] = seen


class Ancestor:
    """Answers for all clients of a server.

    enter: alone in the repository that a ``repo`` names, or in the server's own for None.
    has_default: whether there is such a one.
    """

    def __init__(
        self,
        enter: Callable[[str | None], AbstractContextManager[Workspace]],
        row: Callable[[str], Operation],
        *,
        has_default: bool,
    ) -> None:
        self._enter = enter
        self._row = row
        self._has_default = has_default
        self._guard = Lock()
        self._sessions: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._places: WeakKeyDictionary[object, dict[str, str]] = WeakKeyDictionary()
        self._neighbours = Neighbours()

    def answer(self, client: object, method: str, params: Mapping[str, Any]) -> Any:
        """What a method answers. Raises SlipError (see `refused`), `Misasked`."""
        try:
            given = ancestorfields.checked(method, params)
            act = _ACTS.get(method)
            return act(self, client, given) if act else self._edit(client, method, given)
        except ancestorflush.Conflicting as fault:
            raise rpc.Misasked.of(CONFLICT, fault.error, fault.rows) from None

    # Which session, and where --------------------------------------------------------------------

    @contextmanager
    def _at(self, client: object, given: Mapping[str, Any]) -> Iterator[tuple[Calls, str, _Known]]:
        """Be alone with an open session. Raises `session-missing`."""
        session = given["session_id"]
        with self._enter(self._place(client, session, given.get("repo"))) as ws:
            calls = Calls(ws, self._row)
            if not calls.has(session):
                self._forget(calls, session)
                calls("status", session=session)  # says what became of it
            yield calls, session, self._known(client, calls, session)

    def _place(self, client: object, session: str, repo: str | None) -> str | None:
        if repo is not None:
            return repo
        with self._guard:
            mine = self._places.get(client, {}).get(session)
            known = [place for place, name in self._sessions if name == session]
        if mine is not None:
            return mine
        if len(known) > 1:
            raise SlipError("usage", f"{session} is open in several places; name one as repo")
        if not known and not self._has_default:
            raise SlipError(
                "session-missing",
                f"no session {session} is known here; name its repository as repo",
            )
        return known[0] if known else None

    def _known(self, client: object, calls: Calls, session: str, *, new: bool = False) -> _Known:
        key = (calls.place, session)
        with self._guard:
            known = None if new else self._sessions.get(key)
        if known is None:
            known = _Known()
            for path, edits in () if new else _edits(calls, session).items():
                known.pending[path] = edits
        with self._guard:
            self._sessions[key] = known
            self._sessions.move_to_end(key)
            if len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
            self._places.setdefault(client, {})[session] = calls.place
        return known

    def _forget(self, calls: Calls, session: str) -> None:
        with self._guard:
            self._sessions.pop((calls.place, session), None)
            for places in self._places.values():
                if places.get(session) == calls.place:
                    del places[session]

    # Sessions ------------------------------------------------------------------------------------

    def _open(self, client: object, given: Mapping[str, Any]) -> dict[str, Any]:
        with self._enter(given.get("repo") or _place_of(given["files"])) as ws:
            calls = Calls(ws, self._row)
            wanted = {text: calls.path(text) for text in given["files"]}
            name = given.get("name") or "s_" + os.urandom(4).hex()
            is_new = not calls.has(name)
            missing = _missing(calls, wanted, None if is_new else name)
            if missing and not given.get("create"):
                shown = paths.display(wanted[missing[0]])
                raise SlipError("missing", f"there is no file {shown}; create: true makes it")
            if is_new:
                calls("begin", name=name)
            else:
                ancestorflush.bring_up(calls, name)
            try:
                _take_in(calls, name, wanted.values(), is_new=is_new)
                made = {path for text, path in wanted.items() if text in missing}
                for path in made:
                    calls("write", session=name, path=os.fsdecode(path), content="", create="only")
                files = {text: _told(calls, name, path) for text, path in wanted.items()}
            except SlipError:
                if is_new:
                    calls("abort", session=name)
                raise
            known = self._known(client, calls, name, new=is_new)
            known.opened.update(dict.fromkeys(wanted.values()))
            for path in made if is_new else ():
                known.pending[path] = 1
            return {"session_id": name, "files": files}

    def _flush(self, client: object, given: Mapping[str, Any]) -> dict[str, Any]:
        with self._at(client, given) as (calls, session, known):
            return _flushed(calls, session, known, given)

    def _close(self, client: object, given: Mapping[str, Any]) -> dict[str, Any]:
        with self._at(client, given) as (calls, session, known):
            told: dict[str, Any] = {"status": "closed"}
            if given.get("flush"):
                told["flush"] = _flushed(calls, session, known, given)
            dropped = sum(known.pending.values())
            calls("abort", session=session)
            self._forget(calls, session)
            if dropped:
                way_back = f"slip reopen {session}"
                told["warnings"] = [f"{dropped} edits were not flushed; {way_back} has them"]
            return told

    def _list(self, _client: object, given: Mapping[str, Any]) -> dict[str, Any]:
        with self._guard:
            places: dict[str | None, None] = dict.fromkeys(place for place, _ in self._sessions)
        if given.get("repo"):
            places = {given["repo"]: None}
        elif self._has_default:
            places = {None: None, **places}
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for place in places:
            # One that is gone by now hides no other.
            with suppress(SlipError), self._enter(place) as ws:
                calls = Calls(ws, self._row)
                for session, tip in calls.tips().items():
                    key = (ws.repository.layout.common_dir, session)
                    rows[key] = rows.get(key) or self._listed(calls, session, tip)
        return {"sessions": list(rows.values())}

    def _listed(self, calls: Calls, session: str, tip: str) -> dict[str, Any]:
        with self._guard:
            known = self._sessions.get((calls.place, session))
        try:
            changed = self._neighbours.changed(calls, session, tip)
        except SlipError:
            changed = frozenset()
        files = sorted({*changed, *map(paths.display, known.opened if known else ())})
        dirty = changed
        if known:
            dirty = frozenset(paths.display(path) for path, n in known.pending.items() if n)
        return {
            "session_id": session,
            "file_count": len(files),
            "dirty_count": len(dirty),
            "files": files,
        }

    # Files ---------------------------------------------------------------------------------------

    def _edit(self, client: object, method: str, given: Mapping[str, Any]) -> Any:
        """One read or edit, or a batch of them: all or nothing."""
        is_batch = method == "batch"
        wanted = (
            [ancestorfields.op(item) for item in given["ops"]] if is_batch else [(method, given)]
        )
        with self._at(client, given) as (calls, session, known):
            items = [(name, calls.path(found["path"]), found) for name, found in wanted]
            before = known.of(client)
            trial = Trial(
                lambda path: calls.file(path, session=session),
                dict(before), dict(known.cursors), dict(known.pending),
            )  # fmt: skip
            tried = trial.run(items)
            _stage(calls, session, trial, tried)
            known.keep(client, trial, before)
            read = [path for name, path, _ in items if name == "file.read"]
            others = self._neighbours.others(calls, session, read)
            for (name, path, _), told in zip(items, tried.results, strict=True):
                if name == "file.read" and path in others:
                    told["other_sessions"] = others[path]
        return tried.results if is_batch else tried.results[0]


_ACTS: Final[Mapping[str, Callable[[Ancestor, object, Mapping[str, Any]], dict[str, Any]]]] = {
    "session.open": Ancestor._open,  # noqa: SLF001  (its own table)
    "session.flush": Ancestor._flush,  # noqa: SLF001
    "session.close": Ancestor._close,  # noqa: SLF001
    "session.list": Ancestor._list,  # noqa: SLF001
}


def refused(fault: SlipError) -> rpc.Misasked:
    """A refusal with the number that the ancestor's clients know it by."""
    number = _NUMBERS.get(fault.code, rpc.REFUSED - fault.exit_status)
    if fault.exit_status == ASKED_WRONGLY:
        number = rpc.INVALID_PARAMS
    return rpc.Misasked.of(number, fault)


def _place_of(files: list[str]) -> str | None:
    """A directory of the first file that is named absolutely: its repository is meant."""
    here = next((os.path.dirname(path) for path in files if os.path.isabs(path)), None)
    while here is not None and not os.path.isdir(here):
        here = os.path.dirname(here)
    return here


def _missing(calls: Calls, wanted: Mapping[str, bytes], session: str | None) -> list[str]:
    """Which of these files are not there. Raises `bad-path` for a directory."""
    found = []
    for text, path in wanted.items():
        where = calls.on_disk(path)
        if where is None:
            view = {"session": session} if session else {"rev": "HEAD"}
            in_tree = (session or calls.root is None) and calls.has_file(path, **view)
            found += [] if in_tree else [text]
        elif os.path.isdir(where) and not os.path.islink(where):
            raise SlipError("bad-path", f"{paths.display(path)} is a directory; name its files")
    return found


def _take_in(calls: Calls, session: str, wanted: Iterable[bytes], *, is_new: bool) -> None:
    """Take the files into the session as they are on the disk, edits of theirs included."""
    if calls.root is None:
        return
    there = [
        os.fsdecode(path)
        for path in wanted
        if calls.on_disk(path) is not None or (is_new and calls.has_file(path, session=session))
    ]
    if there:
        calls("capture", session=session, paths=there)


def _told(calls: Calls, session: str, path: bytes) -> dict[str, Any]:
    data = calls.file(path, session=session).data
    return {"lines": len(matching.lines(data)), "version": blob_id(data)}


def _edits(calls: Calls, session: str) -> dict[bytes, int]:
    """How many steps in force edit which file: none is known to be flushed."""
    found: dict[bytes, int] = {}
    for step in calls("log", session=session).steps:
        for shown in step.paths if not step.undone and step.op not in _NOT_EDITS else ():
            path = paths.from_text(shown)
            found[path] = found.get(path, 0) + 1
    return found


def _flushed(calls: Calls, session: str, known: _Known, given: Mapping[str, Any]) -> dict[str, Any]:
    force = bool(given.get("force"))
    written, told = ancestorflush.flush(calls, session, given.get("message"), force=force)
    edits = {paths.display(path): count for path, count in known.pending.items()}
    known.pending = {}
    rows = [{"path": path, "edits_applied": edits.get(path, 0)} for path in written]
    warnings = [*told.pop("warnings"), *calls.notices]
    told |= {"warnings": warnings} if warnings else {}
    return {"status": "ok", "files_written": rows, **told}


def _stage(calls: Calls, session: str, trial: Trial, tried: Tried) -> None:
    """Make the batch one step of the session. What it was merged with has to be read again."""
    if not tried.ops:
        return
    ops = [codec.encode_op(op) for op in tried.ops]
    try:
        told = calls("apply", session=session, ops=ops, format="json")
    except SlipError as fault:
        raise renumbered(fault, tried.numbers) from None
    made = {change.path: change.new_oid for change in told.changes}
    for path, oid in trial.final().items():
        if path in trial.seen and made.get(paths.display(path), oid) != oid:
            trial.seen[path] = Seen("")
