"""Where a caller stands who need be in no repository: an agent's host, or somebody at home."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from slipstream_git.records import NamedTuple

if TYPE_CHECKING:  # its import is paid for by who opens one
    from slipstream_git.workspace import Workspace


class Ground(NamedTuple):
    """One caller. directory: absolute; it need not exist.

    input: all of standard input, empty where somebody would have to type it. program: the words
    that start this slip from anywhere. open: the repository of a directory, raises as
    `open_workspace` does. clock: seconds since the epoch. token: a name that nobody else uses.
    tell: says something to a person, beside the answer.
    """

    env: Mapping[str, str]
    directory: str
    input: Callable[[], bytes]
    program: Callable[[], tuple[str, ...]]
    open: Callable[[str], Workspace]
    clock: Callable[[], int]
    token: Callable[[], str]
    tell: Callable[[str], None]
