"""Hints as they can be typed where the user stands.

A verb's hint is for a shell at the worktree's root and names the session it means. Whoever stands
in a subdirectory, or has said ``-C DIR``, gets the same command with the place in it; `slip` takes
paths from the root wherever in the worktree it is started, so there its commands stay.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.faces.calls import Call
from slipstream_git.gitdb.layout import Layout

_JOINTS = ("&&", "|", ";", ">>")
# Where answers have commands to type, or hold what has them.
_FIELDS = ("hint", "fix", "refusal", "checks")


class Standing:
    """Where the user stands. ``way`` leads from there to the root; None where they are there."""

    def __init__(self, layout: Layout, here: str) -> None:
        root = os.path.realpath(layout.root or layout.git_dir)
        self._is_inside = f"{here}/".startswith(f"{root}/")
        self.way = None
        if here != root and not (layout.root is None and self._is_inside):
            near = self._is_inside or root.startswith(f"{here.rstrip('/')}/")
            self.way = os.path.relpath(root, here) if near else root

    def placed(self, hint: str) -> str:
        """The hint for a shell that stands here."""
        words = _words(hint)
        if self.way is None or not words or "--global" in words:
            return hint
        joints = [number for number, word in enumerate(words) if word in _JOINTS]
        programs = {words[0], *(words[number + 1] for number in joints if words[number] != ">>")}
        if programs == {"slip"} and self._is_inside:
            return hint
        if all(os.path.isabs(word) or word.startswith("-") for word in words[1:]):
            return hint
        where = shlex.quote(self.way)
        if joints or words[0] not in ("slip", "git"):
            return f"(cd {where} && {hint})"
        return hint if words[1] == "-C" else f"{words[0]} -C {where}{hint[len(words[0]) :]}"

    def in_error(self, fault: SlipError) -> None:
        """Place the hints of an error, those too of what it has in its data."""
        if fault.hint is not None:
            fault.hint = self.placed(fault.hint)
        rows = fault.data.get("refused")
        for row in rows if isinstance(rows, list) else ():
            if row["hint"] is not None:
                row["hint"] = self.placed(row["hint"])

    def in_answer(self, value: Any) -> Any:
        """An answer with its hints placed."""
        if isinstance(value, list):
            return [self.in_answer(item) for item in value]
        found = {}
        for name in set(_FIELDS).intersection(getattr(value, "_fields", ())):
            inner = getattr(value, name)
            found[name] = self.placed(inner) if isinstance(inner, str) else self.in_answer(inner)
        return value._replace(**found) if found else value


def named(call: Call, arguments: Sequence[str], session: str) -> str:
    """The command as it was typed, with the session that it lacked."""
    words = list(arguments)
    at = 0
    while words[at] != call.operation.name:
        at += 2 if words[at] == "-C" else 1
    return shlex.join(["slip", *words[: at + 1], "-s", session, *words[at + 1 :]])


def _words(hint: str) -> list[str]:
    try:
        return shlex.split(hint)
    except ValueError:
        return []
