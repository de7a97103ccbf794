"""`slip mcp`: one process on standard streams, from its start to its end.

The main thread waits for signals, and runs what can only be stopped by one; a second has the
protocol (`protocol`), where the SDK is; every call is in a thread of a pool.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from slipstream_git.errors import INTERRUPTED, SlipError
from slipstream_git.faces.mcp import tools
from slipstream_git.faces.serving.mainthread import MainThread
from slipstream_git.operations.serving import Hosting
from slipstream_git.outcomes import Served

EXTRA: Final = "slip mcp needs the extra mcp: pip install 'slipstream-git[mcp]'"


def host(wish: Hosting) -> Served:
    """Serve until standard input ends or a signal comes. Raises `usage`, `unsupported`."""
    if wish.tools not in tools.LISTS:
        raise SlipError("usage", f"--tools is {' or '.join(tools.LISTS)}", hint="slip mcp --help")
    try:
        import mcp  # noqa: F401  (told in one line, before anything is answered)
    except ImportError:
        raise SlipError("unsupported", EXTRA) from None
    return _Host(wish).run()


def streams() -> tuple[int, int]:
    """The client's two streams; whatever else reads and prints here gets others from now on."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


class _Host:
    """One server."""

    def __init__(self, wish: Hosting) -> None:
        self._wish = wish
        self._main = MainThread()
        self._ended = "end"
        # Ends the conversation, from any thread; None until there is one.
        self._stop: Callable[[], object] | None = None
        self._requests = 0
        self._is_stuck = False

    def run(self) -> Served:
        fault: list[BaseException] = []
        source, sink = streams()

        def conversation() -> None:
            from slipstream_git.faces.mcp import protocol

            try:
                told = protocol.converse(self._wish, source, sink, self._main.do, self._begun)
                self._requests, self._is_stuck = told
            except BaseException as raised:  # noqa: BLE001  (raised again below)
                fault.append(raised)
            finally:
                self._main.end()

        before = {n: signal.signal(n, self._told) for n in (signal.SIGTERM, signal.SIGINT)}
        thread = threading.Thread(target=conversation, daemon=True)
        thread.start()
        self._main.run()
        thread.join()
        if fault:
            raise fault[0]
        for number, handler in before.items():
            signal.signal(number, handler)
        if self._is_stuck:  # a call that never comes back does not hold up the end
            os._exit(0)
        return Served(self._ended, self._requests)

    def _begun(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        if self._ended == "signal":
            stop()

    def _told(self, _number: int, _frame: Any) -> None:
        """A signal came."""
        if self._ended == "signal":
            os._exit(INTERRUPTED)  # twice
        self._ended = "signal"
        if self._stop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._stop()
