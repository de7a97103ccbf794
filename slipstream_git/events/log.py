"""The log of a session: `$GIT_COMMON_DIR/slip/events/<session>.jsonl`, one line an event.

Lines are only appended, each in one write under flock, so that a line's number is its event's
number: none is given twice and none left out, however many write. A line that a dead process left
half written is ended by the next writer. A reader carries a `Place` and never begins again; it
takes no line that is not ended.

A log that has grown too large loses its older half: its first line then says how many lines are
gone and what they come to, so that numbers and sums go on. The new file takes the place of the
old one while that is locked, and who held the old one open looks again.

Nothing here makes a command fail: an event that cannot be written is lost.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final
from zlib import crc32

from slipstream_git.events.event import Event, decode, encode
from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.layout import Layout
from slipstream_git.records import NamedTuple

# Of events that are no session's. No session can be called so.
NO_SESSION: Final = "_repository"
ENDING: Final = ".jsonl"
_FOLD: Final = ".fold"
MOST_BYTES: Final = 4 << 20
# Somebody who was stopped in the middle of a write would have everybody wait.
_PATIENCE_S: Final = 2.0
_POLL_S: Final = 0.002
# What is written beside a file, to take its place, is nobody's when it is so old.
_ASIDE_S: Final = 3600.0
_HEADER: Final = b'{"gone":'


class Place(NamedTuple):
    """How far a reader has come. number: of lines read. log: which log that was.

    gone: lines that the log lacked by then. offset: bytes behind the line that says so.
    """

    number: int = 0
    log: int = 0
    gone: int = 0
    offset: int = 0


class Page(NamedTuple):
    """What was read: events by their numbers, from 1. skipped: lines that were none.

    anew: what was folded until now does not count, for this is the beginning, or another log, or
    lines went before they were read; it goes on from ``before``, a `folding.State` as JSON.
    """

    events: list[tuple[int, Event]]
    place: Place
    skipped: int = 0
    anew: bool = False
    before: Mapping[str, Any] | None = None


class _Header(NamedTuple):
    """The first line of a log that has lost some. size: its bytes, 0 where it has lost none."""

    log: int
    gone: int = 0
    size: int = 0
    before: Mapping[str, Any] | None = None


def directory(layout: Layout) -> str:
    return os.path.join(layout.slip_dir, "events")


def path_of(layout: Layout, session: str) -> str:
    return os.path.join(directory(layout), (session or NO_SESSION) + ENDING)


def append(layout: Layout, event: Event, most_bytes: int = MOST_BYTES) -> None:
    """Write an event; where that cannot be, nothing is written, and nothing is said of it."""
    line = encode(event) + b"\n"
    path = path_of(layout, event.session)
    with suppress(OSError):
        handle = _locked(path, layout.sharing)
        if handle is None:
            return
        try:
            if _write(handle, line) > most_bytes:
                _trim(handle, path, layout.sharing, most_bytes // 2)
        finally:
            os.close(handle)


def read(path: str, place: Place = Place()) -> Page:  # noqa: B008  (a value)
    """What has come since a place; everything without one. A log that is not there is empty."""
    try:
        with open(path, "rb") as stream:
            header = _header(stream.readline())
            if header is None:
                return Page([], Place(), anew=True)
            same = place.log == header.log and place.number >= header.gone
            offset = place.offset if same and place.gone == header.gone else 0
            stream.seek(header.size + offset)
            data = stream.read()
    except OSError:
        return Page([], Place(), anew=True)
    whole = data[: data.rfind(b"\n") + 1]
    number = place.number if offset else header.gone
    events, skipped = [], 0
    for line in whole.split(b"\n")[:-1]:
        number += 1
        if same and number <= place.number:
            continue
        event = decode(line)
        skipped += event is None
        if event is not None:
            events.append((number, event))
    now = Place(number, header.log, header.gone, offset + len(whole))
    return Page(events, now, skipped, not same, None if same else header.before)


def sessions(layout: Layout) -> list[str]:
    """Those that have a log, sorted; empty stands for what is no session's."""
    with suppress(OSError):
        names = [name for name in os.listdir(directory(layout)) if name.endswith(ENDING)]
        plain = (name.removesuffix(ENDING) for name in names)
        return sorted("" if name == NO_SESSION else name for name in plain)
    return []


