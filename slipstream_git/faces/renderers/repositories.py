"""What operations on the repository as a whole answer, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slipstream_git.errors import SlipError
from slipstream_git.faces import faults, text
from slipstream_git.faces.phrases import branch, short

if TYPE_CHECKING:
    from slipstream_git import outcomes


def _recovered(value: outcomes.Recovered) -> Iterable[str]:
    for intent in value.intents:
        where = f" on {branch(intent.branch)}" if intent.branch else ""
        yield f"{intent.session}{where}: {intent.outcome}"
        for path, why in intent.left:
            yield f"  left alone: {path} ({why})"
    if not value.intents:
        yield "nothing to recover"


def _collected(value: outcomes.Collected) -> Iterable[str]:
    verb = "would expire" if value.dry_run else "expired"
    for gone in value.expired:
        yield f"{verb} {gone.session} {short(gone.commit)} ({gone.ref})"
    if not value.expired:
        yield "nothing to expire"
    yield f"closed sessions kept: {value.kept}"
    for what in ("bytes", "objects", "packs"):
        before, after = getattr(value, f"{what}_before"), getattr(value, f"{what}_after")
        yield f"{what}: {after}" if before == after else f"{what}: {after} (before: {before})"


def _examined(value: outcomes.Examined) -> Iterable[str]:
    for check in value.checks:
        yield f"{check.status:<4} {check.name}: {check.detail}"
        if check.fixed:
            yield f"     did: {check.fixed}"
        if check.fix:
            yield f"     try: {check.fix}"


def _merged_tree(value: outcomes.MergedTree) -> Iterable[str]:
    yield value.tree


def _demonstrated(value: outcomes.Demonstrated) -> Iterable[str]:
    for step in value.steps:
        if step.said:
            yield f"\n# {step.said}"
        yield f"$ {step.command}"
        if step.error is not None:
            yield faults.render_error(SlipError(**step.error))
        elif step.operation == "git":
            yield str(step.value).rstrip()
        elif step.operation != "begin":
            yield from text.lines(step.operation, step.value)
        else:
            yield step.value.session
    yield f"\nThe repository is at {value.repository}; look around with git."


RENDERERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Recovered": _recovered,
    "Collected": _collected,
    "Examined": _examined,
    "MergedTree": _merged_tree,
    "Demonstrated": _demonstrated,
}
