"""What a text must hold for a pattern to match in it: literals, by which an index leaves most out.

The analysis is Russ Cox's of codesearch (https://swtch.com/~rsc/regexp/regexp4.html): of each part
of a pattern, the strings that it can be (where they are few), else those that it begins and ends
with, and what it holds in any case. Where it is in doubt it requires nothing: an index that leaves
out too little is slow, one that leaves out too much is wrong.

Literals are in lower case (ASCII), because the index is. Letters beyond ASCII have other forms of
other lengths under ignore-case, so they require nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from slipstream_git.records import NamedTuple
from slipstream_git.text.regexsyntax import (
    Alternatives,
    Chars,
    Literal,
    Part,
    Repeated,
)

# More strings than this are no longer told one by one.
MOST_STRINGS = 24
# What several classes may be made into, each a string.
MOST_CHARS = 8
LONGEST_STRING = 64
MOST_COPIES = 4


class AllOf(NamedTuple):
    """Each of these is needed."""

    needs: tuple[Need, ...]


class AnyOf(NamedTuple):
    """One of these is needed."""

    needs: tuple[Need, ...]


# A literal, a combination, or None where nothing is needed.
Need = bytes | AllOf | AnyOf | None


class _Known(NamedTuple):
    """What is known of a part. strings: all that it can be, None where they are too many.

    starts, ends: one of these begins (ends) whatever it matches.
    """

    strings: frozenset[bytes] | None
    starts: frozenset[bytes]
    ends: frozenset[bytes]
    need: Need = None


_EMPTY = frozenset((b"",))
_UNKNOWN = _Known(None, _EMPTY, _EMPTY)
_NO_WIDTH = _Known(_EMPTY, _EMPTY, _EMPTY)


def required(part: Part) -> Need:
    """What whatever this part of a pattern matches must hold."""
    return _need_of(_known(part))


def of_literal(text: bytes, *, ignore_case: bool) -> Need:
    """The same of a pattern that is plain text."""
    if not ignore_case:
        return text.lower()
    return all_of(piece for piece in _ascii_pieces(text.lower()))


def _ascii_pieces(text: bytes) -> list[bytes]:
    return bytes(byte if byte < 0x80 else 0x0A for byte in text).split(b"\n")


def all_of(needs: Iterable[Need]) -> Need:
    """What is needed where each of these is."""
    real = _strongest(_distinct(_flat(needs)))
    return AllOf(real) if len(real) > 1 else real[0] if real else None


def any_of(needs: Iterable[Need]) -> Need:
    """What is needed where one of these is: nothing, if one of them needs nothing."""
    real = _distinct(needs)
    if not all(real):
        return None
    return AnyOf(real) if len(real) > 1 else real[0] if real else None


def _flat(needs: Iterable[Need]) -> Iterable[Need]:
    for need in needs:
        if isinstance(need, AllOf):
            yield from _flat(need.needs)
        elif need:
            yield need


def _strongest(needs: Sequence[Need]) -> tuple[Need, ...]:
    """Without the literals that are part of another one."""
    texts = [need for need in needs if isinstance(need, bytes)]
    parts = {a for a in texts for b in texts if a != b and a in b}
    return tuple(need for need in needs if not (isinstance(need, bytes) and need in parts))


def _distinct(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Without a literal twice; combinations are left alone, whose two kinds compare equal."""
    seen: set[bytes] = set()
    found: list[Need] = []
    for need in needs:
        if not isinstance(need, bytes):
            found.append(need)
        elif need not in seen:
            seen.add(need)
            found.append(need)
    return tuple(found)


def _need_of(known: _Known) -> Need:
    if known.strings is not None:
        return any_of(sorted(known.strings))
    starts, ends = any_of(sorted(known.starts)), any_of(sorted(known.ends))
    return all_of((starts, known.need, ends))


def _known(part: Part) -> _Known:
    if isinstance(part, Literal):
        known = _strings((part.text,)) if part.text is not None else _UNKNOWN
    elif isinstance(part, Chars):
        known = _strings(part.chars) if 0 < len(part.chars) <= MOST_CHARS else _UNKNOWN
    elif isinstance(part, Alternatives):
        known = _alternatives([_known(branch) for branch in part.branches])
    elif isinstance(part, Repeated):
        known = _repeated(_known(part.part), part.least, part.most)
    else:
        known = _sequence([_known(piece) for piece in part.parts])
    return known


def _strings(strings: Iterable[bytes]) -> _Known:
    found = frozenset(strings)
    return _Known(found, found, found)


def _alternatives(branches: Sequence[_Known]) -> _Known:
    starts = _union(branch.starts for branch in branches)
    ends = _union(branch.ends for branch in branches)
    strings = [branch.strings for branch in branches]
    if None not in strings:
        together = frozenset[bytes]().union(*(known for known in strings if known is not None))
        if len(together) <= MOST_STRINGS:
            return _Known(together, together, together)
    return _Known(None, starts, ends, any_of(_need_of(branch) for branch in branches))


def _union(sets: Iterable[frozenset[bytes]]) -> frozenset[bytes]:
    together = frozenset[bytes]().union(*sets)
    return together if len(together) <= MOST_STRINGS else _EMPTY


def _repeated(known: _Known, least: int, most: int | None) -> _Known:
    if least == 0:
        if most == 1 and known.strings is not None:
            return _strings(known.strings | _EMPTY)
        return _UNKNOWN
    copies = _sequence([known] * min(least, MOST_COPIES))
    if most == least and least <= MOST_COPIES:
        return copies
    # What is matched begins with so many copies, and ends with as many.
    return _Known(None, copies.starts, copies.ends, _need_of(copies))


def _sequence(pieces: Sequence[_Known]) -> _Known:
    if not pieces:
        return _NO_WIDTH
    first, *rest = pieces
    known = first
    for piece in rest:
        known = _joined(known, piece)
    return known


def _joined(left: _Known, right: _Known) -> _Known:
    if left.strings is not None and right.strings is not None:
        both = _product(left.strings, right.strings)
        if both is not None:
            return _Known(both, both, both)
    starts = left.starts
    if left.strings is not None:
        starts = _product(left.strings, right.starts) or left.strings
    ends = right.ends
    if right.strings is not None:
        ends = _product(left.ends, right.strings) or right.strings
    across = _product(left.ends, right.starts)
    needs = [left.need, right.need]
    if across is not None:
        needs.append(any_of(sorted(across)))
    else:
        needs += [any_of(sorted(left.ends)), any_of(sorted(right.starts))]
    return _Known(None, starts, ends, all_of(needs))


def _product(left: frozenset[bytes], right: frozenset[bytes]) -> frozenset[bytes] | None:
    """Each of one with each of the other behind it; None for too many, or too long."""
    if len(left) * len(right) > MOST_STRINGS:
        return None
    joined = frozenset(a + b for a, b in product(left, right))
    return None if any(len(text) > LONGEST_STRING for text in joined) else joined
