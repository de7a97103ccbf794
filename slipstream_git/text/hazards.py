"""What a batch as a whole must not plant, though each of its paths is fine.

A directory that holds HEAD, objects and refs is a repository to git: whoever steps into it runs the
hooks and programs that its config names (safe.bareRepository exists for that). A control character
in .gitmodules makes git check a submodule out elsewhere than it says (CVE-2025-48384). A larger
.gitattributes than git reads (attr.h: ATTR_MAX_FILE_SIZE) is ignored by git and refused by fsck.

Only what the batch adds or changes is judged: a repository that holds such things for its tests
stays editable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from slipstream_git.errors import SlipError
from slipstream_git.model import SYMLINK, File
from slipstream_git.text import paths
from slipstream_git.text.overlay import Directories, View, steps

_REPOSITORY = frozenset({b"head", b"objects", b"refs"})
_MODULES = b".gitmodules"
_ATTRIBUTES = b".gitattributes"
LARGEST_ATTRIBUTES = 100 << 20
_CONTROL = re.compile(rb"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def check(view: View, changes: Mapping[bytes, File | None]) -> None:
    """Refuse what the head of this file names, as `bad-path` or `too-large`."""
    suspects = sorted(_suspects(view, changes))
    directories = Directories(view, changes) if suspects else None
    for directory in suspects:
        if directories and _is_repository(directories, directory):
            shown = paths.display(directory)
            raise SlipError(
                "bad-path",
                f"{shown} would hold HEAD, objects and refs: git takes that for a repository",
                data={"path": shown},
            )
    modules = changes.get(_MODULES)
    if modules is not None and modules.mode != SYMLINK and _CONTROL.search(modules.data):
        raise SlipError("bad-path", ".gitmodules would hold a control character")
    for path, file in changes.items():
        if file and len(file.data) > LARGEST_ATTRIBUTES and path.split(b"/")[-1] == _ATTRIBUTES:
            shown = paths.display(path)
            raise SlipError("too-large", f"{shown}: git reads at most {LARGEST_ATTRIBUTES} bytes")


def _suspects(view: View, changes: Mapping[bytes, File | None]) -> set[bytes]:
    """Directories in which the batch adds a part of a repository; not the root, which is one."""
    return {
        directory
        for path, file in changes.items()
        if file and not _REPOSITORY.isdisjoint(path.lower().split(b"/"))
        for directory, name in steps(path)
        if directory and name.lower() in _REPOSITORY and view.entry(path) is None
    }


def _is_repository(directories: Directories, directory: bytes) -> bool:
    found = {
        name.lower(): directory + b"/" + name
        for name in directories.names(directory)
        if name.lower() in _REPOSITORY
    }
    return (
        len(found) == len(_REPOSITORY)
        and all(map(directories.survives, found.values()))
        and directories.is_file(found[b"head"])
    )
