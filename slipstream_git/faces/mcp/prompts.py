"""The skills that are shipped, as prompts: what a user can pick from a menu of the host.

Read from `slipstream_git/skills/NAME/SKILL.md`; none where there is no such directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Final

import slipstream_git
from slipstream_git.records import NamedTuple

_FENCE: Final = "---"


class Prompt(NamedTuple):
    """One skill. text: what follows its front matter."""

    name: str
    description: str
    text: str


@cache
def listed() -> Mapping[str, Prompt]:
    """Every skill, by name."""
    return below(os.path.join(os.path.dirname(slipstream_git.__file__), "skills"))


def below(directory: str) -> Mapping[str, Prompt]:
    """Every skill of a directory that can be read, by name."""
    found = {}
    names: list[str] = []
    with suppress(OSError):
        names = sorted(os.listdir(directory))
    for name in names:
        with suppress(OSError, UnicodeDecodeError):
            with open(os.path.join(directory, name, "SKILL.md"), encoding="utf-8") as stream:
                prompt = _prompt(name, stream.read())
            found[prompt.name] = prompt
    return found


def _prompt(directory: str, text: str) -> Prompt:
    head, fence, body = text.removeprefix(f"{_FENCE}\n").partition(f"\n{_FENCE}\n")
    if not fence or not text.startswith(_FENCE):
        head, body = "", text
    facts = dict(line.split(": ", 1) for line in head.split("\n") if ": " in line[1:])
    name = facts.get("name", directory).strip("\"' ")
    return Prompt(name, facts.get("description", "").strip("\"' "), body.strip() + "\n")
