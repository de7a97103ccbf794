"""Notes as git keeps them: a tree of blobs named by the id of what they speak of.

Written with one level of fan-out (``ab/cdef…``), which git reads like any other. A line is
added to what is there; the ref is moved by whoever adds, in the same transaction as the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from slipstream_git.gitdb import commits
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import EMPTY_TREE, FILE, TREE, Entry
from slipstream_git.text.objectid import is_id


def adding(
    repository: Repository, ref: str, lines: Iterable[tuple[str, bytes]], signature: bytes
) -> RefMove:
    """Add lines, each to the note on its object, in the overlay; the move that makes it true.

    lines: the object's id, and the line without its end.
    """
    tip = repository.store.ref(ref)
    tree = commits.tree_of(repository.objects, tip)
    for target, line in lines:
        path = path_of(repository, tree, target) or fanned(target)
        entry = repository.trees.lookup(tree, path)
        before = repository.objects.blob(entry.oid) if entry else b""
        blob = repository.objects.write("blob", before + line + b"\n")
        tree = repository.trees.splice(tree, {path: Entry(FILE, blob)})
    parents = (tip,) if tip else ()
    data = commits.encode(tree, parents, signature, signature, b"Notes added by slip\n")
    return RefMove(ref, tip, repository.objects.write("commit", data))


def read(repository: Repository, ref: str, target: str) -> bytes | None:
    """The note on ``target``, None where there is none."""
    tip = repository.store.ref(ref)
    return at_commit(repository, tip, target) if tip else None


def at_commit(repository: Repository, tip: str, target: str) -> bytes | None:
    """The note on ``target`` in the notes that a commit holds, None where there is none."""
    tree = commits.tree_of(repository.objects, tip)
    path = path_of(repository, tree, target)
    entry = repository.trees.leaf(tree, path) if path else None
    return repository.objects.blob(entry.oid) if entry else None


def every(repository: Repository, tip: str) -> Mapping[str, str]:
    """The blob of each note in the notes of a commit, by what it speaks of.

    What is no note is passed over.
    """
    found = {}
    tree = commits.tree_of(repository.objects, tip)
    for path, _, entry in repository.trees.differences(EMPTY_TREE, tree):
        target = path.replace(b"/", b"").decode("ascii", "replace")
        if entry is not None and entry.mode == FILE and is_id(target):
            found[target] = entry.oid
    return found


def replacing(
    repository: Repository,
    ref: str,
    contents: Mapping[str, bytes],
    signature: bytes,
    *,
    said: str = "Notes changed by slip",
    alone: bool = False,
) -> RefMove:
    """Give objects other notes, in the overlay; the move that makes it true.

    contents: the object's id, and its note as a whole; an empty one goes. alone: the notes as they
    are then have no history.
    """
    tip = repository.store.ref(ref)
    tree = commits.tree_of(repository.objects, tip)
    changes: dict[bytes, Entry | None] = {}
    for target, content in contents.items():
        path = path_of(repository, tree, target)
        if content:
            blob = repository.objects.write("blob", content)
            changes[path or fanned(target)] = Entry(FILE, blob)
        elif path is not None:
            changes[path] = None
    tree = repository.trees.splice(tree, changes)
    parents = (tip,) if tip and not alone else ()
    data = commits.encode(tree, parents, signature, signature, f"{said}\n".encode())
    return RefMove(ref, tip, repository.objects.write("commit", data))


def fanned(target: str) -> bytes:
    """Where a note goes that is new."""
    return f"{target[:2]}/{target[2:]}".encode()


def path_of(repository: Repository, tree: str, target: str) -> bytes | None:
    """Where the note is now, whatever fan-out git has given the tree."""
    prefix, rest = b"", target.encode()
    while rest:
        entries = repository.trees.entries(tree)
        if rest in entries and entries[rest].mode != TREE:
            return prefix + rest
        below = entries.get(rest[:2])
        if below is None or below.mode != TREE:
            return None
        prefix, rest, tree = prefix + rest[:2] + b"/", rest[2:], below.oid
    return None
