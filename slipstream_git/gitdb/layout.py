"""Where the parts of a repository are."""

from __future__ import annotations

import os

from slipstream_git.records import NamedTuple

# In the git directory of a linked worktree that is a session's: its name, and its begin commit.
SESSION_MARK = "slip-session"


class Layout(NamedTuple):
    """Where a repository's parts are. Absolute paths; ``root`` is None without a worktree.

    sharing: who else may write there, see `permissions.parse`.
    """

    git_dir: str
    common_dir: str
    root: str | None
    bare: bool
    hooks_dir: str
    sharing: int = 0

    @property
    def slip_dir(self) -> str:
        """What slip keeps beside the objects: caches, intents, the lock."""
        return os.path.join(self.common_dir, "slip")

    @property
    def objects_dir(self) -> str:
        return os.path.join(self.common_dir, "objects")
