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
from slipstream_git.gitdb.refs import RefMove, list_refs, move_with_git


class GitStore:
    """Objects and refs, asked of git."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._child: Child | None = None

    def read(self, oid: str) -> RawObject | None:
        found = self._ask(oid)
        if found is None:
            # A gc may have moved it while git looked: git lists the packs anew only once, and the
            # one that it then lists may be gone before it is opened. A new git sees what is there.
            self.close()
            found = self._ask(oid)
        return found[1] if found else None

    def ref(self, name: str) -> str | None:
        found = self._ask(name)
        if found is not None:
            return found[0]
        # cat-file also says so where the ref is there and its object is not found (see `read`).
        if "\n" in name:
            return None
        done = self._git.run("rev-parse", "--verify", "--quiet", name, accept=(0, 1, 128))
        return done.out.decode().strip() if done.status == 0 else None

    def refs(self, prefix: str) -> Mapping[str, str]:
        return list_refs(self._git, prefix)

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

    def _ask(self, name: str) -> tuple[str, RawObject] | None:
        """The id and the object that a name stands for; the reply's size frames its content."""
        if "\n" in name:
            return None  # it would be two questions
        stdin, stdout = pipes(self._running())
        try:
            stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
            stdin.flush()
            header = stdout.readline().split()
            if len(header) == 3 and header[2].isdigit():
                size = int(header[2])
                self._check_size(name, size)
                data = stdout.read(size)
                if len(data) == size and stdout.read(1) == b"\n":
                    return header[0].decode(), RawObject(header[1].decode(), data)
        except OSError:
            header = []
        if header and header[-1] in (b"missing", b"ambiguous"):
            return None
        self.close()
        raise broken(name)

    def _check_size(self, name: str, size: int) -> None:
        if size > LARGEST_OBJECT:
            self.close()  # or all of it would have to be read to get at the next answer
            raise too_large(name, size)

    def _running(self) -> Child:
        if self._child is None:
            self._child = self._git.start("cat-file", "--batch")
        return self._child
