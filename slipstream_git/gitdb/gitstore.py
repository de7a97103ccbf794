"""The store that one-shot commands use: one ``git cat-file --batch`` child, and ``update-ref``.

Importing pygit2 costs a cold process more than the whole of a small edit; starting this child
costs 2 ms. It also opens what libgit2 cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from slipstream_git.gitdb.objects import LARGEST_OBJECT, broken, too_large
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.process import Child, Git, pipes
from slipstream_git.gitdb.refs import RefMove, list_refs, move_with_git, read_ref
from slipstream_git.text.objectid import object_id

# How often a new git is asked for what the last one did not find.
LOOKS_AGAIN = 3


class GitStore:
    """Objects and refs, asked of git."""

    def __init__(self, common_dir: str, git: Git) -> None:
        self._common_dir = common_dir
        self._git = git
        self._child: Child | None = None

    def read(self, oid: str) -> RawObject | None:
        found = self._ask(oid)
        for _ in range(LOOKS_AGAIN):
            if found is not None:
                break
            # A gc may have moved it while git looked: git lists the packs anew only once, and the
            # one that it then lists may be gone before it is opened. A new git sees what is there,
            # unless the next gc is as quick.
            self.close()
            found = self._ask(oid)
        return found

    def ref(self, name: str) -> str | None:
        return read_ref(self._git, self._common_dir, name)

    def refs(self, prefix: str) -> Mapping[str, str]:
        return list_refs(self._git, self._common_dir, prefix)

    def move(self, moves: Sequence[RefMove], reason: str) -> None:
        # update-ref itself refuses an id whose object is not there.
        move_with_git(self._git, moves, reason)

    def close(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in pipes(child):
            with suppress(OSError):
                pipe.close()
        child.wait()

    def _ask(self, oid: str) -> RawObject | None:
        """The object of an id; the reply's size frames its content."""
        stdin, stdout = pipes(self._running())
        try:
            stdin.write(oid.encode() + b"\n")
            stdin.flush()
            header = stdout.readline().split()
            if len(header) == 3 and header[2].isdigit():
                size = int(header[2])
                self._check_size(oid, size)
                data = stdout.read(size)
                if len(data) == size and stdout.read(1) == b"\n":
                    return RawObject(header[1].decode(), data)
        except OSError:
            header = []
        if header and header[-1] in (b"missing", b"ambiguous"):
            return None
        self.close()
        raise broken(oid)

    def _check_size(self, oid: str, size: int) -> None:
        if size > LARGEST_OBJECT:
            self.close()  # or all of it would have to be read to get at the next answer
            raise too_large(oid, size)

    def _running(self) -> Child:
        if self._child is None:
            self._child = self._git.start("cat-file", "--batch")
        return self._child


class CheckingStore(GitStore):
    """The same for objects that somebody else may have made: git does not hold them to their ids.

    What is kept by id and serves several users must not be of one user's making.
    """

    def read(self, oid: str) -> RawObject | None:
        found = super().read(oid)
        if found is not None and object_id(found.kind, found.data) != oid:
            raise broken(oid)
        return found
