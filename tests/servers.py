"""Servers that tests start (`slip serve`), and clients of theirs over real sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tests.children import Children, Started
from tests.lab import slip_command, slip_environment

PATIENCE_S = 30.0
PING = b'{"jsonrpc":"2.0","method":"ping"'
Json = dict[str, Any]
# What a field takes, and what a line holds.
Free: TypeAlias = Any


class Line:
    """One client of a server."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(path))  # waits where the server has much to welcome
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(PATIENCE_S)
        self._heard = self.socket.makefile("rb")

    def close(self) -> None:
        self._heard.close()
        self.socket.close()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hand(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Say something, and hand descriptors over with it."""
        socket.send_fds(self.socket, [data], list(descriptors))

    def hear(self) -> Free:
        line = self._heard.readline()
        assert line.endswith(b"\n"), "the server hung up"
        return json.loads(line)

    def ask(self, method: str, **params: Free) -> Json:
        """The whole reply to one request."""
        asked = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        self.say(json.dumps(asked).encode() + b"\n")
        reply = self.hear()
        assert reply["id"] == 7
        assert reply["jsonrpc"] == "2.0"
        return dict(reply)

    def call(self, method: str, **params: Free) -> Json:
        """The result of one request, which must be one."""
        reply = self.ask(method, **params)
        assert "error" not in reply, reply
        result = reply["result"]
        assert result["ok"] is True
        return dict(result)

    def refused(self, number: int, code: str, method: str, **params: Free) -> Json:
        error = self.ask(method, **params)["error"]
        assert (error["code"], error["data"]["code"]) == (number, code), error
        assert error["message"] == error["data"]["message"]
        return dict(error["data"])


class Place:
    """Servers of one test, at one socket, and their clients."""

    def __init__(self, directory: Path, children: Children) -> None:
        self.directory = directory
        self.path = directory / "s.sock"
        self._children = children
        self._lines: list[Line] = []

    def start(self, *options: str, env: Mapping[str, str] | None = None) -> Started:
        return start_server(self._children, self.path, *options, env=env)

    def answers(self) -> bool:
        return answers(self.path)

    def line(self) -> Line:
        made = Line(self.path)
        self._lines.append(made)
        return made

    def end(self) -> None:
        for line in self._lines:
            line.close()


def soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, holds
        time.sleep(0.02)


def answers(path: Path) -> bool:
    try:
        Line(path).close()
    except OSError:
        return False
    return True


def start_server(
    children: Children, path: Path, *options: str, env: Mapping[str, str] | None = None
) -> Started:
    """Start one, in the test's own environment or another; it answers when this is back."""
    command = slip_command("serve", "--socket", str(path), *options)
    server = children.start(command, env=env or slip_environment(), stderr=subprocess.DEVNULL)
    soon(lambda: answers(path) or server.poll() is not None)
    assert server.poll() is None, "it ended at once"
    return server
