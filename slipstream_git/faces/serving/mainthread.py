"""What only the main thread of a process can do: hear signals, and be interrupted by an alarm."""

from __future__ import annotations

import signal
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any


class MainThread:
    """Does in the main thread what other threads hand over, and waits for signals meanwhile.

    A regular expression of Python's can take for ever, and nothing but an alarm stops it.
    """

    def __init__(self) -> None:
        self._work: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._is_over = False
        # A signal writes here, too: one that comes just before the wait would not end it otherwise.
        self._waiting, self._waking = socket.socketpair()
        self._waking.settimeout(0)

    def do(self, work: Callable[[], Any]) -> Any:
        """Have something done there, from another thread; its outcome."""
        outcome: Future[Any] = Future()
        self._work.append((work, outcome))
        self._wake()
        return outcome.result()

    def run(self) -> None:
        """Do what is handed over, until `end`."""
        before = signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        try:
            while not self._is_over:
                self._waiting.recv(4096)
                while self._work:
                    self._do(*self._work.popleft())
        finally:
            signal.set_wakeup_fd(before)

    def _do(self, work: Callable[[], Any], outcome: Future[Any]) -> None:
        try:
            outcome.set_result(work())
        except Exception as fault:  # noqa: BLE001  (raised again by whoever waits for it)
            outcome.set_exception(fault)

    def end(self) -> None:
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it has enough to wake for
            self._waking.send(b"!")
