"""`slip search`: the lines of a view that match, the likeliest first, within a budget.

Two engines give the same lines: the index, in processes that live on, and `git grep`, in those that
answer once and where the extra is not installed. What is left out is counted and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from slipstream_git.errors import SlipError
from slipstream_git.excerpts import InFile, Line, Searched
from slipstream_git.reading import budget, listing, shelf, views
from slipstream_git.reading.budget import LINE_BYTES, Budget
from slipstream_git.reading.outlines import File
from slipstream_git.reading.search import ranking
from slipstream_git.reading.search.ranking import Hit
from slipstream_git.readings import Outline
from slipstream_git.records import NamedTuple
from slipstream_git.text import patterns, scopes
from slipstream_git.text.linefinding import Place
from slipstream_git.workspace import Workspace

# Above so many lines no more are looked for: nobody reads them, and all could not be ranked.
MOST_COUNTED = 50_000
MOST_SHOWN = 200
EVERY = 1 << 62
TOKENS = 2000
# So many lines of a file are told before the next file has its turn.
LINES_A_FILE = 5
# In its messages, however it writes the library's name.
_GAVE_UP = "pcre2"


class Request(NamedTuple):
    """What is searched for. most: lines to show. raw: every line, in path order, as `rg` has it.

    context: lines to show around each. counting: only how many lines of which file. tokens: 0 for
    no limit.
    """

    wish: patterns.Wish
    globs: Sequence[str] = ()
    most: int = MOST_SHOWN
    context: int = 0
    counting: bool = False
    raw: bool = False
    tokens: int = TOKENS
    after: str | None = None


class _Harvest(NamedTuple):
    """What an engine found. whole: whether it looked everywhere."""

    hits: list[Hit]
    total: int
    whole: bool
    engine: str


def search(ws: Workspace, wish: views.Wish, request: Request) -> Searched:
    """Lines that match. Raises `usage` for a pattern that cannot be read, with the place."""
    if request.most < 1 or request.context < 0:
        raise SlipError("usage", "--max is at least 1, --context at least 0")
    view = views.choose(ws, wish)
    start = budget.place(view.tree, request.after)
    harvest = _harvest(ws, view, request)
    if not harvest.hits:
        listing.say_if_none(ws, view.tree, request.globs)
    teller = _Teller(ws, view, request)
    ordered = harvest.hits
    told: list[Line] = []
    if request.counting:
        shown, counts = teller.counts(ordered[start:])
    elif request.raw:
        told, counts = teller.every(ordered, start)
        shown = sum(not line.context for line in told)
        _, following = budget.page(harvest.total, start, shown, view.tree)
        return Searched(
            view.tree, told, harvest.total, len(ordered),
            truncated=following is not None or not harvest.whole,
            next=following, engine=harvest.engine, counted="all" if harvest.whole else "some",
            counts=counts, raw=True, session=view.session, rev=view.rev,
        )  # fmt: skip
    else:
        ordered = ranking.ordered(ordered, request.wish, _changed(ws, view))
        told, shown, counts = teller.lines(ordered[start:])
    lines_told = sum(1 + (line.again or 0) for line in told if not line.context)
    _, following = budget.page(len(ordered), start, shown, view.tree)
    partly = not request.counting and lines_told < sum(
        len(hit.rows) for hit in ordered[start:][:shown]
    )
    return Searched(
        view.tree, told, harvest.total, len(ordered),
        truncated=following is not None or partly or not harvest.whole,
        next=following, engine=harvest.engine, counted="all" if harvest.whole else "some",
        counts=counts, session=view.session, rev=view.rev,
    )  # fmt: skip


def files(ws: Workspace, view: views.View, request: Request) -> list[Hit]:
    """The files of a view with lines that match, sorted by path."""
    return _harvest(ws, view, request).hits


def blob_of(ws: Workspace, view: views.View, hit: Hit) -> str | None:
    """The blob of a file that was found in a view."""
    if hit.oid is not None:
        return hit.oid
    entry = ws.repository.trees.leaf(view.tree, hit.path)
    return None if entry is None else entry.oid


def _changed(ws: Workspace, view: views.View) -> frozenset[bytes]:
    if view.before is None or view.before == view.tree:
        return frozenset()
    differing = ws.repository.trees.differences(view.before, view.tree)
    return frozenset(item.path for item in differing)


# Engines -----------------------------------------------------------------------------------------


def _harvest(ws: Workspace, view: views.View, request: Request) -> _Harvest:
    wanted = scopes.compile_globs(request.globs) if request.globs else None
    if ws.repository.stays_open:
        found = _by_index(ws, view, request, wanted)
        return found or _by_git(ws, view, request, wanted)
    try:
        return _by_git(ws, view, request, wanted)
    except SlipError as fault:
        # git's engine gives up where it would take too long, and does not know all of the syntax.
        found = _by_index(ws, view, request, wanted) if _GAVE_UP in fault.message.lower() else None
        if found is None:
            raise
        return found


def _by_index(
    ws: Workspace, view: views.View, request: Request, wanted: Callable[[bytes], bool] | None
) -> _Harvest | None:
    """None without the libraries, without a place for an index, and while others are at it."""
    try:
        pattern = patterns.compile_pattern(request.wish)
        located = shelf.of(ws).located(view.tree, view.before, ws.progress)
    except (ImportError, OSError):
        return None
    from slipstream_git.reading.search import scanning

    hits, total, whole = _taken(scanning.scan(located, pattern, wanted), request)
    return _Harvest(hits, total, whole, pattern.engine)


def _by_git(
    ws: Workspace, view: views.View, request: Request, wanted: Callable[[bytes], bool] | None
) -> _Harvest:
    """`git grep` of the tree, which is written for it where it is in memory alone."""
    from slipstream_git.reading.search import gitgrep

    patterns.check(request.wish)
    under = scopes.literal_prefix(request.globs)
    try:
        found = gitgrep.scan(ws.repository, view.tree, view.commit, request.wish, under)
        hits = (hit for hit in found if wanted is None or wanted(hit.path))
        taken, total, whole = _taken(hits, request)
    except SlipError as fault:
        with suppress(ImportError):
            patterns.compile_pattern(request.wish)  # it knows the place of a fault
        said = fault.message.partition("-e option, ")[2].rpartition("': ")[2]
        raise patterns.unreadable(request.wish.pattern, said) if said else fault from None
    return _Harvest(taken, total, whole, "git")


def _taken(hits: Iterable[Hit], request: Request) -> tuple[list[Hit], int, bool]:
    """Files sorted by path, how many lines they have, and whether these are all."""
    found: list[Hit] = []
    total = 0
    # With no limit to what is told, there is none to what is looked for.
    most = MOST_COUNTED if request.tokens or not request.raw else float("inf")
    whole = True
    for hit in hits:
        found.append(hit)
        total += len(hit.rows)
        if total >= most and not request.counting:
            whole = False
            break
    found.sort(key=lambda hit: hit.path)
    return found, total, whole


# Telling -----------------------------------------------------------------------------------------


class _Teller:
    """Turns hits into lines, as far as the budget goes."""

    def __init__(self, ws: Workspace, view: views.View, request: Request) -> None:
        self._ws = ws
        self._view = view
        self._request = request
        self._room = Budget(request.tokens)
        self._left = request.most
        self._pattern: Place | None = None

    def counts(self, hits: Sequence[Hit]) -> tuple[int, list[InFile]]:
        told = []
        for hit in hits:
            row = InFile(lines=len(hit.rows), **budget.named(hit.path))
            if not self._room.take(len(row.path) + LINE_BYTES):
                break
            told.append(row)
        return len(told), told

    def lines(self, hits: Sequence[Hit]) -> tuple[list[Line], int, list[InFile]]:
        """Lines, from how many files, and how many match in each of these."""
        told: list[Line] = []
        counts: list[InFile] = []
        for hit in hits:
            rows = self._best(hit)
            size = len(hit.path) + sum(len(row.text) + LINE_BYTES for row in rows)
            if self._left <= 0 or not self._room.take(size):
                break
            self._left -= sum(not row.context for row in rows)
            told += rows
            counts.append(InFile(lines=len(hit.rows), **budget.named(hit.path)))
        return told, len(counts), counts

    def every(self, hits: Sequence[Hit], start: int) -> tuple[list[Line], list[InFile]]:
        """Lines in the order of paths but the first ``start``, and how many each file has."""
        told: list[Line] = []
        counts: list[InFile] = []
        passed = 0
        for hit in hits:
            passed += len(hit.rows)
            if passed <= start:
                continue
            rows = hit.rows[len(hit.rows) - (passed - max(start, passed - len(hit.rows))) :]
            size = len(hit.path) + sum(len(text) + LINE_BYTES for _, text in rows)
            whole = len(rows) <= self._left and self._room.take(size)
            if not whole:
                rows = [row for row in rows[: self._left] if self._room.take(len(row[1]))]
            told += self._around(hit, rows, None)
            counts.append(InFile(lines=len(hit.rows), **budget.named(hit.path)))
            self._left -= len(rows)
            if not whole:
                break
        return told, counts

    def _best(self, hit: Hit) -> list[Line]:
        """A few lines of a file: the likeliest, each text once, in the order of the file."""
        outline = self._outline(hit)
        most = min(LINES_A_FILE, self._left)
        chosen: dict[bytes, tuple[int, bytes, int]] = {}
        for number, text in ranking.lines(hit, self._request.wish, outline):
            key = text.strip()
            if key in chosen:
                first, shown, times = chosen[key]
                chosen[key] = first, shown, times + 1
            elif len(chosen) < most:
                chosen[key] = number, text, 0
        again = {number: times for number, _, times in chosen.values()}
        rows = sorted((number, text) for number, text, _ in chosen.values())
        told = self._around(hit, rows, outline)
        return [row._replace(again=again.get(row.line) or None) for row in told]

    def _outline(self, hit: Hit) -> Outline | None:
        oid = blob_of(self._ws, self._view, hit)
        return None if oid is None else shelf.of(self._ws).outlines.of(File(hit.path, oid))

    def _around(
        self, hit: Hit, rows: Sequence[tuple[int, bytes]], outline: Outline | None
    ) -> list[Line]:
        """These lines, and those near them where context is asked for."""
        near = self._request.context
        if not near:
            return [self._line(hit.path, number, text, outline) for number, text in rows]
        oid = blob_of(self._ws, self._view, hit)
        every = shelf.of(self._ws).text(oid).split(b"\n") if oid else []
        if every and not every[-1]:
            every.pop()
        matching = {number for number, _ in hit.rows}
        wanted = sorted(
            {
                line
                for number, _ in rows
                for line in range(max(number - near, 1), min(number + near, len(every)) + 1)
            }
        )
        told = []
        for number in wanted:
            line = self._line(hit.path, number, every[number - 1], outline)
            told.append(line if number in matching else line._replace(symbol=None, context=True))
        return told

    def _line(self, path: bytes, number: int, text: bytes, outline: Outline | None) -> Line:
        text = text.removesuffix(b"\r")
        at = -1
        if self._request.raw:
            shown = budget.Excerpt(*budget.text_of(text))
        else:
            at = self._place(text) if len(text) > budget.LONGEST_LINE else -1
            shown = budget.excerpt(text, at)
        return Line(
            line=number,
            text=shown.text,
            symbol=None if outline is None else outline.enclosing(number),
            cut=shown.cut,
            column=at + 1 or None,
            lossy=shown.lossy,
            **budget.named(path),
        )

    def _place(self, text: bytes) -> int:
        """Where a long line matches, if that can be told; -1 if not."""
        if self._pattern is None:
            try:
                self._pattern = patterns.compile_pattern(self._request.wish).place
            except (ImportError, SlipError):  # git took it; the libraries are missing, or do not
                self._pattern = _nowhere
        return self._pattern(text)


def _nowhere(_text: bytes) -> int:
    return -1
