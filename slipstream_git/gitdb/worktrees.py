"""Brings one worktree's files and index from one tree to another, for a few changed paths.

The order of a landing, where each step can be the last before the power goes:

    writer.preflight()      nothing is changed; `dirty` or `locked` is raised here
    write_intent()          what recovery needs to know
    writer.hold()           index.lock taken, all looked at again, new index and files written aside
    (refs prepared)
    writer.place()          renames only; a late surprise takes everything back
    (refs committed)
    writer.settle()         what was set aside is let go, index.lock released
    drop_intent()

`Writer.roll_back` undoes `hold` and `place`, until `settle`. After a death, the caller looks at the
refs and calls `finish` (the branch moved) or `retreat` (it did not) for each worktree of the
intent. Both can be called, and killed, any number of times.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import sparse
from slipstream_git.gitdb.checkouts import (
    Worktree,
    check_nothing_under_way,
    list_worktrees,
    manner_of,
)
from slipstream_git.gitdb.indexes import Index, Staged, is_within
from slipstream_git.gitdb.intents import (
    Intent,
    Place,
    SessionMove,
    drop_intent,
    intent_path,
    pending_intents,
    write_intent,
)
from slipstream_git.gitdb.leftovers import clear_leftovers, leftovers
from slipstream_git.gitdb.looking import (
    Acceptable,
    Checkpoint,
    Content,
    Convertible,
    Manner,
    Placement,
    Recovering,
    Surprise,
    Trouble,
    View,
    remembering,
)
from slipstream_git.gitdb.placing import Files
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.troubles import STAGED_DIFFERENTLY, InTheWay, command, failed
from slipstream_git.gitdb.walking import shown
from slipstream_git.model import Entry

__all__ = [
    "Intent", "Manner", "Place", "Placement", "SessionMove", "Staged", "Trouble", "Worktree",
    "Writer", "drop_intent", "finish", "intent_path", "leftovers", "list_worktrees", "manner_of",
    "pending_intents", "retreat", "write_intent",
]  # fmt: skip

_EMPTY_BLOBS = frozenset(
    {
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    }
)


def _nothing_else(_: bytes) -> Collection[Entry | None]:
    return ()


def _no_checkpoint(_: str) -> None:
    pass


class Writer:
    """Places one set of changed paths in one worktree: see the head of this file for the order.

    git: any git of this repository; it is run at the worktree's root.
    content: the bytes that belong in the worktree for an entry, smudged; a symlink's target.
    acceptable: further versions of a path that may be written over because they are kept
        elsewhere (captured); None among them: the path may be absent.
    token: letters and digits; names everything temporary; no other run may use it.
    index: False leaves index entries alone and takes no lock (`slip flush`).
    sync: files, directories and index are on the disk when `place` returns.
    checkpoint: called with a name after every effect, for tests that die there.
    recovering: see `finish` and `retreat`; ``left`` then has the paths left alone, and why.
    """

    def __init__(  # noqa: PLR0913  (each is a separate fact about the run)
        self,
        git: Git,
        worktree: Worktree,
        placements: Iterable[Placement],
        *,
        content: Content,
        token: str,
        acceptable: Acceptable = _nothing_else,
        index: bool = True,
        manner: Manner | None = None,
        sync: bool = True,
        checkpoint: Checkpoint = _no_checkpoint,
        recovering: Recovering = None,
    ) -> None:
        self.worktree = worktree
        self.left: list[Trouble] = []
        self._git = git.at(worktree.root, worktree.git_dir)
        self._placements = sorted(placements, key=lambda p: p.path)
        self._acceptable = acceptable
        self._with_index = index
        self._manner = manner or Manner()
        self._recovering = recovering
        self._index = Index(self._git, worktree.git_dir, token, sync=sync, checkpoint=checkpoint)
        content = self._content = remembering(content)
        self._view = View(
            worktree.root,
            self._placements,
            content=content,
            acceptable=acceptable,
            manner=self._manner,
            token=token,
            recovering=recovering,
        )
        self._files = Files(self._view, content=content, sync=sync, checkpoint=checkpoint)
        self._checkpoint = checkpoint
        self._staged: dict[bytes, Entry] = {}
        self._skipped: set[bytes] = set()
        self._left_out: tuple[set[bytes], set[bytes]] | None = None
        self._untracked: set[bytes] = set()
        # Where there was nothing before either, a flush takes back what it had made itself.
        self._removes = {p.path for p in self._placements if p.new is None and p.old is not None}
        self._editing: list[Placement] = list(self._placements)
        self._held = False

    @property
    def vacant(self) -> bool:
        """Nothing is checked out there: bare, missing, or never checked out (`--no-checkout`).

        Then nothing is looked at or placed; what git says of such a worktree stays true.
        """
        worktree = self.worktree
        if worktree.bare or worktree.prunable or not os.path.isdir(worktree.root):
            return True
        return self._lacks_index and not self._has_files()

    @property
    def _lacks_index(self) -> bool:
        return self.worktree.head is not None and not self._index.exists

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
        if self._with_index:
            self._index.check_free()
        try:
            self._check()
            if isinstance(self._content, Convertible) and not self._recovering:
                self._content.prepare(self._view.changing())
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
            if self._with_index:
                self._index.lock()
            self._check()
            if self._with_index:
                self._edit_index()
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
            if self._with_index:
                self._index.publish(self._states())

    def roll_back(self) -> tuple[Trouble, ...]:
        """Undo `hold` and `place`; gives the paths that somebody changed since, left alone."""
        if not self._held:
            return ()
        troubles = self._files.roll_back()
        try:
            if self._with_index:
                self._index.restore(self._former_states())
        finally:
            self._index.release()
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
                self._index.release()
        except OSError as fault:
            raise failed(self.worktree.root, fault) from None
        return tuple(troubles)

    def recover(self) -> tuple[Trouble, ...]:
        """When ``recovering``: clear what the killed run left, then place what can be placed."""
        if self.vacant:
            return ()
        try:
            if self._with_index:
                self._index.lock()
            kept = clear_leftovers(self._view, checkpoint=self._checkpoint)
        except OSError as fault:
            self._index.release()
            raise failed(self.worktree.root, fault) from None
        except BaseException:
            self._index.release()
            raise
        self.place()
        kept += self.settle()
        return tuple(sorted({*kept, *self._view.left, *self.left}))

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

    # -- looking ---------------------------------------------------------------------------------

    def _check(self) -> None:
        if not self._recovering:
            check_nothing_under_way(self.worktree)
            self._check_has_index()
        troubles: list[Trouble] = []
        if self._with_index or self._manner.sparse or self._removes:
            troubles = self._look_at_index()
        troubles += self._view.look(absent=self._skipped | self._untracked)
        if troubles:
            raise InTheWay(self.worktree.root, troubles)

    def _check_has_index(self) -> None:
        if self._with_index and self._lacks_index:
            root = self.worktree.root
            raise SlipError(
                "dirty",
                f"{root} has files but no index, so what is the user's there is not known",
                hint=shlex.join(["git", "-C", root, "reset"]),
                data={"worktree": root, "paths": []},
            )

    def _look_at_index(self) -> list[Trouble]:
        by_path: dict[bytes, list[Staged]] = {}
        paths = {p.path for p in self._placements}
        for staged in self._index.read(paths) if paths else ():
            by_path.setdefault(staged.path, []).append(staged)
        self._staged = {path: s[0].entry for path, s in by_path.items() if path in paths}
        self._skipped = self._skipped_among(by_path)
        if self._manner.sparse:
            self._skipped |= self._new_left_out(by_path)
        # Taken out of the index (`git rm --cached`): the file is the user's now, and stays.
        if not self._recovering:
            self._untracked = {path for path in self._removes if path not in by_path}
        if not self._with_index:
            return []
        troubles = []
        self._editing = [p for p in self._placements if not self._is_restored(p.path)]
        for placement in self._editing:
            why = self._why_not_staged(placement, by_path.get(placement.path, ()))
            if why:
                troubles.append(Trouble(placement.path, why))
        troubles += self._staged_below(by_path)
        if self._recovering:
            self._leave(troubles)
            return []
        return troubles

    def _leave(self, troubles: Iterable[Trouble]) -> None:
        left = dict(troubles)
        self.left += [Trouble(path, why) for path, why in left.items()]
        self._editing = [p for p in self._editing if p.path not in left]

    def _skipped_among(self, by_path: Mapping[bytes, Sequence[Staged]]) -> set[bytes]:
        """Paths a sparse checkout leaves out. Raises `unsupported` for flags that hide edits."""
        hidden = [p for p, all_of in by_path.items() for s in all_of if s.tag.islower()]
        skipped = {p for p, all_of in by_path.items() for s in all_of if s.tag == "S"}
        hidden += self._view.present(skipped) if skipped else ()
        if hidden and not self._recovering:
            path = min(hidden)
            raise SlipError(
                "unsupported",
                f"{shown(path)} is marked for git not to look at, in {self.worktree.root}",
                hint=command("git update-index --no-assume-unchanged --no-skip-worktree", [path]),
                data={"worktree": self.worktree.root, "path": shown(path)},
            )
        return skipped - set(hidden)

    def _new_left_out(self, by_path: Collection[bytes]) -> set[bytes]:
        """Paths new to the index that the sparse checkout leaves out.

        Not where something stands: git would look at it from then on, so it is looked at here.
        """
        coming = {p.path for p in self._placements if p.new is not None}
        new = coming - set(by_path)
        if self._left_out is None or self._left_out[0] != new:
            self._left_out = new, sparse.left_out(self._git, self.worktree.git_dir, new)
        return self._left_out[1] - self._view.present(self._left_out[1])

    def _is_restored(self, path: bytes) -> bool:
        """Going back: is what is staged a version the user had, and not what was landing?"""
        staged = self._staged.get(path)
        landing = next((p.old for p in self._placements if p.path == path), None)
        return self._recovering == "back" and staged != landing and staged in self._acceptable(path)

    def _why_not_staged(self, placement: Placement, staged: Sequence[Staged]) -> str | None:
        path, old, new = placement
        if any(s.stage for s in staged):
            return "unmerged"
        entry = staged[0].entry if staged else None
        if entry in (old, new) or entry in self._acceptable(path):
            return None
        if entry is None:
            return "removed from the index"
        if old is None and new is not None and entry.oid in _EMPTY_BLOBS:
            return None  # `git add -N`: a place kept, nothing of the user's in it
        return STAGED_DIFFERENTLY

    def _staged_below(self, by_path: Mapping[bytes, Sequence[Staged]]) -> list[Trouble]:
        going = {p.path for p in self._placements if p.new is None}
        coming = {p.path for p in self._placements if p.new is not None}
        return [
            Trouble(path, "staged where a file comes")
            for path in sorted(by_path)
            if path not in going and path not in coming and is_within(path, coming)
        ]

    def _edit_index(self) -> None:
        existing = [p.path for p in self._editing if p.path in self._staged]
        skipped = {p.path for p in self._editing if p.new and p.path in self._skipped}
        lost = self._index.edit(self._editing, existing, skipped)
        if lost and self._recovering:
            self._leave([Trouble(p.path, "staged in its way") for p in self._editing])
            self._index.copy_again()
        elif lost:
            raise InTheWay(
                self.worktree.root,
                [Trouble(path, "staged where a directory comes") for path in lost],
            )

    def _states(self) -> dict[bytes, tuple[Entry, os.stat_result]]:
        states = self._files.states
        return {
            p.path: (p.new, states[p.path]) for p in self._editing if p.new and p.path in states
        }

    def _former_states(self) -> dict[bytes, tuple[Entry, os.stat_result]]:
        states = self._files.states
        return {
            path: (entry, states[path])
            for path, entry in self._staged.items()
            if path in states and self._view.matched(path) == entry
        }


# -- recovery --------------------------------------------------------------------------------------


def finish(  # noqa: PLR0913
    git: Git,
    worktree: Worktree,
    placements: Iterable[Placement],
    *,
    content: Content,
    token: str,
    acceptable: Acceptable = _nothing_else,
    index: bool = True,
    manner: Manner | None = None,
    sync: bool = True,
    checkpoint: Checkpoint = _no_checkpoint,
) -> tuple[Trouble, ...]:
    """Complete a placement whose run died: each path that is as before becomes as landed.

    token: the dead run's. A path that is neither (or not an acceptable version) is the user's by
    now: it is left alone and told. Raises `locked` and `git-failed`; then, too, call it again.
    """
    writer = Writer(
        git, worktree, placements, content=content, token=token, acceptable=acceptable,
        index=index, manner=manner, sync=sync, checkpoint=checkpoint, recovering="forward",
    )  # fmt: skip
    return writer.recover()


def retreat(  # noqa: PLR0913
    git: Git,
    worktree: Worktree,
    placements: Iterable[Placement],
    *,
    content: Content,
    token: str,
    acceptable: Acceptable = _nothing_else,
    index: bool = True,
    manner: Manner | None = None,
    sync: bool = True,
    checkpoint: Checkpoint = _no_checkpoint,
) -> tuple[Trouble, ...]:
    """Take back a placement whose run died before the branch moved; otherwise as `finish`.

    ``placements`` are those that were to be made, not turned round.
    """
    turned = [Placement(path, new, old) for path, old, new in placements]
    writer = Writer(
        git, worktree, turned, content=content, token=token, acceptable=acceptable,
        index=index, manner=manner, sync=sync, checkpoint=checkpoint, recovering="back",
    )  # fmt: skip
    return writer.recover()
