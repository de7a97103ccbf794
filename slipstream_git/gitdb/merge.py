"""The three-way merge of trees: what git makes of them, found without git where that is certain.

Where one side is unchanged or both are equal there is nothing to merge. Else a walk over what
theirs changed answers, if it can (`mergewalk`), and git otherwise (`gitmerge`).
"""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git.gitdb import commits, gitmerge, mergewalk
from slipstream_git.gitdb.merged import Conflict, Merge
from slipstream_git.gitdb.repository import Repository


def three_way(repository: Repository, base: str, ours: str, theirs: str, now: int) -> Merge:
    """Merge three trees. A clean result's new objects are in the overlay.

    ours: the side that may have moved far, whose changes are not looked at; its attributes count.
    now: seconds since the epoch, for git. Raises `git-failed` for broken objects, too.
    """
    found = _without_git(repository, base, ours, theirs)
    return found or gitmerge.of_trees(repository, base, ours, theirs, now)


def _without_git(repository: Repository, base: str, ours: str, theirs: str) -> Merge | None:
    if base in (ours, theirs) or ours == theirs:
        return Merge(theirs if base == ours else ours, (), "trivial")
    tree = mergewalk.merged(repository, base, ours, theirs)
    return Merge(tree, (), "walk") if tree is not None else None


def conflicts(
    repository: Repository, base: str, ours: str, theirs: str, now: int
) -> tuple[Conflict, ...]:
    """What stands against the merge of two sides, sorted by path; no tree is made of it.

    For looking at many pairs whose sides are both near to their base: git is asked only where
    renames, symlinks and their like meet.
    """
    if base in (ours, theirs) or ours == theirs:
        return ()
    found = mergewalk.conflicts(repository, base, ours, theirs)
    if found is None:
        return gitmerge.of_trees(repository, base, ours, theirs, now, keeping=False).conflicts
    return found


def of_commits(repository: Repository, bases: Sequence[str], ours: str, theirs: str) -> Merge:
    """git's own (recursive) merge of two commits over ``bases``, all that there are."""
    if len(bases) == 1:
        trees = [_tree(repository, commit) for commit in (bases[0], ours, theirs)]
        found = _without_git(repository, trees[0], trees[1], trees[2])
        if found is not None:
            return found
    return gitmerge.of_commits(repository, ours, theirs)


def _tree(repository: Repository, commit: str) -> str:
    return commits.tree_of(repository.objects, commit)
