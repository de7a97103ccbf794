"""Prints what a person sees of the repository here once the next slip has looked at it.

Open and closed sessions, refs by their trees, status, index and files: no ids of commits and no
times, so that two ways to the same state print the same; and what a shared repository beside this
one has. With a file that holds a JSON list of such texts it prints only what is none of them.
`test_crashpoints.py` runs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slipstream_git import codec
from slipstream_git.errors import SlipError
from slipstream_git.operations import calling, registry
from slipstream_git.workspace import Workspace, open_workspace

MEMORY = "refs/notes/slip/memory"
SHARED = "../shared.git"


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], stdout=subprocess.PIPE, check=True)
    return os.fsdecode(done.stdout)


def call(workspace: Workspace, name: str, **values: object) -> dict[str, Any]:
    row = registry.find(name)
    assert row is not None
    answer: dict[str, Any] = codec.to_json(calling.call(row, workspace, values))
    return answer


def sessions() -> Iterator[object]:
    workspace = open_workspace(os.getcwd(), os.environ, in_process=False)  # noqa: PTH109
    with workspace.repository:
        call(workspace, "recover")
        for closed in (False, True):
            for row in call(workspace, "list", closed=closed)["sessions"]:
                yield [row.get(key) for key in ("session", "onto", "title", "changes")]


def show() -> Iterator[object]:
    try:
        yield from sessions()
    except SlipError as fault:
        yield fault.code, fault.message
    # The note of a landing names commits of the chain, which hold the time; what another repository
    # had when it was asked last is no state of this one.
    seen = ("refs/heads/", "refs/slip/sessions/", "refs/slip/closed/")
    yield git("for-each-ref", "--format=%(refname) %(tree)", *seen)
    notes = git("for-each-ref", "--format=%(refname)", "refs/notes/").split()
    # What gates said is as true before a landing as after it.
    yield [name for name in notes if name != "refs/notes/slip/gates"]
    if MEMORY in notes:
        workspace = open_workspace(os.getcwd(), os.environ, in_process=False)  # noqa: PTH109
        with workspace.repository:
            facts = call(workspace, "facts", all=True)["facts"]
        yield sorted((row["text"], row.get("elsewhere", False)) for row in facts)
    yield git("status", "--porcelain"), git("ls-files", "--stage")
    for path in sorted(Path().rglob("*")):
        # (`.git` of a linked worktree says where the repository lies, each time elsewhere)
        if path.is_file() and ".git" not in path.parts:
            yield path, oct(path.stat().st_mode), path.read_bytes()
    yield sorted(Path(".git/slip/intents").glob("*"))
    if Path(SHARED).exists():
        yield git("-C", SHARED, "for-each-ref", "--format=%(refname) %(tree)", *seen)
        yield git("-C", SHARED, "for-each-ref", "--format=%(refname)", "refs/notes/")
        yield git("-C", SHARED, "log", "--format=%s", "main")
        git("-C", SHARED, "fsck", "--strict", "--no-dangling", "--no-progress")


def main() -> None:
    with tempfile.TemporaryDirectory() as aside:
        if Path.cwd().parent.name == "fixture":
            # What all runs start from must stay as it is, its dead landing too.
            shutil.copytree(".", f"{aside}/work", symlinks=True)
            if Path(SHARED).exists():
                shutil.copytree(SHARED, f"{aside}/{Path(SHARED).name}")
            os.chdir(f"{aside}/work")
            git("update-index", "-q", "--refresh")
        shown = "".join(f"{line}\n" for line in show())
        os.chdir("/")
    if len(sys.argv) == 1:
        sys.stdout.write(shown)
    elif shown not in json.loads(Path(sys.argv[1]).read_text()):
        sys.exit(shown)


main()
