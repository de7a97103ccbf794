from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab import SOURCE, slip_environment

GENERATOR = SOURCE / "docs" / "generate.py"


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(GENERATOR), *arguments],
        env=slip_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_generated_pages_are_fresh() -> None:
    done = generate("--check")
    assert done.returncode == 0, done.stderr


def test_a_stale_or_missing_page_is_named(tmp_path: Path) -> None:
    missing = generate("--check", "--into", str(tmp_path))
    assert (missing.returncode, "errors.md" in missing.stderr) == (1, True)
    assert generate("--into", str(tmp_path)).returncode == 0
    assert generate("--check", "--into", str(tmp_path)).returncode == 0
    page = tmp_path / "errors.md"
    page.write_text(page.read_text() + "by hand\n")
    assert generate("--check", "--into", str(tmp_path)).returncode == 1
