"""A warm worktree made ready for the project's own programs: hooks now, gates and runs alike.

A fresh checkout lacks what a project's tools are found in (``node_modules``, ``.venv``). `[pool]`
of `.slip.toml` says what to link from the caller's worktree and what to run once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from slipstream_git.changes.settings import Pool
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import pool
from slipstream_git.gitdb.pool import Slot
from slipstream_git.gitdb.process import Output
from slipstream_git.gitdb.repository import Repository
from slipstream_git.hints import Hint, of
from slipstream_git.text.decimals import decimal

TOLD_LINES: Final = 40
TOLD_CHARS: Final = 4000
_NOT_FOUND = re.compile(
    r"(?m)(?:^|[\s'\"`:])([\w./@+-]+)['\"`]?: (?:command )?not found\s*$"
    r"|No such file or directory: '([^']+)'|No module named '?([\w.]+)"
    r"|Cannot find (?:module|package) '([^']+)'|[Ee]xecutable [`'\"]?([\w./@+-]+)[`'\"]? not found"
)
_VENV: Final = "python3 -m venv .venv && .venv/bin/pip install"
# Where projects keep their tools, and how one of a kind makes them: its file, and the command.
_TOOLS: Final = ("node_modules", ".venv", "venv", "vendor/bundle")
_KINDS: Final = (
    ("package-lock.json", "npm ci"),
    ("pnpm-lock.yaml", "pnpm install --frozen-lockfile"),
    ("yarn.lock", "yarn install --frozen-lockfile"),
    ("package.json", "npm install"),
    ("uv.lock", "uv sync"),
    ("pyproject.toml", f"{_VENV} -e ."),
    ("requirements.txt", f"{_VENV} -r requirements.txt"),
)


@contextmanager
def leased(
    repository: Repository,
    tree: str,
    head: str,
    wanted: Pool,
    *,
    for_long: bool = False,
    patience_s: float = 0,
) -> Iterator[Slot]:
    """A warm worktree that holds ``tree``, HEAD at a ref or a commit, with what ``wanted`` says.

    for_long: the caller may keep it for minutes, and leaves some to others. patience_s: how long
    one is waited for, if that is longer than usual.

    The objects of the tree must be on disk. Raises `hook-failed` when the set-up command fails.
    """
    with pool.leased(repository, for_long=for_long, patience_s=patience_s) as slot:
        slot.ignore(wanted.share)
        state = _State(slot)
        state.unlink_all_but(wanted.share)
        slot.check_out(tree, head)
        if repository.layout.root is not None:
            state.link(repository.layout.root, wanted.share)
        if wanted.setup:
            state.set_up(repository, tree, wanted)
        yield slot


def ignoring(env: Mapping[str, str], slot: Slot, pool: Pool) -> Mapping[str, str]:
    """Settings by which a git in there does not see the links that `share` made."""
    if not pool.share:
        return {}
    known = env.get("GIT_CONFIG_COUNT", "")
    number = decimal(known) or 0
    return {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": "core.excludesFile",
        f"GIT_CONFIG_VALUE_{number}": slot.exclude,
    }


class _State:
    """What was done to a slot beside its files: links made, and the set-up that was run last."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._path = os.path.join(slot.place, "state.json")
        self._known: dict[str, Any] = {}
        with suppress(OSError, ValueError), open(self._path, encoding="utf-8") as stream:
            known = json.load(stream)
            self._known = known if isinstance(known, dict) else {}

    def unlink_all_but(self, names: Sequence[str]) -> None:
        """Remove links that were made for an earlier `share`."""
        for name in self._known.get("links", []):
            place = os.path.join(self._slot.root, name)
            if name not in names and os.path.islink(place):
                os.unlink(place)

    def link(self, source_root: str, names: Sequence[str]) -> None:
        for name in names:
            source, place = os.path.join(source_root, name), os.path.join(self._slot.root, name)
            if os.path.lexists(source) and not os.path.lexists(place):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.symlink(source, place)
        self._remember("links", list(names))

    def set_up(self, repository: Repository, tree: str, wanted: Pool) -> None:
        """Run the set-up command, unless it was for these very files. Raises `hook-failed`."""
        key = _setup_key(repository, tree, wanted)
        if self._known.get("setup") == key:
            return
        self._remember("setup", None)
        done = self._slot.trusting().shell(wanted.setup or "")
        if done.status:
            from slipstream_git.text import secrets  # of what fails, which is told and kept in rows

            done = done._replace(out=secrets.redacted(done.out))
            raise SlipError(
                "hook-failed",
                f"[pool] setup of .slip.toml failed with exit status {done.status}: {wanted.setup}",
                data={"hook": "setup", "exit": done.status, "output": tail(done)},
            )
        self._remember("setup", key)

    def _remember(self, name: str, value: object) -> None:
        if self._known.get(name) == value:
            return
        self._known[name] = value
        with open(self._path, "w", encoding="utf-8") as stream:
            json.dump(self._known, stream)


def _setup_key(repository: Repository, tree: str, wanted: Pool) -> str:
    import hashlib  # a cold start does not pay for it

    entries = (repository.trees.lookup(tree, os.fsencode(name)) for name in wanted.setup_when)
    oids = [entry.oid if entry else None for entry in entries]
    return hashlib.sha256(json.dumps([wanted.setup, oids]).encode()).hexdigest()


def tail(done: Output) -> str:
    """The end of what a program said, for a report."""
    lines = done.out.decode("utf-8", "replace").rstrip().splitlines()
    return "\n".join(lines[-TOLD_LINES:])[-TOLD_CHARS:]


def missing_program(done: Output) -> str | None:
    """The command or module that a failed program could not find, as far as it said so."""
    found = _NOT_FOUND.search(done.out.decode("utf-8", "replace"))
    return next((name for name in found.groups() if name), None) if found else None


def settings_hint(advice: Sequence[str]) -> Hint:
    """A command that gives `.slip.toml` these lines, and commits them."""
    written = of("printf", r"%s\n", *advice).then(of(".slip.toml"), ">>")
    commit = of("git", "commit", "-n", "-m", "Let hooks find their tools", ".slip.toml")
    return written.then(of("git", "add", ".slip.toml")).then(commit)


def advised_settings(root: str | None, wanted: Pool) -> list[str]:
    """Lines for `.slip.toml` that give warm worktrees the project's tools; [] where it has some."""
    if wanted != Pool() or root is None:
        return []
    present = [name for name in _TOOLS if os.path.isdir(os.path.join(root, name))]
    if present:
        return ["[pool]", f"share = {json.dumps(present)}"]
    there = (kind for kind in _KINDS if os.path.exists(os.path.join(root, kind[0])))
    lock, command = next(there, ("", ""))
    return ["[pool]", f'setup = "{command}"', f'setup_when = ["{lock}"]'] if lock else []
