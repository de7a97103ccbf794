"""Open sessions as resources: what a host can show its user, or put into a context, by address.

`slip://session/NAME` is where a session stands (the object that `slip status --json` prints), and
`slip://session/NAME/diff` what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from slipstream_git import codec
from slipstream_git.errors import SlipError

if TYPE_CHECKING:
    from slipstream_git.faces.mcp.calls import Desk
    from slipstream_git.faces.mcp.watching import Watcher

SCHEME: Final = "slip://session/"
_DIFF: Final = "/diff"
_STATUS_TYPE: Final = "application/json"
_DIFF_TYPE: Final = "text/x-diff"
TEMPLATES: Final[tuple[Mapping[str, str], ...]] = (
    {
        "name": "session",
        "uriTemplate": SCHEME + "{name}",
        "description": "Where an open session stands",
        "mimeType": _STATUS_TYPE,
    },
    {
        "name": "session-diff",
        "uriTemplate": SCHEME + "{name}" + _DIFF,
        "description": "What an open session changes against its base",
        "mimeType": _DIFF_TYPE,
    },
)


def listed(desk: Desk, watcher: Watcher) -> list[dict[str, str]]:
    """Two for each open session of the server's own repository."""
    found = []
    for row in desk.value("list", {}, watcher).sessions:
        uri = SCHEME + quote(row.session, safe="")
        title = {"title": _encodable(row.title)} if row.title else {}
        found += [
            {"name": row.session, "uri": uri, "mimeType": _STATUS_TYPE, **title},
            {"name": f"{row.session} diff", "uri": uri + _DIFF, "mimeType": _DIFF_TYPE, **title},
        ]
    return found


def read(desk: Desk, uri: str, watcher: Watcher) -> list[dict[str, str]]:
    """What is at an address. Raises `missing`, `session-missing`, …"""
    if not uri.startswith(SCHEME):
        raise SlipError("missing", f"there is no resource {uri[:200]!r}")
    name = unquote(uri.removeprefix(SCHEME).removesuffix(_DIFF))
    if uri.endswith(_DIFF):
        diff = desk.value("diff", {"session": name}, watcher).diff
        return [{"uri": uri, "mimeType": _DIFF_TYPE, "text": _encodable(diff or "")}]
    status = desk.value("status", {"session": name}, watcher)
    told = codec.dumps({"ok": True, **codec.to_json(status)})
    return [{"uri": uri, "mimeType": _STATUS_TYPE, "text": told}]


def _encodable(said: str) -> str:
    return said.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
