"""Random trees, and random work on them of the sort that makes a merge think."""

from __future__ import annotations

import random

Files = dict[bytes, tuple[int, bytes]]

DIRECTORIES = (b"", b"a/", b"b/", b"a/c/", b"b/\xff/", b"a/c/e/")
NAMES = (b"f", b"g", b"h.py", b"a", b"c")


def tree(chance: random.Random) -> Files:
    files: Files = {}
    for number in range(chance.randrange(3, 9)):
        path = chance.choice(DIRECTORIES) + chance.choice(NAMES)
        if is_free(files, path):
            files[path] = (0o100644, text(chance, number))
    return files


def text(chance: random.Random, number: int) -> bytes:
    """Texts alike enough to be taken for each other when one goes and the other comes."""
    kind = chance.randrange(3)
    return b"".join(b"kind %d line %d\n" % (kind, n) for n in range(12)) + b"file %d\n" % number


def is_free(files: Files, path: bytes) -> bool:
    """Whether a file can be made there without one taking the place of a directory."""
    if path in files or any(other.startswith(path + b"/") for other in files):
        return False
    parts = path.split(b"/")
    return not any(b"/".join(parts[:n]) in files for n in range(1, len(parts)))


def worked(chance: random.Random, files: Files, steps: int) -> Files:
    """The files after some random work."""
    now = dict(files)
    for _ in range(steps):
        chance.choice((_edit, _edit, _add, _add, _delete, _move, _move_all, _clear, _mode))(
            chance, now
        )
    return now


def _some(chance: random.Random, now: Files) -> bytes | None:
    return chance.choice(sorted(now)) if now else None


def _edit(chance: random.Random, now: Files) -> None:
    path = _some(chance, now)
    if path is not None:
        mode, data = now[path]
        lines = data.splitlines(keepends=True)
        lines[chance.randrange(len(lines))] = b"edited %d\n" % chance.randrange(3)
        now[path] = (mode, b"".join(lines))


def _mode(chance: random.Random, now: Files) -> None:
    path = _some(chance, now)
    if path is not None:
        now[path] = (0o100755, now[path][1])


def _add(chance: random.Random, now: Files) -> None:
    path = chance.choice(DIRECTORIES) + chance.choice((*NAMES, b"new"))
    if is_free(now, path):
        now[path] = (0o100644, text(chance, chance.randrange(20)))


def _delete(chance: random.Random, now: Files) -> None:
    path = _some(chance, now)
    if path is not None:
        del now[path]


def _move(chance: random.Random, now: Files) -> None:
    path = _some(chance, now)
    target = chance.choice(DIRECTORIES) + chance.choice((*NAMES, b"moved"))
    if path is not None:
        was = now.pop(path)
        now[target if is_free(now, target) else path] = was


def _move_all(chance: random.Random, now: Files) -> None:
    """Move a directory, the root too: its files, or all that is below it."""
    source, target = chance.choice(DIRECTORIES), chance.choice((*DIRECTORIES, b"z/", b"z/y/"))
    deep = bool(chance.randrange(2))
    for path in sorted(now):
        rest = path.removeprefix(source)
        if path.startswith(source) and (deep or b"/" not in rest):
            was = now.pop(path)
            now[target + rest if is_free(now, target + rest) else path] = was


def _clear(chance: random.Random, now: Files) -> None:
    """Delete a directory, and sometimes put a file in its place."""
    place = chance.choice(DIRECTORIES[1:])
    for path in sorted(now):
        if path.startswith(place):
            del now[path]
    if chance.randrange(2) and is_free(now, place[:-1]):
        now[place[:-1]] = (0o100644, text(chance, 3))
