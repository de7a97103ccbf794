"""Processes that a test starts and leaves running for a while, ended whatever becomes of the test.

A child that a failing assertion leaves behind goes on writing into the next test's time, and its
open pipes make another test fail with an unraisable exception.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

Started = subprocess.Popen[bytes]


class Children:
    """Starts processes, each in a group of its own; `end` kills those groups and closes pipes."""

    def __init__(self) -> None:
        self._started: list[Started] = []

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Started:
        child = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
        self._started.append(child)
        return child

    def end(self) -> None:
        for child in self._started:
            # The leader may be dead and its own children not.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            child.wait()
        self._started = []


def dead_pid() -> int:
    """The number of a process that lived and is gone."""
    done = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, check=True)
    return int(done.stdout)


def is_gone(pid: str, *, deadline_s: float = 30) -> bool:
    """Whether a process is gone, or is by the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False
