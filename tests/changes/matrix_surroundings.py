"""States of what is around the path that lands: parents, permissions, index, other worktrees.

And of what git is in the middle of. As in matrix_states.py, each is a function that brings a place
into it, listed by `@state(kinds)` under its name.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.changes.matrix import (
    ALL,
    AROUND,
    MINE,
    NOT_YET,
    SOME,
    TRACKED,
    Place,
    Unavailable,
    state,
)  # fmt: skip
from tests.lab import Lab

# --- its parents ----------------------------------------------------------------------------------


@state(ALL)
def parent_missing(place: Place) -> None:
    shutil.rmtree(place.parent, ignore_errors=True)


@state(ALL)
def parent_a_file(place: Place) -> None:
    parent_missing(place)
    place.parent.write_text(MINE)


@state(ALL)
def parent_a_link_to_outside(place: Place) -> None:
    _move_parent(place, place.outside / "moved")


@state(ALL)
def parent_a_link_to_inside(place: Place) -> None:
    _move_parent(place, place.lab.path / "moved")


def _move_parent(place: Place, to: Path) -> None:
    if place.parent.exists():
        place.parent.rename(to)
    else:
        to.mkdir()
    place.parent.symlink_to(to)


@state(ALL)
def parent_a_link_to_nowhere(place: Place) -> None:
    parent_missing(place)
    place.parent.symlink_to("nowhere")


# --- permissions ----------------------------------------------------------------------------------


@state(TRACKED)
def unreadable(place: Place) -> None:
    """Without the change time, which git would find moved or not by the second it fell in."""
    place.git("config", "core.trustctime", "false")
    _veil(place, place.path, 0)


@state(TRACKED)
def modified_and_unreadable(place: Place) -> None:
    place.put(MINE)
    _veil(place, place.path, 0)


@state(ALL)
def parent_read_only(place: Place) -> None:
    place.parent.mkdir(exist_ok=True)
    _veil(place, place.parent, 0o555)


@state(ALL)
def parent_closed(place: Place) -> None:
    place.parent.mkdir(exist_ok=True)
    _veil(place, place.parent, 0)


@state(SOME)
def top_read_only(place: Place) -> None:
    _veil(place, place.lab.path, 0o555)


@state(SOME)
def git_directory_read_only(place: Place) -> None:
    _veil(place, place.lab.git_dir, 0o555)


@state(TRACKED)
def read_only(place: Place) -> None:
    _veil(place, place.path, 0o444)


def _veil(place: Place, path: Path, mode: int) -> None:
    path.chmod(mode)
    place.veiled[path] = mode
    place.cleanup.callback(_lift, path)
    place.around = _without_privilege
    with _without_privilege():
        if os.access(path, os.R_OK if not mode else os.W_OK):
            raise Unavailable("file modes keep nobody out here")


def _lift(path: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        path.chmod(0o755)


def _without_privilege() -> ExitStack:
    """What is done within meets file modes as any user does, also where root runs the tests."""
    with ExitStack() as stack:
        if os.geteuid() == 0:
            stack.enter_context(_plain_root())
        return stack.pop_all()


@contextmanager
def _plain_root() -> Iterator[None]:
    """This thread and its children without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.

    Root again afterwards: the permitted set is kept. Children get none because of SECBIT_NOROOT,
    and access(2) goes by what is effective because of SECBIT_NO_SETUID_FIXUP.
    """
    if sys.platform != "linux":
        raise Unavailable("root writes everywhere, and cannot be made not to here")
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("=II", 0x20080522, 0)
    held = ctypes.create_string_buffer(24)
    bits = libc.prctl(27, 0, 0, 0, 0)
    if libc.capget(header, held) or bits < 0 or libc.prctl(28, bits | 0b101, 0, 0, 0):
        raise Unavailable("root cannot give up its privilege here")
    effective, *rest = struct.unpack("=6I", held.raw)
    libc.capset(header, struct.pack("=6I", effective & ~0b110, *rest))
    try:
        yield
    finally:
        libc.capset(header, held.raw)
        libc.prctl(28, bits, 0, 0, 0)


@state(TRACKED)
def immutable(place: Place) -> None:
    _set_immutable(place.path, immutable=True)
    place.cleanup.callback(_set_immutable, place.path, immutable=False)


def _set_immutable(path: Path, *, immutable: bool) -> None:
    """FS_IOC_SETFLAGS with FS_IMMUTABLE_FL, as chattr does it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x40086602, struct.pack("=l", 0x10 if immutable else 0))
    except OSError as fault:
        raise Unavailable(f"no file can be made immutable: {fault}") from None
    finally:
        os.close(fd)


# --- the index ------------------------------------------------------------------------------------


@state(SOME)
def index_lock_held(place: Place) -> None:
    (place.lab.git_dir / "index.lock").write_bytes(b"")


@state(ALL)
def unmerged(place: Place) -> None:
    place.put(MINE)
    oid = place.git("hash-object", "-w", "--stdin", stdin=b"a side\n")
    rows = [f"0 {'0' * 40}\t{place.subject}"]
    rows += [f"100644 {oid} {stage}\t{place.subject}" for stage in (1, 2, 3)]
    place.git("update-index", "--index-info", stdin="".join(f"{row}\n" for row in rows).encode())


@state(TRACKED)
def skip_worktree(place: Place) -> None:
    place.git("update-index", "--skip-worktree", place.subject)


