"""The search index of a repository that somebody begins to work in, made before it is asked for.

One at a time, in a thread of low priority with a handle of its own, so that no call waits for it;
its files are what every other handle then finds.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import SimpleQueue

from slipstream_git.errors import SlipError
from slipstream_git.faces import reports
from slipstream_git.faces.serving.tenants import NOT_FOR_CALLS
from slipstream_git.operations import calling
from slipstream_git.workspace import open_workspace

NICENESS = 10
# How long the end of a server waits for it; its files are whole at any time.
GRACE_S = 1.0
PAUSE_S = 0.0001


class Prefetcher:
    """Works through what was wanted, in order, until it is stopped."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = {name: value for name, value in env.items() if name not in NOT_FOR_CALLS}
        self._queue: SimpleQueue[str] = SimpleQueue()
        self._waiting: set[str] = set()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def want(self, directory: str) -> None:
        """Have the index made of what is checked out there; again as often as one likes."""
        with self._guard:
            if directory in self._waiting or self._is_stopped:
                return
            self._waiting.add(directory)
            self._queue.put(directory)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Begin with no other; the one under way ends within a file or two."""
        self._is_stopped = True
        self._queue.put("")
        if self._thread is not None:
            self._thread.join(GRACE_S)

    def _work(self) -> None:
        if sys.platform == "linux":  # there each thread has a niceness of its own
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._is_stopped:
            directory = self._queue.get()
            if directory:
                try:
                    self._make(directory)
                except (SlipError, OSError, ImportError, _Stopped):
                    pass  # whatever is wrong there, the call that needs the index will tell
                except Exception as fault:  # noqa: BLE001  (a fault of ours: reported, and no more)
                    reports.translated(fault)
                finally:
                    self._waiting.discard(directory)

    def _make(self, directory: str) -> None:
        ws = open_workspace(directory, self._env, in_process=True, progress=self._go_on)
        with ws.repository:
            calling.prepare_search(ws)

    def _go_on(self, _done: int, _of: int) -> None:
        if self._is_stopped:
            raise _Stopped
        # A thread that computes keeps the interpreter's lock for 5 ms at a time; calls wait then.
        time.sleep(PAUSE_S)


class _Stopped(Exception):
    """The server ends."""
