"""A warm worktree cut off from the repository: a gate's git reads its objects and writes elsewhere.

The worktree's git directory is given another common one, made anew each time: the repository's
objects by way of alternates, a copy of its branches, tags and remote-tracking refs, its
configuration by inclusion. So `git log`, `git diff` and `git describe` answer as ever, and what a
program commits, deletes or configures is nobody's. It is no prison: a program that knows where
the repository is can go there.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import Final

from slipstream_git.gitdb import permissions
from slipstream_git.gitdb.repository import Repository

_SHOWN: Final = ("refs/heads/", "refs/tags/", "refs/remotes/")
_COPIED: Final = ("shallow", "info/attributes", "info/exclude", "info/grafts")


def make(repository: Repository, place: str) -> None:
    """Make the common directory at ``place``, whatever is there. Raises OSError, `git-failed`."""
    layout = repository.layout
    if os.path.islink(place):
        os.unlink(place)
    shutil.rmtree(place, ignore_errors=True)
    for name in ("objects/info", "refs", "info"):
        permissions.make_directory(os.path.join(place, name), layout.sharing)
    _write(place, "objects/info/alternates", os.fsencode(layout.objects_dir) + b"\n")
    _write(place, "HEAD", b"ref: refs/heads/none\n")
    _write(place, "config", _config(repository))
    listed = repository.git.run("for-each-ref", "--format=%(objectname) %(refname)", *_SHOWN)
    _write(place, "packed-refs", b"# pack-refs with: sorted \n" + listed.out)
    for name in _COPIED:
        with suppress(FileNotFoundError):
            shutil.copyfile(os.path.join(layout.common_dir, name), os.path.join(place, name))


def _config(repository: Repository) -> bytes:
    """The repository's own configuration, and what git reads from no included file."""
    lines = ["[core]", "\trepositoryformatversion = 1", "\tbare = false", "[extensions]"]
    for name in ("objectformat", "partialclone"):
        value = repository.config.get(f"extensions.{name}")
        if value:
            lines.append(f"\t{name} = {_quoted(value)}")
    own = os.path.join(repository.layout.common_dir, "config")
    lines += ["[include]", f"\tpath = {_quoted(own)}", ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _write(place: str, name: str, data: bytes) -> None:
    with open(os.path.join(place, name), "wb") as stream:
        stream.write(data)
