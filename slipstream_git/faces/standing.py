"""Hints as they can be typed where the user stands.

A verb's hint is for a shell at the worktree's root and names the session it means. Whoever stands
in a subdirectory, or has said ``-C DIR``, gets the same command with the place in it; `slip` takes
paths from the root wherever in the worktree it is started, so there its commands stay. A directory
below the root need not be of the worktree: a repository may lie within another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.faces.calls import Call
from slipstream_git.gitdb.layout import Layout

# Where answers have commands to type, or hold what has them.
_FIELDS = ("hint", "fix", "refusal", "checks")


class Standing:
    """Where the user stands. ``way`` leads from there to the root; None where they are there.

    is_same: asked once at most, and only of who stands below the root: whether a command without
    a place finds this repository from there.
    """

    def __init__(self, layout: Layout, here: str, is_same: Callable[[], bool]) -> None:
        root = os.path.realpath(layout.root or layout.git_dir)
        self._is_below = f"{here}/".startswith(f"{root}/")
        self._is_same = is_same
        self._has_root = layout.root is not None
        self.way = None
        if here != root:
            near = self._is_below or root.startswith(f"{here.rstrip('/')}/")
            self.way = os.path.relpath(root, here) if near else root
            if self.way.startswith("-"):
                self.way = f"./{self.way}"

    @cached_property
    def _is_inside(self) -> bool:
        return self._is_below and self._is_same()

    def placed(self, said: str) -> hints.Hint:
        """The hint for a shell that stands here."""
        hint = hints.plain(said)
        if self.way is None or any("--global" in words for words in hint.commands):
            return hint
        joints = ("", *hint.joints)
        ran = zip(hint.commands, joints, strict=False)
        programs = {words[0] for words, joint in ran if joint != ">>"}
        if (programs == {"slip"} or not self._has_root) and self._is_inside:
            return hint
        if len(hint.commands) != 1 or not programs <= {"slip", "git"}:
            return self._from_root(hint)
        program, *words = hint.commands[0]
        if words[:1] == ["-C"] or all(map(_is_anywhere, words)):
            return hint
        return hints.of(program, "-C", self.way, *words)

    def _from_root(self, hint: hints.Hint) -> hints.Hint:
        if len(hint.commands) == 1 and all(map(_is_anywhere, hint.commands[0][1:])):
            return hint
        return hints.within(self.way or ".", hint)

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
        return hints_changed(value, self.placed)


def hints_changed(value: Any, change: Callable[[str], str]) -> Any:
    """An answer whose commands to type are said otherwise."""
    if isinstance(value, list):
        return [hints_changed(item, change) for item in value]
    found = {}
    for name in set(_FIELDS).intersection(getattr(value, "_fields", ())):
        inner = getattr(value, name)
        found[name] = change(inner) if isinstance(inner, str) else hints_changed(inner, change)
    return value._replace(**found) if found else value


def named(call: Call, arguments: Sequence[str], session: str) -> hints.Hint:
    """The command as it was typed, with the session that it lacked."""
    words = list(arguments)
    at = 0
    while words[at] != call.operation.name:
        at += 2 if words[at] == "-C" else 1
    return hints.of("slip", *words[: at + 1], "-s", session, *words[at + 1 :])


def _is_anywhere(word: str | bytes) -> bool:
    """Whether a word means the same wherever it is typed."""
    return os.path.isabs(word) or word[:1] in ("-", b"-")
