"""Skills: declarations, and how a step's words become an operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slipstream_git.operations import registry
from slipstream_git.operations.registry import ACTS, ALONE, Operation, operation

if TYPE_CHECKING:
    from slipstream_git import guides
    from slipstream_git.changes.skills import walking
    from slipstream_git.workspace import Workspace

_OF_ALL = ("--json", "--no-color", "--help", "-C")
_ACTIONS = ("list", "show", "validate", "run")


@operation(ACTS)
def skills(
    ws: Workspace,
    action: str,
    name: str | None = None,
    *,
    session: str | None = None,
    set: tuple[str, ...] = (),  # noqa: A002  (the option's name in the contract)
    from_step: int | None = None,
    trust: str | None = None,
) -> guides.SkillsListed | guides.SkillShown | guides.SkillsValid | guides.SkillRun:
    """Find skills, read them, check them, or walk one step by step past its gates.

    `list` those that have all words of a query; `show` one; `validate` a file or directory, all
    faults at once with their lines (default: every skill there is); `run` one. A run goes on where
    it was left: it runs commands of slip, asks gates, and stops at a step that is yours to do, or
    at a gate that is red (exit status 4). Skills of the repository (.slip/skills) are somebody's
    words: they run only with the id that `show` gives.

    action (ACTION): list, show, validate or run
    name (NAME): of list a query, of validate a path, else the skill
    session (-s, NAME): the session that the run is about (default: as everywhere; where the skill
        opens one, the skill's name)
    set (KEY=VALUE): a value for the skill's commands; several times for several words
    from_step (N): go on from this step; gates above are asked once more
    trust (ID): run this very skill of the repository
    """
    from slipstream_git.changes.skills import library, walking
    from slipstream_git.errors import SlipError

    if action not in _ACTIONS:
        said = f"{action[:40]!r}: skills are there to {', '.join(_ACTIONS)}"
        raise SlipError("usage", said, hint="slip skills list")
    if action != "run" and (session is not None or set or from_step is not None or trust):
        said = f"`slip skills {action}` takes no options"
        raise SlipError("usage", said, hint="slip skills list")
    if action == "list":
        return library.listed(ws, name, _fault)
    if action == "validate":
        return library.validated(ws, name, _fault)
    if name is None:
        raise SlipError("usage", f"`slip skills {action}`: which one?", hint="slip skills list")
    entry = library.find(ws, name, _fault)
    if action == "show":
        return library.shown(entry)
    wish = walking.Wish(session, set, from_step, trust)
    return walking.run(ws, entry, wish, lambda words, of: _perform(ws, words, of))


def _perform(ws: Workspace, words: Sequence[str], session: str | None) -> walking.Performed:
    """Run a command of a step, in the run's session where it names none."""
    from slipstream_git import hints
    from slipstream_git.changes.skills.walking import Performed
    from slipstream_git.errors import SlipError
    from slipstream_git.operations import calling, plainwords

    row = registry.find(words[1])
    if row is None or _is_barred(row):  # a skill with faults is not walked
        raise SlipError("usage", f"no step may run slip {words[1]}", hint="slip skills validate")
    try:
        values = plainwords.read(row, words[2:])
    except plainwords.NotPlainError:
        said = f"{' '.join(words)[:200]}: the values do not fit there"
        raise SlipError("usage", said, hint=hints.of("slip", row.name, "--help")) from None
    knows = any(p.name == "session" and not p.positional for p in row.parameters)
    if knows and session is not None and not (values.get("rev") or values.get("session")):
        values["session"] = session
        words = [*words[:2], "-s", session, *words[2:]]
    return Performed(row.name, calling.call(row, ws, values), words)


def _fault(words: Sequence[str], use: str) -> str | None:
    """What is wrong with a command of a skill; see `text.skillfiles.Judge`."""
    from slipstream_git.text import skillfiles

    if words[0] != "slip":
        return f"{words[0]}: steps run commands of slip, and others are yours to do"
    row = registry.find(words[1]) if len(words) > 1 else None
    if row is None:
        return f"slip has no command {' '.join(words[1:2]) or '(none)'}"
    if use == skillfiles.NAMED:
        return _unknown_option(row, words[2:])
    return _unfit(row, words, use)


def _unfit(row: Operation, words: Sequence[str], use: str) -> str | None:
    from slipstream_git.operations import plainwords
    from slipstream_git.text import skillfiles

    if _is_barred(row):
        return f"slip {row.name} needs a terminal, a file or standard input: it is yours to do"
    try:
        values = plainwords.read(row, words[2:])
    except plainwords.NotPlainError:
        return f"not as `slip {row.name}` has it; see `slip {row.name} --help`"
    if any(p.kind.value in ("file", "batch") and p.name in values for p in row.parameters):
        return "takes a file; it is yours to do"
    asks = row.is_reading or row.name in ("check", "merge-tree") or values.get("dry_run")
    if use == skillfiles.TO_ASK and not asks:
        return f"slip {row.name} changes something, and a gate only asks"
    return None


def _is_barred(row: Operation) -> bool:
    """Whether no step may run it: it needs what a run cannot hand over."""
    takes = {parameter.kind.value for parameter in row.parameters}
    return row.effect == ALONE or row.name == "skills" or bool(takes & {"batch", "stdin"})


def _unknown_option(row: Operation, words: Sequence[str]) -> str | None:
    known = {option for p in row.parameters for option in (p.option, p.short, p.negative)}
    for word in words:
        if word == "--":
            break
        name = word.partition("=")[0].strip("[]…")
        if name.startswith("-") and name not in known and name not in _OF_ALL:
            return f"slip {row.name} has no {name}"
    return None
