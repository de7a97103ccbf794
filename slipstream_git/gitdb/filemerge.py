"""Three-way merge of one text, by git where it is not certain without."""

from __future__ import annotations

import os

from slipstream_git.errors import SlipError
from slipstream_git.gitdb.process import Git
from slipstream_git.text import threeway

MOST_CONFLICTS = 127


def merge(git: Git, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """The merge, or None where it conflicts or a side is binary."""
    if base == ours:
        return theirs
    if theirs in (base, ours):
        return ours
    text = threeway.merged(base, ours, theirs)
    return by_git(git, base, ours, theirs) if text is None else text.data


def by_git(git: Git, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """The same as ``git merge-file`` has it."""
    import tempfile  # 8 ms, and such merges are rare

    with tempfile.TemporaryDirectory(prefix="slip-merge-") as directory:
        names = []
        for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
            names.append(os.path.join(directory, name))
            with open(names[-1], "wb") as stream:
                stream.write(data)
        done = git.run("merge-file", "-p", *names, accept=range(256))
    if done.status == 0:
        return done.out
    if 0 < done.status <= MOST_CONFLICTS or "binary" in done.said:
        return None
    raise SlipError("git-failed", f"git merge-file: {done.said}")
