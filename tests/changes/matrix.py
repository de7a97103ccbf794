"""The matrix of worktrees and landings: kinds of change, a place in a state, what is compared.

A cell is a state (matrix_states.py) times a kind of change (below). Its place is built twice from
the same template: slip lands in the one, `git merge --ff-only` in the other, and each is looked at
before and after, as whole as a file system tells: FIFOs, sockets, modes, empty directories, what a
link leads to outside. matrix_verdicts.py has what may differ between the two, and why.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.desk import STORES, Desk, Json, delete, move, replace, write
from tests.lab import Content, Ground, Lab, Link, Script, Snapshot, _bytes

LINES = "".join(f"line {n}\n" for n in range(30))
LANDS = LINES.replace("line 3\n", "three\n")
BASE: dict[str, Content] = {
    "a-first": "first\n",
    "alone/f": LINES,
    "dir/d/x": "x\n" * 9,
    "dir/f": LINES,
    "dir/stays": "stays\n",
    "elsewhere": "elsewhere\n",
    "z-last": "last\n",
}
# Every landing changes these too: first and last by name, so that one done by halves shows.
AROUND: dict[str, Content] = {"a-first": "first, landed\n", "z-last": "last, landed\n"}


class Kind(NamedTuple):
    """One way in which a path changes on the branch.

    subject: where the states are made.
    lands: the whole change, as `Lab.commit` takes it.
    """

    subject: str
    ops: tuple[Json, ...]
    lands: dict[str, Content]

    @property
    def tracked(self) -> bool:
        return self.subject in BASE


_MOVED: tuple[Json, ...] = (move("dir/f", "far/moved"),)
_MOVES: dict[str, Content] = {"dir/f": None, "far/moved": LINES}
KINDS: dict[str, Kind] = {
    "modify": Kind("dir/f", (replace("dir/f", "line 3\n", "three\n"),), {"dir/f": LANDS}),
    "mode": Kind(
        "dir/f", ({"op": "chmod", "path": "dir/f", "mode": "100755"},),
        {"dir/f": Script(LINES.encode())},
    ),
    "add": Kind("dir/new", (write("dir/new", LANDS),), {"dir/new": LANDS}),
    "add below": Kind(
        "dir/new", (write("dir/new/inside", LANDS),), {"dir/new/inside": LANDS}
    ),
    "delete": Kind("alone/f", (delete("alone/f"),), {"alone/f": None}),
    "move from": Kind("dir/f", _MOVED, _MOVES),
    "move to": Kind("far/moved", _MOVED, _MOVES),
    "recase": Kind("dir/f", (move("dir/f", "dir/F"),), {"dir/f": None, "dir/F": LINES}),
    "to symlink": Kind(
        "dir/f", (delete("dir/f"), {"op": "symlink", "path": "dir/f", "target": "stays"}),
        {"dir/f": Link("stays")},
    ),
    "to directory": Kind(
        "dir/f", (delete("dir/f"), write("dir/f/inside", LANDS)),
        {"dir/f": None, "dir/f/inside": LANDS},
    ),
    "from directory": Kind(
        "dir/d/x", (delete("dir/d/x"), write("dir/d", LANDS)),
        {"dir/d/x": None, "dir/d": LANDS},
    ),
}  # fmt: skip
TRACKED = tuple(name for name, kind in KINDS.items() if kind.tracked)
UNTRACKED = tuple(name for name, kind in KINDS.items() if not kind.tracked)
ALL = tuple(KINDS)
# For states that do not care what becomes of the path.
SOME = ("modify", "add", "delete", "move from", "to directory", "from directory")
MINE = "mine, and nowhere else\n"


def but(kinds: tuple[str, ...], *without: str) -> tuple[str, ...]:
    return tuple(kind for kind in kinds if kind not in without)


class Unavailable(Exception):
    """This system cannot be brought into a state; the message says why."""


class Place:
    """One repository in a state, and all beside it that is to stay as it is.

    labs: its worktrees, the first being the main one; `lab` is the one that the state is made in
        and git merges in.
    veiled: files and directories with a mode that keeps their owner out; lifted to look.
    own_landing: the state changed what the session holds.
    sparse: by the root of a worktree that leaves paths out, those that it has.
    around: what the commands under test run within.
    """

    def __init__(self, base: Path, kind: Kind, store: str) -> None:
        self.base = base
        self.kind = kind
        self.lab = Lab(base / "repo")
        self.labs = [self.lab]
        self.desk = Desk(self.lab, store)
        self.outside = base / "outside"
        self.veiled: dict[Path, int] = {}
        self.own_landing = False
        self.sparse: dict[Path, frozenset[str]] = {}
        self.around: Callable[[], ExitStack] = ExitStack
        self.cleanup = ExitStack()

    @property
    def subject(self) -> str:
        return self.kind.subject

    @property
    def path(self) -> Path:
        return self.lab.path / self.kind.subject

    @property
    def parent(self) -> Path:
        return self.path.parent

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        return self.lab.git(*arguments, stdin=stdin)

    def put(self, content: Content, path: str | None = None) -> None:
        """Write what is the user's, at the subject unless said otherwise."""
        self.lab.write(path or self.subject, content)

    def put_what_lands(self) -> list[str]:
        """Bring the files to what the landing makes of them, all but those around."""
        put_all(self.lab, self.kind.lands)
        return sorted(self.kind.lands)

    def remove(self) -> None:
        """Take the subject away, whatever it is."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)
        self.parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def unveiled(self) -> Iterator[list[Path]]:
        """Let the tests look, who may not be root; gives what is veiled still."""
        lifted = [path for path, mode in self.veiled.items() if _mode_of(path) == mode]
        for path in lifted:
            path.chmod(0o700 if path.is_dir() else 0o600)
        try:
            yield lifted
        finally:
            for path in lifted:
                path.chmod(self.veiled[path])


def put_all(lab: Lab, files: dict[str, Content]) -> None:
    """Write and delete files as git checks out: deletions first, and no directory left empty."""
    for path, content in sorted(files.items(), key=lambda item: item[1] is not None):
        lab.write(path, content)
        parent = (lab.path / path).parent
        if content is None and parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


State = Callable[[Place], None]
STATES: dict[str, tuple[State, tuple[str, ...]]] = {}
# What landing does not do yet, and says so: to be moved up as each is done.
NOT_YET: dict[str, tuple[State, tuple[str, ...]]] = {}


def state(
    kinds: tuple[str, ...], into: dict[str, tuple[State, tuple[str, ...]]] = STATES
) -> Callable[[State], State]:
    def listed(function: State) -> State:
        into[function.__name__.replace("_", " ")] = function, kinds
        return function

    return listed


class Stages:
    """The templates that places are copied from; made when they are first asked for."""

    def __init__(self, room: Path, template: Path) -> None:
        self._room = room
        self._ground = Ground(room, template)

    def _template(self, name: str) -> Path:
        """The base with the session `work` staged; beside it, as `landed`, git's own commit."""
        kind, stage = KINDS[name], self._room / name
        if stage.exists():
            return stage
        made = self._room / f"{name} in the making"
        lab = self._ground.repository(made.name + "/repo")
        lab.commit({"before": "history\n"})
        lab.commit(BASE)
        lab.git("branch", "aside")
        other = self._ground.at(made / "clone")
        lab.git("clone", "--quiet", str(lab.path), str(other.path))
        put_all(other, kind.lands | AROUND)
        other.git("add", "--all")
        other.commit({}, "landed")
        desk = Desk(lab, STORES[0])
        desk.begin("work")
        around = [write(path, str(content)) for path, content in AROUND.items()]
        desk.apply(*kind.ops, *around)
        assert lab.oid("refs/slip/sessions/work^{tree}") == other.oid("HEAD^{tree}"), name
        for path in BASE:
            # Older than any index, which else would know them for edited in the tick it was made.
            os.utime(lab.path / path, (1_700_000_000, 1_700_000_000))
        made.rename(stage)
        return stage

    def place(self, base: Path, kind: str, store: str) -> Place:
        """A clean place at ``base``."""
        shutil.copytree(self._template(kind) / "repo", base / "repo", symlinks=True)
        made = Place(base, KINDS[kind], store)
        made.outside.mkdir()
        # The copies have other inodes than the index noted.
        made.git("update-index", "-q", "--refresh")
        return made

    def landed(self, kind: str) -> Lab:
        """The repository whose HEAD is the commit that git made of the change."""
        return Lab(self._template(kind) / "clone")


