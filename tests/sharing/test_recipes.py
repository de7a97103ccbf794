"""The recipes of docs/ci.md, run step by step as they stand there, against a real git server.

What belongs to the forge alone is done here: the checkout, the files between jobs, and `gh`, which
writes down how it was called. `pip install` has nothing to do: the package is the one under test.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gitservers import needs_web
from tests.lab import DEADLINE_S, SOURCE, Lab, slip_command, slip_environment
from tests.sharing.hubs import Hub

pytestmark = [pytest.mark.real_part, needs_web]

FIXTURE = SOURCE / "fixtures" / "codemod"
PAGE = (SOURCE / "docs/ci.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
GITHUB, GITLAB = (yaml.safe_load(block) for block in BLOCKS)
BRANCH = "bot/codemod"
FILES = {
    "tests/test_app.py": "self.assertEquals(1, one())\nself.assertEquals(2, two())\n",
    "app.py": 'import logging\n\nlogger = logging.getLogger()\nlogger.warn("x")\n',
    "README.md": "See http://example.org/docs.\n",
    ".slip.toml": '[gate.tests]\nrun = "! grep -rn broken app.py"\n',
}
SUBJECTS = [
    "Use assertEqual, assertEquals is gone",
    "Use logger.warning, warn is deprecated",
    "Use https for the project's site",
]


class Forge:
    """A server's repository, and a runner that has nothing but what the recipe brings."""

    def __init__(self, hub: Hub, place: Path) -> None:
        self.hub = hub
        self.place = place
        self.number = 0
        self.shared = place / "between"
        self.shared.mkdir(parents=True)
        programs = {
            "pip": "exit 0",
            "slip": f'exec {shlex.join(slip_command())} "$@"',
            "gh": f'printf "%s\\n" "$*" >>{shlex.quote(str(place / "gh"))}',
        }
        self.programs = place / "bin"
        self.programs.mkdir()
        for name, script in programs.items():
            path = self.programs / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def checkout(self) -> Lab:
        """The main branch, in a clone of its own."""
        self.number += 1
        lab = self.hub.clone(f"runner{self.number}")
        lab.git("config", "--unset", "user.name")
        return lab

    def run(self, lab: Lab, script: str, env: Mapping[str, str]) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=lab.path,
            env=slip_environment({"PATH": f"{self.programs}:{os.environ['PATH']}", **env}),
            capture_output=True, check=False, timeout=DEADLINE_S,
        )  # fmt: skip
        assert done.returncode == 0, (script, done.stdout, done.stderr)

    def hand_over(self, source: Path, to: Path, names: Sequence[str]) -> None:
        for name in names:
            if (source / name).exists():
                shutil.copy(source / name, to / name)

    @property
    def handed(self) -> list[str]:
        return [path.name for path in self.shared.iterdir()]

    def log(self, what: str = f"main..{BRANCH}") -> list[str]:
        return self.hub.lab.git("log", "--reverse", "--format=%s", what).splitlines()


def on_github(forge: Forge) -> Path:
    """A run of the workflow; where its last job stood."""
    jobs = GITHUB["jobs"]
    assert jobs["propose"].get("permissions", GITHUB["permissions"]) == {"contents": "read"}
    lab = forge.checkout()
    for name in ("propose", "land"):
        lab = forge.checkout() if name == "land" else lab
        for step in jobs[name]["steps"]:
            _step(forge, lab, step)
    return lab.path


def _step(forge: Forge, lab: Lab, step: Mapping[str, Any]) -> None:
    action = step.get("uses", "").partition("@")[0]
    if "run" in step:
        env = {key: value for key, value in step.get("env", {}).items() if "${{" not in value}
        forge.run(lab, step["run"], env)
    elif action == "actions/upload-artifact":
        forge.hand_over(lab.path, forge.shared, [step["with"]["path"]])
    elif action == "actions/download-artifact":
        forge.hand_over(forge.shared, lab.path, forge.handed)
    else:
        assert action == "actions/checkout"


