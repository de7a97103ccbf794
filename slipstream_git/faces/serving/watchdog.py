"""A process outside the server that kills it when it stands still.

A loop in C that holds the interpreter's lock stops every thread of a process: libgit2 1.9 has one,
on reading a loose object that was cut short. slip reads those itself, and others may follow. So a
thread of the server tells a small child of it every second that the interpreter still runs. After
that has been silent for long, the child kills the server. The kernel gives its lock back; clients
hear the end of their connection and do their work themselves; the next server takes the socket
over.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import suppress

PULSE_S = 1.0


class Watchdog:
    """Made before there are threads, by the process that is to be watched."""

    def __init__(self, patience_s: float) -> None:
        """patience_s: how long the process may be silent."""
        hearing, self._telling = os.pipe()
        watched = os.getpid()
        self._child = os.fork()
        if not self._child:
            os.close(self._telling)
            _watch(hearing, watched, patience_s)
        os.close(hearing)
        os.set_blocking(self._telling, False)
        self._over = threading.Event()
        pulse = min(PULSE_S, patience_s / 4)
        self._thread = threading.Thread(target=self._tell, args=(pulse,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()
        self._thread.join()
        os.close(self._telling)
        with suppress(ChildProcessError):
            os.waitpid(self._child, 0)

    def _tell(self, pulse: float) -> None:
        while not self._over.wait(pulse):
            with suppress(OSError):  # it is gone, or has heard enough for now
                os.write(self._telling, b".")


def _watch(hearing: int, watched: int, patience_s: float) -> None:
    """Listen until the process ends or stands still; never returns."""
    try:
        # Told by whoever tells all of its group to end, it goes when the server has gone.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(0, hearing)
        os.closerange(hearing + 1, os.sysconf("SC_OPEN_MAX"))
        os.chdir("/")
        while True:
            if not select.select([hearing], [], [], patience_s)[0]:
                if _is_stopped(watched):  # by a person, who will let it go on
                    continue
                os.kill(watched, signal.SIGKILL)
                break
            if not os.read(hearing, 4096):
                break
    finally:
        os._exit(0)


def _is_stopped(process: int) -> bool:
    with suppress(OSError), open(f"/proc/{process}/stat", "rb") as stream:
        return stream.read().rpartition(b") ")[2][:1] in b"Tt"
    return False
