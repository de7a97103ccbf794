"""Search by `git grep`: for a process too short to open an index, and where there can be none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from slipstream_git.gitdb import grep
from slipstream_git.gitdb.repository import Repository
from slipstream_git.reading.search.ranking import Hit
from slipstream_git.text.patterns import Wish

_COMMIT = b"tree %s\nauthor slip <> 0 +0000\ncommitter slip <> 0 +0000\n\n"


def scan(
    repository: Repository, tree: str, commit: str | None, wish: Wish, under: bytes
) -> Iterator[Hit]:
    """Files below ``under`` with matching lines, sorted by path.

    A commit is searched, since git heeds attributes only then. Where there is none with this tree,
    one is made in a directory of its own, with what else is in memory alone.
    """
    wanted = grep.Wanted(wish.pattern, under, _options(wish))
    if commit is not None:
        rows = grep.lines(repository.git, commit, wanted)
    else:
        from slipstream_git.gitdb import quarantine

        commit = repository.objects.write("commit", _COMMIT % tree.encode())
        with quarantine.opened(repository) as room:
            rows = iter(list(grep.lines(repository.git, commit, wanted, room.env)))
    for path, lines in groupby(rows, key=lambda row: row[0]):
        yield Hit(path, [(number, text) for _, number, text in lines])


def _options(wish: Wish) -> list[str]:
    options = ["-F" if wish.fixed else "-P"]
    if wish.ignore_case:
        options.append("-i")
    if wish.word:
        options.append("-w")
    return options
