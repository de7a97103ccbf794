"""The store that long-lived processes use: libgit2 in the process, through pygit2.

A read costs microseconds and a ref transaction 0.4 ms, against 2 to 6 ms for a git process;
the import of pygit2 costs 80 ms once. This is the only file that knows pygit2.

libgit2's compare-and-swap fails as a bare error, so a refused move is told apart by reading
the ref again, never by its message.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pygit2

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import loose
from slipstream_git.gitdb.gitstore import GitStore
from slipstream_git.gitdb.layout import Layout
from slipstream_git.gitdb.objects import LARGEST_OBJECT, too_large
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.refs import (
    LOCK_PATIENCE_S,
    RefMove,
    list_refs,
    locked,
    move_with_git,
    read_ref,
)
from slipstream_git.model import ZERO
from slipstream_git.text.objectid import prefer_openssl

LOCK_POLL_S = 0.005
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


class LibgitStore:
    """Objects and refs, read and moved by libgit2."""

    def __init__(self, layout: Layout, git: Git) -> None:
        self._git = git
        prefer_openssl()
        try:
            self._repository = pygit2.Repository(layout.git_dir)
        except pygit2.GitError as fault:
            raise SlipError(
                "unsupported", f"{layout.git_dir}: libgit2 cannot open it: {fault}"
            ) from None
        self._odb = self._repository.odb
        self._common_dir = layout.common_dir
        self._is_shared = bool(layout.sharing)
        self._loose = loose.directories(layout.objects_dir)
        self._careful: GitStore | None = None

    def read(self, oid: str) -> RawObject | None:
        # libgit2 1.9 never comes back from a truncated loose object (fixed, not released), so those
        # are read here. A broken one may have a sound copy in a pack: git looks there first.
        try:
            found = loose.read(self._loose, oid, LARGEST_OBJECT) or self._read(oid)
        except loose.Broken:
            found = None
        # What libgit2 does not find a gc may have moved while it looked, as with git.
        return found or self._asked_of_git(oid)

    def _asked_of_git(self, oid: str) -> RawObject | None:
        if self._careful is None:
            self._careful = GitStore(self._common_dir, self._git)
        return self._careful.read(oid)

    def _read(self, oid: str) -> RawObject | None:
        try:
            _, size = self._odb.read_header(oid)
            if size > LARGEST_OBJECT:
                raise too_large(oid, size)
            kind, data = self._odb.read(oid)
        except KeyError:
            return None
        except (pygit2.GitError, ValueError):
            return None  # git says whether it is broken, or its pack has only gone elsewhere
        return RawObject(_KINDS[int(kind)], data)

    def ref(self, name: str) -> str | None:
        return read_ref(self._git, self._common_dir, name)

    def refs(self, prefix: str) -> Mapping[str, str]:
        # libgit2 lists all refs to find some: 39 ms at 60,000.
        return list_refs(self._git, self._common_dir, prefix)

    def move(self, moves: Sequence[RefMove], reason: str) -> None:
        for move in moves:
            # libgit2 accepts a target that does not exist.
            if move.new is not None and self.read(move.new) is None:
                raise SlipError("git-failed", f"{move.name}: object {move.new} is not there")
        if self._is_shared or any(move.new is None for move in moves):
            # libgit2 does not widen what it makes as core.sharedRepository says; and it reports a
            # packed ref as gone also where packed-refs is locked and keeps it.
            move_with_git(self._git, moves, reason)
            return
        until = time.monotonic() + LOCK_PATIENCE_S
        refusal = self._tried(moves, reason)
        while refusal is not None:
            if refusal.code != "locked" or time.monotonic() > until:
                raise refusal
            time.sleep(LOCK_POLL_S)
            refusal = self._tried(moves, reason)

    def _tried(self, moves: Sequence[RefMove], reason: str) -> SlipError | None:
        """Make the moves at once, or say why not."""
        try:
            with self._repository.transaction() as transaction:
                for move in moves:
                    transaction.lock_ref(move.name)
                for move in moves:
                    self._expect(move)
                for move in moves:
                    target = pygit2.Oid(hex=move.new or ZERO)
                    transaction.set_target(move.name, target, message=reason)
        except SlipError as fault:
            return fault
        except (pygit2.GitError, OSError, ValueError) as fault:
            return self._refusal(moves, fault)
        return None

    def close(self) -> None:
        self._repository.free()
        if self._careful is not None:
            self._careful.close()

    def _expect(self, move: RefMove) -> None:
        if self.ref(move.name) != move.old:
            raise SlipError("ref-moved", f"{move.name} moved meanwhile")

    def _refusal(self, moves: Sequence[RefMove], fault: Exception) -> SlipError:
        names = ", ".join(move.name for move in moves)
        if any(self.ref(move.name) != move.old for move in moves):
            return SlipError("ref-moved", f"{names} moved meanwhile: {fault}")
        if "lock" in str(fault):
            return locked(names, str(fault))
        return SlipError("git-failed", f"{names} cannot be moved: {fault}")
