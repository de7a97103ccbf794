"""Where ``old`` occurs in a file, what to write in its place, and what to say when it does not.

Two levels, the first with a match decides: the exact bytes; then the bytes with CRLF and LF taken
as equal. Nothing looser is ever matched. What is *said* about a failed match is looser: the
nearest lines, the first difference made visible, and the exact text to use where only blanks or
look-alike characters differ. Agents that are told this mend the op in one more try; those told
"not found" repeat it (field notes of such tools: up to seventeen times).

A line ends with LF or CRLF. A lone CR, a form feed, U+0085 and U+2028 are characters of a line.
Files may be of any size; nothing here loops over their bytes in Python.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, Literal, NamedTuple

Span = tuple[int, int]
Level = Literal["exact", "eol"]

_BINARY_WINDOW_BYTES: Final = 8000  # git: xdiff-interface.c, FIRST_FEW_BYTES


class Found(NamedTuple):
    """Every occurrence, overlapping ones too, as byte ranges ``[start, end)`` in order."""

    level: Level
    spans: tuple[Span, ...]


def is_binary(data: bytes) -> bool:
    """As git judges: a NUL in the first 8000 bytes."""
    return b"\0" in data[:_BINARY_WINDOW_BYTES]


def lines(data: bytes) -> list[bytes]:
    """Split after each LF; the pieces joined are the data again."""
    pieces = [piece + b"\n" for piece in data.split(b"\n")]
    pieces[-1] = pieces[-1][:-1]
    return pieces if pieces[-1] else pieces[:-1]


# --- finding --------------------------------------------------------------------------------------


def find(data: bytes, old: bytes) -> Found:
    """Where ``old`` occurs; no spans at level ``exact`` where it does not (or is empty).

    No span begins in the middle of a CRLF pair: an ``old`` that begins with LF matches the pair as
    a whole, at level ``eol``.
    """
    exact = [at for at in _occurrences(data, old) if data[at - 1 : at + 1] != b"\r\n"]
    if exact:
        return Found("exact", tuple((start, start + len(old)) for start in exact))
    if b"\n" in old and (b"\r\n" in old or b"\r\n" in data):
        spans = _found_by_lines(data, old)
        if spans:
            return Found("eol", spans)
    return Found("exact", ())


def _occurrences(data: bytes, old: bytes) -> list[int]:
    starts: list[int] = []
    at = data.find(old) if old else -1
    while at >= 0:
        starts.append(at)
        at = data.find(old, at + 1)
    return starts


def _found_by_lines(data: bytes, old: bytes) -> tuple[Span, ...]:
    wanted = old.replace(b"\r\n", b"\n")
    starts = _occurrences(data.replace(b"\r\n", b"\n"), wanted)
    if not starts:
        return ()
    # In the normalised text the k-th pair is one LF, k bytes further left than its CR was.
    pairs = re.finditer(rb"\r\n", data)
    line_feeds = [pair.start() - index for index, pair in enumerate(pairs)]

    def original(offset: int) -> int:
        return offset + bisect_left(line_feeds, offset)

    return tuple((original(start), original(start + len(wanted))) for start in starts)


# --- writing in the file's own line endings -------------------------------------------------------


class _Line(NamedTuple):
    text: bytes
    end: bytes  # b"\n", b"\r\n", or b"" for what follows the last line end


class _Place(NamedTuple):
    """All that decides how ``new`` is written at a span."""

    region: bytes
    in_pair: bool  # the span begins between a CR and its LF
    ending: bytes  # of the line the span stands on; b"" in a file of one line


def adapt(data: bytes, span: Span, new: bytes, level: Level) -> bytes:
    """The bytes to write for ``new`` at a span of ``find``, in the line endings of the file.

    A line of ``new`` takes the ending of the matched line that it stands for: those that begin
    and end both texts alike, and the ones between where they are as many. Other lines take
    the ending of the first matched line; where the match holds none, that of the line
    it stands on; an empty span at the start of a line, that of the line before.
    At level ``exact`` a CRLF written in ``new`` stays. A file of one line says nothing, and
    ``new`` stays as it is.
    """
    return adapt_all(data, (span,), new, level)[0]


def adapt_all(data: bytes, spans: Sequence[Span], new: bytes, level: Level) -> list[bytes]:
    """``adapt`` for many spans in order, at the cost of one pass over the file."""
    if b"\n" not in new:
        return [new] * len(spans)
    written: dict[_Place, bytes] = {}
    out = []
    for place in _places(data, spans):
        if place not in written:
            written[place] = _written(place, new, level)
        out.append(written[place])
    return out


def _places(data: bytes, spans: Sequence[Span]) -> Iterator[_Place]:
    # The first LF at or after the span and what it ends; kept, since lines may be very long.
    line_feed, ending = -1, b""
    for start, end in spans:
        if line_feed < start:
            line_feed = data.find(b"\n", start)
            line_feed = len(data) if line_feed < 0 else line_feed
            ending = _ending_at(data, line_feed)
        before = data[max(0, start - 1) : start]
        if start == end and before == b"\n":
            yield _Place(b"", in_pair=False, ending=_ending_at(data, start - 1))
        else:
            in_pair = before == b"\r" and data[start:end].startswith(b"\n")
            yield _Place(data[start:end], in_pair, ending)


def _ending_at(data: bytes, line_feed: int) -> bytes:
    """The line end whose LF is there; at the end of the file, the last one of all."""
    if line_feed == len(data):
        line_feed = data.rfind(b"\n")
    if line_feed < 0:
        return b""
    return b"\r\n" if line_feed and data[line_feed - 1] == ord("\r") else b"\n"


def _written(place: _Place, new: bytes, level: Level) -> bytes:
    matched = _split(place.region)
    if place.in_pair:
        matched[0] = matched[0]._replace(end=b"\r\n")
    wanted = _split(new)
    default = next((line.end for line in matched if line.end), place.ending)
    styles = _styles(matched, wanted, default)
    written = b"".join(
        line.text + _end_of(line.end, style, level)
        for line, style in zip(wanted, styles, strict=True)
    )
    # The CR of the pair is before the span, and stays there.
    return written[1:] if place.in_pair and written.startswith(b"\r\n") else written


def _end_of(given: bytes, style: bytes, level: Level) -> bytes:
    if not given or not style or (level == "exact" and given == b"\r\n"):
        return given
    return style


def _split(text: bytes) -> list[_Line]:
    """At least one line; the last one, and only it, has no end."""
    *ended, rest = text.split(b"\n")
    whole = [
        _Line(line[:-1], b"\r\n") if line.endswith(b"\r") else _Line(line, b"\n") for line in ended
    ]
    return [*whole, _Line(rest, b"")]


def _styles(matched: list[_Line], wanted: list[_Line], default: bytes) -> list[bytes]:
    """For each wanted line the line end that the file would give it."""
    head = _alike(matched, wanted)
    room = min(len(matched), len(wanted)) - head
    tail = min(room, _alike(matched[::-1], wanted[::-1]))
    ends = [line.end or default for line in matched]
    middle = ends[head : len(ends) - tail]
    count = len(wanted) - head - tail
    if len(middle) != count:
        middle = [default] * count
    return ends[:head] + middle + ends[len(ends) - tail :]


def _alike(left: list[_Line], right: list[_Line]) -> int:
    """How many lines the two begin with in common, line ends apart."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one.text != other.text or bool(one.end) != bool(other.end):
            break
        count += 1
    return count


