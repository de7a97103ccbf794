"""One meeting of two sides for each kind of conflict, made with git itself.

Each is (base, ours, theirs), what the two branches add to the base, and the kinds by path as they
are to be told. Where git pushes a path aside it is named by what stands before the `~`.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.desk import Json, delete, write
from tests.lab import Content, Lab, Link, Script

Files = dict[str, Content]

LINES = "".join(f"line {n}\n" for n in range(30))
OURS = LINES.replace("line 3\n", "ours\n")
THEIRS = LINES.replace("line 3\n", "theirs\n")
OTHER = "".join(f"other {n}\n" for n in range(30))


class Collision(NamedTuple):
    base: Files
    ours: Files
    theirs: Files
    kinds: dict[str, str]


COLLISIONS = {
    "content": Collision({"f": LINES}, {"f": OURS}, {"f": THEIRS}, {"f": "content"}),
    "content, renamed by ours": Collision(
        {"f": LINES}, {"f": None, "g": OURS}, {"f": THEIRS}, {"g": "content"}
    ),
    "content, renamed by theirs": Collision(
        {"f": LINES}, {"f": OURS}, {"f": None, "g": THEIRS}, {"g": "content"}
    ),
    "add-add": Collision({}, {"n": "1\n"}, {"n": "2\n"}, {"n": "add-add"}),
    "modify-delete, by ours": Collision(
        {"f": LINES}, {"f": None}, {"f": THEIRS}, {"f": "modify-delete"}
    ),
    "modify-delete, by theirs": Collision(
        {"f": LINES}, {"f": OURS}, {"f": None}, {"f": "modify-delete"}
    ),
    "rename-delete, deleted by theirs": Collision(
        {"f": LINES}, {"f": None, "g": LINES}, {"f": None}, {"g": "rename-delete"}
    ),
    "rename-delete, deleted by ours": Collision(
        {"f": LINES}, {"f": None}, {"f": None, "g": THEIRS}, {"g": "rename-delete"}
    ),
    "rename-rename": Collision(
        {"f": LINES}, {"f": None, "g": LINES}, {"f": None, "h": LINES},
        {"f": "rename-rename", "g": "rename-rename", "h": "rename-rename"},
    ),
    "rename-rename, two to one": Collision(
        {"a": LINES, "b": OTHER}, {"a": None, "c": LINES}, {"b": None, "c": OTHER},
        {"c": "add-add"},  # so git calls it where the contents do not conflict beside
    ),
    "rename-rename, contents too": Collision(
        {"f": LINES}, {"f": None, "g": OURS}, {"f": None, "h": THEIRS},
        {"f": "rename-rename", "g": "rename-rename", "h": "rename-rename"},
    ),
    "rename-add": Collision(
        {"a": LINES}, {"a": None, "c": LINES}, {"c": OTHER}, {"c": "add-add"}
    ),
    "rename-add, contents too": Collision(
        {"a": LINES}, {"a": None, "c": OURS}, {"a": THEIRS, "c": OTHER}, {"c": "rename-add"}
    ),
    "directory-rename": Collision(
        {"d/a": LINES}, {"d/a": None, "e/a": LINES}, {"d/new": "n\n"},
        {"e/new": "directory-rename"},
    ),
    "directory-rename, by theirs": Collision(
        {"d/a": LINES}, {"d/new": "n\n"}, {"d/a": None, "e/a": LINES},
        {"e/new": "directory-rename"},
    ),
    "directory-rename, in the way": Collision(
        {"d/a": LINES}, {"d/a": None, "e/a": LINES, "e/new": "x\n"}, {"d/new": "n\n"},
        {"e/new": "directory-rename"},
    ),
    "file-directory": Collision(
        {}, {"x/in": "1\n"}, {"x": "file\n"}, {"x": "file-directory"}
    ),
    "file-directory, file in ours": Collision(
        {}, {"x": "file\n"}, {"x/in": "1\n"}, {"x": "file-directory"}
    ),
    "file-directory, of a file there was": Collision(
        {"x": LINES}, {"x": None, "x/in": "1\n"}, {"x": THEIRS}, {"x": "file-directory"}
    ),
    "mode": Collision({}, {"n": "1\n"}, {"n": Script(b"1\n")}, {"n": "mode"}),
    "mode, contents too": Collision({}, {"n": "1\n"}, {"n": Script(b"2\n")}, {"n": "add-add"}),
    "type": Collision({"y": "y\n"}, {"y": Link("z")}, {"y": "Y\n"}, {"y": "type"}),
    "type, added": Collision({}, {"y": "Y\n"}, {"y": Link("z")}, {"y": "type"}),
    "links": Collision({"y": Link("z")}, {"y": Link("a")}, {"y": Link("b")}, {"y": "content"}),
    "binary": Collision({"f": b"\0a"}, {"f": b"\0b"}, {"f": b"\0c"}, {"f": "binary"}),
    "binary, added": Collision({}, {"f": b"\0b"}, {"f": b"\0c"}, {"f": "binary"}),
}  # fmt: skip


def meet(repo: Lab, collision: Collision) -> None:
    """Branches `ours` and `theirs` from a commit `base`, and `main` on it, checked out."""
    repo.commit(collision.base, "base")
    repo.git("branch", "base")
    for name, files in (("ours", collision.ours), ("theirs", collision.theirs)):
        repo.git("checkout", "--quiet", "-b", name, "base")
        for path, content in sorted(files.items(), key=lambda item: item[1] is not None):
            repo.commit({path: content}, f"{name}: {path}")
    repo.git("checkout", "--quiet", "main")


def staged(files: Files) -> list[Json]:
    """The same change as ops of a session, what goes first."""
    ops: list[Json] = [delete(path) for path, content in files.items() if content is None]
    for path, content in files.items():
        if isinstance(content, Link):
            if any(op["path"] == path for op in ops):
                continue
            ops.append({"op": "symlink", "path": path, "target": str(content)})
        elif content is not None:
            mode = {"mode": "100755"} if isinstance(content, Script) else {}
            ops.append(write(path, content, **mode))
    return ops
