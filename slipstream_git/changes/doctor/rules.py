"""What the project says of landings: `.slip.toml`, and the programs that its gates name."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator

from slipstream_git import hints
from slipstream_git.changes import settings
from slipstream_git.changes.doctor.findings import FAIL, WARN, Finding, all_of
from slipstream_git.changes.gating import surroundings
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.workspace import Workspace

# So many versions of the file are looked through for one that could be read.
MOST_VERSIONS = 50
# What every shell does itself.
_BUILT_IN = frozenset(
    (
        ".", ":", "[", "alias", "bg", "cd", "command", "echo", "eval", "exec", "exit", "export",
        "false", "fg", "getopts", "hash", "jobs", "kill", "printf", "pwd", "read", "readonly",
        "return", "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask",
        "unset", "wait",
    )
)  # fmt: skip
_FILE = os.fsdecode(settings.FILE)


def settings_of_project(ws: Workspace) -> Finding:
    """Whether `.slip.toml` of what is checked out can be read; where not, nothing lands."""
    _, head = ws.repository.head()
    try:
        found = settings.at(ws.repository, head)
    except SlipError as fault:
        if fault.code != "policy":
            raise
        return Finding(fault.message, FAIL, _earlier(ws, str(head)))
    gates = [gate.name for gate in found.gates]
    return Finding(f"gates: {', '.join(gates)}" if gates else "no gates are defined")


def _earlier(ws: Workspace, head: str) -> hints.Hint | None:
    """What brings back the newest version of the file that could be read."""
    words = ("log", f"-{MOST_VERSIONS}", "--format=%H", head, "--", f":(top){_FILE}")
    for oid in ws.repository.git.run(*words).out.decode().split():
        try:
            settings.at(ws.repository, oid)
        except SlipError:
            continue
        taken = hints.of("git", "checkout", oid, "--", _FILE)
        if ws.repository.trees.lookup(_tree(ws, oid), settings.FILE) is None:
            taken = hints.of("git", "rm", "-q", _FILE)
        said = f"Bring {_FILE} back as it could be read"
        return taken.then(hints.of("git", "commit", "-q", "-m", said, "--", _FILE))
    return None


def _tree(ws: Workspace, oid: str) -> str:
    return commits.tree_of(ws.repository.objects, oid)


def gates(ws: Workspace) -> Finding:
    """Whether the programs that gates name are there; where not, every landing is refused."""
    _, head = ws.repository.head()
    try:
        known = settings.at(ws.repository, head)
    except SlipError:
        return Finding("not looked at: see settings")
    found: list[Finding] = []
    count = 0
    for gate in known.gates:
        for word in surroundings.programs(gate.run):
            count += 1
            found += _program(ws, gate.name, word, known.pool.share, _tree(ws, str(head)))
    return all_of(found, f"{count} programs, all there" if known.gates else "none")


def _program(
    ws: Workspace, gate: str, word: str, shared: tuple[str, ...], tree: str
) -> Iterator[Finding]:
    """A finding where a program cannot be started."""
    if "/" not in word:
        if word not in _BUILT_IN and shutil.which(word, path=ws.env.get("PATH")) is None:
            yield Finding(f"gate {gate}: {word} is not on the PATH", WARN)
        return
    if word.startswith("/"):
        if not os.access(word, os.X_OK):
            yield Finding(f"gate {gate}: {word} cannot be started", WARN)
        return
    path = os.path.normpath(word)
    root = ws.repository.layout.root
    if any(path == name or path.startswith(f"{name}/") for name in shared):
        if root and not os.access(os.path.join(root, path), os.X_OK):
            yield Finding(f"gate {gate}: {word} is shared, and cannot be started", WARN)
        return
    entry = ws.repository.trees.leaf(tree, os.fsencode(path))
    if entry is None:
        yield Finding(f"gate {gate}: {word} is not in the tree", WARN)
    elif stat.S_ISREG(entry.mode) and not entry.mode & stat.S_IXUSR:
        said = f"gate {gate}: {word} is not executable in the tree"
        fix = hints.of("chmod", "+x", path)
        commit = hints.of("git", "commit", "-q", "-m", f"{path} is a program", "--", path)
        yield Finding(said, WARN, fix.then(commit) if root else None)