def replace(data: bytes, spans: Sequence[Span], replacements: Sequence[bytes]) -> bytes:
    """The data with each span replaced; ``ValueError`` where spans overlap or are out of order."""
    pieces = []
    done = 0
    for (start, end), replacement in zip(spans, replacements, strict=True):
        if not done <= start <= end <= len(data):
            raise ValueError(f"span {start}..{end} overlaps another or is out of order")
        pieces += [data[done:start], replacement]
        done = end
    pieces.append(data[done:])
    return b"".join(pieces)


# --- line numbers ---------------------------------------------------------------------------------


def line_at(data: bytes, offset: int) -> int:
    """The number, from 1, of the line that the byte at ``offset`` is on."""
    return data.count(b"\n", 0, offset) + 1


def lines_at(data: bytes, offsets: Sequence[int]) -> list[int]:
    """``line_at`` for offsets in ascending order, at the cost of one pass."""
    numbers = []
    line, done = 1, 0
    for offset in offsets:
        line += data.count(b"\n", done, offset)
        numbers.append(line)
        done = offset
    return numbers


def line_ranges(
    data: bytes, spans: Sequence[Span], replacements: Sequence[bytes]
) -> list[tuple[int, int]]:
    """Where each replacement stands in the *result* of ``replace``: first and last line, from 1.

    A deletion gives ``(a, a)``: the line that now stands there, or the last one.
    """
    ranges = []
    shift = 0
    starts = lines_at(data, [start for start, _ in spans])
    for line, (start, end), text in zip(starts, spans, replacements, strict=True):
        first = line + shift
        added = text.count(b"\n")
        ranges.append((first, first + added - (1 if text.endswith(b"\n") else 0)))
        shift += added - data.count(b"\n", start, end)
    total = data.count(b"\n") + shift + (0 if _ends_line(data, spans, replacements) else 1)
    last = max(total, 1)
    return [(min(first, last), min(final, last)) for first, final in ranges]


