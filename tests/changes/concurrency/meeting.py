"""A session and its branch made to meet, for the tests of what becomes of them."""

from __future__ import annotations

from tests.desk import Desk, Free, Json, delete, write
from tests.lab import Content, Link, Script

Files = dict[str, Content]

LINES = "".join(f"line {n}\n" for n in range(30))


def changed(number: int, text: str, lines: str = LINES) -> str:
    """The lines with one of them changed."""
    return lines.replace(f"line {number}\n", f"{text}\n")


def ops(files: Files) -> list[Json]:
    """The ops that make these files, deletions first, so that a file can become a directory."""
    gone = [delete(path) for path, content in files.items() if content is None]
    return gone + [made(path, content) for path, content in files.items() if content is not None]


def made(path: str, content: bytes | str) -> Json:
    if isinstance(content, Link):
        return {"op": "symlink", "path": path, "target": str(content)}
    mode = {"mode": "100755"} if isinstance(content, Script) else {}
    return write(path, bytes(content) if isinstance(content, bytes) else str(content), **mode)


def meet(desk: Desk, base: Files, ours: Files, theirs: Files, name: str = "w") -> None:
    """The session changes the base to theirs, then the branch to ours."""
    desk.lab.commit(base, "base")
    desk.begin(name)
    desk.apply(*ops(theirs), session=name)
    desk.lab.commit(ours, "ours")


def resolve(desk: Desk, path: str | None, take: str = "", name: str = "w", **more: Free) -> Json:
    """`slip resolve` with one choice, which is the name of its flag."""
    values: Json = dict.fromkeys(("ours", "theirs", "base", "both", "as_is", "candidate"), False)
    if take:
        values[take] = True
    return desk.call("resolve", path=path, session=name, **(values | more))


def rebase(desk: Desk, name: str = "w", **values: Free) -> Json:
    return desk.call("rebase", session=name, **values)


def tip(desk: Desk, name: str = "w") -> str:
    return desk.lab.oid(f"refs/slip/sessions/{name}")


def kinds(reply: Json) -> dict[str, str]:
    return {row["path"]: row["kind"] for row in reply["conflicts"]}
