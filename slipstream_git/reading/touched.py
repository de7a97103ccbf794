"""What a session touches, as a map: its files, and in them the symbols that its lines stand in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from slipstream_git.changes.sessions import Session
from slipstream_git.gitdb.trees import Difference
from slipstream_git.model import REGULAR
from slipstream_git.reading import shelf
from slipstream_git.reading.outlines import File
from slipstream_git.readings import MindMap
from slipstream_git.results import status_letter
from slipstream_git.text import alignment, matching, mermaid, paths
from slipstream_git.text.mermaid import Node
from slipstream_git.workspace import Workspace

# What one can still look at.
MOST_FILES: Final = 40
MOST_SYMBOLS: Final = 12
# Longer texts are not compared for this.
_LARGEST: Final = 1 << 20


def mindmap(ws: Workspace, session: Session) -> MindMap:
    """The files that a session changes, by directory, with the symbols that it changes in them."""
    changed = ws.repository.trees.differences(session.base_tree, session.tree)
    told = changed[:MOST_FILES]
    directories: dict[str, list[Node]] = {}
    symbols = 0
    for difference in told:
        names = list(dict.fromkeys(_symbols(ws, difference)))
        symbols += len(names)
        below = [Node(name) for name in names[:MOST_SYMBOLS]]
        if len(names) > MOST_SYMBOLS:
            below.append(Node(f"{len(names) - MOST_SYMBOLS} more"))
        directory, _, name = paths.display(difference.path).rpartition("/")
        letter = status_letter(difference.old, difference.new)
        directories.setdefault(directory, []).append(Node(f"{letter} {name}", below))
    branches = [node for name, nodes in directories.items() for node in _placed(name, nodes)]
    if len(changed) > len(told):
        branches.append(Node(f"{len(changed) - len(told)} more files"))
    title = f"{session.name}: {session.title}" if session.title else session.name
    text = mermaid.mindmap(Node(title, branches))
    return MindMap(session.name, text, len(changed), symbols, len(changed) - len(told))


def _placed(directory: str, nodes: list[Node]) -> list[Node]:
    return [Node(f"{directory}/", nodes)] if directory else nodes


def _symbols(ws: Workspace, difference: Difference) -> Iterator[str]:
    """Qualified names of what the changed lines stand in, now or before, in their order."""
    path, old, new = difference
    entries = [entry for entry in (old, new) if entry is not None]
    if any(entry.mode not in REGULAR for entry in entries):
        return
    texts = [ws.repository.objects.blob(entry.oid) if entry else b"" for entry in (old, new)]
    if any(len(text) > _LARGEST or matching.is_binary(text) for text in texts):
        return
    outlines = shelf.of(ws).outlines
    before, after = map(matching.lines, texts)
    for edit in alignment.quick_edits(before, after):
        for entry, first, end in ((new, edit.low, edit.high), (old, edit.start, edit.end)):
            if entry is None or first == end:
                continue
            outline = outlines.of(File(path, entry.oid))
            for line in range(first + 1, end + 1):
                name = outline.enclosing(line)
                if name:
                    yield name
