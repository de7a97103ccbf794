"""Refs, moved only by compare-and-swap.

A forced write loses updates: six processes adding notes through forced references lost
205 of 283 acknowledged ones. So there is no call here that sets a ref without naming what it
was before; absence is ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import reffiles
from slipstream_git.gitdb.process import Git
from slipstream_git.hints import of
from slipstream_git.model import ZERO
from slipstream_git.records import NamedTuple
from slipstream_git.text.objectid import is_id

# How long the lock of a ref is waited for, which somebody else holds for milliseconds. git's own
# patience is a tenth of it, and libgit2 has none.
LOCK_PATIENCE_S = 1.0
PATIENTLY = ("-c", f"core.filesRefLockTimeout={LOCK_PATIENCE_S * 1000:.0f}")


# Refs that each worktree has for itself.
OF_ONE_WORKTREE = ("refs/worktree/", "refs/bisect/", "refs/rewritten/")


class RefMove(NamedTuple):
    """One ref from ``old`` to ``new``; None means that it is not there."""

    name: str
    old: str | None
    new: str | None


class RefStore(Protocol):
    def ref(self, name: str) -> str | None:
        """The id that a full ref name holds, or None."""

    def refs(self, prefix: str) -> Mapping[str, str]:
        """Every ref below ``prefix``, sorted by name."""

    def move(self, moves: Sequence[RefMove], reason: str) -> None:
        """All of ``moves`` or none. Raises `ref-moved` or `locked`."""


def read_ref(git: Git, common_dir: str, name: str) -> str | None:
    """The id that a full ref name holds, None where it is not there.

    Read where it is plain, else asked of git. Its object is not looked for: while git repacks, it
    may not find that for a moment.
    """
    if not name.startswith("refs/") or "\0" in name:
        return None
    if not name.startswith(OF_ONE_WORKTREE):
        with suppress(OSError):
            found = reffiles.held(common_dir, name)
            if found is None or is_id(found):
                return found
    done = git.run("rev-parse", "--verify", "--quiet", name, accept=(0, 1, 128))
    return done.out.decode().strip() if done.status == 0 else None


def list_refs(git: Git, common_dir: str, prefix: str) -> dict[str, str]:
    """Every ref below ``prefix``, sorted by name: read where they are plain, else asked of git."""
    with suppress(OSError):
        found = reffiles.below(common_dir, prefix)
        if all(map(is_id, found.values())):
            return found
    out = git.run("for-each-ref", "--format=%(objectname) %(refname)", prefix).out
    lines = out.decode("utf-8", "surrogateescape").split("\n")
    return {line[41:]: line[:40] for line in lines if line}


def update_ref_input(moves: Sequence[RefMove]) -> bytes:
    """The lines that ``git update-ref --stdin -z`` takes for these moves."""
    parts = []
    for move in moves:
        old, new = move.old or ZERO, move.new or ZERO
        parts.append(f"update {move.name}\0{new}\0{old}\0")
    return "".join(parts).encode("utf-8", "surrogateescape")


def move_with_git(git: Git, moves: Sequence[RefMove], reason: str) -> None:
    """Move refs by ``git update-ref``: what works in every kind of repository."""
    command = (*PATIENTLY, "update-ref", "-m", reason, "--stdin", "-z")
    done = git.run(*command, stdin=update_ref_input(moves), accept=(0, 128))
    if done.status:
        raise translate_refusal(done.said, moves)


def locked(names: str, said: str) -> SlipError:
    """The refusal where somebody holds a lock of refs; git gives one back in milliseconds.

    The hint removes one that was left behind, and does nothing to one that is a minute old or less.
    """
    import re  # hardly ever needed

    found = re.search(r"(/[^']*(?:[.]lock|packed-refs[.]new))", said)
    hint = of("find", found[1], "-mmin", "+1", "-delete") if found else None
    said += " (a git that was killed leaves it behind)" if found else ""
    return SlipError("locked", f"another process holds the lock of {names}: {said}", hint=hint)


def translate_refusal(said: str, moves: Sequence[RefMove]) -> SlipError:
    """Which of our codes a refused ref transaction is."""
    names = ", ".join(move.name for move in moves)
    if ".lock': File exists" in said or "packed-refs.new: File exists" in said:
        return locked(names, said)
    if "aborted by" in said and "hook" in said:
        return SlipError(
            "hook-failed", f"the hook reference-transaction refused: {said}", data={"output": said}
        )
    if "but expected" in said or "reference already exists" in said or "unable to resolve" in said:
        return SlipError("ref-moved", f"{names} moved meanwhile: {said}")
    return SlipError("git-failed", f"{names} cannot be moved: {said}")
