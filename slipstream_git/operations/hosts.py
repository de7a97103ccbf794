"""Agents' hosts: declarations only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipstream_git.operations.registry import ALONE, operation

if TYPE_CHECKING:
    from slipstream_git import hostings
    from slipstream_git.hosts.ground import Ground


@operation(ALONE)
def setup(
    ground: Ground,
    client: str,
    *,
    user: bool = False,
    project: bool = False,
    repo: str | None = None,
    remove: bool = False,
    dry_run: bool = False,
    print: bool = False,  # noqa: A002  (what it is called everywhere)
) -> hostings.SetUp:
    """Let an agent's host know of slip: its MCP server, and for claude-code all of a plugin.

    What will be written is shown first. A second time there is nothing to do. Keys, comments and
    formatting that are not slip's stay; a file that cannot be read is left as it is, and --print
    has what to paste. Nothing in your repositories is changed, unless --project is said.

    client (CLIENT): claude-code, cursor, vscode, codex, gemini, windsurf, zed, or json for any
        other (printed)
    user: for all that you work on (the default)
    project: for this repository, in a file to be committed; it starts the `slip` on the PATH
    repo (DIR): what the server is to serve, a repository or a directory of them (default: the one
        that the host starts it in)
    remove: take away what was written
    print: print the entry, to be pasted where you like
    """
    from slipstream_git.errors import SlipError
    from slipstream_git.hosts import settingup

    if user and project:
        raise SlipError("usage", "--user or --project, not both", hint="slip setup --help")
    scope = settingup.PROJECT if project else settingup.USER
    wish = settingup.Wish(client, scope, remove, dry_run, print, repo)
    return settingup.setup(ground, wish)


@operation(ALONE)
def hook(ground: Ground, event: str) -> hostings.Hooked:
    """Answer an agent's host at one of its events, with what it sent on standard input.

    SessionStart and UserPromptSubmit are told what is remembered and where things stood; a
    PreToolUse of a whole long file is told its outline instead; PreCompact and SessionEnd keep a
    digest; each of them leaves an event. Never fails: what cannot be told is not.

    event (EVENT): as the host calls it
    """
    from slipstream_git.hosts import hooking

    return hooking.hook(ground, event)


@operation(ALONE)
def statusline(ground: Ground) -> hostings.Line:
    """Print one line of where the session stands, for a host's status line or a shell's prompt.

    The session and its steps, what is to be decided, red gates, and what readers were told against
    what whole files would have been. What a host sends on standard input says where it works.
    """
    from slipstream_git.hosts import statusline

    return statusline.line(ground)
