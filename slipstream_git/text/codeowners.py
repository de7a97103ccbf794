"""CODEOWNERS, as GitHub and GitLab read it: whose a path is.

Of the lines that match a path the last one counts, also one that names nobody. A pattern goes by
the rules of a .gitignore, with two differences that both have: `docs/*` is what stands in `docs`
itself and nothing below, and there is no `!`. GitLab's sections (`[Name]`, `^[Optional]`,
`[Name][2] @default`) are each read by themselves, and a path has the owners of all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from slipstream_git.records import NamedTuple

# Where it is looked for; the first that is there counts.
PLACES = (b".github/CODEOWNERS", b"CODEOWNERS", b"docs/CODEOWNERS", b".gitlab/CODEOWNERS")

_SECTION = re.compile(r"\^?\[([^\]]+)\](?:\[\d+\])?(?:\s+(.*))?\Z")
_FIELD = re.compile(r"(?:\\.|\S)+")


class Rule(NamedTuple):
    """One line: which paths, and whose they are; nobody's where ``owners`` is empty."""

    pattern: re.Pattern[str]
    owners: tuple[str, ...]


class Owners(NamedTuple):
    """What a file says. skipped: the numbers of lines that say nothing that can be read."""

    sections: Sequence[Sequence[Rule]]
    skipped: list[int]

    def of(self, path: bytes) -> tuple[str, ...]:
        """The owners of a path, each once, in the order in which the file names them."""
        text = path.decode("utf-8", "surrogateescape")
        found: dict[str, None] = {}
        for rules in self.sections:
            last = next((rule for rule in reversed(rules) if rule.pattern.search(text)), None)
            found |= dict.fromkeys(last.owners if last else ())
        return tuple(found)


def parse(data: bytes) -> Owners:
    """Read a file; a line that cannot be read is passed over, as both sites do."""
    sections: dict[str, list[Rule]] = {"": []}
    name, default = "", ()  # type: str, tuple[str, ...]
    skipped: list[int] = []
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").splitlines()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        section = _SECTION.match(text)
        if section is not None:
            # Two sections of one name are one, whatever the case.
            name, default = section[1].strip().lower(), _names(section[2] or "")
            sections.setdefault(name, [])
            continue
        field = _FIELD.match(text)
        pattern = _compiled(field[0]) if field else None
        if field is None or pattern is None:
            skipped.append(number)
            continue
        owners = _names(text[field.end() :])
        sections[name].append(Rule(pattern, owners or default))
    return Owners([rules for rules in sections.values() if rules], skipped)


def _names(text: str) -> tuple[str, ...]:
    """Names of owners, up to a comment."""
    found: list[str] = []
    for word in text.split():
        if word.startswith("#"):
            break
        found.append(word)
    return tuple(found)


def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern as a regular expression to be searched for; None for one that is none."""
    if pattern[0] in "!#" or "[" in pattern or "]" in pattern:
        return None
    is_directory = pattern.endswith("/")
    parts = pattern.strip("/").split("/")
    if not all(parts):
        return None
    anchored = "/" in pattern[:-1]
    head = r"\A" if anchored else r"(?:\A|/)"
    if parts[-1] == "**":
        parts.pop()
        tail = "/" if parts else ""
    elif is_directory:
        tail = "/"
    else:
        # `docs/*` goes no deeper; a `*` alone is everything.
        tail = r"\Z" if parts[-1] == "*" and anchored else r"(?:/|\Z)"
    body = "/".join("(?:.*/)?" if part == "**" else _component(part) for part in parts)
    return re.compile(head + body.replace("(?:.*/)?/", "(?:.*/)?") + tail, re.DOTALL)


def _component(part: str) -> str:
    """One name between slashes: `*` and `?` stand for anything but a slash."""
    if part == "*":
        return "[^/]+"
    out: list[str] = []
    escaped = False
    for character in part:
        if escaped or character not in "\\*?":
            out.append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            out.append("[^/]*" if character == "*" else "[^/]")
    return "".join(out)
