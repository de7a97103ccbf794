"""The plugin for Claude Code: a directory of its own, and what its settings say of that.

The files are those of the package, with this slip in the place of the word `slip`; skills and
agents are the package's own. A host copies a plugin by its version, which is slip's.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from slipstream_git import __version__, hints

NAME: Final = "slip"
_HERE: Final = os.path.join(os.path.dirname(__file__), "claude-code")
_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))
# From which directories of the package, to which of the plugin's, and which files.
_SHARED: Final = {"skills": ("SKILL.md",), "agents": (".md",)}


def files(program: Sequence[str], served: Sequence[str]) -> Mapping[str, str]:
    """All files of the plugin's directory by their place in it. program: what starts slip.

    served: what makes it the server.
    """
    found = dict(_texts(_HERE))
    for path, change, words in (
        ("plugin/hooks/hooks.json", _hooks, program),
        ("plugin/.mcp.json", _servers, (*program, *served)),
        ("plugin/.claude-plugin/plugin.json", _manifest, ()),
    ):
        said = json.loads(found[path])
        change(said, words)
        found[path] = json.dumps(said, indent=2) + "\n"
    for name, endings in _SHARED.items():
        for path, text in _texts(os.path.join(_PACKAGE, name)):
            if path.endswith(endings):
                found[f"plugin/{name}/{path}"] = text
    return dict(sorted(found.items()))


def settings(directory: str) -> Mapping[tuple[str, ...], object]:
    """What the host's settings are to say, by path of keys."""
    source = {"source": {"source": "directory", "path": directory}}
    return {
        ("extraKnownMarketplaces", NAME): source,
        ("enabledPlugins", f"{NAME}@{NAME}"): True,
    }


def status_line(program: Sequence[str]) -> dict[str, object]:
    return {"type": "command", "command": str(hints.of(*program, "statusline"))}


def is_our_line(said: object) -> bool:
    """Whether a status line is one that slip wrote, wherever that was installed."""
    command = said.get("command") if isinstance(said, dict) else None
    if not isinstance(command, str):
        return False
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return words[-1:] == ["statusline"] and _is_slip(words[:-1])


def is_our_server(said: object) -> bool:
    """Likewise a server."""
    if not isinstance(said, dict):
        return False
    args = said.get("args")
    if not isinstance(args, list) or "mcp" not in args:
        return False
    return _is_slip([said.get("command"), *args[: args.index("mcp")]])


def _is_slip(words: Sequence[Any]) -> bool:
    if len(words) == 1:
        return isinstance(words[0], str) and os.path.basename(words[0]) in ("slip", "git-slip")
    return list(words[1:]) == ["-P", "-m", "slipstream_git"]


def _hooks(said: dict[str, Any], program: Sequence[str]) -> None:
    for rows in said["hooks"].values():
        for hook in (hook for row in rows for hook in row["hooks"]):
            _, _, rest = hook["command"].partition(" ")
            hook["command"] = str(hints.of(*program, *rest.split()))


def _servers(said: dict[str, Any], program: Sequence[str]) -> None:
    said["mcpServers"][NAME] = {"command": program[0], "args": list(program[1:])}


def _manifest(said: dict[str, Any], _words: Sequence[str]) -> None:
    said["version"] = __version__


def _texts(directory: str) -> Iterator[tuple[str, str]]:
    for place, names, files_there in os.walk(directory):
        names[:] = sorted(name for name in names if name != "__pycache__")
        for name in sorted(files_there):
            if not name.endswith((".py", ".pyc")):
                path = os.path.join(place, name)
                with open(path, encoding="utf-8") as stream:
                    yield os.path.relpath(path, directory), stream.read()
