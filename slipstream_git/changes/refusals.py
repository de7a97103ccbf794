"""What landing does not do yet, refused before anything moves rather than done wrongly.

`git commit` would run hooks and sign. Until landing does, a repository in which one of these would
come into play is refused with `unsupported`, naming it.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.repository import Repository

# --no-verify skips the first two, as in git.
HOOKS = (
    "pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "reference-transaction",
    "post-index-change",
)  # fmt: skip
SKIPPED_BY_NO_VERIFY = ("pre-commit", "commit-msg")


def check_hooks(repository: Repository, *, no_verify: bool) -> None:
    """Refuse where a hook would run."""
    for name in HOOKS:
        path = os.path.join(repository.layout.hooks_dir, name)
        if os.access(path, os.X_OK) and not (no_verify and name in SKIPPED_BY_NO_VERIFY):
            hint = "slip commit --no-verify -m MESSAGE" if name in SKIPPED_BY_NO_VERIFY else None
            raise _unsupported(f"the hook {path} would run", hint)
    configured = repository.config.below("hook")
    if any(key.endswith(".command") for key in configured):
        raise _unsupported("hooks are configured in git config", None)


def check_signing(repository: Repository, *, sign: bool | None) -> None:
    """Refuse where the commit should be signed."""
    if sign or (sign is None and repository.config.flag("commit.gpgsign")):
        raise _unsupported("the commit should be signed", "slip commit --no-sign -m MESSAGE")


def check_gates(repository: Repository, head: str | None, *, check: bool | None) -> None:
    """Refuse where gates would run; ``--check`` where none is defined."""
    gates = _gates(repository, head)
    if gates and check is not False:
        raise _unsupported(
            f".slip.toml defines gates ({', '.join(gates)})", "slip commit --no-check -m MESSAGE"
        )
    if check and not gates:
        raise SlipError("usage", "--check: .slip.toml defines no gate")


def _gates(repository: Repository, head: str | None) -> Collection[str]:
    """Names of the gates that the commit landed on defines."""
    if head is None:
        return ()
    tree = commits.parse(head, repository.objects.commit(head)).tree
    entry = repository.trees.lookup(tree, b".slip.toml")
    if entry is None:
        return ()
    import tomllib  # only a repository that has the file pays for it

    try:
        settings = tomllib.loads(repository.objects.blob(entry.oid).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise SlipError(
            "gate-failed", f".slip.toml of {head[:10]} cannot be read: {fault}"
        ) from None
    gates = settings.get("gate")
    return sorted(gates) if isinstance(gates, dict) else ()


def _unsupported(what: str, hint: str | None) -> SlipError:
    return SlipError("unsupported", f"{what}, and slip does not do that yet", hint=hint)
