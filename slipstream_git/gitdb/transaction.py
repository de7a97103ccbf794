"""A ref transaction held open: prepared (locked and checked), then committed or aborted.

Landing needs the moment between the two. If the ref moved first and the process died before
the worktree's files followed, a person's next ``git commit -a`` would revert what landed; so the
files are brought along while the ref is locked, and then it moves. A child that loses its parent
gives its locks back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.barriers import Barrier
from slipstream_git.gitdb.process import Child, Git, pipes
from slipstream_git.gitdb.refs import PATIENTLY, RefMove, translate_refusal, update_ref_input


class Mover:
    """A `git update-ref` that runs and waits for its transaction.

    Started before the landing lock is taken, so that nobody waits for its start; it has read the
    configuration then, and nothing of the refs. Close it in any case.
    """

    def __init__(self, git: Git, reason: str, *, synced: bool) -> None:
        self._order = (git, reason, synced)
        self._child: Child | None = _started(git, reason, synced=synced)

    def taken(self, git: Git, reason: str, *, synced: bool) -> Child:
        """The child, for one transaction; another where this one was started otherwise."""
        child = self._child
        if child is None or self._order != (git, reason, synced) or child.poll() is not None:
            return _started(git, reason, synced=synced)
        self._child = None
        return child

    def close(self) -> None:
        if self._child is not None:
            _ended(self._child)


def _started(git: Git, reason: str, *, synced: bool) -> Child:
    return git.start(
        "-c",
        f"core.fsync={'committed' if synced else 'none'}",
        *PATIENTLY,
        "update-ref",
        "-m",
        reason,
        "--stdin",
        "-z",
        hear_errors=True,
    )


def _ended(child: Child) -> None:
    for pipe in (*pipes(child), child.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    child.wait()


class Prepared:
    """A transaction: `prepare` locks and checks, `commit` makes it true. Close it in any case."""

    def __init__(self, child: Child, moves: Sequence[RefMove]) -> None:
        self._moves = moves
        self._child = child
        self._committed = False

    def prepare(self) -> None:
        """Lock the refs and check what they hold. Raises `ref-moved`, `locked`, `git-failed`."""
        given = update_ref_input(self._moves)
        self._say(b"start\0" + given + b"prepare\0", ("start", "prepare"))

    def commit(self) -> None:
        """Move the refs. Raises `git-failed` when git could not."""
        self._say(b"commit\0", ("commit",))
        self._committed = True

    def close(self) -> None:
        """Give the locks back, unless the transaction was committed."""
        stdin, _ = pipes(self._child)
        if not self._committed:
            with suppress(OSError, ValueError):  # closed already, after a refusal
                stdin.write(b"abort\0")
                stdin.flush()
        _ended(self._child)

    def _say(self, text: bytes, expected: Sequence[str]) -> None:
        stdin, stdout = pipes(self._child)
        try:
            stdin.write(text)
            stdin.flush()
            for word in expected:
                if stdout.readline().strip() != f"{word}: ok".encode():
                    raise self._refusal()
        except OSError:
            raise self._refusal() from None

    def _refusal(self) -> SlipError:
        _, stdout = pipes(self._child)
        with suppress(OSError):
            pipes(self._child)[0].close()
        err = self._child.stderr.read() if self._child.stderr else b""
        stdout.read()
        said = " ".join(err.decode("utf-8", "replace").split())
        return translate_refusal(said, self._moves)


@contextmanager
def prepared(
    git: Git, moves: Sequence[RefMove], reason: str, *, synced: bool, mover: Mover | None = None
) -> Iterator[Prepared]:
    """Lock and check ``moves``; aborted on exit unless committed inside. Raises `ref-moved`.

    synced: git syncs each that it has written to its lock, so that a rename cannot make it an empty
    one. Else the caller raises a barrier over the refs before it commits, or waits for no disk.
    mover: one that was started for this, if any.
    """
    start = mover.taken if mover else _started
    transaction = Prepared(start(git, reason, synced=synced), moves)
    try:
        transaction.prepare()
        yield transaction
    finally:
        transaction.close()


def leave(common_dir: str, moves: Sequence[RefMove], barrier: Barrier) -> None:
    """Moved refs survive a power cut when the barrier has been raised after this. Raises OSError.

    git may sync what it writes to a ref, but never the directory that the ref is in.
    """
    for move in moves:
        with suppress(FileNotFoundError, NotADirectoryError):
            barrier.leave_path(os.path.dirname(os.path.join(common_dir, move.name)))
