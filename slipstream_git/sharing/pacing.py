"""How long a push waits before it is tried again, and when it is given up.

Many that push to one branch lose to each other: of those who merged onto the same head one wins,
and what the others did was for nothing. So who loses waits, at random and on average twice as long
after each loss, and looks at the branch only then; who wins waits half as long the next time. So
about every second try succeeds, however many they are. A clone remembers that for a minute: its
next landing would else begin as if it were alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from slipstream_git.changes import sessions
from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.remotes import Unreached
from slipstream_git.text.objectid import digest
from slipstream_git.workspace import Workspace

T = TypeVar("T")

MOST_TRIES = 200
# A wait is at most so many times what a try takes here, and in seconds.
LONGEST_WAIT = 64.0
LONGEST_WAIT_S = 20.0
REMEMBERED_S = 60
# A lock that another push holds there is given back soon; a server that says no says it again.
MOST_UNMOVED = 4
UNMOVED_S = 0.2
# How long a server is waited for that does not answer; `slip.pushPatience`.
PATIENCE_S = 30


class Pace:
    """The tries of one push to a branch. tries: the number of this one.

    place: what stands for the branch. where: the remote, as it is shown.
    """

    def __init__(self, ws: Workspace, place: str, where: str) -> None:
        self.tries = 1
        self._ws = ws
        self._where = where
        self._patience_s = ws.repository.config.number("slip.pushpatience", PATIENCE_S)
        self._is_reached = False
        self._unmoved = 0
        name = f"pace-{digest(place.encode()).hex()[:8]}"
        self._path = os.path.join(ws.repository.layout.slip_dir, name)
        self._bound, self._unit_s = self._remembered()
        self._began_s = time.monotonic()

    def wait(self) -> None:
        """Wait where others were faster before; a try begins then."""
        if self._bound:
            time.sleep(min(self._random() * self._bound * self._unit_s, LONGEST_WAIT_S))
        self._began_s = time.monotonic()

    def failed(self) -> None:
        """After a push that did not succeed: wait, longer than the last time."""
        self._unit_s = min(self._unit_s, time.monotonic() - self._began_s)
        self._bound = min(max(self._bound, 1.0) * 2, LONGEST_WAIT)
        self.wait()

    def lost(self, what: str) -> None:
        """Count a try that others were faster than. Raises `ref-moved` after too many."""
        self._unmoved = 0
        if self.tries >= MOST_TRIES:
            raise sessions.kept_moving(what, self.tries)
        self.tries += 1

    def won(self) -> None:
        """Remember for the next landing how it went."""
        with suppress(OSError):
            if self._bound >= 2:
                permissions.make_directory(
                    os.path.dirname(self._path), self._ws.repository.layout.sharing
                )
                with open(self._path, "w", encoding="ascii") as stream:
                    stream.write(f"{self._bound / 2} {self._unit_s} {self._ws.clock()}")
            elif self._bound:
                os.unlink(self._path)

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

    def _remembered(self) -> tuple[float, float]:
        with suppress(OSError, ValueError):
            with open(self._path, encoding="ascii") as stream:
                bound, unit_s, at_s = map(float, stream.read(99).split())
            if 0 <= self._ws.clock() - at_s <= REMEMBERED_S and 0 < bound <= LONGEST_WAIT:
                return bound, unit_s
        return 0.0, LONGEST_WAIT_S

    def _random(self) -> float:
        """Between 0 and 1."""
        return int(self._ws.token()[:8], 16) / 0x100000000
