"""What a session does to the tokens, as its agent accounts for it, and as git shows it."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.git import environment, git

TOKEN = re.compile(r"tok-\d{3}-\d{4}")
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

Item = tuple[str, str]  # path and token
Items = frozenset[Item]
NOTHING: Items = frozenset()


class Effect(NamedTuple):
    """What a session adds to its base and takes away from it."""

    added: Items = NOTHING
    removed: Items = NOTHING

    def edited(self, path: str, old: str | None, new: str | None) -> Effect:
        """With a token replaced, put in (``old`` is None) or taken out (``new`` is None)."""
        added, removed = set(self.added), set(self.removed)
        if old is not None and (path, old) in added:
            added.remove((path, old))
        elif old is not None:
            removed.add((path, old))
        if new is not None:
            added.add((path, new))
        return Effect(frozenset(added), frozenset(removed))

    def left_open(self, hunk: Hunk) -> Effect:
        """After a rebase that left this hunk to be decided: the branch's text stands there."""
        return Effect(self.added - hunk.theirs, self.removed - hunk.base - hunk.ours)

    def decided(self, ours: Items, result: Items) -> Effect:
        """Where the branch had ``ours`` and now ``result`` stands."""
        return Effect(self.added | (result - ours), self.removed | (ours - result))

    def is_shown_by(self, shown: Effect, base: Items) -> bool:
        """What is gone from the base already cannot be seen to be taken away."""
        return shown.added == self.added and shown.removed == self.removed & base


class Hunk(NamedTuple):
    """A conflict hunk of a path: the number it is decided by, the tokens and the lines."""

    path: str
    number: int
    base: Items
    ours: Items
    theirs: Items
    ours_lines: tuple[str, ...]
    theirs_lines: tuple[str, ...]


def hunks_of(row: dict[str, object]) -> list[Hunk]:
    """The hunks of a conflict as slip tells it. Raises ValueError for one without any."""
    path, found = str(row["path"]), []
    hunks = row.get("hunks")
    if not isinstance(hunks, list) or not hunks:
        raise ValueError(f"{row.get('kind')} without hunks: {path}")
    for hunk in hunks:
        if "left_out" in hunk:
            raise ValueError(f"clipped: {path}")
        texts = [hunk[f"{side}_text"] for side in ("base", "ours", "theirs")]
        base, ours, theirs = (items_in(path, text) for text in texts)
        lines = [tuple(text.splitlines()) for text in texts]
        found.append(Hunk(path, hunk["hunk"], base, ours, theirs, lines[1], lines[2]))
    return found


def items_in(path: str, text: str) -> Items:
    return frozenset((path, token) for token in TOKEN.findall(text))


def counted(repository: Path, revision: str) -> Counter[Item]:
    """How often each token stands in each file of a tree. Raises RuntimeError without one."""
    words = ("grep", "-oIE", "--full-name", TOKEN.pattern.replace(r"\d", "[0-9]"), revision, "--")
    done = subprocess.run(
        ["git", "-C", str(repository), *words], capture_output=True, check=False, env=environment()
    )
    if done.returncode > 1:
        raise RuntimeError(done.stderr.decode())
    rows = (line.removeprefix(f"{revision}:") for line in done.stdout.decode().splitlines())
    return Counter((path, token) for path, _, token in (row.rpartition(":") for row in rows))


def items(repository: Path, revision: str) -> Items:
    return frozenset(counted(repository, revision))


def between(old: Iterable[Item], new: Iterable[Item]) -> Effect:
    before, after = frozenset(old), frozenset(new)
    return Effect(after - before, before - after)


def base_of(repository: Path, tip: str) -> str:
    """The commit on which a session stands, by its chain alone."""
    rows = git(
        repository, "log", "-1", "--first-parent", "--grep=^Slip-Op: begin$", "--format=%P", tip
    )
    return rows.decode().strip() or EMPTY


def union(hunk: Hunk, is_own: Sequence[str]) -> tuple[str, ...]:
    """The branch's lines, then those of the session's that are its own tokens and not there."""
    return hunk.ours_lines + tuple(
        line for line in hunk.theirs_lines if line in is_own and line not in hunk.ours_lines
    )
