"""What the operations of memory answer. A field with the default None is left out of the JSON."""

from __future__ import annotations

from collections.abc import Mapping

from slipstream_git.records import NamedTuple


class Remembered(NamedTuple):
    """known: the claim was there already, and nothing had to be written."""

    id: str
    commit: str
    about: str | None
    kind: str = "fact"
    session: str | None = None
    known: bool | None = None
    contested: list[str] | None = None


class FactRow(NamedTuple):
    """One fact. stale: what it speaks of has changed since; ``stale_why`` says how.

    commit: where it was learned. score, why: how near it is to what was asked, and by what.
    contested: ids of facts that say the contrary. cut: some of the text is left out. elsewhere:
    it was learned on a commit that is not in what is read.
    """

    id: str
    text: str
    kind: str
    about: str | None
    stale: bool
    commit: str
    why: list[str] | None = None
    score: float | None = None
    stale_why: str | None = None
    contested: list[str] | None = None
    tags: list[str] | None = None
    session: str | None = None
    agent: str | None = None
    time: int | None = None
    cut: bool | None = None
    elsewhere: bool | None = None


class FactList(NamedTuple):
    """Facts, sorted. elsewhere: how many more are on commits that are not in what is read.

    unread: lines of the notes that are none of ours. markdown: they are to be shown so.
    """

    facts: list[FactRow]
    total: int
    elsewhere: int
    unread: int | None = None
    markdown: bool | None = None
    session: str | None = None
    rev: str | None = None


class Recalled(NamedTuple):
    """The facts that fit, the nearest first. tokens: of the text that says them.

    known: how many there are to be read here. left_out: how many were near, too. rest: what is
    said of those that are not told, where there is room for it.
    """

    facts: list[FactRow]
    tokens: int
    known: int = 0
    left_out: int = 0
    rest: str | None = None
    session: str | None = None
    rev: str | None = None


class Let(NamedTuple):
    """A fact that was forgotten, or purged. lines: of the notes that went.

    advice: what is left to be done, one command or sentence each.
    """

    id: str
    purged: bool
    text: str | None = None
    lines: int = 0
    advice: list[str] | None = None


class Digested(NamedTuple):
    """Where things stand, line by line under each title. kept: the note that holds it.

    since: what has happened since it was written, as `slip resume` tells it.
    """

    sections: Mapping[str, list[str]]
    tokens: int
    session: str | None = None
    commit: str | None = None
    written: int | None = None
    since: list[str] | None = None
    kept: bool | None = None
