"""Values given to names that promise a secret: ``password = "…"``, ``API_KEY=…``, ``token: …``.

A name is not enough, since most values of such names are other names, references and examples. So
the value must look drawn at random, too (`randomness`).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from typing import Final

from slipstream_git.text import randomness

# Looked for without regard to case.
_WORDS: Final = (b"pass", b"pwd", b"secret", b"token", b"key", b"credential", b"_auth")
# How far a name reaches before its word, and with its sign and value behind it.
_BEFORE: Final = 24
_BEHIND: Final = 600
# A key is that of a mapping unless one of these stands before it, a token one of a language.
_KEY_OF: Final = (
    rb"(?:api|app|access|private|secret|auth|crypt|encryption|signing|account|licen[cs]e|master"
    rb"|service|storage|client|consumer|shared|admin|webhook|hmac|aes|jwt|deploy|subscription"
    rb"|functions?)[_. -]?\Z"
)
# A site's token against forged requests is worth nothing to others; a minipass is no pass.
_NOT_OF: Final = rb"(?:csrf|xsrf|public)[_. -]?\Z"
_TOKEN_OF: Final = (
    rb"(?:api|access|auth|bearer|bot|refresh|personal|deploy|secret|hub|lab)[_. -]?\Z"
)
_NAME: Final = rb"""
    (?i:words?|wd|phrase|code|s)?
    (?:(?<=[a-z])(?![a-z])|(?<=[A-Z])(?![A-Z]))
    (?!(?i:[a-z0-9_.-]{0,24}?
      (?:file|path|dir|ur[il]|name|id(?![a-z])|type|hash|length|size|field|label|hint|prompt|regex|pattern
      |policy|count|header|expir|ttl|provider|manager|class|format|rule|param|arn|version|algorithm
      |input|checksum|digest|pub|fingerprint|scope|issuer|audience|kind|position|offset)))
    [A-Za-z0-9_.-]{0,24}+
"""
_SIGN: Final = rb"""
    \\?["'\]]{0,2}
    (?:
      [ \t]{0,4}:[ \t]?&?[A-Za-z][A-Za-z0-9_.\[\]]{0,20}[ \t]{0,20}:?=
    | [ \t]{0,20}(?:=>|:=|\?=|===?|!==?|=|:|,(?=[ \t]?["'`])|\((?=["'`])|>(?=[^\s<]))
    | [ \t]{1,4}value[ \t]?=
    )
    [ \t]{0,20}
"""
_VALUE: Final = rb"""
    (?: [bBrRuUfF@]{0,2}\\?(?P<mark>["'`])(?P<quoted>[^"'`\s\\]{8,256}+)\\?(?P=mark)
    | (?P<bare>[^\s"'`,;(){}\[\]<>\\=]{8,256}+={0,2}+)(?=[\s,;<"'`)\]}]|\\[nrt]|\Z)
    )
"""
# Places, other names, and what was made of a secret in one direction.
_NO_SECRET: Final = (
    rb"(?:sha\d+[-:]|pbkdf2|md5[0-9a-f]{32}\Z|npm:|\{\w+\}|[a-z]+://|arn:|projects/|ENC\[|urn:|data:)"
    rb"|(?:~|\.{1,2})?/(?:[\w.-]+/)+[\w.-]*\Z|[A-Za-z_]+\d{0,2}(?:(?:\.|::|->|/)[A-Za-z_]+\d{0,2})+\Z"
    rb"|\d+(?:[.:,/_-]\d+)*\Z|[A-Za-z]+(?:[_.-][A-Za-z]+)+[0-9]{0,4}\Z"
    rb"|(?:[A-Za-z]{2,}|v?\d+)(?:[_.-](?:[A-Za-z]{2,}|v?\d+)){2,}\Z"
)
_AWS: Final = (
    rb"(?i:secret(?:[_ -]?(?:access)?[_ -]?key)?)[\"'\\\])]{0,3}[^A-Za-z0-9\r\n/+]{1,12}"
    rb"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
)


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.VERBOSE if pattern.startswith(b"\n") else 0)


def secrets(data: bytes) -> Iterator[tuple[str, int, int]]:
    """The rule, the first byte and the end of every value that gives a secret away."""
    small = data.lower()
    for word in _WORDS:
        at = small.find(word)
        while at >= 0:
            found = _judged(data, small, word, at)
            if found is not None:
                yield found
            at = small.find(word, at + len(word))


def _judged(data: bytes, small: bytes, word: bytes, at: int) -> tuple[str, int, int] | None:
    behind, end = at + len(word), at + _BEHIND
    before = small[max(0, at - _BEFORE) : at]
    if word == b"secret" and (
        b"aws" in before or small.startswith((b"access", b"_access"), behind)
    ):
        aws = _compiled(_AWS).match(data, at, end)
        if aws is not None and not randomness.is_placeholder(aws[1]):
            return ("aws-secret-access-key", *aws.span(1))
    if word == b"key" and _compiled(_KEY_OF).search(before) is None:
        return None
    if (
        word == b"pass"
        and before[-1:].isalpha()
        and data[at] == 112
        and data[behind : behind + 2] != b"wo"
    ):
        return None
    if _compiled(_NOT_OF).search(before):
        return None
    found = _compiled(b"\n" + _NAME + _SIGN + _VALUE).match(data, behind, end)
    if found is None:
        return None
    group = "quoted" if found["quoted"] is not None else "bare"
    return (
        ("assigned-secret", *found.span(group)) if _is_secret(found[group], word, before) else None
    )


def _is_secret(value: bytes, word: bytes, before: bytes) -> bool:
    if randomness.is_uuid(value) or _compiled(_NO_SECRET).match(value):
        return False
    if word == b"token" and randomness.is_hex(value) and not _compiled(_TOKEN_OF).search(before):
        return False
    if len(value) < 16 and word not in (b"pass", b"pwd"):
        return False
    return randomness.is_drawn(_readable(value) or value)


def _readable(value: bytes) -> bytes | None:
    """What a value of base64 says in letters, if it does: words are no secret in it either."""
    if len(value) % 4:
        return None
    try:
        text = b64decode(value, validate=True)
    except ValueError:
        return None
    return text if text.isascii() and text.decode().isprintable() else None
