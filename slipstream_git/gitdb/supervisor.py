"""A process of its own that runs a shell command and outlives none of it.

Started as a program by `supervising`, never imported by slip: only a process that is small and has
no threads may take over the orphans of what it runs, and be killed without harm. On Linux it is
their subreaper, so that what a command left in the background, in whatever session or group, is
still found and ended. Elsewhere only the command's own process group is.

    supervisor.py KEPT LIMIT GRACE WITHIN COMMAND

KEPT are descriptors that the command does not get, with commas between. To the first goes one line
of JSON, ``{"status": …, "timed_out": …}``, when all is over; a negative status is the number of a
signal. The others are locks. LIMIT and GRACE are seconds, WITHIN is ``1`` where the caller's
environment has LC_CTYPE. Standard input is the caller's word: a byte means that
the command shall end, and what is not gone after GRACE is killed; the end of the file (the caller
is gone, or impatient) the same, at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
# How long what a command left behind has to end by itself.
LEFT_S = 1.0
# How long a killed process may take to go: one that hangs in a dead network disk never does.
GOING_S = 10.0
_STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


class Family:
    """The command and all that came of it."""

    def __init__(self, command: str, kept: tuple[int, ...]) -> None:
        self.status: int | None = None
        self.group = os.fork()
        if not self.group:
            _become(command, kept)

    def reap(self) -> bool:
        """Take note of who has ended; whether anybody is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self.group:
                self.status = os.waitstatus_to_exitcode(status)

    def signal(self, number: int) -> None:
        """Tell everybody, and wake who is stopped."""
        targets = descendants(os.getpid())
        for told in (number, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, told)
            for pid in targets:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, told)

    def end(self, grace_s: float) -> None:
        """Nobody is left when this returns, or as good as."""
        if not self.reap():
            return
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and not _is_alone():
            if not self.reap():
                return
            time.sleep(0.01)
        deadline = time.monotonic() + GOING_S
        while self.reap() and time.monotonic() < deadline:
            self.signal(signal.SIGKILL)  # again: each may have made another meanwhile
            time.sleep(0.01)


def _is_alone() -> bool:
    """Whether nobody waits any more, who asked twice or is gone: then there is no grace."""
    ready, _, _ = select.select([0], [], [], 0)
    return bool(ready) and not os.read(0, 1)


def descendants(ancestor: int) -> list[int]:
    """Whoever descends from a process, as far as /proc tells."""
    parents: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stream:
                    parents[int(name)] = int(stream.read().rpartition(b")")[2].split()[1])
    found = {ancestor}
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return sorted(found - {ancestor})


def _become(command: str, kept: tuple[int, ...]) -> None:
    """Be the command, in a session of its own, with nothing to read."""
    try:
        os.setsid()
        for number in (*_STOPPING, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for descriptor in (*kept, nothing):
            os.close(descriptor)
        os.execvp("sh", ["sh", "-c", command])  # noqa: S606  (it is what this is for)
    except OSError as fault:
        os.write(2, f"sh: {fault.strerror}\n".encode())
    finally:
        os._exit(127)


def _adopt_orphans() -> None:
    with contextlib.suppress(Exception):  # no such call here: the process group must do
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main(kept: tuple[int, ...], limit_s: float, grace_s: float, command: str) -> None:
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    woken, waking = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _adopt_orphans()
    deadline = time.monotonic() + limit_s
    family = Family(command, (*kept, woken, waking))
    timed_out = False
    while family.reap() and family.status is None:
        left = deadline - time.monotonic()
        if left <= 0:
            timed_out = True
            break
        ready, _, _ = select.select([0, woken], [], [], left)
        if woken in ready:
            os.read(woken, 512)
        if 0 in ready:
            grace_s = grace_s if os.read(0, 1) else 0
            timed_out = False
            break
    family.end(LEFT_S if family.status is not None else grace_s)
    said = {"status": family.status, "timed_out": timed_out}
    os.write(kept[0], json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    if sys.argv[4] == "0":
        # Python puts it there for itself where the locale is C.
        os.environ.pop("LC_CTYPE", None)
    descriptors = tuple(map(int, sys.argv[1].split(",")))
    main(descriptors, float(sys.argv[2]), float(sys.argv[3]), sys.argv[5])
