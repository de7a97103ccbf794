"""The merge that git itself makes: `git merge-tree --write-tree` (merge-ort), in one process.

git 2.39 cannot be told the base, so it is given two commits made for the purpose whose only parent
is a commit of the base tree. They are dated now: dated at the epoch they cost 700 ms instead of 4,
because git then walks all of history.

It runs in an empty directory as its work tree, where only ours' own `.gitattributes` stand: what
somebody has not committed decides no merge. (merge-ort reads no attributes from an index, and git
2.39 none from a tree.) A merge driver still runs where git would start it.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes, commits, quarantine
from slipstream_git.gitdb.merged import Conflict, Merge
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.quarantine import Quarantine
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import EMPTY_TREE, GITLINK, Entry
from slipstream_git.records import NamedTuple
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
    ("CONFLICT (file in way of directory rename)", "directory-rename"),
    ("CONFLICT(directory rename", "directory-rename"),
    ("CONFLICT (contents)", "content"),
)
WANTED_FIELDS = 3


def of_trees(
    repository: Repository, base: str, ours: str, theirs: str, now: int, *, keeping: bool = True
) -> Merge:
    """Three trees merged. A clean result's new objects are in the overlay, if ``keeping``.

    now: seconds since the epoch, for the commits that git is given. Raises `git-failed` also where
    a part of the result is there and broken.
    """
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
        differences = repository.trees.differences(ours, theirs)
        with _clean_worktree(repository, ours, differences) as place:
            merged = _merged(repository, room, place, *sides, keeping=keeping)
    if not merged.conflicts:
        repository.objects.check(repository.trees.additions(ours, merged.tree))
    return _with_sides(repository, merged, (base, ours, theirs))


def of_commits(repository: Repository, ours: str, theirs: str) -> Merge:
    """git's own (recursive) merge of two commits, over all their merge bases."""
    ours_tree, theirs_tree = (commits.tree_of(repository.objects, oid) for oid in (ours, theirs))
    differences = repository.trees.differences(ours_tree, theirs_tree)
    with (
        quarantine.opened(repository) as room,
        _clean_worktree(repository, ours_tree, differences) as place,
    ):
        merged = _merged(repository, room, place, ours, theirs)
    return _with_sides(repository, merged, (EMPTY_TREE, ours_tree, theirs_tree))


def _with_sides(repository: Repository, merged: Merge, sides: tuple[str, str, str]) -> Merge:
    """Where git lists no versions of a conflict, those that the sides' trees have at its path.

    A path that all have alike only stands in the way of another's, which is told.
    """
    found = []
    for conflict in merged.conflicts:
        if any((conflict.base, conflict.ours, conflict.theirs)):
            found.append(conflict)
            continue
        base, ours, theirs = (repository.trees.leaf(tree, conflict.path) for tree in sides)
        if conflict.kind != "directory-rename" or ours != theirs:
            found.append(conflict._replace(base=base, ours=ours, theirs=theirs))
    # Not clean is not clean, even where nothing can be shown of it.
    return merged._replace(conflicts=tuple(found) or merged.conflicts)


@contextmanager
def _clean_worktree(
    repository: Repository, tree: str, differences: Sequence[Difference]
) -> Iterator[str]:
    """A directory with what a merge reads of a clean worktree of ``tree``; gone on exit.

    differences: between the two sides. Where they are equal git merges no content, renames or not,
    so that the attributes of other paths do not matter.
    """
    import tempfile  # a cold start does not pay for it

    with tempfile.TemporaryDirectory(prefix="slip-merge-") as place:
        try:
            _furnish(repository, tree, differences, os.fsencode(place))
        except OSError as fault:
            raise SlipError("git-failed", f"cannot make a place to merge in: {fault}") from None
        yield place


def _furnish(
    repository: Repository, tree: str, differences: Sequence[Difference], place: bytes
) -> None:
    paths = [difference.path for difference in differences]
    files = dict(attributes.files_above(repository, tree, paths))
    submodules = [d.path for d in differences if any(e and e.mode == GITLINK for e in d[1:])]
    modules = repository.trees.leaf(tree, b".gitmodules") if submodules else None
    if modules:
        files[b".gitmodules"] = modules
    for path, entry in files.items():
        _write(place, path, repository.objects.blob(entry.oid))
    for path in submodules:
        _lend(repository, place, path)


