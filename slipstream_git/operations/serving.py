"""Serving: declarations only. These operations are faces, which call all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from slipstream_git.operations.registry import operation
from slipstream_git.records import NamedTuple

if TYPE_CHECKING:
    from slipstream_git import outcomes


class Wish(NamedTuple):
    """What a server is asked to be.

    socket: None for the user's own. repo: of calls that name none.

    Limits, 0 for none: message_bytes (one line), clients, rate (requests a second of one client),
    repositories (held open), idle_s (without a client, until it ends).
    """

    socket: str | None
    stdio: bool
    repo: str | None
    message_bytes: int
    clients: int
    rate: int
    repositories: int
    idle_s: int


class Server(Protocol):
    """The face that serves."""

    def serve(self, wish: Wish) -> outcomes.Served: ...


@operation
def serve(
    face: Server,
    *,
    socket: str | None = None,
    stdio: bool = False,
    repo: str | None = None,
    message_bytes: int = 64 << 20,
    clients: int = 128,
    rate: int = 0,
    repositories: int = 64,
    idle: int = 1800,
) -> outcomes.Served:
    """Answer JSON-RPC on a Unix socket, for this user alone, until it is told to end.

    One message a line; every operation is a method of the same name, and `repo` names the
    repository of each call. It only makes things faster: ending it at any time loses nothing. A
    second one on the same socket is refused.

    socket (PATH): where to listen, in a directory that is yours alone (default: slip/serve.sock in
        $XDG_RUNTIME_DIR, else in a directory of yours in the temporary one)
    stdio: serve one client on standard input and output instead
    repo (DIR): the repository of calls that name none (default: none, and such calls are refused)
    message_bytes (N): the longest message (default: 64 MiB)
    clients (N): how many clients are served at once (default: 128)
    rate (N): how many requests a second one client may make (default: 0, any number)
    repositories (N): how many repositories are held open (default: 64)
    idle (SECONDS): end after so long without a client; 0 for never (default: 1800)
    """
    return face.serve(Wish(socket, stdio, repo, message_bytes, clients, rate, repositories, idle))
