"""What the users of a shared server have opened, and what they may ask: reading, and no more.

A repository is opened by handing over descriptors of its directories (see `gitdb.window`); after
that its path is but a name which the client gave it. No path that a client says is ever looked at,
so no answer depends on what is there.
"""

from __future__ import annotations

import fcntl
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from weakref import WeakValueDictionary
from zlib import crc32

from slipstream_git.errors import SlipError
from slipstream_git.faces.serving.turns import READERS, Turns
from slipstream_git.gitdb.window import Closed, Reader, Window, of_server
from slipstream_git.workspace import Workspace, look_through

# Of one client: repositories, and directories of one of them.
MOST_OPEN = 32
MOST_HANDED = 8


def no_repository() -> SlipError:
    """The refusal of what is not there, and of what is not this user's to read."""
    return SlipError(
        "missing", "there is no repository of that name that this connection has opened"
    )


class Guest:
    """One client of a shared server.

    take: the descriptors that came from it, which become the caller's. opened: those of a
    repository, by the name that the client gave it.
    """

    def __init__(self, reader: Reader, take: Callable[[], list[int]]) -> None:
        self.reader = reader
        self.take = take
        self.opened: dict[str, tuple[int, ...]] = {}

    def leave(self) -> None:
        for name in list(self.opened):
            self.replace(name, ())

    def replace(self, name: str, handed: Sequence[int]) -> None:
        """Keep these descriptors under a name, and close those that were."""
        for fd in self.opened.pop(name, ()):
            os.close(fd)
        if handed:
            self.opened[name] = tuple(handed)


# Who reads, and the numbers of the directories that were handed over.
_Key = tuple[Reader, tuple[tuple[int, int], ...]]


class _View:
    """A window with a workspace in it."""

    def __init__(self, window: Window, env: Mapping[str, str]) -> None:
        self.users = 0
        self.window = window
        try:
            self.workspace: Workspace = look_through(window.place, env)
        except BaseException:
            window.close()
            raise

    def close(self) -> None:
        self.workspace.repository.close()
        self.window.close()


class Windows:
    """Every repository that users of a shared server have open, each of them for one user.

    root: a directory of the server's own, for what it keeps of them.
    """

    def __init__(self, root: str, env: Mapping[str, str], most: int) -> None:
        self._root = root
        # Segments of the search index are shared among users below this directory.
        self._env = {**env, "XDG_CACHE_HOME": root}
        self._most = most
        self._guard = Lock()
        # Whoever holds one makes, or closes, the window of its key.
        self._lanes: WeakValueDictionary[_Key, Lock] = WeakValueDictionary()
        self._open: OrderedDict[_Key, _View] = OrderedDict()
        self._turns = Turns(READERS)
        self.opened = 0

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, guest: Guest, name: str) -> None:
        """Let a client read the repository whose directories it has handed over.

        Raises `missing`, `quota`, `usage`.
        """
        handed = guest.take()
        try:
            _check(guest, name, handed)
            with self._view(guest.reader, handed):
                pass
        except BaseException:
            for fd in handed:
                os.close(fd)
            raise
        guest.replace(name, handed)

    @contextmanager
    def entered(self, guest: Guest, name: str) -> Iterator[Workspace]:
        """Be alone in a repository that a client has opened, as it is now. Raises `missing`."""
        handed = guest.opened.get(name)
        if handed is None:
            raise no_repository()
        with self._view(guest.reader, handed) as view:
            try:
                yield view.workspace
            except SlipError as fault:
                raise _renamed(fault, view.window.place, name) from None

    def shrink(self, most: int) -> bool:
        """Close what was used longest ago and nobody uses; whether anything was."""
        with self._guard:
            idle = [key for key, view in self._open.items() if not view.users]
            oldest = idle[: max(0, len(self._open) - most)]
        gone = [key for key in oldest if self._close(key)]
        return bool(gone)

    def _close(self, key: _Key) -> bool:
        """Close a window that nobody uses, before another is made at its place; whether it was."""
        with self._lane(key):
            with self._guard:
                view = self._open.get(key)
                if view is None or view.users:
                    return False
                del self._open[key]
            view.close()  # others need not wait while its files are removed
            return True

    def _lane(self, key: _Key) -> Lock:
        with self._guard:
            return self._lanes.setdefault(key, Lock())

    @contextmanager
    def _view(self, reader: Reader, handed: Sequence[int]) -> Iterator[_View]:
        view = self._taken(reader, handed)
        try:
            with self._turns.alone(view):
                try:
                    view.window.look()
                except Closed:
                    raise no_repository() from None
                yield view
        finally:
            with self._guard:
                view.users -= 1
            self.shrink(self._most)

    def _taken(self, reader: Reader, handed: Sequence[int]) -> _View:
        try:
            key = _key(reader, handed)
        except OSError:
            raise no_repository() from None
        with self._lane(key):  # two windows at one place would take each other's packs away
            with self._guard:
                found = self._open.get(key)
                if found is not None:
                    found.users += 1
                    self._open.move_to_end(key)
                    return found
            try:
                window = Window(self._place(key), handed, reader)
            except Closed:
                raise no_repository() from None
            made = _View(window, self._env)
            with self._guard:
                self.opened += 1
                made.users += 1
                self._open[key] = made
                return made

    def _place(self, key: _Key) -> str:
        reader, numbers = key
        groups = crc32(repr(sorted(reader.groups)).encode())
        name = "-".join(f"{device:x}.{inode:x}" for device, inode in numbers)
        place = os.path.join(self._root, f"{reader.user}-{groups:08x}", name)
        with of_server():
            os.makedirs(place, mode=0o700, exist_ok=True)
        return place


def _check(guest: Guest, name: str, handed: Sequence[int]) -> None:
    if not handed:
        raise SlipError("usage", "open comes with descriptors of the git directory")
    if len(guest.opened) >= MOST_OPEN and name not in guest.opened:
        raise SlipError("quota", f"a connection opens at most {MOST_OPEN} repositories")
    # One that only names a place (O_PATH) says nothing of who may read there.
    if any(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH for fd in handed):
        raise no_repository()


def _key(reader: Reader, handed: Sequence[int]) -> _Key:
    found = [os.fstat(fd) for fd in handed]
    return reader, tuple((item.st_dev, item.st_ino) for item in found)


def _renamed(fault: SlipError, place: str, name: str) -> SlipError:
    """An error as it is said of the repository, and not of the window."""
    told = fault.message.replace(place, name)
    return SlipError(fault.code, told, hint=fault.hint, data=fault.data)
