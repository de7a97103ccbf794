"""Credentials in a text: where they stand, and the text without them.

Rules alone, no network and no clock. A credential is told by the shape that its issuer gave it
(`tokenshapes`), by a frame (a private key, a URL, a header), or by the name that it is given to
(`assigned`). What is meant to be read by people (``xxxx``, ``<token>``, ``${VAR}``) is none.

The time is linear in the text's length: every pattern starts at a place that was found by plain
search, and has an upper bound.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from typing import Final

from slipstream_git.records import NamedTuple
from slipstream_git.text import assigned, randomness, tokenshapes
from slipstream_git.text.tokenshapes import Shape

_RUN: Final = rb"[A-Za-z0-9_-]{20,}"
_DISCORD: Final = rb"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}"
_NAMED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
# What ends within a run without belonging to it: the n of a line break in a string, say.
_ESCAPE: Final = rb"\\(?:[nrt]|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})|%[0-9a-fA-F]{2}"
# A private key: its frame, and its body behind headers, if any.
_KEY_BEGINS: Final = rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY_ENDS: Final = rb"-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY_BODY: Final = rb"[A-Za-z0-9+/=]{32,}"
_KEY_TEXT: Final = rb"[A-Za-z0-9+/=\s\"'\\,:;.()-]*+"
_KEY_HEADERS: Final = 600
_KEY_LONGEST: Final = 16_384
_LOGIN: Final = rb"""
    ://[^\s/:@"'<>`\\]{0,80}+:([^\s/@"'<>`\\]{3,200}+)@([^\s/:"'<>`\\]{1,100})"""
_HEADER: Final = rb"""
    \\?["']?\]?[ \t]{0,4}(?:[:=,]|=>)[ \t]{0,4}[bfru]?\\?["'`]?
    (?i:(bearer|basic|token|bot))[ \t]{1,3}([A-Za-z0-9+/=._~-]{16,2000}+)"""
# What people write where a password should stand.
_STAND_IN: Final = (
    rb"(?i:(?:my|our|the|some|user|db|app|test|root|admin)?[_-]?(?:pass(?:word|wd|phrase)?|p[a@4]ssw[o0]rd"
    rb"|pwd|pw|secret|token|key|test|admin|root|user|guest)[_-]?[0-9]{0,4}!?\Z)"
)
# Where a password is nobody's: on the same machine, or on one that does not exist.
_NOWHERE: Final = rb"""
    (?i:localhost|127\.|0\.0\.0\.0|\[|host(?:name)?\Z|server\Z|\W
    |(?:.*\.)?(?:example|test|invalid|local|localhost)(?:\.(?:com|org|net))?\Z)"""


class Found(NamedTuple):
    """One credential: the rule that knows it, its first byte and its end."""

    rule: str
    start: int
    stop: int


def find(data: bytes) -> list[Found]:
    """The credentials of a text, in order; of two that overlap the one that begins first.

    In UTF-8 or any other encoding that has ASCII in it.
    """
    found = sorted(_every(data), key=lambda one: (one.start, -one.stop))
    apart: list[Found] = []
    for one in found:
        if not apart or one.start >= apart[-1].stop:
            apart.append(one)
    return apart


def redacted(data: bytes, found: list[Found] | None = None) -> bytes:
    """The text with the name of a rule in the place of every credential."""
    parts: list[bytes] = []
    at = 0
    for one in find(data) if found is None else found:
        parts += (data[at : one.start], b"[secret:%s]" % one.rule.encode())
        at = one.stop
    return b"".join((*parts, data[at:])) if parts else data


def _every(data: bytes) -> Iterator[Found]:
    yield from _by_run(data)
    for shape in tokenshapes.BY_TEXT:
        done = 0
        for at in _places(data, shape.text):
            for found in _shaped(data, shape, at) if at >= done else ():
                done = found.stop
                yield found
    for dotted in _compiled(_DISCORD).finditer(data):
        yield from _shaped(data, tokenshapes.DISCORD, dotted.start())
    yield from _private_keys(data)
    yield from _logins(data)
    yield from _headers(data)
    yield from (Found(*one) for one in assigned.secrets(data))


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.VERBOSE if pattern.startswith(b"\n") else 0)


@cache
def _beginnings() -> tuple[bytes, ...]:
    return tuple(shape.text for shape in tokenshapes.BY_RUN)


