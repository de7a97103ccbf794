"""What landing does not do yet, refused before anything moves rather than done wrongly.

`git commit` would run hooks, sign, filter and honour a sparse checkout. Until landing does, a
repository in which one of these would come into play is refused with `unsupported`, naming it.
"""

from __future__ import annotations

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import attributes
from slipstream_git.gitdb.attributes import Attributes
from slipstream_git.gitdb.repository import Repository
from slipstream_git.text import paths


def check_sparse(repository: Repository) -> None:
    """Refuse where worktrees hold only a part of the tree."""
    if repository.config.flag("core.sparsecheckout"):
        raise _unsupported("the checkout is sparse", "git sparse-checkout disable")


def check_filters(repository: Repository, found: Attributes) -> None:
    """Refuse where a path that lands is stored otherwise than it stands in a worktree."""
    for path, what in sorted(attributes.filtered(repository, found).items()):
        raise _unsupported(f"{paths.display(path)} has the attribute {what}", None)


def _unsupported(what: str, hint: str | None) -> SlipError:
    return SlipError("unsupported", f"{what}, and slip does not do that yet", hint=hint)
