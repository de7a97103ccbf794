"""The index entries of a job's paths: whether they are in the way, and how they are brought along.

The index has a say in the files, too: what a sparse checkout leaves out gets an entry and no file,
and what was taken out of the index stays as a file, because it is the user's now.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.worktrees import sparse
from slipstream_git.gitdb.worktrees.indexes import Index, Staged, is_within
from slipstream_git.gitdb.worktrees.jobs import Job, Placement, Trouble
from slipstream_git.gitdb.worktrees.looking import View
from slipstream_git.gitdb.worktrees.troubles import STAGED_DIFFERENTLY, InTheWay, not_looked_at
from slipstream_git.hints import of
from slipstream_git.model import Entry

_EMPTY_BLOBS = frozenset(
    {
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    }
)

States = Mapping[bytes, os.stat_result]


class Entries:
    """The index half of a job; where the job is without an index, it only looks.

    left: when recovering, the paths whose entries were left alone, and why.
    absent: after `look`, the paths whose files are not to be placed.
    """

    def __init__(self, git: Git, job: Job, view: View) -> None:
        self.left: list[Trouble] = []
        self.absent: set[bytes] = set()
        self._git = git
        self._job = job
        self._root = job.worktree.root
        self._view = view
        self._index = Index(git, job)
        self._staged: dict[bytes, Entry] = {}
        self._skipped: set[bytes] = set()
        self._left_out: tuple[set[bytes], set[bytes]] | None = None
        # Where there was nothing before either, a flush takes back what it had made itself.
        self._removes = {p.path for p in job.placements if p.new is None and p.old is not None}
        self._editing: list[Placement] = list(job.placements)

    @property
    def are_lacking(self) -> bool:
        """Whether there is no index where there is a commit."""
        return self._job.worktree.head is not None and not self._index.exists

    def check_there(self) -> None:
        """Raises `dirty` where there is no index to say what is the user's."""
        if self._job.with_index and self.are_lacking:
            raise SlipError(
                "dirty",
                f"{self._root} has files but no index, so what is the user's there is not known",
                hint=of("git", "-C", self._root, "reset"),
                data={"worktree": self._root, "paths": []},
            )

    def check_free(self) -> None:
        """Raises `locked` when somebody alive holds index.lock."""
        if self._job.with_index:
            self._index.check_free()

    def look(self) -> list[Trouble]:
        """What is staged in the way; when recovering, it is left alone instead.

        Raises `unsupported` for flags that hide edits.
        """
        job = self._job
        if not (job.with_index or job.manner.sparse or self._removes):
            return []
        paths = {p.path for p in job.placements}
        by_path: dict[bytes, list[Staged]] = {}
        for staged in self._index.read(paths) if paths else ():
            by_path.setdefault(staged.path, []).append(staged)
        self._staged = {path: s[0].entry for path, s in by_path.items() if path in paths}
        self._skipped = self._skipped_among(by_path)
        if job.manner.sparse:
            self._skipped |= self._new_left_out(by_path)
        # Taken out of the index (`git rm --cached`): the file is the user's now, and stays.
        untracked = set() if job.recovering else self._removes - by_path.keys()
        self.absent = self._skipped | untracked
        return self._in_the_way(by_path) if job.with_index else []

    def _in_the_way(self, by_path: Mapping[bytes, Sequence[Staged]]) -> list[Trouble]:
        troubles = []
        self._editing = [p for p in self._job.placements if not self._is_restored(p.path)]
        for placement in self._editing:
            why = self._why_not_staged(placement, by_path.get(placement.path, ()))
            if why:
                troubles.append(Trouble(placement.path, why))
        troubles += self._staged_below(by_path)
        if self._job.recovering:
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
        if hidden and not self._job.recovering:
            raise not_looked_at(self._root, [min(hidden)])
        return skipped - set(hidden)

    def _new_left_out(self, by_path: Collection[bytes]) -> set[bytes]:
        """Paths new to the index that the sparse checkout leaves out.

        Not where something stands: git would look at it from then on, so it is looked at here.
        """
        coming = {p.path for p in self._job.placements if p.new is not None}
        new = coming - set(by_path)
        if self._left_out is None or self._left_out[0] != new:
            self._left_out = new, sparse.left_out(self._git, self._job.worktree.git_dir, new)
        return self._left_out[1] - self._view.present(self._left_out[1])

    def _is_restored(self, path: bytes) -> bool:
        """Going back: is what is staged a version the user had, and not what was landing?"""
        job, staged = self._job, self._staged.get(path)
        landing = next((p.old for p in job.placements if p.path == path), None)
        return job.recovering == "back" and staged != landing and staged in job.acceptable(path)

    def _why_not_staged(self, placement: Placement, staged: Sequence[Staged]) -> str | None:
        path, old, new = placement
        if any(s.stage for s in staged):
            return "unmerged"
        entry = staged[0].entry if staged else None
        if entry in (old, new) or entry in self._job.acceptable(path):
            return None
        if entry is None:
            return "removed from the index"
        if old is None and new is not None and entry.oid in _EMPTY_BLOBS:
            return None  # `git add -N`: a place kept, nothing of the user's in it
        return STAGED_DIFFERENTLY

    def _staged_below(self, by_path: Mapping[bytes, Sequence[Staged]]) -> list[Trouble]:
        going = {p.path for p in self._job.placements if p.new is None}
        coming = {p.path for p in self._job.placements if p.new is not None}
        return [
            Trouble(path, "staged where a file comes")
            for path in sorted(by_path)
            if path not in going and path not in coming and is_within(path, coming)
        ]

    def lock(self) -> None:
        """Take index.lock and copy the index. Raises `locked`."""
        if self._job.with_index:
            self._index.lock()

    def edit(self) -> None:
        """Bring the copy's entries along. Raises `dirty` where one would be lost by it."""
        if not self._job.with_index:
            return
        existing = [p.path for p in self._editing if p.path in self._staged]
        skipped = {p.path for p in self._editing if p.new and p.path in self._skipped}
        lost = self._index.edit(self._editing, existing, skipped)
        if lost and self._job.recovering:
            self._leave([Trouble(p.path, "staged in its way") for p in self._editing])
            self._index.copy_again()
        elif lost:
            raise InTheWay(
                self._root, [Trouble(path, "staged where a directory comes") for path in lost]
            )

    def publish(self, states: States) -> None:
        """Put the edited index in place. states: of the files placed, what stat says of each."""
        if self._job.with_index:
            placed = {p.path: p.new for p in self._editing if p.new and p.path in states}
            self._index.publish({path: (new, states[path]) for path, new in placed.items()})

    def restore(self, states: States) -> None:
        """Put the former index back, if it was replaced. states: of the files as they are again."""
        if self._job.with_index:
            self._index.restore(
                {
                    path: (entry, states[path])
                    for path, entry in self._staged.items()
                    if path in states and self._view.matched(path) == entry
                }
            )

    def release(self) -> None:
        """Give index.lock back, if it is held."""
        self._index.release()
