"""One happening as a line of JSON, with no secret in it and a bound on its length.

What an event says is named in `KINDS`, by kind; nothing of it is needed by any verb. A line that is
none of these, or not whole, is no event to a reader, and keeps its number all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from slipstream_git.records import NamedTuple

# What each kind tells beside who and when. Texts are cut, lists are cut, all of it may be absent.
_TEXT, _COUNT, _NAMES, _COUNTS, _SIZES = "text", "count", "names", "counts", "sizes"
KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "begin": {"begin": _TEXT, "base": _TEXT, "onto": _TEXT, "title": _TEXT},
    "step": {"step": _COUNT, "op": _TEXT, "commit": _TEXT, "group": _TEXT, "ops": _COUNTS,
             "paths": _NAMES, "changed": _COUNT, "unresolved": _COUNT},
    "rebase": {"commit": _TEXT, "base": _TEXT, "onto": _TEXT, "unresolved": _COUNT},
    "conflict": {"with": _TEXT, "paths": _NAMES, "changed": _COUNT},
    "gate": {"gate": _TEXT, "status": _TEXT, "tree": _TEXT, "ms": _COUNT, "cached": _COUNT},
    "land": {"commit": _TEXT, "branch": _TEXT, "paths": _NAMES,
             "changed": _COUNT, "kept": _COUNT},
    "drop": {"tip": _TEXT},
    "reopen": {"tip": _TEXT},
    "remember": {"fact": _TEXT, "of": _TEXT, "about": _TEXT},
    "forget": {"fact": _TEXT, "purged": _COUNT},
    "digest": {"tip": _TEXT, "tokens": _COUNT},
    "served": {"op": _TEXT, "bytes": _COUNT, "blobs": _SIZES},
    "host": {"event": _TEXT, "run": _TEXT, "of": _TEXT},
    "tool": {"tool": _TEXT, "run": _TEXT, "paths": _NAMES, "changed": _COUNT, "bytes": _COUNT,
             "withheld": _COUNT},
}  # fmt: skip

LONGEST_TEXT: Final = 240
MOST_NAMES: Final = 32
# A line is written in one go, and read by everybody who looks.
LONGEST_LINE: Final = 12 << 10
# No shorter one is issued that is all lower case.
_TOKEN: Final = 20
_PLAIN: Final = "abcdefghijklmnopqrstuvwxyz-_./,:;()'\" "


class Event(NamedTuple):
    """One happening. id: of two with the same one counts. at_s: seconds since the epoch.

    session: empty where none is meant. facts: as `KINDS` names them.
    """

    id: str
    at_s: int
    kind: str
    session: str
    agent: str
    facts: Mapping[str, Any]


def encode(event: Event) -> bytes:
    """The event's line, without its end. Raises ValueError for a kind or fact of no name."""
    fields = KINDS.get(event.kind)
    if fields is None or event.facts.keys() - fields.keys():
        raise ValueError(f"no event is called so: {event.kind} {sorted(event.facts)}")
    said: dict[str, Any] = {"id": event.id[:LONGEST_TEXT], "at": event.at_s, "kind": event.kind}
    if event.session:
        said["session"] = event.session[:LONGEST_TEXT]
    if event.agent:
        said["agent"] = _text(event.agent)
    for name, value in event.facts.items():
        told = _told(fields[name], value)
        if told not in (None, "", [], {}):
            said[name] = told
    line = json.dumps(said, separators=(",", ":"))
    while len(line) > LONGEST_LINE and "paths" in said:
        said["paths"] = said["paths"][: len(said["paths"]) // 2]
        if not said["paths"]:
            del said["paths"]
        line = json.dumps(said, separators=(",", ":"))
    return line.encode("ascii")


def decode(line: bytes) -> Event | None:
    """The event of a line; None where it is none that this version knows."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    fields = KINDS.get(said.get("kind") or "") if isinstance(said.get("kind"), str) else None
    names = [said.get(name, "") for name in ("id", "session", "agent")]
    if fields is None or type(said.get("at")) is not int or not said.get("id"):
        return None
    if not all(isinstance(name, str) for name in names):
        return None
    facts = {name: said[name] for name in fields if name in said}
    if not all(_is_a(fields[name], value) for name, value in facts.items()):
        return None
    return Event(names[0], said["at"], said["kind"], names[1], names[2], facts)


def _is_a(shape: str, value: object) -> bool:
    if shape == _TEXT:
        return isinstance(value, str)
    if shape == _COUNT:
        return type(value) is int
    if shape == _NAMES:
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    return isinstance(value, dict) and all(type(count) is int for count in value.values())


def _told(shape: str, value: Any) -> Any:  # noqa: ANN401  (JSON values)
    if value is None:
        return None
    if shape == _TEXT:
        return _text(str(value))
    if shape == _COUNT:
        return int(value) or None
    if shape == _NAMES:
        return [_name(str(name)) for name in value[:MOST_NAMES]]
    return dict(list(value.items())[:MOST_NAMES])


def _text(text: str) -> str:
    text = _without_secrets(text) if _may_hold_secret(text) else text
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _name(path: str) -> str:
    """A path; git has it, too, so only what looks like nothing but a token is looked at."""
    odd = any(len(part) >= _TOKEN and not part.isalpha() for part in path.split("/"))
    return _text(path) if odd else path[:LONGEST_TEXT]


def _may_hold_secret(text: str) -> bool:
    """Whether it is worth the milliseconds of loading the rules: prose and ids are not."""
    if len(text) == 40 and not text.strip("0123456789abcdef"):
        return False
    if "://" in text or "-----BEGIN" in text:
        return True
    return any(len(word) >= 8 and _is_odd(word) for word in text.split())


def _is_odd(word: str) -> bool:
    """Whether a word is no prose; tokens that are issued begin so: ghp_, xoxb-, sk_live_."""
    return bool(word[1:].strip(_PLAIN)) or (len(word) >= _TOKEN and ("_" in word or "-" in word))


def _without_secrets(text: str) -> str:
    from slipstream_git.text import secrets  # with what it compiles, more than a small edit

    return secrets.redacted(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
