"""What was worked out once and cannot change: a file of lines that processes share.

One line a fact: a checksum, a key, a JSON value. Lines are only ever appended, each in one write,
so two processes at once lose nothing, and one that is killed leaves at most half a line, whose
checksum is wrong. Such lines are passed over, and what they told is worked out again. A file that
has grown too large is written anew with the newest half, aside and renamed; of two at once the
later one wins. Nothing here is true or false by its age: a key names all that decides its value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final
from zlib import crc32

from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.repository import Repository
from slipstream_git.records import NamedTuple

# A longer line would make everybody read it who wants another.
LONGEST_LINE: Final = 64 << 10
_CHECKSUM: Final = 8


class FactFile(NamedTuple):
    """One such file, which need not be there. ``most_bytes``: how large it may grow."""

    path: str
    sharing: int
    most_bytes: int

    def find(self, keys: Collection[str]) -> dict[str, Any]:
        """The values of those keys that are known; of two lines the later one counts."""
        wanted = {key.encode() for key in keys}
        found: dict[str, Any] = {}
        for line in _lines(self.path) if wanted else ():
            key = line[_CHECKSUM + 1 :].partition(b" ")[0]
            if key in wanted and _is_whole(line):
                with suppress(ValueError):
                    found[key.decode()] = json.loads(line[_CHECKSUM + 2 + len(key) :])
        return found

    def add(self, facts: Mapping[str, Any]) -> None:
        """Remember more. Where nothing can be written, nothing is, and nothing is said of it.

        Keys hold no blanks. A fact of more than `LONGEST_LINE` bytes is left out.
        """
        lines = [_line(key, value) for key, value in facts.items()]
        data = b"".join(line for line in lines if len(line) <= LONGEST_LINE)
        if data:
            with suppress(OSError):
                self._append(data)

    def _append(self, data: bytes) -> None:
        permissions.make_directory(os.path.dirname(self.path), self.sharing)
        stream = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(stream).st_size
            if size + len(data) <= self.most_bytes:
                os.write(stream, data)
        finally:
            os.close(stream)
        if size == 0:
            permissions.adjust(self.path, self.sharing)
        if size + len(data) > self.most_bytes:
            self._start_anew(data)

    def _start_anew(self, data: bytes) -> None:
        """The newest lines that fill half of the file, and the new ones."""
        kept: list[bytes] = []
        room = self.most_bytes // 2
        for line in reversed(_lines(self.path)):
            room -= len(line) + 1
            if room < 0:
                break
            if _is_whole(line):
                kept.append(line + b"\n")
        aside = f"{self.path}.new"
        with open(aside, "wb") as stream:
            stream.write(b"".join(reversed(kept)) + data)
        permissions.adjust(aside, self.sharing)
        os.rename(aside, self.path)


def in_repository(repository: Repository, name: str, most_bytes: int) -> FactFile:
    """The file of that name in `$GIT_COMMON_DIR/slip/`."""
    layout = repository.layout
    return FactFile(os.path.join(layout.slip_dir, name), layout.sharing, most_bytes)


def _lines(path: str) -> list[bytes]:
    try:
        with open(path, "rb") as stream:
            return stream.read().split(b"\n")
    except OSError:
        return []


def _line(key: str, value: object) -> bytes:
    said = f"{key} {json.dumps(value, separators=(',', ':'))}".encode("ascii")
    return b"%08x %s\n" % (crc32(said), said)


def _is_whole(line: bytes) -> bool:
    return line[:_CHECKSUM] == b"%08x" % crc32(line[_CHECKSUM + 1 :])
