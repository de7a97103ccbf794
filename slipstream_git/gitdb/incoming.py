"""Objects of others, looked at before the repository has them.

They stand in a quarantine: git checks each as it comes in (`--strict`), and what is wrong with them
for slip is found by reading them there. What is wanted is then written as a pack of slip's own, and
the quarantine goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import quarantine
from slipstream_git.gitdb.gitstore import CheckingStore
from slipstream_git.gitdb.objects import Objects
from slipstream_git.gitdb.process import Git, Output
from slipstream_git.gitdb.quarantine import Quarantine
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Trees

_MODES = (b"40000", b"100644", b"100755", b"120000", b"160000")


class Incoming:
    """A quarantine, and the repository as it would be with all that is in there.

    git: one that writes there. view: reads both; what is written to it goes nowhere.
    """

    def __init__(self, repository: Repository, room: Quarantine) -> None:
        self.git: Git = repository.git.with_variables(room.env)
        self._repository = repository
        self.view = copy(repository)
        self.view.git = self.git
        self.view.store = CheckingStore(repository.layout.common_dir, self.git)
        self.view.objects = Objects(self.view.store, room.directory)
        self.view.trees = Trees(self.view.objects)

    def indexed(self, pack: bytes, most_bytes: int) -> Output:
        """Put a pack there, each object of it checked as `git fsck --strict` does; any status."""
        limit = f"--max-input-size={most_bytes}"
        return self.git.run(
            "index-pack", "--stdin", "--fix-thin", "--strict", limit, stdin=pack, accept=range(256)
        )

    def take(self, tips: Sequence[str], most_bytes: int) -> None:
        """Write what the repository lacks of these commits to its overlay. Raises `too-large`."""
        listed = self.git.run(
            "rev-list", "--objects", "--no-object-names", "--stdin", "--not", "--all",
            stdin="".join(f"{tip}\n" for tip in tips).encode(),
        ).out  # fmt: skip
        sizes = self.git.run("cat-file", "--batch-check=%(objectsize)", stdin=listed).out.split()
        if sum(map(int, sizes)) > most_bytes:
            raise SlipError("too-large", f"it holds more than {most_bytes} bytes")
        for oid in listed.decode().split():
            found = self.view.objects.read(oid)
            if found.kind == "tree":
                _check_modes(oid, found.data)
            self._repository.objects.write(found.kind, found.data, oid)


def _check_modes(oid: str, tree: bytes) -> None:
    """git lets pass what it wrote itself long ago, such as 100664; slip makes no such trees."""
    at = 0
    while at < len(tree):
        mode = tree[at : tree.index(b" ", at)]
        if mode not in _MODES:
            shown = mode.decode("ascii", "replace")
            raise SlipError("unsupported", f"tree {oid} has an entry of the mode {shown}")
        at = tree.index(b"\0", at) + 21


@contextmanager
def opened(repository: Repository) -> Iterator[Incoming]:
    """A place for objects of others; gone on exit."""
    with quarantine.opened(repository) as room:
        incoming = Incoming(repository, room)
        try:
            yield incoming
        finally:
            incoming.view.store.close()
