"""What a gate's word depends on beside the tree: its definition, and what it is run with.

A digest of all that is the key of a verdict, so that another interpreter is asked anew. Taken in by
itself: the system and the machine, the programs that the command names, found as its shell would
find them, by content, with the interpreter where one is a script; and what `[pool]` says. What a
program reads besides (its libraries, packages) only where the gate names it, with ``versions``,
``files`` or ``variables``. Places are not taken in, only contents: two machines that are alike
share their verdicts.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
from collections.abc import Iterator
from typing import BinaryIO, Final

from slipstream_git.changes import factfile
from slipstream_git.changes.factfile import FactFile
from slipstream_git.changes.settings import Gate, Pool
from slipstream_git.errors import SlipError
from slipstream_git.text.objectid import sha256
from slipstream_git.workspace import Workspace

FORMAT: Final = 1
VERSION_TIMEOUT_S: Final = 60
VERSION_BYTES: Final = 1 << 20
MOST_FILE_BYTES: Final = 1 << 30
_FACTS: Final = "programs"
_MOST_BYTES: Final = 256 << 10
_DEEPEST: Final = 4
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PUNCTUATION: Final = frozenset("();<>|&")
_BETWEEN: Final = frozenset("();|&")
# Behind these the command is still to come.
_BEFORE: Final = frozenset(
    ("!", "{", "if", "then", "elif", "else", "while", "until", "do",
     "command", "env", "exec", "nice", "nohup", "time")
)  # fmt: skip


def key(ws: Workspace, gate: Gate, pool: Pool, tree: str) -> str:
    """The key of this gate's verdict on a tree, here and now. Raises `policy`.

    Runs what the gate has for ``versions``.
    """
    system = os.uname()
    surroundings = _Surroundings(ws, pool, tree)
    said = [
        FORMAT,
        [gate.name, gate.run, pool.setup, sorted(pool.share)],
        [system.sysname, system.machine],
        [[word, surroundings.program(word)] for word in programs(gate.run)],
        [[command, surroundings.printed(command)] for command in gate.versions],
        [[name, surroundings.file(gate, name)] for name in gate.files],
        [[name, ws.env.get(name)] for name in gate.variables],
    ]
    surroundings.remember()
    return _short(json.dumps(said))


def facts(ws: Workspace) -> FactFile:
    """What was worked out for a check before."""
    return factfile.in_repository(ws.repository, _FACTS, _MOST_BYTES)


def programs(run: str) -> list[str]:
    """The words of a shell command that name a program, as far as they are plain."""
    found: list[str] = []
    is_next = True
    for word in _words(run):
        if word and _PUNCTUATION.issuperset(word):
            is_next = _BETWEEN.issuperset(word)
        elif is_next and not _ASSIGNMENT.match(word) and word not in _BEFORE:
            is_next = False
            if word not in found and not set(word) & set("$`*?"):
                found.append(word)
    return found


def _words(run: str) -> Iterator[str]:
    """Line by line, as a comment ends with its line; what a quotation holds is one of its words."""
    held = ""
    for line in run.split("\n"):
        held += line
        words, is_whole = _split(held)
        if is_whole:
            yield from [*words, ";"]
        held = "" if is_whole else f"{held}\n"  # the quotation goes on in the next line
    yield from _split(held)[0]


def _split(run: str) -> tuple[list[str], bool]:
    """The words of a command, and whether every quotation has its end."""
    lexer = shlex.shlex(run, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        return words, False
    return words, True


class _Surroundings:
    """What is found beside one tree."""

    def __init__(self, ws: Workspace, pool: Pool, tree: str) -> None:
        self._ws = ws
        self._pool = pool
        self._tree = tree
        self._root = ws.repository.layout.root
        self._known = facts(ws)
        self._fresh: dict[str, str] = {}

    def program(self, word: str, depth: int = 0) -> list[str | None]:
        """Digests of a program and of what interprets it; [None] where there is none."""
        own, start = self._found(word)
        if depth == _DEEPEST or not start.startswith(b"#!"):
            return [own]
        words = os.fsdecode(start[2:].split(b"\n")[0]).split()
        if words and os.path.basename(words[0]) == "env":
            words = [word for word in words[1:] if word[0] != "-" and "=" not in word]
        return [own, *(self.program(words[0], depth + 1) if words else ())]

    def _found(self, word: str) -> tuple[str | None, bytes]:
        """A program's digest and how it begins; what the tree holds is in its id already."""
        place = word if word.startswith("/") else None
        if "/" not in word:
            place = self._on_path(word)
        elif place is None:
            path = os.path.normpath(word)
            if any(path == name or path.startswith(f"{name}/") for name in self._pool.share):
                place = os.path.join(self._root, path) if self._root else None
            else:
                entry = self._ws.repository.trees.leaf(self._tree, os.fsencode(path))
                is_file = entry is not None and entry.mode & 0o170000 == 0o100000
                blob = self._ws.repository.objects.blob(entry.oid) if entry and is_file else b""
                return None, blob[:256]
        if place is None:
            return None, b""
        try:
            with _opened(place) as stream:
                return self._digest(place), stream.read(256)
        except (OSError, _NoFileError):
            return None, b""

    def _on_path(self, name: str) -> str | None:
        for directory in self._ws.env.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(directory, name)
            if os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        return None

    def _digest(self, place: str) -> str:
        """The digest of a file, looked up by its state. Raises OSError, `_NoFileError`."""
        state = os.stat(place)
        facts = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        name = _short(f"{os.path.realpath(place)}\0{facts}")
        found = self._fresh.get(name) or self._known.find({name}).get(name)
        if not isinstance(found, str):
            found = _digest(place)
            self._fresh[name] = found
        return found

    def remember(self) -> None:
        self._known.add(self._fresh)

    def printed(self, command: str) -> list[object]:
        """How a command ended and what it printed, at the root of the caller's worktree."""
        from slipstream_git.gitdb import supervising

        repository = self._ws.repository
        git = repository.trusting(self._root or repository.layout.git_dir)
        try:
            ended = supervising.run(
                git, command, timeout_s=VERSION_TIMEOUT_S, kept_bytes=VERSION_BYTES
            )
        except OSError as fault:
            return [fault.strerror]
        return [ended.status, ended.timed_out, ended.tail.decode("utf-8", "replace")]

    def file(self, gate: Gate, name: str) -> str | None:
        """The digest of a file outside of the tree; None where it is not there."""
        place = name
        if name.startswith("~/"):
            place = os.path.join(self._ws.env.get("HOME", "/"), name[2:])
        elif not name.startswith("/"):
            place = os.path.join(self._root or "/", name)
        try:
            return self._digest(place)
        except _NoFileError as fault:
            said = f"[gate.{gate.name}] files: {name} {fault}"
            raise SlipError("policy", f".slip.toml: {said}") from None
        except OSError:
            return None


