"""The same edits in three spellings: ops for slip, a diff for `git apply`, pairs for anything else.

Each edit changes one line, known by itself and its two neighbours, which stand together only once
in the file. Turn after turn the line gets another ending, so that every turn makes new blobs, on
all sides the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.git import git

APART = 8  # lines from one edit to the next: their hunks of three context lines stay two hunks
CONTEXT = 3
SIZES = range(1500, 60_000)


class Site(NamedTuple):
    """One line to be edited: its number, and up to three lines on either side of it."""

    path: str
    number: int
    before: tuple[str, ...]
    line: str
    after: tuple[str, ...]

    def block(self, turn: int) -> str:
        return "\n".join((self.before[-1], _marked(self.line, turn), self.after[0]))


def choose(repository: Path, edits: int, files: int) -> list[Site]:
    """So many sites in so many files of HEAD, spread evenly over the tree, sorted by path."""
    candidates = _candidates(repository)
    found: list[Site] = []
    taken = 0
    for path, text in _spread(repository, candidates, files):
        wanted = edits // files + (taken < edits % files)
        sites = _sites(path, text, wanted)
        if len(sites) == wanted:
            found += sites
            taken += 1
            if taken == files:
                return sorted(found)
    raise ValueError(f"{repository}: no {files} files there that {edits} edits fit into")


def batch(sites: Sequence[Site], turn: int) -> bytes:
    """The JSON that `slip apply` takes."""
    ops = [
        {
            "op": "str_replace",
            "path": site.path,
            "old": site.block(turn - 1),
            "new": site.block(turn),
        }
        for site in sites
    ]
    return json.dumps(ops).encode()


def diff(sites: Sequence[Site], turn: int) -> bytes:
    """The unified diff that `git apply` takes."""
    lines: list[str] = []
    path = None
    for site in sites:
        if site.path != path:
            path = site.path
            lines += [f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"]
        start = site.number - len(site.before)
        length = len(site.before) + 1 + len(site.after)
        lines.append(f"@@ -{start},{length} +{start},{length} @@")
        lines += [f" {text}" for text in site.before]
        lines += [f"-{_marked(site.line, turn - 1)}", f"+{_marked(site.line, turn)}"]
        lines += [f" {text}" for text in site.after]
    return "\n".join(lines).encode() + b"\n"


def pairs(sites: Sequence[Site], turn: int) -> bytes:
    """Path, old and new text, each ended by NUL."""
    fields = [field for s in sites for field in (s.path, s.block(turn - 1), s.block(turn))]
    return "".join(f"{field}\0" for field in fields).encode()


def _marked(line: str, turn: int) -> str:
    return f"{line} ({turn})" if turn > 0 else line


def _candidates(repository: Path) -> list[tuple[str, str]]:
    """Blob id and path of the ordinary files of HEAD with a middling size."""
    found = []
    for record in git(repository, "ls-tree", "-r", "-l", "-z", "HEAD").split(b"\0")[:-1]:
        facts, _, path = record.partition(b"\t")
        mode, _, oid, size = facts.split()
        if mode == b"100644" and int(size) in SIZES and path.isascii():
            found.append((oid.decode(), path.decode()))
    return found


def _spread(
    repository: Path, candidates: Sequence[tuple[str, str]], files: int
) -> Iterator[tuple[str, str]]:
    """Path and text of candidates from all over the tree, until the caller has enough."""
    step = max(1, len(candidates) // (2 * files))
    order = [c for start in range(step) for c in candidates[start::step]]
    for start in range(0, len(order), files):
        chunk = order[start : start + files]
        for (_, path), data in zip(chunk, _blobs(repository, [c[0] for c in chunk]), strict=True):
            if data.endswith(b"\n") and data.isascii() and b"\r" not in data and b"\0" not in data:
                yield path, data.decode()


def _blobs(repository: Path, oids: Sequence[str]) -> Iterator[bytes]:
    out = git(repository, "cat-file", "--batch", stdin="\n".join(oids).encode() + b"\n")
    position = 0
    for _ in oids:
        end = out.index(b"\n", position)
        size = int(out[position:end].split()[2])
        yield out[end + 1 : end + 1 + size]
        position = end + size + 2


def _sites(path: str, text: str, wanted: int) -> list[Site]:
    lines = text.split("\n")[:-1]
    found: list[Site] = []
    number = CONTEXT + 1
    stride = max(APART, (len(lines) - APART) // wanted)
    while len(found) < wanted and number + CONTEXT <= len(lines):
        at = number - 1
        site = Site(
            path, number, tuple(lines[at - CONTEXT : at]), lines[at],
            tuple(lines[at + 1 : at + 1 + CONTEXT]),
        )  # fmt: skip
        if site.line.strip() and text.find(site.block(0)) == text.rfind(site.block(0)):
            found.append(site)
            number += stride
        else:
            number += 1
    return found
