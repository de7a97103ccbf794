"""Stop a computation that runs too long: a regular expression can take exponential time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from slipstream_git.errors import SlipError

T = TypeVar("T")


class _TimeUp(BaseException):
    """Raised by the alarm; no `except Exception` of the computation may swallow it."""


def run(compute: Callable[[], T], seconds: float) -> T:
    """``compute()``, or `too-large` after ``seconds`` of wall time.

    The alarm is delivered to the main thread only; elsewhere the computation is not bounded here,
    and whoever runs it there bounds the thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return compute()
    try:
        with _alarm(seconds):
            return compute()
    except _TimeUp:
        raise SlipError(
            "too-large", f"the pattern took over {seconds:g} s on one file; make it simpler"
        ) from None


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(_signal: int, _frame: object) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
