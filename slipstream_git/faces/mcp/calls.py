"""A tool's call: fields in, an operation called in its repository, its answer as JSON and as text.

Every call runs in a thread, alone in its repository among those that write, or those that read.
Knows no SDK.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from slipstream_git import codec
from slipstream_git.errors import SlipError
from slipstream_git.faces import faults, reports, standing, text
from slipstream_git.faces.mcp import hinting, tools
from slipstream_git.faces.mcp.grounds import Grounds
from slipstream_git.faces.mcp.hinting import Asked
from slipstream_git.faces.mcp.output import Output
from slipstream_git.faces.mcp.watching import Watcher
from slipstream_git.faces.serving import fields, rpc
from slipstream_git.faces.serving.prefetching import Prefetcher
from slipstream_git.faces.serving.tenants import Tenants
from slipstream_git.operations import calling, registry
from slipstream_git.operations.registry import Operation
from slipstream_git.operations.serving import Hosting
from slipstream_git.records import NamedTuple
from slipstream_git.text.paths import escape_for_terminal
from slipstream_git.workspace import Workspace

MOST_REPOSITORIES: Final = 16
# Operations after which a session is open that may be meant when none is named.
_OPENING: Final = ("begin", "adopt", "reopen")
_OPEN: Final = "refs/slip/sessions/"


class Reply(NamedTuple):
    """What a tool answers: the object that `--json` prints, and a text for the model."""

    told: dict[str, Any]
    text: str
    is_error: bool = False


class Desk:
    """The calls of one server. sessions: those begun here, by worktree, the last one last."""

    def __init__(
        self,
        wish: Hosting,
        env: Mapping[str, str],
        in_main_thread: Callable[[Callable[[], Any]], Any] | None,
    ) -> None:
        self.which = wish.tools
        self._session = wish.session or env.get("SLIP_SESSION") or None
        self.grounds = Grounds(wish.repo)
        self._listed = tools.listed(wish.tools)
        self._tenants = Tenants(env, MOST_REPOSITORIES, in_main_thread)
        self._prefetcher = Prefetcher(env)
        self._begun: dict[str, list[str]] = {}

    def close(self) -> None:
        """No call may be under way."""
        self._prefetcher.stop()
        self._tenants.close()

    def warm(self) -> None:
        """Open the server's own repository ahead of the first call, which tells what is wrong."""
        try:
            with self._tenants.entered(self.grounds.directory(None), reading=True):
                pass
        except (SlipError, OSError):
            pass

    def answer(self, tool: str, arguments: Mapping[str, Any], watcher: Watcher) -> Reply:
        """A tool's reply. Raises `rpc.Misasked` for a tool that is not listed."""
        if tool == tools.MORE:
            return self._more(arguments, watcher)
        operation = self._listed.get(tool)
        if operation is None:
            near = fields.nearest(tool, [*self._listed, tools.MORE])
            advice = f"; did you mean {near}?" if near else ""
            said = f"there is no tool {tool[: fields.LONGEST_NAME]!r}{advice}"
            raise rpc.Misasked(rpc.INVALID_PARAMS, said)
        return self._operated(tools.operations()[operation], arguments, watcher)

    # Every other operation, and help ---------------------------------------------------------

    def _more(self, arguments: Mapping[str, Any], watcher: Watcher) -> Reply:
        given = dict(arguments)
        name, args = given.pop("op", None), given.pop("args", None)
        repo = given.pop("repo", None)
        args = {} if args is None else args
        if not isinstance(name, str) or not isinstance(args, dict) or given:
            odd = next(iter(given), None)
            said = "op is a name, args an object" if odd is None else f"there is no field {odd!r}"
            return _misasked(f"{tools.MORE}: {said[:99]}", None)
        if name == tools.HELP:
            return _help(args)
        operation = tools.named(name)
        if operation is None:
            return _unknown(name)
        if repo is not None:
            args = {"repo": repo, **args}
        return self._operated(tools.operations()[operation], args, watcher, with_schema=True)

    # One operation ---------------------------------------------------------------------------

    def _operated(
        self,
        row: Operation,
        arguments: Mapping[str, Any],
        watcher: Watcher,
        *,
        with_schema: bool = False,
    ) -> Reply:
        given = dict(arguments)
        repo = given.pop("repo", None)
        asked = Asked(row, given, self.which, repo if isinstance(repo, str) else None)
        directory = self.grounds.start
        try:
            values = fields.values(row, given)
            directory = self.grounds.directory(None if repo is None else fields.plain("repo", repo))
            return self._called(asked, directory, values, watcher)
        except rpc.Misasked as fault:
            return _misasked(str(fault), row, with_schema=with_schema)
        except BaseException as fault:  # noqa: BLE001  (it is told, and the server lives)
            return self._refused(asked, directory, reports.translated(fault))

    def _called(
        self, asked: Asked, directory: str, values: dict[str, Any], watcher: Watcher
    ) -> Reply:
        row = asked.row
        notices: list[str] = []
        with self._entered(row, directory, watcher) as entered:
            ws = entered._replace(notify=notices.append)
            session = self._defaulted(row, ws, values)
            with Output(ws) if row.name == "run" else _silent(ws) as output:
                value = calling.call(row, output.workspace, values)
            self._remember(row, ws, value)
            place = ws.repository.layout.root or ws.repository.layout.git_dir
        told = {"ok": True, **codec.to_json(value), **output.told(), "repo": place}
        if notices:
            told["notices"] = notices
        shown = standing.hints_changed(value, partial(hinting.as_text, asked))
        lines = [*text.lines(row.name, shown), *(f"notice: {notice}" for notice in notices)]
        if session and session not in "".join(lines[:1]):
            lines.insert(0, f"# session {session}")
        if row.name == "begin":
            self._prefetcher.want(directory)
        return Reply(_clean(asked, told), _plain("\n".join([*output.lines(), *lines])))

    @contextmanager
    def _entered(self, row: Operation, directory: str, watcher: Watcher) -> Iterator[Workspace]:
        with self._tenants.entered(directory, reading=row.is_reading) as ws:
            watcher.check()
            yield ws._replace(
                progress=watcher.progress, doing=watcher.doing, interruption=watcher.interruption
            )

    def value(self, operation: str, values: Mapping[str, Any], watcher: Watcher) -> Any:
        """What a reading operation answers in the server's own repository, by its row's shapes."""
        row = tools.operations()[operation]
        filled = fields.values(row, values)
        with self._entered(row, self.grounds.directory(None), watcher) as ws:
            return calling.call(row, ws, filled)

    def _refused(self, asked: Asked, directory: str, fault: SlipError) -> Reply:
        hint = fault.hint
        error = _clean(asked, fault.as_json())
        if fault.code == "session-required" and hint and "-s" in hint.commands[0]:
            # It names the likeliest of them.
            error["hint"] = hinting.session_added(asked, str(hint.commands[0][-1]))
        elif fault.code == "path-denied" and hint is None and asked.repo is not None:
            error["hint"] = hinting.call(asked._replace(repo=None), asked.row.name, asked.given)
        told = {"ok": False, "error": error, "repo": directory}
        return Reply(told, _plain(_as_text(asked, fault, error["hint"])), is_error=True)

    # The session that is meant when none is named --------------------------------------------

    def _defaulted(self, row: Operation, ws: Workspace, values: dict[str, Any]) -> str | None:
        """The server's default as the operation finds it; its name, where it stands for a missing.

        It is what this server was started for, else the only open one that was begun here.
        """
        if row.name == "begin" and values["name"] is None:
            values["name"] = self._session
        if "session" not in values or values["session"] is not None or row.name == "exec":
            return None
        if values.get("rev") is not None:
            return None
        name = self._default(row, ws)
        if name is not None:
            values["session"] = name
        return name

    def _default(self, row: Operation, ws: Workspace) -> str | None:
        def is_open(name: str) -> bool:
            return ws.repository.store.ref(_OPEN + name) is not None

        if self._session is not None:
            is_needed = not row.is_reading and registry.area(row.name) not in tools.APART
            return self._session if is_needed or is_open(self._session) else None
        begun = self._begun.get(ws.repository.layout.git_dir, [])
        opened = [name for name in begun if is_open(name)]
        if len(opened) == 1:
            return opened[0]
        # A landing whose answer was lost is asked for again.
        return begun[-1] if row.name == "commit" and begun and not opened else None

    def _remember(self, row: Operation, ws: Workspace, value: Any) -> None:
        if row.name in _OPENING:
            begun = self._begun.setdefault(ws.repository.layout.git_dir, [])
            if value.session in begun:
                begun.remove(value.session)
            begun.append(value.session)


