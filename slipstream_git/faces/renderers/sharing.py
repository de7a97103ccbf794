"""What goes to other machines and comes from them, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import branch, counted, short

if TYPE_CHECKING:
    from slipstream_git import outcomes


def _bundled(value: outcomes.Bundled) -> Iterable[str]:
    steps = counted(value.steps, "step")
    yield f"{value.session}: {steps} on {short(value.base)} in {value.file}, {value.size} bytes"


def _unbundled(value: outcomes.Unbundled) -> Iterable[str]:
    if value.already:
        yield f"{value.session} is here already, with this very chain"
        if value.verdicts_taken:
            yield f"{counted(value.verdicts, 'verdict')} of gates taken"
        return
    steps = counted(value.steps, "step")
    yield f"{value.session}: {steps} on {short(value.base)}, for {branch(value.onto)}"
    if value.verdicts and not value.verdicts_taken:
        yield "what it says of gates was not taken; they run here (or --verdicts)"


def _exchanged(value: outcomes.Exchanged) -> Iterable[str]:
    for name in value.sessions:
        yield f"{name} ({value.remote})"
    for name in value.closed:
        yield f"{name} is closed, and taken away from {value.remote}"
    for ref in value.notes:
        yield f"notes: {ref.removeprefix('refs/notes/slip/')}"
    if not value.sessions and not value.closed and not value.notes:
        yield f"nothing new here or on {value.remote}"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Bundled": _bundled,
    "Unbundled": _unbundled,
    "Exchanged": _exchanged,
}
