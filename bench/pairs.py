"""Things timed by turns: A B A B …, and what their times say about each other.

Two runs one after the other meet two different machines: other work, caches, the clock of the
processor. So the things to be compared take turns in one run, every turn gives its own ratio, and
the median of those is the figure. Turn 0 is not counted; in every turn, outcomes are compared.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Side(Protocol):
    """One of the things compared. Only `run` is timed."""

    @property
    def name(self) -> str: ...

    def prepare(self, turn: int) -> None: ...

    def run(self, turn: int) -> None: ...

    def outcome(self) -> str:
        """What the turn made, equal on all sides of a race (a tree id)."""


class Spread(NamedTuple):
    """Ratios of one pair over all turns."""

    median: float
    least: float
    most: float
    turns: int


class OutcomeDiffersError(Exception):
    """Two sides did not do the same work, so their times mean nothing."""


def race(teams: Sequence[Sequence[Side]], turns: int) -> Mapping[str, list[float]]:
    """Run all sides by turns; seconds by side's name, without turn 0.

    The sides of one team must come to the same outcome in every turn.
    """
    times: dict[str, list[float]] = {side.name: [] for team in teams for side in team}
    for turn in range(turns + 1):
        for team in teams:
            outcomes = {}
            for side in team:
                seconds = _timed(side, turn)
                outcomes[side.name] = side.outcome()
                if turn:
                    times[side.name].append(seconds)
            if len(set(outcomes.values())) != 1:
                raise OutcomeDiffersError(f"turn {turn}: {outcomes}")
        _show_progress(turn, turns)
    return times


def _timed(side: Side, turn: int) -> float:
    side.prepare(turn)
    start = time.perf_counter()
    side.run(turn)
    return time.perf_counter() - start


def spread(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The ratios ``above / below``, turn by turn."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return Spread(statistics.median(ratios), min(ratios), max(ratios), len(ratios))


def _show_progress(turn: int, turns: int) -> None:
    if sys.stderr.isatty():
        print(f"\r  turn {turn} of {turns} ", end="", file=sys.stderr, flush=True)
        if turn == turns:
            print("\r" + " " * 30 + "\r", end="", file=sys.stderr, flush=True)
