"""What a line of work touches: the paths that it changes, and the directories it did away with.

Two footprints over one base that do not meet merge cleanly, whatever the files hold, so that no
merge has to be made to know it. git's merge can do more to a path than take one side's version
only where both sides changed it, where one has a file and the other a directory, or where one
moved a directory into which the other puts something (merge-ort takes a directory for moved only
when nothing is left in it, and files of it came up elsewhere). A file that one side moved is in
its footprint with both names. Held against git by `tests/changes/concurrency/test_footprints.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from slipstream_git.changes import factfile
from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference, Trees
from slipstream_git.model import TREE, Entry
from slipstream_git.records import NamedTuple

FILE: Final = "footprints"
MOST_BYTES: Final = 256 << 10


class Footprint(NamedTuple):
    """Paths that differ from the base.

    added, deleted: those where the base has nothing, and those where nothing is left. gone: the
    base's directories of which nothing is left, where the work also added files: they may have
    been moved.
    """

    changed: frozenset[bytes]
    added: frozenset[bytes]
    deleted: frozenset[bytes]
    gone: frozenset[bytes]

    def meets(self, other: Footprint) -> set[bytes]:
        """The paths, mine or the other's, at which both are at work."""
        met = set(self.changed & other.changed)
        # A file can be in the way of a path only where it was not before: below a file of the base
        # there is nothing, unless its own side takes it away and has it in its footprint.
        met |= _below(self.changed, other.added) | _below(other.changed, self.added)
        met |= _below(self.added, other.gone) | _below(other.added, self.gone)
        return met


EMPTY: Final = Footprint(frozenset(), frozenset(), frozenset(), frozenset())


def _below(paths: Iterable[bytes], places: frozenset[bytes]) -> set[bytes]:
    """Those of ``paths`` that lie below one of ``places``."""
    if not places:
        return set()
    return {path for path in paths if any(parent in places for parent in parents(path))}


def parents(path: bytes) -> Iterator[bytes]:
    """The directories above a path, the nearest first."""
    cut = path.rfind(b"/")
    while cut > 0:
        path = path[:cut]
        yield path
        cut = path.rfind(b"/")


def between(trees: Trees, base: str, tree: str) -> Footprint:
    """What the work from one tree to another touches. Raises `git-failed` for a missing tree."""
    return _of(trees, tree, trees.differences(base, tree))


def _of(trees: Trees, tree: str, differences: Iterable[Difference]) -> Footprint:
    rows = list(differences)
    added = frozenset(d.path for d in rows if d.old is None)
    deleted = frozenset(d.path for d in rows if d.new is None)
    gone: set[bytes] = set()
    if added:
        above = {parent for path in deleted for parent in parents(path)}
        gone = {place for place in above if not _is_directory(trees.lookup(tree, place))}
    return Footprint(frozenset(d.path for d in rows), added, deleted, frozenset(gone))


def _is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.mode == TREE


def lies_over(trees: Trees, mine: Footprint, base: str, other: str) -> bool:
    """Whether the footprint is the same over another base, as far as what meets it is asked.

    False where the way from ``base`` to ``other`` may have moved what it touches, or may itself be
    moved by it: then only a merge says where the work ends up.
    """
    if base == other:
        return True
    for path in mine.changed:
        stood = trees.leaf(base, path)
        stands = trees.lookup(other, path)
        if trees.blocker(other, path) is not None or _is_directory(stands):
            return False
        if stood is not None and stands is None:
            return False
    above = {parent for path in mine.added for parent in parents(path)}
    for place in above:
        if _is_directory(trees.lookup(base, place)) and not _is_directory(
            trees.lookup(other, place)
        ):
            return False
    if any(trees.lookup(base, place) != trees.lookup(other, place) for place in mine.gone):
        return False
    emptied = {parent for path in mine.deleted for parent in parents(path)} if mine.added else set()
    return all(_leaves_something(trees, mine, other, place) for place in emptied - mine.gone)


def _leaves_something(trees: Trees, mine: Footprint, other: str, place: bytes) -> bool:
    """Whether a directory that is not gone would not be gone over another base either."""
    return any(path not in mine.deleted for path, _ in trees.walk(other, place))


def of_session(repository: Repository, session: Session) -> Footprint:
    """What an open session touches. Raises `git-failed` where its trees are not there."""
    return between(repository.trees, session.base_tree, session.tree)


# By the id of a session's newest step, which decides it -------------------------------------------


def known(repository: Repository, tips: Iterable[str]) -> dict[str, Footprint]:
    """The footprints of those sessions that somebody has worked out before, by their tips."""
    found = factfile.in_repository(repository, FILE, MOST_BYTES).find(set(tips))
    return {tip: _decoded(value) for tip, value in found.items() if isinstance(value, dict)}


def remember(repository: Repository, footprints: Mapping[str, Footprint]) -> None:
    facts = {tip: _encoded(footprint) for tip, footprint in footprints.items()}
    factfile.in_repository(repository, FILE, MOST_BYTES).add(facts)


def moved_on(
    repository: Repository, before: Footprint, old: str, base: str, tree: str
) -> Footprint:
    """The footprint over ``base`` a step after the tree ``old``, whose own is ``before``.

    Only the step's own paths are looked at, however many there are.
    """
    trees = repository.trees
    touched = frozenset(d.path for d in trees.differences(old, tree))
    rows = [Difference(path, trees.leaf(base, path), trees.leaf(tree, path)) for path in touched]
    now = _of(trees, tree, [row for row in rows if row.old != row.new])
    deleted = before.deleted - touched | now.deleted
    added = before.added - touched | now.added
    if before.gone or (deleted and added):
        return between(trees, base, tree)  # which directories are gone, all must say
    return Footprint(before.changed - touched | now.changed, added, deleted, now.gone)


def _encoded(footprint: Footprint) -> dict[str, list[str]]:
    return {
        name: [path.decode("utf-8", "surrogateescape") for path in sorted(paths)]
        for name, paths in footprint._asdict().items()
        if paths
    }


def _decoded(value: Mapping[str, Any]) -> Footprint:
    return Footprint(
        *(
            frozenset(path.encode("utf-8", "surrogateescape") for path in value.get(name, ()))
            for name in Footprint._fields
        )
    )
