"""Random three-way merges, skewed to what makes merging hard, and git's own answer to them.

Trees are dicts from path to (mode, content). Two sides start from one base and make a few changes
each: edits close to one another, renames of files and directories, with and without edits, files
that become directories and the other way round, modes, symlinks, submodules, attributes, and now
and then the same change on both sides.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Mapping
from typing import NamedTuple

from slipstream_git.gitdb import commits
from slipstream_git.gitdb.repository import Repository
from slipstream_git.model import EMPTY_TREE, EXECUTABLE, FILE, GITLINK, SYMLINK, Entry
from slipstream_git.text import threeway
from slipstream_git.text.threeway import Text
from tests.desk import NOW
from tests.lab import Lab

Content = tuple[int, bytes]
Tree = dict[str, Content]

NAMES = ("a", "b", "c", "d.x", "é", "A")
PERSON = b"A <a@example.com> %d +0000" % NOW
ATTRIBUTES = (
    b"* text=auto\n", b"* merge=union\n", b"*.x merge=union\n", b"*.x binary\n", b"a -merge\n",
    b"[attr]two merge=union\n*.x two\n", b"# merge\n*.y merge=union\n", b"b eol=crlf\n",
    b"* conflict-marker-size=9\n", b'"a" merge=binary\n', b"/c/* !merge\n",
)  # fmt: skip


class Case(NamedTuple):
    """One merge to make."""

    base: Tree
    ours: Tree
    theirs: Tree


class Answer(NamedTuple):
    """git's merge: the tree where it is clean, else the paths that it leaves unmerged.

    only_said: it is not clean, and yet no path is unmerged.
    """

    tree: str | None
    unmerged: frozenset[bytes]
    only_said: bool = False


def chance_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  (the same everywhere is the point)


def case(chance: random.Random) -> Case:
    base: Tree = {}
    for _ in range(chance.randint(1, 9)):
        _put(base, _path(chance, base), _content(chance))
    if chance.random() < 0.15:
        _put(base, chance.choice((".gitattributes", "a/.gitattributes")), _attributes(chance))
    ours, theirs = dict(base), dict(base)
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        sides = chance.choice(((ours,), (theirs,), (ours,), (theirs,), (ours, theirs)))
        change, seed = chance.choice(CHANGES), chance.getrandbits(32)
        for side in sides:
            change(chance_of(seed), side)
    for side in (ours, theirs):
        if side == base:
            chance.choice(CHANGES)(chance, side)
    return Case(base, ours, theirs)


# Changes ------------------------------------------------------------------------------------------


def _edit(chance: random.Random, tree: Tree) -> None:
    for _ in range(chance.choice((1, 1, 1, 2))):
        path = _some(chance, tree)
        if path:
            mode, data = tree[path]
            tree[path] = (
                mode,
                _edited(chance, data)
                if mode in (FILE, EXECUTABLE)
                else b"%d" % chance.randrange(3),
            )


def _chmod(chance: random.Random, tree: Tree) -> None:
    path = _some(chance, tree)
    if path and tree[path][0] in (FILE, EXECUTABLE):
        tree[path] = (FILE + EXECUTABLE - tree[path][0], tree[path][1])


def _retype(chance: random.Random, tree: Tree) -> None:
    path = _some(chance, tree)
    if path:
        tree[path] = _content(chance)


def _delete(chance: random.Random, tree: Tree) -> None:
    path = _some(chance, tree)
    if path:
        del tree[path]


def _delete_directory(chance: random.Random, tree: Tree) -> None:
    top = _directory(chance, tree)
    for path in [path for path in tree if top and path.startswith(top)]:
        del tree[path]


def _add(chance: random.Random, tree: Tree) -> None:
    _put(tree, _path(chance, tree), _content(chance))


def _add_beside(chance: random.Random, tree: Tree) -> None:
    path = _some(chance, tree)
    if path:
        _put(tree, path.rpartition("/")[0] + "/new" if "/" in path else "new", _content(chance))


def _rename(chance: random.Random, tree: Tree) -> None:
    path = _some(chance, tree)
    if path:
        mode, data = tree.pop(path)
        if mode in (FILE, EXECUTABLE) and chance.random() < 0.4:
            data = _edited(chance, data)
        _put(tree, _path(chance, tree), (mode, data))
        if chance.random() < 0.2:
            _put(tree, path, _content(chance))


def _rename_directory(chance: random.Random, tree: Tree) -> None:
    old, new = _directory(chance, tree), chance.choice((*NAMES, "a/b", "e", "e/f", "")) + "/"
    if old and not new.startswith(old):
        for path in [path for path in tree if path.startswith(old)]:
            if path in tree and chance.random() < 0.95:
                _put(tree, new.lstrip("/") + path[len(old) :], tree.pop(path))


def _copy(chance: random.Random, tree: Tree) -> None:
    path = _some(chance, tree)
    if path:
        _put(tree, _path(chance, tree), tree[path])


def _to_directory(chance: random.Random, tree: Tree) -> None:
    path = _some(chance, tree)
    if path:
        _put(tree, path + "/" + chance.choice(NAMES), tree[path])


def _to_file(chance: random.Random, tree: Tree) -> None:
    top = _directory(chance, tree)
    if top:
        inside = [tree[path] for path in tree if path.startswith(top)]
        _put(tree, top[:-1], chance.choice((*inside, _content(chance))))


def _attribute(chance: random.Random, tree: Tree) -> None:
    _put(tree, chance.choice((".gitattributes", "a/.gitattributes")), _attributes(chance))


CHANGES: tuple[Callable[[random.Random, Tree], None], ...] = (
    _edit, _edit, _edit, _edit, _chmod, _retype, _delete, _delete_directory, _add, _add,
    _add_beside, _add_beside, _rename, _rename, _rename_directory, _rename_directory, _copy,
    _to_directory, _to_file, _attribute,
)  # fmt: skip


# What they are made of ----------------------------------------------------------------------------


def _path(chance: random.Random, tree: Tree) -> str:
    if tree and chance.random() < 0.3:
        near = chance.choice(sorted(tree)).rpartition("/")[0]
        return f"{near}/{chance.choice(NAMES)}" if near else chance.choice(NAMES)
    return "/".join(chance.choice(NAMES) for _ in range(chance.choice((1, 1, 2, 2, 3))))


def _put(tree: Tree, path: str, content: Content) -> None:
    """Whatever is in the way goes."""
    for other in list(tree):
        if other.startswith(path + "/") or path.startswith(other + "/"):
            del tree[other]
    tree[path] = content


def _some(chance: random.Random, tree: Tree) -> str | None:
    """A file; not one of attributes, which fsck wants to be regular."""
    found = [path for path in sorted(tree) if not path.endswith(".gitattributes")]
    return chance.choice(found) if found else None


def _directory(chance: random.Random, tree: Tree) -> str | None:
    found = {path[: n + 1] for path in tree for n, c in enumerate(path) if c == "/"}
    return chance.choice(sorted(found)) if found else None


def _content(chance: random.Random) -> Content:
    kind = chance.random()
    if kind < 0.06:
        return SYMLINK, b"a" if chance.random() < 0.5 else b"c/d.x"
    if kind < 0.12:
        return GITLINK, b"%d" % chance.randrange(3)
    mode = EXECUTABLE if kind < 0.2 else FILE
    return mode, _text(chance)


def _text(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.08:
        return b""
    if kind < 0.12:
        return b"\0binary %d" % chance.randrange(3)
    end = b"\r\n" if kind < 0.2 else b"\n"
    document, repeats = chance.randrange(4), chance.choice((1, 1, 1, 2))
    lines = [
        b"document %d line %d" % (document, n) for n in range(chance.choice((3, 12)))
    ] * repeats
    if chance.random() < 0.3:
        lines = [
            line for n, line in enumerate(lines) for line in ((line, b"}") if n % 2 else (line,))
        ]
    return end.join(lines) + (b"" if chance.random() < 0.15 else end)


def _edited(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    place = chance.randint(0, len(lines))
    new = [b"new %d\n" % chance.randrange(4) for _ in range(chance.randrange(3))]
    if chance.random() < 0.2 and lines:
        new += lines[: chance.randint(1, len(lines))]
    lines[place : place + chance.randrange(3)] = new
    edited = b"".join(lines)
    return edited.rstrip(b"\n") if chance.random() < 0.1 else edited


def long_text(chance: random.Random) -> bytes:
    """Lines as of code: some stand once, some again and again, some blocks twice."""
    lines: list[bytes] = []
    while len(lines) < chance.choice((5, 30, 120)):
        kind = chance.random()
        if kind < 0.4:
            lines.append(b"line %d" % chance.randrange(400))
        elif kind < 0.8:
            lines.append(chance.choice((b"", b"}", b"    return x", b"    end", b"  pass")))
        elif lines:
            start = chance.randrange(len(lines))
            lines += lines[start : start + chance.randrange(6)]
    return b"\n".join(lines) + (b"" if chance.random() < 0.1 else b"\n")


def edited_twice(chance: random.Random, data: bytes) -> bytes:
    """Some edits: lines changed, put in, taken out, copied, moved."""
    lines = data.splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        start = chance.randint(0, len(lines))
        part = lines[start : start + chance.randrange(4)]
        kind = chance.randrange(5)
        if kind in (0, 1):
            lines[start : start + chance.randrange(3)] = [
                chance.choice((b"line %d\n" % chance.randrange(400), b"}\n", b"\n"))
                for _ in range(chance.randrange(3))
            ]
        elif kind == 2:
            del lines[start : start + len(part)]
        else:
            if kind == 3:
                del lines[start : start + len(part)]
            place = chance.randint(0, len(lines))
            lines[place:place] = part
    edited = b"".join(lines)
    return edited.rstrip(b"\n") if chance.random() < 0.05 else edited


def _attributes(chance: random.Random) -> Content:
    return FILE, b"".join(chance.choice(ATTRIBUTES) for _ in range(chance.choice((1, 1, 2))))


# git's answer -------------------------------------------------------------------------------------


def stored(repository: Repository, tree: Tree) -> str:
    """The tree of a dict, in the overlay."""
    changes: Mapping[bytes, Entry | None] = {
        path.encode(): Entry(mode, _oid(repository, mode, data))
        for path, (mode, data) in tree.items()
    }
    return repository.trees.splice(EMPTY_TREE, changes) if changes else _empty(repository)


def _oid(repository: Repository, mode: int, data: bytes) -> str:
    if mode == GITLINK:
        return "%040x" % (int(data) + 1)
    return repository.objects.write("blob", data)


def _empty(repository: Repository) -> str:
    return repository.objects.write("tree", b"")


def committed(repository: Repository, tree: str, *parents: str) -> str:
    data = commits.encode(tree, parents, PERSON, PERSON, b"made up\n")
    return repository.objects.write("commit", data)


def furnished(lab: Lab, tree: Tree) -> None:
    """Let the worktree hold the attributes of ``tree``, and no other file."""
    for there in lab.path.iterdir():
        if there.name != ".git":
            shutil.rmtree(there) if there.is_dir() else there.unlink()
    for path, (mode, data) in tree.items():
        if path.rpartition("/")[2] == ".gitattributes" and mode in (FILE, EXECUTABLE):
            place = lab.path / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def of_git(lab: Lab, ours: str, theirs: str) -> Answer | None:
    """What `git merge-tree` makes of two commits, in a worktree that `furnished` has made.

    None where git dies of it, as 2.39 does of some (`merge-ort.c: Assertion ... failed`).

    Written elsewhere: of some conflicts git 2.39 makes a broken tree.
    """
    place = lab.common_dir / "oracle"
    place.mkdir(exist_ok=True)
    env = {
        "GIT_OBJECT_DIRECTORY": str(place),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(place.parent / "objects"),
    }
    out = lab.git_bytes(
        "merge-tree", "--write-tree", "-z", "--messages", "--allow-unrelated-histories",
        ours, theirs, expect=None, env=env,
    )  # fmt: skip
    if not out:
        return None
    listed, _, said = out.partition(b"\0\0")
    tree, *rows = listed.split(b"\0")
    assert len(tree) == 40, out
    unmerged = frozenset(without_side(row.partition(b"\t")[2]) for row in rows)
    only_said = not rows and b"CONFLICT" in said
    return Answer(None if unmerged or only_said else tree.decode(), unmerged, only_said)


def files_of_git(lab: Lab, ours: str, theirs: str) -> tuple[frozenset[str], Callable[[str], bytes]]:
    """The paths that git leaves unmerged, and a reader of its merged tree."""
    out = lab.git(
        "merge-tree", "--write-tree", "--name-only", "--no-messages", ours, theirs, expect=None
    )
    tree, *unmerged = out.split("\n")
    return frozenset(unmerged), lambda path: lab.git_bytes("cat-file", "blob", f"{tree}:{path}")


def merged_here(case: Case, path: str) -> Text | None:
    return threeway.merged(*(tree[path][1] for tree in case))


def without_side(path: bytes) -> bytes:
    """A path to which git appended the name of its side, which is a commit made for the merge."""
    return _SIDE.sub(b"", path)


_SIDE = re.compile(rb"~[0-9a-f]{40}(_\d+)?(?=/|$)")
