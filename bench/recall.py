"""Recall measured: facts on a repository's real history, and the questions asked of them.

    python -m bench.recall CLONE    a clone of redis, of which nothing is changed but its notes

Prints for how many questions the wanted fact is within 1,200 tokens, where it stands, and how much
was printed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from slipstream_git import factlines
from slipstream_git.faces import text
from slipstream_git.factlines import Fact
from slipstream_git.memory import anchors, claims, recalling, store
from slipstream_git.memory.store import Change, Memory
from slipstream_git.workspace import Workspace, open_workspace

FIXTURES = Path(__file__).parent.parent / "fixtures" / "memory"
TOKENS = 1200


def loaded(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FIXTURES / name).read_text(encoding="utf-8"))
    return rows


def noted(ws: Workspace) -> dict[int, str]:
    """Put the facts on commits of HEAD's history, each where its path was changed last."""
    head = ws.repository.resolve("HEAD")
    tree = ws.repository.git.run("rev-parse", "HEAD^{tree}").out.decode().strip()
    found: dict[str, bytes] = {}
    ids: dict[int, str] = {}
    for row in loaded("facts.json"):
        about = anchors.found(ws, tree, row["about"]) if row["about"] else factlines.About()
        asked = ("log", "-1", "--format=%H", head, "--", *([row["about"]] if row["about"] else []))
        commit = ws.repository.git.run(*asked).out.decode().strip() or head
        ids[row["number"]] = claims.identity(row["text"], about)
        fact = Fact(ids[row["number"]], row["kind"], row["text"], 1, about)
        found[commit] = found.get(commit, b"") + factlines.encode(fact) + b"\n"

    def decide(_: Memory) -> tuple[Change, None]:
        return Change(found, "facts to be measured"), None

    store.changed(ws, decide)
    return ids


def asked(ws: Workspace, ids: dict[int, str]) -> list[tuple[str, int, int]]:
    """Each question, the place of the wanted fact (0: it is not there), and bytes printed."""
    found = []
    for row in loaded("questions.json"):
        answer = recalling.recall(ws, row["question"], None, "HEAD", tokens=TOKENS)
        told = [fact.id for fact in answer.facts]
        wanted = ids[row["wanted"]]
        printed = text.render("recall", answer, color=False, terminal=False) + "\n"
        place = told.index(wanted) + 1 if wanted in told else 0
        found.append((row["question"], place, len(printed.encode())))
    return found


def main() -> None:
    ws = open_workspace(sys.argv[1], os.environ, in_process=True)
    results = asked(ws, noted(ws))
    held = [place for _, place, _ in results if place]
    first = sum(place == 1 for place in held)
    within = sum(0 < place <= 3 for place in held)
    print(f"{len(held)} of {len(results)} within {TOKENS} tokens; first {first}, of three {within}")
    print(f"printed: at most {max(size for *_, size in results) / 3.6:.0f} tokens")
    for question, place, size in results:
        if not place or "-v" in sys.argv:
            print(f"  {place or 'missing'}: {question} ({size} bytes)")


if __name__ == "__main__":
    main()