class _Silent(NamedTuple):
    """For an operation that runs nothing for the caller."""

    workspace: Workspace

    def told(self) -> dict[str, Any]:
        return {}

    def lines(self) -> list[str]:
        return []


@contextmanager
def _silent(ws: Workspace) -> Iterator[_Silent]:
    yield _Silent(ws)


# Replies ------------------------------------------------------------------------------------------


def _clean(asked: Asked, told: Mapping[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = hinting.in_json(asked, codec.to_json(told), _encodable)
    return cleaned


def _encodable(said: str) -> str:
    """A text as JSON can hold it: bytes that were not UTF-8 are U+FFFD."""
    if said.isascii():
        return said
    try:
        said.encode()
    except UnicodeEncodeError:
        return "".join(c if not "\ud800" <= c <= "\udfff" else "\ufffd" for c in said)
    return said


def _plain(said: str) -> str:
    return escape_for_terminal(_encodable(said))


def _as_text(asked: Asked, fault: SlipError, hint: Mapping[str, Any] | None) -> str:
    """An error as text, its commands as calls."""
    said = partial(hinting.as_text, asked)
    data = dict(fault.data)
    rows = data.get("refused")
    if isinstance(rows, list):
        data["refused"] = [row | {"hint": row["hint"] and said(row["hint"])} for row in rows]
    shown = SlipError(fault.code, fault.message, data=data)
    lines = [faults.render_error(shown).removeprefix("slip: ")]
    if hint is not None:
        lines.append(f"try: {hinting.said(hint)}")
    elif fault.hint is not None:
        lines.append(f"try, in a shell: {fault.hint}")
    return "\n".join(lines)


def _misasked(said: str, row: Operation | None, *, with_schema: bool = False) -> Reply:
    """Fields that do not fit: what is wrong, and how to learn what fits."""
    hint = hinting.help_call(row.name if row else None)
    data = {"schema": tools.schema(row)} if row and with_schema else {}
    error = {"code": "usage", "message": said, "hint": hint, "data": data}
    shown = [f"usage: {said}", f"try: {hinting.said(hint)}"]
    if data:
        shown.append(json.dumps(data["schema"], ensure_ascii=False))
    return Reply({"ok": False, "error": error}, _plain("\n".join(shown)), is_error=True)


def _unknown(name: str) -> Reply:
    near = fields.nearest(name, list(tools.operations()))
    advice = f"; did you mean {near}?" if near else ""
    return _misasked(f"there is no operation {name[: fields.LONGEST_NAME]!r}{advice}", None)


def _help(args: Mapping[str, Any]) -> Reply:
    name = args.get("op")
    operation = tools.named(name) if isinstance(name, str) else None
    if name is not None and operation is None:
        return _unknown(str(name))
    told = tools.help_on(operation)
    if operation is None:
        shown = "\n".join(f"{row['op']}: {row['summary']}" for row in told["ops"])
    else:
        shown = f"{told['description']}\n{json.dumps(told['schema'], ensure_ascii=False)}"
    return Reply({"ok": True, **told}, shown)
