"""How an agent calls slip: commands, or a process that stays; and how a call is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from bench.git import environment

# What an operation's parameters take.
Free: TypeAlias = Any

SOURCE = Path(__file__).resolve().parent.parent.parent
LONGEST_S = 180
# Which value of an operation is not an option: what stands in its place on the command line.
_PLACED = {"begin": ("name",), "apply": ("ops",), "resolve": ("path",), "land": ("sessions",),
           "reopen": ("name",), "worktree": ("place",), "adopt": ("branch", "name")}  # fmt: skip
_WORKER = """
import json, os, sys
from slipstream_git import codec
from slipstream_git.errors import SlipError
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import open_workspace
ws = open_workspace(".", os.environ, in_process=True)
for line in sys.stdin:
    name, values = json.loads(line)
    for key in ("ops", "content"):
        if key in values:
            values[key] = values[key].encode()
    try:
        answer = {"ok": True, **codec.to_json(calling.call(registry.find(name), ws, values))}
    except SlipError as fault:
        answer = {"ok": False, "error": fault.as_json()}
    print(json.dumps(answer), flush=True)
"""


class Answer(NamedTuple):
    """What a call came to. ``value`` is None where it was killed."""

    value: dict[str, Any] | None

    @property
    def is_ok(self) -> bool:
        return self.value is not None and bool(self.value["ok"])

    @property
    def code(self) -> str:
        """The error's code; empty where there is none, ``killed`` where nobody knows."""
        if self.value is None:
            return "killed"
        return "" if self.value["ok"] else str(self.value["error"]["code"])


class Broken(Exception):
    """slip hung, died by itself, or said what cannot be read."""


class Caller:
    """Calls slip in one repository. kill: how likely a call is killed; seconds are real ones."""

    def __init__(self, place: Path, dice: random.Random, kill: float, store: str) -> None:
        self.place = place
        self.calls = 0
        self.killed = 0
        self._dice = dice
        self._kill = kill
        self._usual_s = 0.3
        self._environment = environment() | {
            "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1", "SLIP_STORE": store
        }  # fmt: skip

    def call(
        self, name: str, /, *, at: Path | None = None, safe: bool = False, **values: Free
    ) -> Answer:
        """Make one call, which may be killed unless it is ``safe``. Raises Broken."""
        self.calls += 1
        deadly = not safe and self._dice.random() < self._kill
        return self._made(name, values, at or self.place, deadly=deadly)

    def end(self) -> None:
        """Leave nothing running."""

    def _made(self, name: str, values: dict[str, Any], at: Path, *, deadly: bool) -> Answer:
        words, stdin = _words(name, values)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "slipstream_git", "--json", *words],
            cwd=at, env=self._environment, start_new_session=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started = time.monotonic()
        killer = self._killer(child.pid) if deadly else None
        try:
            out, err = child.communicate(stdin, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise Broken(f"hangs: {words} {child.communicate()!r}"[:2000]) from None
        finally:
            fired = killer is not None and killer.ended()
        if fired and child.returncode == -signal.SIGKILL:
            _wait_for(child.pid)
            self.killed += 1
            return Answer(None)
        self._usual_s += (time.monotonic() - started - self._usual_s) / 8
        try:
            return Answer(json.loads(out))
        except ValueError:
            raise Broken(f"{words} {child.returncode}: {out!r} {err!r}"[:2000]) from None

    def _killer(self, group: int) -> _Killer:
        """Kills the group at some moment of the time that a call takes."""
        return _Killer(group, self._dice.random() * self._usual_s)


class Staying(Caller):
    """The same by one process that stays, until it is killed; then by another."""

    _child: subprocess.Popen[bytes] | None = None

    def end(self) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.communicate()
            _wait_for(self._child.pid)
            self._child = None

    def _made(self, name: str, values: dict[str, Any], at: Path, *, deadly: bool) -> Answer:
        if at != self.place:
            return super()._made(name, values, at, deadly=deadly)
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-c", _WORKER], cwd=self.place, env=self._environment,
                start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        killer = self._killer(child.pid) if deadly else _Killer(child.pid, LONGEST_S)
        said = b""
        with suppress(BrokenPipeError):
            child.stdin.write(json.dumps([name, values]).encode() + b"\n")
            child.stdin.flush()
            said = child.stdout.readline()
        if killer.ended() or not said:
            self.end()
        if said.endswith(b"\n"):
            return Answer(json.loads(said))
        if not deadly:
            raise Broken(f"{name}: the process that stays hung or died")
        self.killed += 1
        return Answer(None)


def _wait_for(session: int) -> None:
    """Wait until all processes of a session are gone.

    A git that slip has given a group of its own outlives it for a moment, and may still move a ref.
    """
    for _ in range(LONGEST_S * 20):
        if not any(
            _is_in(int(p.name), session) for p in Path("/proc").iterdir() if p.name.isdigit()
        ):
            return
        time.sleep(0.05)
    raise Broken("what was killed does not end")


def _is_in(pid: int, session: int) -> bool:
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid) == session
    return False


class _Killer:
    """Kills a process group in so many seconds, unless it has ended by then."""

    def __init__(self, group: int, seconds: float) -> None:
        self._group = group
        self._fired = False
        self._timer = threading.Timer(seconds, self._kill)
        self._timer.daemon = True
        self._timer.start()

    def ended(self) -> bool:
        """Call it off; whether it was too late for that."""
        self._timer.cancel()
        self._timer.join()
        return self._fired

    def _kill(self) -> None:
        self._fired = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGKILL)


def _words(name: str, values: dict[str, Any]) -> tuple[list[str], bytes]:
    """The command line and what it reads."""
    words, placed, stdin = [name], [], b""
    for key, value in values.items():
        if key in ("ops", "content"):
            stdin = str(value).encode()
            value = "-"  # noqa: PLW2901
        if key in _PLACED.get(name, ()):
            placed += list(value) if isinstance(value, list) else [value]
        elif value is True:
            words.append(f"--{key.replace('_', '-')}")
        elif key == "message":
            words += ["-m", *value]
        else:
            words += [f"--{key}", str(value)]
    return [*words, *placed], stdin
