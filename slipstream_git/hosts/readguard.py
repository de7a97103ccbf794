"""A whole read of a long file is answered with what is in it, and how to read a part.

Once for each file of a run: who asks again reads it. What cannot be noted down as told is not held
back. `git config slip.readGuard SIZE` says from which size on, or `off`; $SLIP_READ_GUARD likewise.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from slipstream_git.gitdb.layout import Layout
from slipstream_git.hosts import runs
from slipstream_git.hosts.ground import Ground
from slipstream_git.hosts.payloads import Payload
from slipstream_git.records import NamedTuple
from slipstream_git.text.tokens import BYTES_A_TOKEN, tokens_of

DEFAULT_BYTES: Final = 32 << 10
# Nobody is asked what is held back, for files below this.
LEAST_BYTES: Final = 4 << 10
KEY: Final = "slip.readguard"
VARIABLE: Final = "SLIP_READ_GUARD"
OUTLINE_TOKENS: Final = 1500
# Longer ones are not looked into.
_LARGEST: Final = 16 << 20
_OFF: Final = ("off", "false", "no", "0", "none")
_UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Held(NamedTuple):
    """A read that is answered otherwise. path: as the repository has it. size: of the file."""

    path: str
    size: int
    text: str


def held(ground: Ground, place: Layout, payload: Payload, directory: str) -> Held | None:
    """The answer in place of a read; None where it is none of our business."""
    root = os.path.realpath(place.root or "/")
    real = _meant(payload, directory)
    if real is None or not real.startswith(f"{root}/") or real.startswith(f"{place.common_dir}/"):
        return None
    found = os.stat(real)
    if not stat.S_ISREG(found.st_mode) or found.st_size < LEAST_BYTES:
        return None
    if found.st_size < limit(ground, place, payload.run, directory):
        return None
    with open(real, "rb") as stream:
        data = stream.read(_LARGEST + 1)
    total = data.count(b"\n") + (not data.endswith(b"\n"))
    asked = payload.given.get("limit")
    if b"\0" in data[:8000] or (type(asked) is int and 0 < asked < total):
        return None
    name = os.path.relpath(real, root)
    if not runs.add(place, payload.run, [f"read {os.fsencode(name).hex()}"]):
        return None
    return Held(name, found.st_size, _text(name, data, total, found.st_size))


def _meant(payload: Payload, directory: str) -> str | None:
    """The file that is to be read from its beginning, with no link in its path."""
    path = payload.given.get("file_path")
    if not isinstance(path, str) or "\0" in path or not payload.run:
        return None
    if payload.given.get("offset") not in (None, 0, 1) or payload.given.get("pages") is not None:
        return None
    return os.path.realpath(os.path.join(directory, path))


def limit(ground: Ground, place: Layout, run: str, directory: str) -> float:
    """From how many bytes on; infinity where nothing is held back. Asked of git once a run."""
    said = ground.env.get(VARIABLE)
    if said is None:
        told = [note for note in runs.told(place, run) if note.startswith("guard ")]
        if told:
            said = told[0].removeprefix("guard ")
        else:
            with ground.open(directory).repository as repository:
                said = repository.config.get(KEY) or str(DEFAULT_BYTES)
            runs.add(place, run, [f"guard {said[:20].strip()}"])
    return parsed(said)


def parsed(said: str) -> float:
    """A size with git's units; what is none of these is the default."""
    text = said.strip().lower()
    if text in _OFF:
        return float("inf")
    unit = _UNITS.get(text[-1:], 1)
    digits = text[:-1] if unit > 1 else text
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        return DEFAULT_BYTES
    return max(int(digits) * unit, LEAST_BYTES)


def _text(name: str, data: bytes, total: int, size: int) -> str:
    from slipstream_git.text import factrow

    shown = factrow.one_line(name)
    more = " or more" if size > len(data) else ""
    head = (
        f"slip: {shown} is long: {total}{more} lines, {size} bytes, about {tokens_of(size)} tokens."
        " It was not read. Read a part of it: Read with offset and limit"
        f" (offset is a line), or `slip lines`, or search it with `slip search`."
        " To have all of it, ask once more: that is let through."
    )
    return "\n".join((head, *_outline(name, data, size)))


def _outline(name: str, data: bytes, size: int) -> list[str]:
    """What the file defines, as much as there is room for."""
    if size > _LARGEST:
        return []
    from slipstream_git.text import factrow, outline, secrets

    found = outline.outline(name, data)
    room = int(OUTLINE_TOKENS * BYTES_A_TOKEN)
    lines: list[str] = []
    symbols = sorted(found.symbols, key=lambda symbol: symbol.line)
    # Where all of it does not fit, what stands at the top is told before what stands in it.
    if sum(len(symbol.signature) + 16 for symbol in symbols) > room:
        symbols = [symbol for symbol in symbols if not symbol.parent]
    for symbol in symbols:
        indent = "  " if symbol.parent else ""
        said = factrow.one_line(symbol.signature or symbol.name)[:160]
        said = secrets.redacted(said.encode("utf-8", "replace")).decode("utf-8", "replace")
        line = f"{symbol.line}-{symbol.end} {indent}{said}"
        room -= len(line.encode("utf-8", "replace")) + 1
        if room < 0:
            lines.append(f"… {len(symbols) - len(lines)} more: slip map, slip symbol NAME")
            break
        lines.append(line)
    return ["It defines:", *lines] if lines else []
