"""A shared repository, its clones, and what hooks of it do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from tests.lab import Ground, Lab, Reply


class Hub:
    """lab: the shared repository. url: as clones reach it."""

    def __init__(self, ground: Ground, lab: Lab, url: str) -> None:
        self.ground = ground
        self.lab = lab
        self.url = url

    def clone(self, name: str, *options: str) -> Lab:
        lab = self.ground.at(self.ground.place / name)
        self.lab.git("clone", "--quiet", "--template=", *options, self.url, str(lab.path))
        lab.git("config", "user.name", name)
        return lab

    def subjects(self, branch: str = "main") -> list[str]:
        """Since the first commit, oldest first."""
        return self.lab.git("log", "--reverse", "--format=%s", branch).splitlines()[1:]

    def is_linear(self, branch: str = "main") -> bool:
        return not self.lab.git("rev-list", "--min-parents=2", branch)

    def commit(self, files: dict[str, Any], message: str) -> str:
        """What somebody else pushed meanwhile."""
        return self.lab.commit(files, message)


def hook(lab: Lab, name: str, script: str) -> Path:
    """Have a hook run, a shell script; the directory that it may write into."""
    place = lab.path.parent / f"{lab.path.name}-{name}"
    place.mkdir(exist_ok=True)
    hooks = lab.git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    path = hooks / name
    path.write_text(f"#!/bin/sh\nplace={shlex.quote(str(place))}\n{script}\n")
    path.chmod(0o755)
    return place


def staged(lab: Lab, name: str, content: str | None = None, path: str | None = None) -> None:
    """A session that writes one file."""
    lab.slip("begin", name, "--title", f"Do {name}")
    text = f"{name}\n" if content is None else content
    lab.slip("write", path or name, "-s", name, stdin=text.encode())


def push(lab: Lab, name: str, *options: str, expect: int | None = 0) -> Reply:
    """`slip commit --push origin`."""
    return lab.slip_json("commit", "-s", name, "--push", "origin", *options, expect=expect)
