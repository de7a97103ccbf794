"""The hosts that slip can be set up for, as data: where each keeps its servers, and in which form.

Places begin with a variable of the caller's environment, or one of `HOMES`; a project's are below
the root of the repository. From the hosts' own documentation, as of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from slipstream_git.records import NamedTuple

JSON, COMMENTED, TOML = "json", "json with comments", "toml"
SERVER: Final = "slip"

# Where configuration is, by platform; the first whose variable is set.
HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "config": ("$XDG_CONFIG_HOME", "$HOME/.config"),
    "data": ("$XDG_DATA_HOME", "$HOME/.local/share"),
    "codex": ("$CODEX_HOME", "$HOME/.codex"),
    "claude": ("$CLAUDE_CONFIG_DIR", "$HOME/.claude"),
    "home": ("$HOME",),
}


class Host(NamedTuple):
    """One host. user: home and path. mac: the same on macOS, where it is otherwise.

    project: empty where a project has no configuration of its own. section: the key that servers
    stand below. extra: what an entry has beside the command. notes: what is left to do by hand.
    """

    name: str
    title: str
    form: str
    user: tuple[str, str]
    project: str
    section: str
    extra: Mapping[str, object] = {}
    mac: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()


HOSTS: Final[Mapping[str, Host]] = {
    host.name: host
    for host in (
        Host(
            "claude-code", "Claude Code", JSON, ("claude", "settings.json"), ".mcp.json",
            "mcpServers",
            notes=("start Claude Code anew; /plugin tells whether slip is enabled",),
        ),
        Host("cursor", "Cursor", COMMENTED, ("home", ".cursor/mcp.json"), ".cursor/mcp.json",
             "mcpServers", notes=("restart Cursor, and enable slip under its MCP tools",)),
        Host("vscode", "VS Code", COMMENTED, ("config", "Code/User/mcp.json"), ".vscode/mcp.json",
             "servers", {"type": "stdio"},
             mac=("home", "Library/Application Support/Code/User/mcp.json")),
        Host("codex", "Codex", TOML, ("codex", "config.toml"), ".codex/config.toml",
             "mcp_servers",
             notes=("a project's configuration counts only where Codex trusts it",)),
        Host("gemini", "Gemini CLI", COMMENTED, ("home", ".gemini/settings.json"),
             ".gemini/settings.json", "mcpServers"),
        Host("windsurf", "Windsurf", COMMENTED, ("home", ".codeium/windsurf/mcp_config.json"), "",
             "mcpServers",
             notes=("where it does not start servers in your project, say --repo DIR",)),
        Host("zed", "Zed", COMMENTED, ("config", "zed/settings.json"), ".zed/settings.json",
             "context_servers", {"source": "custom", "env": {}},
             mac=("home", ".config/zed/settings.json")),
        Host("json", "any other, as JSON", JSON, ("home", ""), "", "mcpServers"),
    )
}  # fmt: skip
