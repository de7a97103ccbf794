"""What each side of a conflict did to a file, and under which name it has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slipstream_git.gitdb.merged import Conflict
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import EXECUTABLE, GITLINK, REGULAR, SYMLINK, TREE, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import matching, paths

LONGEST_TARGET = 200


class Trees(NamedTuple):
    """What met: the ids of three trees."""

    base: str
    ours: str
    theirs: str


class Names(NamedTuple):
    """The file's path in each of the three trees; None where it is not there."""

    base: bytes | None
    ours: bytes | None
    theirs: bytes | None

    def every(self, path: bytes) -> tuple[bytes, ...]:
        """All of them and ``path``, each once."""
        return tuple(dict.fromkeys(name for name in (path, *self) if name is not None))


def joined(
    repository: Repository, found: Sequence[Conflict], ids: tuple[str, str, str] | None
) -> Sequence[Conflict]:
    """Conflicts with one of two kinds of thing at a path as one, with what each tree has there.

    git gives each side a row of its own, of which the one pushed aside has a name with a commit in
    it that may be made up, and neither has the other's entry.
    """
    if ids is None or all(conflict.kind != "type" for conflict in found):
        return found
    sides = Sides(repository, Trees(*ids))
    names = {c: sides.original(c) or c.path for c in found if c.kind == "type"}
    whole = {}
    for name in names.values():
        base, ours, theirs = (repository.trees.leaf(tree, name) for tree in ids)
        whole[name] = Conflict(name, "type", base, ours, theirs)
    return list(dict.fromkeys(whole[names[c]] if c in names else c for c in found))


