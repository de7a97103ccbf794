"""Every skill that slip brings along: sound, and refusing at a red gate in a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from slipstream_git.changes.skills import library
from slipstream_git.errors import SlipError
from slipstream_git.text import frontmatter
from tests.desk import Desk
from tests.lab import Lab
from tests.skills.scenarios import SCENARIOS
from tests.skills.walks import Scenario, refused, step, to_the_end

SHIPPED = sorted(Path(library.SHIPPED).glob("*/SKILL.md"))
FILES = [*SHIPPED, *sorted(Path(library.AGENTS).glob("*.md"))]


@pytest.fixture
def desk(repo: Lab) -> Desk:
    return Desk(repo, "git")


def steps(name: str) -> int:
    lines = (Path(library.SHIPPED) / name / "SKILL.md").read_text().split("\n")
    return sum(line[:1].isdigit() for line in lines)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[row.skill for row in SCENARIOS])
def test_a_red_gate_is_not_passed(desk: Desk, scenario: Scenario) -> None:
    scenario.before(desk)
    fault = refused(desk, scenario, scenario.said)
    assert (fault.code, fault.exit_status) == ("gate-failed", 4), fault.message
    assert (fault.data["skill"], fault.data["step"]) == (scenario.skill, scenario.red)
    snapshot = desk.lab.snapshot()
    # Neither when asked again, nor from a step further down.
    further = [scenario.red + 1] if scenario.red < steps(scenario.skill) else []
    for from_step in (None, *further):
        with pytest.raises(SlipError) as again:
            step(desk, scenario.skill, session=scenario.session, from_step=from_step)
        assert again.value.code == "gate-failed", again.value.message
    assert desk.lab.snapshot() == snapshot
    scenario.mend(desk)
    assert to_the_end(desk, scenario).answer["next"] is None
    scenario.after(desk)


def test_every_skill_has_its_scenario(desk: Desk) -> None:
    rows = desk.call("skills", action="list")["skills"]
    assert {row["name"] for row in rows} == {row.skill for row in SCENARIOS}
    assert len(rows) == len(SHIPPED)
    assert all(row["gates"] and "faults" not in row for row in rows)


def test_everything_that_is_shipped_is_valid(desk: Desk) -> None:
    found = desk.call("skills", action="validate")["files"]
    assert len(found) == len(FILES)
    assert desk.call("skills", action="validate", name=library.SHIPPED)["files"]


@pytest.mark.parametrize("path", FILES, ids=[f"{p.parent.name}/{p.name}" for p in FILES])
def test_front_matter_is_what_yaml_reads(path: Path) -> None:
    text = path.read_text()
    head = frontmatter.read(text.split("\n"))
    assert not head.faults
    ours = {key: field.value for key, field in head.fields.items()}
    assert ours == yaml.safe_load(text.split("---\n")[1])


@pytest.mark.parametrize("path", FILES, ids=[f"{p.parent.name}/{p.name}" for p in FILES])
def test_a_skill_is_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.split("\n")) <= 100
    assert max(map(len, text.split("\n"))) <= 100
    assert len(text) < 4500
