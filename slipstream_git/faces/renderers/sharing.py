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
    way = f"{'pushed' if value.way == 'to' else 'pulled'} {value.way} {value.remote}"
    for name in value.sessions:
        yield f"{name} {way}"
    for name in value.closed:
        yield f"{name} is closed here, and taken away from {value.remote}"
    for ref in value.came or ():
        yield f"notes {_named(ref)} merged from {value.remote}"
    for ref in value.notes:
        yield f"notes {_named(ref)} {way}"
    if not (value.sessions or value.closed or value.notes or value.came):
        lacking = f"here that {value.remote} lacks" if value.way == "to" else f"on {value.remote}"
        yield f"nothing new {lacking}"


def _named(ref: str) -> str:
    return ref.removeprefix("refs/notes/slip/")


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Bundled": _bundled,
    "Unbundled": _unbundled,
    "Exchanged": _exchanged,
}
