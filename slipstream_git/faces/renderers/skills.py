"""Skills and their runs as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.faces import text
from slipstream_git.faces.phrases import counted

if TYPE_CHECKING:
    from slipstream_git import guides


def _listed(value: guides.SkillsListed) -> Iterable[str]:
    for row in value.skills:
        whose = "" if row.source == "slip" else f" [{row.source}]"
        if row.faults:
            yield f"{row.name}{whose}: broken, {counted(row.faults, 'fault')}"
        else:
            yield f"{row.name}{whose}: {row.description}"
    if not value.skills:
        yield "no skill has these words" if value.query else "there are none"


def _shown(value: guides.SkillShown) -> Iterable[str]:
    whose = "" if value.source == "slip" else f", {value.path}: the repository's, not slip's"
    yield f"{value.name} {value.id}{whose}"
    yield value.description
    yield from _section("When to use", [f"- {line}" for line in value.when])
    yield from _section("Requires", [f"- {name}" for name in value.requires])
    yield from _section("Values", [f"- {key}: {said}" for key, said in value.values.items()])
    yield from _section("Guardrails", [f"- {line}" for line in value.guardrails])
    steps = [line for step in value.steps for line in _step(step)]
    yield from _section("Steps", steps)


def _section(title: str, lines: list[str]) -> Iterable[str]:
    if lines:
        yield f"\n{title}:"
        yield from lines


def _step(step: guides.SkillStep) -> Iterable[str]:
    often = f", {step.times} times" if step.times else ""
    yield f"{step.step}. [{step.kind}{often}] {step.text}"
    yield from (f"     $ {command}" for command in step.commands)


def _valid(value: guides.SkillsValid) -> Iterable[str]:
    for file in value.files:
        yield f"{file.kind} {file.name}: {file.path}"
    yield f"{counted(len(value.files), 'file')}, no fault"


def _run(value: guides.SkillRun) -> Iterable[str]:
    of = f" ({value.session})" if value.session else ""
    for line in value.guardrails or ():
        yield f"keep in mind: {line}"
    if value.asked_again:
        yield f"asked again, and green: step {', '.join(map(str, value.asked_again))}"
    for step in value.steps:
        yield f"{step.step}. {step.kind}: {step.text}"
        for answer in step.answers:
            yield f"   $ {answer.command}"
            yield from (f"   {line}" for line in _answer(answer))
        yield f"   {step.status}"
    yield f"{value.skill}{of} is done" if value.done else f"then go on: {value.again}"


def _answer(answer: guides.SkillAnswer) -> Iterable[str]:
    if answer.operation == "begin":
        return [str(answer.value.session)]
    whole = "\n".join(text.lines(answer.operation, answer.value))
    return whole.split("\n")


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "SkillsListed": _listed,
    "SkillShown": _shown,
    "SkillsValid": _valid,
    "SkillRun": _run,
}
