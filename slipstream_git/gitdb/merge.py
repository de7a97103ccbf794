"""The three-way merge of trees, as git itself makes it.

`git merge-tree --write-tree` (merge-ort) answers wherever the answer is not trivial: two equal
sides, or one side unchanged. git 2.39 cannot be told the base, so it is given two commits made
for the purpose whose only parent is a commit of the base tree. They are dated now: dated at the
epoch they cost 700 ms instead of 4, because git then walks all of history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits, quarantine
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.quarantine import Quarantine
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import Entry
from slipstream_git.text.objectid import object_id

# From git's own message types (merge-ort.c) to the contract's kinds of conflict. The order
# counts: a path takes the first kind that one of its messages has.
KINDS = (
    ("CONFLICT (submodule", "submodule"),
    ("CONFLICT (rename involved in collision)", "rename-add"),
    ("CONFLICT (binary)", "binary"),
    ("CONFLICT (distinct modes)", "type"),
    ("CONFLICT (distinct types)", "type"),
    ("CONFLICT (file/directory)", "file-directory"),
    ("CONFLICT (rename/rename)", "rename-rename"),
    ("CONFLICT (rename/delete)", "rename-delete"),
    ("CONFLICT (modify/delete)", "modify-delete"),
    ("CONFLICT (directory rename", "directory-rename"),
    ("CONFLICT (implicit dir rename)", "directory-rename"),
    ("CONFLICT (contents)", "content"),
)
WANTED_FIELDS = 3


class Conflict(NamedTuple):
    """One path that git leaves unmerged: the entries of base, ours and theirs, and why."""

    path: bytes
    kind: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None


class Merge(NamedTuple):
    """A merge: ``tree`` is clean when ``conflicts`` is empty, else git's with markers.

    engine: "trivial" when no merging was needed, else "git".
    """

    tree: str
    conflicts: tuple[Conflict, ...]
    engine: str


def three_way(repository: Repository, base: str, ours: str, theirs: str, now: int) -> Merge:
    """Merge three trees. A clean result's new objects are in the overlay.

    now: seconds since the epoch, for the commits that git is given.
    """
    if base in (ours, theirs) or ours == theirs:
        return Merge(theirs if base == ours else ours, (), "trivial")
    extra: dict[str, RawObject] = {}

    def commit(tree: str, *parents: str) -> str:
        signature = b"slip <slip@localhost> %d +0000" % now
        data = commits.encode(tree, parents, signature, signature, b"merge input\n")
        oid = object_id("commit", data)
        extra[oid] = RawObject("commit", data)
        return oid

    root = commit(base)
    sides = commit(ours, root), commit(theirs, root)
    with quarantine.opened(repository, extra) as room:
        return _merged(repository, room, *sides)


def of_commits(repository: Repository, ours: str, theirs: str) -> Merge:
    """git's own (recursive) merge of two commits, over all their merge bases."""
    with quarantine.opened(repository) as room:
        return _merged(repository, room, ours, theirs)


def _merged(repository: Repository, room: Quarantine, ours: str, theirs: str) -> Merge:
    done = repository.git.run(
        "merge-tree", "--write-tree", "-z", "--messages", "--allow-unrelated-histories",
        ours, theirs, env=room.env, accept=(0, 1),
    )  # fmt: skip
    tree, _, rest = done.out.partition(b"\0")
    if done.status == 0:
        for item in room.loose():
            repository.objects.write(item.kind, item.data)
        return Merge(tree.decode(), (), "git")
    for item in room.loose():
        repository.objects.hold(item.kind, item.data)
    return Merge(tree.decode(), _conflicts(rest), "git")


def _conflicts(output: bytes) -> tuple[Conflict, ...]:
    """The unmerged paths from what follows the tree id in ``merge-tree -z`` output."""
    records = output.split(b"\0")
    stages: dict[bytes, dict[int, Entry]] = {}
    position = 0
    while position < len(records) and records[position]:
        facts, _, path = records[position].partition(b"\t")
        mode, oid, stage = facts.split(b" ")
        stages.setdefault(path, {})[int(stage)] = Entry(int(mode, 8), oid.decode())
        position += 1
    kinds = _kinds(records[position + 1 :])
    return tuple(
        Conflict(path, _kind(kinds.get(path), sides), *(sides.get(n) for n in (1, 2, 3)))
        for path, sides in sorted(stages.items())
    )


def _kinds(records: list[bytes]) -> Mapping[bytes, list[str]]:
    """Message types by path: each message is a count, that many paths, a type and a text."""
    found: dict[bytes, list[str]] = {}
    position = 0
    while position < len(records) and records[position].isdigit():
        count = int(records[position])
        paths = records[position + 1 : position + 1 + count]
        kind = records[position + 1 + count].decode("utf-8", "replace")
        for path in paths:
            found.setdefault(path, []).append(kind)
        position += count + WANTED_FIELDS
    return found


def _kind(messages: list[str] | None, sides: Mapping[int, Entry]) -> str:
    for start, kind in KINDS:
        if any(message.startswith(start) for message in messages or ()):
            both_added = kind == "content" and 1 not in sides
            return "add-add" if both_added else kind
    if messages is None and len(sides) == WANTED_FIELDS:
        return "content"
    if not messages:
        raise SlipError("git-failed", f"git merge-tree names no reason for {sorted(sides)}")
    return "content"
