"""What a person has changed in a worktree and not committed, as `git add` would store it.

Read through git itself, so that filters, line endings, file modes and the index's own tricks count
as they do for `git add`. The worktree and its index are only read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import quarantine
from slipstream_git.gitdb.quarantine import Quarantine
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import EMPTY_TREE, EXECUTABLE, FILE, GITLINK, SYMLINK, Entry
from slipstream_git.text import paths


class Edit(NamedTuple):
    """One edited path; ``entry`` is None where the file was deleted."""

    path: bytes
    entry: Entry | None


def edits(
    repository: Repository, head: str | None, wanted: Sequence[bytes], *, untracked: bool
) -> list[Edit]:
    """Uncommitted edits against ``head``, sorted by path, their blobs in the overlay.

    wanted: only these paths and what is below them. untracked: files git does not track, too
    (never ignored ones). Raises `missing` for a wanted path that is neither, `dirty` for unmerged
    paths.
    """
    root = os.fsencode(repository.layout.root or "")
    modes = dict(_tracked(repository, head, wanted))
    if untracked:
        modes |= dict(_untracked(repository, root, wanted))
    with quarantine.opened(repository) as room:
        found = [Edit(path, None) for path, mode in modes.items() if mode is None]
        found += _stored(repository, room, root, {p: m for p, m in modes.items() if m is not None})
        for item in room.loose():
            repository.objects.write(item.kind, item.data)
    return sorted(found)


def _tracked(
    repository: Repository, head: str | None, wanted: Sequence[bytes]
) -> Iterator[tuple[bytes, int | None]]:
    out = repository.git.run(
        "--literal-pathspecs", "diff-index", "-z", "--raw", "--no-renames",
        "--ignore-submodules=all", head or EMPTY_TREE, "--", *wanted,
    ).out  # fmt: skip
    fields = out.split(b"\0")
    for facts, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, _, status = facts.split(b" ")
        if status.startswith(b"U"):
            raise SlipError(
                "dirty", f"{paths.display(path)} is unmerged; finish or abort the merge first",
                hint="git status",
            )  # fmt: skip
        number = int(mode, 8)
        if number != GITLINK:
            yield path, number or None


def _untracked(
    repository: Repository, root: bytes, wanted: Sequence[bytes]
) -> Iterator[tuple[bytes, int | None]]:
    out = repository.git.run(
        "--literal-pathspecs", "ls-files", "-o", "-z", "--exclude-standard", "--", *wanted
    ).out
    for path in out.split(b"\0"):
        if path and not path.endswith(b"/"):  # a nested repository is listed as a directory
            mode = _mode_of(os.lstat(os.path.join(root, path)).st_mode)
            if mode is not None:
                yield path, mode


def _mode_of(mode: int) -> int | None:
    if stat.S_ISLNK(mode):
        return SYMLINK
    if not stat.S_ISREG(mode):
        return None
    return EXECUTABLE if mode & 0o100 else FILE


def _stored(
    repository: Repository, room: Quarantine, root: bytes, modes: dict[bytes, int]
) -> Iterator[Edit]:
    links = [path for path, mode in modes.items() if mode == SYMLINK]
    for path in links:
        target = os.readlink(os.path.join(root, path))
        yield Edit(path, Entry(SYMLINK, repository.objects.write("blob", target)))
    files = [path for path in modes if modes[path] != SYMLINK]
    for path, oid in zip(files, _hashed(repository, room, files), strict=True):
        yield Edit(path, Entry(modes[path], oid))


def _hashed(repository: Repository, room: Quarantine, files: Sequence[bytes]) -> Iterable[str]:
    """Blob ids of files, cleaned as `git add` cleans them, the blobs in the quarantine."""
    if not files:
        return []
    if any(b"\n" in path for path in files):
        return [_hashed_alone(repository, room, path) for path in files]
    lines = b"".join(path + b"\n" for path in files)
    done = repository.git.run("hash-object", "-w", "--stdin-paths", stdin=lines, env=room.env)
    return done.out.decode().split()


def _hashed_alone(repository: Repository, room: Quarantine, path: bytes) -> str:
    return repository.git.run("hash-object", "-w", "--", path, env=room.env).out.decode().strip()
