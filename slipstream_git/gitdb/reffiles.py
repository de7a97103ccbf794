"""Refs as they are stored, read without a process: a file each, and packed-refs for the rest.

What stands there is given as it is: an id, ``ref: NAME`` for a symbolic ref, or what broke it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

SYMBOLIC = "ref:"
_LOCK = ".lock"
_LONGEST = 4096


def below(common_dir: str, prefix: str) -> dict[str, str]:
    """What each ref below ``prefix`` holds, by name, sorted. Raises OSError.

    prefix: ends with a slash.
    """
    # Loose ones first: git writes packed-refs before it removes what it packed, so that a ref
    # which is packed meanwhile is in one of the two.
    loose = dict(_loose(common_dir, prefix))
    found = dict(_packed(common_dir, prefix)) | loose
    return dict(sorted(found.items()))


def held(common_dir: str, name: str) -> str | None:
    """What the one ref of this full name holds; None where it is not there. Raises OSError."""
    # In the order of `below`, for the same reason.
    try:
        with open(os.path.join(common_dir, name), "rb") as stream:
            return os.fsdecode(stream.read(_LONGEST)).rstrip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return dict(_packed(common_dir, name)).get(name)


def is_symbolic(common_dir: str, name: str) -> bool:
    """Whether a ref stands for another one. One that is packed never does."""
    path = os.path.join(common_dir, name)
    if os.path.islink(path):  # core.preferSymlinkRefs
        return True
    try:
        with open(path, "rb") as stream:
            return stream.read(len(SYMBOLIC)) == SYMBOLIC.encode()
    except OSError:
        return False


def files(common_dir: str, place: str) -> Iterator[str]:
    """The paths of all files below a place among the refs, locks too."""
    for directory, _, names in os.walk(os.path.join(common_dir, place)):
        yield from sorted(os.path.join(directory, name) for name in names)


def _loose(common_dir: str, prefix: str) -> Iterator[tuple[str, str]]:
    for path in files(common_dir, prefix):
        if not path.endswith(_LOCK):
            with suppress(FileNotFoundError), open(path, "rb") as stream:
                yield os.path.relpath(path, common_dir), os.fsdecode(stream.read(_LONGEST)).rstrip()


def _packed(common_dir: str, prefix: str) -> Iterator[tuple[str, str]]:
    try:
        with open(os.path.join(common_dir, "packed-refs"), "rb") as stream:
            text = stream.read()
    except FileNotFoundError:
        return
    wanted = b" " + os.fsencode(prefix)
    at = text.find(wanted)
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        line = text[start : end if end >= 0 else None]
        if line[:1] != b"#":
            oid, _, name = line.partition(b" ")
            yield os.fsdecode(name), os.fsdecode(oid)
        at = text.find(wanted, at + 1)
