"""Where a server listens, and who may: one socket of one user, in a directory of that user alone.

A shared server's is for a group, too, in a directory that the group may enter and not write to.

A lock file beside the socket says who serves. The kernel gives that lock back when its holder dies,
however it dies; so whoever gets it may take away a socket that is left over, and nobody takes it
from a server that lives.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from contextlib import suppress

from slipstream_git.addresses import LONGEST_ADDRESS, is_private
from slipstream_git.errors import SlipError
from slipstream_git.records import NamedTuple
from slipstream_git.text.decimals import decimal

BACKLOG = 256
NO_GROUP = 2**32 - 1
_PEERGROUPS = 59  # SO_PEERGROUPS of asm-generic/socket.h, since Linux 4.13; Python does not name it
# getsockopt takes no more room than this at once, and users are hardly in so many.
_MOST_GROUPS = 256


class Claim(NamedTuple):
    """A socket that is listened on. lock: the descriptor that holds it. inode: of its file."""

    listener: socket.socket
    path: str
    lock: int
    inode: int

    def release(self) -> None:
        """Take the socket away, unless another stands there by now, and let the next server in."""
        with suppress(FileNotFoundError):
            if os.lstat(self.path).st_ino == self.inode:
                os.unlink(self.path)
        os.close(self.lock)


def claim(path: str, group: int | None = None) -> Claim:
    """Listen at ``path``. Raises `locked` where a server does already, `bad-path`, `git-failed`.

    group: the number of a group whose members may connect, too.
    """
    if len(os.fsencode(path)) > LONGEST_ADDRESS:
        raise SlipError("bad-path", f"a socket's path has at most {LONGEST_ADDRESS} bytes: {path}")
    directory = os.path.dirname(path)
    with suppress(FileExistsError):
        os.makedirs(directory, mode=0o700)
        if group is not None:
            os.chown(directory, -1, group)
            os.chmod(directory, 0o750)  # noqa: S103  (for the group, as was asked)
    check_directory(directory, group)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lock = os.open(f"{path}.lock", flags, 0o600)
    try:
        return _locked(path, lock, group)
    except BaseException:
        os.close(lock)
        raise


def _locked(path: str, lock: int, group: int | None) -> Claim:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        raise SlipError("locked", f"a server listens at {path} already (process {who})") from None
    os.truncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise SlipError("bad-path", f"{path} is there, and no socket")
        os.unlink(path)  # its server is dead, or it would hold the lock
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        if group is not None:
            os.chown(path, -1, group)
        os.chmod(path, 0o600 if group is None else 0o660)
        listener.listen(BACKLOG)
        return Claim(listener, path, lock, os.lstat(path).st_ino)
    except BaseException:
        listener.close()
        raise


def check_directory(directory: str, group: int | None = None) -> None:
    """Raises `bad-path` where others could put a socket of theirs in the place of ours.

    group: whose members must be able to enter it.
    """
    if group is None:
        if not is_private(directory):
            raise SlipError(
                "bad-path",
                f"{directory} must be a directory of yours that nobody else may enter (mode 700)",
            )
        return
    there = os.lstat(directory)
    is_ours = stat.S_ISDIR(there.st_mode) and there.st_uid == os.geteuid()
    entered = there.st_mode & (stat.S_IXGRP if there.st_gid == group else stat.S_IXOTH)
    if not is_ours or there.st_mode & 0o022 or not entered:
        raise SlipError(
            "bad-path",
            f"{directory} must be a directory of yours that the group may enter, and nobody else"
            " write to (mode 750)",
        )


def group_of(name: str) -> int:
    """The number of a group, which may be given instead of its name. Raises `usage`."""
    import grp

    number = decimal(name)
    try:
        if number is not None and number < NO_GROUP:
            return number
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise SlipError("usage", f"there is no group {name!r}", hint="getent group") from None


def groups_of_peer(connection: socket.socket) -> frozenset[int]:
    """The groups that the process at the other end was in when it connected. Linux; OSError."""
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    own = int(struct.unpack("=iII", said)[2])
    raw = connection.getsockopt(socket.SOL_SOCKET, _PEERGROUPS, _MOST_GROUPS * 4)
    return frozenset({own, *struct.unpack(f"={len(raw) // 4}I", raw)})
