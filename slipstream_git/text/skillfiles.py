"""A skill's file: what it is for, and steps that can be walked (docs/skills.md).

Read as text and nothing else: no reader here makes or runs anything. All faults are told at once,
each with its line, so that a file is mended in one go.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from slipstream_git.records import NamedTuple
from slipstream_git.text import frontmatter
from slipstream_git.text.frontmatter import Fault, Field
from slipstream_git.text.paths import escape_for_terminal

LARGEST: Final = 64 << 10
SECTIONS: Final = ("When to use", "Requires", "Values", "Guardrails", "Steps")
NEEDED: Final = ("When to use", "Guardrails", "Steps")
REQUIRED: Final = ("session", "gates", "remote")
MOST_TIMES: Final = 100
# What answers how much it found.
COUNTED: Final = ("search", "refs", "files")
# The name of the run's session in commands.
SESSION: Final = "session"
# The keys of the Agent Skills format, and of Claude Code's subagents.
SKILL_KEYS: Final = (
    "name", "description", "license", "compatibility", "metadata", "allowed-tools",
)  # fmt: skip
AGENT_KEYS: Final = ("name", "description", "tools", "model", "color")
DO, RUN, GATE, NOTHING = "do", "run", "gate", "gate: finds nothing"
LABELS: Final[Mapping[str, str]] = {
    "Do": DO, "Run": RUN, "Gate": GATE, "Gate: finds nothing": NOTHING,
}  # fmt: skip
NAME: Final = re.compile(r"[a-z0-9](?:-?[a-z0-9]){0,63}")
PLACE: Final = re.compile(r"\{([a-z][a-z0-9-]*)\}")
_STEP: Final = re.compile(r"(\d+)\. (.*)")
_LABELLED: Final = re.compile(r"\*\*(.+?)\.\*\* ?(.*)")
_TIMES: Final = re.compile(r"Gate: (\d{1,3}) times")
_KEYED: Final = re.compile(r"`([a-z][a-z0-9-]*)`: (.+)")
_CODE: Final = re.compile(r"`([^`]+)`")

# What is wrong with a command, None for nothing; the second value is one of the three uses below.
Judge = Callable[[Sequence[str], str], str | None]
NAMED, TO_RUN, TO_ASK = "named", "run", "asked"


class Command(NamedTuple):
    """A command as a step has it: its words, some of which have places for values."""

    line: int
    words: tuple[str, ...]


class Step(NamedTuple):
    """One step. kind: do, run, gate, or a gate that finds nothing. times: how often a gate asks."""

    number: int
    line: int
    kind: str
    text: str
    commands: tuple[Command, ...] = ()
    times: int = 1

    @property
    def is_gate(self) -> bool:
        return self.kind in (GATE, NOTHING)


class Skill(NamedTuple):
    """A skill as its file has it. values: what has to be said for its commands, and what it is."""

    name: str
    description: str
    when: tuple[str, ...]
    requires: tuple[str, ...]
    values: Mapping[str, str]
    guardrails: tuple[str, ...]
    steps: tuple[Step, ...]


class Parsed(NamedTuple):
    """What a file holds, as far as it can be read, and all that is wrong with it."""

    skill: Skill
    faults: list[Fault]


class _Line(NamedTuple):
    number: int
    text: str


_NONE: Final = Skill("", "", (), (), {}, (), ())


def parse(data: bytes, directory: str, judge: Judge) -> Parsed:
    """A SKILL.md. directory: the name of the one that it lies in, which has to be the skill's."""
    lines, faults = _decoded(data)
    if not lines:
        return Parsed(_NONE, faults)
    head = frontmatter.read(lines)
    faults += head.faults
    faults += _head_faults(head.fields, SKILL_KEYS, directory)
    sections = _sections(head.body, head.start, faults)
    values = _values(sections.get("Values", []), faults)
    steps = _steps(sections.get("Steps", []), faults)
    requires = tuple(key for key, _ in _keyed(sections.get("Requires", []), REQUIRED, faults))
    skill = Skill(
        name=_text(head.fields, "name"),
        description=_text(head.fields, "description"),
        when=tuple(line.text for line in _bullets(sections.get("When to use", []), faults)),
        requires=requires,
        values=values,
        guardrails=tuple(line.text for line in _bullets(sections.get("Guardrails", []), faults)),
        steps=tuple(steps),
    )
    if "Steps" in sections and not any(step.is_gate for step in steps):
        faults.append(Fault(sections["Steps"][0].number, "no step is a gate"))
    faults += _step_faults(steps, values, judge)
    faults += _prose_faults(head.body, head.start, judge)
    return Parsed(skill, sorted(set(faults)))


