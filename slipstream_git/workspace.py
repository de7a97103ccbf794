"""What a verb works with, handed in as values: repository, clock, caller's environment.

No verb reads the clock, the environment or the current directory itself; so a replay or a test
fixes them, and one daemon serves many callers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from slipstream_git.gitdb.repository import Repository, open_repository, open_window
from slipstream_git.records import NamedTuple


def _unknown(_at_s: int) -> int | None:
    return None


def _nowhere(_notice: str) -> None:
    """For callers that read only the answer."""


def _unrecorded(_kind: str, _session: str = "", **_facts: object) -> None:
    """For callers that leave no trace."""


def _unseen(_done: int, _of: int, _what: str = "") -> None:
    """For callers that nobody watches."""


class Workspace(NamedTuple):
    """One caller in one repository.

    clock: seconds since the epoch. env: the caller's environment variables. token: a name that
    no other run uses, for temporary files; letters and digits. notify: tells the caller something
    beside the answer, one line. zone: the caller's minutes east of UTC at a time; None where that
    is not known. output, errors: the descriptors for what a program prints that is run for the
    caller.
    directory: where the caller stands. progress: is told how far long work has come: so many, of so
    many (files read, where nothing else is said). in_main_thread: runs something in the process's
    main thread; None where this is that. most_sessions: that may be open at once, 0 for any number.
    doing: is told what takes long just now, in a few words; no words when it is over. at_terminal:
    somebody sits there who can be asked for a password. interruption: is handed what interrupts a
    program that is run for the caller, to be called from any thread; None where a person does, at
    a terminal. progress and doing may raise KeyboardInterrupt. record: notes what happened,
    ``record(kind, session, agent=, identity=, **facts)`` as `events.event` names it; it refuses
    nothing.
    """

    repository: Repository
    clock: Callable[[], int]
    env: Mapping[str, str]
    token: Callable[[], str]
    notify: Callable[[str], None] = _nowhere
    zone: Callable[[int], int | None] = _unknown
    output: int = 1
    directory: str = "/"
    progress: Callable[..., None] = _unseen
    in_main_thread: Callable[[Callable[[], Any]], Any] | None = None
    most_sessions: int = 0
    doing: Callable[[str], None] = _nowhere
    at_terminal: bool = False
    record: Callable[..., None] = _unrecorded
    errors: int = 2
    interruption: Callable[[Callable[[], None]], None] | None = None

    @property
    def default_session(self) -> str | None:
        return self.env.get("SLIP_SESSION") or None

    @property
    def worktree_name(self) -> str:
        """Which worktree the caller stands in, relative to the common git directory."""
        layout = self.repository.layout
        return os.path.relpath(layout.git_dir, layout.common_dir)

    @property
    def unfinished(self) -> bool:
        """Whether a landing left its intent: one that is under way, or one that died."""
        try:
            names = os.listdir(os.path.join(self.repository.layout.slip_dir, "intents"))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return any(name.endswith(".json") for name in names)

    def signature(self) -> bytes:
        """Who made a step of a chain, and when; never refused for want of an identity."""
        config = self.repository.config
        name = self.env.get("GIT_AUTHOR_NAME") or config.get("author.name")
        email = self.env.get("GIT_AUTHOR_EMAIL") or config.get("author.email")
        name = name or config.get("user.name") or "slip"
        email = email or config.get("user.email") or "slip@localhost"
        return f"{_plain(name)} <{_plain(email)}> {self.clock()} +0000".encode(
            "utf-8", "surrogateescape"
        )


def _plain(text: str) -> str:
    """Text without what would end a field of a commit's header."""
    return "".join(c for c in text if c not in "<>\n\0").strip() or "slip"


def open_workspace(
    directory: str,
    env: Mapping[str, str],
    *,
    in_process: bool,
    clock: Callable[[], int] | None = None,
    notify: Callable[[str], None] = _nowhere,
    output: int = 1,
    progress: Callable[..., None] = _unseen,
    doing: Callable[[str], None] = _nowhere,
) -> Workspace:
    """Open the repository that ``directory`` is in. Errors: see `open_repository`."""
    repository = open_repository(directory, env, in_process=in_process)
    clock = clock or (lambda: int(time.time()))
    place = os.path.abspath(directory)
    zone = _zone_of(env)
    return Workspace(
        repository, clock, env, _random_token, notify, zone, output, place, progress,
        doing=doing, record=_recorder(repository, clock, _random_token),
    )  # fmt: skip


def look_through(place: str, env: Mapping[str, str]) -> Workspace:
    """A workspace for reading only, in a window (`gitdb.window`). Errors: see `open_window`."""
    return Workspace(
        open_window(place, env), lambda: int(time.time()), env, _random_token, directory=place
    )


def _recorder(
    repository: Repository, clock: Callable[[], int], token: Callable[[], str]
) -> Callable[..., None]:
    """Appends to the repository's logs of events."""

    def record(
        kind: str, session: str = "", *, agent: str = "", identity: str = "", **facts: object
    ) -> None:
        from slipstream_git.events import log
        from slipstream_git.events.event import Event

        found = Event(f"{kind} {identity or token()}", clock(), kind, session, agent, facts)
        log.append(repository.layout, found)

    return record


def _zone_of(env: Mapping[str, str]) -> Callable[[int], int | None]:
    """The local zone as git has it, where the caller's is this process's."""

    def zone(at_s: int) -> int | None:
        if env.get("TZ") != os.environ.get("TZ"):
            return None
        time.tzset()  # the variable and the system's zone as they are now
        return int(time.localtime(at_s).tm_gmtoff / 60)

    return zone


def _random_token() -> str:
    return os.urandom(8).hex()
