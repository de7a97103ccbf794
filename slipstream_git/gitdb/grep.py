"""Which files of a tree hold a literal, asked of ``git grep``, which reads with all cores."""

from __future__ import annotations

from collections.abc import Iterator

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Git


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
    if any(line.startswith(b"error: ") for line in done.err.splitlines()):
        # It goes on without a file that it cannot read, as if nothing stood in it.
        raise SlipError(
            "git-failed", f"git grep: {done.said.partition(';')[0]}", hint="slip doctor"
        )
    prefix = tree.encode() + b":"
    for record in done.out.split(b"\0"):
        if record:
            yield record.removeprefix(prefix)
