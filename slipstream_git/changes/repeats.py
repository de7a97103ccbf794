"""The second time an op fails the same way, the answer is short.

An agent that sends a failing op again has the nearest lines already; told once more at length, it
tends to send the op a third time. What is wrong, and the exact text to use instead, is said again.

What was told is kept as digests, one file a repository, for an hour: of the session, the agent, the
op and the answer, so an op that fails otherwise, because the files have changed meanwhile, is
answered in full.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from slipstream_git.codec import dumps, encode_op
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import permissions
from slipstream_git.model import Op
from slipstream_git.text import edits
from slipstream_git.text.decimals import decimal
from slipstream_git.workspace import Workspace

REMEMBERED_S: Final = 3600
REMEMBERED: Final = 512
_SHORT: Final = ("index", "op", "path", "code", "use_instead")


def shortened(
    ws: Workspace, asker: Sequence[str], ops: Sequence[Op], fault: SlipError
) -> SlipError:
    """The same refusal, with the ops that were refused alike before told in a line each.

    asker: who is told, a session and an agent; others are told in full. Effects: remembers what
    is told here; where nothing can be written, nothing is remembered and nothing is said of it.
    """
    rows = fault.data.get("ops")
    if not isinstance(rows, list):
        return fault
    path = os.path.join(ws.repository.layout.slip_dir, "told")
    known = _known(path, ws.clock())
    digests = [_digest(asker, ops[row["index"]], row) for row in rows]
    with suppress(OSError):
        _remember(path, ws, known, [d for d in digests if d not in known])
    if not any(digest in known for digest in digests):
        return fault
    told = [_short(row) if d in known else row for row, d in zip(rows, digests, strict=True)]
    short = edits.refusal(told)
    short.hint = fault.hint
    return short


def _short(row: Mapping[str, object]) -> dict[str, object]:
    if row["code"] == "not-tried":
        return dict(row)
    again = f"{row['message']} (refused the same way before)"
    return {name: row[name] for name in _SHORT if name in row} | {
        "message": again,
        "repeated": True,
    }


def _digest(asker: Sequence[str], op: Op, row: Mapping[str, object]) -> str:
    import hashlib  # a cold start does not pay for it

    answer = {name: value for name, value in row.items() if name != "index"}
    told = dumps([*asker, encode_op(op), answer])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _known(path: str, now_s: int) -> dict[str, int]:
    """The digests remembered, with the time each was told; empty where the file is unreadable."""
    known: dict[str, int] = {}
    try:
        with open(path, encoding="ascii") as stream:
            lines = stream.read().split("\n")
    except (OSError, UnicodeDecodeError):
        return known
    for line in lines:
        digest, _, time = line.partition(" ")
        told_s = decimal(time)
        if told_s is not None and now_s - REMEMBERED_S < told_s <= now_s:
            known[digest] = told_s
    return known


def _remember(path: str, ws: Workspace, known: Mapping[str, int], fresh: Sequence[str]) -> None:
    """Write the newest digests down, aside and renamed; of two at once the later one wins."""
    if not fresh:
        return
    kept = {**known, **dict.fromkeys(fresh, ws.clock())}
    text = "".join(f"{digest} {time}\n" for digest, time in list(kept.items())[-REMEMBERED:])
    sharing = ws.repository.layout.sharing
    permissions.make_directory(os.path.dirname(path), sharing)
    with open(f"{path}.new", "w", encoding="ascii") as stream:
        stream.write(text)
    permissions.adjust(f"{path}.new", sharing)
    os.rename(f"{path}.new", path)