def parse_agent(data: bytes, name: str, judge: Judge) -> Parsed:
    """A subagent's definition. name: the file's, without its ending."""
    lines, faults = _decoded(data)
    if not lines:
        return Parsed(_NONE, faults)
    head = frontmatter.read(lines)
    faults += head.faults
    faults += _head_faults(head.fields, AGENT_KEYS, name)
    if not any(line.strip() for line in head.body):
        faults.append(Fault(head.start, "the definition says nothing"))
    faults += _prose_faults(head.body, head.start, judge)
    found = _NONE._replace(
        name=_text(head.fields, "name"), description=_text(head.fields, "description")
    )
    return Parsed(found, sorted(set(faults)))


# Bytes and head -----------------------------------------------------------------------------------


def _decoded(data: bytes) -> tuple[list[str], list[Fault]]:
    """The file's lines, with what a terminal would act on written out, and a fault for each."""
    if len(data) > LARGEST:
        return [], [Fault(1, f"holds {len(data)} bytes; a skill has at most {LARGEST}")]
    try:
        text = data.decode()
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        return [], [Fault(line, "is not UTF-8")]
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    safe = [escape_for_terminal(line).replace("\t", "\\t") for line in lines]
    odd = [n for n, (a, b) in enumerate(zip(lines, safe, strict=True), 1) if a != b]
    return safe, [Fault(n, "holds a control character, a tab, or one that hides text") for n in odd]


def _text(fields: Mapping[str, Field], key: str) -> str:
    value = fields[key].value if key in fields else ""
    return value if isinstance(value, str) else ""


def _head_faults(fields: Mapping[str, Field], known: Sequence[str], directory: str) -> list[Fault]:
    found = [
        Fault(field.line, f"unknown key {key}; there are {', '.join(known)}")
        for key, field in fields.items()
        if key not in known
    ]
    for key, field in fields.items():
        wants_table = key == "metadata"
        if key in known and isinstance(field.value, dict if wants_table else str) is False:
            found.append(Fault(field.line, f"{key} is a {'table' if wants_table else 'text'}"))
    found += [Fault(1, f"{key} is missing") for key in ("name", "description") if key not in fields]
    name, description = _text(fields, "name"), _text(fields, "description")
    if name and not (NAME.fullmatch(name) and len(name) <= 64):
        said = "name has at most 64 of a-z, 0-9 and single dashes between them"
        found.append(Fault(fields["name"].line, said))
    elif name and name != directory:
        said = f"name is {name}, and the file is called {escape_for_terminal(directory)}"
        found.append(Fault(fields["name"].line, said))
    if len(description) > 1024:
        said = f"description has {len(description)} characters, at most 1024"
        found.append(Fault(fields["description"].line, said))
    return found


# Sections -----------------------------------------------------------------------------------------


def _sections(body: Sequence[str], start: int, faults: list[Fault]) -> dict[str, list[_Line]]:
    """The lines of each section; the first is its heading."""
    found: dict[str, list[_Line]] = {}
    now: list[_Line] | None = None
    for number, text in enumerate(body, start):
        if text.startswith("## "):
            title = text[3:].strip()
            now = []
            if title not in SECTIONS:
                faults.append(Fault(number, f"unknown section; there are {', '.join(SECTIONS)}"))
            elif title in found:
                faults.append(Fault(number, f"the section {title} stands here twice"))
            else:
                found[title] = now
            now.append(_Line(number, title))
        elif now is not None:
            now.append(_Line(number, text.rstrip()))
    missing = [title for title in NEEDED if title not in found]
    faults += [Fault(start, f"the section {title} is missing") for title in missing]
    return found


def _bullets(section: Sequence[_Line], faults: list[Fault]) -> list[_Line]:
    found: list[_Line] = []
    for line in section[1:]:
        if line.text.startswith("- "):
            found.append(_Line(line.number, line.text[2:].strip()))
        elif line.text.startswith("  ") and found:
            found[-1] = _Line(found[-1].number, f"{found[-1].text} {line.text.strip()}")
        elif line.text:
            faults.append(Fault(line.number, "not an item of the list: `- text`"))
    if section and not found:
        faults.append(Fault(section[0].number, "the section is empty"))
    return found


def _keyed(
    section: Sequence[_Line], known: Sequence[str], faults: list[Fault]
) -> Iterable[tuple[str, str]]:
    for line in _bullets(section, faults) if section else ():
        found = _KEYED.fullmatch(line.text)
        if found is None:
            faults.append(Fault(line.number, "not `` `name`: what it is ``"))
        elif known and found[1] not in known:
            faults.append(Fault(line.number, f"{found[1]} is none of {', '.join(known)}"))
        else:
            yield found[1], found[2]


