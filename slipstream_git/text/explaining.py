"""Why an `old` was not found: the nearest lines, the first difference, the text to use instead.

Read by people and by models that will try again, so what the eye misses is made plain: tabs,
trailing blanks, line endings, characters that look alike. The work is bounded (under a second on
10 MB), it never raises, and nothing here is ever applied: a guess is shown, not made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from slipstream_git.records import NamedTuple
from slipstream_git.text.matching import Span, find, lines, lines_at

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
