"""Whatever state a worktree is in, a landing is refused whole or lands whole, and nothing is lost.

Every state in matrix_states.py times every kind of change that it makes sense for, over both
stores; `make test` runs two kinds of each state, over one store. matrix_surroundings.py has more
states, matrix_judging.py the promise, matrix_verdicts.py where git's own answer is another.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.changes import matrix_states, matrix_surroundings  # noqa: F401  (they list states)
from tests.changes.matrix import KINDS, NOT_YET, STATES, Place, Stages, State, Unavailable
from tests.changes.matrix_judging import Landing, as_told, land_by_git, land_by_slip
from tests.changes.matrix_verdicts import BROKEN, DIFFERENCES, GIT_VERSION, Verdict, argued, rows
from tests.desk import STORES
from tests.lab import SOURCE

PAGE = SOURCE / "docs/worktree-states.md"


def cells(states: dict[str, tuple[State, tuple[str, ...]]]) -> Iterator[tuple[str, str, bool]]:
    """State, kind, and whether it is in the sample: two kinds of each state, in turn."""
    for number, (name, (_, kinds)) in enumerate(states.items()):
        chosen = {number % len(kinds), (number + len(kinds) // 2) % len(kinds)}
        yield from ((name, kind, n in chosen) for n, kind in enumerate(kinds))


def params() -> list[object]:
    """Every cell over each store; what is not in the sample is slow, what is broken fails."""
    made: list[object] = []
    for number, (name, kind, sampled) in enumerate(cells(STATES)):
        for store in STORES:
            marks = []
            if not sampled or store != STORES[number % 2]:
                marks.append(pytest.mark.slow)
            kinds, why = BROKEN.get(name, ((), ""))
            if kind in kinds:
                marks.append(pytest.mark.xfail(reason=why, raises=AssertionError))
            named = f"{name}-{kind}-{store}".replace(" ", "_")
            made.append(pytest.param(name, kind, store, marks=marks, id=named))
    return made


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Stages:
    return Stages(tmp_path_factory.mktemp("stages"), template)


@pytest.fixture(scope="session")
def git_version(sealed_session: None) -> str:
    return subprocess.check_output(["git", "version"], text=True).split(" ")[2]


def in_state(
    place: Place, brought_into: State, land: Callable[[Place], Landing], done_with: Path
) -> Landing:
    """Bring a place into a state, land there, and clear up."""
    try:
        with place.cleanup:
            brought_into(place)
            found = land(place)
    except Unavailable as why:
        pytest.skip(str(why))
    shutil.rmtree(done_with)
    return found


@pytest.mark.parametrize(("name", "kind", "store"), params())
def test_a_landing_is_refused_whole_or_lands_whole(
    stages: Stages, tmp_path: Path, git_version: str, name: str, kind: str, store: str
) -> None:
    brought_into, _ = STATES[name]

    def land_git(place: Place) -> Landing:
        return land_by_git(place, stages.landed(kind))

    here, there = tmp_path / "slip", tmp_path / "git"
    ours = in_state(stages.place(here, kind, store), brought_into, land_by_slip, here)
    theirs = in_state(stages.place(there, kind, store), brought_into, land_git, there)
    found = Verdict(ours.verdict, as_told(ours, theirs))
    expected = argued().get((name, kind))
    if expected is None:
        assert found.git == ("lands" if found.slip == "lands" else "refuses"), "not argued"
        return
    assert found.slip == expected.slip
    if found.git != expected.git and not git_version.startswith(GIT_VERSION + "."):
        pytest.skip(f"git {git_version} {found.git}, where {GIT_VERSION} {expected.git}")
    assert found.git == expected.git


@pytest.mark.parametrize(
    ("name", "kind", "store"),
    [(name, kind, STORES[n % 2]) for n, (name, kind, _) in enumerate(cells(NOT_YET))],
)
def test_what_landing_does_not_do_yet_is_refused(
    stages: Stages, tmp_path: Path, name: str, kind: str, store: str
) -> None:
    place = stages.place(tmp_path / "slip", kind, store)
    found = in_state(place, NOT_YET[name][0], land_by_slip, place.base)
    assert found.verdict == "unsupported"


def test_the_tables_name_what_there_is() -> None:
    there = {(name, kind) for name, kind, _ in cells(STATES)}
    assert len(there) >= 40
    assert argued().keys() <= there
    assert {(name, kind) for name, (kinds, _) in BROKEN.items() for kind in kinds} <= there
    named = Counter(
        (state, kind) for d in DIFFERENCES for state, kinds in d.cells.items() for kind in kinds
    )
    assert [cell for cell, times in named.items() if times > 1] == []
    assert {kind for _, kind in there} == set(KINDS)
    same = {"lands": ("lands",), "refuses": ("dirty", "locked", "unsupported", "git-failed")}
    assert [d for d in DIFFERENCES if d.slip in same.get(d.git, ())] == []


def test_the_page_has_the_same_differences() -> None:
    """Each reason is a heading's first sentence; each line of its table one state."""
    found = []
    reason = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("> "):
            reason = line.removeprefix("> ")
        elif line.startswith("| ") and reason:
            slip, git, state, kinds = (cell.strip() for cell in line.strip("|").split("|"))
            found.append((reason, slip.strip("`"), git, state, kinds))
    assert [row for row in found if row[3] != "state"] == list(rows())


def test_the_page_has_what_is_broken() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f" {len(list(cells(STATES)))} cells" in text
    assert [why for _, why in BROKEN.values() if why not in text] == []
    assert [name for name in (*BROKEN, *NOT_YET) if f"*{name}*" not in text] == []
