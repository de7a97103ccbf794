"""Whether a text was drawn at random, as keys are, or written by a person, as names are.

Three measures, each of which people and machines cross in different directions: how evenly the
characters are spread (Shannon's entropy), how often letters, digits and cases take turns, and how
many of the pairs of letters are those that words are made of. None of them is enough alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import Final

# Pairs of letters that make up two thirds of English text and of the names in programs; of letters
# drawn at random every fifth pair is among them.
_PAIRS: Final = frozenset(
    (
        b"ab ac ad ag ai al am an ap ar as at ay be bl br bu ca ce ch ck cl co cr ct da de di "
        b"do ea ec ed ee el em en ep er es et ev ew ex ey ff fi fo fr ga ge gi go gr ha he hi "
        b"ho hu ia ic id ie if ig il im in io ir is it ju ke la ld le li ll lo lu ly ma me mi "
        b"mo mp na nd ne ng ni no ns nt od of ol om on oo op or os ot ou ow pa pe pl po pp pr "
        b"ra re ri ro rs rt ry sa sc se sh si so sp ss st su sw ta te th ti to tr ts tt tu ty "
        b"uc ue ul un up ur us ut va ve vi vo wa we wi wo ye yo "
    ).split()
)
_LETTERS: Final = re.compile(rb"[A-Za-z]{2,}")
_UUID: Final = re.compile(
    rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_OF_HEX: Final = b"0123456789abcdefABCDEF._-"
_HEX: Final = re.compile(rb"(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)\Z")
# What people write where a value should stand, and what programs put one in the place of.
_STAND_INS: Final = tuple(
    b"... *** xxxx example changeme change-me change_me changeit placeholder your dummy fake sample"
    b" redacted insert replace foobar lorem qwert abcdef 123456 654321 hunter2 todo fixme invalid"
    b" bogus notreal not-real not_real ${ $( {{ }} #{ %( %s %v environ getenv process.env vault:"
    b" deadbeef cafebabe".split()
)
_STANDING_IN: Final = re.compile(rb"[$%&*]|<.*>\Z|.*(?:(.)\1{5}|\{\w*\})", re.DOTALL)
# Names of what should stand there. A person's password may hold one; what was drawn does not.
_NAMES: Final = (b"pass", b"p@ss", b"p4ss", b"secret", b"token")
# Digests of nothing at all.
_EMPTY: Final = (b"d41d8cd98f00b204", b"da39a3ee5e6b4b0d", b"e3b0c44298fc1c14")
_CLASS: Final = bytes(
    1 if 97 <= c <= 122 else 2 if 65 <= c <= 90 else 3 if 48 <= c <= 57 else 4 for c in range(256)
)
#: Above it a text of twenty characters or more is spread like one that was drawn at random.
EVEN: Final = 3.3
EVEN_HEX: Final = 2.8
# Of pairs drawn at random so many are known, and the deviation of one of them.
_KNOWN_AT_RANDOM: Final = 0.24
_DEVIATION: Final = 0.43


def entropy(text: bytes) -> float:
    """Bits a character, as the text itself spreads them."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) if size else 0.0


def turns(text: bytes) -> float:
    """The share of neighbours that are not of one kind: small letter, capital, digit, other."""
    if len(text) < 2:
        return 0.0
    kinds = text.translate(_CLASS)
    return sum(a != b for a, b in pairwise(kinds)) / (len(kinds) - 1)


def is_wordy(text: bytes, sure: float = 3.7) -> bool:
    """Whether more of its neighbouring letters are those of words than chance gives.

    sure: how many deviations more. Names of two words have four to six. Of hexadecimal digits
    nothing can be said.
    """
    if not text.translate(None, _OF_HEX):
        return False
    known = found = 0
    for run in _LETTERS.findall(text):
        small = run.lower()
        found += len(small) - 1
        known += sum(small[n : n + 2] in _PAIRS for n in range(len(small) - 1))
    return known > found * _KNOWN_AT_RANDOM + sure * _DEVIATION * math.sqrt(found)


def is_placeholder(text: bytes) -> bool:
    """Whether a text stands for a value (``xxxx``, ``<token>``, ``changeme``) and is none."""
    small = text.lower()
    return any(word in small for word in _STAND_INS) or _STANDING_IN.match(text) is not None


def is_uuid(text: bytes) -> bool:
    return _UUID.fullmatch(text) is not None


def is_hex(text: bytes) -> bool:
    return _HEX.match(text) is not None


def is_drawn(text: bytes) -> bool:
    """Whether a value looks drawn at random, of eight characters or more.

    The shorter it is, the more kinds of characters it must mix to be told from a name.
    """
    small = text.lower()
    if len(text) < 8 or is_placeholder(text) or small.startswith(_EMPTY):
        return False
    return not any(name in small for name in _NAMES) and _is_mixed(text)


def _is_mixed(text: bytes) -> bool:
    size, kinds, turning = len(text), set(text.translate(_CLASS)), turns(text)
    if size < 12:
        return len(kinds) >= (4 if size < 10 else 3) and turning >= 0.6
    if 3 not in kinds and (turning < 0.3 or size < 24):
        return False
    if len(kinds) == 1 or is_wordy(text):
        return False
    if size < 20:
        return len(kinds) >= 3 and turning >= 0.3 and entropy(text) >= 3.0
    return turning >= 0.12 and entropy(text) >= (EVEN_HEX if is_hex(text) else EVEN)