def _write(place: bytes, path: bytes, data: bytes) -> None:
    if not _is_inside(path):
        return
    target = os.path.join(place, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as stream:
        stream.write(data)


def _lend(repository: Repository, place: bytes, path: bytes) -> None:
    """Let git find the checked out submodule, whose history says which commit is the later."""
    there = os.path.join(os.fsencode(repository.layout.root or ""), path)
    if repository.layout.root and _is_inside(path) and os.path.lexists(there + b"/.git"):
        target = os.path.join(place, path)
        with suppress(FileExistsError, NotADirectoryError):  # ours has something else there
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(there, target)


def _is_inside(path: bytes) -> bool:
    """A tree that somebody made by hand can hold any name; a checkout would refuse these too."""
    return not {b"", b".", b"..", b".git"} & set(path.lower().split(b"/"))


def _settings(repository: Repository, place: str) -> dict[str, str]:
    """The configuration that means the same in ``place`` as in the worktree: values by key."""
    config = repository.config
    settings = {
        key: _driver(repository, place, command)
        for key, command in config.below("merge").items()
        if key.endswith(".driver") and key.count(".") > 1
    }
    more = config.get("core.attributesFile")
    if more and not more.startswith(("/", "~", "%(prefix)/")):
        settings["core.attributesFile"] = os.path.join(repository.git.directory, more)
    return settings


def _driver(repository: Repository, place: str, command: str) -> str:
    """A merge driver's command that runs in the worktree, on the files that git put in ``place``.

    git names those relative to where it runs. It has told nobody where its repository is, unless
    that cannot be found from the worktree.
    """
    if shlex.quote(place) != place:
        return command  # $TMPDIR does not fit into any shell command; it runs in `place` then
    layout = repository.layout
    if layout.root and not os.path.lexists(os.path.join(layout.root, ".git")):
        named = f"GIT_DIR={shlex.quote(layout.git_dir)} GIT_WORK_TREE={shlex.quote(layout.root)}"
    else:
        named = "unset GIT_DIR GIT_WORK_TREE"
    start = f"cd {shlex.quote(repository.git.directory)} || exit; {named}; "
    there = place.replace("%", "%%")
    found = re.sub("%([OAB%])", lambda m: m[0] if m[1] == "%" else f"{there}/{m[0]}", command)
    return start.replace("%", "%%") + found


def _merged(
    repository: Repository,
    room: Quarantine,
    place: str,
    ours: str,
    theirs: str,
    *,
    keeping: bool = True,
) -> Merge:
    settings = _settings(repository, place)
    # By name and not as `-c KEY=VALUE`: a driver's name may hold a "=".
    named = [f"--config-env={key}=SLIP_SETTING_{n}" for n, key in enumerate(settings)]
    values = {f"SLIP_SETTING_{n}": value for n, value in enumerate(settings.values())}
    done = repository.git.at(place, repository.layout.git_dir).run(
        *named, "merge-tree", "--write-tree", "-z", "--messages", "--allow-unrelated-histories",
        ours, theirs, env={**room.env, **values}, accept=(0, 1),
    )  # fmt: skip
    tree, _, rest = done.out.partition(b"\0")
    conflicts = _conflicts(rest) if done.status else ()
    conflicts = conflicts or _unlisted(rest)
    for item in room.loose():
        if conflicts or not keeping:
            repository.objects.hold(item.kind, item.data)
        else:
            repository.objects.write(item.kind, item.data)
    return Merge(tree.decode(), conflicts, "git")


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
    messages = _messages(records[position + 1 :])
    found = []
    for path, sides in sorted(stages.items()):
        said = messages.get(path, ())
        kind = _kind([message.kind for message in said], sides)
        base, ours, theirs = (sides.get(n) for n in (1, 2, 3))
        found.append(Conflict(path, kind, base, ours, theirs, _beside(said)))
    return tuple(found)


def _unlisted(output: bytes) -> tuple[Conflict, ...]:
    """Conflicts that git only speaks of, with no path unmerged.

    `git merge` stops where it cannot tell to which directory a rename leads, and leaves each file
    where its side has it. And git 2.39 exits as if all were clean in two cases: where one side
    renamed a file to a path at which both sides have added the same, and the other side changed
    that file, there are conflict markers in the tree; and a file that it once took to be in the
    way of a directory may stay where it was pushed aside to.
    """
    messages = _messages(output.split(b"\0")[1:])
    return tuple(
        Conflict(path, _kind([m.kind for m in said], {}), None, None, None, _beside(said))
        for path, said in sorted(messages.items())
        if any(m.kind.startswith("CONFLICT") for m in said)
    )


class _Message(NamedTuple):
    """What git says of a conflict: the paths that it concerns, and its kind."""

    paths: tuple[bytes, ...]
    kind: str


def _messages(records: list[bytes]) -> Mapping[bytes, list[_Message]]:
    """Messages by path: each is a count, that many paths, a type and a text."""
    found: dict[bytes, list[_Message]] = {}
    position = 0
    while position < len(records) and records[position].isdigit():
        count = int(records[position])
        paths = tuple(records[position + 1 : position + 1 + count])
        kind = records[position + 1 + count].decode("utf-8", "replace")
        for path in paths:
            found.setdefault(path, []).append(_Message(paths, kind))
        position += count + WANTED_FIELDS
    return found


def _beside(messages: Sequence[_Message]) -> tuple[bytes, ...]:
    for message in messages:
        if message.kind.startswith("CONFLICT") and len(message.paths) > 1:
            return message.paths
    return ()


def _kind(messages: Sequence[str], sides: Mapping[int, Entry]) -> str:
    for start, kind in KINDS:
        if any(message.startswith(start) for message in messages):
            return _added(sides) if kind == "content" and 1 not in sides else kind
    if not messages and len(sides) == WANTED_FIELDS:
        return "content"
    if not messages:
        raise SlipError("git-failed", f"git merge-tree names no reason for {sorted(sides)}")
    return "content"


def _added(sides: Mapping[int, Entry]) -> str:
    """Both sides added the file: with other contents, or with another mode alone."""
    both = [sides[n] for n in (2, 3) if n in sides]
    return "mode" if len(both) == 2 and both[0].oid == both[1].oid else "add-add"
