"""The segments of one repository: a directory of files that anybody may delete.

What a tree holds and no segment has is read from the repository. A little of it is kept in memory;
more becomes a segment. Blobs never change, so nothing here is ever stale. Clones of one user share
what they have in common: a segment of one is linked into the other where it serves there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from weakref import WeakValueDictionary

import numpy as np

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import locks
from slipstream_git.reading.search import segments
from slipstream_git.reading.search.segments import Broken, Segment
from slipstream_git.records import NamedTuple

SUFFIX = ".seg"
# So much of a tree may be outside all segments: it is searched as it is, in a millisecond.
MOST_LOOSE_BYTES = 2 << 20
# Above so many small segments they become one.
MOST_SMALL = 8
SMALL_BYTES = 16 << 20
DEFAULT_MOST_BYTES = 8 << 30
# Another may read a very large tree, even ahead and at low priority: git answers meanwhile.
PATIENCE_S = 0.25

# By name, which is their content.
_opened: WeakValueDictionary[str, Segment] = WeakValueDictionary()

Reader = Callable[[str], bytes]
Progress = Callable[[int, int], None]


class Held(NamedTuple):
    """Where blobs can be searched: segments, opened, and the texts of those that none holds."""

    segments: Sequence[Segment]
    texts: Mapping[str, bytes]


class Index:
    """Segments of a repository.

    directory: where they are. shared: where those of the user's other clones are linked, or None.
    most_bytes: what all of them may take on disk. only_whole: those that are shared serve here only
    if every blob of theirs does: then nothing, not even the time that a search takes, tells of what
    others have beside.
    """

    def __init__(
        self,
        directory: str,
        shared: str | None,
        id_bytes: int,
        most_bytes: int,
        *,
        only_whole: bool = False,
    ) -> None:
        self._only_whole = only_whole
        self._directory = directory
        self._shared = shared
        self._id_bytes = id_bytes
        self._most_bytes = most_bytes
        self._seen_ns = -1
        self._segments: list[Segment] = []

    @property
    def id_bytes(self) -> int:
        return self._id_bytes

    def segments(self) -> Sequence[Segment]:
        """The segments that are there now, opened."""
        try:
            now = os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            self._segments, self._seen_ns = [], -1
            return self._segments
        if now != self._seen_ns or not all(segment.is_whole() for segment in self._segments):
            names = sorted(name for name in os.listdir(self._directory) if name.endswith(SUFFIX))
            found = [self._opened(os.path.join(self._directory, name)) for name in names]
            self._segments = [segment for segment in found if segment is not None]
            self._seen_ns = now
        return self._segments

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those of ``ids`` that no segment holds, in their order, each once."""
        return self._outside(self.segments(), ids)

    def _outside(self, held: Sequence[Segment], ids: Sequence[str]) -> list[str]:
        distinct = list(dict.fromkeys(ids))
        rows = segments.rows_of_ids(distinct, self._id_bytes)
        left = np.ones(len(distinct), bool)
        for segment in held:
            left &= segment.find(rows) < 0
        return [distinct[place] for place in np.flatnonzero(left)]

    def add(self, ids: Sequence[str], read: Reader, progress: Progress) -> Held:
        """See that all of ``ids`` can be searched, and where.

        read: a blob's bytes. progress: is told how many of how many blobs are done. Raises OSError
        where there can be no index now.
        """
        held = self._held(ids, read)
        if held is None:
            with self._writing():
                self._link(self.missing(ids))
                self._seal(self.missing(ids), read, progress)
                self._consolidate()
                self._evict(ids)
                self._seal(self.missing(ids), read, progress)  # what went with what others held
            held = self._held(ids, read)
        if held is None:
            raise BlockingIOError(errno.EAGAIN, "what was indexed has gone again")
        return held

    def _held(self, ids: Sequence[str], read: Reader) -> Held | None:
        """Where they are; None where too much of them is outside of all segments.

        Another process may let go a segment at any time; one that is open can still be read.
        """
        loose, size = {}, 0
        held = self.segments()
        for oid in self._outside(held, ids):
            loose[oid] = searchable(read(oid))
            size += len(loose[oid])
            if size > MOST_LOOSE_BYTES:
                return None
        return Held(held, loose)

    # Files ---------------------------------------------------------------------------------------

    def _opened(self, path: str) -> Segment | None:
        name = os.path.basename(path)
        known = _opened.get(name)
        if known is not None and known.is_whole():
            return known
        try:
            segment = Segment(path)
        except Broken:
            with suppress(OSError):
                os.unlink(path)
            return None
        except OSError:  # another process let it go, or another user made it
            return None
        if segment.header.id_bytes != self._id_bytes:
            return None
        _opened[name] = segment
        with suppress(OSError):
            os.utime(path)  # so that the least recently used can be told
        return segment

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Alone among processes; a file that one left half way goes. Raises OSError."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        with ExitStack() as stack:
            lock = os.path.join(self._directory, "lock")
            try:
                stack.enter_context(locks.held_file(lock, 0, PATIENCE_S))
            except SlipError as fault:
                raise BlockingIOError(errno.EAGAIN, fault.message) from None
            for name in os.listdir(self._directory):
                if name.endswith(".part"):
                    os.unlink(os.path.join(self._directory, name))
            yield

    def _link(self, missing: Sequence[str]) -> None:
        """Take over segments of the user's other clones, where half of one or more serves here.

        Or all of it, where others are other users.
        """
        if self._shared is None or not missing:
            return
        rows = segments.rows_of_ids(missing, self._id_bytes)
        for name in _names(self._shared):
            place = os.path.join(self._directory, name)
            segment = None
            if not os.path.lexists(place):
                segment = self._opened(os.path.join(self._shared, name))
            if segment is None:
                continue
            served = int((segment.find(rows) >= 0).sum())
            blobs = segment.header.blobs
            if served == blobs or (served * 2 >= blobs and not self._only_whole):
                with suppress(OSError):
                    os.link(os.path.join(self._shared, name), place)
        self._seen_ns = -1  # the clock of files is coarse: nothing may seem to have changed

    def _seal(self, missing: Sequence[str], read: Reader, progress: Progress) -> None:
        batch: list[tuple[str, bytes]] = []
        size = 0
        for number, oid in enumerate(missing, 1):
            text = searchable(read(oid))
            batch.append((oid, text))
            size += len(text)
            if size >= segments.MOST_BYTES:
                self._write(batch)
                batch, size = [], 0
            progress(number, len(missing))
        if batch:
            self._write(batch)

    def _write(self, blobs: Iterable[tuple[str, bytes]]) -> str:
        drafted = segments.draft(blobs, self._id_bytes)
        name = drafted.name + SUFFIX
        path = os.path.join(self._directory, name)
        with open(path + ".part", "wb", opener=_private) as stream:
            stream.writelines(drafted.pieces)
            stream.flush()
            os.fsync(stream.fileno())  # else its name might outlive its content
        os.rename(path + ".part", path)
        self._seen_ns = -1
        if self._shared is not None:
            with suppress(OSError):
                os.makedirs(self._shared, mode=0o700, exist_ok=True)
                os.link(path, os.path.join(self._shared, name))
        return name

    def _consolidate(self) -> None:
        small = [item for item in self.segments() if item.size_bytes < SMALL_BYTES]
        if len(small) <= MOST_SMALL:
            return
        blobs: dict[str, bytes] = {}
        for segment in small:
            for number, oid in enumerate(segment.ids()):
                blobs.setdefault(oid.hex(), segment.blob(number))
        name = self._write(blobs.items())
        for segment in small:
            if segment.name != name:
                with suppress(OSError):
                    os.unlink(os.path.join(self._directory, segment.name))

    def _evict(self, wanted: Sequence[str]) -> None:
        """Let go what was opened longest ago, here and among what clones share.

        What serves ``wanted`` with half of its blobs stays here, though a large tree takes more
        than it may: it would be made again at once.
        """
        rows = segments.rows_of_ids(list(dict.fromkeys(wanted)), self._id_bytes)
        spared = {
            segment.name
            for segment in self.segments()
            if int((segment.find(rows) >= 0).sum()) * 2 >= segment.header.blobs
        }
        _let_go(self._directory, self._most_bytes, spared)
        if self._shared is not None:
            _let_go(self._shared, self._most_bytes, frozenset())
        self._seen_ns = -1


def searchable(data: bytes) -> bytes:
    """A blob's text; none for what git takes for binary."""
    return b"" if b"\0" in data[:8000] else data


def _let_go(directory: str, most_bytes: int, spared: Collection[str]) -> None:
    """Unlink the segments that were opened longest ago, but not the latest and the spared."""
    files = []
    for name in _names(directory):
        with suppress(FileNotFoundError):
            told = os.stat(os.path.join(directory, name))
            files.append((told.st_mtime_ns, told.st_size, name))
    total = sum(size for _, size, _ in files)
    for _, size, name in sorted(files)[:-1]:
        if total <= most_bytes:
            break
        if name not in spared:
            with suppress(OSError):
                os.unlink(os.path.join(directory, name))
            total -= size


def _names(directory: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
    except FileNotFoundError:
        return []


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
