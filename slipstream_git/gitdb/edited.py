"""What a person has changed in a worktree and not committed, as `git add` would store it.

Read through git itself, so that filters, line endings, file modes and the index's own tricks count
as they do for `git add`. The worktree and its index are only read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

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
        root = repository.layout.root or ""
        raise SlipError(
            "dirty",
            f"{paths.display(path)} is unmerged in {root}; finish or abort the merge first",
            hint=command(["git", "-C", root, "status"], ()),
        )


def moved_submodules(
    repository: Repository, head: str | None, wanted: Sequence[bytes]
) -> list[bytes]:
    """Submodules that stand on another commit than ``head`` says."""
    rows = _differing(repository, head, wanted, "--ignore-submodules=dirty")
    return [path for path, mode, _ in rows if mode == GITLINK]


def changed_submodules(repository: Repository, head: str | None) -> bool:
    """Whether a submodule, or what is staged of it, is in any way not as ``head`` has it."""
    rows = _differing(repository, head, (), "--ignore-submodules=none")
    return any(mode == GITLINK for _, mode, _ in rows)


def left_out(repository: Repository, tree: str) -> list[bytes]:
    """Submodules that are not as ``tree`` has them, and repositories it lacks: never an edit."""
    root = os.fsencode(repository.layout.root or "")
    rows = _differing(repository, tree, (), "--ignore-submodules=none")
    found = {path for path, mode, _ in rows if mode == GITLINK}
    found.update(submodules.unpopulated(repository.git, root))
    out = repository.git.run("ls-files", "-o", "-z", "--exclude-standard").out
    return sorted(found.union(path for path in out.split(b"\0") if path.endswith(b"/")))


def staged(repository: Repository, head: str | None) -> list[Edit]:
    """What the index has otherwise than ``head``, whatever the files are by now. No deletions."""
    out = repository.git.run(
        "diff-index", "--cached", "-z", "--raw", "--no-renames", "--no-abbrev",
        "--ignore-submodules=none", head or EMPTY_TREE, "--",
    ).out  # fmt: skip
    fields = out.split(b"\0")
    rows = ((facts.decode().split(" "), path) for facts, path in zip(*[iter(fields)] * 2))  # noqa: B905
    found = [Edit(path, Entry(int(facts[1], 8), facts[3])) for facts, path in rows]
    return [edit for edit in found if edit.entry and edit.entry.mode]


def hidden(repository: Repository, wanted: Sequence[bytes] = ()) -> list[bytes]:
    """Files marked for git not to look at that are not as the index has them.

    What a sparse checkout leaves out is marked, too, and is not there.
    """
    root = os.fsencode(repository.layout.root or "")
    listed = repository.git.run("--literal-pathspecs", "ls-files", "-v", "-z", "--", *wanted)
    rows = listed.out.split(b"\0")
    marked = {row[2:] for row in rows if row[:1].islower() or row[:1] == b"S"}
    there = sorted(path for path in marked if os.path.lexists(os.path.join(root, path)))
    if not there:
        return []
    with _index_copied(repository) as env:
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):  # git minds one at a time
            repository.git.run(
                "update-index", "--no-split-index", flag, "-z", "--stdin",
                stdin=_listed(there), env=env,
            )  # fmt: skip
        repository.git.run("update-index", "-q", "--refresh", env=env, accept=(0, 1))
        out = repository.git.run("diff-files", "--name-only", "-z", env=env).out
    return sorted(set(out.split(b"\0")).intersection(there))


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
    with _index_copied(repository) as copied:
        env = {**room.env, **copied}
        # A split index would leave its other half in the git directory.
        repository.git.run(
            "update-index", "--no-split-index", "--add", "--replace", "-z", "--stdin",
            stdin=_listed(files), env=env,
        )  # fmt: skip
        yield from _entries(repository, env, files)


@contextmanager
def _index_copied(repository: Repository) -> Iterator[dict[str, str]]:
    """A copy of the index that may be written to: what makes a git use it."""
    import shutil  # a cold start does not pay for these
    import tempfile

    with tempfile.TemporaryDirectory(prefix="slip-capture-") as directory:
        index = os.path.join(directory, "index")
        with suppress(FileNotFoundError):
            # With its time: by that git knows which entries may hide a quick edit.
            shutil.copy2(os.path.join(repository.layout.git_dir, "index"), index)
        yield {"GIT_INDEX_FILE": index}


def _listed(files: Iterable[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in files)


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
