"""Who is at work, when, and with what: the caller's side of a landing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final

from slipstream_git import hints
from slipstream_git.changes import sessions
from slipstream_git.changes.doctor.findings import FAIL, WARN, Finding, some
from slipstream_git.gitdb import commits
from slipstream_git.workspace import Workspace

# Machines differ by so much without anybody minding.
AHEAD_S: Final = 300
# What each extra brings, of which one module tells whether it is there.
EXTRAS: Final[Mapping[str, Sequence[str]]] = {
    "reading": ("numpy", "re2", "regex", "tree_sitter"),
    "mcp": ("mcp",),
    "dashboard": ("starlette", "uvicorn"),
}


def identity(ws: Workspace) -> Finding:
    """Whether git knows whom a commit is by."""
    run = ws.repository.git.run
    person = ""
    for role in ("COMMITTER", "AUTHOR"):
        done = run("var", f"GIT_{role}_IDENT", accept=range(256))
        person = done.out.decode("utf-8", "replace").rsplit(">", 1)[0]
        if done.status:
            name = ws.env.get("USER") or ws.env.get("LOGNAME") or "me"
            fix = hints.of("git", "config", "user.name", name)
            fix = fix.then(hints.of("git", "config", "user.email", f"{name}@localhost"))
            said = f"git does not know who you are: {done.said.split(';')[0]}"
            return Finding(said, FAIL, fix)
    return Finding(f"commits are by {person}>")


def clock(ws: Workspace) -> Finding:
    """Whether commits are from later than now: then this clock is slow, or another was fast."""
    now = ws.clock()
    _, head = ws.repository.head()
    known = {"HEAD": head} if head else {}
    known |= {ref.removeprefix(sessions.OPEN): tip for ref, tip in _open(ws).items()}
    late = {}
    for name, tip in known.items():
        found = ws.repository.objects.find(tip)
        if found is None or found.kind != "commit":
            continue  # the checks of refs and objects tell of it
        line = commits.parse(tip, ws.repository.objects.commit(tip)).committer
        made = line.rsplit(b" ", 2)[-2]
        if made.isdigit() and int(made) - now > AHEAD_S:
            late[name] = int(made) - now
    if not late:
        return Finding("no commit is from later than now")
    said = f"{max(late.values())} s later than now: {some(sorted(late))}; is this clock right?"
    fix = "sudo timedatectl set-ntp true"
    return Finding(said, WARN, fix if shutil.which("timedatectl", path=_path(ws)) else None)


def _open(ws: Workspace) -> Mapping[str, str]:
    return ws.repository.store.refs(sessions.OPEN)


def _path(ws: Workspace) -> str | None:
    return ws.env.get("PATH")


def extras(_ws: Workspace, wanted: Mapping[str, Sequence[str]] = EXTRAS) -> Finding:
    """Which extras are installed. One without `reading` has no index and fewer outlines."""
    lacking = {
        extra: [module for module in modules if find_spec(module) is None]
        for extra, modules in wanted.items()
    }
    there = [extra for extra, modules in lacking.items() if not modules]
    # One half of an extra is a broken installation; none of it is a choice.
    halves = [e for e, modules in lacking.items() if 0 < len(modules) < len(wanted[e])]
    told = f"installed: {', '.join(there)}" if there else "none is installed"
    missing = sorted({*halves, *(["reading"] if lacking.get("reading") else [])})
    if not missing:
        return Finding(told)
    names = [f"{extra} ({', '.join(lacking[extra])})" for extra in missing]
    package = f"slipstream-git[{','.join(missing)}]"
    fix = hints.of(sys.executable, "-m", "pip", "install", package)
    return Finding(f"{told}; missing: {'; '.join(names)}", WARN, fix)
