"""What a server answers: methods by name, whoever asks, within the limits that hold for all.

Every call of an operation is in a thread of a pool, alone in its repository.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from slipstream_git import __version__, codec
from slipstream_git.errors import SlipError
from slipstream_git.faces import reports
from slipstream_git.faces.serving import ancestor, commands, fields, rpc
from slipstream_git.faces.serving.addresses import BEGUN
from slipstream_git.faces.serving.meters import Meters
from slipstream_git.faces.serving.tenants import Tenants
from slipstream_git.operations import calling, registry
from slipstream_git.operations.registry import Operation
from slipstream_git.operations.serving import Wish

# They need a terminal, or the directory of whoever asks, or are servers themselves.
NOT_HERE = ("run", "demo", "serve")
# Methods that are no operations.
OWN = ("ping", "metrics", "command")


class Asker:
    """One client, as far as answers depend on it. tell: says a line beside the answer."""

    def __init__(self, rate: int, tell: Callable[[bytes], Awaitable[None]]) -> None:
        self._tell = tell
        self._rate = rate
        self._allowed = float(rate)
        self._asked = time.monotonic()

    def may_ask(self) -> bool:
        """Whether one more request is within the rate; as many as that may come at once."""
        if not self._rate:
            return True
        now = time.monotonic()
        self._allowed = min(float(self._rate), self._allowed + (now - self._asked) * self._rate)
        self._asked = now
        if self._allowed < 1.0:
            return False
        self._allowed -= 1.0
        return True

    def beginner(self) -> Callable[[float], bool]:
        """What tells the client, from any thread, that a command is begun; see `commands.run`."""
        loop = asyncio.get_running_loop()

        async def tell() -> None:
            await self._tell(BEGUN)

        def begin(until_s: float) -> bool:
            told = asyncio.run_coroutine_threadsafe(tell(), loop)
            with suppress(TimeoutError, OSError):
                told.result(max(0.0, until_s - time.monotonic()))
                return time.monotonic() < until_s
            told.cancel()
            return False

        return begin


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
        self._rows: dict[str, Operation] = {}
        self._ancestor = ancestor.Ancestor(
            lambda repo: self._tenants.entered(_directory(wish.repo if repo is None else repo)),
            self._row,
            has_default=wish.repo is not None,
        )
        self._admitted: set[Asker] = set()
        self.last = self._started = time.monotonic()

    def leave(self) -> None:
        """Begin no call any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Close the repositories; no call may be under way."""
        self._tenants.close()

    def forget(self, asker: Asker) -> None:
        """Let another client in for one that has gone."""
        self._admitted.discard(asker)

    async def answer(self, asker: Asker, method: str, params: Mapping[str, Any]) -> Any:
        """What a method answers, as JSON values. Raises SlipError, `Misasked`."""
        begun = self.last = time.monotonic()
        refusal: str | None = None
        known = method
        try:
            known = self._known(method)
            self._admit(asker)
            return await self._answered(asker, method, params)
        except rpc.Misasked as fault:
            known = "unknown" if fault.number == rpc.METHOD_NOT_FOUND else known
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
            return self._metrics()
        if method == "command":
            return await self._command(asker, params)
        if method in ancestor.METHODS:
            return await self._aside(self._ancestor.answer, asker, method, params)
        return await self._aside(self._operated, method, params)

    async def _command(self, asker: Asker, params: Mapping[str, Any]) -> Any:
        told = await self._aside(commands.run, self._tenants, params, asker.beginner())
        if told is commands.ELSEWHERE:
            self.meters.count("commands_elsewhere")
        return told

    def _known(self, method: str) -> str:
        if method in OWN or method in ancestor.METHODS or method in registry.names():
            return method
        close = fields.nearest(method, registry.names())
        advice = f"; did you mean {close}?" if close else ""
        shown = method[: fields.LONGEST_NAME]
        raise rpc.Misasked(rpc.METHOD_NOT_FOUND, f"there is no method {shown!r}{advice}")

    def _admit(self, asker: Asker) -> None:
        if asker not in self._admitted:
            if len(self._admitted) >= self.wish.clients:
                raise full(self.wish)
            self._admitted.add(asker)
        if not asker.may_ask():
            raise SlipError("quota", f"over {self.wish.rate} requests a second; go slower")

    async def _aside(self, work: Callable[..., Any], *given: Any) -> Any:
        """What ``work`` answers, in a thread of the pool."""

        def done() -> Any:
            try:
                return work(*given)
            except (SlipError, rpc.Misasked):
                raise
            except Exception as fault:  # noqa: BLE001  (a fault of ours must not end the server)
                raise reports.translated(fault) from None

        return await asyncio.get_running_loop().run_in_executor(self._pool, done)

    def _operated(self, method: str, params: Mapping[str, Any]) -> Any:
        """An operation's answer."""
        row = self._row(method)
        if method in NOT_HERE:
            raise SlipError("unsupported", f"{method} is for the command line alone")
        given = dict(params)
        directory = _directory(given.pop("repo", self.wish.repo))
        values = fields.values(row, given)
        notices: list[str] = []
        with self._tenants.entered(directory) as workspace:
            answer = calling.call(row, workspace._replace(notify=notices.append), values)
        told = {"ok": True, **codec.to_json(answer)}
        return told | {"notices": notices} if notices else told

    def _row(self, method: str) -> Operation:
        row = self._rows.get(method) or registry.find(method)
        if row is None:
            raise ValueError(method)
        self._rows[method] = row
        return row

    def _metrics(self) -> dict[str, Any]:
        return {
            "ok": True,
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 3),
            "clients": len(self._admitted),
            "repositories": len(self._tenants),
            "repositories_opened": self._tenants.opened,
            **self.meters.as_json(),
        }


def full(wish: Wish) -> SlipError:
    """The refusal of one client too many."""
    return SlipError("quota", f"{wish.clients} clients are served already; try later")


def _directory(repo: object) -> str:
    if repo is None:
        raise fields.wrong("repo is missing: the absolute path of the repository")
    if not isinstance(repo, str) or not os.path.isabs(repo) or "\0" in repo:
        raise fields.wrong("repo is an absolute path")
    return repo
