"""Refs as they would be once moves that are only planned have been made.

A landing of several commits computes each on the one before it, and moves the branch once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.repository import Repository, Store


class AheadRefs:
    """A store whose moves are remembered and not made. behind: the one that has refs as they are.

    A ref is what it was when it was first asked for: what is computed while others land is computed
    on one state, and whoever makes the moves finds out.
    """

    def __init__(self, store: Store) -> None:
        self.behind = store
        self._moves: dict[str, RefMove] = {}
        self._seen: dict[str, str | None] = {}

    def read(self, oid: str) -> RawObject | None:
        return self.behind.read(oid)

    def ref(self, name: str) -> str | None:
        planned = self._moves.get(name)
        if planned is not None:
            return planned.new
        if name not in self._seen:
            self._seen[name] = self.behind.ref(name)
        return self._seen[name]

    def refs(self, prefix: str) -> Mapping[str, str]:
        found = dict(self.behind.refs(prefix))
        for name, move in self._moves.items():
            if name.startswith(prefix):
                found.pop(name, None)
                if move.new is not None:
                    found[name] = move.new
        return dict(sorted(found.items()))

    def move(self, moves: Sequence[RefMove], reason: str) -> None:
        """Plan these, too. Raises `ref-moved`."""
        for name, old, new in moves:
            if self.ref(name) != old:
                raise SlipError("ref-moved", f"{name} moved meanwhile ({reason})")
            before = self._moves.get(name)
            self._moves[name] = RefMove(name, before.old if before else old, new)

    def planned(self) -> tuple[RefMove, ...]:
        """One move for each ref, in the order in which they were first named."""
        return tuple(self._moves.values())

    def close(self) -> None:
        self.behind.close()


@contextmanager
def looking_ahead(repository: Repository) -> Iterator[AheadRefs]:
    """Inside, the repository has its refs as planned so far; none moves."""
    store = repository.store
    ahead = AheadRefs(store)
    repository.store = ahead
    try:
        yield ahead
    finally:
        repository.store = store


@contextmanager
def as_they_are(repository: Repository) -> Iterator[None]:
    """Inside, the repository has its refs as they are, also where others are planned."""
    store = repository.store
    if isinstance(store, AheadRefs):
        repository.store = store.behind
    try:
        yield
    finally:
        repository.store = store
