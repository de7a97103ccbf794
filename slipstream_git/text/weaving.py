"""A conflicted text taken apart into what merges and what collides, and put together again.

The collisions are numbered from 1, as `hunks.colliding` gives them; what stands between two of them
merges cleanly. So a hunk can be decided while others are still open, and nowhere stands a marker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from slipstream_git.records import NamedTuple
from slipstream_git.text import hunks, matching
from slipstream_git.text.hunks import Hunk

Side = Literal["ours", "theirs", "base", "both"]
# base, ours and theirs to their merge, or None where they collide.
Merge = Callable[[bytes, bytes, bytes], bytes | None]


class Collision(NamedTuple):
    """The lines of one hunk, as each version has them; ``end`` is how a line ends there."""

    base: bytes
    ours: bytes
    theirs: bytes
    end: bytes = b"\n"

    def side(self, name: Side) -> bytes:
        """The lines of one version; ``both``: ours, then theirs."""
        if name == "both":
            return self.ended(self.ours) + self.theirs if self.theirs else self.ours
        return {"base": self.base, "ours": self.ours, "theirs": self.theirs}[name]

    def ended(self, text: bytes) -> bytes:
        """The text with its last line ended, so that another can follow."""
        return text if not text or text.endswith(b"\n") else text + self.end

    def fitted(self, text: bytes) -> bytes:
        """A text written for this hunk, its lines ended as they are here."""
        plain = text.replace(b"\r\n", b"\n")
        return plain.replace(b"\n", self.end) if self.end == b"\r\n" else text


class Weave(NamedTuple):
    """``clean`` has one text more than there are collisions: they stand between them.

    hunks: the collisions as they are told.
    """

    clean: tuple[bytes, ...]
    collisions: tuple[Collision, ...]
    hunks: tuple[Hunk, ...]

    def text(self, decided: Mapping[int, bytes]) -> bytes:
        """The whole text; a hunk that is not decided is as ours has it."""
        parts = [self.clean[0]]
        for number, collision in enumerate(self.collisions, 1):
            rest = self.clean[number]
            chosen = decided.get(number, collision.ours)
            follows = rest or any(c.ours for c in self.collisions[number:])
            parts += [collision.ended(chosen) if follows else chosen, rest]
        return b"".join(parts)


def taken_apart(base: bytes, ours: bytes, theirs: bytes, merge: Merge) -> Weave:
    """The merge of three texts with its collisions; a text that cannot be split is one of them."""
    versions = base, ours, theirs
    sides = [matching.lines(text) for text in versions]
    clean: list[bytes] = []
    collisions: list[Collision] = []
    done = [0, 0, 0]
    found = tuple(hunks.colliding(*versions))
    for hunk in found:
        spans = (hunk.base, hunk.ours, hunk.theirs)
        starts = [first - 1 for first, _ in spans]
        merged = _between(sides, done, starts, merge)
        if merged is None:
            return _whole(*versions)
        clean.append(merged)
        done = [last for _, last in spans]
        first, second, third = (
            b"".join(lines[start:end])
            for lines, start, end in zip(sides, starts, done, strict=True)
        )
        collisions.append(Collision(first, second, third, _end(first + second + third, ours)))
    merged = _between(sides, done, [len(lines) for lines in sides], merge)
    return (
        _whole(*versions) if merged is None else Weave((*clean, merged), tuple(collisions), found)
    )


def _between(
    sides: list[list[bytes]], starts: list[int], ends: list[int], merge: Merge
) -> bytes | None:
    base, ours, theirs = (
        b"".join(lines[start:end]) for lines, start, end in zip(sides, starts, ends, strict=True)
    )
    return merge(base, ours, theirs)


def _whole(base: bytes, ours: bytes, theirs: bytes) -> Weave:
    versions = base, ours, theirs
    first, second, third = ([1, len(matching.lines(text))] for text in versions)
    b, o, t = (text.decode("utf-8", "replace") for text in versions)
    hunk = Hunk(first, second, third, b, o, t)
    return Weave((b"", b""), (Collision(*versions, _end(ours, theirs)),), (hunk,))


def _end(hunk: bytes, file: bytes) -> bytes:
    """How lines end in a hunk, or where it has no whole line in its file."""
    return b"\r\n" if b"\r\n" in (hunk if b"\n" in hunk else file) else b"\n"