def on_gitlab(forge: Forge) -> Path:
    """The same for the pipeline; a runner there stands on a detached HEAD."""
    scheme, _, rest = forge.hub.url.partition("://")
    host, _, path = rest.partition("/")
    env = {
        "CI_SERVER_PROTOCOL": scheme,
        "CI_SERVER_HOST": host,
        "CI_PROJECT_PATH": path.removesuffix(".git"),
        "BOT_TOKEN": "invented",
    }
    lab = forge.checkout()
    for name in GITLAB["stages"]:
        job = GITLAB[name]
        assert job["stage"] == name
        lab = forge.checkout()
        lab.git("checkout", "-q", "--detach")
        forge.hand_over(forge.shared, lab.path, forge.handed)
        forge.run(lab, "\n".join(job["script"]), env)
        forge.hand_over(lab.path, forge.shared, job["artifacts"]["paths"])
    return lab.path


RUNS = {"github": on_github, "gitlab": on_gitlab}


@pytest.fixture
def forge(web_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    # A runner knows nobody; the recipe says who the bot is.
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        monkeypatch.delenv(name)
    web_hub.lab.git("config", "receive.advertisePushOptions", "true")
    codemod = {f"codemod/{path.name}": path.read_text() for path in FIXTURE.iterdir()}
    web_hub.commit({**FILES, **codemod}, "a project")
    return Forge(web_hub, tmp_path / "forge")


@pytest.mark.parametrize("where", RUNS)
def test_a_bot_of_two_jobs(forge: Forge, where: str) -> None:
    run, hub = RUNS[where], forge.hub
    report = (run(forge) / "report.md").read_text()
    assert forge.log() == SUBJECTS
    assert hub.lab.git("diff", "--stat", "main", BRANCH).endswith(
        "3 files changed, 4 insertions(+), 4 deletions(-)"
    )
    assert "## 3 commits" in report
    assert "| `tests` | **green**" in report
    if where == "github":
        told = (forge.place / "gh").read_text()
        assert told == f"pr create --head {BRANCH} --title Codemod --body-file report.md\n"
    # Again, with nothing new: the same ids, and nothing moves.
    before = hub.lab.oid(BRANCH)
    run(forge)
    assert hub.lab.oid(BRANCH) == before
    # A person puts a fix on it, and main moves on.
    person = hub.clone("person")
    person.git("checkout", "-q", BRANCH)
    person.commit({"app.py": person.read("app.py").decode() + "# by hand\n"}, "by hand")
    person.git("push", "-q")
    hub.commit({"other": "x\n"}, "main moves on")
    run(forge)
    assert forge.log() == [*SUBJECTS, "by hand"]
    assert "by hand" in hub.lab.git("show", f"{BRANCH}:app.py")
    # All of it is merged, so there is nothing left to do.
    hub.lab.git("update-ref", "refs/heads/main", BRANCH)
    hub.lab.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    (forge.shared / "change.bundle").unlink()
    run(forge)
    assert f"refs/heads/{BRANCH}" not in hub.lab.refs()


@pytest.mark.parametrize("where", RUNS)
def test_a_red_gate_pushes_nothing(forge: Forge, where: str) -> None:
    forge.hub.commit({".slip.toml": '[gate.tests]\nrun = "! grep -rn warning app.py"\n'}, "gate")
    before = forge.hub.lab.refs()
    with pytest.raises(AssertionError, match="gate tests: red"):
        RUNS[where](forge)
    assert forge.hub.lab.refs() == before


def test_the_recipe_of_the_readme(forge: Forge) -> None:
    text = (SOURCE / "README.md").read_text()
    script = re.search(r"## For a CI bot\n\n```sh\n(.*?)```", text, re.DOTALL)
    assert script is not None
    batch = [
        {"op": "write", "path": "a", "content": "1\n", "group": "Add a"},
        {"op": "write", "path": "b", "content": "1\n", "group": "Add b"},
    ]
    made = set()
    for _ in range(2):
        lab = forge.checkout()
        lab.git("config", "user.name", "bot")
        lab.write("batch.json", json.dumps(batch))
        forge.run(lab, script[1], {})
        made.add(forge.hub.lab.oid("bot/years"))
        assert "## 2 commits" in lab.read("report.md").decode()
    assert len(made) == 1
    assert forge.log("main..bot/years") == ["Add a", "Add b"]