def _values(section: Sequence[_Line], faults: list[Fault]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, said in _keyed(section, (), faults):
        if key == SESSION or key in found:
            why = "is the run's session" if key == SESSION else "stands here twice"
            faults.append(Fault(section[0].number, f"the value {key} {why}"))
        found[key] = said
    return found


# Steps --------------------------------------------------------------------------------------------


def _steps(section: Sequence[_Line], faults: list[Fault]) -> list[Step]:
    found: list[Step] = []
    blocks: list[list[_Line]] = []
    for line in section[1:]:
        if _STEP.fullmatch(line.text):
            blocks.append([line])
        elif blocks and (not line.text or line.text.startswith("   ")):
            blocks[-1].append(line)
        elif line.text:
            faults.append(Fault(line.number, "not a step: `1. **Do.** text`, the rest indented"))
    for wanted, block in enumerate(blocks, 1):
        step = _step(block, faults)
        if step is None:
            continue
        if step.number != wanted:
            faults.append(Fault(step.line, f"step {step.number} stands where {wanted} is"))
        found.append(step._replace(number=wanted))
    if section and not blocks:
        faults.append(Fault(section[0].number, "there are no steps"))
    return found


def _step(block: Sequence[_Line], faults: list[Fault]) -> Step | None:
    first = block[0]
    numbered = _STEP.fullmatch(first.text)
    labelled = _LABELLED.fullmatch(numbered[2]) if numbered else None
    times = _TIMES.fullmatch(labelled[1]) if labelled else None
    if numbered is None or labelled is None or (labelled[1] not in LABELS and times is None):
        known = ", ".join(f"**{label}.**" for label in (*LABELS, "Gate: N times"))
        faults.append(Fault(first.number, f"a step begins with one of {known}"))
        return None
    kind, often = LABELS.get(labelled[1], GATE), int(times[1]) if times else 1
    words, code = _apart(block[1:], faults)
    text = " ".join(filter(None, [labelled[2].strip(), *words]))
    commands = tuple(filter(None, (_split(line, faults) for line in code)))
    if not text:
        faults.append(Fault(first.number, "the step does not say what it is for"))
    if not 1 <= often <= MOST_TIMES:
        faults.append(Fault(first.number, f"a gate asks 1 to {MOST_TIMES} times"))
    wanted = {DO: "no command to run", RUN: "a command or several"}.get(kind, "one command")
    right = {DO: not code, RUN: bool(code)}.get(kind, len(code) == 1)
    if not right:
        faults.append(Fault(first.number, f"a step `{labelled[1]}` has {wanted}, in a block ```sh"))
    return Step(int(numbered[1]), first.number, kind, text, commands, often)


def _apart(lines: Sequence[_Line], faults: list[Fault]) -> tuple[list[str], list[_Line]]:
    """The words and the lines of code of a step."""
    words: list[str] = []
    code: list[_Line] = []
    opened: _Line | None = None
    for line in lines:
        text = line.text.strip()
        if text.startswith("```"):
            if opened is None and text != "```sh":
                faults.append(Fault(line.number, "a block of commands begins with ```sh"))
            opened = line if opened is None else None
        elif opened is not None and text:
            code.append(_Line(line.number, text))
        elif text:
            words.append(text)
    if opened is not None:
        faults.append(Fault(opened.number, "the block does not end"))
    return words, code


def _split(line: _Line, faults: list[Fault]) -> Command | None:
    """The words of a command, quoted as a shell has them; nothing else of a shell is known here."""
    try:
        return Command(line.number, tuple(shlex.split(line.text)))
    except ValueError as fault:
        faults.append(Fault(line.number, f"cannot be split into words: {fault}"))
        return None


def _step_faults(steps: Sequence[Step], values: Mapping[str, str], judge: Judge) -> Iterable[Fault]:
    named = set()
    for step in steps:
        for line, words in step.commands:
            places = {place for word in words for place in PLACE.findall(word)}
            named |= places
            for place in sorted(places - set(values) - {SESSION}):
                yield Fault(line, f"{{{place}}} is none of the section Values")
            said = _asked_wrongly(step, words) or judge(
                [PLACE.sub("1", word) for word in words], TO_ASK if step.is_gate else TO_RUN
            )
            if said:
                yield Fault(line, said)
    for value in sorted(set(values) - named):
        yield Fault(steps[0].line if steps else 1, f"no command has the value {{{value}}}")


def _asked_wrongly(step: Step, words: Sequence[str]) -> str | None:
    asked = words[1] if len(words) > 1 else ""
    if step.kind == NOTHING and asked not in COUNTED:
        return f"a gate that finds nothing asks one of {', '.join(COUNTED)}"
    if step.times > 1 and asked != "check":
        return "a gate that asks several times is `slip check`"
    return None


def _prose_faults(body: Sequence[str], start: int, judge: Judge) -> Iterable[Fault]:
    """Commands that texts name in passing have to be there, too."""
    for number, text in enumerate(body, start):
        for code in _CODE.findall(text):
            if not code.startswith("slip "):
                continue
            said = judge(code.split(), NAMED)
            if said:
                yield Fault(number, f"`{code}`: {said}")
