"""What is remembered, as lines of notes: facts, what was forgotten, and digests.

One JSON object a line, in `refs/notes/slip/memory`. Lines name all that they speak of, the time
too, and are only read together: so notes that were merged by keeping every line of both sides, in
any order, say what they said apart. docs/memory.md has the format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from slipstream_git.records import NamedTuple

REF: Final = "refs/notes/slip/memory"
KINDS: Final = ("decision", "convention", "gotcha", "todo", "fact")
ID_DIGITS: Final = 16
_ID: Final = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")
# JSON can spell half of a surrogate pair, which nothing can print or keep as UTF-8.
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_LAST_TIME: Final = 1 << 53


class About(NamedTuple):
    """What a fact speaks of, and how that was when the fact was learned.

    path: as it is shown (`paths.display`). symbol: qualified, with ``digest`` of its text and the
    lines that it stood in. oid: the blob; empty for a directory. rev: a commit instead of a path.
    """

    path: str = ""
    symbol: str = ""
    oid: str = ""
    digest: str = ""
    start: int = 0
    end: int = 0
    rev: str = ""

    @property
    def shown(self) -> str:
        return f"{self.path}#{self.symbol}" if self.symbol else self.path or self.rev


class Fact(NamedTuple):
    """One claim. id: of the claim, the same on every machine. time: seconds since the epoch.

    against: ids of claims that this one is contrary to. begin: the begin commit of the session in
    which it was learned; empty where there was none.
    """

    id: str
    kind: str
    text: str
    time: int
    about: About = About()
    tags: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    session: str = ""
    begin: str = ""
    agent: str = ""


class Forgotten(NamedTuple):
    """That a claim does not count any more, as it was said until then. purged: for good."""

    id: str
    time: int
    purged: bool = False


class Digest(NamedTuple):
    """Where somebody stood, as they wrote it down. key: whose; the newest of one key counts.

    facts: ids of the decisions and todos that it speaks of. sections: lines of text, by title.
    """

    key: str
    time: int
    tip: str
    facts: tuple[str, ...] = ()
    sections: Mapping[str, tuple[str, ...]] = {}


Line = Fact | Forgotten | Digest


def encode(line: Line) -> bytes:
    """The line, without its end."""
    if isinstance(line, Fact):
        said: dict[str, Any] = {"fact": line.id, "kind": line.kind, "text": line.text}
        about = {name: value for name, value in line.about._asdict().items() if value}
        rest = {
            "about": about, "tags": list(line.tags), "against": list(line.against),
            "session": line.session, "begin": line.begin, "agent": line.agent,
        }  # fmt: skip
        said |= {name: value for name, value in rest.items() if value}
    elif isinstance(line, Forgotten):
        said = {"purged" if line.purged else "forgotten": line.id}
    else:
        said = {"digest": line.key, "tip": line.tip, "facts": list(line.facts)}
        said["sections"] = {title: list(rows) for title, rows in line.sections.items()}
    said["time"] = line.time
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def decode(data: bytes) -> Line | None:
    """What a line says; None where that is nothing that this version knows."""
    try:
        text = data.decode()  # `json.loads` would take other encodings, too
        said = json.loads(text)
        if _HALF.search(text):
            json.dumps(said, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # no UTF-8 is a ValueError, too
        return None
    if not isinstance(said, dict) or type(said.get("time")) is not int:
        return None
    time = said["time"]
    if not 0 <= time < _LAST_TIME:
        return None
    for key in ("forgotten", "purged"):
        if is_id(said.get(key)):
            return Forgotten(said[key], time, purged=key == "purged")
    if is_id(said.get("fact")):
        return _fact(said, time)
    return _digest(said, time) if isinstance(said.get("digest"), str) else None


def _fact(said: Mapping[str, Any], time: int) -> Fact | None:
    texts = {name: said.get(name, "") for name in ("text", "session", "begin", "agent")}
    lists = {name: said.get(name, []) for name in ("tags", "against")}
    about = said.get("about", {})
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(about, dict):
        return None
    if not texts["text"] or said.get("kind") not in KINDS:
        return None
    if not all(_is_texts(names) for names in lists.values()):
        return None
    known = {name: about[name] for name in About._fields if name in about}
    if any(type(value) is not type(getattr(About(), name)) for name, value in known.items()):
        return None
    return Fact(
        id=said["fact"], kind=said["kind"], time=time, about=About(**known),
        tags=tuple(lists["tags"]), against=tuple(lists["against"]), **texts,
    )  # fmt: skip


def _digest(said: Mapping[str, Any], time: int) -> Digest | None:
    tip, facts, sections = said.get("tip"), said.get("facts"), said.get("sections")
    if not isinstance(tip, str) or not isinstance(facts, list) or not all(map(is_id, facts)):
        return None
    if not isinstance(sections, dict):
        return None
    if not all(_is_texts(rows) for rows in sections.values()):
        return None
    rows = {title: tuple(lines) for title, lines in sections.items()}
    return Digest(said["digest"], time, tip, tuple(facts), rows)


def is_id(value: object) -> bool:
    """Whether this may be a fact's id; what is printed as one is no more than that."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
