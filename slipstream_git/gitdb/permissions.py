"""core.sharedRepository: who may read and write what slip makes in the git directory.

A repository that several users share says so there, and git then widens what the umask of each
has left. slip writes packs and its own files itself, so it does as git's `adjust_shared_perm`
does (path.c, setup.c: `git_config_perm`). Nothing is done where the setting is absent.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

GROUP = 0o660
EVERYBODY = 0o664
_WORDS = {
    "umask": 0, "group": GROUP, "all": EVERYBODY, "world": EVERYBODY, "everybody": EVERYBODY,
    "0": 0, "1": GROUP, "2": EVERYBODY,
    "true": GROUP, "yes": GROUP, "on": GROUP, "": GROUP, "false": 0, "no": 0, "off": 0,
}  # fmt: skip


def parse(value: str | None) -> int:
    """What a setting adds to a file's mode; negative: what the mode becomes, 0: nothing.

    git refuses a value that is none before slip sees it.
    """
    if value is None:
        return 0
    known = _WORDS.get(value.lower())
    if known is not None:
        return known
    try:
        return -(int(value, 8) & 0o666)
    except ValueError:
        return 0


def adjust(path: str, sharing: int) -> None:
    """Give a file or directory that was just made the access that ``sharing`` says.

    Raises OSError; never for what another user made, who has seen to it.
    """
    if not sharing:
        return
    old = os.stat(path).st_mode
    new = wanted(old, sharing)
    if new != stat.S_IMODE(old):
        try:
            os.chmod(path, new)
        except PermissionError:
            if os.stat(path).st_uid == os.geteuid():
                raise


def wanted(mode: int, sharing: int) -> int:
    """The permission bits for something of type and mode ``mode``."""
    bits = stat.S_IMODE(mode)
    tweak = abs(sharing)
    if not mode & stat.S_IWUSR:
        tweak &= ~0o222
    if mode & stat.S_IXUSR:
        tweak |= (tweak & 0o444) >> 2
    new = (bits & ~0o777) | tweak if sharing < 0 else bits | tweak
    if stat.S_ISDIR(mode):
        new |= (new & 0o444) >> 2
        if new & 0o060:
            new |= stat.S_ISGID
    return new


def make_directory(path: str, sharing: int) -> None:
    """A directory and those above it that are missing. No error when it is there."""
    if os.path.isdir(path):
        return
    missing = [path]
    while not os.path.isdir(parent := os.path.dirname(missing[-1])):
        missing.append(parent)
    for directory in reversed(missing):
        try:
            os.mkdir(directory)
        except FileExistsError:
            # Another process was quicker, and it widens it; or a file stands there.
            if not os.path.isdir(directory):
                raise
        else:
            adjust(directory, sharing)


def share(slip_dir: str, sharing: int) -> None:
    """Widen slip's directory and its lock, whoever of the callers made them."""
    for path in (slip_dir, os.path.join(slip_dir, "lock")) if sharing else ():
        with suppress(OSError):
            adjust(path, sharing)
