"""What a fact speaks of: found when it is learned, and looked at again whenever it is told.

A path is known by its blob, a symbol by the bytes of its definition: lines above it may come and
go. A fact whose path or symbol is gone, or reads otherwise now, is stale; nobody takes it away.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.factlines import About, Fact
from slipstream_git.model import TREE, Entry
from slipstream_git.reading import shelf
from slipstream_git.reading.outlines import File
from slipstream_git.readings import Symbol
from slipstream_git.text import paths
from slipstream_git.text.objectid import digest
from slipstream_git.workspace import Workspace

CHANGED: Final = "changed"
GONE: Final = "gone"


def found(ws: Workspace, tree: str, text: str) -> About:
    """What ``PATH``, ``PATH#SYMBOL`` or ``REV`` means in a tree, in that order.

    Raises `missing`; `ambiguous` where a file defines several of that name.
    """
    asked, text = text, plain(text)
    path = _path(text)
    entry = ws.repository.trees.lookup(tree, path) if path else None
    if entry is not None:
        return About(path=paths.display(path), oid="" if entry.mode == TREE else entry.oid)
    parts = text.split("#")
    for count in range(1, len(parts)):  # a path may hold one, and so may a heading
        inner, symbol = _path("#".join(parts[:count])), "#".join(parts[count:])
        entry = ws.repository.trees.leaf(tree, inner) if inner and symbol else None
        if entry is not None:
            return _symbol(ws, inner, entry, symbol)
    try:
        return About(rev=ws.repository.resolve(asked))
    except SlipError:
        shown = paths.escape_for_terminal(asked[:200])
        said = f"{shown!r} is no path of what is read, no PATH#SYMBOL and no revision"
        raise SlipError("missing", said, hint="slip files") from None


class Looking:
    """Facts held against one tree; each blob is outlined once."""

    def __init__(self, ws: Workspace, tree: str) -> None:
        self._ws = ws
        self._tree = tree

    def stale(self, fact: Fact) -> str | None:
        """Why a fact is stale in this tree; None where it is not."""
        about = fact.about
        path = path_of(about)
        if not path:
            return None
        trees = self._ws.repository.trees
        entry = trees.lookup(self._tree, path)
        if entry is None:
            return GONE
        if not about.oid or entry.oid == about.oid:
            return None
        if not about.symbol:
            return CHANGED
        if entry.mode == TREE:
            return GONE
        data = self._ws.repository.objects.blob(entry.oid)
        texts = [
            _digest(data, item)
            for item in _symbols(self._ws, path, entry)
            if item.qualified == about.symbol
        ]
        return None if about.digest in texts else CHANGED if texts else GONE


def path_of(about: About) -> bytes:
    """The path's bytes; empty where a fact is about none."""
    if not about.path.startswith('"'):
        return about.path.encode("utf-8", "surrogateescape")
    from slipstream_git.text.patchnames import unquote  # hardly ever

    try:
        return unquote(b"", 0, about.path.encode())[0]
    except SlipError:  # another hand wrote it
        return b""


def plain(text: str) -> str:
    """What is asked about, spelled as it is kept: without a `./` before and a `/` behind."""
    while text.startswith("./"):
        text = text[2:].lstrip("/")
    return text.rstrip("/")


def _path(text: str) -> bytes:
    """The path that a text spells; empty where it is none that git could hold."""
    text = text.rstrip("/")
    if not text or text.startswith(("/", "-")) or "\0" in text:
        return b""
    try:
        return paths.check_existing(paths.from_text(text))
    except SlipError:
        return b""


def _symbol(ws: Workspace, path: bytes, entry: Entry, wanted: str) -> About:
    shown = paths.display(path)
    known = _symbols(ws, path, entry)
    fitting = [item for item in known if item.qualified == wanted]
    fitting = fitting or [item for item in known if item.name == wanted]
    if not fitting:
        near = get_close_matches(wanted, [item.qualified for item in known], n=3, cutoff=0.5)
        like = f"; like it: {', '.join(near)}" if near else ""
        raise SlipError(
            "missing", f"{shown} defines no {wanted!r}{like}", hint=hints.of("slip", "map", path)
        )
    item = fitting[0]
    if any(other.qualified != item.qualified for other in fitting):
        names = ", ".join(f"{other.qualified} (line {other.line})" for other in fitting[:5])
        raise SlipError("ambiguous", f"{shown} defines several {wanted!r}: {names}")
    data = ws.repository.objects.blob(entry.oid)
    return About(
        path=shown, symbol=item.qualified, oid=entry.oid, digest=_digest(data, item),
        start=item.line, end=item.end,
    )  # fmt: skip


def _symbols(ws: Workspace, path: bytes, entry: Entry) -> tuple[Symbol, ...]:
    return shelf.of(ws).outlines.of(File(path, entry.oid)).symbols


def _digest(data: bytes, item: Symbol) -> str:
    """Of a definition's own lines; a comment above it may say something else meanwhile."""
    lines = data.splitlines(keepends=True)[item.line - 1 : item.end]
    return digest(b"".join(line.rstrip() + b"\n" for line in lines)).hex()
