"""What becomes of a session between the asking and the writing: facts and digests go with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slipstream_git.memory import store
from tests.desk import Desk, Free, write
from tests.memory.test_facts import REF, row, texts


def _meanwhile(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], object]) -> None:
    """Have somebody do this once, before the function of `store` is called."""
    real, left = getattr(store, name), [act]

    def called(*values: Free, **named: Free) -> Free:
        if left:
            left.pop()()
        return real(*values, **named)

    monkeypatch.setattr(store, name, called)


@pytest.mark.parametrize("moment", ["changed", "load", "_publish"])
@pytest.mark.parametrize("known", [{"before"}, set()])
def test_a_landing_meanwhile_strands_no_fact(
    desk: Desk, moment: str, known: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin("x")
    desk.apply(write("src/m.py", "def first(x):\n    return 2\n"))
    for text in known:
        desk.call("remember", text=text, session="x")
    _meanwhile(monkeypatch, moment, lambda: desk.lab.slip("commit", "-s", "x", "-m", "land"))
    told = desk.call("remember", text="late", session="x", about="src/m.py#first")
    assert told["commit"] == desk.lab.oid("HEAD")
    assert texts(desk) == known | {"late"}
    assert row(desk, "late")["stale"] is False


@pytest.mark.parametrize("moment", ["changed", "load", "_publish"])
def test_a_step_or_an_abort_meanwhile(
    desk: Desk, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin("x")
    desk.apply(write("a", "1\n"))
    batch = b'[{"op": "write", "path": "b", "content": "b"}]'
    _meanwhile(monkeypatch, moment, lambda: desk.lab.slip("apply", "-s", "x", stdin=batch))
    told = desk.call("remember", text="late", session="x")
    assert told["commit"] == desk.lab.oid("refs/slip/sessions/x")
    _meanwhile(monkeypatch, moment, lambda: desk.lab.slip("abort", "-s", "x"))
    desk.refused("session-missing", "remember", text="too late", session="x")
    assert texts(desk, all=True) == {"late"}


@pytest.mark.parametrize("moment", ["changed", "_publish"])
def test_a_digest_of_what_landed_meanwhile(
    desk: Desk, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin("x")
    desk.apply(write("a", "1\n"))
    _meanwhile(monkeypatch, moment, lambda: desk.lab.slip("commit", "-s", "x", "-m", "land"))
    fault = desk.refused("session-missing", "digest", session="x")
    assert fault.data["landed"] == desk.lab.oid("HEAD")
    assert REF not in desk.lab.refs()
