"""A place for objects that may come to nothing: what a merge or a preview writes.

Git writes there (GIT_OBJECT_DIRECTORY) and reads the repository as an alternate; what is wanted
is read back into the overlay, and the directory goes. So a refused landing leaves no object.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import packs, permissions
from slipstream_git.gitdb.layout import Layout
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.repository import Repository


class Quarantine:
    """An object directory of its own. ``env`` is what a git child needs to use it."""

    def __init__(self, directory: str, repository: Repository) -> None:
        self.directory = directory
        self.env: Mapping[str, str] = {
            "GIT_OBJECT_DIRECTORY": directory,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(repository.layout.objects_dir),
        }

    def read(self, oid: str) -> bytes | None:
        """The content of an object that a git child wrote here; None where it did not."""
        try:
            return _read_loose(os.path.join(self.directory, oid[:2], oid[2:])).data
        except FileNotFoundError:
            return None

    def loose(self) -> Iterator[RawObject]:
        """The objects that git children wrote here."""
        for name in sorted(os.listdir(self.directory)):
            folder = os.path.join(self.directory, name)
            if len(name) == 2:
                for rest in sorted(os.listdir(folder)):
                    yield _read_loose(os.path.join(folder, rest))


@contextmanager
def opened(
    repository: Repository, extra: Mapping[str, RawObject] | None = None
) -> Iterator[Quarantine]:
    """A quarantine that sees the repository, its overlay and ``extra``; gone on exit."""
    directory = private_directory(repository.layout)
    try:
        pending = {**repository.objects.pending(), **(extra or {})}
        if pending:
            packs.publish(directory, pending, sharing=repository.layout.sharing)
        yield Quarantine(directory, repository)
    finally:
        remove(directory)


def private_directory(layout: Layout) -> str:
    """A new directory of this process, which is swept away if it dies. Raises `git-failed`."""
    parent = os.path.join(layout.slip_dir, "quarantine")
    try:
        permissions.make_directory(parent, layout.sharing)
        directory = _new_directory(os.path.join(parent, f"{os.getpid()}-"))
        permissions.adjust(directory, layout.sharing)
    except OSError as fault:
        raise SlipError("git-failed", f"{parent} cannot be written: {fault.strerror}") from None
    return directory


def _new_directory(start: str) -> str:
    """A directory for nobody else, whose path begins so; `tempfile` takes long to load."""
    for number in count():
        with suppress(FileExistsError):
            os.mkdir(f"{start}{number}", 0o700)
            break
    return f"{start}{number}"


def discard(layout: Layout, directory: str) -> None:
    """Remove a directory of the git directory: gone at once, by one rename, where there is room."""
    with suppress(SlipError, OSError):
        room = private_directory(layout)
        os.rename(directory, os.path.join(room, os.path.basename(directory)))
        directory = room
    remove(directory)


def remove(directory: str) -> None:
    """Remove a private directory; what cannot be removed is swept away later."""
    import shutil  # a cold start does not pay for it

    shutil.rmtree(directory, ignore_errors=True)


def _quoted(path: str) -> str:
    """A path in GIT_ALTERNATE_OBJECT_DIRECTORIES, where ``:`` separates and quotes protect."""
    if ":" not in path and not path.startswith('"'):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _read_loose(path: str) -> RawObject:
    with open(path, "rb") as stream:
        header, _, data = zlib.decompress(stream.read()).partition(b"\0")
    return RawObject(header.split(b" ")[0].decode(), data)
