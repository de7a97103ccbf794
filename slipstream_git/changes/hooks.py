"""Which hooks `git commit` would run, what they are shown, and what they may make of it.

rehearsal.py runs them. Most repositories have none, and a landing there does not load it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from slipstream_git.changes.messages import Identity
from slipstream_git.gitdb.packs import RawObject
from slipstream_git.gitdb.repository import Repository
from slipstream_git.outcomes import HookRun
from slipstream_git.records import NamedTuple

# In the order in which git runs them. --no-verify skips two, as in git.
BEFORE = ("pre-commit", "prepare-commit-msg", "commit-msg")
AFTER = "post-commit"
REFS = "reference-transaction"
SKIPPED_BY_NO_VERIFY = ("pre-commit", "commit-msg")
# What a git says that has no `git hook list`, and so no hooks in configuration (before 2.54).
UNKNOWN_USAGE = 129


class Proposal(NamedTuple):
    """A commit to be, as hooks get to see it.

    on: what the branch holds by then, None where it is not there. head: the commit whose settings
    hold; None for the first of all.
    """

    tree: str
    branch: str
    on: str | None
    head: str | None
    text: bytes
    identity: Identity


class Passed(NamedTuple):
    """What the hooks made of a proposal: ``tree`` and ``text`` land in the place of what was asked.

    objects: what the hooks added that the tree needs.
    """

    tree: str
    text: bytes
    objects: Mapping[str, RawObject]
    runs: list[HookRun]


def before(repository: Repository, *, no_verify: bool) -> tuple[str, ...]:
    """The hooks that would run before a commit, in order."""
    skipped = SKIPPED_BY_NO_VERIFY if no_verify else ()
    return tuple(name for name in BEFORE if name not in skipped and exists(repository, name))


def exists(repository: Repository, name: str) -> bool:
    """Whether git would run anything for this hook, a file or what configuration holds.

    Raises `git-failed` where git cannot make sense of that configuration.
    """
    if os.access(os.path.join(repository.layout.hooks_dir, name), os.X_OK):
        return True
    if not repository.config.hooks():
        return False
    git_dir = repository.layout.git_dir
    git = repository.trusting(git_dir).inside(git_dir)
    done = git.run("hook", "list", name, accept=(0, 1, UNKNOWN_USAGE))
    listed = done.out.splitlines() if done.status == 0 else []
    return any(b"disabled\t" not in line for line in listed)