def expire(layout: Layout, living: Collection[str], now_s: float) -> list[str]:
    """Remove the logs of sessions that are not among ``living``, and what was worked out of them.

    living: in lower case. now_s: seconds since the epoch, by which it is told what a writer that
    died left there long ago. The log of what is no session's stays; it is bounded by itself.
    """
    gone = [name for name in sessions(layout) if name and name.lower() not in living]
    for name in gone:
        for path in (path_of(layout, name), carried_path(layout, name)):
            with suppress(OSError):
                os.unlink(path)
    _sweep(layout, now_s)
    return gone


def _sweep(layout: Layout, now_s: float) -> None:
    """Remove what processes that died were about to put in a file's place."""
    with suppress(OSError), os.scandir(directory(layout)) as entries:
        for entry in entries:
            left = any(f"{ending}." in entry.name for ending in (ENDING, _FOLD))
            left = left and not entry.name.endswith((ENDING, _FOLD))
            with suppress(OSError):
                if left and now_s - entry.stat().st_mtime > _ASIDE_S:
                    os.unlink(entry.path)


def aside(path: str) -> str:
    """A name beside a file, of one writer only: threads of a server share a process."""
    from threading import get_ident  # hardly ever

    return f"{path}.{os.getpid()}-{get_ident():x}"


def carried_path(layout: Layout, session: str) -> str:
    """The file that holds what a log came to when it was folded last."""
    return os.path.join(directory(layout), (session or NO_SESSION) + _FOLD)


def _header(line: bytes) -> _Header | None:
    """What the first line of a log says of it; None where that is not whole yet."""
    if not line.endswith(b"\n"):
        return None
    if line.startswith(_HEADER):
        with suppress(ValueError, RecursionError):
            said = json.loads(line)
            gone, log, before = said["gone"], said.get("log"), said.get("before")
            if type(gone) is int and type(log) is int:
                return _Header(log, gone, len(line), before if isinstance(before, dict) else None)
    return _Header(crc32(line))


def _locked(path: str, sharing: int) -> int | None:
    """A descriptor of the log as it is now, locked; None where somebody holds it too long."""
    permissions.make_directory(os.path.dirname(path), sharing)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() <= deadline:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            while not _tried(handle):
                if time.monotonic() > deadline:
                    os.close(handle)
                    return None
                time.sleep(_POLL_S)
            mine = os.fstat(handle)
            if mine.st_size == 0:
                permissions.adjust(path, sharing)
            with suppress(FileNotFoundError):
                if os.path.samestat(mine, os.stat(path)):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    return None


def _tried(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(handle: int, line: bytes) -> int:
    """Append a line, or nothing of it; how large the log is then. Raises OSError."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line
    try:
        done = os.write(handle, line)
    except OSError:
        os.ftruncate(handle, size)
        raise
    if done < len(line):  # the disk is full
        os.ftruncate(handle, size)
        return size
    return size + done


def _trim(handle: int, path: str, sharing: int, most_bytes: int) -> None:
    """Let the older lines go; what they came to stands in their place."""
    from slipstream_git.events import folding

    with open(handle, "rb", closefd=False) as stream:
        stream.seek(0)
        data = stream.read()
    header = _header(data[: data.find(b"\n") + 1])
    if header is None:
        return
    lines = data[header.size :].split(b"\n")[:-1]
    size, keep = 0, len(lines)
    while keep and size + len(lines[keep - 1]) < most_bytes:
        keep -= 1
        size += len(lines[keep]) + 1
    state = folding.from_json(header.before)
    for number, line in enumerate(lines[:keep], header.gone + 1):
        event = decode(line)
        state = folding.fold(state, number, event) if event is not None else state
    said = {"gone": header.gone + keep, "log": header.log, "before": folding.to_json(state)}
    text = json.dumps(said, separators=(",", ":")).encode("ascii") + b"\n"
    new = aside(path)
    with open(new, "wb") as stream:
        stream.write(b"".join((text, *(line + b"\n" for line in lines[keep:]))))
    permissions.adjust(new, sharing)
    os.rename(new, path)
