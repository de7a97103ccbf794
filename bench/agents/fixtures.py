"""A task's repository, made anew; and what came out of it, compared byte by byte."""

from __future__ import annotations

import difflib
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.agents import tasks
from bench.agents.tasks import Task
from bench.git import git, line

SOURCE = Path(__file__).resolve().parent.parent.parent
OURS = ("refs/slip/", "refs/notes/slip/")
HOW = {
    "slip": "Make the changes with `slip` (`slip --help`; `slip begin`, `slip apply`, `slip commit`"
    " and their --help).",
    "shell": "Make the changes with git and the programs that every Unix has; slip is not here.",
}
RECORDED = (
    "Run every command as `logsh 'COMMAND LINE'`, which is `sh -c` and keeps count; a command line"
    " may have many lines."
)
PROGRAM = """#!{python}
import sys
sys.path.insert(0, {source!r})
from bench.agents.recorder import main
sys.exit(main({kind!r}, {command!r}, {log!r}))
"""


class Verdict(NamedTuple):
    """``wrong_bytes``: in lines that are missing or too many. ``faults``: one line each."""

    task: str
    wrong_bytes: int
    faults: list[str]


def make(place: Path, task: Task, arm: str, slip: str) -> None:
    """Build ``place``: repo, TASK.md, task.json, and bin with the programs that record."""
    repository = place / "repo"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--initial-branch=main", ".")
    for key, value in (("user.name", "worker"), ("user.email", "worker@localhost")):
        git(repository, "config", key, value)
    git(repository, "config", "core.autocrlf", "false")
    _commit(repository, task.base, "Begin")
    git(repository, "tag", "start")
    if task.later is not None:
        _commit(repository, task.later, "Round to two digits")
    base = line(repository, "rev-parse", "HEAD")
    (place / "task.json").write_text(json.dumps({"task": task.name, "arm": arm, "base": base}))
    (place / "TASK.md").write_text(_text(task, arm))
    _programs(place, arm, slip)


def _text(task: Task, arm: str) -> str:
    return (
        f"{task.text}\n\nLand it as one commit on the branch main, on top of what is there, with"
        f" the message `{task.message}`. In the end main is checked out, and its files are what"
        f" the commit holds.\n\n{HOW[arm]} {RECORDED}\n"
    )


def _commit(repository: Path, files: Mapping[str, bytes], message: str) -> None:
    for path, data in files.items():
        target = repository / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", message)


def _programs(place: Path, arm: str, slip: str) -> None:
    kinds = {"logsh": ["sh", "-c"]}
    if arm == "slip":
        kinds["slip"] = [slip]
    for kind, command in kinds.items():
        program = place / "bin" / kind
        program.parent.mkdir(exist_ok=True)
        text = PROGRAM.format(
            python=sys.executable,
            source=str(SOURCE),
            kind=kind,
            command=command,
            log=str(place.resolve() / "log.jsonl"),
        )
        program.write_text(text)
        program.chmod(0o755)
    print(f"PATH={shlex.quote(str(place.resolve() / 'bin'))}:$PATH")


def check(place: Path, name: str | None = None) -> Verdict:
    """What is wrong with the outcome; kept in check.json for the report."""
    facts = json.loads((place / "task.json").read_text())
    task = tasks.find(name or facts["task"])
    repository = place / "repo"
    faults = _history_faults(repository, task, facts["base"])
    landed = _files(repository, "main")
    wrong, found = _compare(landed, task.wanted, "the commit")
    faults += found
    if git(repository, "status", "--porcelain"):
        on_disk = {
            path: (repository / path).read_bytes()
            for path in task.wanted
            if (repository / path).is_file()
        }
        wrong_on_disk, found = _compare(on_disk, task.wanted, "the worktree")
        faults += found or ["git status is not clean"]
        wrong = max(wrong, wrong_on_disk)
    verdict = Verdict(task.name, wrong, faults)
    (place / "check.json").write_text(json.dumps(verdict._asdict()))
    return verdict


def _history_faults(repository: Path, task: Task, base: str) -> list[str]:
    faults = []
    head = line(repository, "rev-parse", "--abbrev-ref", "HEAD")
    if head != "main":
        faults.append(f"HEAD is at {head}, not at main")
    parents = line(repository, "log", "--format=%P", f"{base}..main").splitlines()
    if parents != [base]:
        faults.append(f"main is {len(parents)} commits ahead of {base[:12]}, not one")
    message = line(repository, "log", "-1", "--format=%B", "main")
    if message != task.message:
        faults.append(f"the message is {message!r}")
    refs = line(repository, "for-each-ref", "--format=%(refname)").split("\n")
    left = [
        ref
        for ref in refs
        if ref not in ("refs/heads/main", "refs/tags/start") and not ref.startswith(OURS)
    ]
    faults += [f"left behind: {ref}" for ref in left]
    if len(git(repository, "worktree", "list", "--porcelain").split(b"worktree ")) > 2:
        faults.append("left behind: a worktree")
    return faults


def _files(repository: Path, revision: str) -> dict[str, bytes]:
    found = {}
    for record in git(repository, "ls-tree", "-r", "-z", revision).split(b"\0")[:-1]:
        facts, _, path = record.partition(b"\t")
        mode, _, oid = facts.decode().split()
        name = path.decode("utf-8", "surrogateescape")
        found[name if mode == "100644" else f"{name} (mode {mode})"] = git(
            repository, "cat-file", "blob", oid
        )
    return found


def _compare(
    found: Mapping[str, bytes], wanted: Mapping[str, bytes], where: str
) -> tuple[int, list[str]]:
    wrong, faults = 0, []
    for path in sorted(found.keys() | wanted.keys()):
        count = _wrong_bytes(found.get(path, b""), wanted.get(path, b""))
        if count or (path in found) != (path in wanted):
            wrong += count
            kind = "too many" if path not in wanted else "missing" if path not in found else "wrong"
            faults.append(f"{where}: {path} is {kind} ({count} bytes)")
    return wrong, faults


def _wrong_bytes(found: bytes, wanted: bytes) -> int:
    """Bytes of the lines, ends included, that only one of the two has."""
    if found == wanted:
        return 0
    ours, theirs = found.splitlines(keepends=True), wanted.splitlines(keepends=True)
    count = 0
    for tag, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, False).get_opcodes():  # noqa: FBT003
        if tag != "equal":
            count += max(sum(map(len, ours[a:b])), sum(map(len, theirs[c:d])))
    return count