def _ends_line(data: bytes, spans: Sequence[Span], replacements: Sequence[bytes]) -> bool:
    """Whether the result ends with LF (or is empty)."""
    end = len(data)
    for (start, stop), text in zip(reversed(spans), reversed(replacements), strict=True):
        if stop != end:
            break
        if text:
            return text.endswith(b"\n")
        end = start
    return end == 0 or data[end - 1] == ord("\n")


# --- explaining a failed match --------------------------------------------------------------------

MAX_NEAREST: Final = 3
MAX_TEXT_LINES: Final = 40
MAX_TEXT_CHARS: Final = 4000
_MAX_SCAN_BYTES: Final = 16_000_000
_MAX_CLUES: Final = 16
_FEW_LINES: Final = 4
_MAX_HITS: Final = 50
_MAX_WINDOWS: Final = 8
_MAX_RATIOS: Final = 8  # difflib's, a window
_LINE_CHARS: Final = 160
_SMALL_FILE_LINES: Final = 400
_LEAST_SCORE: Final = 0.3

_WORD = re.compile(rb"[\w\x80-\xff]{3,}")
_PART = re.compile(rb"[A-Za-z0-9\x80-\xff]{3,}")  # of_a_name
_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BLANK_CHARS = " \t\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
# What stands beside a character in other scripts and in what word processors make of it.
_ALIKE: Final = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u00b4\u02bc`",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "*": "\u2217", "/": "\u2215\u2044",
    ":": "\u2236", ";": "\u037e", "|": "\u2223", "~": "\u223c", "<": "\u2039", ">": "\u203a",
    "a": "\u0430\u03b1", "c": "\u0441\u03f2", "d": "\u0501", "e": "\u0435", "g": "\u0261",
    "h": "\u04bb", "i": "\u0456\u03b9", "j": "\u0458", "k": "\u03ba", "l": "\u04cf",
    "n": "\u0578", "o": "\u043e\u03bf\u0585", "p": "\u0440\u03c1", "q": "\u051b", "s": "\u0455",
    "u": "\u03c5", "v": "\u03bd", "w": "\u051d", "x": "\u0445\u03c7", "y": "\u0443\u03b3",
    "A": "\u0410\u0391", "B": "\u0412\u0392", "C": "\u0421\u03f9", "E": "\u0415\u0395",
    "G": "\u050c", "H": "\u041d\u0397", "I": "\u0406\u0399\u04c0", "J": "\u0408",
    "K": "\u041a\u039a", "M": "\u041c\u039c", "N": "\u039d", "O": "\u041e\u039f",
    "P": "\u0420\u03a1", "Q": "\u051a", "S": "\u0405", "T": "\u0422\u03a4", "V": "\u0474",
    "W": "\u051c", "X": "\u0425\u03a7", "Y": "\u0423\u03a5\u04ae", "Z": "\u0396",
}  # fmt: skip
_PLAIN: Final = {other: plain for plain, others in _ALIKE.items() for other in others}
_LETTERS_ALIKE = re.compile("[" + "".join(o for o in _PLAIN if o.isalpha() and o != "\u02bc") + "]")
_NAMED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f→·\u00ad\u0300-\u036f\u061c\u200b-\u200f\u2028-\u202e"
    f"\u2060-\u206f\ufeff\uff01-\uff5e\ud800-\udfff{_BLANKS}"
    + "".join(re.escape(other) for other in _PLAIN if not other.isalpha() and other != "`")
    + "\u02bc…]"
)


