"""`slip hook EVENT` and `slip statusline` by the short way: what a host starts again and again.

Nothing that a host sends, and nothing that is broken here, comes back to it as a failure: whatever
happens, the exit status is 0, and what cannot be told is not. Options, help and everything else
that is unusual take the ordinary way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def run(arguments: Sequence[str]) -> bool:
    """Answer one of the two; False where these words are for the ordinary way."""
    name, *words = arguments
    if len(words) != (name == "hook") or any(word.startswith("-") for word in words):
        return False
    try:
        _tell(_answer(name, words))
    except BaseException as fault:  # noqa: BLE001  (a host takes a failure for a veto)
        if "SLIP_HOOK_TRACE" in os.environ:
            print(f"slip {name}: {type(fault).__name__}: {fault}", file=sys.stderr)
    return True


def _answer(name: str, words: Sequence[str]) -> str:
    from slipstream_git.faces import grounds
    from slipstream_git.operations import hosts

    if name == "statusline":
        return str(hosts.statusline(grounds.own()).line)
    output = hosts.hook(grounds.own(), words[0]).output
    if output is None:
        return ""
    import json

    return json.dumps(output)


def _tell(text: str) -> None:
    """Print a line; what nobody reads is no fault."""
    rest = memoryview((text + "\n").encode("utf-8", "replace") if text else b"")
    while rest:
        rest = rest[os.write(1, rest) :]
