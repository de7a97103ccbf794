"""What every call has in common, in a process that stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from slipstream_git.errors import SlipError
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import Workspace, open_workspace
from tests.desk import Desk, Free, batch, write


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.lab.commit({"f": "one\n", "g": "g\n"})
    desk.begin("s")
    return desk


@contextmanager
def staying(desk: Desk) -> Iterator[Workspace]:
    """The workspace of a process that makes more than one call."""
    in_process = desk.store == "libgit2"
    workspace = open_workspace(str(desk.lab.path), os.environ, in_process=in_process)
    with workspace.repository:
        yield workspace


def call(ws: Workspace, name: str, /, **values: Free) -> object:
    row = registry.find(name)
    assert row is not None
    return calling.call(row, ws, values)


def refuse_capture(desk: Desk) -> None:
    desk.apply(write("f", "theirs\n"), session="s")
    desk.lab.write("f", "mine\n")
    desk.lab.write("g", "secret\n")


def refuse_undo(desk: Desk) -> None:
    desk.apply(write("f", "two\n"), write("g", "secret\n"), session="s")
    desk.apply(write("f", "three\n"), write("g", "g\n"), session="s")


def refuse_check(desk: Desk) -> None:
    desk.lab.write("g", "secret\n" * 20)
    desk.lab.git("config", "slip.maxFileBytes", "100")


def refuse_quota(desk: Desk) -> None:
    desk.lab.git("config", "slip.quota", "1")


@pytest.mark.parametrize(
    ("prepare", "code", "operation", "values"),
    [
        (refuse_capture, "conflict", "capture", {}),
        (refuse_undo, "conflict", "undo", {"step": "1"}),
        (refuse_check, "too-large", "capture", {}),
        (refuse_quota, "quota", "apply", {"ops": batch(write("f", "secret\n"))}),
    ],
)
def test_what_was_refused_is_forgotten(
    ready: Desk,
    prepare: Callable[[Desk], None],
    code: str,
    operation: str,
    values: dict[str, Free],
) -> None:
    """What an operation had computed is not published by the next one."""
    prepare(ready)
    every = ("cat-file", "--batch-all-objects", "--batch-check")
    before = set(ready.lab.git(*every).splitlines())
    with staying(ready) as ws:
        with pytest.raises(SlipError) as caught:
            call(ws, operation, session="s", **values)
        assert caught.value.code == code
        assert not ws.repository.objects.pending()
        if code != "quota":
            call(ws, "begin", name="other")
            # The new session's first commit, and nothing else.
            assert len(set(ready.lab.git(*every).splitlines()) - before) == 1


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("status", {}),
        ("conflicts", {}),
        ("apply", {"ops": batch(write("f", "other\n")), "dry_run": True}),
        ("apply", {"ops": batch(write("f", "two\n"))}),
        ("commit", {"message": ("land",), "dry_run": True}),
        ("land", {"message": ("land",), "dry_run": True}),
        ("exec", {"ops": batch(write("g", "h\n"))}),
    ],
)
def test_what_was_only_looked_at_is_forgotten(
    ready: Desk, operation: str, values: dict[str, Free]
) -> None:
    ready.apply(write("f", "two\n"), session="s")
    ready.lab.commit({"f": "one\n", "g": "more\n"})
    if operation == "land":
        values = {**values, "sessions": ("s",)}
    elif operation not in ("conflicts", "exec"):
        values = {**values, "session": "s"}
    with staying(ready) as ws:
        call(ws, operation, **values)
        assert not ws.repository.objects.pending()


def test_a_session_that_exec_leaves_open_is_whole(ready: Desk) -> None:
    ready.lab.write("g", "mine\n")
    with staying(ready) as ws:
        with pytest.raises(SlipError) as caught:
            call(ws, "exec", ops=batch(write("g", "theirs\n")), message=("land",))
        assert not ws.repository.objects.pending()
    assert caught.value.code == "dirty"
    assert ready.lab.tree(f"refs/slip/sessions/{caught.value.data['session']}")["g"] == b"theirs\n"
