"""When what was written is on the disk: before it gets its name, before the next step, or never.

An fsync for each file and directory grows with the landing, and each is a commit of the disk's
journal. syncfs(2) takes a whole file system in one. So only what must be whole *before it gets its
name* is synced by itself (a pack, an intent, an index: a number that is fixed); what has to be
there *before the next step* is left to the barrier that stands before that step.

Only where one call is known to be as good: a Linux that reports what it could not write (5.8), and
a file system that keeps its own pages. A network's or FUSE's server hears nothing of syncfs, and
overlayfs does not tell of its upper file system's faults. There, on macOS, and where a directory
of the worktree is another file system, each file and directory is synced by itself.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL, ENOTSUP
from functools import cache
from typing import Any, Final

from slipstream_git.errors import SlipError
from slipstream_git.text.decimals import decimal

# f_type as statfs(2) lists it: ext4 (and ext3, ext2), XFS, Btrfs, tmpfs.
_WHOLE: Final = frozenset({0xEF53, 0x58465342, 0x9123683E, 0x01021994})
_REPORTS_FAULTS: Final = (5, 8)
# Nobody stops a write that has begun.
_MOST_AT_ONCE: Final = 64 << 20
_STATFS_BYTES: Final = 512  # more than any libc's struct; its first field is the type


class Barrier:
    """What waits for the disk, and when. Outside of `over`, all is synced at once.

    wanted: False syncs nothing.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted
        self._fds: dict[int, int] = {}  # by device

    @contextmanager
    def over(self, paths: Iterable[str]) -> Iterator[None]:
        """Cover the file systems of these paths, where they allow it. Nothing is written before.

        For syncfs tells each descriptor of the faults since it was opened.
        """
        libc = _libc() if self._wanted else None
        try:
            for path in paths if libc is not None else ():
                with suppress(OSError):
                    device = os.stat(path).st_dev
                    if device not in self._fds and _is_whole(libc, path):
                        self._fds[device] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            yield
        finally:
            while self._fds:
                os.close(self._fds.popitem()[1])

    def needs_now(self, path: str) -> bool:
        """Whether what is at a path must be synced by itself: `raised` does not take it along."""
        if not self._wanted:
            return False
        with suppress(OSError):
            return os.stat(path).st_dev not in self._fds
        return True

    def now(self, fd: int) -> None:
        """To the disk before this returns: for what must be whole when it gets its name."""
        if self._wanted:
            fsync(fd)

    def now_path(self, path: str) -> None:
        if self._wanted:
            _at_path(path, self.now)

    def leave(self, fd: int) -> None:
        """To the disk by the next `raised`, or now where that does not cover it."""
        if self._wanted and os.fstat(fd).st_dev not in self._fds:
            fsync(fd)

    def leave_path(self, path: str) -> None:
        if self._wanted:
            _at_path(path, self.leave)

    def raised(self) -> None:
        """Wait until all that was left to this is on the disk. Raises `git-failed`."""
        for fd in self._fds.values():
            try:
                _syncfs(fd)
            except OSError as fault:
                raise SlipError(
                    "git-failed", f"what was written cannot be synced to disk: {fault.strerror}"
                ) from None


AT_ONCE: Final = Barrier()
NEVER: Final = Barrier(wanted=False)


def fsync(fd: int) -> None:
    """To the disk, and on macOS past its cache, as git does."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):
            fcntl.fcntl(fd, full)
            return
    try:
        os.fsync(fd)
    except OSError as fault:
        if fault.errno not in (EINVAL, ENOTSUP):  # a directory on some file systems
            raise


def _at_path(path: str, call: Callable[[int], None]) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        call(fd)
    finally:
        os.close(fd)


@cache
def _libc() -> Any:  # noqa: ANN401  (ctypes knows its functions by name only)
    """The C library, None where syncfs is not what is promised above."""
    if not sys.platform.startswith("linux") or _kernel() < _REPORTS_FAULTS:
        return None
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        has_both = hasattr(libc, "syncfs") and hasattr(libc, "statfs")
    except (ImportError, OSError):
        return None
    return libc if has_both else None


def _kernel() -> tuple[int, ...]:
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(decimal(number) or 0 for number in numbers)


def _is_whole(libc: Any, path: str) -> bool:  # noqa: ANN401
    import ctypes

    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if libc.statfs(os.fsencode(path), buffer) != 0:
        return False
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF in _WHOLE


def _syncfs(fd: int) -> None:
    import ctypes

    if _libc().syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def write_all(fd: int, data: bytes) -> None:
    """Write all of it; one call may take less. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view[:_MOST_AT_ONCE]) :]
