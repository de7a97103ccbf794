"""The ground of a caller, for operations that may be asked for outside of any repository."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from slipstream_git.faces import inputs
from slipstream_git.hosts.ground import Ground

if TYPE_CHECKING:
    from slipstream_git.faces.callers import Caller
    from slipstream_git.workspace import Workspace


def of(caller: Caller, directory: str) -> Ground:
    """The ground of a command that was parsed: it stands in its `-C DIR`."""

    def given() -> bytes:
        return caller.input() or b""

    here = os.path.join(caller.here() or "/", directory)
    return Ground(
        caller.env, os.path.normpath(here), given, program, _opener(dict(caller.env)), _clock,
        _token, lambda text: caller.tell(escaped(text), aside=True),
    )  # fmt: skip


def own() -> Ground:
    """The ground of this process."""

    def given() -> bytes:
        return inputs.standard() or b""

    env = dict(os.environ)
    return Ground(env, os.getcwd(), given, program, _opener(env), _clock, _token, _unheard)


def escaped(text: str) -> str:
    from slipstream_git.text.paths import escape_for_terminal

    return escape_for_terminal(text)


def _unheard(_text: str) -> None:
    """A host is told by what is answered alone."""


def program() -> tuple[str, ...]:
    """The words that start this slip wherever somebody stands, with any PATH."""
    import shutil  # whoever hooks does without it

    called = os.path.abspath(sys.argv[0]) if os.sep in sys.argv[0] else shutil.which(sys.argv[0])
    if called and os.path.basename(called) in ("slip", "git-slip") and os.access(called, os.X_OK):
        return (called,)
    # -P: a module that lies in the repository is not this one.
    return (sys.executable, "-P", "-m", "slipstream_git")


def _opener(env: Mapping[str, str]) -> Callable[[str], Workspace]:
    def opened(directory: str) -> Workspace:
        from slipstream_git.workspace import open_workspace

        return open_workspace(directory, env, in_process=False, output=2)

    return opened


def _clock() -> int:
    return int(time.time())


def _token() -> str:
    return os.urandom(8).hex()
