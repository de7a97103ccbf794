"""Runs one program and writes down what passed: a line of JSON for each call.

What the caller wrote are the arguments and standard input; what he must read is what came out.
Inside `logsh` the recording `slip` keeps silent, so that nothing is counted twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO

INSIDE = "SLIP_BENCH_INSIDE"
STEP = "SLIP_BENCH_STEP"  # a task of several steps says here which one it is at


class Pump(threading.Thread):
    """Passes bytes on as they come, and counts them."""

    def __init__(self, source: int, target: int, *, close: bool = False) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self._source, self._target, self._close = source, target, close

    def run(self) -> None:
        try:
            while data := os.read(self._source, 65536):
                self.count += len(data)
                view = memoryview(data)
                while view:
                    view = view[os.write(self._target, view) :]
        except OSError:
            pass  # the reader has gone
        finally:
            if self._close:
                os.close(self._target)


def main(kind: str, command: Sequence[str], log: str) -> int:
    """Run ``command`` with this process's arguments behind it; its exit status."""
    arguments = sys.argv[1:]
    if kind == "logsh" and arguments[:1] == ["-c"]:
        arguments = arguments[1:]
    if kind == "slip" and os.environ.get(INSIDE):
        os.execvp(command[0], [*command, *arguments])  # noqa: S606  (nothing to record)
    started = time.time()
    status, counts = _run([*command, *arguments], kind)
    row = {
        "kind": kind,
        "step": os.environ.get(STEP, ""),
        "argv": arguments,
        "argv_bytes": sum(len(os.fsencode(argument)) + 1 for argument in arguments),
        "stdin_bytes": counts[0],
        "out_bytes": counts[1] + counts[2],
        "status": status,
        "seconds": round(time.time() - started, 3),
    }
    with open(log, "a", encoding="utf-8", errors="backslashreplace") as stream:  # noqa: PTH123
        stream.write(json.dumps(row) + "\n")
    return status


def _run(command: Sequence[str], kind: str) -> tuple[int, tuple[int, int, int]]:
    """Exit status, and the bytes that went in, out, and to stderr."""
    env = {**os.environ, INSIDE: "1"} if kind == "logsh" else None
    terminal = sys.stdin is None or sys.stdin.isatty()
    stdin = None if terminal else subprocess.PIPE
    child = subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    out, err = Pump(_number(child.stdout), 1), Pump(_number(child.stderr), 2)
    out.start()
    err.start()
    fed = None
    if child.stdin is not None:
        # A copy of the descriptor, closed by the pump: the child sees the end of its input.
        fed = Pump(0, os.dup(_number(child.stdin)), close=True)
        child.stdin.close()
        fed.start()
    status = child.wait()
    out.join()
    err.join()
    if status < 0:
        status = 128 - status
    return status, (fed.count if fed else 0, out.count, err.count)


def _number(pipe: IO[bytes] | None) -> int:
    assert pipe is not None
    return pipe.fileno()
