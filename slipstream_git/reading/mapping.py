"""`slip map`: what is in a tree, file by file, the most referred to first, within a budget.

A file counts for as much as other files name what it defines: a name counts by how many files use
it, and is shared out where several define it. Worked out once a tree, and kept by tree id.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import sqrt

from slipstream_git.excerpts import Defined, Directory, Map, Mapped
from slipstream_git.model import EXECUTABLE, REGULAR, Entry
from slipstream_git.reading import budget, listing, shelf, views
from slipstream_git.reading.budget import LINE_BYTES, Budget
from slipstream_git.reading.outlines import File, Outlines
from slipstream_git.reading.search import ranking
from slipstream_git.readings import Outline, Symbol
from slipstream_git.records import NamedTuple
from slipstream_git.text import outline as outlining
from slipstream_git.text import paths as pathnames
from slipstream_git.text import scopes
from slipstream_git.text.objectid import digest
from slipstream_git.workspace import Workspace

# Of more files no tree is worked out; the ones nearest to the root are.
MOST_FILES = 20_000
MOST_SYMBOLS = 12
SHORTEST_NAME = 3
# What tests and files beside the code count, and what the work under way refers to.
TEST_WEIGHT, PLAIN_WEIGHT, NEAR_WEIGHT = 0.1, 0.3, 4.0
_FORM = 3
# Tests of no more lines are only counted where a directory has more of them than so many: by the
# hundred they say less of a tree than their names cost. Of the directory's path so much counts.
SHORT_LINES, MOST_SHORT, _DEPTH = 50, 20, 3
MOST_SURVEYS = 8
# Work that touches more paths has a rank of its own, and so has what leaves fewer others for each.
MOST_TOUCHED, LEAST_OTHERS = 400, 10


class Rank(NamedTuple):
    """scores: by path. used: by name, how many files use it without defining it. short: paths of
    short tests that are only counted.
    """

    scores: Mapping[str, float]
    used: Mapping[str, int]
    short: Collection[str]


def tree_map(
    ws: Workspace,
    wish: views.Wish,
    wanted: Sequence[str] = (),
    *,
    tokens: int = 2000,
    after: str | None = None,
) -> Map:
    """The map of a view, or of what is below the ``wanted`` paths.

    What the work under way touches comes first, then what that refers to. Short tests are counted
    by directory, behind all others, unless paths are asked for.
    """
    view = views.choose(ws, wish)
    start = budget.place(view.tree, after)
    touched = _touched(ws, view)
    survey = _survey_for(ws, view, len(touched))
    files = _below(_by_work(ws, survey, touched), wanted)
    if not files:
        listing.say_if_none(ws, view.tree, wanted)
    ordered, counted = files, list[File]()
    if not wanted:
        ordered, counted = _apart(files, survey.short.difference(touched))
    room = Budget(tokens)
    told: list[Mapped] = []
    outlines = shelf.of(ws).outlines
    for file in ordered[start:]:
        row = _mapped(file, outlines.of(file), survey.used)
        if not room.take(_size(row)):
            break
        told.append(row)
    omitted = len(ordered) - start - len(told) + len(counted)
    items, reached = len(ordered) + bool(counted), start + len(told)
    short = None
    if counted and reached == len(ordered):
        directories = _directories(counted)
        if room.take(sum(len(row.path) + LINE_BYTES for row in directories)):
            short = directories
            omitted, reached = 0, items
    _, following = budget.page(items, start, reached - start, view.tree)
    return Map(view.tree, told, room.tokens, omitted, following, view.session, view.rev, short)


def mapped_files(ws: Workspace, tree: str) -> Sequence[File]:
    """The files of which anything can be told, in the order of their rank."""
    return _survey(ws, tree).files


def _promising(ws: Workspace, tree: str) -> list[File]:
    """The files whose names say a language, and those whose first lines may."""
    found = [
        File(path, entry.oid)
        for path, entry in ws.repository.trees.walk(tree)
        if _is_promising(path, entry)
    ]
    if len(found) > MOST_FILES:
        return sorted(found, key=lambda file: (file.path.count(b"/"), file.path))[:MOST_FILES]
    return found


def _is_promising(path: bytes, entry: Entry) -> bool:
    if entry.mode not in REGULAR:
        return False
    name = pathnames.legible(path)
    if outlining.language_of(name, b""):
        return True
    return entry.mode == EXECUTABLE or outlining.may_be_script(name)


def _below(files: Sequence[File], wanted: Sequence[str]) -> Sequence[File]:
    if not wanted:
        return files
    matches = scopes.compile_globs(wanted)
    return [file for file in files if matches(file.path)]


def _touched(ws: Workspace, view: views.View) -> Mapping[bytes, Entry | None]:
    """What the work under way makes of which paths; None where it removes a file."""
    if view.before is None or view.before == view.tree:
        return {}
    differing = ws.repository.trees.differences(view.before, view.tree)
    return {item.path: item.new for item in differing}


def _apart(files: Sequence[File], short: Collection[bytes]) -> tuple[Sequence[File], list[File]]:
    """The files that are told one by one, and those that are counted."""
    if not short:
        return files, []
    counted = [file for file in files if file.path in short]
    return [file for file in files if file.path not in short], counted


def _directories(files: Iterable[File]) -> list[Directory]:
    """How many files are below which directory, none of them deep down."""
    found = Counter(_directory(file.path) for file in files)
    return [Directory(pathnames.display(path), found[path]) for path in sorted(found)]


def _directory(path: bytes) -> bytes:
    return b"/".join(path.split(b"/")[:-1][:_DEPTH] or [b"."]) + b"/"


def _by_work(
    ws: Workspace, survey: Survey, touched: Mapping[bytes, Entry | None]
) -> Sequence[File]:
    """Files in the order of their rank, but what the work under way touches first, then what that
    refers to.
    """
    if not touched:
        return survey.files
    outlines = shelf.of(ws).outlines
    own: list[File] = []
    names: set[str] = set()
    for path, entry in touched.items():
        if entry is not None and _is_promising(path, entry):
            outline = outlines.of(File(path, entry.oid))
            names.update(outline.names)
            if outline.language:
                own.append(File(path, entry.oid))
    near = survey.defining(outlines, names)

    def key(file: File) -> tuple[bool, float, bytes]:
        score = survey.scores.get(file.path, 0.0)
        return (
            file.path not in touched,
            -score * (NEAR_WEIGHT if file.path in near else 1.0),
            file.path,
        )

    return sorted([*own, *(file for file in survey.files if file.path not in touched)], key=key)


# The rank of a tree ------------------------------------------------------------------------------


class Survey:
    """What a tree's map is made of: its files in the order of their rank.

    scores: by path. used: by name, how many files use it without defining it. short: the paths of
    short tests that are only counted.
    """

    def __init__(self, files: Sequence[File], rank: Rank) -> None:
        names = {file: pathnames.display(file.path) for file in files}
        told = [file for file in files if names[file] in rank.scores]
        self.scores = {file.path: rank.scores[names[file]] for file in told}
        self.files = sorted(told, key=lambda file: (-self.scores[file.path], file.path))
        self.used = rank.used
        self.short = frozenset(file.path for file in told if names[file] in rank.short)
        self._defining: Mapping[str, Sequence[bytes]] | None = None

    def defining(self, outlines: Outlines, names: Iterable[str]) -> Collection[bytes]:
        """The files that define one of these names."""
        if self._defining is None:
            found: dict[str, list[bytes]] = defaultdict(list)
            for path, outline in outlines.every(self.files).items():
                for name in {symbol.name for symbol in outline.symbols}:
                    found[name].append(path)
            self._defining = dict(found)
        return {path for name in names for path in self._defining.get(name, ())}


def _survey_for(ws: Workspace, view: views.View, touched: int) -> Survey:
    """The survey of what the work under way began with, where it has changed little of that: so a
    step costs no more than its own files, and sessions share what they have in common.
    """
    if view.before is not None and 0 < touched <= MOST_TOUCHED:
        survey = _survey(ws, view.before)
        if touched * LEAST_OTHERS <= len(survey.files):
            return survey
    return _survey(ws, view.tree)


def _survey(ws: Workspace, tree: str) -> Survey:
    kept = shelf.of(ws).surveys
    found = kept.pop(tree, None)
    if not isinstance(found, Survey):
        files = _promising(ws, tree)
        found = Survey(files, _rank(ws, tree, files))
    kept[tree] = found
    while len(kept) > MOST_SURVEYS:
        kept.pop(next(iter(list(kept))), None)  # (another thread may have been quicker)
    return found


def _rank(ws: Workspace, tree: str, files: Sequence[File]) -> Rank:
    """Worked out once for all processes."""
    outlines = shelf.of(ws).outlines
    makers = {outlining.version(pathnames.legible(file.path)) for file in files}
    made_by = digest(*(f"{maker}\n".encode() for maker in sorted(makers))).hex()
    key = f"rank {_FORM} {tree} {made_by}"
    stored = outlines.rank(key)
    rank = _decoded(stored) if stored is not None else None
    if rank is None:
        read = outlines.every(files, ws.progress)
        rank = ranked({path: outline for path, outline in read.items() if outline.language})
        stored = json.dumps([rank.scores, rank.used, sorted(rank.short)]).encode()
        outlines.keep_rank(key, stored)
    return rank


def _decoded(data: bytes) -> Rank | None:
    try:
        scores, used, short = json.loads(data)
    except ValueError:
        return None
    return Rank(scores, used, frozenset(short))


def ranked(outlines: Mapping[bytes, Outline]) -> Rank:
    """How much each file counts, and how many files use each name that one of them defines."""
    defining: dict[str, set[bytes]] = defaultdict(set)
    for path, outline in outlines.items():
        for symbol in outline.symbols:
            if symbol.kind != "heading" and len(symbol.name) >= SHORTEST_NAME:
                defining[symbol.name].add(path)
    using: Counter[str] = Counter()
    for path, outline in outlines.items():
        using.update(name for name in outline.names if path not in defining.get(name, (path,)))
    scores: dict[str, float] = {}
    for path, outline in outlines.items():
        names = {symbol.name for symbol in outline.symbols}
        score = sum(
            sqrt(using[name]) / len(defining[name]) for name in sorted(names) if using[name]
        )
        scores[pathnames.display(path)] = round(_weighed(path, outline, score), 4)
    used = {name: count for name, count in sorted(using.items()) if count}
    return Rank(scores, used, frozenset(_short(outlines)))


def _short(outlines: Mapping[bytes, Outline]) -> Iterable[str]:
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for path, outline in outlines.items():
        if outline.lines <= SHORT_LINES and ranking.is_test(path):
            found[_directory(path)].append(path)
    for paths in found.values():
        if len(paths) > MOST_SHORT:
            yield from map(pathnames.display, paths)


def _weighed(path: bytes, outline: Outline, score: float) -> float:
    if outline.engine != "tree-sitter":
        score += PLAIN_WEIGHT / (1 + path.count(b"/"))
    return score * TEST_WEIGHT if ranking.is_test(path) else score


# Telling -----------------------------------------------------------------------------------------


def _mapped(file: File, outline: Outline, used: Mapping[str, int]) -> Mapped:
    told = _chosen(outline.symbols, used)
    return Mapped(
        oid=file.oid,
        lang=outline.language,
        lines=outline.lines,
        symbols=[defined(symbol) for symbol in told],
        summary=outline.summary,
        omitted=len(outline.symbols) - len(told) or None,
        engine=None if outline.engine == "tree-sitter" else outline.engine,
        **budget.named(file.path),
    )


def defined(symbol: Symbol) -> Defined:
    return Defined(
        symbol.name, symbol.kind, symbol.line, symbol.end, symbol.signature, symbol.parent or None
    )


def _chosen(symbols: Sequence[Symbol], used: Mapping[str, int]) -> Collection[Symbol]:
    """The most used of a file's symbols, those at the top before those inside, as they stand."""

    def key(symbol: Symbol) -> tuple[bool, int, int]:
        nested = bool(symbol.parent) and symbol.kind != "heading"
        return nested, -used.get(symbol.name, 0), symbol.line

    best = sorted(symbols, key=key)[:MOST_SYMBOLS]
    return sorted(best, key=lambda symbol: symbol.line)


def _size(row: Mapped) -> int:
    told = sum(len(symbol.signature) + LINE_BYTES for symbol in row.symbols)
    return len(row.path) + len(row.summary) + told + 2 * LINE_BYTES
