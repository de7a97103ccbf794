"""What `.slip.toml` says, as the commit that is landed on has it.

Never as the session has it: a change set cannot weaken its own gates, nor an old base dodge new
ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.repository import Repository
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths

FILE = b".slip.toml"


class Pool(NamedTuple):
    """What warm worktrees need beside the tracked files.

    setup: a shell command, run once for each content of the files in ``setup_when``.
    share: paths linked from the caller's worktree.
    """

    setup: str | None = None
    setup_when: tuple[str, ...] = ()
    share: tuple[str, ...] = ()


class Settings(NamedTuple):
    gates: tuple[str, ...] = ()
    pool: Pool = Pool()


def at(repository: Repository, head: str | None) -> Settings:
    """The settings of a commit; none where it has no file. Raises `policy` for a broken one."""
    if head is None:
        return Settings()
    tree = commits.parse(head, repository.objects.commit(head)).tree
    entry = repository.trees.lookup(tree, FILE)
    if entry is None:
        return Settings()
    import tomllib  # only a repository that has the file pays for it

    try:
        said = tomllib.loads(repository.objects.blob(entry.oid).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise _broken(head, f"cannot be read: {fault}") from None
    gates = _table(head, said, "gate")
    return Settings(tuple(sorted(gates)), _pool(head, _table(head, said, "pool")))


def _pool(head: str, said: Mapping[str, Any]) -> Pool:
    unknown = sorted(set(said) - set(Pool._fields))
    if unknown:
        raise _broken(head, f"[pool] has no {unknown[0]!r}; it has {', '.join(Pool._fields)}")
    setup = said.get("setup")
    if setup is not None and (not isinstance(setup, str) or not setup.strip()):
        raise _broken(head, "[pool] setup is a command, a string")
    return Pool(setup, _names(head, said, "setup_when"), _names(head, said, "share"))


def _names(head: str, said: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of paths inside the project."""
    names = said.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _broken(head, f"[pool] {key} is a list of paths")
    for name in names:
        try:
            paths.check(paths.from_text(name))
        except SlipError as fault:
            raise _broken(head, f"[pool] {key}: {fault.message}") from None
    return tuple(names)


def _table(head: str, said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = said.get(key, {})
    if not isinstance(table, dict):
        raise _broken(head, f"[{key}] is a table")
    return table


def _broken(head: str, why: str) -> SlipError:
    return SlipError("policy", f".slip.toml of {head[:10]}: {why}")
