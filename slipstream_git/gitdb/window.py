"""A repository of somebody else's, seen through directories that he opened and handed over.

A server may read more than those who ask it; so it must not open, for one of them, what he could
not open himself. Names prove nothing, since whoever owns a repository may put a symlink, an
alternate or a worktree's path into it that leads to another user's. Here nothing is opened by name:
every file is reached from a descriptor that was handed over, one directory after the other, no
symlink is followed, and the mode of each file and directory must let that user read.

git itself never sees the directory. It reads a window: a bare git directory of the server's own,
whose packs are links to the descriptors that were opened, and whose loose objects, refs and HEAD
are copies. So no configuration, hook, filter, alternate or remote of the repository counts, its
owner is nobody's concern, and what slip writes stays in the window.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple
from slipstream_git.text.objectid import is_id

CONFIG: Final = b"""\
[core]
\trepositoryformatversion = 0
\tbare = true
[gc]
\tauto = 0
[slip]
\twholeSegments = true
"""
MOST_REFS: Final = 100_000
MOST_PACKS: Final = 200
MOST_LOOSE_BYTES: Final = 1 << 30
_LONGEST_REF: Final = 4096
_LONGEST_PACKED: Final = 64 << 20
_PACK: Final = re.compile(r"pack-[0-9a-f]{40}\.idx")
_REST: Final = re.compile("[0-9a-f]{38}")
# Names of refs that git itself takes, and no others.
_REF: Final = re.compile(r"refs(/(?![.])((?!\.\.|@\{)[^\x00-\x20\x7f~^:?*\[\\/])+(?<![.]))+")
# A change within a tick of the clock leaves a directory's time as it was.
_TICK_NS: Final = 100_000_000
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FANS: Final = tuple(f"{number:02x}" for number in range(256))
_ATTEMPTS: Final = 3
# What whoever owns a repository can bring about there. The rest is this machine's, or the server's.
_OWNERS: Final = frozenset(
    (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENXIO)
)
_DEEPEST: Final = 5

# A directory's number and time; the time is 0 where it may change without being seen to.
_State = tuple[int, int]


class Reader(NamedTuple):
    """For whom something is read. groups: all of his."""

    user: int
    groups: frozenset[int]

    def may(self, found: os.stat_result) -> bool:
        """Whether the mode lets him read a file, or list and enter a directory."""
        needed = 0o5 if stat.S_ISDIR(found.st_mode) else 0o4
        if self.user == 0:
            return True
        if found.st_uid == self.user:
            needed <<= 6
        elif found.st_gid in self.groups:
            needed <<= 3
        return found.st_mode & needed == needed


class _Pack(NamedTuple):
    """Descriptors of its two files."""

    names: int
    objects: int


class Closed(Exception):
    """Something is not there, or not for this user: nobody is told which."""


class Window:
    """One repository as one user may read it.

    place: the window's own directory, made here. handed: descriptors of the common git directory
    and of further object directories (its alternates); they are duplicated.
    """

    def __init__(self, place: str, handed: Sequence[int], reader: Reader) -> None:
        self.place = place
        self._reader = reader
        self._packs: dict[str, _Pack] = {}
        self._pack_states: tuple[_State | None, ...] = ()
        # Of each object directory: what its directories of loose objects held, and their states.
        self._loose: list[dict[str, set[str]]] = [{} for _ in handed]
        self._states: dict[tuple[int, str], _State | None] = {}
        # Directories of loose objects that may hold some that are gone.
        self._changed = set[str]()
        self._loose_bytes = 0  # of all copies
        self._refs: bytes | None = None
        self._now_ns = 0
        self._handed: list[int] = []
        try:
            with _of_owner():
                for fd in handed:
                    self._handed.append(os.dup(fd))
                    if not stat.S_ISDIR(self._check(fd).st_mode):
                        raise Closed  # noqa: TRY301  (closed below)
            with of_server():
                self._make()
            self.look()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for fd in (*self._handed, *(fd for held in self._packs.values() for fd in held)):
            os.close(fd)
        self._handed, self._packs = [], {}
        with suppress(OSError):  # the next window at this place does it again
            self._clear()

    def look(self) -> None:
        """Bring the window up to what is there now.

        Raises `Closed`, `too-large`, `unsupported`, and `git-failed` for a fault of the server's.
        """
        git_dir = self._handed[0]
        with of_server():
            os.utime(self.place)  # by the clock that directories have
            self._now_ns = os.stat(self.place).st_mtime_ns
        with _of_owner():
            if os.fstat(git_dir).st_nlink == 0:
                raise Closed
            # Refs first: what they name is written before they are.
            head, refs = self._text(git_dir, "HEAD", _LONGEST_REF), self._refs_now()
            self._look_at_objects()
            has_alternates = not self._handed[1:] and self._has_alternates()
        if has_alternates:
            raise SlipError("unsupported", "hand its other object directories over (alternates)")
        with of_server():
            self._write_refs(head, refs)

    # What is opened ----------------------------------------------------------------------------

    def _check(self, fd: int) -> os.stat_result:
        found = os.fstat(fd)
        if not self._reader.may(found):
            raise Closed
        if "system.posix_acl_access" in _attributes(fd):
            raise Closed  # its mode does not say who may read
        return found

    @contextmanager
    def _opened(self, directory: int, name: str, flags: int) -> Iterator[int]:
        fd = os.open(name, flags, dir_fd=directory)
        try:
            found = self._check(fd)
            if flags == _FILE and not stat.S_ISREG(found.st_mode):
                raise Closed
            yield fd
        finally:
            os.close(fd)

    def _text(self, directory: int, name: str, most: int) -> bytes:
        with self._opened(directory, name, _FILE) as fd:
            return _whole(fd, most)

    # Refs --------------------------------------------------------------------------------------

    def _refs_now(self) -> dict[str, str]:
        git_dir = self._handed[0]
        loose: dict[str, str] = {}
        with self._opened(git_dir, "refs", _DIRECTORY) as refs:
            self._loose_refs(refs, "refs", loose)
        packed: dict[str, str] = {}
        with suppress(FileNotFoundError):
            text = os.fsdecode(self._text(git_dir, "packed-refs", _LONGEST_PACKED))
            for line in text.split("\n"):
                value, _, name = line.partition(" ")
                if value[:1] not in "#^" and _REF.fullmatch(name):
                    packed[name] = value
        found = packed | loose
        if len(found) > MOST_REFS:
            raise SlipError("too-large", f"it has over {MOST_REFS} refs")
        if any(len(value) == 64 for value in found.values()):
            raise SlipError("unsupported", "it holds sha256 objects; slip needs sha1")
        return {name: oid for name in found if (oid := _pointed(found, name)) is not None}

    def _loose_refs(self, directory: int, prefix: str, found: dict[str, str]) -> None:
        for name in os.listdir(directory):
            path = f"{prefix}/{name}"
            if name.endswith(".lock") or not _REF.fullmatch(path) or len(found) > MOST_REFS:
                continue
            with suppress(FileNotFoundError):  # deleted meanwhile
                try:
                    with self._opened(directory, name, _DIRECTORY) as below:
                        self._loose_refs(below, path, found)
                except NotADirectoryError:
                    text = self._text(directory, name, _LONGEST_REF)
                    found[path] = os.fsdecode(text).strip()

    def _write_refs(self, head: bytes, refs: dict[str, str]) -> None:
        said = os.fsdecode(head).strip()
        target = said.removeprefix("ref:").strip()
        if not (is_id(said) or _REF.fullmatch(target)):
            raise Closed
        rows = [f"{oid} {name}" for name, oid in sorted(refs.items())]
        text = os.fsencode("\n".join(rows) + "\n" if rows else "")
        if self._refs != head + b"\0" + text:
            self._put("packed-refs", text)
            self._put("HEAD", os.fsencode(said + "\n"))
            self._refs = head + b"\0" + text

    # Objects -----------------------------------------------------------------------------------

    def _look_at_objects(self) -> None:
        with self._opened(self._handed[0], "objects", _DIRECTORY) as objects:
            directories = (objects, *self._handed[1:])
            # Loose ones first: git removes them when the pack that has them is there.
            self._look_at_loose(directories)
            for attempt in range(_ATTEMPTS):
                try:
                    self._look_at_packs(directories)
                    break
                except FileNotFoundError:  # repacked meanwhile
                    if attempt + 1 == _ATTEMPTS:
                        raise

    def _look_at_loose(self, directories: Sequence[int]) -> None:
        """Copy loose objects that are new; first remove those that are gone, which make room."""
        changed: list[tuple[int, str, _State | None]] = []
        for number, directory in enumerate(directories):
            for name in _FANS:
                state = _state(directory, name)
                if state is None and not self._loose[number].get(name):
                    continue
                if state is not None and self._states.get((number, name)) == state:
                    continue
                self._states.pop((number, name), None)
                self._changed.add(name)
                self._loose[number][name] = self._listed(directory, name)
                changed.append((number, name, state))
        with of_server():
            for name in sorted(self._changed):
                self._drop_gone(name)
        for number, name, state in changed:
            self._copy_fan(directories[number], name, self._loose[number][name])
            self._states[number, name] = _settled(state, self._now_ns)

    def _listed(self, directory: int, name: str) -> set[str]:
        with suppress(FileNotFoundError), self._opened(directory, name, _DIRECTORY) as fan:
            return {rest for rest in os.listdir(fan) if _REST.fullmatch(rest)}
        return set()

    def _drop_gone(self, name: str) -> None:
        own = os.path.join(self.place, "objects", name)
        os.makedirs(own, mode=0o700, exist_ok=True)
        there = set[str]().union(*(listed.get(name, ()) for listed in self._loose))
        for gone in set(os.listdir(own)) - there:
            path = os.path.join(own, gone)
            size = os.stat(path).st_size
            os.unlink(path)
            if _REST.fullmatch(gone):  # and not half a copy
                self._loose_bytes -= size
        self._changed.discard(name)

    def _copy_fan(self, directory: int, name: str, listed: set[str]) -> None:
        with of_server():
            wanted = listed - set(os.listdir(os.path.join(self.place, "objects", name)))
        if not wanted:
            return
        with suppress(FileNotFoundError), self._opened(directory, name, _DIRECTORY) as fan:
            for rest in wanted:
                with suppress(FileNotFoundError):  # packed meanwhile
                    self._copy(fan, rest, f"objects/{name}/{rest}")

    def _copy(self, directory: int, name: str, path: str) -> None:
        with self._opened(directory, name, _FILE) as fd:
            if self._loose_bytes + os.fstat(fd).st_size > MOST_LOOSE_BYTES:
                raise SlipError("too-large", "its loose objects are too many", hint="git gc")
            text = _whole(fd, MOST_LOOSE_BYTES - self._loose_bytes)
        with of_server():
            self._put(path, text)
        self._loose_bytes += len(text)

    def _look_at_packs(self, directories: Sequence[int]) -> None:
        states = tuple(_state(directory, "pack") for directory in directories)
        if states == self._pack_states:
            return
        wanted = set[str]()
        for directory in directories:
            with self._opened(directory, "pack", _DIRECTORY) as packs:
                names = {name[:-4] for name in os.listdir(packs) if _PACK.fullmatch(name)}
                if len(wanted | names) > MOST_PACKS:
                    raise SlipError("too-large", f"it has over {MOST_PACKS} packs", hint="git gc")
                for name in sorted(names - wanted):
                    self._link(packs, name)
                wanted |= names
        for name in self._packs.keys() - wanted:
            self._unlink(name)
        self._pack_states = tuple(_settled(state, self._now_ns) for state in states)

    def _link(self, directory: int, name: str) -> None:
        """See that both files of a pack are in the window, as they are there now."""
        with (
            self._opened(directory, f"{name}.idx", _FILE) as index,
            self._opened(directory, f"{name}.pack", _FILE) as pack,
        ):
            known = self._packs.get(name)
            if known is not None:
                if os.path.sameopenfile(known.names, index):
                    return
                self._unlink(name)
            with of_server():
                held = self._packs[name] = _held(index, pack)
        try:
            with of_server():
                for suffix, fd in (("pack", held.objects), ("idx", held.names)):
                    os.symlink(f"/proc/{os.getpid()}/fd/{fd}", self._path_of(name, suffix))
        except SlipError:
            self._unlink(name)  # or it would pass for linked
            raise

    def _unlink(self, name: str) -> None:
        held = self._packs.pop(name)
        for fd in held:
            os.close(fd)
        for suffix in ("idx", "pack"):
            with of_server(), suppress(FileNotFoundError):
                os.unlink(self._path_of(name, suffix))

    def _path_of(self, name: str, suffix: str) -> str:
        return os.path.join(self.place, "objects", "pack", f"{name}.{suffix}")

    def _has_alternates(self) -> bool:
        try:
            with (
                self._opened(self._handed[0], "objects", _DIRECTORY) as objects,
                self._opened(objects, "info", _DIRECTORY) as info,
            ):
                return bool(self._text(info, "alternates", _LONGEST_PACKED).strip())
        except FileNotFoundError:
            return False

    def _make(self) -> None:
        for name in ("objects/info", "refs"):
            os.makedirs(os.path.join(self.place, name), mode=0o700, exist_ok=True)
        self._clear()  # of a server that is gone
        os.mkdir(os.path.join(self.place, "objects", "pack"), mode=0o700)
        self._put("config", CONFIG)
        self._put("HEAD", b"ref: refs/heads/main\n")

    def _clear(self) -> None:
        """Leave no object: what is pruned while no window is open must not be found by the next."""
        objects = os.path.join(self.place, "objects")
        for name in os.listdir(objects):
            if name in _FANS or name == "pack":
                shutil.rmtree(os.path.join(objects, name))

    def _put(self, name: str, text: bytes) -> None:
        path = os.path.join(self.place, name)
        with open(f"{path}.new", "wb") as stream:
            stream.write(text)
        os.rename(f"{path}.new", path)


@contextmanager
def of_server() -> Iterator[None]:
    """Around what the server does for itself: a fault is told as its own, and without a path."""
    try:
        yield
    except OSError as fault:
        raise SlipError("git-failed", f"the server cannot do that now: {fault.strerror}") from None


@contextmanager
def _of_owner() -> Iterator[None]:
    with of_server():
        try:
            yield
        except OSError as fault:
            if fault.errno in _OWNERS:
                raise Closed from None
            raise


def _held(index: int, pack: int) -> _Pack:
    names = os.dup(index)
    try:
        return _Pack(names, os.dup(pack))
    except OSError:
        os.close(names)
        raise


def _whole(fd: int, most: int) -> bytes:
    """What a file holds. Raises `Closed` where that is more than ``most`` bytes."""
    with open(fd, "rb", closefd=False) as stream:
        text = stream.read(most + 1)
    if len(text) > most:
        raise Closed
    return text


def _attributes(fd: int) -> list[str]:
    try:
        return os.listxattr(fd)
    except OSError as fault:
        if fault.errno == errno.ENOTSUP:  # a file system without any
            return []
        raise


def _state(directory: int, name: str) -> _State | None:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _settled(state: _State | None, now_ns: int) -> _State | None:
    if state is None or now_ns - state[1] > _TICK_NS:
        return state
    return state[0], 0


def _pointed(refs: Mapping[str, str], name: str) -> str | None:
    """The id that a ref holds, or the one that it stands for does."""
    for _ in range(_DEEPEST):
        value = refs.get(name)
        if value is None or is_id(value):
            return value
        name = value.removeprefix("ref:").strip()
    return None
