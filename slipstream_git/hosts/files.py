"""Files of a host, read and written whole: a file is there as it was, or as it is to be."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

from slipstream_git.errors import SlipError, of_system
from slipstream_git.records import NamedTuple

LARGEST: Final = 16 << 20


class Change(NamedTuple):
    """What a file holds, and what it is to hold; None for no file."""

    path: str
    old: str | None
    new: str | None

    @property
    def action(self) -> str:
        if self.old == self.new:
            return "keep"
        if self.old is None:
            return "create"
        return "remove" if self.new is None else "change"

    @property
    def diff(self) -> str:
        if self.old == self.new:
            return ""
        import difflib

        rows = difflib.unified_diff(
            (self.old or "").splitlines(keepends=True), (self.new or "").splitlines(keepends=True),
            self.path if self.old is not None else "/dev/null",
            self.path if self.new is not None else "/dev/null",
        )  # fmt: skip
        return "".join(row if row.endswith("\n") else f"{row}\n" for row in rows)


def read(path: str) -> str | None:
    """A file's text; None where there is none. Raises `encoding`, `unsupported`, `git-failed`."""
    try:
        # Nobody waits for who writes into a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        raise of_system(fault) from None
    with open(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise SlipError("unsupported", f"{path} is no regular file")
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise SlipError("too-large", f"{path} is longer than any configuration")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SlipError("encoding", f"{path} is not UTF-8, so it is left as it is") from None


def write(change: Change, token: str) -> None:
    """Bring a file to what it is to hold. A link is followed; its target keeps its mode."""
    place = os.path.realpath(change.path)
    try:
        if change.new is None:
            os.unlink(change.path)
            return
        os.makedirs(os.path.dirname(place), exist_ok=True)
        aside = f"{place}.slip-{token}"
        try:
            with open(aside, "xb") as stream:
                stream.write(change.new.encode())
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileNotFoundError):
                os.chmod(aside, stat.S_IMODE(os.stat(place).st_mode))
            os.rename(aside, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(aside)
            raise
    except OSError as fault:
        raise of_system(fault) from None


def tidy(directory: str) -> None:
    """Remove directories below one, and it, that have nothing in them."""
    for place, _, _ in os.walk(directory, topdown=False):
        with suppress(OSError):
            os.rmdir(place)