class Sides:
    """Three trees that met, looked into once for all the conflicts of a merge."""

    def __init__(self, repository: Repository, trees: Trees) -> None:
        self._repository = repository
        self._trees = trees
        self._gone: dict[str, Mapping[Entry, bytes]] = {}

    def original(self, conflict: Conflict) -> bytes | None:
        """The path that git pushed aside to the conflict's, which then is in none of the trees."""
        path = conflict.path
        if conflict.kind not in ("file-directory", "type") or b"~" not in path:
            return None
        if any(self._leaf(tree, path) for tree in self._trees):
            return None
        beside = [name for name in conflict.beside if name != path and path.startswith(name)]
        return min(beside, key=len, default=path[: path.rindex(b"~")])

    def names(self, conflict: Conflict) -> Names:
        """Under which name each side has the file, as far as git or the trees tell."""
        if conflict.kind == "rename-rename" and len(conflict.beside) == 3:
            return Names(*conflict.beside)
        path = self.original(conflict) or conflict.path
        around = (path, *conflict.beside)
        base = self._base_name(conflict, around)
        entries = (conflict.ours, conflict.theirs)
        ours, theirs = (
            self._first(tree, (*around, base)) if entry else None
            for tree, entry in zip(self._trees[1:], entries, strict=True)
        )
        return Names(base, ours, theirs)

    def _base_name(self, conflict: Conflict, around: tuple[bytes, ...]) -> bytes | None:
        path = around[0]
        if conflict.base is None:
            # Only git can tell that a file which was added to both was a renamed one.
            named = conflict.beside if conflict.kind == "rename-add" else ()
            return self._first(self._trees.base, tuple(name for name in named if name != path))
        for name in around:
            if self._leaf(self._trees.base, name) == conflict.base:
                return name
        for tree in self._trees[1:]:
            found = self._removed(tree).get(conflict.base)
            if found is not None:
                return found
        return self._first(self._trees.base, around)

    def _first(self, tree: str, names: tuple[bytes | None, ...]) -> bytes | None:
        return next((n for n in names if n is not None and self._leaf(tree, n)), None)

    def _leaf(self, tree: str, path: bytes) -> Entry | None:
        return self._repository.trees.leaf(tree, path)

    def _removed(self, tree: str) -> Mapping[Entry, bytes]:
        """Files of the base that a side has no more, by what they were."""
        if tree not in self._gone:
            found = self._repository.trees.differences(self._trees.base, tree)
            self._gone[tree] = {d.old: d.path for d in reversed(found) if d.old and not d.new}
        return self._gone[tree]

    def _renamed(self, names: Names, side: int) -> bool:
        if names.base is None or names[side] in (None, names.base):
            return False
        return self._leaf(self._trees[side], names.base) is None

    def renamed_to(self, names: Names) -> dict[str, bytes]:
        """The file's new name on each side that renamed it."""
        sides = {"ours": 1, "theirs": 2}
        return {name: names[n] or b"" for name, n in sides.items() if self._renamed(names, n)}

    # What they did ------------------------------------------------------------------------------

    def did(self, conflict: Conflict) -> dict[str, str]:
        """What ours and theirs did to the file, each in a few words."""
        names = self.names(conflict)
        if conflict.kind == "type":
            # git records the two at different paths, of which each has one side alone.
            path = self.original(conflict) or conflict.path
            base, ours, theirs = (self._leaf(tree, path) for tree in self._trees)
            conflict = Conflict(path, "type", base, ours, theirs)
            names = Names(path if base else None, path if ours else None, path if theirs else None)
        return {
            "ours": self._did(conflict, names, conflict.ours, 1),
            "theirs": self._did(conflict, names, conflict.theirs, 2),
        }

    def _did(self, conflict: Conflict, names: Names, entry: Entry | None, side: int) -> str:
        mine, path = names[side], self.original(conflict) or conflict.path
        if self._renamed(names, side):
            changed = entry and conflict.base and entry.oid != conflict.base.oid
            and_changed = " and changed it" if changed else ""
            was, now = paths.display(names.base or path), paths.display(mine or path)
            return f"renamed {was} to {now}{and_changed}"
        if entry is None:
            return self._without(conflict, names, path, side)
        if conflict.base is None:
            source = self._removed(self._trees[side]).get(entry)
            if conflict.kind in ("add-add", "mode") and source is not None:
                return f"renamed {paths.display(source)} to {paths.display(path)}"
            plain = ", a plain file" if conflict.kind == "type" else ""
            return f"added {paths.display(mine or path)}{self._kind(entry) or plain}"
        return self._changed(conflict.base, entry)

    def _without(self, conflict: Conflict, names: Names, path: bytes, side: int) -> str:
        there = self._repository.trees.lookup(self._trees[side], path)
        if there is not None and there.mode == TREE:
            return f"has a directory at {paths.display(path)}"
        if conflict.kind == "directory-rename":
            source = next((name for name in conflict.beside if name != path), path)
            was, now = (name.rpartition(b"/")[0] for name in (source, path))
            if self._repository.trees.lookup(self._trees[side], was) is not None:
                was, now = now, was  # it is told by where it was added
            return f"renamed the directory {paths.display(was)} to {paths.display(now or b'.')}"
        if there is not None:
            return f"has{self._kind(there) or ' a file'} at {paths.display(path)}"
        gone = names.base or path
        return f"deleted {paths.display(gone)}" if conflict.base else "has nothing there"

    def _changed(self, base: Entry, entry: Entry) -> str:
        if entry == base:
            return "left it as it was"
        if entry.mode == GITLINK or (entry.mode == base.mode == SYMLINK):
            return self._made(entry)
        words = []
        if entry.mode != base.mode:
            words.append(self._made(entry))
        if entry.oid != base.oid and entry.mode in REGULAR:
            data = self._repository.objects.blob(entry.oid)
            words.append(f"changed its content{_no_text(data)}")
        return " and ".join(words)

    def _made(self, entry: Entry) -> str:
        return "made it " + (self._kind(entry).removeprefix(", ") or "a plain file")

    def _kind(self, entry: Entry) -> str:
        """What an entry is, where it is no plain text file."""
        if entry.mode == GITLINK:
            return f", the submodule's commit {entry.oid[:10]}"
        if entry.mode == TREE:
            return ", a directory"
        data = self._repository.objects.blob(entry.oid)
        if entry.mode == SYMLINK:
            return f", a symbolic link to {paths.display(data[:LONGEST_TARGET])}"
        executable = ", executable" if entry.mode == EXECUTABLE else ""
        return executable + _no_text(data)


def _no_text(data: bytes) -> str:
    return f", {len(data)} bytes that are no text" if matching.is_binary(data) else ""
