"""What merges came to, remembered by everything that decides them.

A merge of three trees is decided by their ids, by git, and by what configuration and attributes
outside of the trees say. All of that goes into a verdict's key, so none can be out of date. What
also depends on a program or on another repository (a merge driver, a filter that renormalises, a
submodule's history) is not remembered at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from typing import Any, Final

import slipstream_git
from slipstream_git.changes import factfile
from slipstream_git.gitdb import mergedrivers
from slipstream_git.gitdb.repository import Repository

FILE: Final = "verdicts"
MOST_BYTES: Final = 4 << 20
_DECIDING: Final = ("merge", "diff", "core", "attr", "filter")

Row = dict[str, Any]


class Verdicts:
    """The verdicts of one repository, for one question: looked up at once, written at once."""

    def __init__(self, repository: Repository) -> None:
        self._file = factfile.in_repository(repository, FILE, MOST_BYTES)
        self._surroundings = surroundings(repository)
        self._known: dict[str, list[Row]] = {}
        self._fresh: dict[str, list[Row]] = {}

    def key(self, *parts: str) -> str | None:
        """The key of a merge of these objects; None where it is not to be remembered."""
        if self._surroundings is None:
            return None
        return hashlib.sha256("\0".join([self._surroundings, *parts]).encode()).hexdigest()[:40]

    def look_up(self, keys: Sequence[str | None]) -> None:
        """Read what is known of these, before `get` is asked for them one by one."""
        found = self._file.find({key for key in keys if key})
        self._known |= {key: rows for key, rows in found.items() if isinstance(rows, list)}

    def get(self, key: str | None) -> list[Row] | None:
        """The paths in conflict; an empty list is a clean merge, None is not known."""
        return self._known.get(key) if key else None

    def put(self, key: str | None, rows: list[Row]) -> None:
        if key:
            self._known[key] = self._fresh[key] = rows

    def keep(self) -> None:
        """Write down what is new."""
        self._file.add(self._fresh)
        self._fresh = {}


def surroundings(repository: Repository) -> str | None:
    """A digest of what decides merges beside their trees; None where that cannot be told."""
    config = repository.config
    beyond = mergedrivers.beyond(repository)
    if not beyond.is_plain or any(key.endswith(".driver") for key in config.below("merge")):
        return None
    settings: Mapping[str, str] = {
        key: value for part in _DECIDING for key, value in config.below(part).items()
    }
    parts = [slipstream_git.__version__, repository.git.run("--version").out.decode()]
    # The extra that names what a hunk stands in.
    parts.append(f"parsers={PathFinder.find_spec('tree_sitter') is not None}")
    parts += [f"{key}={settings[key]}" for key in sorted(settings)]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape"))
    for name in beyond.files:
        try:
            with open(name, "rb") as stream:
                said = stream.read()
        except (FileNotFoundError, NotADirectoryError):
            said = b""
        except OSError:
            return None
        digest.update(b"\0%d\0" % len(said) + said)
    return digest.hexdigest()
