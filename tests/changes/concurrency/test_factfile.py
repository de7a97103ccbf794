"""The file of facts that processes share: whole lines only, bounded, and never missed."""

from __future__ import annotations

import sys
from pathlib import Path

from slipstream_git.changes import factfile
from slipstream_git.changes.factfile import FactFile
from tests.children import Children
from tests.lab import slip_environment

ADDING = """
import sys
from slipstream_git.changes.factfile import FactFile
for n in range(200):
    FactFile(sys.argv[1], 0, 1 << 20).add({f"{sys.argv[2]}-{n}": ["x" * 100, n]})
"""


def opened(tmp_path: Path, most: int = 1 << 20) -> FactFile:
    return FactFile(str(tmp_path / "slip" / "facts"), 0, most)


def test_what_was_added_is_found_and_the_later_line_counts(tmp_path: Path) -> None:
    file = opened(tmp_path)
    assert file.find({"a"}) == {}
    file.add({"a": 1, "b": ["\udcff", None]})
    file.add({"a": 2})
    assert file.find({"a", "b", "c"}) == {"a": 2, "b": ["\udcff", None]}
    assert file.find(()) == {}


def test_half_lines_and_damage_are_passed_over(tmp_path: Path) -> None:
    file, place = opened(tmp_path), tmp_path / "slip" / "facts"
    file.add({"a": 1, "b": 2, "c": 3})
    whole = place.read_bytes()
    for size in range(len(whole)):
        place.write_bytes(whole[:size])
        known = file.find({"a", "b", "c"})
        assert known == dict(list({"a": 1, "b": 2, "c": 3}.items())[: len(known)])
        # A killed writer's half line takes the next one with it, and no more.
        file.add({"d": 4})
        file.add({"e": 5})
        assert file.find({"e"}) == {"e": 5}
    for position in range(len(whole)):
        place.write_bytes(whole[:position] + b"\xff" + whole[position + 1 :])
        assert set(file.find({"a", "b", "c"}).values()) <= {1, 2, 3}


def test_it_keeps_the_newest_and_stays_in_bounds(tmp_path: Path) -> None:
    file, place = opened(tmp_path, 4000), tmp_path / "slip" / "facts"
    for number in range(300):
        file.add({f"k{number}": "x" * 40})
        assert place.stat().st_size <= 4000
        assert file.find({f"k{number}"})
    known = file.find({f"k{number}" for number in range(300)})
    assert sorted(int(key[1:]) for key in known) == list(range(300 - len(known), 300))
    assert len(known) > 20


def test_a_fact_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.add({"long": "x" * factfile.LONGEST_LINE, "short": 1})
    assert file.find({"long", "short"}) == {"short": 1}


def test_where_nothing_can_be_written_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "slip").write_text("a file in the way")
    file = opened(tmp_path)
    file.add({"a": 1})
    assert file.find({"a"}) == {}


def test_writers_at_once_lose_nothing(tmp_path: Path, children: Children) -> None:
    file = opened(tmp_path)
    started = [
        children.start(
            [sys.executable, "-c", ADDING, file.path, str(number)], env=slip_environment()
        )
        for number in range(3)
    ]
    for child in started:
        assert child.wait() == 0
    keys = {f"{number}-{n}" for number in range(3) for n in range(200)}
    assert set(file.find(keys)) == keys