class _Window(NamedTuple):
    """A stretch of the file that may be what ``old`` meant: a byte range, and its first line."""

    start: int
    end: int
    first: int  # from 1
    score: float


def visible(text: str, *, letters: bool = True) -> str:
    """The text with what the eye misses made plain.

    Tabs are ``→``, blanks at the end of a line ``·``, and controls, unusual blanks, quotes and
    dashes, accents of their own, and (``letters``) letters of other scripts that look Latin are
    named: ``<U+00A0>``. A byte that is not UTF-8 (surrogate-escaped) is ``<0xE9>``.
    """
    return _blanks_shown(_odd_named(text, letters=letters))


def _odd_named(text: str, *, letters: bool) -> str:
    text = _NAMED.sub(_named, text)
    return _LETTERS_ALIKE.sub(_named, text) if letters else text


def _blanks_shown(text: str) -> str:
    shown = []
    for line in text.replace("\t", "→").split("\n"):
        body = line.rstrip(" →")
        shown.append(body + line[len(body) :].replace(" ", "·"))
    return "\n".join(shown)


def _named(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] == "\r":
        return "<CR>"
    return f"<0x{code - 0xDC00:02X}>" if 0xDC80 <= code <= 0xDCFF else f"<U+{code:04X}>"


def explain_no_match(data: bytes, old: bytes, near_line: int | None = None) -> dict[str, object]:
    """Why ``find`` came back empty, as JSON values. Bounded in time and size; never raises.

    ``nearest``: up to three of ``{start, end, text, score}``, the best first (1.0 is all alike;
    a tie goes to the one by ``near_line``).
    ``first_difference``: ``{line, expected, found}`` in the best of them, made ``visible``.
    ``use_instead``: the file's own text, where exactly one place differs from ``old`` in nothing
    but blanks and look-alikes. It occurs in the file exactly once.
    Either of the last two is left out where there is none. Of a file over 16 MB only the first
    16 MB are looked at.
    """
    data = data[:_MAX_SCAN_BYTES]
    windows = _nearest(data, old, near_line) if old.strip() else []
    answer: dict[str, object] = {"nearest": [_shown(data, window) for window in windows]}
    if windows:
        difference = _first_difference(data, old, windows[0])
        if difference:
            answer["first_difference"] = difference
    instead = _use_instead(data, old, windows)
    if instead is not None:
        answer["use_instead"] = instead
    return answer


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _shown(data: bytes, window: _Window) -> dict[str, object]:
    text = data[window.start : window.end].decode("utf-8", "replace")
    text = "\n".join(text.split("\n")[:MAX_TEXT_LINES])[:MAX_TEXT_CHARS]
    final = window.first + data.count(b"\n", window.start, max(window.start, window.end - 1))
    return {"start": window.first, "end": final, "text": text, "score": round(window.score, 2)}


# The text to use instead.


