"""Serving: declarations only. These operations are faces, which call all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from slipstream_git.operations.registry import ALONE, operation
from slipstream_git.records import NamedTuple

if TYPE_CHECKING:
    from slipstream_git import outcomes


class Wish(NamedTuple):
    """What a server is asked to be.

    socket: None for the user's own. shared: the group whose members are served, too. repo: of calls
    that name none. metrics: the port for them.

    Limits, 0 for none: message_bytes (one line), clients, rate (requests a second of one client),
    user_rate (of all clients of a user), group_rate (of all), repositories (held open), sessions
    (open in one repository), memory (bytes, anonymous), patience_s (for one message), hang_s
    (without a sign of life, until it is killed), idle_s (without a client, until it ends).
    """

    socket: str | None
    stdio: bool
    repo: str | None
    message_bytes: int
    clients: int
    rate: int
    repositories: int
    idle_s: int
    shared: str | None = None
    user_rate: int = 0
    group_rate: int = 0
    sessions: int = 0
    memory: int = 0
    patience_s: int = 60
    hang_s: int = 60
    metrics: int | None = None


class Hosting(NamedTuple):
    """What a server for an agent's host is asked to be.

    repo: where its calls may go; None for where it is started. session: of calls that name none.
    tools: which of the lists it has.
    """

    repo: str | None
    session: str | None
    tools: str


class Server(Protocol):
    """The face that serves."""

    def serve(self, wish: Wish) -> outcomes.Served: ...


class Host(Protocol):
    """The face that serves agents' hosts."""

    def host(self, wish: Hosting) -> outcomes.Served: ...


@operation(ALONE)
def serve(
    face: Server,
    *,
    socket: str | None = None,
    stdio: bool = False,
    repo: str | None = None,
    shared: str | None = None,
    metrics: int | None = None,
    message_bytes: int = 64 << 20,
    clients: int = 128,
    rate: int = 0,
    user_rate: int = 0,
    group_rate: int = 0,
    repositories: int = 64,
    sessions: int = 0,
    memory: int = 0,
    patience: int = 60,
    hang: int = 60,
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
    shared (GROUP): let the members of this group read and search repositories that they prove they
        may read; needs --socket
    metrics (PORT): answer GET /metrics on 127.0.0.1 in the text format of Prometheus
    message_bytes (N): the longest message (default: 64 MiB)
    clients (N): how many clients are served at once (default: 128)
    rate (N): how many requests a second one client may make (default: 0, any number)
    user_rate (N): how many all clients of one user may make together (default: 0, any number)
    group_rate (N): how many all clients may make together (default: 0, any number)
    repositories (N): how many repositories are held open (default: 64)
    sessions (N): how many sessions may be open in one repository (default: 0, any number)
    memory (BYTES): above so much anonymous memory, repositories are closed that were used longest
        ago (default: 0, never)
    patience (SECONDS): how long one message may take to come; 0 for ever (default: 60)
    hang (SECONDS): kill the server when it has stood still for so long; 0 for never (default: 60)
    idle (SECONDS): end after so long without a client; 0 for never (default: 1800)
    """
    return face.serve(
        Wish(
            socket, stdio, repo, message_bytes, clients, rate, repositories, idle, shared,
            user_rate, group_rate, sessions, memory, patience, hang, metrics,
        )
    )  # fmt: skip


@operation(ALONE)
def mcp(
    face: Host,
    *,
    repo: str | None = None,
    session: str | None = None,
    tools: str = "default",
) -> outcomes.Served:
    """Serve the Model Context Protocol on standard input and output, for an agent's host.

    Eleven tools at most, small enough to stay in a model's context; one of them reaches every other
    operation. Calls go to one repository and its worktrees. Needs the extra `mcp`.

    repo (DIR): the repository, or a directory whose repositories calls may name (default: the
        repository that it is started in)
    session (-s, NAME): the session of calls that name none (default: $SLIP_SESSION, else the only
        open one that was begun over this server)
    tools (LIST): default, or all: a tool for every operation
    """
    return face.host(Hosting(repo, session, tools))
