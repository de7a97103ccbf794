"""Names that a session can have beside those that are open; case does not tell them apart."""

from __future__ import annotations

from collections.abc import Iterable

from slipstream_git.errors import SlipError
from slipstream_git.text import paths
from slipstream_git.workspace import Workspace

OPEN = "refs/slip/sessions/"


def lowest(taken: Iterable[str]) -> str:
    names = {ref.removeprefix(OPEN).lower() for ref in taken}
    number = 1
    while f"s{number}" in names:
        number += 1
    return f"s{number}"


def beside(ws: Workspace, name: str) -> str:
    """A free name for a session that takes what the session ``name`` cannot."""
    taken = {ref.removeprefix(OPEN).lower() for ref in ws.repository.store.refs(OPEN)}
    number = 1
    while True:
        ending = "-mine" if number == 1 else f"-mine{number}"
        found = name[: paths.LONGEST_SESSION_NAME - len(ending)] + ending
        if found.lower() not in taken:
            return found
        number += 1


def check(name: str, taken: Iterable[str]) -> None:
    for ref in taken:
        if ref.removeprefix(OPEN).lower() == name.lower():
            raise exists(ref.removeprefix(OPEN))


def exists(name: str) -> SlipError:
    return SlipError(
        "session-exists", f"a session named {name} is open", hint=f"slip status -s {name}"
    )
