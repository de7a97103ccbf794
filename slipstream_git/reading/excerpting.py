"""`slip lines`: a range of one file, with how to go on; and outlines in the place of long files."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.excerpts import LinesRead
from slipstream_git.model import REGULAR, SYMLINK
from slipstream_git.reading import budget, mapping, shelf, views
from slipstream_git.reading.budget import LINE_BYTES, Budget
from slipstream_git.reading.outlines import File
from slipstream_git.results import WasRead
from slipstream_git.text import matching, paths
from slipstream_git.workspace import Workspace

# Of a file that is told by its outline.
HEAD_LINES = 40


def lines(
    ws: Workspace, wish: views.Wish, path: str, start: int, end: int | None, *, tokens: int = 4000
) -> LinesRead:
    """Lines ``start`` to ``end`` of a file, as many as fit. Raises `missing`, `out-of-range`."""
    view = views.choose(ws, wish)
    raw = paths.from_text(path)
    entry = ws.repository.trees.leaf(view.tree, raw)
    if entry is None or entry.mode not in (*REGULAR, SYMLINK):
        raise SlipError("missing", f"there is no file {paths.display(raw)}", hint=_nearby(raw))
    rows = matching.lines(ws.repository.objects.blob(entry.oid))
    last = len(rows) if end is None else end
    if start < 1 or (last < start and (rows or end is not None)) or start > max(len(rows), 1):
        raise SlipError(
            "out-of-range",
            f"{paths.display(raw)} has {len(rows)} lines; {start} to {last} are not among them",
            hint=hints.of("slip", "lines", raw, "1", str(len(rows))),
            data={"total_lines": len(rows)},
        )
    room = Budget(tokens)
    told: list[bytes] = []
    for row in rows[start - 1 : last]:
        if not room.take(len(row) + LINE_BYTES):
            break
        told.append(row)
    reached = start + len(told) - 1
    text, lossy = budget.text_of(b"".join(told))
    return LinesRead(
        oid=entry.oid,
        start=start,
        end=reached,
        total_lines=len(rows),
        text=text,
        next=reached + 1 if reached < min(last, len(rows)) else None,
        tree=view.tree,
        session=view.session,
        rev=view.rev,
        lossy=lossy,
        **budget.named(raw),
    )


def outlined(ws: Workspace, answer: WasRead, wanted: Sequence[str]) -> WasRead:
    """Files that were asked for whole and are too long: their beginning, and what they define."""
    files = []
    for spec, file in zip(wanted, answer.files, strict=True):
        path = paths.from_text(spec)
        if file.truncated and paths.display(path) == file.path:
            found = shelf.of(ws).outlines.of(File(path, file.oid))
            head = "".join(file.text.splitlines(keepends=True)[:HEAD_LINES])
            symbols = [mapping.defined(symbol) for symbol in found.symbols]
            file = file._replace(text=head, end=head.count("\n"), outline=symbols)  # noqa: PLW2901
        files.append(file)
    return answer._replace(files=files)


def _nearby(path: bytes) -> hints.Hint:
    return hints.command(["slip", "files"], [path.rpartition(b"/")[2]])
