"""What the operations for agents' hosts answer; the default None is left out of the JSON."""

from __future__ import annotations

from typing import Any

from slipstream_git.records import NamedTuple


class Hooked(NamedTuple):
    """What a host is told at one of its events; None where it is told nothing."""

    event: str
    output: dict[str, Any] | None = None


class Line(NamedTuple):
    line: str


class Written(NamedTuple):
    """One file of a host. action: create, change, remove or keep; diff: what that changes in it."""

    path: str
    action: str
    diff: str = ""


class SetUp(NamedTuple):
    """A host that was set up, or let go of. done: files were written.

    entry: the text to be pasted where nothing is written. advice: what is left to be done by hand.
    """

    client: str
    scope: str
    files: list[Written]
    done: bool
    removed: bool = False
    entry: str | None = None
    advice: list[str] | None = None
