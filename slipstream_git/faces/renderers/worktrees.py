"""Sessions as files, as text. What `slip run` has to say goes to standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import some
from slipstream_git.faces.renderers import changesets

if TYPE_CHECKING:
    from slipstream_git import outcomes


def _ran(value: outcomes.Ran) -> Iterable[str]:
    if value.timed_out:
        yield f"slip: the command was ended after {value.seconds:.0f} s"
    if value.dropped:
        yield f"slip: nothing was captured, because the command ended with status {value.exit}"
    if value.captured is not None and value.captured.unchanged:
        yield f"{value.session}: the command changed nothing; no step was made"
    elif value.captured is not None:
        yield from changesets.RENDERERS["Applied"](value.captured)
    if value.not_captured:
        left = some(value.not_captured)
        yield f"slip: not captured, because slip does not reach into other repositories: {left}"
    if value.settings:
        yield "slip: warm worktrees lack what your project ignores; .slip.toml can give it to them:"
        yield from (f"  {line}" for line in value.settings)


def _session_worktree(value: outcomes.SessionWorktree) -> Iterable[str]:
    """The directory alone, for `cd "$(slip worktree)"`."""
    yield f"{value.worktree} is removed" if value.removed else value.worktree


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Ran": _ran,
    "SessionWorktree": _session_worktree,
}
