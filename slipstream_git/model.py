"""The nouns: what an op, a file, a step and a result are. No behaviour, no git, no disk.

They are ``NamedTuple`` classes rather than frozen dataclasses because ``import dataclasses``
and its generated methods cost a cold command 15 ms on a 2-core machine, a third of
what ``slip apply`` may take (docs/adr/0002-named-tuples.md).

Repository paths and file contents are ``bytes`` everywhere inside; the codec turns them
into JSON text at the border. Object ids are 40 lower-case hex digits. Lines are 1-based and
ranges end-inclusive. In results, a field whose default is None is left out of the JSON when it
is None; a field without a default is always there.
"""

from __future__ import annotations

from typing import Final, Literal

from slipstream_git.records import NamedTuple

FILE: Final = 0o100644
EXECUTABLE: Final = 0o100755
REGULAR: Final = (FILE, EXECUTABLE)
SYMLINK: Final = 0o120000
GITLINK: Final = 0o160000
TREE: Final = 0o040000

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ZERO: Final = "0" * 40


class Entry(NamedTuple):
    """One entry of a git tree: what stands at a path."""

    mode: int
    oid: str


class File(NamedTuple):
    """A file's mode and content (for a symlink: its target; for a gitlink: the commit id)."""

    mode: int
    data: bytes


class StrReplace(NamedTuple):
    path: bytes
    old: bytes
    new: bytes
    count: int | Literal["all"] = 1  # type: ignore[assignment]  # hides tuple.count
    near_line: int | None = None
    oid: str | None = None


class Sub(NamedTuple):
    globs: tuple[str, ...]
    pattern: bytes
    replacement: bytes
    regex: bool = False
    word: bool = False
    ignore_case: bool = False
    expect: int | None = None


class Write(NamedTuple):
    path: bytes
    content: bytes
    mode: int | None = None
    create: Literal["ok", "only", "never"] = "ok"
    oid: str | None = None


class Insert(NamedTuple):
    path: bytes
    text: bytes
    after_line: int | None = None
    before: bytes | None = None
    after: bytes | None = None
    oid: str | None = None


class ReplaceLines(NamedTuple):
    path: bytes
    start: int
    end: int
    text: bytes
    oid: str


class Delete(NamedTuple):
    path: bytes
    oid: str | None = None


class Move(NamedTuple):
    path: bytes
    to: bytes
    oid: str | None = None


class Copy(NamedTuple):
    path: bytes
    to: bytes
    oid: str | None = None


class Chmod(NamedTuple):
    path: bytes
    mode: int
    oid: str | None = None


class Symlink(NamedTuple):
    path: bytes
    target: bytes
    oid: str | None = None


class Patch(NamedTuple):
    diff: bytes
    oid: str | None = None


class Read(NamedTuple):
    path: bytes
    start: int | None = None
    end: int | None = None
    oid: str | None = None


Op = (
    StrReplace | Sub | Write | Insert | ReplaceLines | Delete | Move | Copy | Chmod | Symlink
    | Patch | Read
)  # fmt: skip

OPS: Final[dict[str, type]] = {
    "str_replace": StrReplace,
    "sub": Sub,
    "write": Write,
    "insert": Insert,
    "replace_lines": ReplaceLines,
    "delete": Delete,
    "move": Move,
    "copy": Copy,
    "chmod": Chmod,
    "symlink": Symlink,
    "patch": Patch,
    "read": Read,
}
