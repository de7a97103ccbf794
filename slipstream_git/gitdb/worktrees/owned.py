"""Linked worktrees that belong to a session: which they are, how one is made, how one goes.

A file in the worktree's own git directory, `slip-session`, holds the session's name and the id of
its begin commit. git keeps that file when the worktree is moved and drops it when it is pruned.

One that is being made stands beside its place under another name, and gets its own by one rename;
one that goes is renamed first. So a worktree is there whole or not at all, and what a dead process
left says in its git directory where it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import permissions, quarantine
from slipstream_git.gitdb.layout import SESSION_MARK as MARK
from slipstream_git.gitdb.layout import Layout
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.worktrees.jobs import TEMPORARY
from slipstream_git.hints import command
from slipstream_git.records import NamedTuple

# While one is made or goes: where its files are meanwhile.
_MAKING: Final = "slip-making"
_GOING: Final = "slip-going"
# It has been looked at there, and goes for good.
_GONE: Final = "slip-gone"
_LOCKED: Final = "locked"


class Owned(NamedTuple):
    """A session's worktree. ``begin`` is its begin commit: names are used again."""

    session: str
    begin: str
    root: str
    git_dir: str

    @property
    def is_there(self) -> bool:
        """Whether the directory is there and is this one: another may stand in its place by now."""
        said = _read(os.path.join(self.root, ".git")).removeprefix("gitdir:").strip()
        place = os.path.join(self.root, said)
        return bool(said) and os.path.realpath(place) == os.path.realpath(self.git_dir)

    @property
    def is_locked(self) -> bool:
        return os.path.exists(os.path.join(self.git_dir, _LOCKED))


def read(git_dir: str) -> Owned | None:
    """The session's worktree that has this git directory; None where it is nobody's."""
    said = _read(os.path.join(git_dir, MARK))
    name, _, begin = said.partition(" ")
    if not begin:
        return None
    dot_git = os.path.join(git_dir, _read(os.path.join(git_dir, "gitdir")))
    return Owned(name, begin, os.path.dirname(os.path.normpath(dot_git)), git_dir)


def every(common_dir: str) -> Iterator[Owned]:
    """All of the repository's, those too whose directory is gone."""
    parent = os.path.join(common_dir, "worktrees")
    for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else ():
        owned = read(os.path.join(parent, name))
        if owned is not None:
            yield owned


def tidied(layout: Layout, owned: Owned) -> Owned | None:
    """What a dead process left half way, brought to an end; None where no worktree is left.

    The caller holds the landing lock. Raises `git-failed` where one cannot have its name back.
    """
    making, going = (_read(os.path.join(owned.git_dir, name)) for name in (_MAKING, _GOING))
    if making and not owned.is_there:
        _remove_aside(making)
        quarantine.discard(layout, owned.git_dir)
        return None
    if making:
        _settle(owned)
    if going and not owned.is_there:
        if not os.path.isdir(going) or _is_left(owned, going):
            _remove_aside(going)
            quarantine.discard(layout, owned.git_dir)
            return None
        _give_back(going, owned.root)  # what it holds by now is looked at again
    _unlink(owned, _GONE, _GOING)
    return owned


def _give_back(aside: str, root: str) -> None:
    try:
        os.rename(aside, root)
    except OSError as fault:
        raise SlipError(
            "git-failed",
            f"{aside} cannot be {root} again: {fault.strerror}",
            hint=command(["ls", "-ld"], map(os.fsencode, (aside, root))),
        ) from None


def _is_left(owned: Owned, aside: str) -> bool:
    """Whether a directory is what a removal left of itself: no file came or changed since."""
    try:
        decided_at = os.stat(os.path.join(owned.git_dir, _GONE)).st_mtime_ns
    except FileNotFoundError:
        return False
    return all(
        os.lstat(os.path.join(directory, name)).st_ctime_ns <= decided_at
        for directory, _, names in os.walk(aside)
        for name in names
    )


