"""The repositories that a server holds open, and two lanes for each.

Opening one costs a few git processes; held open, a call costs none. Calls into the same repository,
through whichever of its worktrees, go one after the other, in a thread of their own: those that
read in one lane, with a handle of its own, and the rest, which may wait for a hook, in another. Few
read at once, whatever they read: Python computes one thing at a time, and who came first is first.
Before each call the place is looked at again: a repository that was moved, deleted or replaced is
opened anew.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.faces.serving.turns import FOR_EVER, READERS, Turns
from slipstream_git.records import NamedTuple
from slipstream_git.workspace import Workspace, open_workspace

# Of the server's own environment: they would give each call the place of whoever started it.
NOT_FOR_CALLS = ("SLIP_SESSION", "GIT_DIR", "GIT_WORK_TREE")


class _Tenant:
    """A repository held open, by the directories that it is made of.

    Their descriptors keep the numbers of these directories from being given to others.
    """

    def __init__(self, place: str, workspace: Workspace) -> None:
        self.workspace = workspace
        self.users = 0
        layout = workspace.repository.layout
        self._pointer = os.path.join(place, ".git")
        self._pointed = _signature(self._pointer)
        paths = dict.fromkeys(filter(None, (place, layout.root, layout.git_dir, layout.common_dir)))
        self._held: dict[str, int] = {}
        try:
            for path in paths:
                self._held[path] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self.close()
            raise

    @property
    def is_current(self) -> bool:
        """Whether every directory is still the one that was opened."""
        try:
            return self._pointed == _signature(self._pointer) and all(
                os.path.samestat(os.stat(path), os.fstat(fd)) for path, fd in self._held.items()
            )
        except OSError:
            return False

    def close(self) -> None:
        for fd in self._held.values():
            os.close(fd)
        self._held = {}
        self.workspace.repository.close()


class _Name(NamedTuple):
    """What a repository is held open as: two who differ in any of it do not share a handle."""

    place: str
    path: str | None
    reading: bool


class Tenants:
    """Repositories by place and $PATH; those used longest ago are closed when over ``most``."""

    def __init__(
        self,
        env: Mapping[str, str],
        most: int,
        in_main_thread: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> None:
        self._env = {name: value for name, value in env.items() if name not in NOT_FOR_CALLS}
        self._path = env.get("PATH")
        self._most = most
        self._in_main_thread = in_main_thread
        self._guard = Lock()
        self._open: OrderedDict[_Name, _Tenant] = OrderedDict()
        self._reading, self._writing = Turns(READERS), Turns()
        self.opened = 0

    def __len__(self) -> int:
        """How many repositories; one that is read and written counts once."""
        with self._guard:
            return len({name.place for name in self._open})

    @contextmanager
    def entered(self, directory: str, *, reading: bool = False) -> Iterator[Workspace]:
        """Be alone in the repository that ``directory`` is in. Raises as `open_workspace` does.

        reading: beside those who write there, alone among those who read.
        """
        with self.tried(directory, self._path, FOR_EVER, reading=reading) as workspace:
            assert workspace is not None  # noqa: S101
            yield workspace

    @contextmanager
    def tried(
        self, directory: str, path: str | None, patience_s: float, *, reading: bool
    ) -> Iterator[Workspace | None]:
        """The same, where others leave it within ``patience_s``; else None.

        path: where programs are looked for, as $PATH has it.
        """
        real = os.path.realpath(directory)
        if not os.path.isdir(real):
            raise SlipError("git-failed", f"{directory} is no directory")
        while True:
            tenant = self._taken(_Name(place_of(real), path, reading))
            lane = tenant.workspace.repository.layout.common_dir
            turns = self._reading if reading else self._writing
            try:
                with turns.alone(lane, patience_s) as is_ours:
                    if not is_ours:
                        yield None
                        return
                    if tenant.is_current:
                        yield tenant.workspace._replace(directory=real)
                        return
                self._forget(tenant)
            finally:
                self._give_back(tenant)

    def close(self) -> None:
        """Close what nobody uses."""
        self.shrink(0)

    def shrink(self, most: int) -> bool:
        """Close what was used longest ago and nobody uses, down to ``most``; whether any was."""
        with self._guard:
            return self._shrink(most)

    def _taken(self, name: _Name) -> _Tenant:
        with self._guard:
            found = self._open.get(name)
            if found is not None:
                found.users += 1
                self._open.move_to_end(name)
                return found
        made = self._made(name)
        with self._guard:
            made.users += 1
            other = self._open.get(name)
            if other is None and _is_of(name.place, made.workspace):
                self._open[name] = made
                self._shrink(self._most)
        return made

    def _made(self, name: _Name) -> _Tenant:
        env = self._env | ({} if name.path is None else {"PATH": name.path})
        workspace = open_workspace(name.place, env, in_process=True)
        workspace = workspace._replace(in_main_thread=self._in_main_thread)
        with self._guard:
            self.opened += 1
        try:
            return _Tenant(name.place, workspace)
        except OSError as fault:
            raise SlipError("git-failed", f"{name.place}: {fault.strerror}") from None

    def _forget(self, tenant: _Tenant) -> None:
        with self._guard:
            for name, held in list(self._open.items()):
                if held is tenant:
                    del self._open[name]

    def _give_back(self, tenant: _Tenant) -> None:
        with self._guard:
            tenant.users -= 1
            if not tenant.users and tenant not in self._open.values():
                tenant.close()
            self._shrink(self._most)

    def _shrink(self, most: int) -> bool:
        # A place is as old as the last use of any of its handles, and closed with all of them.
        latest_first = dict.fromkeys(name.place for name in reversed(self._open))
        busy = {name.place for name, held in self._open.items() if held.users}
        idle = [place for place in reversed(latest_first) if place not in busy]
        oldest = idle[: max(0, len(latest_first) - most)]
        gone = [name for name in self._open if name.place in oldest]
        for name in gone:
            self._open.pop(name).close()
        return bool(gone)


def place_of(directory: str) -> str:
    """The nearest directory, upwards, that looks like a repository's: git itself decides there."""
    here = directory
    while True:
        if is_place(here):
            return here
        above = os.path.dirname(here)
        if above == here:
            return directory
        here = above


def is_place(directory: str) -> bool:
    """Whether it looks like a repository's."""
    return os.path.lexists(os.path.join(directory, ".git")) or _may_be_git_dir(directory)


def _may_be_git_dir(directory: str) -> bool:
    inside = (os.path.join(directory, name) for name in ("objects", "commondir"))
    return os.path.lexists(os.path.join(directory, "HEAD")) and any(map(os.path.exists, inside))


def _is_of(place: str, workspace: Workspace) -> bool:
    """Whether git found the repository at the place itself, and not further up."""
    layout = workspace.repository.layout
    git_dir = os.path.realpath(layout.git_dir)
    root = os.path.realpath(layout.root) if layout.root else git_dir
    return place in (root, git_dir, os.path.dirname(git_dir))


def _signature(pointer: str) -> tuple[int, ...]:
    """What tells one `.git` from another; of a directory its number, which a descriptor holds."""
    try:
        found = os.lstat(pointer)
    except OSError:
        return ()
    same = (found.st_dev, found.st_ino, found.st_mode)
    return same if os.path.isdir(pointer) else (*same, found.st_mtime_ns, found.st_size)
