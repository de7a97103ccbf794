"""A conflicted text taken apart into what merges and what collides, and put together again.

The collisions are numbered from 1, as `hunks.colliding` gives them; what stands between two of them
merges cleanly. So a hunk can be decided while others are still open, and nowhere stands a marker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from slipstream_git.text import hunks, matching

Side = Literal["ours", "theirs", "base", "both"]
# base, ours and theirs to their merge, or None where they collide.
Merge = Callable[[bytes, bytes, bytes], bytes | None]


class Collision(NamedTuple):
    """The lines of one hunk, as each version has them."""

    base: bytes
    ours: bytes
    theirs: bytes

    def side(self, name: Side) -> bytes:
        """The lines of one version; ``both``: ours, then theirs."""
        if name == "both":
            return _ended(self.ours, self.theirs) + self.theirs if self.theirs else self.ours
        return {"base": self.base, "ours": self.ours, "theirs": self.theirs}[name]


class Weave(NamedTuple):
    """``clean`` has one text more than there are collisions: they stand between them."""

    clean: tuple[bytes, ...]
    collisions: tuple[Collision, ...]

    def text(self, decided: Mapping[int, bytes]) -> bytes:
        """The whole text; a hunk that is not decided is as ours has it."""
        parts = [self.clean[0]]
        for number, collision in enumerate(self.collisions, 1):
            rest = self.clean[number]
            chosen = decided.get(number, collision.ours)
            follows = rest or any(c.ours for c in self.collisions[number:])
            parts += [_ended(chosen, collision.ours) if follows else chosen, rest]
        return b"".join(parts)


def taken_apart(base: bytes, ours: bytes, theirs: bytes, merge: Merge) -> Weave:
    """The merge of three texts with its collisions; a text that cannot be split is one of them."""
    versions = base, ours, theirs
    sides = [matching.lines(text) for text in versions]
    clean: list[bytes] = []
    collisions: list[Collision] = []
    done = [0, 0, 0]
    for hunk in hunks.colliding(*versions):
        spans = (hunk.base, hunk.ours, hunk.theirs)
        starts = [first - 1 for first, _ in spans]
        merged = _between(sides, done, starts, merge)
        if merged is None:
            return _whole(*versions)
        clean.append(merged)
        done = [last for _, last in spans]
        collisions.append(
            Collision(
                *(
                    b"".join(lines[start:end])
                    for lines, start, end in zip(sides, starts, done, strict=True)
                )
            )
        )
    merged = _between(sides, done, [len(lines) for lines in sides], merge)
    return _whole(*versions) if merged is None else Weave((*clean, merged), tuple(collisions))


def fitted(text: bytes, collision: Collision) -> bytes:
    """A text written for a hunk, with the line ends that the hunk has."""
    crlf = b"\r\n" in collision.ours + collision.theirs + collision.base
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if crlf else text


def _between(
    sides: list[list[bytes]], starts: list[int], ends: list[int], merge: Merge
) -> bytes | None:
    base, ours, theirs = (
        b"".join(lines[start:end]) for lines, start, end in zip(sides, starts, ends, strict=True)
    )
    return merge(base, ours, theirs)


def _whole(base: bytes, ours: bytes, theirs: bytes) -> Weave:
    return Weave((b"", b""), (Collision(base, ours, theirs),))


def _ended(text: bytes, like: bytes) -> bytes:
    """The text with its last line ended, so that another can follow."""
    if not text or text.endswith(b"\n"):
        return text
    return text + (b"\r\n" if b"\r\n" in text + like else b"\n")
