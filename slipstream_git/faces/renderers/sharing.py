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
        return
    steps = counted(value.steps, "step")
    yield f"{value.session}: {steps} on {short(value.base)}, for {branch(value.onto)}"
    if value.verdicts and not value.verdicts_taken:
        yield "what it says of gates was not taken; they run here (or --verdicts)"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Bundled": _bundled,
    "Unbundled": _unbundled,
}
