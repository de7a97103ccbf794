"""What a server answers: methods by name, whoever asks, within the limits that hold for all.

Every call of an operation is in a thread of a pool, alone in its repository.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zlib import crc32

from slipstream_git import __version__, codec
from slipstream_git.errors import SlipError
from slipstream_git.faces import reports
from slipstream_git.faces.serving import ancestor, commands, fields, rpc
from slipstream_git.faces.serving.askers import Asker, Rates
from slipstream_git.faces.serving.budgets import Budget, anonymous_bytes
from slipstream_git.faces.serving.guests import Guest, Windows
from slipstream_git.faces.serving.meters import Meters
from slipstream_git.faces.serving.prefetching import Prefetcher
from slipstream_git.faces.serving.tenants import Tenants
from slipstream_git.operations import calling, registry
from slipstream_git.operations.registry import Operation
from slipstream_git.operations.serving import Wish
from slipstream_git.workspace import Workspace

# Methods that are no operations.
OWN = ("ping", "metrics", "command")
OWN_SHARED = ("ping", "metrics", "open")


class Answers:
    """The methods of one server."""

    def __init__(
        self, wish: Wish, in_main_thread: Callable[[Callable[[], Any]], Any] | None
    ) -> None:
        self.wish = wish
        self.meters = Meters()
        self._tenants = Tenants(os.environ, wish.repositories, in_main_thread)
        # As many threads as clients: no call waits for one that belongs to another repository.
        self._pool = ThreadPoolExecutor(wish.clients, "slip-call")
        self.rates = Rates(wish)
        self._windows = _windows(wish) if wish.shared is not None else None
        self._memory = Budget(wish.memory, self._held)
        self._prefetcher = Prefetcher(os.environ)
        self._rows: dict[str, Operation] = {}
        self._ancestor = ancestor.Ancestor(
            lambda repo: self._tenants.entered(_directory(wish.repo if repo is None else repo)),
            self._row,
            has_default=wish.repo is not None,
        )
        own = (*OWN, *ancestor.METHODS) if self._windows is None else OWN_SHARED
        self._methods = frozenset((*own, *registry.names()))
        self._admitted: set[Asker] = set()
        self.last = self._started = time.monotonic()

    def leave(self) -> None:
        """Begin no call any more."""
        self._prefetcher.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Close the repositories; no call may be under way."""
        self._tenants.close()
        if self._windows is not None:
            self._windows.shrink(0)

    def forget(self, asker: Asker) -> None:
        """Let another client in for one that has gone."""
        self._admitted.discard(asker)

    async def answer(self, asker: Asker, method: str, params: Mapping[str, Any]) -> Any:
        """What a method answers, as JSON values. Raises SlipError, `Misasked`."""
        begun = self.last = time.monotonic()
        refusal: str | None = None
        known = method if method in self._methods else "unknown"
        try:
            self._admit(asker)
            self._check_known(method)
            return await self._answered(asker, method, params)
        except rpc.Misasked as fault:
            refusal = fault.error.code
            raise
        except SlipError as fault:
            refusal = fault.code
            if method in ancestor.METHODS:
                raise ancestor.refused(fault) from None
            raise
        finally:
            self.meters.answered(known, time.monotonic() - begun, refusal)

    async def _answered(self, asker: Asker, method: str, params: Mapping[str, Any]) -> Any:
        if method == "ping":
            return {"ok": True, "version": __version__, "pid": os.getpid()}
        if method == "metrics":
            if not asker.is_owner:
                raise SlipError("path-denied", "metrics are for the user whose server this is")
            return self.metrics()
        if asker.guest is not None:
            return await self._aside(self._read, asker.guest, method, params)
        if method == "command":
            return await self._command(asker, params)
        if method in ancestor.METHODS:
            return await self._aside(self._ancestor.answer, asker, method, params)
        return await self._aside(self._operated, method, params)

    async def _command(self, asker: Asker, params: Mapping[str, Any]) -> Any:
        hands = commands.Hands(self._tenants, asker.beginner(), self._prefetcher.want)
        told = await self._aside(commands.run, hands, params)
        if told is commands.ELSEWHERE:
            self.meters.count("commands_elsewhere")
        return told

    def _check_known(self, method: str) -> None:
        if method in self._methods:
            return
        close = fields.nearest(method, registry.names())
        advice = f"; did you mean {close}?" if close else ""
        shown = method[: fields.LONGEST_NAME]
        raise rpc.Misasked(rpc.METHOD_NOT_FOUND, f"there is no method {shown!r}{advice}")

    def _admit(self, asker: Asker) -> None:
        if asker not in self._admitted:
            if len(self._admitted) >= self.wish.clients:
                raise full(self.wish)
            self._admitted.add(asker)
        asker.ask()

    async def _aside(self, work: Callable[..., Any], *given: Any) -> Any:
        """What ``work`` answers, in a thread of the pool."""

        def done() -> Any:
            try:
                answer = work(*given)
                self._memory.keep()
                return answer
            except (SlipError, rpc.Misasked):
                raise
            except Exception as fault:  # noqa: BLE001  (a fault of ours must not end the server)
                raise reports.translated(fault) from None

        return await asyncio.get_running_loop().run_in_executor(self._pool, done)

    def _operated(self, method: str, params: Mapping[str, Any]) -> Any:
        """An operation's answer."""
        row = self._row(method)
        if row.effect == registry.ALONE:
            raise SlipError("unsupported", f"{method} is for the command line alone")
        given = dict(params)
        directory = _directory(given.pop("repo", self.wish.repo))
        values = fields.values(row, given)
        with self._tenants.entered(directory, reading=row.is_reading) as workspace:
            limited = workspace._replace(most_sessions=self.wish.sessions)
            answer = _told(row, limited, values)
        if method == "begin":
            self._prefetcher.want(directory)
        return answer

    def _read(self, guest: Guest, method: str, params: Mapping[str, Any]) -> Any:
        """The same on a shared server, for a repository that this client has opened there."""
        windows = self._windows
        given = dict(params)
        name = _directory(given.pop("repo", None))
        if windows is None:
            raise ValueError(method)
        if method == "open":
            if given:
                raise fields.wrong("open has no fields but repo")
            windows.admit(guest, name)
            return {"ok": True, "repo": name}
        row = self._row(method)
        if row.effect != registry.READS:
            raise SlipError(
                "unsupported",
                f"a shared server only reads; {method} is done by the command line itself",
            )
        values = fields.values(row, given)
        if "rev" in values and values["rev"] is None and values["session"] is None:
            raise fields.wrong(
                "a shared server sees no working tree: name a session, or a revision such as HEAD"
            )
        with windows.entered(guest, name) as workspace:
            return _told(row, workspace, values)

    def _row(self, method: str) -> Operation:
        row = self._rows.get(method) or registry.find(method)
        if row is None:
            raise ValueError(method)
        self._rows[method] = row
        return row

    @property
    def _held(self) -> tuple[Tenants | Windows, ...]:
        return (self._tenants,) if self._windows is None else (self._tenants, self._windows)

    def metrics(self) -> dict[str, Any]:
        """Counters, and histograms of each method."""
        return {
            "ok": True,
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 3),
            "clients": len(self._admitted),
            "repositories": sum(len(held) for held in self._held),
            "repositories_opened": sum(held.opened for held in self._held),
            "memory_bytes": anonymous_bytes(),
            "repositories_evicted": self._memory.evicted,
            **self.meters.as_json(),
        }


def _told(row: Operation, workspace: Workspace, values: Mapping[str, Any]) -> dict[str, Any]:
    notices: list[str] = []
    answer = calling.call(row, workspace._replace(notify=notices.append), values)
    told = {"ok": True, **codec.to_json(answer)}
    return told | {"notices": notices} if notices else told


def _windows(wish: Wish) -> Windows:
    """Where a shared server keeps what it makes of others' repositories."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    of_socket = f"{crc32(os.fsencode(os.path.abspath(wish.socket or ''))):08x}"
    root = os.path.join(home, "slip", "shared", of_socket)
    os.makedirs(root, exist_ok=True)
    os.chmod(root, 0o700)
    return Windows(root, os.environ, wish.repositories)


def full(wish: Wish) -> SlipError:
    """The refusal of one client too many."""
    return SlipError("quota", f"{wish.clients} clients are served already; try later")


def _directory(repo: object) -> str:
    if repo is None:
        raise fields.wrong("repo is missing: the absolute path of the repository")
    if not isinstance(repo, str) or not os.path.isabs(repo):
        raise fields.wrong("repo is an absolute path")
    return fields.plain("repo", repo)
