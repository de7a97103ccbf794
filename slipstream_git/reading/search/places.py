"""Where the files of a tree are in the index: which blob of which segment is at which paths.

Worked out once a tree and kept by tree id, so that sessions, worktrees and clones share it. A tree
that differs little from a known one is told by the difference.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from slipstream_git.gitdb import attributes
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import REGULAR
from slipstream_git.reading.search.index import Index, Progress, Reader, searchable
from slipstream_git.reading.search.segments import Bits, Segment, rows_of_ids
from slipstream_git.records import NamedTuple

MOST_TREES = 64
MOST_COMMON = 16
# A tree that differs in more paths than this is worked out by itself.
MOST_DIFFERENT = 400

Flags = NDArray[np.bool_]


class Part:
    """What of a segment a tree holds. paths: by blob number, the first path's number or -1.

    more: the other paths of blobs that have several. units: those that hold anything of the tree.
    """

    def __init__(self, segment: Segment, found: NDArray[np.int64]) -> None:
        self.segment = segment
        self.paths = np.full(segment.header.blobs, -1, np.int64)
        self.more: dict[int, list[int]] = {}
        numbers = np.flatnonzero(found >= 0)
        # Backwards, so that of several paths the first is what remains.
        self.paths[found[numbers][::-1]] = numbers[::-1]
        held = found[numbers]
        again = numbers[self.paths[held] != numbers]
        for path in again.tolist():
            self.more.setdefault(int(found[path]), []).append(path)
        self.units = self.units_of(self.paths >= 0)

    def units_of(self, wanted: Flags) -> Bits:
        """The units that hold text of these blobs, a bit each."""
        segment = self.segment
        starts, ends = segment.blob_starts[:-1][wanted], segment.blob_starts[1:][wanted]
        filled = ends > starts
        first = np.searchsorted(segment.unit_starts, starts[filled], "right") - 1
        behind = np.searchsorted(segment.unit_starts, ends[filled], "left")
        edges = np.zeros(segment.header.row_bytes * 8 + 1, np.int32)
        np.add.at(edges, first, 1)
        np.add.at(edges, behind, -1)
        flags = np.cumsum(edges[:-1]) > 0
        return np.packbits(flags, bitorder="little").view("<u8")


class Whole(NamedTuple):
    """A tree, file by file. paths, ids: of regular files, sorted by path."""

    tree: str
    paths: Sequence[bytes]
    ids: Sequence[str]
    parts: Sequence[Part]


class Located(NamedTuple):
    """A tree as one that is known, less some paths, and some files beside.

    gone: numbers of paths of ``whole`` that are not searched there. beside: the text of files by
    path; not by blob, since it is attributes of the path that say what is text.
    """

    tree: str
    whole: Whole
    gone: frozenset[int]
    beside: Mapping[bytes, bytes]


class Sources(NamedTuple):
    """What a tree is located with. read: a blob's bytes. progress: of how many blobs, so many."""

    repository: Repository
    segments: Index
    read: Reader
    progress: Progress