def _places(data: bytes, text: bytes) -> Iterator[int]:
    at = data.find(text)
    while at >= 0:
        yield at
        at = data.find(text, at + len(text))


# Tokens of known shape ----------------------------------------------------------------------------


def _by_run(data: bytes) -> Iterator[Found]:
    beginnings = _beginnings()
    for run in _compiled(_RUN).finditer(data):
        for start in _starts(data, run.start()):
            if data.startswith(beginnings, start):
                for shape in tokenshapes.BY_RUN:
                    if data.startswith(shape.text, start):
                        yield from _shaped(data, shape, start)


def _starts(data: bytes, start: int) -> set[int]:
    """Where a token may begin in a run: at its start, behind dashes or what ends an escape."""
    found = {start}
    while data[start] in b"-_":
        start += 1
        if start == len(data):
            return found
    escape = _compiled(_ESCAPE).match(data, start - 1) if start else None
    return found | {start} | ({escape.end()} if escape else set())


def _shaped(data: bytes, shape: Shape, at: int) -> Iterator[Found]:
    """The token of a shape whose text stands at a place."""
    start = at
    if shape.behind:
        before = shape.before.match(data[max(0, at - 64) : at])
        if before is None:
            return
        start -= len(before[1])
    elif at and data[at - 1] in _NAMED and not _behind_escape(data, at):
        return
    tail = shape.pattern.match(data, at + len(shape.text))
    if tail is not None and _is_real(data[start:at] + tail[0]):
        yield Found(shape.rule, start, tail.end())


def _behind_escape(data: bytes, at: int) -> bool:
    return any(
        escape is not None and escape.end() == at
        for escape in (_compiled(_ESCAPE).match(data, max(0, at - back)) for back in (2, 3, 4, 6))
    )


def _is_real(body: bytes) -> bool:
    """Whether the part of a token that its issuer drew at random looks so."""
    if randomness.is_placeholder(body) or randomness.is_wordy(body, sure=4.8):
        return False
    return len(body) < 12 or randomness.entropy(body) >= 2.5


# Frames -------------------------------------------------------------------------------------------


def _private_keys(data: bytes) -> Iterator[Found]:
    done = 0
    for at in _places(data, b"-----BEGIN "):
        frame = _compiled(_KEY_BEGINS).match(data, at)
        if frame is None or at < done:
            continue
        inside, end = frame.end(), frame.end() + _KEY_LONGEST
        ends = _compiled(_KEY_ENDS).search(data, inside, end)
        text = _compiled(_KEY_TEXT).match(data, inside, end)
        done = ends.end() if ends else text.end() if text else inside
        headers = min(inside + _KEY_HEADERS, ends.start() if ends else done)
        body = _compiled(_KEY_BODY).search(data, inside, headers)
        if body is not None and randomness.entropy(body[0]) >= 3.8:
            yield Found("private-key", at, done)


def _logins(data: bytes) -> Iterator[Found]:
    """Passwords in addresses: ``scheme://user:password@host``."""
    for at in _places(data, b"://"):
        login = _compiled(_LOGIN).match(data, at)
        if login is None or _compiled(_NOWHERE).match(login[2]):
            continue
        if _is_password(login[1]):
            yield Found("password-in-url", *login.span(1))


def _is_password(text: bytes) -> bool:
    """Whether a text where a password stands is one, and no stand-in for it."""
    if len(text) < 6 or randomness.is_placeholder(text) or _compiled(_STAND_IN).match(text):
        return False
    if text.isdigit() or text.strip(b"{}[]()$*#") != text:
        return False
    return not text.translate(None, b"_-").isalpha() or randomness.turns(text) >= 0.3


def _headers(data: bytes) -> Iterator[Found]:
    for at in _places(data.lower(), b"authorization"):
        header = _compiled(_HEADER).match(data, at + len(b"authorization"))
        if header is None:
            continue
        kind, value = header[1].lower(), header[2]
        real = _is_login(value) if kind == b"basic" else randomness.is_drawn(value)
        if real:
            yield Found(f"authorization-{kind.decode()}", *header.span(2))


def _is_login(value: bytes) -> bool:
    """Whether the value of a Basic header holds a user and a password."""
    try:
        user, colon, password = b64decode(value + b"==").partition(b":")
    except ValueError:
        return False
    return bool(colon and user) and user.isascii() and _is_password(password)
