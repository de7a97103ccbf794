"""How a fault in a patch is told: the line of the text, or the file and what was seen of it.

What a patch holds may be megabytes, another encoding or control characters; an error shows a
bounded, printable part of it, and all readers and appliers show it alike.
"""

from __future__ import annotations

from typing import Final, NoReturn

from slipstream_git.errors import SlipError
from slipstream_git.text.filepatch import FilePatch

MAX_SHOWN_CHARACTERS: Final = 400  # of a line in an error; a minified file is one line


def fault(text: bytes, pos: int, what: str, code: str = "bad-patch") -> NoReturn:
    line = text.count(b"\n", 0, pos) + 1
    raise SlipError(code, f"patch line {line}: {what}", data={"line": line})


def shown(raw: bytes, limit: int = 80) -> str:
    """One line, quoted, with tabs, CR and bytes that are not UTF-8 visible."""
    return repr(readable(raw, limit))


def readable(raw: bytes, limit: int = MAX_SHOWN_CHARACTERS) -> str:
    text = raw[: 4 * limit].decode("utf-8", "backslashreplace")
    return text if len(text) <= limit else text[:limit] + "…"


def said(patch: FilePatch) -> str:
    path = patch.old_path or patch.new_path or b"?"
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else shown(path, 200)
