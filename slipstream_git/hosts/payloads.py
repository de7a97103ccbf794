"""What a host sends at an event, as far as it is used; whatever else it may hold is passed over."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from slipstream_git.records import NamedTuple

# By which field an event says of which kind it is.
_KINDS: Final = {
    "SessionStart": "source", "PreCompact": "trigger", "SessionEnd": "reason",
    "SubagentStop": "agent_type",
}  # fmt: skip
_LONGEST_NAME: Final = 120
_PATH_FIELDS: Final = ("file_path", "notebook_path", "path")


class Payload(NamedTuple):
    """One event. run: the host's session. of: source, trigger, reason or kind of agent.

    agent: empty for the one that talks to the user. cwd: None where it is no directory.
    """

    event: str
    run: str = ""
    cwd: str | None = None
    of: str = ""
    agent: str = ""
    prompt: str = ""
    tool: str = ""
    given: Mapping[str, Any] = {}
    answered: object = None

    @property
    def paths(self) -> list[str]:
        """What the tool names, as it was written."""
        found = (self.given.get(name) for name in _PATH_FIELDS)
        return [path for path in found if isinstance(path, str) and path]


def read(event: str, data: bytes) -> Payload:
    """The payload of what came on standard input; of what is no JSON object, an empty one."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return Payload(event)
    cwd = _text(said, "cwd", os.pathconf("/", "PC_PATH_MAX"))
    given = said.get("tool_input")
    return Payload(
        event,
        run=_text(said, "session_id"),
        cwd=cwd if cwd and "\0" not in cwd and os.path.isdir(cwd) else None,
        of=_text(said, _KINDS.get(event, "")),
        agent=_text(said, "agent_type"),
        prompt=said["prompt"] if isinstance(said.get("prompt"), str) else "",
        tool=_text(said, "tool_name"),
        given=given if isinstance(given, dict) else {},
        answered=said.get("tool_response"),
    )


def size(value: object) -> int:
    """Bytes of the texts of an answer, about."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if isinstance(value, dict):
        return sum(map(size, value.values()))
    return sum(map(size, value)) if isinstance(value, list) else 0


def _text(said: Mapping[str, Any], name: str, longest: int = _LONGEST_NAME) -> str:
    value = said.get(name)
    return value[:longest] if isinstance(value, str) else ""
