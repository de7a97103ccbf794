"""What is said of a session beside its ops: its name, its title, who works on it, a step's label.

All of it stands in the chain, which goes to other clones, and some in notes and messages. So no
credential goes into it: who types one is told before it is written anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.workspace import Workspace

# No token of a known shape, no key and no header is to be had in shorter words (text/secrets.py) …
_LONG_WORD: Final = 16
# … nor a value of a telling name without a sign between the two.
_SIGNS: Final = frozenset("=:,(>")
_TELLING: Final = ("pass", "pwd", "secret", "token", "key", "credential", "_auth")


def check(
    ws: Workspace, branch: str | None, base: str | None, said: Mapping[str, str | None]
) -> None:
    """Raises `secret` where one of these holds a credential, and the branch looks for such.

    said: by what each is called. branch: the full ref that the session lands on.
    """
    for what, text in said.items():
        rule = _rule(text) if text and may_hold(text) else None
        if rule is None:
            continue
        from slipstream_git.changes import settings

        repository = ws.repository
        head = repository.store.ref(repository.pointed_at(branch)) if branch else None
        if settings.at(repository, head or base).builtin.secrets:
            raise refusal(what, rule)


def refusal(what: str, rule: str) -> SlipError:
    """The `secret` for a credential in what is called ``what``; it does not repeat it."""
    return SlipError("secret", f"the {what} holds what looks like a credential ({rule})")


def blotted(text: str) -> str:
    """The text with no credential in it."""
    if not may_hold(text):
        return text
    from slipstream_git.text import secrets

    data = text.encode("utf-8", "surrogateescape")
    return secrets.redacted(data).decode("utf-8", "surrogateescape")


def may_hold(text: str) -> bool:
    """Whether a line can hold a credential at all; most say no, without a rule being loaded."""
    small = text.lower()
    return (
        "://" in text
        or any(len(word) >= _LONG_WORD for word in text.split())
        or (not _SIGNS.isdisjoint(text) and any(word in small for word in _TELLING))
    )


def _rule(text: str) -> str | None:
    from slipstream_git.text import secrets

    found = secrets.find(text.encode("utf-8", "surrogateescape"))
    return found[0].rule if found else None