def _use_instead(data: bytes, old: bytes, windows: list[_Window]) -> str | None:
    """Looked for in the nearest windows only: over the whole file a pattern has no time bound."""
    if len(old) > MAX_TEXT_CHARS:
        return None
    try:
        wanted = old.decode()
    except UnicodeDecodeError:
        return None
    found = {place for window in windows for place in _loose_texts(data, window, wanted)}
    if len(found) != 1:
        return None
    (_, instead) = found.pop()
    return instead if len(find(data, instead.encode()).spans) == 1 else None


def _loose_texts(data: bytes, window: _Window, wanted: str) -> list[tuple[int, str]]:
    """Byte offset and text of each place around a window that is ``wanted`` but for looks."""
    reach = len(wanted) + 2 * _LINE_CHARS
    start = data.rfind(b"\n", max(0, window.start - reach), window.start) + 1
    start = start or max(0, window.start - reach)
    # Half a character at either edge of a very long line is let go.
    text = data[start : window.start + 2 * reach].decode("utf-8", "ignore")
    return [
        (start + len(text[:begin].encode()), text[begin:end])
        for begin, end in _loose_places(text, wanted)
    ]


def _loose_places(text: str, wanted: str) -> list[Span]:
    """Where ``wanted`` stands if blanks and look-alikes count for nothing."""
    import unicodedata

    plain = unicodedata.normalize("NFC", "".join(map(_folded, wanted)))
    body = plain.lstrip()
    if not body:
        return []
    lead = plain[: len(plain) - len(body)]
    found = islice(_loosely(body, text).finditer(text), _MAX_HITS)
    places = ((_with_lead(text, match.start(), lead), match.end()) for match in found)
    return [(start, end) for start, end in places if start is not None]


def _with_lead(text: str, start: int, lead: str) -> int | None:
    """Where the blanks before ``start`` begin, if they hold as many line ends as ``lead``."""
    if not lead:
        return start
    rest = text[:start]
    for _ in range(lead.count("\n")):
        rest = rest.rstrip(_BLANK_CHARS)
        if not rest.endswith("\n"):
            return None
        rest = rest.removesuffix("\n").removesuffix("\r")
    if lead[0] not in "\r\n":
        rest = rest.rstrip(_BLANK_CHARS)
    return len(rest)


def _loosely(body: str, text: str) -> re.Pattern[str]:
    """A pattern for ``body``, which begins with no blank.

    Runs of blanks are possessive, so that no run is ever tried twice.
    """
    between = f"[{_UNSEEN}]*+" if any(unseen in text for unseen in _UNSEEN) else ""
    words = [word for word in re.split(r"(\s+)", body) if word]
    pieces = [
        _blanks(word, final=index == len(words) - 1)
        if word.isspace()
        else between.join(map(_any_of, re.findall(r"\.{3}|.", word)))
        for index, word in enumerate(words)
    ]
    return re.compile(between.join(pieces))


def _folded(char: str) -> str:
    import unicodedata

    if char in _UNSEEN:
        return ""
    return _PLAIN.get(char) or unicodedata.normalize("NFKC", char)


def _blanks(run: str, *, final: bool) -> str:
    blank = rf"[ \t{_BLANKS}]"
    breaks = run.count("\n")
    if not breaks:
        return f"{blank}*+" if final else f"{blank}++"
    if final and run.endswith("\n"):
        return rf"(?:{blank}*+\r?\n){{{breaks}}}"
    return rf"{blank}*+(?:\r?\n{blank}*+){{{breaks}}}"


def _any_of(char: str) -> str:
    """The character or any that looks like it; a letter with accents in either normal form."""
    import unicodedata

    if not char.isascii():
        apart = unicodedata.normalize("NFD", char)
        return re.escape(char) if apart == char else f"(?:{re.escape(char)}|{re.escape(apart)})"
    if char == "...":
        return r"(?:\.{3}|…)"
    return f"[{re.escape(char + _ALIKE.get(char, '') + chr(ord(char) + 0xFEE0))}]"


# The nearest windows.


