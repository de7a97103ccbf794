"""What `slip skills` answers. Texts of skills are escaped: nothing in them moves a cursor.

A field with the default None is left out of the JSON when it is None.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.records import NamedTuple


class SkillRow(NamedTuple):
    """One skill of a list. source: ``slip`` or ``repository``. faults: so many, of a broken one."""

    name: str
    source: str
    description: str
    steps: int
    gates: int
    faults: int | None = None


class SkillsListed(NamedTuple):
    """The skills that there are, or that a query finds, the likeliest first."""

    skills: list[SkillRow]
    query: str | None = None


class SkillStep(NamedTuple):
    """One step of a skill. kind: do, run, gate, or ``gate: finds nothing``. times: of a gate."""

    step: int
    kind: str
    text: str
    commands: list[str]
    times: int | None = None


class SkillShown(NamedTuple):
    """A skill whole. id: the blob that it is; a repository's runs only where that is named."""

    name: str
    source: str
    path: str
    id: str
    description: str
    when: list[str]
    requires: list[str]
    values: dict[str, str]
    guardrails: list[str]
    steps: list[SkillStep]


class SkillFault(NamedTuple):
    """What is wrong in a file of a skill or a subagent."""

    path: str
    line: int
    message: str


class SkillFile(NamedTuple):
    """A file that was looked at. kind: skill or agent."""

    path: str
    kind: str
    name: str


class SkillsValid(NamedTuple):
    """What validate answers where nothing is wrong; else ``faults`` are the error's data."""

    files: list[SkillFile]


class SkillAnswer(NamedTuple):
    """One command of a step that was run, and what it answered."""

    command: str
    operation: str
    value: Any


class SkillWalked(NamedTuple):
    """A step that was walked. status: done, green, or waiting for somebody to do it."""

    step: int
    kind: str
    text: str
    status: str
    answers: list[SkillAnswer]


class SkillRun(NamedTuple):
    """How far a run has come. next: the step that it goes on with, null at the end.

    asked_again: gates before these steps, green once more. again: the command that goes on.
    """

    skill: str
    source: str
    session: str | None
    steps: list[SkillWalked]
    next: int | None
    done: bool
    guardrails: list[str] | None = None
    asked_again: list[int] | None = None
    again: str | None = None
