"""A conflicted text taken apart into what merges and what collides, and put together again.

The collisions are numbered from 1, as `hunks.colliding` gives them; what stands between two of them
merges cleanly. So a hunk can be decided while others are still open, and nowhere stands a marker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from slipstream_git.records import NamedTuple
from slipstream_git.text import hunks, matching, threeway
from slipstream_git.text.hunks import Hunk
from slipstream_git.text.threeway import Place

Side = Literal["ours", "theirs", "base", "both"]
_NEWLINE = 10


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

    def keeps(self, text: bytes) -> bool:
        """Whether a text differs from this merge in nothing but its hunks."""
        if not text.startswith(self.clean[0]):
            return False
        done = len(self.clean[0])
        for part in self.clean[1:-1]:
            found = text.find(part, done)
            while found > 0 and text[found - 1] != _NEWLINE:
                found = text.find(part, found + 1)
            if found < 0:
                return False
            done = found + len(part)
        last = len(text) - len(self.clean[-1])
        begins = last == len(text) or last == 0 or text[last - 1] == _NEWLINE
        return done <= last and begins and text.endswith(self.clean[-1])


def taken_apart(base: bytes, ours: bytes, theirs: bytes) -> Weave:
    """The merge of three texts, which are no binaries, with its collisions."""
    sides = matching.lines(base), matching.lines(ours), matching.lines(theirs)
    clean: list[bytes] = []
    collisions: list[Collision] = []
    found: list[Hunk] = []
    between: list[Place] = []
    done = 0
    for place in hunks.places(sides):
        if not hunks.collides(sides, place):
            between.append(place)
            continue
        clean.append(threeway.joined(between, sides[1], sides[2], (done, place.ours[0])))
        between, done = [], place.ours[1]
        first, second, third = (
            b"".join(lines[slice(*span)]) for lines, span in zip(sides, place[:3], strict=True)
        )
        collisions.append(Collision(first, second, third, _end(first + second + third, ours)))
        found.append(hunks.hunk(sides, place))
    clean.append(threeway.joined(between, sides[1], sides[2], (done, len(sides[1]))))
    return Weave(tuple(clean), tuple(collisions), tuple(found))


def _end(hunk: bytes, file: bytes) -> bytes:
    """How lines end in a hunk, or where it has no whole line in its file."""
    return b"\r\n" if b"\r\n" in (hunk if b"\n" in hunk else file) else b"\n"
