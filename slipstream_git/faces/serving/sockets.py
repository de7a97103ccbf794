"""Where a server listens, and who may: one socket of one user, in a directory of that user alone.

A lock file beside the socket says who serves. The kernel gives that lock back when its holder dies,
however it dies; so whoever gets it may take away a socket that is left over, and nobody takes it
from a server that lives.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from contextlib import suppress

from slipstream_git.errors import SlipError
from slipstream_git.faces.serving.addresses import LONGEST_ADDRESS, is_private
from slipstream_git.records import NamedTuple

BACKLOG = 256


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


def claim(path: str) -> Claim:
    """Listen at ``path``. Raises `locked` where a server does already, `bad-path`, `git-failed`."""
    if len(os.fsencode(path)) > LONGEST_ADDRESS:
        raise SlipError("bad-path", f"a socket's path has at most {LONGEST_ADDRESS} bytes: {path}")
    directory = os.path.dirname(path)
    with suppress(FileExistsError):
        os.makedirs(directory, mode=0o700)
    check_directory(directory)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lock = os.open(f"{path}.lock", flags, 0o600)
    try:
        return _locked(path, lock)
    except BaseException:
        os.close(lock)
        raise


def _locked(path: str, lock: int) -> Claim:
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
        os.chmod(path, 0o600)
        listener.listen(BACKLOG)
        return Claim(listener, path, lock, os.lstat(path).st_ino)
    except BaseException:
        listener.close()
        raise


def check_directory(directory: str) -> None:
    """Raises `bad-path` where others could put a socket of theirs in the place of ours."""
    if not is_private(directory):
        raise SlipError(
            "bad-path",
            f"{directory} must be a directory of yours that nobody else may enter (mode 700)",
        )
