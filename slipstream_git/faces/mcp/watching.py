"""Who waits for a call: hears how far it has come, and may stop waiting for it.

A call runs in a thread of its own. What it tells of its progress is also where it is interrupted:
a gate's ticking, a file read for an index. A program that is run for the caller is interrupted as
Ctrl-C does it. Whatever is not told of progress is quick, or is a landing, which comes to its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 0.1


class Watcher:
    """One call's. tell: is given how much, of how much (None where nobody knows), and of what."""

    def __init__(self, tell: Callable[[float, float | None, str], None]) -> None:
        self._tell = tell
        self._guard = threading.Lock()
        self._is_gone = False
        self._is_raised = False
        self._interrupt: Callable[[], None] | None = None
        # Progress has to grow, whatever piece of work is told of.
        self._before = 0.0
        self._last = 0.0
        self._next_s = 0.0

    def leave(self) -> None:
        """Nobody waits any more. From any thread."""
        with self._guard:
            self._is_gone = True
            interrupt = self._interrupt
        if interrupt is not None:
            interrupt()

    def check(self) -> None:
        """Raises KeyboardInterrupt, once, where nobody waits."""
        with self._guard:
            if not self._is_gone or self._is_raised:
                return
            self._is_raised = True
        raise KeyboardInterrupt

    # As `Workspace` has them -----------------------------------------------------------------

    def interruption(self, interrupt: Callable[[], None]) -> None:
        with self._guard:
            self._interrupt = interrupt
            is_gone = self._is_gone
        if is_gone:
            interrupt()

    def progress(self, done: int, of: int, what: str = "files read") -> None:
        self.check()
        if done + self._before < self._last:  # another piece of work has begun
            self._before = self._last
        self._say(self._before + done, self._before + of, f"{done} of {of} {what}")

    def doing(self, what: str) -> None:
        if what:
            self.check()
            self._say(self._last + 1, None, what)

    def _say(self, done: float, of: float | None, what: str) -> None:
        now = time.monotonic()
        if now < self._next_s or done <= self._last:
            return
        self._next_s = now + EVERY_S
        self._last = done
        self._tell(done, of, what)
