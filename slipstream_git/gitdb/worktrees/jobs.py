"""What is asked of a worktree: which paths come from which version to which, and how.

Words only: who looks, places and recovers is beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

from slipstream_git.gitdb.barriers import AT_ONCE, Barrier
from slipstream_git.model import Entry
from slipstream_git.records import NamedTuple

Content = Callable[[bytes, Entry], bytes]
# A path and what its file holds: the blob id that git would give it; None where its filter fails.
Cleaned = Callable[[bytes, bytes], str | None]
Acceptable = Callable[[bytes], "Collection[Entry | None]"]
Checkpoint = Callable[[str], None]
Recovering = Literal["forward", "back"] | None

TEMPORARY: Final = b".slip-tmp-"
_REMEMBERED: Final = 64 << 20


class Placement(NamedTuple):
    """What one path has on the branch now (``old``) and what lands there (``new``)."""

    path: bytes
    old: Entry | None
    new: Entry | None


class Trouble(NamedTuple):
    """A path that keeps a placement from being made, and why, in a few words."""

    path: bytes
    why: str


class Manner(NamedTuple):
    """How this worktree holds files: core.fileMode, core.symlinks and their kin."""

    file_mode: bool = True
    symlinks: bool = True
    ignore_case: bool = False
    sparse: bool = False


class Convertible:
    """Content that git converts on its way out; ``cleaned`` is the way back, as `git add` goes.

    Many files clean to one blob (CRLF and LF endings, say): git calls them all unchanged.

    prepare: called with the paths that will be placed, so that all are converted in one go; raises
        `git-failed` where a filter fails that may not.
    filtered: paths with a filter driver. Their former content may be out of reach (git-lfs would
        ask a server for it), so a file there is cleaned before any version is smudged.
    """

    def __init__(
        self,
        content: Content,
        cleaned: Cleaned,
        prepare: Callable[[Collection[bytes]], None],
        filtered: Collection[bytes],
    ) -> None:
        self._content = content
        self.cleaned = cleaned
        self.prepare = prepare
        self.filtered = filtered

    def __call__(self, path: bytes, entry: Entry) -> bytes:
        return self._content(path, entry)

    def over(self, content: Content) -> Convertible:
        """The same with its content from elsewhere."""
        return Convertible(content, self.cleaned, self.prepare, self.filtered)


class Worktree(NamedTuple):
    """One worktree.

    branch: a full ref name, None when detached; head: None when unborn.
    """

    root: str
    git_dir: str
    branch: str | None
    head: str | None
    bare: bool = False
    locked: bool = False
    prunable: bool = False


def _nothing_else(_: bytes) -> Collection[Entry | None]:
    return ()


def _no_checkpoint(_: str) -> None:
    pass


class Job(NamedTuple):
    """One set of changed paths to be placed in one worktree.

    content: the bytes that belong in the worktree for an entry, smudged; a symlink's target.
    token: letters and digits; names everything temporary; no other run may use it.
    acceptable: further versions of a path that may be written over because they are kept
        elsewhere (captured); None among them: the path may be absent.
    with_index: False leaves index entries alone and takes no lock (`slip flush`).
    barrier: when files, directories and index are on the disk; the caller raises it.
    checkpoint: called with a name after every effect, for tests that die there.
    recovering: the run that had this job died: it is completed (forward) or taken back. A path
        with trouble is left alone and told; going back, the placements are turned round, and an
        acceptable version is what the user had, and stays.
    """

    worktree: Worktree
    placements: Sequence[Placement]
    content: Content
    token: str
    acceptable: Acceptable = _nothing_else
    with_index: bool = True
    manner: Manner = Manner()
    barrier: Barrier = AT_ONCE
    checkpoint: Checkpoint = _no_checkpoint
    recovering: Recovering = None

    def prepared(self) -> Job:
        """The same in order of paths, with content that is asked for once."""
        in_order = sorted(self.placements, key=lambda p: p.path)
        return self._replace(placements=in_order, content=remembering(self.content))

    def turned(self) -> Job:
        """From what is new to what was old."""
        return self._replace(placements=[Placement(p, new, old) for p, old, new in self.placements])


def remembering(content: Content) -> Content:
    """The same content, asked for once: it is compared up to three times, and may cost a process.

    Not for ever: files together larger than 64 MiB are asked for again.
    """
    known: dict[tuple[bytes, Entry], bytes] = {}
    room = _REMEMBERED

    def remembered(path: bytes, entry: Entry) -> bytes:
        nonlocal room
        data = known.get((path, entry))
        if data is None:
            data = content(path, entry)
            if len(data) <= room:
                room -= len(data)
                known[path, entry] = data
        return data

    if isinstance(content, Convertible):
        return content.over(remembered)
    return remembered
