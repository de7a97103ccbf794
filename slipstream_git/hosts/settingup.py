"""`slip setup CLIENT`: a host learns of slip, and forgets it again.

All changes are worked out first; where one of them cannot be, nothing is written. What is written
is shown before.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from slipstream_git import hints
from slipstream_git.errors import SlipError
from slipstream_git.hostings import SetUp, Written
from slipstream_git.hosts import files, jsontexts, plugin, tomltexts, whose
from slipstream_git.hosts.catalogue import COMMENTED, HOMES, HOSTS, SERVER, TOML, Host
from slipstream_git.hosts.files import Change
from slipstream_git.hosts.ground import Ground
from slipstream_git.records import NamedTuple

USER, PROJECT = "user", "project"
_PLUGIN: Final = "claude-code"


class Wish(NamedTuple):
    """What is asked for. remove: take away what was written. dry: show it only.

    repo: what the server is to serve; None for where the host starts it.
    """

    client: str
    scope: str = USER
    remove: bool = False
    dry: bool = False
    print_only: bool = False
    repo: str | None = None


def setup(ground: Ground, wish: Wish) -> SetUp:
    """Set a host up. Raises `usage`, `unsupported`, `exists`; then nothing was written."""
    host = HOSTS.get(wish.client)
    if host is None:
        known = ", ".join(HOSTS)
        raise SlipError("usage", f"there is no host {wish.client!r}: {known}",
                        hint=hints.of("slip", "setup", "--help"))  # fmt: skip
    if wish.print_only or host.name == "json":
        return SetUp(host.name, wish.scope, [], done=False, entry=_entry(ground, host, wish))
    changes, advice = _changes(ground, host, wish)
    written = [Written(one.path, one.action, one.diff) for one in changes]
    moving = [one for one in changes if one.action != "keep"]
    if not wish.dry:
        for row in written:
            if row.diff:
                ground.tell(row.diff)
        for change in moving:
            files.write(change, ground.token())
        if wish.remove and host.name == _PLUGIN and wish.scope == USER:
            files.tidy(_directory(ground))
    if not moving:
        advice = ["nothing to do"]
    return SetUp(
        host.name, wish.scope, written if wish.dry else _told(written), done=not wish.dry,
        removed=wish.remove, advice=advice or None,
    )  # fmt: skip


def _told(written: list[Written]) -> list[Written]:
    """What is said once the diffs have been shown."""
    return [row._replace(diff="") for row in written if row.action != "keep"]


def _changes(ground: Ground, host: Host, wish: Wish) -> tuple[list[Change], list[str]]:
    path = _path(ground, host, wish.scope)
    old = files.read(path)
    advice = [] if wish.remove else [*host.notes, *_lacking()]
    try:
        if host.name == _PLUGIN and wish.scope == USER:
            new = _settings(ground, old or "", advice, remove=wish.remove)
            return [*_plugin_files(ground, wish), _changed(path, old, new)], advice
        if host.form == TOML:
            new = _toml(ground, host, old or "", wish)
        else:
            new = _json(ground, host, old or "", wish)
    except ValueError as fault:
        raise SlipError(
            "unsupported", f"{path} is left as it is: {fault}",
            hint=hints.of("slip", "setup", host.name, f"--{wish.scope}", "--print"),
        ) from None  # fmt: skip
    return [_changed(path, old, new)], advice


def _changed(path: str, old: str | None, new: str) -> Change:
    """A file that is left with nothing in it goes; one that was not there is not made for it."""
    if not new.strip() or (new != old and jsontexts.is_empty(new)):
        return Change(path, old, None)
    return Change(path, old, new)


def _lacking() -> list[str]:
    """What the server needs and is not there."""
    from importlib.util import find_spec

    return [] if find_spec("mcp") else ["the server needs: pip install 'slipstream-git[mcp]'"]


# Where -------------------------------------------------------------------------------------------


def _path(ground: Ground, host: Host, scope: str) -> str:
    if scope == PROJECT:
        if not host.project:
            raise SlipError("unsupported", f"{host.title} has no configuration of a project's own",
                            hint=hints.of("slip", "setup", host.name, "--user"))  # fmt: skip
        place = whose.layout(ground, ground.directory)
        if place is None or place.root is None:
            raise SlipError("git-failed", f"{ground.directory} is in no worktree of a repository")
        return os.path.join(place.root, host.project)
    home, name = host.mac if host.mac and sys.platform == "darwin" else host.user
    return os.path.join(_home(ground.env, home), name)


def _home(env: Mapping[str, str], name: str) -> str:
    for way in HOMES[name]:
        variable, _, rest = way.removeprefix("$").partition("/")
        if os.path.isabs(env.get(variable, "")):
            return os.path.join(env[variable], rest) if rest else env[variable]
    raise SlipError("usage", "$HOME says no directory in which configuration could be")


def _directory(ground: Ground) -> str:
    """Where the plugin is."""
    return os.path.join(_home(ground.env, "data"), "slip", _PLUGIN)


# What --------------------------------------------------------------------------------------------


def _server(ground: Ground, host: Host, wish: Wish) -> dict[str, object]:
    """The entry that starts the server. A project's is shared, so it finds slip by the PATH."""
    program = ("slip",) if wish.scope == PROJECT else ground.program()
    return {"command": program[0], "args": [*program[1:], *_arguments(ground, wish)], **host.extra}


