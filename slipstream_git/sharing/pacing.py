"""How long a push waits before it is tried again, and when it is given up.

Many that push to one branch lose to each other: of those who merged onto the same head one wins,
and what the others did was for nothing. So who has lost waits, at random and on average twice as
long after each loss, in units of what a try takes here: then about one tries at a time, however
many they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from slipstream_git.changes import sessions
from slipstream_git.gitdb.remotes import Unreached
from slipstream_git.workspace import Workspace

T = TypeVar("T")

MOST_TRIES = 100
# A wait is at most so many times what a try takes, and in seconds.
LONGEST_WAIT = 64
LONGEST_WAIT_S = 30.0
# A lock that another push holds there is given back soon; a server that says no says it again.
MOST_UNMOVED = 5
UNMOVED_S = 0.2
# How long a server is waited for that does not answer; `slip.pushPatience`.
PATIENCE_S = 30


class Pace:
    """The tries of one push. where: the remote, as it is shown. tries: the number of this one."""

    def __init__(self, ws: Workspace, where: str) -> None:
        self.tries = 1
        self._ws = ws
        self._where = where
        self._patience_s = ws.repository.config.number("slip.pushpatience", PATIENCE_S)
        self._is_reached = False
        self._unmoved = 0
        self._bound = 1.0

    def lost(self, took_s: float, what: str) -> None:
        """Wait after a try that others were faster than. Raises `ref-moved` after too many."""
        self._unmoved = 0
        if self.tries >= MOST_TRIES:
            raise sessions.kept_moving(what, self.tries)
        self.tries += 1
        self._bound = min(self._bound * 2, LONGEST_WAIT)
        time.sleep(min(self._random() * self._bound * took_s, LONGEST_WAIT_S))

    def again(self) -> bool:
        """Whether to push once more where nothing has moved there; waits before that."""
        self._unmoved += 1
        if self._unmoved >= MOST_UNMOVED:
            return False
        self.tries += 1
        time.sleep(UNMOVED_S * 2**self._unmoved * self._random())
        return True

    def patient(self, ask: Callable[[], T]) -> T:
        """Ask the other side, until it answers or has not for too long. Raises `Unreached`."""
        until = time.monotonic() + self._patience_s
        pause_s = UNMOVED_S
        while True:
            try:
                answer = ask()
            except Unreached as fault:
                passes = fault.passing or (self._is_reached and not fault.denied)
                if not passes or time.monotonic() + pause_s > until:
                    raise
                if pause_s == UNMOVED_S:
                    self._ws.notify(f"{fault.message}; trying again for {self._patience_s} s")
                time.sleep(pause_s * (0.5 + self._random()))
                pause_s = min(pause_s * 2, 2.0)
            else:
                self._is_reached = True
                return answer

    def _random(self) -> float:
        """Between 0 and 1."""
        return int(self._ws.token()[:8], 16) / 0x100000000
