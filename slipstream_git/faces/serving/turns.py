"""Who is served next: first come, first served, each alone in a lane.

A lock of Python's own gives no order to those who wait for it: of a hundred clients some would wait
for half a minute while others are served again and again.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock

from slipstream_git.records import NamedTuple

# As a lock has it.
FOR_EVER = -1.0
# So many read at once: more would only stand in each other's way, since Python computes one thing
# at a time.
READERS = 1
# Who takes longer than this is not waited for any more: others go on beside one who reads a very
# large tree.
LONG_S = 0.1


class _Waiting(NamedTuple):
    """gate: held until it is this one's turn."""

    lane: Hashable
    gate: Lock


class Turns:
    """Lanes by any name. most: how many of them are taken at once; None for any number.

    Whoever waits longest is next, of those whose lane is free. One who has been in for `LONG_S` is
    none of the ``most`` any more.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._guard = Lock()
        self._since: dict[Hashable, float] = {}  # by lane that is taken
        self._waiting: list[_Waiting] = []

    @contextmanager
    def alone(self, lane: Hashable, patience_s: float = FOR_EVER) -> Iterator[bool]:
        """Be alone in a lane; False where it was not one's turn within ``patience_s``."""
        if not self._take(lane, patience_s):
            yield False
            return
        try:
            yield True
        finally:
            self._leave(lane)

    def _take(self, lane: Hashable, patience_s: float) -> bool:
        waiting = _Waiting(lane, Lock())
        waiting.gate.acquire()
        with self._guard:
            self._waiting.append(waiting)
            self._serve()
        until = None if patience_s < 0 else time.monotonic() + patience_s
        try:
            while not waiting.gate.acquire(timeout=_pause(until)):
                with self._guard:
                    self._serve()
                if until is not None and time.monotonic() >= until and self._gave_up(waiting):
                    return False
        except BaseException:
            if not self._gave_up(waiting):
                self._leave(lane)
            raise
        return True

    def _gave_up(self, waiting: _Waiting) -> bool:
        """Stop waiting; False where the turn has come at the last moment."""
        with self._guard:
            for place, other in enumerate(self._waiting):
                if other.gate is waiting.gate:
                    del self._waiting[place]
                    return True
        return False

    def _leave(self, lane: Hashable) -> None:
        with self._guard:
            del self._since[lane]
            self._serve()

    def _serve(self) -> None:
        """Let in whose turn it is."""
        now = time.monotonic()
        free = float("inf")
        if self._most is not None:
            free = self._most - sum(now - since < LONG_S for since in self._since.values())
        still: list[_Waiting] = []
        for waiting in self._waiting:
            if free > 0 and waiting.lane not in self._since:
                self._since[waiting.lane] = now
                waiting.gate.release()
                free -= 1
            else:
                still.append(waiting)
        self._waiting = still


def _pause(until: float | None) -> float:
    """How long to wait before looking whether others have taken too long."""
    return LONG_S if until is None else min(LONG_S, max(until - time.monotonic(), 0.0))
