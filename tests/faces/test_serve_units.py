"""The unit files and the Dockerfile that docs/serve.md gives to be copied."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from slipstream_git.operations import registry
from tests.lab import SOURCE

PAGE = SOURCE / "docs" / "serve.md"
INSTRUCTIONS = {"FROM", "RUN", "USER", "ENTRYPOINT", "ENV", "COPY", "WORKDIR", "VOLUME"}

if not PAGE.exists():
    pytest.skip("the documentation is not beside the package", allow_module_level=True)


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def options() -> set[str]:
    row = registry.find("serve")
    assert row is not None
    return {parameter.option for parameter in row.parameters}


@pytest.mark.real_part
@pytest.mark.parametrize("number", [0, 1])
def test_systemd_takes_the_units(tmp_path: Path, number: int) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not here")
    text = fenced("ini")[number]
    (program,) = re.findall(r"^ExecStart=(\S+/slip) serve ", text, re.MULTILINE)
    unit = tmp_path / "slip.service"
    # It wants the program to be there.
    unit.write_text(text.replace(f"ExecStart={program} ", "ExecStart=/bin/true "))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "slip.service" in line]
    assert (done.returncode, told) == (0, [])


def test_units_start_what_there_is() -> None:
    for text in fenced("ini"):
        (command,) = re.findall(r"^ExecStart=\S+/slip serve (.*)$", text, re.MULTILINE)
        assert {word for word in command.split() if word.startswith("--")} <= options()


def test_the_dockerfile_can_be_read() -> None:
    (text,) = fenced("dockerfile")
    lines = text.replace("\\\n", " ").splitlines()
    instructions = [line.partition(" ")[0] for line in lines]
    assert set(instructions) <= INSTRUCTIONS
    assert instructions[0] == "FROM"
    assert instructions[-1] == "ENTRYPOINT"
    for line in lines:
        if line.startswith("RUN "):
            shell = subprocess.run(["sh", "-nc", line[4:]], capture_output=True, check=False)
            assert (shell.returncode, shell.stderr) == (0, b"")
    command = json.loads(lines[-1].removeprefix("ENTRYPOINT "))
    assert command[:2] == ["slip", "serve"]
    assert {word for word in command if word.startswith("--")} <= options()
