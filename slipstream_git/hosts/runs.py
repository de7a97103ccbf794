"""What one run of a host has been told: `$GIT_COMMON_DIR/slip/hosts/<digest>`, a line each.

So that nothing is told twice and nothing is held back twice. Lines are appended in one write under
flock. The file goes when the run ends; one that was left lying goes after a week. Where it cannot
be written, `add` says so, and whoever wanted to hold something back does not.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.layout import Layout
from slipstream_git.text import objectid

_OLD_S: Final = 7 * 86_400
_LARGEST: Final = 1 << 20


def told(place: Layout, run: str) -> set[str]:
    """All that was noted for a run."""
    try:
        with open(_path(place, run), "rb") as stream:
            return set(stream.read(_LARGEST).decode("utf-8", "replace").split("\n")[:-1])
    except OSError:
        return set()


def add(place: Layout, run: str, notes: Iterable[str]) -> bool:
    """Note something for a run; whether it was not there, and is now."""
    path = _path(place, run)
    try:
        permissions.make_directory(os.path.dirname(path), place.sharing)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        before = set(os.pread(handle, _LARGEST, 0).decode("utf-8", "replace").split("\n"))
        new = [note for note in notes if note not in before]
        size = os.fstat(handle).st_size
        data = "".join(f"{note}\n" for note in new).encode()
        if not new or size + len(data) > _LARGEST:
            return False
        permissions.adjust(path, place.sharing)
        if os.write(handle, data) < len(data):  # the disk is full
            os.ftruncate(handle, size)
            return False
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def end(place: Layout, run: str) -> None:
    """Forget a run."""
    with suppress(OSError):
        os.unlink(_path(place, run))


def sweep(place: Layout, now_s: int) -> None:
    """Forget runs that nobody ended."""
    with suppress(OSError), os.scandir(_directory(place)) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.stat().st_mtime < now_s - _OLD_S:
                    os.unlink(entry.path)


def _directory(place: Layout) -> str:
    return os.path.join(place.slip_dir, "hosts")


def _path(place: Layout, run: str) -> str:
    name = objectid.digest(run.encode("utf-8", "surrogatepass")).hex()[:24]
    return os.path.join(_directory(place), name)
