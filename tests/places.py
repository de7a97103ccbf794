"""Where git keeps what, and what a ref holds, read from the files: a process for each costs more.

Only what is plain is answered: a repository found where it is looked for, a ref in a file of its
own. For all else the answer is None, and git is asked.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import struct
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*")
_OID = re.compile(r"[0-9a-f]{40}")
# Those of a worktree of its own.
_APART = ("refs/bisect/", "refs/rewritten/", "refs/worktree/")
_MOST_LINKS = 5


def git_dir_of(place: Path) -> Path | None:
    """`git rev-parse --absolute-git-dir` at the root of a worktree or of a bare repository."""
    if "GIT_DIR" in os.environ:
        return None
    pointer = place / ".git"
    if is_bare(place):
        found = place
    elif pointer.is_dir():
        found = pointer
    elif pointer.is_file():
        found = place / pointer.read_text().removeprefix("gitdir: ").removesuffix("\n")
    else:
        return None
    return found.resolve() if (found / "HEAD").is_file() else None


def is_bare(place: Path) -> bool:
    return (place / "HEAD").is_file() and (place / "objects").is_dir()


def common_dir_of(git_dir: Path) -> Path:
    """The directory that a repository's worktrees share."""
    link = git_dir / "commondir"
    return (git_dir / link.read_text().rstrip("\n")).resolve() if link.is_file() else git_dir


def held_by(git_dir: Path, rev: str) -> str | None:
    """The id that HEAD, a full ref or a branch has in a file of its own, by git's rules."""
    shared = common_dir_of(git_dir)
    name = rev
    if rev != "HEAD" and not rev.startswith("refs/"):
        # All that git takes the word for before it thinks of a branch; an id, too.
        before = (git_dir / rev, shared / rev, shared / "refs" / rev, shared / "refs/tags" / rev)
        packed = (shared / "packed-refs").exists()
        if not _PLAIN.fullmatch(rev) or packed or any(map(os.path.lexists, before)):
            return None
        name = f"refs/heads/{rev}"
    for _ in range(_MOST_LINKS):
        if name.startswith(_APART) or not (name == "HEAD" or _PLAIN.fullmatch(name)):
            return None
        holder = git_dir if name == "HEAD" else shared
        try:
            text = (holder / name).read_text().removesuffix("\n")
        except OSError:
            return None
        if not text.startswith("ref: "):
            return text if _OID.fullmatch(text) else None
        name = text.removeprefix("ref: ")
    return None


def restat(root: Path) -> None:
    """`git update-index --refresh` for a copied worktree whose files are what its index says."""
    index = root / ".git" / "index"
    data = bytearray(index.read_bytes())
    signature, version, count = struct.unpack_from(">4sII", data)
    assert (signature, version) == (b"DIRC", 2)
    at = 12
    for _ in range(count):
        end = data.index(b"\0", at + 62)
        found = os.lstat(root / os.fsdecode(bytes(data[at + 62 : end])))
        (mode,) = struct.unpack_from(">I", data, at + 24)
        times = (divmod(ns, 10**9) for ns in (found.st_ctime_ns, found.st_mtime_ns))
        numbers = (found.st_dev, found.st_ino, mode, found.st_uid, found.st_gid, found.st_size)
        facts = (*itertools.chain(*times), *numbers)
        struct.pack_into(">10I", data, at, *(fact & 0xFFFFFFFF for fact in facts))
        at += (end - at + 8) // 8 * 8
    data[-20:] = hashlib.sha1(data[:-20]).digest()  # noqa: S324  (as git has it)
    index.write_bytes(data)
