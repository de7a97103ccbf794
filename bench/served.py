"""Sides that have a server (`slip serve`): commands that use it, and calls over its socket."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench import edits
from bench.edits import Site
from bench.git import environment, git, line
from bench.installed import Installed
from bench.sides import HERE, SESSION, SESSION_REF, command

PATIENCE_S = 20.0


class Server:
    """A server of its own, at a socket below ``room``; `end` ends it."""

    def __init__(self, room: Path, installed: Installed) -> None:
        place = room / "run"
        place.mkdir(mode=0o700, exist_ok=True)
        self.socket = place / "serve.sock"
        self.env = environment() | {"SLIP_SOCKET": str(self.socket)}
        self._process = subprocess.Popen(
            [str(installed.slip), "serve"], env=self.env, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + PATIENCE_S
        while not self.socket.exists():
            if time.monotonic() > until or self._process.poll() is not None:
                raise OSError("the server does not start")
            time.sleep(0.01)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)


class ServedCommand:
    """A command beside a server that has its repository open."""

    def __init__(self, name: str, place: Path, words: Sequence[str], server: Server) -> None:
        self.name = name
        self._place = place
        self._words = words
        self._env = server.env

    def prepare(self, turn: int) -> None:
        del turn

    def run(self, turn: int) -> None:
        del turn
        command(self._words, self._place, env=self._env)

    def outcome(self) -> str:
        return ""


class ServedApply:
    """`slip apply` beside a server."""

    def __init__(
        self, name: str, place: Path, sites: Sequence[Site], slip: Path, server: Server
    ) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._words = [str(slip), "apply", "-s", SESSION, "-"]
        self._batch = place.with_suffix(".json")
        self._env = server.env
        command([str(slip), "begin", SESSION], place, env=self._env)

    def prepare(self, turn: int) -> None:
        self._batch.write_bytes(edits.batch(self._sites, turn + 1))

    def run(self, turn: int) -> None:
        del turn
        command(self._words, self._place, self._batch, env=self._env)

    def outcome(self) -> str:
        line(self._place, "rev-parse", f"{SESSION_REF}^{{tree}}")
        return ""


class ServedExec:
    """`exec` as one call over a connection that stays, neither side waiting for the disk."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site], server: Server) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._ask = b""
        git(place, "checkout", "--quiet")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(server.socket))
        self._heard = self._socket.makefile("rb")

    def prepare(self, turn: int) -> None:
        params = {
            "repo": str(self._place),
            "ops": json.loads(edits.batch(self._sites, turn + 1)),
            "message": [f"turn {turn}"],
            "no_sync": True,
        }
        asked = {"jsonrpc": "2.0", "id": turn, "method": "exec", "params": params}
        self._ask = json.dumps(asked).encode() + b"\n"

    def run(self, turn: int) -> None:
        self._socket.sendall(self._ask)
        reply = json.loads(self._heard.readline())
        if "result" not in reply:
            raise ValueError(f"turn {turn}: {reply['error']}")

    def outcome(self) -> str:
        return _edited(self._place, self._sites)


class PlainScript:
    """plain.py in a process of its own: the same edits, made in the files and nowhere else."""

    def __init__(self, name: str, place: Path, sites: Sequence[Site], python: Path) -> None:
        self.name = name
        self._place = place
        self._sites = sites
        self._batch = place.with_suffix(".json")
        self._words = [str(python), str(HERE / "plain.py"), str(self._batch)]
        git(place, "checkout", "--quiet")

    def prepare(self, turn: int) -> None:
        self._batch.write_bytes(edits.batch(self._sites, turn + 1))

    def run(self, turn: int) -> None:
        del turn
        command(self._words, self._place)

    def outcome(self) -> str:
        return _edited(self._place, self._sites)


def _edited(place: Path, sites: Sequence[Site]) -> str:
    """What the edited files hold, as one id."""
    paths = sorted({site.path for site in sites})
    names = "".join(f"{path}\n" for path in paths).encode()
    return git(place, "hash-object", "--stdin-paths", stdin=names).decode()
