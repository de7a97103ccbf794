"""A program of the user's, run to its end where a person may be watching.

It has a process group of its own, so that all of it can be ended: by Ctrl-C, by a time limit, and
when it is over, whatever it left behind, because the directory it ran in is somebody else's next.
What has made itself a session of its own (a daemon) is out of reach.

If slip itself is killed, a small shell ends the group, which it leads. It holds the lock of the
directory until then, so that nobody works there beside an orphan.

On a terminal the group is given the terminal when it asks for it, as a shell does it for a job.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from slipstream_git.gitdb.process import Child, Git
from slipstream_git.records import NamedTuple

# How long a program has to end by itself, once it was told to.
GRACE_S: Final = 5.0
_ASKS: Final = (signal.SIGTTIN, signal.SIGTTOU)
# The leader of the group: it waits for a word that never comes, until slip is dead.
_WATCH: Final = """
trap '' INT QUIT TERM HUP TSTP TTIN TTOU
read over
kill -s TERM -- "-$$"; kill -s CONT -- "-$$"; sleep 1; kill -s KILL -- "-$$"
"""


class Ended(NamedTuple):
    """How a program ended: its exit status, 128 and the number for one that a signal ended."""

    status: int
    timed_out: bool


def run(
    git: Git,
    start: Callable[[int], Child],
    held: int,
    timeout_s: float | None,
    interruption: Callable[[Callable[[], None]], None] | None = None,
) -> Ended:
    """Start a program and wait for its end. Raises OSError, and KeyboardInterrupt after it ended.

    start: starts it in a process group. held: the descriptor of a lock that is kept until all of
    that group is gone. interruption: is handed what does, from any thread, as Ctrl-C does; it is
    given no terminal then.
    """
    watcher = git.watcher(_WATCH, held)
    try:
        child = start(watcher.pid)
        child.returncode = 0  # it is waited for here
        job = _Job(child.pid, watcher.pid, at_terminal=interruption is None)
        if interruption is not None:
            interruption(job.interrupt)
        return job.ended(timeout_s)
    finally:
        _end(watcher.pid, signal.SIGKILL)
        watcher.communicate()


def _end(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        os.killpg(group, signal.SIGCONT)  # one that is stopped hears nothing else


class _Job:
    """A program that is waited for, in its process group."""

    def __init__(self, program: int, group: int, *, at_terminal: bool) -> None:
        self._program = program
        self._group = group
        self._over = threading.Event()
        self._timed_out = False
        self._interrupted = False
        self._terminal = _Terminal(group, "/dev/tty" if at_terminal else None)

    def ended(self, timeout_s: float | None) -> Ended:
        if timeout_s is not None:
            threading.Thread(target=self._limit, args=(timeout_s,), daemon=True).start()
        try:
            status = self._waited()
        finally:
            self._over.set()
            self._terminal.take_back()
        if self._interrupted:
            raise KeyboardInterrupt
        return Ended(128 - status if status < 0 else status, self._timed_out)

    def _waited(self) -> int:
        while True:
            try:
                _, status = os.waitpid(self._program, os.WUNTRACED)
            except KeyboardInterrupt:
                self.interrupt()
                continue
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            if self._terminal.stopped(os.WSTOPSIG(status)):
                _end(self._group, signal.SIGCONT)

    def interrupt(self) -> None:
        """Pass Ctrl-C on; the second, or the end of patience, is final."""
        if self._over.is_set():
            return
        if self._interrupted:
            _end(self._group, signal.SIGKILL)
            return
        self._interrupted = True
        _end(self._group, signal.SIGINT)
        threading.Thread(target=self._finish, daemon=True).start()

    def _limit(self, timeout_s: float) -> None:
        if not self._over.wait(timeout_s):
            self._timed_out = True
            _end(self._group, signal.SIGTERM)
            self._finish()

    def _finish(self) -> None:
        if not self._over.wait(GRACE_S):
            _end(self._group, signal.SIGKILL)


class _Terminal:
    """The controlling terminal, if there is one, and whether a group of ours has it."""

    def __init__(self, group: int, path: str | None) -> None:
        self._group = group
        self._given = False
        self._handle: int | None = None
        with suppress(OSError):
            if path is not None:
                self._handle = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)

    def stopped(self, number: int) -> bool:
        """See to it that a stopped group can go on; False where it was stopped by somebody else."""
        if self._handle is None:
            return False
        if not (number in _ASKS and self._is_ours()):
            # Ctrl-Z, or a job in the background that wants to read: we stop, too.
            self._hand_to(os.getpgrp())
            os.kill(os.getpid(), signal.SIGSTOP)
        if self._is_ours():
            self._hand_to(self._group)
        return True

    def take_back(self) -> None:
        if self._handle is None:
            return
        if self._given:
            self._hand_to(os.getpgrp())
        os.close(self._handle)
        self._handle = None

    def _is_ours(self) -> bool:
        """Whether whoever started us has let us have the terminal."""
        with suppress(OSError):
            return os.tcgetpgrp(self._handle or 0) == os.getpgrp()
        return False

    def _hand_to(self, group: int) -> None:
        ours = group == os.getpgrp()
        if ours and not self._given:
            return
        # Who is not in the foreground is stopped for this, unless the signal is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
        try:
            with suppress(OSError):
                os.tcsetpgrp(self._handle or 0, group)
                self._given = not ours
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
