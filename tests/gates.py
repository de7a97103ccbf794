"""What tests of gates share: a gate that counts its runs, a `.slip.toml` of some."""

from __future__ import annotations

import json
from pathlib import Path

# A gate that leaves a line for each time that it is run, and is red where there is a file `bad`.
COUNTED = "echo run >> $RUNS; test ! -e bad || { echo found bad; exit 1; }"


def times(runs: Path) -> int:
    return runs.read_text().count("\n") if runs.exists() else 0


def gates(**commands: str) -> str:
    """A `.slip.toml` with these gates."""
    return "".join(f"[gate.{name}]\nrun = {json.dumps(run)}\n" for name, run in commands.items())
