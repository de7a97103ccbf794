"""A command handed to the user's own server, where one listens.

With a server at hand this is all that a command has to load, so nothing is imported here that
costs: what is said is base64, and neither json nor re is needed. The server answers what the
command would have printed. Wherever it cannot, or keeps silent, the command runs here as if there
were no server; only what cannot be done twice, and has been begun there, is waited for.
"""

from __future__ import annotations

import os
import sys
import time
from binascii import a2b_base64, b2a_base64

from slipstream_git import __version__, addresses
from slipstream_git.faces import inputs

TYPE_CHECKING = False  # as `typing` has it, whose import costs a quarter of this command
if TYPE_CHECKING:
    import _socket
    from collections.abc import Iterable, Sequence
    from typing import TextIO

# How long a server may keep silent before the command runs here.
PATIENCE_S = 2.0
PIECE = 1 << 18
REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"command","params":{%s}}\n'


def run(arguments: Sequence[str]) -> tuple[int | None, bytes | None]:
    """Have the server run a command.

    The exit status, None where it has to run here; and standard input, where that was read for it.
    """
    connection = _connected()
    if connection is None:
        return None, None
    conversation = _Conversation(connection)
    try:
        status = conversation.run(arguments)
    except BaseException as fault:  # noqa: BLE001  (told, as where there is no server)
        from slipstream_git.faces import command

        status = command.failed(fault, arguments)
    finally:
        connection.close()
    return status, conversation.input


def _connected() -> _socket.socket | None:
    """The server of this user, and of nobody else: it is told the whole environment."""
    import _socket  # `socket` costs more than all else here

    connection: _socket.socket | None = None
    try:
        path = addresses.address(os.environ)
        if not path or not addresses.is_private(os.path.dirname(path)):
            return None
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        connection.settimeout(PATIENCE_S)
        connection.connect(path)
        if addresses.peer(connection) == os.geteuid():
            return connection
    except OSError:
        pass
    if connection is not None:
        connection.close()
    return None


class _Conversation:
    """One request, and once more with standard input where that is asked for."""

    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection
        self.input: bytes | None = None
        self._is_begun = False

    def run(self, arguments: Sequence[str]) -> int | None:
        try:
            told = _told(arguments)
            said = self._asked(told)
            if _value(said, b"wants") == b"input":
                self.input = inputs.standard()
                if self.input is None:
                    return None
                said = self._asked([*told, _field(b"input", self.input)])
        except OSError:
            return (
                _unknown("git-failed", "ended in the middle", arguments) if self._is_begun else None
            )
        except KeyboardInterrupt:
            # It may have begun this very moment.
            return _unknown("interrupted", "may go on", arguments)
        status = said.partition(b'"exit":')[2].partition(b",")[0]
        if not status:
            return None
        try:
            _write(2, sys.stderr, _value(said, b"err"))
            _write(1, sys.stdout, _value(said, b"out"))
        except OSError as fault:
            from slipstream_git.faces import command

            return command.unheard(fault, arguments)
        return int(status)

    def _asked(self, fields: Iterable[bytes]) -> bytes:
        """The line that answers a request. Raises OSError where none comes in time."""
        until = time.monotonic() + PATIENCE_S
        given = b",".join((*fields, _field(b"until", b"%.6f" % until)))
        self._connection.settimeout(PATIENCE_S)
        self._connection.sendall(REQUEST % given)
        heard = bytearray()
        while True:
            if not self._is_begun:
                self._connection.settimeout(max(0.001, until - time.monotonic()))
            piece = self._connection.recv(PIECE)
            if not piece:
                raise ConnectionError
            heard += piece
            if heard.startswith(addresses.BEGUN + b"\n"):
                del heard[: len(addresses.BEGUN) + 1]
                self._is_begun = True
                self._connection.settimeout(None)
            if heard.endswith(b"\n"):
                return bytes(heard)


def _told(arguments: Sequence[str]) -> list[bytes]:
    """What a command depends on, all of it. Raises OSError in a directory that is gone."""
    here, place = os.getcwdb(), os.stat(".")
    has_terminal = sys.stdout is not None and sys.stdout.isatty()
    return [
        _field(b"version", __version__.encode()),
        _field(b"umask", b"%o" % _umask()),
        _field(b"terminal", b"yes" if has_terminal else b""),
        _field(b"directory", here),
        _field(b"inode", b"%d:%d" % (place.st_dev, place.st_ino)),
        _field(b"mounts", addresses.mounts()),
        _field(b"environment", b"\0".join(b"%s=%s" % item for item in os.environb.items())),
        _field(b"arguments", b"\0".join(map(os.fsencode, arguments))),
    ]


def _field(name: bytes, value: bytes) -> bytes:
    return b'"%s":"%s"' % (name, b2a_base64(value, newline=False))


def _value(said: bytes, name: bytes) -> bytes:
    return said.partition(b'"%s":"' % name)[2].partition(b'"')[0]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _write(descriptor: int, stream: TextIO | None, encoded: bytes) -> None:
    if stream is None:  # it was closed before this began
        return
    rest = memoryview(a2b_base64(encoded))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _unknown(code: str, what: str, arguments: Sequence[str]) -> int:
    from slipstream_git.errors import SlipError
    from slipstream_git.faces import command

    said = f"the server {what}: this is done, or nothing of it is"
    return command.failed(SlipError(code, said, hint="slip log"), arguments)
