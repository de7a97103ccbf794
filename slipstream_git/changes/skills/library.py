"""Which skills there are: those that slip brings along, and those of the repository.

The repository's are read from the commit that is checked out, as objects: no symbolic link is
followed, and nothing counts that nobody has committed. They are somebody else's words. One of a
name that slip has too never stands in for slip's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import slipstream_git
from slipstream_git import hints
from slipstream_git.errors import SlipError, of_system
from slipstream_git.gitdb import commits
from slipstream_git.guides import (
    SkillFault,
    SkillFile,
    SkillRow,
    SkillShown,
    SkillsListed,
    SkillStep,
    SkillsValid,
)
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths, skillfiles
from slipstream_git.text.frontmatter import Fault
from slipstream_git.text.objectid import object_id
from slipstream_git.text.skillfiles import Judge, Parsed, Skill
from slipstream_git.workspace import Workspace

OURS: Final = "slip"
THEIRS: Final = "repository"
FILE: Final = "SKILL.md"
PLACE: Final = ".slip/skills"
MOST: Final = 200
_PACKAGE: Final = os.path.dirname(os.path.abspath(slipstream_git.__file__))
SHIPPED: Final = os.path.join(_PACKAGE, "skills")
AGENTS: Final = os.path.join(_PACKAGE, "agents")


class Entry(NamedTuple):
    """A skill where it was found. path: to be shown. oid: of the file as a blob."""

    source: str
    directory: str
    path: str
    oid: str
    skill: Skill
    faults: list[Fault]

    @property
    def name(self) -> str:
        """What it is called: by itself, or by its directory where it has faults."""
        return self.directory if self.faults else self.skill.name

    @property
    def asked_for(self) -> str:
        """The name by which no other skill can be meant."""
        return self.name if self.source == OURS else f"{PLACE}/{self.name}"


# Finding ------------------------------------------------------------------------------------------


def every(ws: Workspace, judge: Judge) -> list[Entry]:
    """All skills, slip's first, by name."""
    return [*_shipped(judge), *_of_repository(ws, judge)]


def find(ws: Workspace, name: str, judge: Judge) -> Entry:
    """The skill of a name; `.slip/skills/NAME` is the repository's. Raises `missing`, `bad-op`."""
    theirs = name.startswith(f"{PLACE}/")
    plain = name.removeprefix(f"{PLACE}/")
    known = every(ws, judge)
    found = [e for e in known if e.name == plain and (e.source == THEIRS or not theirs)]
    if not found:
        from difflib import get_close_matches

        close = get_close_matches(plain, [entry.name for entry in known], 1)
        shown = paths.escape_for_terminal(name[:80])
        hint = hints.of("slip", "skills", "show", close[0]) if close else "slip skills list"
        raise SlipError("missing", f"no skill is called {shown}", hint=hint)
    entry = found[0]
    if entry.faults:
        rows = [SkillFault(entry.path, line, said) for line, said in entry.faults]
        raise _refusal(rows, entry.path)
    return entry


def _shipped(judge: Judge) -> Iterator[Entry]:
    for name in sorted(os.listdir(SHIPPED)):
        place = os.path.join(SHIPPED, name, FILE)
        if os.path.isfile(place):
            yield _entry(OURS, name, f"{name}/{FILE}", _read(place), judge)


def _of_repository(ws: Workspace, judge: Judge) -> Iterator[Entry]:
    repository = ws.repository
    _, head = repository.head()
    if head is None:
        return
    entry = repository.trees.lookup(commits.tree_of(repository.objects, head), PLACE.encode())
    if entry is None or not stat.S_ISDIR(entry.mode):
        return
    for name, inner in sorted(repository.trees.entries(entry.oid).items())[:MOST]:
        if not stat.S_ISDIR(inner.mode):
            continue
        file = repository.trees.entries(inner.oid).get(FILE.encode())
        if file is not None and stat.S_ISREG(file.mode):
            shown = paths.escape_for_terminal(paths.display(name))
            data = repository.objects.blob(file.oid)
            yield _entry(THEIRS, shown, f"{PLACE}/{shown}/{FILE}", data, judge)


def _entry(source: str, directory: str, path: str, data: bytes, judge: Judge) -> Entry:
    parsed = skillfiles.parse(data, directory, judge)
    return Entry(source, directory, path, object_id("blob", data), parsed.skill, parsed.faults)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(skillfiles.LARGEST + 1)
    except OSError as fault:
        raise of_system(fault) from None