@state(TRACKED)
def skip_worktree_and_modified(place: Place) -> None:
    skip_worktree(place)
    place.put(MINE)


@state(TRACKED)
def skip_worktree_without_the_file(place: Place) -> None:
    skip_worktree(place)
    place.put(None)


@state(TRACKED)
def assume_unchanged(place: Place) -> None:
    place.git("update-index", "--assume-unchanged", place.subject)


@state(TRACKED)
def assume_unchanged_and_modified(place: Place) -> None:
    assume_unchanged(place)
    place.put(MINE)


@state(SOME)
def index_of_version_4(place: Place) -> None:
    place.git("update-index", "--index-version", "4")


@state(SOME)
def untracked_cache(place: Place) -> None:
    place.git("update-index", "--force-untracked-cache")
    place.put(MINE, "mine")


@state(SOME)
def no_index(place: Place) -> None:
    (place.lab.git_dir / "index").unlink()


@state(SOME)
def split_index(place: Place) -> None:
    place.git("update-index", "--split-index")


# --- something under way --------------------------------------------------------------------------


@state(SOME)
def a_merge_under_way(place: Place) -> None:
    _commit_aside(place)
    place.git("merge", "--quiet", "--no-commit", "--no-ff", "aside")


@state(SOME)
def a_cherry_pick_under_way(place: Place) -> None:
    (place.lab.git_dir / "CHERRY_PICK_HEAD").write_text(place.lab.oid("main") + "\n")


@state(SOME)
def a_revert_under_way(place: Place) -> None:
    (place.lab.git_dir / "REVERT_HEAD").write_text(place.lab.oid("main") + "\n")


@state(SOME)
def an_am_under_way(place: Place) -> None:
    directory = place.lab.git_dir / "rebase-apply"
    directory.mkdir()
    for name, content in {"applying": "", "next": "1\n", "last": "1\n"}.items():
        (directory / name).write_text(content)


@state(SOME)
def a_rebase_under_way(place: Place) -> None:
    """Of this branch; it stopped at the branch's last commit, to have it edited."""
    editor = {"GIT_SEQUENCE_EDITOR": "sed -i.orig -e s/^pick/edit/"}
    place.lab.git("rebase", "--quiet", "--interactive", "HEAD~1", env=editor)


@state(SOME)
def a_bisection_begun(place: Place) -> None:
    place.git("bisect", "start")


@state(SOME)
def a_bisection_under_way(place: Place) -> None:
    place.git("bisect", "start", "main", "main~2")


def _commit_aside(place: Place) -> None:
    tree = place.git("mktree", stdin=_tree_with_one_more(place))
    commit = place.git("commit-tree", tree, "-p", "main", "-m", "aside")
    place.git("update-ref", "refs/heads/aside", commit)


def _tree_with_one_more(place: Place) -> bytes:
    oid = place.git("hash-object", "-w", "--stdin", stdin=b"aside\n")
    return place.git("ls-tree", "main").encode() + f"\n100644 blob {oid}\tone-more\n".encode()


@state(SOME)
def a_stash(place: Place) -> None:
    place.put("stashed\n", "elsewhere")
    place.git("stash", "--quiet")


# --- other worktrees ------------------------------------------------------------------------------


def _linked(place: Place, name: str, *options: str) -> Lab:
    lab = Lab(place.base / name)
    place.git("worktree", "add", "--quiet", *options, str(lab.path), "main")
    place.labs.append(lab)
    return lab


@state(SOME)
def a_locked_worktree(place: Place) -> None:
    """The branch is checked out in a linked worktree, which is locked; the main one is detached."""
    place.git("checkout", "--quiet", "--detach")
    linked = _linked(place, "linked")
    place.git("worktree", "lock", str(linked.path))
    place.lab = linked


@state(TRACKED)
def two_worktrees_one_modified(place: Place) -> None:
    linked = _linked(place, "linked", "--force")
    linked.write(place.subject, MINE)


@state(ALL)
def two_worktrees(place: Place) -> None:
    _linked(place, "linked", "--force")


@state(SOME)
def another_worktree_detached_here(place: Place) -> None:
    _linked(place, "detached", "--detach")


@state(SOME)
def two_worktrees_one_index_locked(place: Place) -> None:
    (_linked(place, "linked", "--force").git_dir / "index.lock").write_bytes(b"")


@state(SOME)
def two_worktrees_one_sparse(place: Place) -> None:
    linked = _linked(place, "linked", "--force")
    linked.git("sparse-checkout", "set", "--no-cone", "/a-first", "/z-last")
    place.sparse[linked.path] = frozenset(AROUND)


@state(SOME)
def another_worktree_away_and_locked(place: Place) -> None:
    linked = _linked(place, "linked", "--force")
    place.git("worktree", "lock", str(linked.path))
    linked.path.rename(place.base / "away")
    place.labs.remove(linked)


@state(SOME)
def another_worktree_missing(place: Place) -> None:
    linked = _linked(place, "linked", "--force")
    shutil.rmtree(linked.path)
    place.labs.remove(linked)


# --- what landing does not do yet -----------------------------------------------------------------


@state(ALL, NOT_YET)
def left_out_by_a_sparse_checkout(place: Place) -> None:
    place.git("sparse-checkout", "set", "--no-cone", "/a-first", "/z-last")
