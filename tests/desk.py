r"""The operations called in process, as a server calls them, over either object store.

    desk.begin("work")
    desk.apply({"op": "write", "path": "a", "content": "1\n"})
    fault = desk.refused("no-match", "apply", ops=batch(...))
    desk.commit("Add a")

Answers are the JSON values of the contract. The clock stands still. As a command does, every call
with the store "git" opens the repository anew, so that nothing is remembered between two but what
is in it; with "libgit2" it stays open until the test ends, as with a server.
"""

from __future__ import annotations

import json
import os
import threading
from base64 import b64encode
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from slipstream_git import codec
from slipstream_git.errors import SlipError
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import Workspace, open_workspace
from tests.lab import Lab

NOW = 1767323045
_open: dict[Hashable, Workspace] = {}
STORES = ("git", "libgit2")

Json = dict[str, Any]
# What an operation's parameters and an op's fields take.
Free: TypeAlias = Any


def close_all() -> None:
    """Close what the desks of a test have kept open."""
    while _open:
        _open.popitem()[1].repository.close()


def _number(place: Path) -> int:
    return place.lstat().st_ino if os.path.lexists(place) else 0


class Desk:
    """One caller at one repository. ``store``: "git" or "libgit2"."""

    def __init__(self, lab: Lab, store: str) -> None:
        self.lab = lab
        self.store = store

    def at(self, lab: Lab) -> Desk:
        """The same store, elsewhere."""
        return Desk(lab, self.store)

    def call(
        self,
        operation: str,
        /,
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        **values: Free,
    ) -> Json:
        """An operation's answer as JSON. Raises SlipError."""
        row = registry.find(operation)
        assert row is not None, operation
        with self._entered(cwd or self.lab.path, os.environ | (env or {})) as workspace:
            answer = codec.to_json(calling.call(row, workspace, values))
        assert isinstance(answer, dict)
        # What a face prints can be printed.
        assert json.loads(json.dumps(answer)) == answer
        return answer

    @contextmanager
    def _entered(self, place: Path, env: dict[str, str]) -> Iterator[Workspace]:
        in_process = self.store == "libgit2"
        # (a server lets nobody in beside another)
        who = (place, _number(place / ".git"), tuple(env.items()), threading.get_ident())
        workspace = _open.get(who) if in_process else None
        if workspace is None:
            workspace = open_workspace(str(place), env, in_process=in_process, clock=lambda: NOW)
        if in_process:
            _open[who] = workspace
            yield workspace
        else:
            with workspace.repository:
                yield workspace

    def refused(self, code: str, operation: str, /, **values: Free) -> SlipError:
        """The refusal of an operation, which must have this code."""
        with pytest.raises(SlipError) as caught:
            self.call(operation, **values)
        fault = caught.value
        assert fault.code == code, (fault.code, fault.message, fault.data)
        json.dumps(fault.as_json())
        return fault

    def begin(self, name: str | None = None, **values: Free) -> Json:
        return self.call("begin", name=name, **values)

    def apply(self, *ops: Json, **values: Free) -> Json:
        return self.call("apply", ops=batch(*ops), **values)

    def apply_refused(self, code: str, /, *ops: Json, **values: Free) -> SlipError:
        return self.refused(code, "apply", ops=batch(*ops), **values)

    def failing(self, code: str, /, *ops: Json, **values: Free) -> list[Json]:
        """The failing ops of a batch that is refused with this code."""
        rows = self.apply_refused(code, *ops, **values).data["ops"]
        assert isinstance(rows, list)
        return rows

    def commit(self, message: str, **values: Free) -> Json:
        return self.call("commit", message=(message,), **values)

    def commit_refused(self, code: str, message: str = "land", **values: Free) -> SlipError:
        return self.refused(code, "commit", message=(message,), **values)


def batch(*ops: Json) -> bytes:
    """A batch as `slip apply` reads it."""
    return json.dumps(list(ops)).encode()


def write(path: str, content: bytes | str, **fields: Free) -> Json:
    """A `write` op."""
    op: Json = {"op": "write", "path": path, **fields}
    if isinstance(content, bytes):
        return {**op, "content_b64": b64encode(content).decode()}
    return {**op, "content": content}


def replace(path: str, old: str, new: str, **fields: Free) -> Json:
    """A `str_replace` op."""
    return {"op": "str_replace", "path": path, "old": old, "new": new, **fields}


def delete(path: str, **fields: Free) -> Json:
    return {"op": "delete", "path": path, **fields}


def move(path: str, to: str, **fields: Free) -> Json:
    return {"op": "move", "path": path, "to": to, **fields}
