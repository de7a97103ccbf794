"""A server's entry in a TOML file: a block of our own at its end, between two marks.

Nothing else in the file is touched. One that defines the same server in another way is refused with
ValueError, and so is one that would not be read as before.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

_BEGIN: Final = "# >>> written by `slip setup`, which also removes it >>>\n"
_END: Final = "# <<< slip setup <<<\n"


def read(text: str) -> dict[str, Any]:
    """The values of a text. Raises ValueError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ValueError(str(fault)) from None


def put(text: str, keys: Sequence[str], entry: Mapping[str, object]) -> str:
    """The text with an entry at a path of keys."""
    rest = drop(text)
    before = read(rest)
    lead = "" if not rest or rest.endswith("\n") else "\n"
    gap = "\n" if rest.strip() else ""
    new = f"{rest}{lead}{gap}{block(keys, entry)}"
    try:
        after = read(new)
    except ValueError:
        raise ValueError(f"it has {'.'.join(keys[:-1])} in another form") from None
    holder = after
    for key in keys[:-1]:
        holder = holder[key]
    del holder[keys[-1]]
    if not holder and keys[0] not in before:
        del after[keys[0]]
    if after != before:
        raise ValueError("it would not be read as before")
    return new


def drop(text: str) -> str:
    """The text without our block."""
    begin, end = text.find(_BEGIN), text.find(_END)
    if begin < 0 or end < begin:
        return text
    before = text[:begin]
    return (before[:-1] if before.endswith("\n\n") else before) + text[end + len(_END) :]


def block(keys: Sequence[str], entry: Mapping[str, object]) -> str:
    # A string of JSON is one of TOML where nothing is escaped but what both escape alike.
    rows = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "".join((_BEGIN, f"[{'.'.join(keys)}]\n", *(f"{row}\n" for row in rows), _END))