class Places:
    """Trees that were located, by id; the latest are kept.

    common: whole trees that other repositories of the same user have located, which may be this
    one's, too: a hundred clones keep one copy.
    """

    def __init__(self, common: dict[str, Located] | None = None) -> None:
        self._common: dict[str, Located] = {} if common is None else common
        self._known: dict[str, Located] = {}
        # Of attributes that no tree has, when these were located.
        self._state: tuple[object, ...] = ()

    def locate(self, sources: Sources, tree: str, before: str | None = None) -> Located:
        """Where the files of ``tree`` are. What no segment holds may become one.

        before: a tree from which it differs little, and others do, too.
        """
        state = attributes.elsewhere(sources.repository)
        if state != self._state:
            self._known.clear()  # other files may be text by now
            self._state = state
        found = self._known.pop(tree, None)
        if found is None or not _can_be_read(found):
            if before is not None and before != tree:
                self.locate(sources, before)
            found = self._by_difference(sources, tree) or self._as_whole(sources, tree)
        self._known[tree] = found
        while len(self._known) > MOST_TREES:
            del self._known[next(iter(self._known))]
        return found

    def text(self, oid: str) -> bytes | None:
        """A blob's text, with a line break at its end; None where no located tree has any."""
        row = rows_of_ids([oid], len(oid) // 2)
        wholes = {id(known.whole): known.whole for known in reversed(self._known.values())}
        for part in (part for whole in wholes.values() for part in whole.parts):
            (number,) = part.segment.find(row).tolist()
            if number >= 0 and part.segment.is_whole():
                return part.segment.blob(number) or None
        return None

    def _as_whole(self, sources: Sources, tree: str) -> Located:
        if attributes.some_elsewhere(sources.repository):
            return _whole(sources, tree)
        found = self._common.pop(tree, None)
        if found is None or not _can_be_read(found):
            found = _whole(sources, tree)
        self._common[tree] = found
        while len(self._common) > MOST_COMMON:
            # (Another thread may have been quicker.)
            self._common.pop(next(iter(list(self._common))), None)
        return found

    def _by_difference(self, sources: Sources, tree: str) -> Located | None:
        for known in reversed(self._known.values()):
            if known.tree != known.whole.tree or not _can_be_read(known):
                continue
            differing = sources.repository.trees.differences(known.tree, tree)
            if len(differing) > MOST_DIFFERENT:
                continue
            if any(item.path.endswith(b".gitattributes") for item in differing):
                continue  # they may say something of any file
            return _differing(sources, known, tree, differing)
        return None


def _differing(
    sources: Sources, known: Located, tree: str, differing: Sequence[Difference]
) -> Located:
    paths = known.whole.paths
    places = ((item.path, bisect_left(paths, item.path)) for item in differing)
    gone = known.gone | {at for path, at in places if paths[at : at + 1] == [path]}
    changed = {item.path: item.new for item in differing if item.new and item.new.mode in REGULAR}
    above = attributes.files_above(sources.repository, tree, changed)
    binary, text = attributes.of_contents(sources.repository, [*above, *changed.items()])
    differs = {item.path for item in differing}
    beside = {path: data for path, data in known.beside.items() if path not in differs}
    for path, entry in changed.items():
        if path not in binary:
            data = sources.read(entry.oid)
            beside[path] = data if path in text else searchable(data)
    return Located(tree, known.whole, gone, beside)


def _can_be_read(located: Located) -> bool:
    return all(part.segment.is_whole() for part in located.whole.parts)


def _whole(sources: Sources, tree: str) -> Located:
    index = sources.segments
    files = [
        (path, entry)
        for path, entry in sources.repository.trees.walk(tree)
        if entry.mode in REGULAR
    ]
    paths = [path for path, _ in files]
    ids = [entry.oid for _, entry in files]
    binary, text = attributes.of_contents(sources.repository, files)
    held = index.add(ids, sources.read, sources.progress)
    rows = rows_of_ids(ids, index.id_bytes)
    left = np.ones(len(ids), bool)
    parts = []
    for segment in held.segments:
        found = segment.find(rows)
        found[~left] = -1
        if (found >= 0).any():
            parts.append(Part(segment, found))
            left &= found < 0
    number = {path: place for place, path in enumerate(paths)}
    beside = {paths[place]: held.texts[ids[place]] for place in np.flatnonzero(left).tolist()}
    as_they_are = {oid: sources.read(oid) for oid in {ids[number[path]] for path in text}}
    for path in text:  # whatever bytes it holds
        beside[path] = as_they_are[ids[number[path]]]
    for path in binary:
        beside.pop(path, None)
    gone = frozenset(number[path] for path in binary | text)
    return Located(tree, Whole(tree, paths, ids, parts), gone, beside)
