"""What lands is what `git add` would have stored: the clean side of filters and line endings.

A session's ops say what git stores. But whoever writes a picture under a git-lfs path, or a plain
file where the attributes say to encrypt it, gives what would stand in a worktree, and it must not
land so. The two are told apart by a round trip: a blob that git gives back after checking it out
and adding it again is already what git stores.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from slipstream_git.gitdb import attributes, conversion
from slipstream_git.gitdb.conversion import Workshop
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import REGULAR, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace


class _Changed(NamedTuple):
    """Blobs that land where attributes convert: their entries, the branch's, and the attribute."""

    entries: Mapping[bytes, Entry]
    before: Mapping[bytes, Entry]
    why: Mapping[bytes, str]


class Normalised(NamedTuple):
    """What lands in place of what: entries by path, the blobs they name, a line for each."""

    entries: Mapping[bytes, Entry]
    blobs: Mapping[str, bytes]
    lines: list[str]


# By head tree and tree.
Known = dict[tuple[str, str], Normalised]


def as_stored(
    ws: Workspace, head_tree: str, tree: str, known: Known | None = None
) -> tuple[str, list[str]]:
    """The tree that lands for ``tree``, in the overlay, and a line for each path that it changes.

    Only what differs from ``head_tree`` is looked at; the attributes are those of ``tree``. Filters
    run as for `git add`, and git-lfs stores its objects. Raises `git-failed` where one fails that
    may not.

    known: kept by the caller from one try of a landing to the next, so that hooks have seen what
    lands also where a filter does not give the same bytes twice.
    """
    known = {} if known is None else known
    found = known.get((head_tree, tree))
    if found is None:
        found = known[head_tree, tree] = _normalised(ws.repository, head_tree, tree)
    for oid, data in found.blobs.items():
        ws.repository.objects.write("blob", data, oid)
    return ws.repository.trees.splice(tree, found.entries), found.lines


def _normalised(repository: Repository, head_tree: str, tree: str) -> Normalised:
    changed = _changed(repository, head_tree, tree)
    if not changed.entries:
        return Normalised({}, {}, [])
    drivers = any(why.startswith("filter=") for why in changed.why.values())
    with conversion.opened(repository, tree, changed.entries, drivers=drivers) as shop:
        stored = _stored(repository, shop, changed)
        read = {oid: shop.blob(oid) for oid in stored.values()}
    lines = [
        f"{paths.display(path)} landed as git add would store it ({changed.why[path]})"
        for path in sorted(stored)
    ]
    return Normalised(
        {path: Entry(changed.entries[path].mode, oid) for path, oid in stored.items()},
        {oid: data for oid, data in read.items() if data is not None},
        lines,
    )


def _changed(repository: Repository, head_tree: str, tree: str) -> _Changed:
    """The blobs that a round trip may change."""
    files = {found.path: found for found in repository.trees.differences(head_tree, tree)}
    values = attributes.of_paths(repository, tree, files)
    entries, before, why = {}, {}, {}
    for path, what in attributes.converted_in(repository, values).items():
        _, old, new = files[path]
        if new is None or new.mode not in REGULAR:
            continue
        if _may_change(repository, new, what):
            entries[path], why[path] = new, what
            if old is not None and old.mode in REGULAR:
                before[path] = old
    return _Changed(entries, before, why)


def _may_change(repository: Repository, entry: Entry, what: str) -> bool:
    """Most text has neither CRLF nor a keyword, and needs no git process to be sure of it."""
    if what not in ("line ends", "ident"):
        return True
    data = repository.objects.blob(entry.oid)
    return b"\r\n" in data or (what == "ident" and b"$Id" in data)


def _stored(repository: Repository, shop: Workshop, changed: _Changed) -> dict[bytes, str]:
    """The ids of blobs that land in place of those which do not come back from a round trip."""
    entries = changed.entries
    unreadable = shop.check_out_each(entries)
    back = _added(shop, changed, entries.keys() - unreadable)
    odd = {path for path, oid in back.items() if oid != entries[path].oid}
    odd -= _salted(repository, shop, changed, {path: back[path] for path in odd})
    doubtful = odd | unreadable
    for path in doubtful:
        shop.put(path, repository.objects.blob(entries[path].oid))
    raw = _add(shop, changed, doubtful, checking=True)
    stored = {path: oid for path, oid in raw.items() if oid != entries[path].oid}
    # What cannot be checked out either way may well be stored already: git-lfs without its object,
    # a cipher without its key.
    clean = {p: entries[p]._replace(oid=stored[p]) for p in unreadable & stored.keys()}
    for path in shop.check_out_each(clean):
        del stored[path]
    return stored


def _added(shop: Workshop, changed: _Changed, wanted: Collection[bytes]) -> Mapping[bytes, str]:
    """What the files that were checked out are stored as."""
    for path in wanted:
        shop.put_made(path)
    return _add(shop, changed, wanted, checking=False)


def _add(
    shop: Workshop, changed: _Changed, wanted: Collection[bytes], *, checking: bool
) -> Mapping[bytes, str]:
    if not wanted:
        return {}
    before = {path: changed.before[path] for path in wanted if path in changed.before}
    return shop.add(wanted, before, checking=checking)


def _salted(
    repository: Repository, shop: Workshop, changed: _Changed, back: Mapping[bytes, str]
) -> set[bytes]:
    """Paths whose filter never gives the same bytes twice, as encryption with a nonce does.

    What such a filter turns into something else is stored already, though it never comes back.
    """
    smudged = set()
    for path in back:
        if changed.why[path].startswith("filter="):
            with open(shop.made(path), "rb") as file:
                if file.read() != repository.objects.blob(changed.entries[path].oid):
                    smudged.add(path)
    again = _added(shop, changed, smudged)
    return {path for path in smudged if again[path] != back[path]}
