"""`slip symbol` and `slip refs`: where a name is defined, and where it is used, in any tree.

No index of names is kept: the files that hold the word are found by searching, and only these are
outlined. So an answer is of the tree that is asked about, and a large repository costs no more
than the files that speak of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.excerpts import Definition, Named, References, Symbols, Used
from slipstream_git.reading import budget, shelf, views
from slipstream_git.reading.budget import LINE_BYTES, Budget
from slipstream_git.reading.outlines import File
from slipstream_git.reading.search import ranking, searching
from slipstream_git.readings import Outline, Symbol
from slipstream_git.records import NamedTuple
from slipstream_git.text import outline as outlining
from slipstream_git.text import paths
from slipstream_git.text.patterns import Wish
from slipstream_git.text.tokens import BYTES_A_TOKEN
from slipstream_git.workspace import Workspace

# A name that stands in more files is looked for in so many of them, definitions' likeliest first.
MOST_FILES = 400
# What separates a name from what it stands in, in one language or another. JavaScript's private
# names begin with a #.
_SEPARATORS = re.compile(r"::|->|[./:]|(?<=\w)#")


class _Found(NamedTuple):
    """is_prototype: it ends before any body, as functions do in C's headers."""

    file: File
    outline: Outline
    symbol: Symbol
    is_prototype: bool


def symbol(
    ws: Workspace, wish: views.Wish, name: str, inside: str | None = None, *, tokens: int = 4000
) -> Symbols:
    """The text of what ``name`` names: plain (``run``), or qualified (``Session.run``).

    inside: only in this file or below this directory. What the budget has no room for is named, as
    far as another such budget goes, and the rest is counted. Raises `missing`.
    """
    view = views.choose(ws, wish)
    found = sorted(_defined(ws, view, name, inside), key=_likeliest)
    if not found:
        raise _unknown(name, inside)
    room = Budget(tokens)
    told: list[Definition] = []
    for item in found:
        definition = _definition(ws, item)
        if not room.take(len(definition.text) + len(definition.path) + LINE_BYTES):
            break
        told.append(definition)
    told[0] = _cut(told[0], tokens)
    more = Budget(tokens)
    others: list[Named] = []
    for item in found[len(told) :]:
        other = _named(item)
        if not more.take(len(other.path) + len(other.name) + len(other.signature) + LINE_BYTES):
            break
        others.append(other)
    return Symbols(
        told, room.tokens, view.tree, others or None,
        len(found) - len(told) - len(others) or None, view.session, view.rev,
    )  # fmt: skip


def _cut(definition: Definition, tokens: int) -> Definition:
    """The first one is told in any case; as much of it as the budget has room for."""
    most = int(tokens * BYTES_A_TOKEN)
    data = definition.text.encode()
    if not tokens or len(data) <= most:
        return definition
    kept = data[:most].rpartition(b"\n")[0] + b"\n"
    end = definition.start + kept.count(b"\n") - 1
    return definition._replace(text=kept.decode("utf-8", "ignore"), end=end, truncated=True)


def _likeliest(item: _Found) -> tuple[bool, int, bytes, int]:
    symbol = item.symbol
    depth = symbol.parent.count(".") + bool(symbol.parent)
    is_bare = symbol.line == symbol.end or item.is_prototype
    return ranking.is_test(item.file.path), depth + is_bare, item.file.path, symbol.line


def _defined(ws: Workspace, view: views.View, name: str, inside: str | None) -> Iterator[_Found]:
    parts = [part for part in _SEPARATORS.split(name) if part]
    if not parts:
        raise SlipError("usage", f"{name!r} is no name", hint="slip map")
    for file in _holding(ws, view, parts[-1], inside, parts[:-1])[0]:
        outline = shelf.of(ws).outlines.of(file)
        for item in outline.symbols:
            if item.name == parts[-1] and _stands_in(item, parts[:-1], file.path):
                yield _Found(file, outline, item, _is_prototype(ws, file, outline, item))


def _is_prototype(ws: Workspace, file: File, outline: Outline, item: Symbol) -> bool:
    if outline.language not in ("c", "cpp") or item.kind not in ("function", "method"):
        return False
    return shelf.of(ws).text(file.oid)[item.start : item.stop].rstrip().endswith(b";")


def _stands_in(item: Symbol, wanted: Sequence[str], path: bytes) -> bool:
    """Whether what a name is qualified with ends what the symbol stands in: parents, or a file."""
    around = [part for part in _SEPARATORS.split(item.parent) if part]
    inside = [part for part in _SEPARATORS.split(paths.legible(path)) if part]
    named = [*inside, *around], [*inside[:-1], *around]  # with the suffix and without
    return not wanted or any(full[-len(wanted) :] == list(wanted) for full in named)


