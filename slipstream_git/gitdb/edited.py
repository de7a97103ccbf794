"""What a person has changed in a worktree and not committed, as `git add` would store it.

Read through git itself, so that filters, line endings, file modes and the index's own tricks count
as they do for `git add`. The worktree and its index are only read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import quarantine, submodules
from slipstream_git.gitdb.quarantine import Quarantine
from slipstream_git.gitdb.repository import Repository
from slipstream_git.gitdb.worktrees.jobs import TEMPORARY
from slipstream_git.hints import command
from slipstream_git.model import EMPTY_TREE, GITLINK, Entry
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths

# Above either, git lists the whole index: an argument list has an end.
_NAMED_PATHS = 50
_NAMED_BYTES = 50_000


class Edit(NamedTuple):
    """One edited path; ``entry`` is None where the file was deleted."""

    path: bytes
    entry: Entry | None


def edits(
    repository: Repository,
    head: str | None,
    wanted: Sequence[bytes],
    *,
    untracked: bool,
    unmerged: bool = False,
) -> list[Edit]:
    """Uncommitted edits against ``head``, sorted by path, their blobs in the overlay.

    wanted: only these paths and what is below them. untracked: files git does not track, too
    (never ignored ones). unmerged: take unmerged files as they stand. Raises `missing` for a wanted
    path that is neither, `dirty` for unmerged paths, `git-failed` where git took a broken object
    for the blob of a file.
    """
    if not unmerged:
        _check_merged(repository, wanted)
    stands = dict(_tracked(repository, head, wanted))
    if untracked:
        root = os.fsencode(repository.layout.root or "")
        stands |= dict.fromkeys(_untracked(repository, root, wanted), True)
    found = [Edit(path, None) for path, is_there in stands.items() if not is_there]
    with quarantine.opened(repository) as room:
        found += _stored(repository, room, {path for path, is_there in stands.items() if is_there})
        for item in room.loose():
            repository.objects.write(item.kind, item.data)
    for path, entry in found:
        try:
            repository.objects.check([entry.oid] if entry else [])
        except SlipError as fault:
            if fault.hint == "git fsck":  # it is gone, and the file is there to make it anew
                fault.hint = command(["git", "hash-object", "-w"], [path])
            raise
    return sorted(found)


def _check_merged(repository: Repository, wanted: Sequence[bytes]) -> None:
    """Refuse unmerged paths, whose files hold conflict markers; a plain diff calls them edited."""
    out = repository.git.run("--literal-pathspecs", "ls-files", "-u", "-z", "--", *wanted).out
    if out:
        path = out.split(b"\0", 1)[0].partition(b"\t")[2]
        raise SlipError(
            "dirty",
            f"{paths.display(path)} is unmerged; finish or abort the merge first",
            hint="git status",
        )


def moved_submodules(
    repository: Repository, head: str | None, wanted: Sequence[bytes]
) -> list[bytes]:
    """Submodules that stand on another commit than ``head`` says."""
    rows = _differing(repository, head, wanted, "--ignore-submodules=dirty")
    return [path for path, mode, _ in rows if mode == GITLINK]


def left_out(repository: Repository, tree: str) -> list[bytes]:
    """Submodules that are not as ``tree`` has them, and repositories it lacks: never an edit."""
    root = os.fsencode(repository.layout.root or "")
    rows = _differing(repository, tree, (), "--ignore-submodules=none")
    found = {path for path, mode, _ in rows if mode == GITLINK}
    found.update(submodules.unpopulated(repository.git, root))
    out = repository.git.run("ls-files", "-o", "-z", "--exclude-standard").out
    return sorted(found.union(path for path in out.split(b"\0") if path.endswith(b"/")))


def _tracked(
    repository: Repository, head: str | None, wanted: Sequence[bytes]
) -> Iterator[tuple[bytes, bool]]:
    """Paths that may differ from ``head``, and whether anything stands there."""
    root = os.fsencode(repository.layout.root or "")
    for path, mode, status in _differing(repository, head, wanted, "--ignore-submodules=all"):
        if mode != GITLINK:
            stands = bool(mode) or (status == b"U" and os.path.lexists(os.path.join(root, path)))
            yield path, stands


def _differing(
    repository: Repository, head: str | None, wanted: Sequence[bytes], option: str
) -> Iterator[tuple[bytes, int, bytes]]:
    """Paths that may differ from ``head``: the mode of what stands there (0: nothing), the status.

    An unmerged path (status U) has no mode.
    """
    out = repository.git.run(
        "--literal-pathspecs", "diff-index", "-z", "--raw", "--no-renames", option,
        head or EMPTY_TREE, "--", *wanted,
    ).out  # fmt: skip
    fields = out.split(b"\0")
    for facts, path in zip(fields[::2], fields[1::2], strict=False):
        yield path, int(facts.split(b" ")[1], 8), facts[-1:]


def _untracked(repository: Repository, root: bytes, wanted: Sequence[bytes]) -> Iterator[bytes]:
    out = repository.git.run(
        "--literal-pathspecs", "ls-files", "-o", "-z", "--exclude-standard", "--", *wanted
    ).out
    for path in out.split(b"\0"):
        # A nested repository is listed as a directory; it is not ours to store.
        if not path or path.endswith(b"/") or path.rpartition(b"/")[2].startswith(TEMPORARY):
            continue  # (the last: what a killed landing set aside)
        if _is_storable(os.path.join(root, path)):
            yield path


def _is_storable(place: bytes) -> bool:
    mode = os.lstat(place).st_mode
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _stored(repository: Repository, room: Quarantine, files: Collection[bytes]) -> Iterator[Edit]:
    """Files as `git add` stores them, their blobs in the quarantine.

    Asked of a copy of the index and not of `git hash-object`, which does not look at the index:
    it gives LF endings to an edited file whose blob has CRLF, where ``text=auto`` leaves it alone.
    """
    if not files:
        return
    import shutil  # a cold start does not pay for these
    import tempfile

    with tempfile.TemporaryDirectory(prefix="slip-capture-") as directory:
        index = os.path.join(directory, "index")
        with suppress(FileNotFoundError):
            # With its time: by that git knows which entries may hide a quick edit.
            shutil.copy2(os.path.join(repository.layout.git_dir, "index"), index)
        env = {**room.env, "GIT_INDEX_FILE": index}
        # A split index would leave its other half in the git directory.
        repository.git.run(
            "update-index", "--no-split-index", "--add", "--replace", "-z", "--stdin",
            stdin=b"".join(path + b"\0" for path in files), env=env,
        )  # fmt: skip
        yield from _entries(repository, env, files)


def _entries(
    repository: Repository, env: Mapping[str, str], files: Collection[bytes]
) -> Iterator[Edit]:
    """What the index that ``env`` names has for files."""
    few = len(files) <= _NAMED_PATHS and sum(map(len, files)) <= _NAMED_BYTES
    named = sorted(files) if few else ()
    out = repository.git.run(
        "--literal-pathspecs", "ls-files", "-s", "-z", "--full-name", "--", *named, env=env
    ).out
    for record in filter(None, out.split(b"\0")):
        facts, _, path = record.partition(b"\t")
        if path in files:
            mode, oid, _ = facts.decode().split(" ")
            yield Edit(path, Entry(int(mode, 8), oid))