def _nearest(data: bytes, old: bytes, near_line: int | None) -> list[_Window]:
    windows = [_scored(data, old, window) for window in _candidates(data, old, near_line)]
    likely = [window for window in windows if window.score >= _LEAST_SCORE]
    away = near_line or 0
    likely.sort(key=lambda window: (-round(window.score, 2), abs(window.first - away)))
    best: list[_Window] = []
    for window in likely:
        if all(window.end <= other.start or other.end <= window.start for other in best):
            best.append(window)
    return best[:MAX_NEAREST]


def _candidates(data: bytes, old: bytes, near_line: int | None) -> list[_Window]:
    """Where ``old`` may have been meant, the likeliest first.

    Each clue (a line of ``old``, a word of it) votes for the place where ``old`` would begin if
    the clue were right, and a rare clue has the stronger vote.
    """
    head = b"\n".join(old[:MAX_TEXT_CHARS].split(b"\n")[:MAX_TEXT_LINES])
    hits = sorted(
        (hit, at, len(clue) / len(found))
        for at, clue in _clues(head)
        for found in (_hits(data, clue),)
        for hit in found
    )
    numbers = lines_at(data, [hit for hit, _, _ in hits])
    votes: dict[_Window, float] = {}
    for number, (hit, at, weight) in zip(numbers, hits, strict=True):
        window = _window(data, old, number, hit, at)
        votes[window] = votes.get(window, 0.0) + weight
    for window in _without_clues(data, old, near_line, any_clue=bool(votes)):
        votes.setdefault(window, 0.0)
    away = near_line or 0
    ranked = sorted(votes, key=lambda window: (-votes[window], abs(window.first - away), window))
    return ranked[: _MAX_WINDOWS if hits else _SMALL_FILE_LINES]


def _without_clues(
    data: bytes, old: bytes, near_line: int | None, *, any_clue: bool
) -> Iterator[_Window]:
    """The line that the author named; and, with no clue at all, every line of a small file."""
    total = data.count(b"\n") + 1
    if near_line is not None and 0 < near_line <= total:
        yield _window(data, old, near_line, _offset_of(data, near_line), 0)
    if not any_clue and total * min(_MAX_RATIOS, old.count(b"\n") + 1) <= _SMALL_FILE_LINES:
        offset = 0
        for number, line in enumerate(lines(data), 1):
            yield _window(data, old, number, offset, 0)
            offset += len(line)


def _offset_of(data: bytes, line: int) -> int:
    """Where a line that is there begins. By halving, since lines may be millions."""
    low, high, wanted = 0, len(data), line - 1
    while wanted and high - low > 1:
        middle = (low + high) // 2
        count = data.count(b"\n", low, middle)
        if count < wanted:
            low, wanted = middle, wanted - count
        else:
            high = middle
    return high if wanted else low


def _hits(data: bytes, clue: bytes) -> list[int]:
    """Where the clue stands; the first of them, if that is nearly everywhere and tells little."""
    hits: list[int] = []
    at = data.find(clue)
    while at >= 0 and len(hits) <= _MAX_HITS:
        hits.append(at)
        at = data.find(clue, at + len(clue))
    return hits[:_MAX_HITS]


