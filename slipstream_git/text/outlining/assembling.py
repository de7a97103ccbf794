"""From the places that a query found to symbols: nesting, names, signatures, documentation.

Knows bytes and offsets and nothing of a parser. Rows are counted here and not taken from the
parser, whose nodes may end behind the line feed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

from slipstream_git.readings import Symbol
from slipstream_git.records import NamedTuple
from slipstream_git.text.outlining import remarks
from slipstream_git.text.outlining.grammar import TYPES, Grammar
from slipstream_git.text.outlining.remarks import Span

LONGEST_SIGNATURE = 240
LONGEST_NAME = 200  # only a broken file has longer ones
MOST_SYMBOLS = 20_000

_LOCAL = frozenset({"function", "method", "property", "prototype", "closure"})
_HOLDERS = TYPES | {"module", "scope"}
#: What stands for another kind, and may say more of it.
_MEANINGS = {
    "prototype": "function",
    "valued": "function",
    "alias": "type",
    "field": "property",
    "member": "method",
}
#: Dropped in the body of a function.
PASSING = frozenset({"variable", "constant", "field", "member", "prototype", "valued"})
_VALUES = frozenset({"variable", "constant", "property"})
_QUOTES = "\"'`\r\n\t "
_PLAIN = frozenset({"variable", "constant"})
_SHORT = _VALUES | {"macro"}
_SHOUTED = re.compile(r"_{0,2}[A-Z][A-Z0-9_]*\Z")
_SPREAD = re.compile(r"([(\[]) | ?,? ([)\]])")  # what is left of a list with a line an item
_ARGUMENTS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|[&*\s]|\bmut\b")


class Found(NamedTuple):
    """One match: offsets of the definition, its name, and where its signature ends (-1: nowhere).

    ``rank``: the pattern's number in its query. ``owner``: the type it says it belongs to, or "".
    """

    kind: str
    start: int
    stop: int
    name: Span
    body: int
    rank: int
    owner: str


class Places(NamedTuple):
    """What a query found in one file, in no particular order."""

    found: list[Found]
    comments: list[Span]
    blanks: list[Span]
    attributes: list[Span]
    docstrings: list[Span]
    imports: list[Span]


class Locality:
    """Whether a place is in the body of a function, and in no class inside of that."""

    def __init__(self, found: Iterable[Found]) -> None:
        self._places = [0]
        self._local = [False]
        open_: list[tuple[int, bool]] = []
        for start, stop, kind in sorted(
            ((one.start, one.stop, one.kind) for one in found), key=lambda at: (at[0], -at[1])
        ):
            self._close(open_, start)
            local = kind in _LOCAL or (kind not in _HOLDERS and bool(open_) and open_[-1][1])
            open_.append((stop, local))
            self._mark(start + 1, local=local)  # what begins with a definition is not inside of it
        self._close(open_, None)

    def _close(self, open_: list[tuple[int, bool]], until: int | None) -> None:
        while open_ and (until is None or open_[-1][0] <= until):
            stop, _ = open_.pop()
            self._mark(stop, local=bool(open_) and open_[-1][1])

    def _mark(self, place: int, *, local: bool) -> None:
        self._places.append(place)
        self._local.append(local)

    def at(self, place: int) -> bool:
        return self._local[bisect_right(self._places, place) - 1]


class Lines:
    """Line numbers of offsets."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        # Without lone carriage returns, these are the lines that line feeds end.
        self._starts = [0, *accumulate(map(len, data.splitlines(keepends=True)))]
        if data and not data.endswith(b"\n"):
            self._starts.pop()

    def __len__(self) -> int:
        """As an editor counts them: no line after the last line feed."""
        return len(self._starts) - (self._starts[-1] == len(self._data))

    def line(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def column(self, offset: int) -> int:
        return offset - self._starts[bisect_right(self._starts, offset) - 1]

    def begins(self, line: int) -> int:
        return self._starts[line - 1]

    def ends(self, line: int) -> int:
        """Behind the line feed."""
        return self._starts[line] if line < len(self._starts) else len(self._data)


class Assembled(NamedTuple):
    symbols: list[Symbol]
    omitted: int
    names: set[int]
    """Offsets at which a definition has its name."""
    summary: str


def merged(found: Iterable[Found]) -> list[Found]:
    """One for each name's place: the widest span, the kind of the last pattern. In source order."""
    best: dict[tuple[int, bool], Found] = {}
    for one in found:
        key = one.name[0], one.kind in ("scope", "closure")
        other = best.get(key)
        if other is None:
            best[key] = one
            continue
        late, early = (one, other) if one.rank >= other.rank else (other, one)
        wide = one if one.stop - one.start > other.stop - other.start else other
        best[key] = late._replace(
            start=wide.start,
            stop=wide.stop,
            body=late.body if late.body >= 0 else early.body,
            owner=late.owner or early.owner,
        )
    kept = (one for one in best.values() if one.kind != "wrap")
    return sorted(kept, key=lambda one: (one.start, -one.stop, one.name[0]))


def assemble(data: bytes, places: Places, grammar: Grammar, lines: Lines) -> Assembled:
    """The symbols of a file, in source order."""
    nest = _Nest(data, places, grammar, lines)
    for one in merged(places.found):
        nest.add(one)
    dropped = nest.bodies & nest.prototypes.keys()
    gone = {at for name in dropped for at in nest.prototypes[name]}
    symbols = [symbol for place, symbol in enumerate(nest.symbols) if place not in gone]
    summary = nest.remarks.file_summary(symbols[0].start if symbols else len(data))
    omitted = max(0, len(symbols) - MOST_SYMBOLS)
    return Assembled(symbols[:MOST_SYMBOLS], omitted, nest.names, summary)


class _Nest:
    """The definitions so far, and the ones that the next may stand in."""

    def __init__(self, data: bytes, places: Places, grammar: Grammar, lines: Lines) -> None:
        self.data = data
        self.lines = lines
        self.grammar = grammar
        self.symbols: list[Symbol] = []
        self.names: set[int] = set()
        self.bodies: set[str] = set()
        self.prototypes: dict[str, list[int]] = {}
        self.joints = re.compile(grammar.joints) if grammar.joints else None
        self.remarks = remarks.Remarks(
            data, places.comments, places.attributes, places.docstrings, grammar.inner
        )
        self.open: list[tuple[int, str, str]] = []  # where it stops, its name, its kind
        self.last = (-1, -1)  # the span of the definition opened last, if it may have siblings
        self.values: set[tuple[str, str]] = set()

    def add(self, one: Found) -> None:
        if self.last == (one.start, one.stop) and self.open and one.kind != "alias":
            self.open.pop()  # several names of one declaration do not stand in each other
        while self.open and self.open[-1][0] <= one.start:
            self.open.pop()
        parent, around = self._around(one)
        if one.kind == "closure":
            self.open.append((one.stop, parent, "closure"))
            return
        name = self._named(one)
        if not name:
            return
        if one.kind == "scope":
            self.open.append((one.stop, joined(parent, self._owner(name)), "class"))
            return
        kind = self._kind(one, name, around)
        name, owner = self._parted(name, one.owner)
        one = self._placed(one, name)
        if owner:
            parent, kind = joined(parent, owner), self._member(kind)
        symbol = self._symbol(one, name, kind, parent)
        if name not in symbol.signature:
            symbol = symbol._replace(signature=f"{symbol.signature} {name}")
        if not self._repeated(one, symbol):
            self.symbols.append(symbol)
        self.names.add(one.name[0])
        if one.kind != "alias":
            self.open.append((one.stop, symbol.qualified, kind))
            self.last = one.start, one.stop

    def _named(self, one: Found) -> str:
        name = self.data[slice(*one.name)].decode("utf-8", "replace").strip(_QUOTES)
        if "\n" in name or len(name) > LONGEST_NAME:
            return " ".join(name.split())[:LONGEST_NAME]
        return name

    def _placed(self, one: Found, name: str) -> Found:
        """With the place of the name's last part, without quotes."""
        inner = self.data.rfind(name.encode(), *one.name)
        return one._replace(name=(max(inner, one.name[0]), one.name[1]))

    def _around(self, one: Found) -> tuple[str, str]:
        """The name and the kind of what a definition stands in."""
        level = len(self.open) - 1
        if one.kind == "alias" and self.last == (one.start, one.stop):
            level -= 1
        if one.kind in _PLAIN:  # `a = b = 1`: b does not stand in a
            while level >= 0 and self.open[level][2] in _PLAIN:
                level -= 1
        return self.open[level][1:] if level >= 0 else ("", "module")

    def _kind(self, one: Found, name: str, around: str) -> str:
        kind = _MEANINGS.get(one.kind, one.kind)
        if kind == "variable" and self.grammar.shouting and _SHOUTED.match(name):
            return "constant"
        if around in TYPES or (around == "module" and self.open and self.grammar.modular):
            return self._member(kind)
        return kind

    def _member(self, kind: str) -> str:
        return {"function": "method", "variable": "property"}.get(kind, kind)

    def _parted(self, name: str, owner: str) -> tuple[str, str]:
        """The last part of a qualified name, and what it is qualified with."""
        parts = [name]
        if self.joints and self.joints.search(name):
            parts = self.joints.split(_without_arguments(name))
        if len(parts) > 1:
            return parts[-1], self._owner(".".join([owner, *parts[:-1]]))
        return name.removeprefix(":"), self._owner(owner)

    def _owner(self, owner: str) -> str:
        if not owner:
            return ""
        parts = plain(owner).split(".")
        return ".".join(part for part in parts if part and part not in self.grammar.unnamed)

    def _repeated(self, one: Found, symbol: Symbol) -> bool:
        """Whether it is a variable that has been seen; keeps account of prototypes, too."""
        if symbol.kind in _VALUES and one.body < 0:
            key = symbol.parent, symbol.name
            if key in self.values:
                return True
            self.values.add(key)
        elif one.kind == "prototype" and symbol.kind == "function":
            self.prototypes.setdefault(symbol.qualified, []).append(len(self.symbols))
        elif symbol.kind in ("function", "method") and one.body >= 0:
            self.bodies.add(symbol.qualified)
        return False

    def _symbol(self, one: Found, name: str, kind: str, parent: str) -> Symbol:
        stop = self.remarks.trimmed(one.start, one.stop)
        first, above = self.remarks.above(one.start)
        line, end = self.lines.line(first), self.lines.line(max(first, stop - 1))
        doc = self.lines.line(above)
        return Symbol(
            name=name,
            kind=kind,
            line=line,
            end=end,
            signature=self._signature(one, whole=kind not in _SHORT),
            parent=parent,
            summary=self.remarks.summary(one.body, above, first),
            doc=doc,
            start=self.lines.begins(doc),
            stop=self.lines.ends(end),
            at=(self.lines.line(one.name[0]), self.lines.column(one.name[0])),
        )

    def _signature(self, one: Found, *, whole: bool) -> str:
        """The definition up to its body, on one line, without comments and decorators.

        Not ``whole``: its first line, for values.
        """
        stop = one.body if one.body >= 0 else one.stop
        stop = min(stop, max(one.name[1], one.start) + 8 * LONGEST_SIGNATURE)
        text = self.remarks.code(one.start, stop, one.name[0])
        if not whole and one.body < 0 and b"\n" in text.strip():
            text = text.strip().partition(b"\n")[0] + "…".encode()
        said = (
            " ".join(text.decode("utf-8", "replace").split()).rstrip(" {:=;,").removesuffix(" =>")
        )
        if b"\n" in text or "( " in said:
            said = _SPREAD.sub(r"\1\2", said)
        if said.endswith((" do", " then")):
            said = said.rpartition(" ")[0]
        if len(said) > LONGEST_SIGNATURE:
            return said[: LONGEST_SIGNATURE - 1].rstrip() + "…"
        return said


def plain(name: str) -> str:
    """A type's name without pointers, arguments and path marks: "*T[K]" is "T"."""
    return ".".join(re.split(r"::|\\|\.", _without_arguments(name))).strip(".")


def _without_arguments(name: str) -> str:
    before = None
    while before != name and ("<" in name or "[" in name or "*" in name or "&" in name):
        if name.startswith("operator"):
            break
        before, name = name, _ARGUMENTS.sub("", name)
    return name


def joined(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def used(data: bytes, places: Places, grammar: Grammar, defined: set[int]) -> dict[str, int]:
    """How often each name stands in code where it is not defined."""
    code = b" ".join(remarks.outside(data, [*places.comments, *places.blanks]))
    words: Counter[bytes] = Counter(re.findall(grammar.word, code))
    word, keywords = re.compile(grammar.word), grammar.keywords
    for offset in defined:
        if at := word.match(data, offset):
            words[at[0]] -= 1
    if not words:
        return {}
    said = b"\n".join(words).decode("utf-8", "replace").split("\n")
    return {
        name: count
        for name, count in zip(said, words.values(), strict=True)
        if count > 0 and name not in keywords and not "/" < name < ":"  # no digit first
    }
