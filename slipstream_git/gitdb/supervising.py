"""A shell command of the user's run without a person at it: bounded in time and in output.

`supervisor` runs it and ends all that came of it, also when this process is killed. What it prints
is read as it comes and its end alone is kept: a gigabyte of it costs neither memory nor disk.
"""

from __future__ import annotations

import json
import os
import select
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from slipstream_git.gitdb.process import Child, Git
from slipstream_git.records import NamedTuple

KEPT_BYTES: Final = 8192
# Beside that, of what stood before: more than the longest credential (text/secrets.py).
BEFORE_BYTES: Final = 20_480
GRACE_S: Final = 5.0
_LOOK_EVERY_MS: Final = 250
_READ_BYTES: Final = 1 << 16


class Ended(NamedTuple):
    """How a command ended. status: negative for a signal; None where nobody could tell.

    tail: the end of what it printed, both streams in one. before: what stood right before that, for
    whoever has to know what the tail begins with.
    """

    status: int | None
    timed_out: bool
    tail: bytes
    before: bytes = b""


class Tail:
    """The last bytes of what is added, and some before them."""

    def __init__(self, most: int = KEPT_BYTES, before: int = BEFORE_BYTES) -> None:
        self._most = most
        self._held = most + before
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > 2 * self._held:
            del self._kept[: -self._held]

    @property
    def data(self) -> bytes:
        return bytes(self._kept[-self._most :])

    @property
    def before(self) -> bytes:
        return bytes(self._kept[-self._held : -self._most])


def run(
    git: Git,
    command: str,
    *,
    timeout_s: float,
    held: tuple[int, ...] = (),
    kept_bytes: int = KEPT_BYTES,
    ticking: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a command by ``sh -c`` where ``git`` stands, with nothing to read, to the end of it all.

    held: descriptors of locks that are kept until then. kept_bytes: how long its tail may be.
    ticking: is called a few times a second.
    Raises OSError, and KeyboardInterrupt after all of it has ended.
    """
    heard, said = os.pipe()
    told, report = os.pipe()
    child: Child | None = None
    try:
        try:
            child = git.supervised(command, said, report, held, (timeout_s, GRACE_S))
        finally:
            os.close(said)
            os.close(report)
        return _watched(child, heard, told, Tail(kept_bytes), ticking)
    except BaseException:
        # Interrupted before it was watched, say: whoever watches over it sees that nobody is here.
        if child is not None and child.returncode is None:
            _close(child)
            child.wait()
        raise
    finally:
        os.close(heard)
        os.close(told)


def _watched(child: Child, heard: int, told: int, tail: Tail, ticking: Callable[[], None]) -> Ended:
    report = b""
    os.set_blocking(heard, False)
    interrupted = 0
    poll, is_over = select.poll(), False
    for end in (heard, told):
        poll.register(end, select.POLLIN)
    while not is_over:
        try:
            for end, _ in poll.poll(_LOOK_EVERY_MS):
                data = os.read(end, _READ_BYTES)
                if not data:
                    poll.unregister(end)
                    is_over = is_over or end == told
                elif end == heard:
                    tail.add(data)
                else:
                    report += data
            ticking()
        except KeyboardInterrupt:
            interrupted += 1
            _tell(child, interrupted)
    with suppress(BlockingIOError):  # held open by somebody who could not be ended
        while data := os.read(heard, _READ_BYTES):
            tail.add(data)
    _close(child)
    child.wait()
    if interrupted:
        raise KeyboardInterrupt
    facts = json.loads(report) if report.endswith(b"\n") else {}
    return Ended(facts.get("status"), bool(facts.get("timed_out")), tail.data, tail.before)


def _tell(child: Child, times: int) -> None:
    """Have the command end; asked for the second time, at once."""
    if child.stdin is not None and times == 1:
        with suppress(OSError):
            os.write(child.stdin.fileno(), b"x")
    else:
        _close(child)


def _close(child: Child) -> None:
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()
