"""Where a user's server listens. Imports next to nothing: every command looks here first."""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False  # as `typing` has it, without its import
if TYPE_CHECKING:
    import _socket
    from collections.abc import Mapping

# sun_path holds 108 bytes under Linux and 104 under macOS, with the zero at the end.
LONGEST_ADDRESS = 103
# What a server says before it begins with a command that cannot be done twice.
BEGUN = b'{"jsonrpc":"2.0","method":"begun"}'
_LOCAL_PEERCRED = 1  # of sys/un.h, at level 0; Python does not name it


def address(env: Mapping[str, str]) -> str:
    """The socket of the user's own server; empty where the user wants none."""
    chosen = env.get("SLIP_SOCKET")
    if chosen is not None:
        return os.path.abspath(chosen) if chosen else ""
    runtime = env.get("XDG_RUNTIME_DIR", "")
    wanted = os.path.join(runtime, "slip", "serve.sock")
    if os.path.isabs(runtime) and len(os.fsencode(wanted)) <= LONGEST_ADDRESS:
        return wanted
    name = "serve.sock"
    if runtime:
        from zlib import crc32  # two runtime directories never share a server

        name = f"serve-{crc32(os.fsencode(wanted)):08x}.sock"
    temporary = env.get("TMPDIR") or "/tmp"  # noqa: S108  (in a directory of the user's own there)
    return os.path.join(temporary, f"slip-{os.geteuid()}", name)


def is_private(directory: str) -> bool:
    """Whether nobody else could put a socket there. Raises OSError where it is not there."""
    there = os.lstat(directory)
    is_ours = there.st_uid == os.geteuid() and not there.st_mode & 0o077
    return is_ours and stat.S_ISDIR(there.st_mode)


def peer(connection: _socket.socket) -> int:
    """The user at the other end. Raises OSError."""
    if sys.platform == "darwin":
        said = connection.getsockopt(0, _LOCAL_PEERCRED, 128)
    else:
        import _socket

        said = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(said[4:8], sys.byteorder)


def mounts() -> bytes:
    """Which view of the file systems this process has: a sandbox has its own. Empty on macOS."""
    try:
        return os.fsencode(os.readlink("/proc/self/ns/mnt"))
    except OSError:
        return b""
