"""Whoever typed a command: where they stand, what they hand over, and what they hear.

Mostly this very process; for a command that a server runs, the client that sent it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TextIO

from slipstream_git.faces import inputs

if TYPE_CHECKING:  # its import is paid for by commands that need a repository
    from slipstream_git.workspace import Workspace


class Elsewhere(Exception):
    """A command that has to run where its caller is."""


class Caller(Protocol):
    """One caller of one command.

    env: their environment. has_terminal: whether the answer goes to one.
    """

    env: Mapping[str, str]
    has_terminal: bool

    def here(self) -> str | None:
        """The directory that they are in; None where that is gone."""
        ...

    def entered(self, directory: str, *, output: int) -> AbstractContextManager[Workspace]:
        """The repository that a directory of theirs is in. Raises as `open_workspace` does.

        output: the descriptor for what a program prints that is run for them.
        """
        ...

    def input(self) -> bytes | None:
        """All of their standard input; None where somebody would have to type it."""
        ...

    def has_file(self, name: str) -> bool:
        """Whether a file of theirs has this name."""
        ...

    def file(self, name: str, *, stored: bool = False) -> bytes:
        """A file of theirs; stored: a regular one. Raises `usage`, `too-large`."""
        ...

    def tell(self, text: str, *, aside: bool = False) -> None:
        """Say something; aside: on standard error."""
        ...

    def gone(self) -> bool:
        """Whether a pipe that broke means that nobody listens any more; if so, stop talking."""
        ...


class OwnProcess:
    """The process itself is the caller's. given: its standard input, where that has been read."""

    def __init__(self, given: bytes | None = None) -> None:
        self._given = given
        self.env: Mapping[str, str] = os.environ
        self.has_terminal = sys.stdout is not None and sys.stdout.isatty()

    def here(self) -> str | None:
        try:
            return os.getcwd()
        except OSError:
            return None

    @contextmanager
    def entered(self, directory: str, *, output: int) -> Iterator[Workspace]:
        from slipstream_git.faces import progress
        from slipstream_git.workspace import open_workspace

        told = progress.shown(quiet=output != 1)  # the answer is JSON, for a program
        workspace = open_workspace(
            directory,
            self.env,
            in_process=self.env.get("SLIP_STORE") == "libgit2",
            notify=noticing(self),
            output=output,
            progress=told,
            doing=told.doing,
        )
        is_terminal = output == 1 and _is_terminal(sys.stdin) and _is_terminal(sys.stderr)
        with told, workspace.repository:
            yield workspace._replace(at_terminal=is_terminal)

    def input(self) -> bytes | None:
        if self._given is not None:
            return self._given
        return inputs.standard()

    def has_file(self, name: str) -> bool:
        return os.path.exists(name)

    def file(self, name: str, *, stored: bool = False) -> bytes:
        return inputs.file_at(name, name, stored=stored)

    def tell(self, text: str, *, aside: bool = False) -> None:
        stream = sys.stderr if aside else sys.stdout
        if stream is not None:
            stream.buffer.write(line_of(text))
            stream.buffer.flush()

    def gone(self) -> bool:
        # A second complaint, at exit, would be a traceback.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def noticing(caller: Caller) -> Callable[[str], None]:
    """What tells a caller something beside the answer."""

    def notice(text: str) -> None:
        from slipstream_git.text.paths import escape_for_terminal

        caller.tell(f"slip: {escape_for_terminal(text)}", aside=True)

    return notice


def line_of(text: str) -> bytes:
    """A text as it is written, with a line's end."""
    ending = "" if text.endswith("\n") else "\n"
    try:
        return (text + ending).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that is not a byte: from a batch's own text
        return (text + ending).encode("utf-8", "backslashreplace")