class _NoFileError(Exception):
    """What is there cannot be read to its end; the text says why, as of the name before it."""


def _opened(place: str) -> BinaryIO:
    """A file to read, and nothing that would wait for others. Raises OSError, `_NoFileError`."""
    _check_file(os.stat(place))
    opened = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_file(os.fstat(opened))  # which another may have taken the place of
        return os.fdopen(opened, "rb", 0)
    except BaseException:
        os.close(opened)
        raise


def _check_file(state: os.stat_result) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise _NoFileError("is a directory; name files of it")
    if not stat.S_ISREG(state.st_mode):
        raise _NoFileError("is no regular file")
    if state.st_size > MOST_FILE_BYTES:
        raise _NoFileError(f"has {state.st_size} bytes, and {MOST_FILE_BYTES} can be taken in")


def _short(text: str) -> str:
    digest: str = sha256(text.encode()).hexdigest()
    return digest[:40]


def _digest(place: str) -> str:
    """Of all that it holds; what the system makes up as it is read says no size before."""
    import hashlib  # which loads OpenSSL: worth it for much, and done once for a file

    digest, left = hashlib.sha256(), MOST_FILE_BYTES
    with _opened(place) as stream:
        while data := stream.read(1 << 20):
            digest.update(data)
            left -= len(data)
            if left < 0:
                raise _NoFileError(f"goes on after {MOST_FILE_BYTES} bytes")
    return digest.hexdigest()
