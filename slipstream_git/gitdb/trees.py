"""Trees as raw bytes: look up, walk, compare, and write anew along changed paths only.

libgit2's index, diff and merge cost the size of the whole tree (48 ms for a diff of 78,635 files);
here a cost grows with the number of changed paths and the width of their directories. Raw
bytes also carry what libgit2's TreeBuilder refuses: names that are not UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import treerows
from slipstream_git.gitdb.objects import Objects
from slipstream_git.gitdb.treerows import Rows
from slipstream_git.model import EMPTY_TREE, GITLINK, TREE, Entry
from slipstream_git.records import NamedTuple

MOST_TREES = 4096


class Difference(NamedTuple):
    """One path at which two trees differ; None where nothing stands."""

    path: bytes
    old: Entry | None
    new: Entry | None


def encode(entries: Mapping[bytes, Entry]) -> bytes:
    """A tree object from its entries; a directory sorts as if its name ended in ``/``."""
    ordered = sorted(entries.items(), key=_git_order)
    return b"".join(_row(name, entry) for name, entry in ordered)


def _row(name: bytes, entry: Entry) -> bytes:
    return b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.oid))


def _git_order(item: tuple[bytes, Entry]) -> bytes:
    name, entry = item
    return name + b"/" if entry.mode == TREE else name


def _subtree(entry: Entry | None) -> str:
    return entry.oid if entry is not None and entry.mode == TREE else EMPTY_TREE


class Trees:
    """Questions about trees, and new trees from old ones."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._shapes = treerows.Shapes()
        self._rows: dict[str, Rows] = {}
        self._entries: dict[str, dict[bytes, Entry]] = {}
        self._compared: dict[tuple[str, str], list[Difference]] = {}

    def entries(self, tree: str) -> Mapping[bytes, Entry]:
        """The entries of one tree, by name."""
        if tree == EMPTY_TREE:
            return {}
        found = self._entries.get(tree)
        if found is None:
            if len(self._entries) >= MOST_TREES:
                self._entries.clear()
            found = self._entries[tree] = dict(self.rows(tree).items())
        return found

    def rows(self, tree: str) -> Rows:
        """The same in the form that is cheaper to make, for trees of which little is wanted."""
        if tree == EMPTY_TREE:
            return treerows.EMPTY
        found = self._rows.get(tree)
        if found is None:
            if len(self._rows) >= MOST_TREES:
                self._rows.clear()
            try:
                found = self._rows[tree] = self._shapes.rows(self._objects.tree(tree))
            except ValueError as fault:
                raise SlipError(
                    "git-failed", f"tree {tree} is broken: {fault}", hint="git fsck"
                ) from None
        return found

    def lookup(self, tree: str, path: bytes) -> Entry | None:
        """What stands at ``path`` (a directory is an Entry of mode TREE), or None."""
        *parents, name = path.split(b"/")
        for parent in parents:
            entry = self.rows(tree).get(parent)
            if entry is None or entry.mode != TREE:
                return None
            tree = entry.oid
        return self.rows(tree).get(name)

    def leaf(self, tree: str, path: bytes) -> Entry | None:
        """What stands at ``path`` unless it is a directory."""
        entry = self.lookup(tree, path)
        return None if entry is None or entry.mode == TREE else entry

    def blocker(self, tree: str, path: bytes) -> tuple[bytes, Entry] | None:
        """The first parent of ``path`` that is no directory, with what it is."""
        parts = path.split(b"/")
        for depth, part in enumerate(parts[:-1], 1):
            entry = self.rows(tree).get(part)
            if entry is None:
                return None
            if entry.mode != TREE:
                return b"/".join(parts[:depth]), entry
            tree = entry.oid
        return None

    def walk(self, tree: str, under: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
        """Every path below ``under`` that is not a directory, in path order of each directory."""
        if under:
            top = self.lookup(tree, under)
            if top is None:
                return
            if top.mode != TREE:
                yield under, top
                return
            tree = top.oid
        yield from self._walk(tree, under + b"/" if under else b"")

    def _walk(self, tree: str, prefix: bytes) -> Iterator[tuple[bytes, Entry]]:
        for name, entry in self.entries(tree).items():
            if entry.mode == TREE:
                yield from self._walk(entry.oid, prefix + name + b"/")
            else:
                yield prefix + name, entry

    def splice(self, tree: str, changes: Mapping[bytes, Entry | None]) -> str:
        """The tree with ``changes`` made (None removes), its id; only changed paths are written."""
        if not changes:
            return tree
        return self._spliced(tree, changes) or self._objects.write("tree", b"")

    def _spliced(self, tree: str | None, changes: Mapping[bytes, Entry | None]) -> str | None:
        before = self.rows(tree or EMPTY_TREE)
        changed: dict[bytes, Entry | None] = {}
        below: dict[bytes, dict[bytes, Entry | None]] = {}
        for path, entry in changes.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, {})[rest] = entry
            else:
                changed[name] = entry
        for name, inner in below.items():
            old = changed[name] if name in changed else before.get(name)
            self._splice_below(changed, name, old, inner)
        raw = self._replaced(tree or EMPTY_TREE, before, changed)
        if raw is None:
            entries = {**self.entries(tree or EMPTY_TREE), **changed}
            raw = encode({name: entry for name, entry in entries.items() if entry is not None})
        return self._objects.write("tree", raw) if raw else None

    def _replaced(
        self, tree: str, before: Rows, changed: Mapping[bytes, Entry | None]
    ) -> bytes | None:
        """The raw tree with some entries in the place of others; None where that is not enough."""
        if tree == EMPTY_TREE or not before.shape.is_as_written:
            return None
        raw = self._objects.tree(tree)
        for name, new in changed.items():
            old = before.get(name)
            if old is None or new is None or (old.mode == TREE) != (new.mode == TREE):
                return None
            row = _row(name, old)
            if raw.count(row) != 1:  # an id may look like anything
                return None
            raw = raw.replace(row, _row(name, new))
        return raw

    def _splice_below(
        self,
        changed: dict[bytes, Entry | None],
        name: bytes,
        old: Entry | None,
        inner: Mapping[bytes, Entry | None],
    ) -> None:
        if old is not None and old.mode != TREE and not any(inner.values()):
            return  # a file took the directory's place; what was below it is gone already
        new = self._spliced(old.oid if old and old.mode == TREE else None, inner)
        changed[name] = Entry(TREE, new) if new else None

    def additions(self, old: str, new: str) -> Iterator[str]:
        """Ids of the trees and files of ``new`` at paths where ``old`` has something else.

        Subtrees before what they hold; submodules' commits are not ours and left out.
        """
        return (entry.oid for entry in self.added_entries(old, new))

    def added_entries(self, old: str, new: str) -> Iterator[Entry]:
        """The same with what each is named as, which another hand may have got wrong."""
        if old == new:
            return
        yield Entry(TREE, new)
        before, after = self.rows(old), self.rows(new)
        for name in sorted(before.differing(after)):
            entry = after.get(name)
            if entry is not None and entry.mode == TREE:
                yield from self.added_entries(_subtree(before.get(name)), entry.oid)
            elif entry is not None and entry.mode != GITLINK:
                yield entry

    def differing(self, old: str, new: str, paths: Iterable[bytes]) -> set[bytes]:
        """Those of ``paths`` at which two trees differ; equal subtrees are never read."""
        if old == new:
            return set()
        before, after = self.rows(old), self.rows(new)
        found: set[bytes] = set()
        below: dict[bytes, list[bytes]] = {}
        for path in paths:
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, []).append(rest)
            elif before.get(name) != after.get(name):
                found.add(path)
        for name, rests in below.items():
            a, b = (_subtree(rows.get(name)) for rows in (before, after))
            found |= {name + b"/" + rest for rest in self.differing(a, b, rests)}
        return found

    def differences(self, old: str, new: str) -> Sequence[Difference]:
        """The paths at which two trees differ, sorted; equal subtrees are never read."""
        known = self._compared.get((old, new))
        if known is None:
            if len(self._compared) >= 256:
                self._compared.clear()
            known = self._compared[old, new] = sorted(self._differences(old, new, b""))
        return known

    def _differences(self, old: str, new: str, prefix: bytes) -> Iterator[Difference]:
        if old == new:
            return
        before, after = self.rows(old), self.rows(new)
        for name in before.differing(after):
            yield from self._difference(prefix + name, before.get(name), after.get(name))

    def _difference(self, path: bytes, a: Entry | None, b: Entry | None) -> Iterator[Difference]:
        yield from self._differences(_subtree(a), _subtree(b), path + b"/")
        old_leaf = None if a is None or a.mode == TREE else a
        new_leaf = None if b is None or b.mode == TREE else b
        if old_leaf or new_leaf:
            yield Difference(path, old_leaf, new_leaf)
