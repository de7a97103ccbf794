"""Commands of tests, started out of a process that has imported what each of them would.

Every command is a process of its own all the same, with its own directory, environment, input,
outputs and exit status. It is forked off where the interpreter has started and the imports are
done, which is most of what a short command costs. `pytest --cold` starts each from nothing, as
`make test-all` does.

Run as a program, this file is the process that commands are forked off.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

# What the interpreter and its libraries look at when they start, the same for all commands.
LOOKED_AT = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_")
PIECE = 1 << 16
# As `__main__` imports them, and then what most commands do.
IMPORTED = (
    "faces.client",
    "faces.command",
    "faces.argv",
    "faces.progress",
    "faces.text",
    "gitdb.gitstore",
    "gitdb.transaction",
    "changes.history",
    "changes.landing",
)


class Done(NamedTuple):
    """How a command ended; as `subprocess` tells it, `status` is negative for a signal."""

    status: int
    out: bytes
    err: bytes


class Starter:
    """Starts commands of slip in environments that begin as ``env`` does. Close it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._looked_at = _looked_at(env)
        self._control, theirs = socket.socketpair()
        with theirs:
            # Pipes, as its commands have: the interpreter's streams know what they stand on.
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                env=env, pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip

    def fits(self, env: Mapping[str, str]) -> bool:
        return _looked_at(env) == self._looked_at

    def close(self) -> None:
        self._control.close()
        complaints = self._process.communicate()[1]
        assert not complaints, complaints.decode()

    def run(
        self, arguments: Sequence[str], cwd: str, env: Mapping[str, str], given: bytes, limit_s: int
    ) -> Done:
        """One command. Raises `subprocess.TimeoutExpired`, and the command is dead then."""
        told = {
            "arguments": list(arguments), "cwd": cwd, "env": dict(env), "umask": _umask(),
        }  # fmt: skip
        ours, theirs = socket.socketpair()
        (reading, feeding), (out, out_end), (err, err_end) = os.pipe(), os.pipe(), os.pipe()
        socket.send_fds(self._control, [b"."], (theirs.fileno(), reading, out_end, err_end))
        theirs.close()
        for end in (reading, out_end, err_end):
            os.close(end)
        feeder = threading.Thread(target=_feed, args=(feeding, given))
        feeder.start()
        with ours, ours.makefile("rb") as heard:
            ours.sendall(json.dumps(told).encode() + b"\n")
            pid = int(heard.readline())
            pieces: dict[int, list[bytes]] = {out: [], err: []}
            late = not _read(pieces, limit_s)
            if late:
                os.kill(pid, signal.SIGKILL)
            status = int(heard.readline())
        feeder.join()
        if late:
            raise subprocess.TimeoutExpired(list(arguments), limit_s)
        return Done(status, b"".join(pieces[out]), b"".join(pieces[err]))


def _looked_at(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(LOOKED_AT)}


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _feed(pipe: int, given: bytes) -> None:
    with suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as stream:
        rest = memoryview(given)
        while rest:
            rest = rest[stream.write(rest) :]


def _read(pieces: dict[int, list[bytes]], limit_s: float) -> bool:
    """Read pipes to their ends and close them; whether they came to an end in time."""
    until = time.monotonic() + limit_s
    open_ones = set(pieces)
    polled = select.poll()
    for pipe in pieces:
        polled.register(pipe, select.POLLIN)
    while open_ones and (left_s := until - time.monotonic()) > 0:
        for pipe, _ in polled.poll(left_s * 1000):
            piece = os.read(pipe, PIECE)
            pieces[pipe].append(piece)
            if not piece:
                polled.unregister(pipe)
                open_ones.remove(pipe)
    for pipe in pieces:
        os.close(pipe)
    return not open_ones


# --- in the other process -------------------------------------------------------------------------


def fork_off(control: socket.socket) -> bool:
    """Fork commands off until the tests are over; whether this is one of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waking)
    channels: dict[int, int] = {}
    while True:
        ready = select.select([control.fileno(), woken], [], [])[0]
        if woken in ready:
            os.read(woken, PIECE)
            _tell_ended(channels)
        if control.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 4)
            if not message:
                return False
            pid = os.fork()
            if not pid:
                closed = (control.detach(), woken, waking, *channels.values(), *descriptors)
                _become(*descriptors)
                for descriptor in closed:
                    os.close(descriptor)
                return True
            os.write(descriptors[0], b"%d\n" % pid)
            channels[pid] = descriptors[0]
            for descriptor in descriptors[1:]:
                os.close(descriptor)


def _tell_ended(channels: dict[int, int]) -> None:
    while channels:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        channel = channels.pop(pid)
        with suppress(BrokenPipeError):
            os.write(channel, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(channel)


def _become(channel: int, *streams: int) -> None:
    """Be as a process that has just been started."""
    with open(channel, "rb", closefd=False) as heard:
        told: dict[str, Any] = json.loads(heard.readline())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(told["env"])
    time.tzset()
    os.umask(told["umask"])
    os.chdir(told["cwd"])
    sys.argv[1:] = told["arguments"]


if __name__ == "__main__":
    from slipstream_git import __main__ as slip

    for name in IMPORTED:
        importlib.import_module(f"slipstream_git.{name}")
    gc.freeze()
    if fork_off(socket.socket(fileno=int(sys.argv[1]))):
        slip.main()