def _holding(
    ws: Workspace, view: views.View, word: str, inside: str | None, around: Sequence[str] = ()
) -> tuple[list[File], int]:
    """The files that hold a word, the likeliest to define it first, and how many more do.

    around: what the word is qualified with; of too many files, those that speak of it come first.
    """
    globs = () if inside is None else ("/" + _escaped(inside.strip("/")),)
    hits = searching.files(ws, view, _of_word(word, globs))
    ordered = ranking.ordered(hits, Wish(word), ())
    if len(ordered) > MOST_FILES and around:
        near = searching.files(ws, view, _of_word(around[-1], globs))
        speaking = {hit.path for hit in near}
        name = around[-1].encode("utf-8", "surrogateescape")
        ordered.sort(key=lambda hit: hit.path not in speaking and name not in hit.path)
    ordered = ordered[:MOST_FILES]
    ids = ((hit.path, searching.blob_of(ws, view, hit)) for hit in ordered)
    found = [File(path, oid) for path, oid in ids if oid is not None]
    return found, len(hits) - len(ordered)


def _of_word(word: str, globs: Sequence[str]) -> searching.Request:
    wish = Wish(word, fixed=True, word=_is_word(word))
    return searching.Request(wish, globs, counting=True, tokens=0)


def _is_word(text: str) -> bool:
    return re.fullmatch(r"\w+", text, re.ASCII) is not None


def _escaped(path: str) -> str:
    """A path as a glob that means it alone."""
    return re.sub(r"([\\*?\[!#])", r"\\\1", path)


def _unknown(name: str, inside: str | None) -> SlipError:
    where = "" if inside is None else f" in {inside}"
    return SlipError(
        "missing",
        f"no symbol {name} is defined{where}",
        hint=hints.of("slip", "search", "--word", name),
    )


def _definition(ws: Workspace, item: _Found) -> Definition:
    symbol = item.symbol
    data = shelf.of(ws).text(item.file.oid)
    rows = data.split(b"\n")[symbol.doc - 1 : symbol.end]
    text, lossy = budget.text_of(b"\n".join(rows) + b"\n")
    return Definition(
        oid=item.file.oid, name=symbol.qualified, kind=symbol.kind, start=symbol.doc,
        end=symbol.end, signature=symbol.signature, text=text, parent=symbol.parent or None,
        lossy=lossy, **budget.named(item.file.path),
    )  # fmt: skip


def _named(item: _Found) -> Named:
    symbol = item.symbol
    return Named(
        paths.display(item.file.path), symbol.qualified, symbol.kind, symbol.line, symbol.end,
        symbol.signature,
    )  # fmt: skip


# Uses --------------------------------------------------------------------------------------------


def refs(
    ws: Workspace,
    wish: views.Wish,
    name: str,
    *,
    most: int = 200,
    tokens: int = 2000,
    after: str | None = None,
) -> References:
    """Where a name stands in code: not in comments and strings, as far as a parser tells them."""
    view = views.choose(ws, wish)
    start = budget.place(view.tree, after)
    word = [part for part in _SEPARATORS.split(name) if part][-1:]
    if not word:
        raise SlipError("usage", f"{name!r} is no name", hint="slip map")
    found: list[Used] = []
    exact = True
    files = 0
    holding, unread = _holding(ws, view, word[0], None)
    for file in holding:
        outline = shelf.of(ws).outlines.of(file)
        exact = exact and outline.engine == "tree-sitter"
        uses = _uses(ws, file, outline, word[0])
        found += uses
        files += bool(uses)
    room = Budget(tokens)
    told: list[Used] = []
    for use in found[start : start + most]:
        if not room.take(len(use.path) + len(use.text) + LINE_BYTES):
            break
        told.append(use)
    truncated, following = budget.page(len(found), start, len(told), view.tree)
    return References(
        name, told, len(found), files, truncated, following, exact, view.tree, view.session,
        view.rev, unread or None,
    )  # fmt: skip


def _uses(ws: Workspace, file: File, outline: Outline, word: str) -> list[Used]:
    data = shelf.of(ws).text(file.oid)
    rows = data.split(b"\n")
    told: dict[int, Used] = {}
    for use in outlining.uses(paths.legible(file.path), data, word):
        before = told.get(use.line)
        # Of a file with old line ends (CR alone) the parser may count more lines than there are.
        row = rows[min(use.line, len(rows)) - 1]
        at = use.column if before is None or before.column is None else before.column - 1
        shown = budget.excerpt(row.strip(), at - len(row) + len(row.lstrip()))
        told[use.line] = Used(
            line=use.line, text=shown.text, symbol=outline.enclosing(use.line),
            cut=shown.cut, column=at + 1 if shown.cut else None,
            defines=use.defines or (before is not None and before.defines) or None,
            **budget.named(file.path),
        )  # fmt: skip
    return list(told.values())
