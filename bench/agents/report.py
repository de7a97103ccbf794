"""What the tasks took, as a table: one line for each directory, the arms of a task together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

HEAD = ("task", "arm", "calls", "failed", "retries", "bytes written", "bytes read", "wrong bytes",
        "done")  # fmt: skip


def table(places: Iterable[Path]) -> str:
    """``places``: the directories of the tasks, or their logs."""
    rows = sorted(_row(place if place.is_dir() else place.parent) for place in places)
    lines = [HEAD, tuple("---" for _ in HEAD), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(place: Path) -> tuple[str, ...]:
    facts = json.loads((place / "task.json").read_text())
    log = place / "log.jsonl"
    calls = [json.loads(text) for text in log.read_text().splitlines()] if log.exists() else []
    verdict = place / "check.json"
    outcome = json.loads(verdict.read_text()) if verdict.exists() else None
    written = sum(call["argv_bytes"] + call["stdin_bytes"] for call in calls)
    return (
        facts["task"],
        facts["arm"],
        str(len(calls)),
        str(sum(call["status"] != 0 for call in calls)),
        str(retries(calls)),
        str(written),
        str(sum(call["out_bytes"] for call in calls)),
        str(outcome["wrong_bytes"]) if outcome else "not checked",
        ("no" if outcome["faults"] else "yes") if outcome else "",
    )


def retries(calls: Sequence[Mapping[str, Any]]) -> int:
    """Calls that come right after one of the same step that failed."""
    return sum(
        earlier["status"] != 0 and earlier["step"] == call["step"]
        for earlier, call in pairwise(calls)
    )