def make(repository: Repository, owned: Owned, commit: str, token: str) -> Owned:
    """Make a worktree with its HEAD detached at ``commit``; its git directory is chosen here.

    Raises `exists` for a place that holds something, `git-failed`.
    """
    if os.path.lexists(owned.root) and not _is_empty(owned.root):
        raise SlipError("exists", f"{owned.root} exists and is no empty directory")
    parent, name = os.path.split(owned.root)
    aside = os.path.join(parent, f"{os.fsdecode(TEMPORARY)}{token}-{name}")
    try:
        os.makedirs(parent, exist_ok=True)
        owned = _registered(repository, owned, commit, aside)
        os.mkdir(aside)
        _write(os.path.join(aside, ".git"), f"gitdir: {owned.git_dir}\n")
        repository.git.at(aside, owned.git_dir).run("read-tree", "--reset", "-u", commit)
        os.rename(aside, owned.root)
        _settle(owned)
    except OSError as fault:
        said = f"a worktree cannot be made at {owned.root}: {fault.strerror}"
        raise SlipError("git-failed", said) from None
    except SlipError as fault:
        raise SlipError(fault.code, f"no worktree at {owned.root}: {fault.message}") from None
    finally:
        if owned.git_dir and not owned.is_there:
            with suppress(OSError):  # then the next to look goes on
                _remove_aside(aside)
                quarantine.discard(repository.layout, owned.git_dir)
    return owned


def _registered(repository: Repository, owned: Owned, commit: str, aside: str) -> Owned:
    """A git directory for a worktree that is not there yet; git leaves a locked one alone.

    It gets its files by one rename: a git that lists worktrees fails where it meets half of one.
    """
    layout = repository.layout
    parent = os.path.join(layout.common_dir, "worktrees")
    permissions.make_directory(parent, layout.sharing)
    room = quarantine.private_directory(layout)
    try:
        made = os.path.join(room, "worktree")
        os.mkdir(made)
        permissions.adjust(made, layout.sharing)
        for file, text in (
            (_LOCKED, "slip is making it"),
            (_MAKING, aside),
            ("gitdir", os.path.join(owned.root, ".git")),
            (MARK, f"{owned.session} {owned.begin}"),
            ("commondir", "../.."),
            ("HEAD", commit),
        ):
            _write(os.path.join(made, file), f"{text}\n")
        git_dir = _claimed(parent, os.path.basename(owned.root))
        try:
            os.rename(made, git_dir)
        except OSError:
            os.rmdir(git_dir)
            raise
    finally:
        quarantine.remove(room)
    return owned._replace(git_dir=git_dir)


def _claimed(parent: str, name: str) -> str:
    """An empty directory of this name, or nearly, for nobody else."""
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    name = name.strip(".").removesuffix(".lock") or "session"
    number = 0
    while True:
        git_dir = os.path.join(parent, f"{name}{number or ''}")
        try:
            os.mkdir(git_dir)
        except FileExistsError:
            number += 1
        else:
            return git_dir


def _settle(owned: Owned) -> None:
    _unlink(owned, _LOCKED, _MAKING)


def _unlink(owned: Owned, *names: str) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(owned.git_dir, name))


def remove(layout: Layout, owned: Owned, check: Callable[[Owned], None], token: str) -> None:
    """Remove a worktree, if ``check`` does not refuse it, here or where it is renamed to.

    The caller holds the landing lock. Raises `git-failed` where the disk does: what is left by
    then stands aside, and the same again, or `tidied`, goes on.
    """
    if owned.is_there:
        check(owned)
        parent, name = os.path.split(owned.root)
        aside = os.path.join(parent, f"{os.fsdecode(TEMPORARY)}{token}-{name}")
        _write(os.path.join(owned.git_dir, _GOING), f"{aside}\n")
        try:
            os.rename(owned.root, aside)
        except OSError as fault:
            _unlink(owned, _GOING)
            raise _cannot(owned, fault) from None
        try:
            check(owned._replace(root=aside))  # who knew the old name cannot write here any more
            _write(os.path.join(owned.git_dir, _GONE), "")
        except BaseException as fault:
            os.rename(aside, owned.root)
            _unlink(owned, _GONE, _GOING)
            if isinstance(fault, OSError):
                raise _cannot(owned, fault) from None
            raise
        try:
            _remove_aside(aside)
        except OSError as fault:
            raise _cannot(owned, fault) from None
    quarantine.discard(layout, owned.git_dir)


def _cannot(owned: Owned, fault: OSError) -> SlipError:
    return SlipError("git-failed", f"{owned.root} cannot be removed: {fault.strerror}")


def sweep(layout: Layout) -> None:
    """Bring to an end what dead processes left half made or half removed.

    The caller holds the landing lock.
    """
    for owned in every(layout.common_dir):
        with suppress(OSError, SlipError):
            tidied(layout, owned)


def _remove_aside(path: str) -> None:
    """Remove a directory of the name that was chosen here. Raises OSError."""
    if not os.path.basename(path).startswith(os.fsdecode(TEMPORARY)):
        raise ValueError(f"not aside: {path}")
    if os.path.isdir(path):
        import shutil  # a short command does without it

        shutil.rmtree(path)


def _is_empty(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)


def _read(path: str) -> str:
    with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read().rstrip("\n")
    return ""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