# Told ---------------------------------------------------------------------------------------------


def listed(ws: Workspace, query: str | None, judge: Judge) -> SkillsListed:
    """The skills that have every word of the query; those that have it in the name come first."""
    words = (query or "").casefold().split()
    found = [entry for entry in every(ws, judge) if _rank(entry, words) is not None]
    found.sort(key=lambda entry: (_rank(entry, words) or 0, entry.source == THEIRS, entry.name))
    return SkillsListed([_row(entry) for entry in found], query)


def _rank(entry: Entry, words: Sequence[str]) -> int | None:
    """How many words are not in the name; None where one is nowhere."""
    skill = entry.skill
    text = " ".join([entry.name, skill.description, *skill.when]).casefold()
    if not all(word in text for word in words):
        return None
    return sum(word not in entry.name for word in words)


def _row(entry: Entry) -> SkillRow:
    skill, source = entry.skill, entry.source
    gates = sum(step.is_gate for step in skill.steps)
    faults = len(entry.faults) or None
    return SkillRow(entry.name, source, skill.description, len(skill.steps), gates, faults)


def shown(entry: Entry) -> SkillShown:
    skill = entry.skill
    return SkillShown(
        name=skill.name,
        source=entry.source,
        path=entry.path,
        id=entry.oid,
        description=skill.description,
        when=list(skill.when),
        requires=list(skill.requires),
        values=dict(skill.values),
        guardrails=list(skill.guardrails),
        steps=[
            SkillStep(
                step.number,
                step.kind,
                step.text,
                [str(hints.of(*command.words)) for command in step.commands],
                step.times if step.times > 1 else None,
            )
            for step in skill.steps
        ],
    )


# Checked ------------------------------------------------------------------------------------------


def validated(ws: Workspace, path: str | None, judge: Judge) -> SkillsValid:
    """Look at a file, or at all skills and subagents below a directory.

    path: from where the caller stands; None for all that slip and the repository have.
    Raises `bad-op` with every fault of every file, `missing` where there is nothing to look at.
    """
    looked = list(_everywhere(ws, judge) if path is None else _at(ws, path, judge))
    if not looked:
        where = PLACE if path is None else paths.escape_for_terminal(path)
        raise SlipError("missing", f"{where}: no {FILE} is there, and no subagent's definition")
    rows = [SkillFault(file.path, *fault) for file, found in looked for fault in found.faults]
    if rows:
        raise _refusal(rows, looked[0][0].path if path is None else path)
    return SkillsValid([file for file, _ in looked])


def _refusal(rows: Sequence[SkillFault], path: str) -> SlipError:
    first = rows[0]
    more = f", and {len(rows) - 1} more" if len(rows) > 1 else ""
    return SlipError(
        "bad-op",
        f"{first.path}:{first.line}: {first.message}{more}",
        hint=hints.of("slip", "skills", "validate", path),
        data={"faults": [row._asdict() for row in rows]},
    )


def _everywhere(ws: Workspace, judge: Judge) -> Iterable[tuple[SkillFile, Parsed]]:
    for entry in every(ws, judge):
        yield SkillFile(entry.path, "skill", entry.name), Parsed(entry.skill, entry.faults)
    for name in sorted(os.listdir(AGENTS)):
        yield _looked_at(os.path.join(AGENTS, name), judge)


def _at(ws: Workspace, path: str, judge: Judge) -> Iterable[tuple[SkillFile, Parsed]]:
    place = os.path.join(ws.directory, path)
    if not os.path.isdir(place):
        yield _looked_at(place, judge)
        return
    for directory, below, files in os.walk(place):
        below.sort()
        for name in sorted(files):
            if name == FILE or (name.endswith(".md") and directory.endswith("agents")):
                yield _looked_at(os.path.join(directory, name), judge)


def _looked_at(path: str, judge: Judge) -> tuple[SkillFile, Parsed]:
    shown = paths.escape_for_terminal(path)
    directory, name = os.path.split(path)
    if name == FILE:
        inside = os.path.basename(directory)
        parsed = skillfiles.parse(_read(path), inside, judge)
        return SkillFile(shown, "skill", paths.escape_for_terminal(inside)), parsed
    if not name.endswith(".md"):
        raise SlipError("usage", f"{shown} is no {FILE}, and no subagent's definition")
    plain = name.removesuffix(".md")
    parsed = skillfiles.parse_agent(_read(path), plain, judge)
    return SkillFile(shown, "agent", paths.escape_for_terminal(plain)), parsed