# --- what is there --------------------------------------------------------------------------------

Files = dict[str, tuple[int, bytes]]


class Holdings(NamedTuple):
    """All of a place that is the user's; files of every worktree and outside, by path in it."""

    snapshots: list[Snapshot]
    files: Files


def holdings(place: Place) -> Holdings:
    with place.unveiled() as lifted:
        snapshots = [lab.snapshot() for lab in place.labs]
        files: Files = {}
        for root in [*(lab.path for lab in place.labs), place.outside]:
            files |= dict(everything_in(root, root.name + "/"))
    for path in lifted:
        name = path.relative_to(place.base).as_posix()
        files[name] = path.lstat().st_mode, files.get(name, (0, b""))[1]
    return Holdings(snapshots, files)


def _mode_of(path: Path) -> int | None:
    return stat.S_IMODE(path.lstat().st_mode) if os.path.lexists(path) else None


def everything_in(directory: Path, prefix: str) -> Iterator[tuple[str, tuple[int, bytes]]]:
    """Type, mode and content of all that stands below, but the `.git` of a worktree's top."""
    for path in sorted(directory.iterdir()):
        name, mode = prefix + path.name, path.lstat().st_mode
        if path.name == ".git" and prefix.count("/") == 1:
            continue
        if stat.S_ISDIR(mode):
            yield name, (mode, b"")
            yield from everything_in(path, name + "/")
        elif stat.S_ISLNK(mode):
            yield name, (stat.S_IFLNK, os.fsencode(path.readlink()))
        else:
            yield name, (mode, path.read_bytes() if stat.S_ISREG(mode) else b"")