def _arguments(ground: Ground, wish: Wish) -> list[str]:
    if wish.repo is None:
        return ["mcp"]
    return ["mcp", "--repo", os.path.normpath(os.path.join(ground.directory, wish.repo))]


def _entry(ground: Ground, host: Host, wish: Wish) -> str:
    server = _server(ground, host, wish)
    if host.form == TOML:
        return tomltexts.block((host.section, SERVER), server)
    return json.dumps({host.section: {SERVER: server}}, indent=2)


def _json(ground: Ground, host: Host, old: str, wish: Wish) -> str:
    keys = (host.section, SERVER)
    comments = host.form == COMMENTED
    before = _at(old, keys, comments=comments)
    if before is not None and not plugin.is_our_server(before):
        if wish.remove:
            return old
        raise _taken(host, wish.scope)
    if wish.remove:
        return jsontexts.drop(old, keys, comments=comments) if old.strip() else old
    # What somebody added to the entry (an environment, a switch) stays.
    server = {**(before or {}), **_server(ground, host, wish)}
    for name in host.extra.keys() & (before or {}).keys():
        server[name] = before[name]
    return old if server == before else jsontexts.put(old, keys, server, comments=comments)


def _toml(ground: Ground, host: Host, old: str, wish: Wish) -> str:
    keys = (host.section, SERVER)
    rest = tomltexts.drop(old)
    section = tomltexts.read(rest).get(host.section)
    if isinstance(section, dict) and SERVER in section:
        if wish.remove:
            return rest
        raise _taken(host, wish.scope)
    return rest if wish.remove else tomltexts.put(old, keys, _server(ground, host, wish))


def _taken(host: Host, scope: str) -> SlipError:
    return SlipError(
        "exists", f"{host.title} has another server called {SERVER}, which is left as it is",
        hint=hints.of("slip", "setup", host.name, f"--{scope}", "--print"),
    )  # fmt: skip


def _settings(ground: Ground, old: str, advice: list[str], *, remove: bool) -> str:
    """The settings of Claude Code: the plugin's place, that it is on, and the status line."""
    new = old
    wanted = plugin.settings(_directory(ground))
    for keys, value in wanted.items():
        if remove:
            new = jsontexts.drop(new, keys, comments=False) if new.strip() else new
        elif _at(new, keys, comments=False) != value:
            new = jsontexts.put(new, keys, value, comments=False)
    line = _at(new, ("statusLine",), comments=False)
    if line is not None and not plugin.is_our_line(line):
        if not remove:
            advice.append("your status line is left as it is; slip's is `slip statusline`")
        return new
    if remove:
        return jsontexts.drop(new, ("statusLine",), comments=False) if new.strip() else new
    ours = plugin.status_line(ground.program())
    if line == ours:
        return new
    return jsontexts.put(new, ("statusLine",), ours, comments=False)


def _plugin_files(ground: Ground, wish: Wish) -> list[Change]:
    """The files of the plugin. What else is in its directory, from an older slip, goes."""
    directory = _directory(ground)
    served = _arguments(ground, wish)
    wanted = {} if wish.remove else plugin.files(ground.program(), served)
    there = {
        os.path.relpath(os.path.join(place, name), directory)
        for place, _, names in os.walk(directory)
        for name in names
    }
    return [
        Change(path, files.read(path), wanted.get(name))
        for name in sorted(there | wanted.keys())
        for path in (os.path.join(directory, name),)
    ]


def _at(text: str, keys: tuple[str, ...], *, comments: bool) -> Any:  # noqa: ANN401  (JSON)
    """What stands at a path of keys; None where nothing does. Raises ValueError."""
    if not text.strip():
        return None
    found = jsontexts.value(jsontexts.parse(text, comments=comments))
    for key in keys:
        if not isinstance(found, dict):
            raise ValueError(f"{key!r} has no object to stand in")
        found = found.get(key)
        if found is None:
            return None
    return found
