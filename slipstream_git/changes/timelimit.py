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


def run(
    compute: Callable[[], T],
    seconds: float,
    in_main_thread: Callable[[Callable[[], T]], T] | None = None,
) -> T:
    """``compute()``, or `too-large` after ``seconds`` of wall time.

    in_main_thread: runs something there and returns its outcome. The alarm is delivered to the main
        thread only; in another thread, the computation is not bounded without this.
    """
    if threading.current_thread() is not threading.main_thread():
        return in_main_thread(lambda: run(compute, seconds)) if in_main_thread else compute()
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
