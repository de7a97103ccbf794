"""What an answer costs its reader, and what reading the files whole would have cost.

An estimate: the bytes of all that an answer says, without the names of its fields. Only slices of
files stand against whole files; an overview or a search is not something that would have been read
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.workspace import Workspace

_SLICES = ("matches", "files")


def size(answer: object) -> int:
    """Bytes of the values of an answer, each with what parts it from the next."""
    if isinstance(answer, str):
        return len(answer) + 1 if answer.isascii() else len(answer.encode("utf-8", "replace")) + 1
    if isinstance(answer, bool) or answer is None:
        return 0
    if isinstance(answer, Mapping):
        return sum(map(size, answer.values()))
    if isinstance(answer, tuple | list):
        return sum(map(size, answer))
    return len(str(answer)) + 1


def blobs(ws: Workspace, answer: Any) -> dict[str, int]:  # noqa: ANN401  (any operation's)
    """Sizes of the files that an answer has slices of, by blob id."""
    rows = [answer]
    for name in _SLICES:
        several = getattr(answer, name, None)
        rows += several if isinstance(several, list) else []
    found: dict[str, int] = {}
    for row in rows:
        oid, text = getattr(row, "oid", None), getattr(row, "text", None)
        if isinstance(oid, str) and isinstance(text, str) and oid not in found:
            with suppress(SlipError):
                found[oid] = len(ws.repository.objects.blob(oid))
    return found
