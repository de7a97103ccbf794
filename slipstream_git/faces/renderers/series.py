"""Series as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces.phrases import SHORT, counted, some

if TYPE_CHECKING:
    from slipstream_git import outcomes


def _split(value: outcomes.Split) -> Iterable[str]:
    for part in value.parts:
        name = "-" if value.dry_run else f"{part.step} {part.commit[:SHORT]}"
        yield f"{name} [{part.group}] {some(part.paths)}"
    parts = counted(len(value.parts), "part")
    if value.dry_run:
        yield f"{value.session} would be {parts}; nothing was kept"
    else:
        yield f"{value.session} is {parts}; `slip commit --series` lands each as a commit"


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {"Split": _split}