def kept_by_git(place: Place, files: Files) -> set[str]:
    """Those of the files whose content git has as an object, as it is or as `git add` stores it."""
    asked: dict[str, str] = {}
    for name, (mode, data) in files.items():
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            asked[name] = blob_id(data)
        if stat.S_ISREG(mode) and b"\r\n" in data and name.startswith(place.lab.path.name + "/"):
            path = name.partition("/")[2]
            asked[name] = place.git("hash-object", "--stdin", f"--path={path}", stdin=data)
    listed = "".join(f"{oid}\n" for oid in asked.values()).encode()
    rows = place.git("cat-file", "--batch-check", stdin=listed).splitlines()
    return {name for name, row in zip(asked, rows, strict=True) if not row.endswith(" missing")}


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def lost(before: Files, after: Files, kept: set[str]) -> list[str]:
    """Files of the user's that git keeps nowhere, and that are no longer where they were."""
    nothing = 0, b""
    return [
        name
        for name, (mode, data) in sorted(before.items())
        if not stat.S_ISDIR(mode)
        and name not in kept
        and (stat.S_IFMT(mode), data)
        != (stat.S_IFMT(after.get(name, nothing)[0]), after.get(name, nothing)[1])
    ]


def leftovers(place: Place) -> list[str]:
    """What slip may have for the time of a landing, and never after it."""
    found = [name for name in holdings(place).files if ".slip-tmp-" in name]
    for lab in place.labs:
        found += [p.name for p in lab.git_dir.iterdir() if p.name.startswith("slip-")]
        found += [p.name for p in lab.git_dir.iterdir() if p.name == "index.lock"]
    intents = place.lab.common_dir / "slip/intents"
    return found + ([p.name for p in intents.iterdir()] if intents.exists() else [])


def entries_of(snapshot: Snapshot) -> dict[str, list[tuple[str, str, str]]]:
    """The index by path: (mode, id, tag and stage) of each entry."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in snapshot.entries.split(b"\0")[:-1]:
        facts, path = row.decode().split("\t", 1)
        tag, mode, oid, stage = facts.split(" ")
        found.setdefault(path, []).append((mode, oid, tag + stage))
    return found


def as_checked_out(content: Content) -> tuple[int, bytes] | None:
    """Type and executable bit, and bytes, of a file that git has just written; None: no file."""
    if content is None:
        return None
    if isinstance(content, Link):
        return stat.S_IFLNK, os.fsencode(content)
    return stat.S_IFREG | (0o100 if isinstance(content, Script) else 0), _bytes(content)


def comparable(found: tuple[int, bytes] | None) -> tuple[int, bytes] | None:
    """What is there, in the terms of `as_checked_out`."""
    if found is None or not stat.S_ISREG(found[0]):
        return found
    return found[0] & (stat.S_IFREG | 0o100), found[1]
