"""Twenty clones that each land ten sessions on one branch at once, through a real web server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.gitservers import needs_web
from tests.lab import SOURCE

DEADLINE_S = 1800


@pytest.mark.slow
@pytest.mark.real_part
@needs_web
@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
def test_everybody_lands_exactly_once(kill: bool) -> None:  # noqa: FBT001
    command = [sys.executable, "-m", "bench.sharing", "--source", "--ways", "slip,slip-together"]
    done = subprocess.run(
        [*command, *(["--kill"] if kill else [])],
        cwd=SOURCE, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["landed"] for row in rows] == [200, 200]
    assert all(row["server kills"] > 0 for row in rows) is kill
