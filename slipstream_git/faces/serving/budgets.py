"""How much memory of its own a server may take, and what it lets go when that is more."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

# Between two looks. One takes 30 microseconds.
PAUSE_S = 0.25


class Held(Protocol):
    """Repositories that are held open."""

    def __len__(self) -> int: ...

    def shrink(self, most: int) -> bool:
        """Close those used longest ago that are over ``most`` and not in use; whether any was."""
        ...


class Budget:
    """Bytes of anonymous memory: overlays, views, caches, but not the files that are mapped.

    most: 0 for any number.
    """

    def __init__(self, most: int, held: Sequence[Held]) -> None:
        self._most = most
        self._held = held
        self._guard = Lock()
        self._looked = 0.0
        self.evicted = 0

    def keep(self) -> None:
        """Close repositories, those used longest ago first, while there is too much of it."""
        now = time.monotonic()
        if (
            not self._most
            or now - self._looked < PAUSE_S
            or not self._guard.acquire(blocking=False)
        ):
            return
        try:
            self._looked = now
            while anonymous_bytes() > self._most and self._close_some():
                gc.collect()
        finally:
            self._guard.release()

    def _close_some(self) -> bool:
        """Close a quarter of what is open; whether there was anything to close."""
        closed = False
        for held in self._held:
            before = len(held)
            closed = held.shrink(before - max(1, before // 4)) or closed
            self.evicted += max(0, before - len(held))
        return closed


def anonymous_bytes() -> int:
    """Of this process, as the system counts it now; 0 where it does not say (it is no Linux)."""
    try:
        with open(f"/proc/{os.getpid()}/status", "rb") as stream:
            for line in stream:
                if line.startswith(b"RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
