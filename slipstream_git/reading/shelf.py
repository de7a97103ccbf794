"""What is kept of one repository between readings: outlines, the search index, located trees."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from slipstream_git.reading.outlines import Outlines
from slipstream_git.workspace import Workspace

if TYPE_CHECKING:
    from slipstream_git.reading.search.index import Index
    from slipstream_git.reading.search.places import Located, Places
    from slipstream_git.readings import Outline

_NAME = "reading"
SHA1_BYTES, SHA256_BYTES = 20, 32


class Common:
    """What one process keeps for all repositories of one user, by the ids of blobs and trees.

    Nothing is looked up here that a repository does not itself hold.
    """

    def __init__(self) -> None:
        self.outlines: dict[str, Outline] = {}
        # What maps of whole trees are made of.
        self.surveys: dict[str, object] = {}
        self.located: dict[str, Located] = {}


# By user; as long as one of his repositories is open.
_common: WeakValueDictionary[str, Common] = WeakValueDictionary()


class Shelf:
    """Made when it is first wanted. directory: the files below it are caches, and disposable."""

    def __init__(self, ws: Workspace) -> None:
        self._directory = os.path.join(ws.repository.layout.slip_dir, "index")
        self._repository = ws.repository
        self._shared = _shared(ws)
        self._limit = ws.repository.config.number("slip.indexBytes", 0)
        self._common = _common.setdefault(_whose(ws), Common())
        self.surveys = self._common.surveys
        place = os.path.join(self._directory, "outlines.sqlite")
        self.outlines = Outlines(place, self.blob, self._common.outlines)
        self._index: Index | None = None
        self._places: Places | None = None

    def blob(self, oid: str) -> bytes:
        """A blob's bytes."""
        return self._repository.objects.blob(oid)

    def text(self, oid: str) -> bytes:
        """A blob's text for who wants lines of it; with a line break at its end, or as it is.

        From the index where that is open, whose pages all repositories share: libgit2 keeps up to
        16 MB of each pack that it reads.
        """
        found = self._places.text(oid) if self._places is not None else None
        return self.blob(oid) if found is None else found

    def located(
        self, tree: str, before: str | None, progress: Callable[[int, int], None]
    ) -> Located:
        """Where the files of a tree are in the index, which gets what it does not hold.

        before: see `Places.locate`.
        """
        from slipstream_git.reading.search import index, places  # numpy takes 80 ms

        if self._index is None:
            id_bytes = SHA1_BYTES if len(tree) == SHA1_BYTES * 2 else SHA256_BYTES
            directory = os.path.join(self._directory, "search")
            limit = self._limit or index.DEFAULT_MOST_BYTES
            only_whole = self._repository.config.flag("slip.wholeSegments")
            self._index = index.Index(
                directory, self._shared, id_bytes, limit, only_whole=only_whole
            )
            self._places = places.Places(self._common.located)
        assert self._places is not None  # noqa: S101  (made with the index)
        sources = places.Sources(self._repository, self._index, self.blob, progress)
        return self._places.locate(sources, tree, before)


def of(ws: Workspace) -> Shelf:
    """The repository's shelf, as long as it is open."""
    kept = ws.repository.kept
    found = kept.get(_NAME)
    if not isinstance(found, Shelf):
        found = kept[_NAME] = Shelf(ws)
    return found


def _whose(ws: Workspace) -> str:
    """Whose repository this is: a window's (see `gitdb.window`) is of the user it is in."""
    repository = ws.repository
    if repository.config.flag("slip.wholeSegments"):
        return os.path.dirname(repository.layout.common_dir)
    return ""


def _shared(ws: Workspace) -> str | None:
    """Where the user's clones share segments; None where no home is known."""
    home = ws.env.get("HOME")
    cache = ws.env.get("XDG_CACHE_HOME") or (os.path.join(home, ".cache") if home else None)
    return os.path.join(cache, "slip", "segments") if cache else None
