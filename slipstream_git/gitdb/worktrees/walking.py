"""Directories reached without following a symlink, and what stands at a name in one.

Every name is looked at and changed relative to a directory's descriptor. A parent that somebody
swaps for a symlink is noticed at the next visit, and nothing is read or written through it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Self

from slipstream_git.records import NamedTuple

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# File systems without hard links say one of these.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
# What open(2) with O_DIRECTORY and O_NOFOLLOW says to a symlink or a file, by system.
_NO_DIRECTORY = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EMLINK})

_PIECE = 1 << 20


class Leaf(NamedTuple):
    """What stands at a path; ``signature`` changes whenever somebody writes there."""

    kind: str
    signature: tuple[int, ...] = ()
    executable: bool = False
    size: int = 0


ABSENT: Final = Leaf("absent")


class Blocked(Exception):
    """A parent directory is a symlink or a file; ``path`` says which."""

    def __init__(self, path: bytes) -> None:
        super().__init__(path)
        self.path = path


class Walk:
    """A cursor over the directories under ``root`` that follows no symlink below it.

    It holds descriptors for one path's parents at a time (macOS gives a process 256), so visits
    in sorted order are cheap. `forget` drops them: the next visit looks at the names again.
    """

    def __init__(self, root: str) -> None:
        self._root = os.open(root, DIRECTORY)
        self._parts: list[bytes] = []
        self._fds: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()
        os.close(self._root)

    def forget(self) -> None:
        self._keep(0)

    def enter(self, directory: Sequence[bytes]) -> int:
        """A descriptor of that directory, valid until the next call.

        Raises FileNotFoundError, or `Blocked` where a component is no directory.
        """
        same = 0
        for ours, theirs in zip(self._parts, directory, strict=False):
            if ours != theirs:
                break
            same += 1
        self._keep(same)
        for part in directory[same:]:
            self._push(part)
        return self._here

    def nearest(self, directory: Sequence[bytes]) -> tuple[int, tuple[bytes, ...]]:
        """The deepest directory on the way there that exists, and its parts."""
        for depth in range(len(directory), 0, -1):
            with suppress(FileNotFoundError, Blocked):
                return self.enter(directory[:depth]), tuple(directory[:depth])
        return self.enter(()), ()

    def make(self, directory: Sequence[bytes]) -> tuple[int, list[tuple[bytes, ...]]]:
        """Like `enter`, but makes what is missing; also gives the directories it made."""
        made = []
        _, there = self.nearest(directory)
        for depth in range(len(there), len(directory)):
            parent = self.enter(directory[:depth])
            try:
                os.mkdir(directory[depth], 0o777, dir_fd=parent)
                made.append(tuple(directory[: depth + 1]))
            except FileExistsError:
                pass  # `enter` finds out what it is
        return self.enter(directory), made

    @property
    def _here(self) -> int:
        return self._fds[-1] if self._fds else self._root

    def _push(self, part: bytes) -> None:
        try:
            fd = os.open(part, DIRECTORY | os.O_NOFOLLOW, dir_fd=self._here)
        except OSError as fault:
            if fault.errno in _NO_DIRECTORY:
                raise Blocked(b"/".join([*self._parts, part])) from None
            raise
        self._fds.append(fd)
        self._parts.append(part)

    def _keep(self, depth: int) -> None:
        while len(self._fds) > depth:
            os.close(self._fds.pop())
            self._parts.pop()


@contextmanager
def beside(root: str, known: int | None, directory: Sequence[bytes]) -> Iterator[int]:
    """A descriptor of a second directory, for calls that need two; ``known``: it is this one.

    Raises FileNotFoundError and `Blocked` as `Walk.enter` does.
    """
    if known is not None:
        yield known
        return
    with Walk(root) as walk:
        yield walk.enter(directory)


class Reading:
    """One file looked at for several comparisons: read once, and only if its size is right."""

    def __init__(self, fd: int, name: bytes, leaf: Leaf) -> None:
        self.leaf = leaf
        self.fault: str | None = None
        self._fd = fd
        self._name = name
        self._data: bytes | None = None

    def target(self) -> bytes:
        return os.readlink(self._name, dir_fd=self._fd)

    def equals(self, data: bytes) -> bool:
        if self.leaf.size != len(data):
            return False
        if self._data is None:
            try:
                self._data = read_regular(self._fd, self._name, self.leaf)
            except OSError as fault:
                self.fault = str(fault.strerror)
        return self._data == data


def leaf_at(fd: int, name: bytes) -> Leaf:
    try:
        return leaf_of(os.stat(name, dir_fd=fd, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def leaf_of(state: os.stat_result) -> Leaf:
    mode = state.st_mode
    if stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISLNK(mode):
        kind = "symlink"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    else:
        kind = "other"
    signature = (
        state.st_dev, state.st_ino, mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns
    )  # fmt: skip
    return Leaf(kind, signature, bool(mode & stat.S_IXUSR), state.st_size)


def identity(leaf: Leaf) -> tuple[int, ...]:
    """The signature without the change time, which our own link and rename calls move."""
    return leaf.signature[:-1]


def shown(path: bytes) -> str:
    """A path as text for a message; a byte that is not UTF-8 as an escape."""
    return path.decode("utf-8", "backslashreplace")


def read_regular(fd: int, name: bytes, leaf: Leaf) -> bytes:
    """The content of the very file that ``leaf`` describes; b"" where it is another by now."""
    source = os.open(name, _READ, dir_fd=fd)
    try:
        if os.fstat(source).st_ino != leaf.signature[1]:
            return b""
        pieces = []
        missing = leaf.size + 1  # one more: a file that grew is not equal
        while missing > 0 and (piece := os.read(source, min(missing, _PIECE))):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(source)


def linked(fd: int, name: bytes, other: int, second: bytes) -> bool:
    """Give a file a second name; False where the file system has no hard links."""
    try:
        os.link(name, second, src_dir_fd=fd, dst_dir_fd=other, follow_symlinks=False)
    except FileExistsError:
        os.unlink(second, dir_fd=other)  # of an earlier run under this token
        return linked(fd, name, other, second)
    except OSError as fault:
        if fault.errno in _NO_LINKS:
            return False
        raise
    return True


def appear(source: int, name: bytes, fd: int, target: bytes) -> None:
    """Give ``name`` its place as ``target``, never over something. Raises FileExistsError.

    Afterwards ``name`` may still be there too.
    """
    try:
        os.link(name, target, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        if leaf_at(fd, target).kind != "absent":
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(name, target, src_dir_fd=source, dst_dir_fd=fd)


def put_back(source: int, aside: bytes, fd: int, name: bytes) -> str | None:
    """What was set aside gets its name again, unless that is taken: then says so."""
    try:
        appear(source, aside, fd, name)
    except FileExistsError:
        return f"changed twice; the other version is {shown(aside)}"
    with suppress(FileNotFoundError):
        os.unlink(aside, dir_fd=source)
    return None


def unlink_known(fd: int, name: bytes, expected: tuple[int, ...], aside: bytes) -> str | None:
    """Unlink a file only if it is this one, even if it is swapped at the last moment."""
    with suppress(FileNotFoundError):
        # A second name of the same file would make the rename do nothing.
        os.unlink(aside, dir_fd=fd)
    os.rename(name, aside, src_dir_fd=fd, dst_dir_fd=fd)
    if identity(leaf_at(fd, aside)) == expected:
        os.unlink(aside, dir_fd=fd)
        return None
    return put_back(fd, aside, fd, name) or "changed since it was placed"
