"""The files that git takes its settings from, outside a repository and in it.

A process that lives on reads the configuration again when one of them is another file than it was,
and a landing asks git for no attributes where none can be. Where the system's own files are depends
on how git was built. git says it when it is asked for the system's configuration, and is asked once
for each program: the answer is kept in `$GIT_COMMON_DIR/slip/system`.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress

from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.layout import Layout
from slipstream_git.gitdb.process import Git, Output
from slipstream_git.records import NamedTuple

# Answered also where there is no such file: git then says which one it misses.
SYSTEM = ("config", "--system", "--list", "--show-origin", "-z")
_MISSED = ("unable to read config file '", "': No such file or directory")
_ORIGIN = b"file:"

# What tells one state of a file from another; None where it is not there.
State = tuple[int, ...] | None


def of_user(env: Mapping[str, str], name: str) -> list[str]:
    """Where git looks below the user's directories for a file of this name."""
    homes = []
    if env.get("XDG_CONFIG_HOME"):
        homes.append(env["XDG_CONFIG_HOME"])
    elif env.get("HOME"):
        homes.append(os.path.join(env["HOME"], ".config"))
    return [os.path.join(home, "git", name) for home in homes]


class Watched(NamedTuple):
    """Files, which need not be there, and their states when they were looked at."""

    paths: tuple[str, ...]
    states: tuple[State, ...]

    def unchanged(self) -> bool:
        """Whether they are still in these states."""
        return tuple(map(state, self.paths)) == self.states


def watched(env: Mapping[str, str], layout: Layout, system: Output) -> Watched | None:
    """Every file that a configuration without includes may come from, as it is now.

    system: the answer to `SYSTEM`. None where not all of them are known.
    """
    # Of an empty file that a variable names, git does not say where it is.
    named = env.get("GIT_CONFIG_SYSTEM") or system_file(system)
    paths = _of_configuration(env, layout, named) if named else []
    if not paths or not all(map(os.path.isabs, paths)):
        return None
    return Watched(tuple(paths), tuple(map(state, paths)))


def _of_configuration(env: Mapping[str, str], layout: Layout, system: str) -> list[str]:
    if "GIT_CONFIG_GLOBAL" in env:
        users = [env["GIT_CONFIG_GLOBAL"]]
    else:
        users = of_user(env, "config")
        if env.get("HOME"):
            users.append(os.path.join(env["HOME"], ".gitconfig"))
    own = [
        os.path.join(layout.common_dir, "config"),
        os.path.join(layout.git_dir, "config.worktree"),
    ]
    return [system, *users, *own]


def state(path: str) -> State:
    """The state that a file is in now.

    git replaces a file of its own when it changes it; an editor may not.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if stat.S_ISCHR(found.st_mode):  # /dev/null: its time is that of the last write by anybody
        return found.st_dev, found.st_ino
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def system_file(said: Output) -> str | None:
    """The system's configuration file by the answer to `SYSTEM`; None where git does not say."""
    origin, nul, _ = said.out.partition(b"\0")
    if said.status == 0 and nul and origin.startswith(_ORIGIN):
        return _absolute(os.fsdecode(origin.removeprefix(_ORIGIN)))
    before, found, rest = said.said.partition(_MISSED[0])
    path, ending, after = rest.rpartition(_MISSED[1])
    if found and ending and not after and before in ("fatal: ", "error: "):
        return _absolute(path)
    return None


def _absolute(path: str) -> str | None:
    return path if os.path.isabs(path) else None


def system_attributes(git: Git, layout: Layout) -> str | None:
    """The system's attributes file, beside its configuration; None where git does not say."""
    found = _system_directory(git, layout)
    return os.path.join(found, "gitattributes") if found else None


def _system_directory(git: Git, layout: Layout) -> str | None:
    program = state(git.program)
    # A script that starts one git or the other is the same file for both.
    if program is None or not os.path.isabs(git.program) or _is_script(git.program):
        program = None
    key = [git.program, *(program or ())]
    path = os.path.join(layout.slip_dir, "system")
    known = _kept(path)
    if program is not None and known[:-1] == key:
        return str(known[-1]) or None
    # The variable names another configuration file, and no attributes file.
    plain = git.without("GIT_CONFIG_SYSTEM")
    found = system_file(plain.run(*SYSTEM, accept=range(256)))
    directory = os.path.dirname(found) if found else ""
    if program is not None:
        with suppress(OSError):
            _keep(path, [*key, directory], layout.sharing)
    return directory or None


def _is_script(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(2) == b"#!"
    except OSError:
        return True


def _kept(path: str) -> list[object]:
    try:
        with open(path, "rb") as stream:
            found = json.loads(stream.read())
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _keep(path: str, value: list[object], sharing: int) -> None:
    """Write down aside and rename; of two at once the later one wins."""
    with open(f"{path}.new", "w", encoding="ascii") as stream:
        json.dump(value, stream)
    permissions.adjust(f"{path}.new", sharing)
    os.rename(f"{path}.new", path)
