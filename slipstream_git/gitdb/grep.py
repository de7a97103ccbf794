"""Files and lines of a tree that hold something, asked of ``git grep``: it reads with all cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Git, Output
from slipstream_git.records import NamedTuple


def files_with(git: Git, tree: str, literal: bytes, under: bytes) -> Iterator[bytes]:
    """Paths of ``tree`` below ``under`` that may hold ``literal``: they hold its longest line."""
    lines = [line.strip(b"\r") for line in literal.split(b"\n")]
    longest = max(lines, key=len)
    if not longest or b"\0" in longest:
        longest = b""
    patterns: list[str | bytes] = ["-F", "-e", longest]
    scope: list[str | bytes] = ["--", under] if under else []
    done = git.run(
        "--literal-pathspecs", "grep", "-alz", "--no-color", "--full-name",
        *patterns, tree, *scope, accept=(0, 1),
    )  # fmt: skip
    _check_read(done)
    prefix = tree.encode() + b":"
    for record in done.out.split(b"\0"):
        if record:
            yield record.removeprefix(prefix)


def _check_read(done: Output) -> None:
    """It goes on without a file that it cannot read, as if nothing stood in it."""
    if any(line.startswith(b"error: ") for line in done.err.splitlines()):
        raise SlipError(
            "git-failed", f"git grep: {done.said.partition(';')[0]}", hint="slip doctor"
        )


class Wanted(NamedTuple):
    """under: only below this directory. options: of `git grep`."""

    pattern: str
    under: bytes
    options: Sequence[str]


def lines(
    git: Git, tree: str, wanted: Wanted, env: Mapping[str, str] | None = None
) -> Iterator[tuple[bytes, int, bytes]]:
    """Lines of text files that match: path, number and text, sorted by path.

    Characters are UTF-8 whatever the caller's locale says. Raises `git-failed`.
    """
    scope: list[str | bytes] = ["--", wanted.under] if wanted.under else []
    done = git.run(
        "--literal-pathspecs", "grep", "-nIz", "--no-color", "--full-name", *wanted.options,
        "-e", wanted.pattern, tree, *scope,
        accept=(0, 1), env={**(env or {}), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    _check_read(done)
    at, out = 0, done.out
    while at < len(out):
        # A name may hold the end of a line, a line that matches a zero far into the file.
        name_end = out.index(b"\0", at)
        number_end = out.index(b"\0", name_end + 1)
        end = out.index(b"\n", number_end + 1)
        path = out[at + len(tree) + 1 : name_end]
        yield path, int(out[name_end + 1 : number_end]), out[number_end + 1 : end]
        at = end + 1
