"""How an outline is written down for fixtures/outline, where it was read by eye."""

from __future__ import annotations

from pathlib import Path

from slipstream_git.readings import Outline
from slipstream_git.text import outline
from tests.lab import SOURCE

FIXTURES = SOURCE / "fixtures" / "outline"


def sources() -> list[Path]:
    return sorted(
        path for path in FIXTURES.rglob("*") if path.is_file() and path.suffix != ".outline"
    )


def read(path: Path) -> Outline:
    return outline.outline(path.name, path.read_bytes())


def written(made: Outline) -> str:
    """`DOC LINE-END kind qualified @line:column | signature -- summary`, DOC only above LINE."""
    counts = f"{made.lines} lines; {len(made.symbols)} symbols; fault {made.fault or 'none'}"
    lines = [
        f"language {made.language}; {counts}",
        f"summary {made.summary}",
        f"imports {' '.join(made.imports)}",
    ]
    for one in made.symbols:
        doc = f"{one.doc} " if one.doc != one.line else ""
        summary = f" -- {one.summary}" if one.summary else ""
        lines.append(
            f"{doc}{one.line}-{one.end} {one.kind} {one.qualified} @{one.at[0]}:{one.at[1]}"
            f" | {one.signature}{summary}"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for source in sources():
        source.with_name(source.name + ".outline").write_text(written(read(source)))
