"""One landing at a time in a repository: flock on `$GIT_COMMON_DIR/slip/lock`.

The kernel gives the lock back when its holder dies, so nobody ever removes it by hand. It is held
for recover, merge, publish and compare-and-swap; git itself does not know it, and is kept out by
the compare-and-swap alone.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.layout import Layout

PATIENCE_S = 60.0
QUEUE_PATIENCE_S = 3600.0
POLL_S = 0.02
Held = AbstractContextManager[None]


@contextmanager
def held(layout: Layout, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the repository's landing lock. Raises `locked` after ``patience_s`` of waiting."""
    with _flocked(layout, "lock", patience_s):
        yield


@contextmanager
def queued(
    layout: Layout, branch: str, *, wanted: bool = True, patience_s: float = QUEUE_PATIENCE_S
) -> Iterator[None]:
    """Where ``wanted``, a place in the queue of slow landings on a branch, one at a time.

    The landing lock is not held meanwhile: those that need no hooks go by.
    """
    if not wanted:
        yield
        return
    name = f"queue-{zlib.crc32(os.fsencode(branch)):08x}"
    with _flocked(layout, name, patience_s):
        yield


def _flocked(layout: Layout, name: str, patience_s: float) -> Held:
    return held_file(os.path.join(layout.slip_dir, name), layout.sharing, patience_s)


@contextmanager
def held_file(path: str, sharing: int, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold a lock file of slip's. Raises `locked` after ``patience_s``, `git-failed`."""
    try:
        handle = opened(path, sharing)
    except OSError as fault:
        raise SlipError("git-failed", f"{path} cannot be written: {fault.strerror}") from None
    try:
        _wait(handle, path, patience_s)
        yield
    finally:
        os.close(handle)


@contextmanager
def held_if_free(path: str, sharing: int) -> Iterator[bool]:
    """Hold a lock file of slip's while inside, if nobody else does; whether it is held.

    Raises OSError where the file cannot be made.
    """
    handle = opened(path, sharing)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def opened(path: str, sharing: int) -> int:
    """A descriptor of a lock file, made where it is missing. Raises OSError."""
    permissions.make_directory(os.path.dirname(path), sharing)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    permissions.adjust(path, sharing)
    return handle


def _wait(handle: int, path: str, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SlipError("locked", f"another landing holds {path}") from None
            time.sleep(POLL_S)
        else:
            return
