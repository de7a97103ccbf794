"""How far long work has come: one line on a terminal, gone when the work is done.

Nothing for work that is soon done, nor for whoever reads standard error from a file or a pipe.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from slipstream_git.text.paths import escape_for_terminal

if TYPE_CHECKING:
    from typing import Self

FIRST_AFTER_S = 0.5
EVERY_S = 0.1
_WIDTH = 30
_NARROWEST = 20
_ERASE = "\r\x1b[K"


class Line:
    """Is told how much of how much is done. stream: None shows nothing. now: seconds."""

    def __init__(self, stream: TextIO | None, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._next = now() + FIRST_AFTER_S
        self._is_shown = False

    def __call__(self, done: int, of: int, what: str = "files read") -> None:
        if self._stream is None:
            return
        if done >= of:
            self.clear()
        elif (now := self._now()) >= self._next:
            self._next = now + EVERY_S
            self._is_shown = True
            self._write(_ERASE + _text(done, of, what, _columns(self._stream)))

    def doing(self, what: str) -> None:
        """Is told what takes long; it is shown while it does. No words: it is over."""
        if self._stream is None:
            return
        if not what:
            self.clear()
            self._next = self._now() + FIRST_AFTER_S
        elif (now := self._now()) >= self._next:
            self._next = now + EVERY_S
            self._is_shown = True
            room = max(_columns(self._stream) - 1, _NARROWEST)
            self._write(_ERASE + escape_for_terminal(f"slip: {what}")[:room])

    def clear(self) -> None:
        """What is printed next finds an empty line."""
        if self._is_shown:
            self._is_shown = False
            self._write(_ERASE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # a terminal that is gone: the work goes on
            self._stream = None


def shown(stream: TextIO | None = None, *, quiet: bool = False) -> Line:
    """The line for standard error, or another stream; it stays empty where that is no terminal.

    quiet: the answer is for a program, so that nobody may be watching.
    """
    stream = sys.stderr if stream is None else stream
    watched = not quiet and stream is not None and os.environ.get("TERM") != "dumb"
    return Line(stream if watched and _is_terminal(stream) else None)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _text(done: int, of: int, what: str, columns: int) -> str:
    """Short enough not to wrap: a second line could not be taken back."""
    filled = _WIDTH * done // of
    text = f"slip: {done} of {of} {what}"
    bar = f"{text} [{'#' * filled}{'.' * (_WIDTH - filled)}]"
    return (bar if len(bar) < columns else text)[: max(columns - 1, _NARROWEST)]
