"""Commit objects as values: what git's own text holds, parsed and written."""

from __future__ import annotations

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.objects import Objects
from slipstream_git.model import EMPTY_TREE
from slipstream_git.records import NamedTuple


class Commit(NamedTuple):
    """One commit. ``author`` and ``committer`` are raw lines: ``Name <email> seconds zone``."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: bytes
    committer: bytes
    message: bytes

    @property
    def subject(self) -> str:
        return self.message.strip().split(b"\n", 1)[0].decode("utf-8", "replace")


def parse(oid: str, raw: bytes) -> Commit:
    """Raises `git-failed` for what is not a well-formed commit."""
    head, _, message = raw.partition(b"\n\n")
    tree, author, committer = "", b"", b""
    parents: list[str] = []
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree":
            tree = value.decode("ascii", "replace")
        elif key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key == b"author":
            author = value
        elif key == b"committer":
            committer = value
    if not tree:
        raise SlipError("git-failed", f"commit {oid} is malformed", hint="git fsck")
    return Commit(oid, tree, tuple(parents), author, committer, message)


def tree_of(objects: Objects, oid: str | None) -> str:
    """The tree of a commit; the empty one of none."""
    return parse(oid, objects.commit(oid)).tree if oid else EMPTY_TREE


def encode(
    tree: str, parents: tuple[str, ...], author: bytes, committer: bytes, message: bytes
) -> bytes:
    """The content of a commit object."""
    lines = [b"tree " + tree.encode()]
    lines += [b"parent " + parent.encode() for parent in parents]
    lines += [b"author " + author, b"committer " + committer]
    return b"\n".join(lines) + b"\n\n" + message


def trailers(message: bytes) -> list[tuple[str, str]]:
    """The ``Key: value`` lines of the last paragraph, in order."""
    last = message.rstrip(b"\n").rpartition(b"\n\n")[2]
    pairs = []
    for line in last.decode("utf-8", "surrogateescape").split("\n"):
        key, colon, value = line.partition(": ")
        if colon and key.replace("-", "").isalnum():
            pairs.append((key, value))
    return pairs
