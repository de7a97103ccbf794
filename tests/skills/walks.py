"""What the tests of skills share: a run walked to its next stop, by somebody who does his part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from slipstream_git.errors import SlipError
from tests.desk import Desk, Free, Json

Deed = Callable[[Desk], object]


def nothing(_desk: Desk) -> None:
    """Somebody who only looks."""


class Scenario(NamedTuple):
    """A skill where one of its gates is red, and how that is mended.

    red: the step that refuses. doing: what is done at steps that are somebody's, by number.
    before: what is done before the run. after: what has to be so at the end.
    """

    skill: str
    red: int
    before: Deed
    mend: Deed
    after: Deed
    doing: Mapping[int, Deed] = {}
    session: str | None = None
    said: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


class Walked(NamedTuple):
    """The steps that were told of on the way, in order, and the last answer."""

    steps: list[tuple[int, str]]
    answer: Json


def step(desk: Desk, skill: str, *said: str, **values: Free) -> Json:
    return desk.call("skills", action="run", name=skill, set=said, **values)


def to_the_end(desk: Desk, scenario: Scenario, said: tuple[str, ...] = ()) -> Walked:
    """Walk, doing what is to be done, until it is done. Raises SlipError where it is refused."""
    steps = []
    for _ in range(30):
        answer = step(desk, scenario.skill, *said, session=scenario.session)
        said = ()
        steps += [(row["step"], row["status"]) for row in answer["steps"]]
        for number, status in steps[-1:]:
            if status == "waiting":
                scenario.doing.get(number, nothing)(desk)
        if answer["done"]:
            return Walked(steps, answer)
    raise AssertionError(steps)


def refused(desk: Desk, scenario: Scenario, said: tuple[str, ...] = ()) -> SlipError:
    """Walk until it is refused."""
    try:
        walked = to_the_end(desk, scenario, said)
    except SlipError as fault:
        return fault
    raise AssertionError(walked)
