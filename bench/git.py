"""Git as the benchmarks call it: an environment without surprises, and one function."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# The caller's GIT_* would point elsewhere, and PYTHONDONTWRITEBYTECODE or PYTHONPATH would start
# another `slip` than an installed one.
_DROPPED = ("GIT_", "SLIP_", "PYTHON")
_IDENTITY = {
    "GIT_AUTHOR_NAME": "bench",
    "GIT_AUTHOR_EMAIL": "bench@localhost",
    "GIT_COMMITTER_NAME": "bench",
    "GIT_COMMITTER_EMAIL": "bench@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "LC_ALL": "C.UTF-8",
    # No server that happens to run on this machine: rows that have one start it themselves.
    "SLIP_SOCKET": "",
}


def environment() -> dict[str, str]:
    """What every process of a benchmark is started with, `slip` and git alike."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_DROPPED)}
    return kept | _IDENTITY


def git(directory: Path | str, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git in a directory; its stdout. Raises CalledProcessError."""
    return subprocess.run(
        ["git", "-C", str(directory), *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        check=True,
        env=environment(),
    ).stdout


def line(directory: Path | str, *arguments: str) -> str:
    """Run git; the one line that it prints."""
    return git(directory, *arguments).decode().strip()
