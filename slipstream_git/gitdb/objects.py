"""Objects as values: read from a store, written to an overlay, published as one pack.

Everything a verb computes stays in the overlay, in memory, until it publishes; so a batch that
fails at its last op has written nothing, and a retry after a lost race costs no disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Protocol

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import packs
from slipstream_git.gitdb.barriers import NEVER, Barrier
from slipstream_git.gitdb.packs import Kept, RawObject
from slipstream_git.text.objectid import object_id

# Trees are read again and again while a batch walks to its files, and a blob when its lines are
# counted. A few megabytes serve any batch of ordinary size.
MOST_CACHED_BYTES = 24 << 20
LARGEST_CACHED_BYTES = 1 << 20
# What is read is held in memory whole, several times while a batch is computed.
LARGEST_OBJECT = 1 << 30


def too_large(name: str, size: int) -> SlipError:
    """The refusal of an object that is larger than `LARGEST_OBJECT`, raised before it is read."""
    return SlipError(
        "too-large", f"object {name} has {size} bytes; slip reads at most {LARGEST_OBJECT}"
    )


def broken(name: str) -> SlipError:
    """The refusal of an object that is there and cannot be read."""
    return SlipError(
        "git-failed", f"object {name} cannot be read: it is broken", hint="slip doctor"
    )


def missing(oid: str) -> SlipError:
    """The refusal of an object that is named and not there."""
    return SlipError("git-failed", f"object {oid} is missing from the repository", hint="git fsck")


class ObjectStore(Protocol):
    """Where committed objects come from: libgit2 in the process, or a git child."""

    def read(self, oid: str) -> RawObject | None:
        """The object, or None where the repository does not have it."""


class Objects:
    """The object database as one session of work sees it."""

    # Of how many repositories this process holds objects: what is cached is for all together.
    _alive = 0

    def __init__(self, store: ObjectStore, directory: str, sharing: int = 0) -> None:
        Objects._alive += 1
        self._store = store
        self._directory = directory
        self._sharing = sharing
        # Whether a pack was written since this was made.
        self.published = False
        self._pending: dict[str, RawObject] = {}
        self._held: dict[str, RawObject] = {}
        self._cache: dict[str, RawObject] = {}
        self._cached_bytes = 0

    def __del__(self) -> None:
        Objects._alive -= 1

    def read(self, oid: str) -> RawObject:
        """Raises `git-failed` when the object is not there."""
        found = self.find(oid)
        if found is None:
            raise missing(oid)
        return found

    def find(self, oid: str) -> RawObject | None:
        found = self._pending.get(oid) or self._held.get(oid) or self._cache.get(oid)
        if found is None:
            found = self._store.read(oid)
            if found is not None:
                self._remember(oid, found)
        return found

    def blob(self, oid: str) -> bytes:
        return self._typed(oid, "blob")

    def tree(self, oid: str) -> bytes:
        return self._typed(oid, "tree")

    def commit(self, oid: str) -> bytes:
        return self._typed(oid, "commit")

    def write(self, kind: str, data: bytes, oid: str | None = None) -> str:
        """Add an object to the overlay; nothing is on disk yet.

        oid: its id, where the caller has worked it out already.
        """
        oid = oid or object_id(kind, data)
        # Also when the repository has it: a broken loose copy would otherwise be relied upon.
        self._pending[oid] = RawObject(kind, data)
        return oid

    def publish(self, barrier: Barrier = NEVER) -> Kept:
        """Write the overlay as one pack, safe from gc until the result's ``release``.

        None is written where there is nothing to write. A broken loose copy of what was written
        goes.
        """
        if not self._pending:
            return packs.NOTHING_KEPT
        try:
            kept = packs.publish(
                self._directory, self._pending, barrier=barrier, sharing=self._sharing
            )
        except OSError as fault:
            raise SlipError(
                "git-failed", f"objects cannot be written to {self._directory}: {fault.strerror}"
            ) from None
        there = [oid for oid in self._pending if self._is_loose(oid)]
        if there:
            from slipstream_git.gitdb import loose  # hardly ever needed

            loose.drop_broken(self._directory, there)
        for oid, item in self._pending.items():
            self._remember(oid, item)
        self._pending = {}
        self.published = True
        return kept

    def check(self, oids: Iterable[str]) -> None:
        """Read back blobs that git says it has stored. Raises `git-failed` for a broken one.

        git writes no object whose file is there already, empty or cut short as it may be, and none
        that the index has for a file which looks the same as then.
        """
        for oid in oids:
            if oid not in self._pending:
                found = self.find(oid)
                if found is None and not self._is_loose(oid):
                    raise missing(oid)
                if found is None or object_id(found.kind, found.data) != oid:
                    raise broken(oid)

    def pending(self) -> Mapping[str, RawObject]:
        """What the overlay holds and the disk does not."""
        return self._pending

    def hold(self, kind: str, data: bytes) -> None:
        """Make an object readable here without ever publishing it."""
        self._held[object_id(kind, data)] = RawObject(kind, data)

    def discard(self) -> None:
        """Forget what was not published."""
        self._pending = {}

    def _is_loose(self, oid: str) -> bool:
        return os.path.lexists(f"{self._directory}/{oid[:2]}/{oid[2:]}")

    def _typed(self, oid: str, kind: str) -> bytes:
        found = self.read(oid)
        if found.kind != kind:
            raise SlipError("git-failed", f"object {oid} is a {found.kind}, not a {kind}")
        return found.data

    def _remember(self, oid: str, found: RawObject) -> None:
        size = len(found.data)
        if size > LARGEST_CACHED_BYTES:
            return
        self._cached_bytes += size
        if self._cached_bytes > MOST_CACHED_BYTES // Objects._alive:
            self._cache.clear()
            self._cached_bytes = size
        self._cache[oid] = found
