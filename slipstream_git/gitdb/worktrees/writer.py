"""Brings one worktree's files and index from one tree to another, for a few changed paths.

The order of a landing, where each step can be the last before the power goes:

    writer.preflight()      nothing is changed; `dirty` or `locked` is raised here
    write_intent()          what recovery needs to know
    writer.hold()           index.lock taken, all looked at again, new index and files written aside
    (refs prepared)
    barrier.raised()        all of this is on the disk
    writer.place()          renames only; a late surprise takes everything back
    (refs committed)
    barrier.raised()
    writer.settle()         what was set aside is let go, index.lock released
    drop_intent()

`Writer.roll_back` undoes `hold` and `place`, until `settle`. After a death, the caller looks at the
refs and calls `finish` (the branch moved) or `retreat` (it did not) for each worktree of the
intent. Both can be called, and killed, any number of times.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.worktrees.checkouts import check_nothing_under_way
from slipstream_git.gitdb.worktrees.entries import Entries
from slipstream_git.gitdb.worktrees.jobs import Convertible, Job, Trouble
from slipstream_git.gitdb.worktrees.leftovers import clear_leftovers
from slipstream_git.gitdb.worktrees.looking import Surprise, View
from slipstream_git.gitdb.worktrees.placing import Files
from slipstream_git.gitdb.worktrees.troubles import InTheWay, failed


class Writer:
    """Does one job, files and index: see the head of this file for the order.

    git: any git of this repository; it is run at the worktree's root.
    """

    def __init__(self, git: Git, job: Job) -> None:
        self._job = job.prepared()
        self.worktree = job.worktree
        self._view = View(self._job)
        self._files = Files(self._view)
        at = git.at(job.worktree.root, job.worktree.git_dir)
        self._entries = Entries(at, self._job, self._view)
        self._held = False

    @property
    def vacant(self) -> bool:
        """Nothing is checked out there: bare, missing, or never checked out (`--no-checkout`).

        Then nothing is looked at or placed; what git says of such a worktree stays true.
        """
        worktree = self.worktree
        if worktree.bare or worktree.prunable or not os.path.isdir(worktree.root):
            return True
        return self._entries.are_lacking and not self._has_files()

    def _has_files(self) -> bool:
        return any(name != ".git" for name in os.listdir(self.worktree.root))

    def changing(self) -> set[bytes]:
        """After `preflight`: the paths whose files are not yet as they shall be."""
        return set() if self.vacant else self._view.changing()

    def preflight(self) -> None:
        """Look whether all can be placed; changes nothing.

        Raises `dirty` (something of the user's in the way, or a merge under way), `locked`,
        `unsupported` (assume-unchanged, or skip-worktree with a file), `git-failed` (a directory
        that cannot be written, a required filter that fails).
        """
        if self.vacant:
            return
        self._entries.check_free()
        self.look()
        content = self._job.content
        if isinstance(content, Convertible) and not self._job.recovering:
            try:
                content.prepare(self._view.changing())
            except OSError as fault:
                raise failed(self.worktree.root, fault) from None

    def look(self) -> None:
        """As `preflight`, but nothing is converted yet and a lock is not waited for."""
        if self.vacant:
            return
        try:
            self._check()
        except OSError as fault:
            raise failed(self.worktree.root, fault) from None

    def hold(self) -> None:
        """Take index.lock, look again, and write the new index and files aside.

        After this `place` only renames. Raises what `preflight` does; then nothing is held.
        """
        if self.vacant or self._held:
            return
        self._held = True
        with self._taking_back():
            self._entries.lock()
            self._check()
            self._entries.edit()
            self._files.prepare()

    def place(self) -> None:
        """Move files and index into place.

        Raises `dirty` when something came in the way since, `git-failed` when the system
        refuses; all is as before then, but for ``data["left"]``, if there is one.
        """
        self.hold()
        if not self._held:
            return
        with self._taking_back():
            self._files.place()
            self._entries.publish(self._files.states)

    def roll_back(self) -> tuple[Trouble, ...]:
        """Undo `hold` and `place`; gives the paths that somebody changed since, left alone."""
        if not self._held:
            return ()
        troubles = self._files.roll_back()
        try:
            self._entries.restore(self._files.states)
        finally:
            self._entries.release()
        self._held = False
        return tuple(troubles)

    def settle(self) -> tuple[Trouble, ...]:
        """The end of a placement that stays: let go of what was set aside, and of the lock.

        Gives the paths whose former file somebody wrote to meanwhile; where it is kept, they say.
        """
        if not self._held:
            return ()
        try:
            try:
                troubles = self._files.settle()
            finally:
                self._held = False
                self._entries.release()
        except OSError as fault:
            raise failed(self.worktree.root, fault) from None
        return tuple(troubles)

    def recover(self) -> tuple[Trouble, ...]:
        """When ``recovering``: clear what the killed run left, then place what can be placed."""
        if self.vacant:
            return ()
        try:
            self._entries.lock()
            kept = clear_leftovers(self._view)
        except OSError as fault:
            self._entries.release()
            raise failed(self.worktree.root, fault) from None
        except BaseException:
            self._entries.release()
            raise
        self.place()
        kept += self.settle()
        return tuple(sorted({*kept, *self._view.left, *self._entries.left}))

    @contextmanager
    def _taking_back(self) -> Iterator[None]:
        try:
            yield
        except Surprise as surprise:
            left = self.roll_back()
            raise InTheWay(self.worktree.root, [surprise.trouble], left) from None
        except OSError as fault:
            left = self.roll_back()
            raise failed(self.worktree.root, fault, left) from None
        except BaseException:
            self.roll_back()
            raise

    def _check(self) -> None:
        if not self._job.recovering:
            check_nothing_under_way(self.worktree)
            self._entries.check_there()
        troubles = self._entries.look()
        troubles += self._view.look(absent=self._entries.absent)
        if troubles:
            raise InTheWay(self.worktree.root, troubles)


def finish(git: Git, job: Job) -> tuple[Trouble, ...]:
    """Complete a job whose run died: each path that is as before becomes as landed.

    A path that is neither (or not an acceptable version) is the user's by now: it is left alone
    and told. Raises `locked` and `git-failed`; then, too, call it again.
    """
    return Writer(git, job._replace(recovering="forward")).recover()


def retreat(git: Git, job: Job) -> tuple[Trouble, ...]:
    """Take back a job whose run died before the branch moved; otherwise as `finish`."""
    return Writer(git, job.turned()._replace(recovering="back")).recover()
