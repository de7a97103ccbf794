"""What the tests of sessions that meet say again and again."""

from __future__ import annotations

from tests.desk import Json, replace

LINES = "".join(f"line {n}\n" for n in range(40))
MAIN = "refs/heads/main"


def found(answer: Json) -> dict[tuple[str, str], dict[str, str]]:
    """Kinds of conflict by path, by pair."""
    return {
        (pair["a"], pair["b"]): {row["path"]: row["kind"] for row in pair["paths"]}
        for pair in answer["pairs"]
    }


def edit(old: int, new: str, path: str = "f") -> Json:
    return replace(path, f"line {old}\n", f"{new}\n")
