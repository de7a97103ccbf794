"""The skills that are shipped, as prompts: what a user can pick from a menu of the host.

Read from `slipstream_git/skills/NAME/SKILL.md`; none where there is no such directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache

import slipstream_git
from slipstream_git.records import NamedTuple
from slipstream_git.text import frontmatter


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
    head = frontmatter.read(text.replace("\r\n", "\n").split("\n"))
    facts = {key: field.value for key, field in head.fields.items()}
    name, description = (facts.get(key) for key in ("name", "description"))
    return Prompt(
        name if isinstance(name, str) else directory,
        description if isinstance(description, str) else "",
        "\n".join(head.body).strip() + "\n",
    )
