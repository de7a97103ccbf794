"""`slip statusline`: one line of where things stand, from refs and the fold of events alone.

No git is started, no object read: it is made after every answer of an agent. What it tells is as
true as the events are; `slip status` asks git. Texts from the repository are escaped.
"""

from __future__ import annotations

from slipstream_git.events import standing
from slipstream_git.hostings import Line
from slipstream_git.hosts import whose
from slipstream_git.hosts.ground import Ground
from slipstream_git.text.tokens import tokens_of


def line(ground: Ground) -> Line:
    """The line; empty where there is nothing to tell."""
    try:
        return Line(_line(ground))
    except Exception:  # noqa: BLE001  (a prompt goes on without)
        return Line("")


def _line(ground: Ground) -> str:
    place = whose.layout(ground, _directory(ground))
    if place is None:
        return ""
    names = whose.open_sessions(place)
    session = whose.session(place, ground.env, names)
    others = len(names) - bool(session)
    parts = [f"{others} more open" if session else f"{others} open"] if others else []
    if session:
        state = standing.now(place, session)
        red = sorted(name for name, status in state.gates.items() if status == "red")
        parts = [
            session,
            f"step {state.steps}" if state.steps else "no step",
            f"{state.unresolved} to decide" if state.unresolved else "",
            f"conflict: {_some(state.conflict)}" if state.conflict else "",
            f"red: {_some(red)}" if red else "",
            _saved(state.served.bytes, state.served.whole),
            *parts,
        ]
    return _plain("slip " + " · ".join(filter(None, parts))) if parts else ""


def _directory(ground: Ground) -> str:
    """Where the host works, else where this was started."""
    import json

    try:
        said = json.loads(ground.input())
        for found in ((said.get("workspace") or {}).get("current_dir"), said.get("cwd")):
            if isinstance(found, str) and found.startswith("/") and "\0" not in found:
                return found
    except (ValueError, AttributeError, RecursionError):
        pass
    return ground.directory


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return f"{names[0][:40]}{more}"


def _saved(told: int, whole: int) -> str:
    """What readers were told, against whole files; an estimate."""
    if not told:
        return ""
    saved = f" for {_short(tokens_of(whole))}" if whole > told else ""
    return f"~{_short(tokens_of(told))}{saved} tok"


def _short(count: int) -> str:
    return f"{count / 1000:.1f}k" if count >= 1000 else str(count)


def _plain(text: str) -> str:
    """Nothing that moves a cursor or turns the line around."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