def _clues(head: bytes) -> list[tuple[int, bytes]]:
    """The longest lines and words of ``head``, with their offsets in it."""
    whole = [(found.start(), found[0]) for found in re.finditer(rb"[^\s][^\n\r]*[^\s]", head)]
    words = [(m.start(), m[0]) for pattern in (_WORD, _PART) for m in pattern.finditer(head)]
    if len(whole) <= _FEW_LINES:  # then a slip of the pen may be in each; half a line is without
        whole += [
            piece
            for at, line in whole
            for half in (len(line) // 2,)
            for piece in ((at, line[:half]), (at + half, line[half:]))
            if half > 3
        ]
    unique = {clue: at for at, clue in reversed(whole + words)}
    longest = sorted(unique, key=lambda clue: (-len(clue), clue))
    chosen = longest[: _MAX_CLUES // 2]
    parts = {clue for _, clue in words}
    chosen += [clue for clue in longest if clue in parts and clue not in chosen][: _MAX_CLUES // 2]
    return [(unique[clue], clue) for clue in chosen]


def _window(data: bytes, old: bytes, number: int, hit: int, at: int) -> _Window:
    """As many whole lines as ``old`` has, if the clue ``at`` its offset is the ``hit`` in the file.

    Of very long lines only what would stand there.
    """
    before = old.count(b"\n", 0, at)
    start = hit
    for _ in range(before + 1):
        start = data.rfind(b"\n", 0, max(start, 0))
    start += 1
    end = start
    for _ in range(min(old.count(b"\n", 0, len(old) - 1) + 1, MAX_TEXT_LINES)):
        end = data.find(b"\n", end) + 1 or len(data)
    if end - start > 2 * MAX_TEXT_CHARS:
        start = max(start, hit - at)
        end = min(end, start + min(len(old), MAX_TEXT_CHARS))
    return _Window(start, end, max(1, number - before), 0.0)


def _scored(data: bytes, old: bytes, window: _Window) -> _Window:
    ours = _comparable(old)
    theirs = _comparable(data[window.start : window.end])
    return window._replace(score=_likeness(ours, theirs))


def _comparable(text: bytes) -> list[str]:
    cut = _text(text[:MAX_TEXT_CHARS].rstrip(b"\r\n")).split("\n")[:MAX_TEXT_LINES]
    return [line.strip()[:_LINE_CHARS] for line in cut]


def _likeness(ours: list[str], theirs: list[str]) -> float:
    """The share of characters alike, 0 to 1, lines being paired first."""
    from difflib import SequenceMatcher

    alike = 0.0
    ratios = 0
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            alike += sum(2 * len(line) + 2 for line in ours[a:b])
        elif tag == "replace":
            for one, other in zip(ours[a:b], theirs[c:d], strict=False):
                if ratios < _MAX_RATIOS:
                    ratios += 1
                    ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
                    alike += ratio * (len(one) + len(other) + 2)
    total = sum(len(line) + 1 for line in ours + theirs)
    return alike / total


# The first difference.


def _first_difference(data: bytes, old: bytes, window: _Window) -> dict[str, object] | None:
    ours = _text(old[:MAX_TEXT_CHARS]).replace("\r\n", "\n").split("\n")
    theirs = _text(data[window.start : window.end]).replace("\r\n", "\n").split("\n")
    if not ours[-1]:
        ours.pop()
    for index, expected in enumerate(ours):
        found = theirs[index] if index < len(theirs) else ""
        first, last = index == 0, index == len(ours) - 1
        if not _fits(expected, found, first=first, last=last and not old.endswith(b"\n")):
            line = window.first + index
            return {"line": line, **_side_by_side(expected, found)}
    return None


def _fits(expected: str, found: str, *, first: bool, last: bool) -> bool:
    """Whether this line is no obstacle: ``old`` may begin and end in the middle of a line."""
    if first and last:
        return expected in found
    if first:
        return found.endswith(expected)
    return found.startswith(expected) if last else expected == found


def _side_by_side(expected: str, found: str) -> dict[str, object]:
    """Both lines made visible, around where they part."""
    head = _common_prefix(expected, found)
    tail = _common_prefix(expected[head:][::-1], found[head:][::-1])
    cut = max(0, head - _LINE_CHARS // 2)
    return {
        "expected": _marked(expected, cut, head, len(expected) - tail),
        "found": _marked(found, cut, head, len(found) - tail),
    }


def _common_prefix(left: str, right: str) -> int:
    """By halving, since a line may be very long."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left.startswith(right[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _marked(line: str, cut: int, start: int, end: int) -> str:
    """Foreign letters are named only where the lines differ, so that Russian stays legible."""
    stop = cut + _LINE_CHARS
    middle = min(end, stop)
    named = (
        _odd_named(line[cut:start], letters=False)
        + _odd_named(line[start:middle], letters=True)
        + _odd_named(line[middle:stop], letters=False)
    )
    return ("…" if cut else "") + _blanks_shown(named + ("…" if len(line) > stop else ""))
