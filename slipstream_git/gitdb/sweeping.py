"""What processes that died left in the object directory and in slip's own: found by their pid.

A power cut may take the number, too; then the file's time tells (`_emptied`).

A number may by then belong to somebody else who lives; then the leftover stays until the next
sweep, which is harmless: a kept pack is only not repacked.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from slipstream_git.gitdb import packs
from slipstream_git.gitdb.layout import Layout
from slipstream_git.gitdb.worktrees import owned

STALE_S = 1.5
_KEEP = re.compile(rb"slip (\d+)\n")
_TEMPORARY = re.compile(r"\.slip-(\d+)-.*")
_QUARANTINE = re.compile(r"(\d+)-.*")


def sweep(layout: Layout) -> None:
    """Release packs that the dead kept, and remove their temporary files and quarantines.

    Called under the landing lock, so that an intent half written is nobody's who lives.
    """
    directory = os.path.join(layout.objects_dir, "pack")
    for name in _names(directory):
        path = os.path.join(directory, name)
        temporary = _TEMPORARY.fullmatch(name)
        if temporary and _is_dead(int(temporary[1])):
            with suppress(OSError):
                os.unlink(path)
    for path in kept_by_the_dead(directory):
        with suppress(OSError):
            os.unlink(path)
    intents = os.path.join(layout.slip_dir, "intents")
    for name in _names(intents):
        if name.endswith(".json.new"):
            with suppress(OSError):
                os.unlink(os.path.join(intents, name))
    quarantine = os.path.join(layout.slip_dir, "quarantine")
    for name in _names(quarantine):
        found = _QUARANTINE.fullmatch(name)
        if found and _is_dead(int(found[1])):
            import shutil  # 2 ms; there is hardly ever one

            shutil.rmtree(os.path.join(quarantine, name), ignore_errors=True)
    owned.sweep(layout)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def kept_by_the_dead(directory: str) -> list[str]:
    """The ``.keep`` files of a pack directory whose writers have died."""
    paths = [os.path.join(directory, n) for n in _names(directory) if n.endswith(".keep")]
    return sorted(path for path in paths if _kept_by_the_dead(path))


def _kept_by_the_dead(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            said, written_at = stream.read(64), os.fstat(stream.fileno()).st_mtime_ns
    except OSError:
        return False
    if not said.strip(b"\0"):
        return _emptied(path, written_at)
    found = _KEEP.fullmatch(said)
    return found is not None and _is_dead(int(found[1]))


def _emptied(path: str, written_at: int) -> bool:
    """Whether a ``.keep`` that says nothing is slip's own, which a power cut emptied.

    While slip lives its own is never empty. It is written before the index of its pack; what a
    person makes beside a pack is younger than that.
    """
    stem = path.removesuffix(".keep")
    if not os.path.basename(stem).startswith(packs.OWN_START):
        return False
    try:
        return written_at <= os.stat(f"{stem}.idx").st_mtime_ns
    except FileNotFoundError:
        return True  # nobody can read such a pack: nor does anybody keep it
    except OSError:
        return False


def _is_dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OverflowError, PermissionError):
        return False
    return False


def clear_stale_locks(common_dir: str) -> bool:
    """Remove locks of slip's own refs that nobody has touched for `STALE_S`; whether any was.

    Only slip moves these refs, and holds a lock for milliseconds; git takes one as shortly when it
    packs them. One that stays was left by a killed `update-ref`. Waits that long to see. Called by
    who finds one in its way, and by `recover` and `gc`: that of a name which nobody takes again is
    in nobody's.
    """
    before = {path: _touched(path) for path in _locks(common_dir)}
    if before:
        time.sleep(STALE_S)
    cleared = False
    for path, touched in before.items():
        if touched is not None and _touched(path) == touched:
            with suppress(FileNotFoundError):
                os.unlink(path)
                cleared = True
    return cleared


def _locks(common_dir: str) -> list[str]:
    found = []
    for namespace in ("refs/slip", "refs/notes/slip"):
        for directory, _, names in os.walk(os.path.join(common_dir, namespace)):
            found += [os.path.join(directory, name) for name in names if name.endswith(".lock")]
    return sorted(found)


def _touched(path: str) -> float | None:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None
