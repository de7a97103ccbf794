"""What judges a change, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import short

if TYPE_CHECKING:
    from slipstream_git import outcomes


def _checked(value: outcomes.Checked) -> Iterable[str]:
    yield f"{value.session} {short(value.tree)}"
    yield from judged(value.gates)
    if not value.gates:
        yield "no gate is defined in .slip.toml"


def judged(rows: Sequence[outcomes.GateRow]) -> Iterable[str]:
    """A line for each gate that did not fail."""
    for row in rows:
        how = "as noted before" if row.cached else f"{row.seconds:.1f} s"
        yield f"gate {row.name}: {row.status}" + ("" if row.status == "skipped" else f", {how}")


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Checked": _checked,
}
