"""What git makes of blobs on their way out to a worktree, and of files on their way back in.

Filters, encodings, `ident` and line endings are run by git itself, for many paths in one process,
in a private directory that stands in for the worktree. It holds the `.gitattributes` files of the
tree in question, so that tree's attributes count and not those which happen to be checked out; and
for filter drivers links to all else of the worktree, because their commands run at its root and
may name a script there. Nothing is written outside it, but what a filter writes itself: git-lfs
keeps its objects in the git directory.

`git cat-file --batch --filters` would be shorter, but prints the size of the unfiltered blob.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, quarantine
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.quarantine import Quarantine
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.worktrees.jobs import Placement
from slipstream_git.model import GITLINK, REGULAR, Entry
from slipstream_git.text.objectid import object_id

_NOT_LINKED = (b".git", b".gitattributes")


class Workshop:
    """A private worktree and index for some paths; see the head of this file.

    Bytes paths are relative to the root, as in a tree.
    """

    def __init__(self, repository: Repository, room: Quarantine, directory: str) -> None:
        self._room = room
        self._work = os.fsencode(os.path.join(directory, "work"))
        self._out = os.fsencode(os.path.join(directory, "out"))
        self._index = os.path.join(directory, "index")
        git = repository.git.at(os.fsdecode(self._work), repository.layout.git_dir)
        self._git = git.setting(*attributes.PRIVATE_INDEX)
        self._env = {**room.env, "GIT_INDEX_FILE": self._index}
        os.mkdir(self._work)

    def check_out(self, entries: Mapping[bytes, Entry]) -> None:
        """Write files as git would; `made` tells where. Raises `git-failed` in one line."""
        self.stage(entries)
        names = b"".join(path + b"\0" for path in sorted(entries))
        prefix = b"--prefix=" + self._out + b"/"
        command = ("checkout-index", "--force", "--quiet", "-z", "--stdin", prefix)
        done = self._git.run(*command, stdin=names, env=self._env, accept=range(256))
        if done.status:
            raise _failed(done.err)

    def check_out_each(self, entries: Mapping[bytes, Entry]) -> set[bytes]:
        """The same; gives the paths whose filter failed, where it may not."""
        if not entries:
            return set()
        try:
            self.check_out(entries)
        except SlipError:
            if len(entries) == 1:
                return set(entries)
        else:
            return set()
        return {path for path, entry in entries.items() if self.check_out_each({path: entry})}

    def made(self, path: bytes) -> bytes:
        """Where the file lies that was checked out for a path."""
        return os.path.join(self._out, path)

    def stage(self, entries: Mapping[bytes, Entry]) -> None:
        """Let the index hold these entries and no others."""
        with suppress(FileNotFoundError):
            os.unlink(self._index)
        lines = b"".join(
            b"%o %s\t%s\0" % (entry.mode, entry.oid.encode(), path)
            for path, entry in entries.items()
        )
        self._git.run("update-index", "-z", "--index-info", stdin=lines, env=self._env)

    def put(self, path: bytes, data: bytes) -> None:
        """Let a file stand in the private worktree."""
        with open(self._free(path), "wb") as file:
            file.write(data)

    def put_made(self, path: bytes) -> None:
        """Let the file that was checked out stand in the private worktree."""
        source, place = self.made(path), self._free(path)
        try:
            os.link(source, place)
        except OSError:  # no hard links here
            with open(source, "rb") as file:
                self.put(path, file.read())

    def link(self, path: bytes, target: bytes) -> None:
        """Let a symlink stand in the private worktree."""
        os.symlink(target, self._free(path))

    def _free(self, path: bytes) -> bytes:
        place = os.path.join(self._work, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(place)
        return place

    def add(
        self, paths: Collection[bytes], before: Mapping[bytes, Entry], *, checking: bool
    ) -> dict[bytes, str]:
        """The blob ids that `git add` gives what was put at ``paths``; `blob` has the content.

        before: what the branch holds: under ``text=auto`` git leaves CRLF alone where a blob has
        it already. checking: core.safecrlf counts. Raises `git-failed` in one line.
        """
        self.stage(before)
        git = self._git if checking else self._git.setting("core.safecrlf=false")
        done = git.run(
            "update-index", "--add", "--replace", "-z", "--stdin",
            stdin=b"".join(path + b"\0" for path in sorted(paths)), env=self._env,
            accept=range(256),
        )  # fmt: skip
        if done.status:
            raise _failed(done.err)
        listed = self._git.run("ls-files", "-s", "-z", env=self._env).out
        found = {}
        for record in filter(None, listed.split(b"\0")):
            facts, _, path = record.partition(b"\t")
            found[path] = facts.decode().split(" ")[1]
        return {path: found[path] for path in paths}

    def blob(self, oid: str) -> bytes | None:
        """The content of a blob that `add` has stored; None where the repository had it."""
        return self._room.read(oid)


def _failed(said: bytes) -> SlipError:
    lines = said.decode("utf-8", "replace").splitlines()
    last = next((line for line in reversed(lines) if line.startswith("fatal: ")), "".join(lines))
    return SlipError("git-failed", f"git cannot convert a file: {last.removeprefix('fatal: ')}")


@contextmanager
def opened(
    repository: Repository, tree: str, paths: Collection[bytes], *, drivers: bool
) -> Iterator[Workshop]:
    """A workshop for ``paths`` with the attributes of ``tree``; gone on exit.

    drivers: commands of filter drivers will run.
    """
    with quarantine.opened(repository) as room:
        directory = quarantine.private_directory(repository.layout)
        try:
            shop = Workshop(repository, room, directory)
            if drivers and repository.layout.root is not None:
                _link_around(os.fsencode(repository.layout.root), shop, paths)
            for path, entry in attributes.files_above(repository, tree, paths):
                shop.put(path, repository.objects.blob(entry.oid))
            yield shop
        finally:
            quarantine.remove(directory)


def _link_around(root: bytes, shop: Workshop, paths: Collection[bytes]) -> None:
    """Link what stands beside ``paths`` and their parents into a workshop, but for attributes."""
    ours = {path.rsplit(b"/", depth)[0] for path in paths for depth in range(path.count(b"/") + 1)}
    for directory in {b"", *(p.rpartition(b"/")[0] for p in ours)}:
        there = os.path.join(root, directory)
        if os.path.realpath(there) != os.path.join(os.path.realpath(root), directory).rstrip(b"/"):
            continue  # reached through a symlink, or not there
        with suppress(OSError), os.scandir(there) as items:
            for item in items:
                path = os.path.join(directory, item.name)
                if item.name not in _NOT_LINKED and path not in ours:
                    shop.link(path, item.path)


class Smudged:
    """What git checks out for the entries of placements, with the attributes of one tree.

    converted: the paths whose files are not their blobs; filtered: those of them with a filter
    driver. Kept on the disk, as it may be large, for as long as this object lives.
    """

    def __init__(
        self,
        repository: Repository,
        tree: str,
        placements: Collection[Placement],
        converted: Collection[bytes],
        filtered: AbstractSet[bytes],
    ) -> None:
        self._repository = repository
        self._tree = tree
        self._filtered = filtered
        self._placements = {p.path: p for p in placements if p.path in converted}
        self._made: dict[tuple[bytes, str], str] = {}
        self._directory: str | None = None

    def content(self, path: bytes, entry: Entry) -> bytes:
        """The bytes that belong at a path. Raises `git-failed` in one line."""
        if entry.mode == GITLINK:
            return b""
        if path not in self._placements or entry.mode not in REGULAR:
            return self._repository.objects.blob(entry.oid)
        if (path, entry.oid) not in self._made:
            self._fetch(self._going_with(path, entry))
        with open(self._made[path, entry.oid], "rb") as file:
            return file.read()

    def prepare(self, paths: Collection[bytes]) -> None:
        """Make what lands at ``paths``, in one go."""
        wanted = {path: self._placements[path].new for path in paths if path in self._placements}
        self._fetch({path: entry for path, entry in wanted.items() if entry is not None})

    def _going_with(self, path: bytes, entry: Entry) -> dict[bytes, Entry]:
        """When one former version is asked for, the others will be: but for costly ones."""
        if entry != self._placements[path].old or path in self._filtered:
            return {path: entry}
        return {p.path: p.old for p in self._placements.values()
                if p.old is not None and p.path not in self._filtered}  # fmt: skip

    def _fetch(self, entries: Mapping[bytes, Entry]) -> None:
        new = {
            path: entry
            for path, entry in entries.items()
            if entry.mode in REGULAR and (path, entry.oid) not in self._made
        }
        if not new:
            return
        kept = self._keeping()
        drivers = not self._filtered.isdisjoint(new)
        with opened(self._repository, self._tree, new, drivers=drivers) as shop:
            shop.check_out(new)
            for path, entry in new.items():
                place = os.path.join(kept, str(len(self._made)))
                os.rename(shop.made(path), place)
                self._made[path, entry.oid] = place

    def _keeping(self) -> str:
        if self._directory is None:
            import weakref  # a cold start does not pay for it

            self._directory = quarantine.private_directory(self._repository.layout)
            weakref.finalize(self, quarantine.remove, self._directory)
        return self._directory


class Cleaned:
    """The blob id that `git add` would give a file of a worktree; None where its filter fails.

    git: at the worktree, whose own attributes count, and not those that land. It is asked once
    which of ``paths`` it converts, when a file turns up that is equal to nothing known.
    """

    def __init__(self, repository: Repository, git: Git, paths: Collection[bytes]) -> None:
        self._repository = repository
        self._git = git
        self._paths = paths
        self._converted: Collection[bytes] | None = None
        self._known: dict[tuple[bytes, str], str | None] = {}

    def __call__(self, path: bytes, data: bytes) -> str | None:
        if self._converted is None:
            values = attributes.of_worktree(self._git, self._paths)
            self._converted = attributes.converted_in(self._repository, values).keys()
        raw = object_id("blob", data)
        if path not in self._converted:
            return raw
        key = path, raw  # a file is looked at up to three times
        if key not in self._known:
            self._known[key] = attributes.cleaned(self._git, path, data)
        return self._known[key]
