"""Lanes of a server: first come, first served."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

import pytest

from slipstream_git.faces.serving import turns as turning
from slipstream_git.faces.serving.turns import Turns


class Crowd:
    """Threads that enter lanes and stay until they are told to leave."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.entered: list[str] = []
        self._leave: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def come(self, name: str, lane: Hashable) -> None:
        """Begin to wait; returns when it does, or has entered."""
        leave = self._leave[name] = threading.Event()

        def stay() -> None:
            with self.turns.alone(lane) as is_in:
                self.entered.append(name if is_in else "nobody")
                leave.wait(20)

        before = self._settled()
        thread = threading.Thread(target=stay)
        thread.start()
        self._threads.append(thread)
        _until(lambda: self._settled() > before)

    def leave(self, name: str) -> None:
        self._leave[name].set()

    def end(self) -> None:
        for leave in self._leave.values():
            leave.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def _settled(self) -> int:
        return len(self.entered) + len(self.turns._waiting)


def _until(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_who_came_first_is_first() -> None:
    crowd = Crowd(Turns())
    names = [f"n{number}" for number in range(20)]
    for name in names:
        crowd.come(name, "lane")
    for count, name in enumerate(names, 1):
        _until(lambda: len(crowd.entered) >= count)  # noqa: B023
        assert crowd.entered == names[:count]
        crowd.leave(name)
    crowd.end()
    assert crowd.entered == names


def test_one_whose_lane_is_free_need_not_wait_for_another_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turning, "LONG_S", 20.0)
    crowd = Crowd(Turns(2))
    for name, lane in (("a", 1), ("b", 1), ("c", 2), ("d", 3)):
        crowd.come(name, lane)
    _until(lambda: len(crowd.entered) == 2)
    assert crowd.entered == ["a", "c"]  # b waits for its lane, d since two are in
    crowd.leave("c")
    _until(lambda: len(crowd.entered) == 3)
    assert crowd.entered == ["a", "c", "d"]
    crowd.leave("a")
    _until(lambda: len(crowd.entered) == 4)
    crowd.end()


def test_patience_ends_and_the_turn_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "LONG_S", 20.0)
    turns = Turns(1)
    crowd = Crowd(turns)
    crowd.come("a", 1)
    with turns.alone(2, 0.01) as is_in:
        assert not is_in
    with turns.alone(1, 0) as is_in:
        assert not is_in
    crowd.come("b", 2)
    crowd.leave("a")
    _until(lambda: crowd.entered == ["a", "b"])
    crowd.end()
    with turns.alone(1, 0) as is_in:
        assert is_in
    assert not turns._since
    assert not turns._waiting


def test_one_who_takes_long_does_not_hold_up_other_lanes() -> None:
    crowd = Crowd(Turns(1))
    crowd.come("a", 1)
    crowd.come("b", 1)
    crowd.come("c", 2)
    assert crowd.entered == ["a"]
    _until(lambda: crowd.entered == ["a", "c"])
    crowd.leave("a")
    _until(lambda: crowd.entered == ["a", "c", "b"])
    crowd.end()


def test_no_two_are_in_a_lane_whatever_their_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "LONG_S", 20.0)
    turns = Turns(2)
    inside = dict.fromkeys(range(3), 0)
    wrong: list[dict[int, int]] = []
    served = [0] * 12
    until = time.monotonic() + 1.0

    def work(number: int) -> None:
        lane = number % 3
        while time.monotonic() < until:
            with turns.alone(lane, 0.0005 * (number % 4) or -1.0) as is_in:
                if is_in:
                    inside[lane] += 1
                    if inside[lane] != 1 or sum(inside.values()) > 2:
                        wrong.append(dict(inside))
                    time.sleep(0.0002)
                    inside[lane] -= 1
                    served[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert set(inside.values()) == {0}
    assert all(served[number] for number in range(0, 12, 4))
    assert not turns._since
    assert not turns._waiting
