"""What `.slip.toml` says, as the commit that is landed on has it.

Never as the session has it: a change set cannot weaken its own gates, nor an old base dodge new
ones. What the file misspells is refused, because a rule that nobody reads protects nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from slipstream_git import hints
from slipstream_git.changes.factfile import FactFile
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import commits
from slipstream_git.gitdb.repository import Repository
from slipstream_git.records import NamedTuple
from slipstream_git.text import paths, scopes

FILE = b".slip.toml"
TABLES = ("gate", "pool", "policy", "builtin")
_GATE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_LONGEST_S = 1_000_000
_LINE_MARK = re.compile(r"[0-9a-f]{12}\Z")


class Pool(NamedTuple):
    """What warm worktrees need beside the tracked files.

    setup: a shell command, run once for each content of the files in ``setup_when``.
    share: paths linked from the caller's worktree.
    """

    setup: str | None = None
    setup_when: tuple[str, ...] = ()
    share: tuple[str, ...] = ()


class Gate(NamedTuple):
    """A command that judges a tree: `run` by ``sh -c`` at its root.

    paths: globs; where nothing that they match has changed, it is not run. versions, files,
    variables: what of its surroundings decides what it says, beside the programs that `run` names:
    what commands print, what files outside of the tree hold, what variables of the environment say.
    """

    name: str
    run: str
    timeout_s: int = 3600
    paths: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


class Policy(NamedTuple):
    """What a session may change; None where nothing is said.

    protected: globs of paths that only a session changes which was allowed to.
    max_files, max_lines, max_bytes: of all that a session changes. max_file_bytes: of one file.
    """

    protected: tuple[str, ...] = ()
    max_files: int | None = None
    max_lines: int | None = None
    max_bytes: int | None = None
    max_file_bytes: int | None = None


class Builtin(NamedTuple):
    """Which of the built-in checks are on, and what they leave alone.

    allow: globs of paths. allow_lines: marks of single lines, as findings tell them.
    """

    conflict_markers: bool = True
    secrets: bool = True
    oversize: bool = True
    syntax: bool = True
    allow: tuple[str, ...] = ()
    allow_lines: tuple[str, ...] = ()


class Settings(NamedTuple):
    gates: tuple[Gate, ...] = ()
    pool: Pool = Pool()
    policy: Policy = Policy()
    builtin: Builtin = Builtin()


def at(repository: Repository, head: str | None, facts: FactFile | None = None) -> Settings:
    """The settings of a commit; none where it has no file. Raises `policy` for a broken one.

    facts: where a file that was read once is remembered, as reading one costs 6 ms.
    """
    if head is None:
        return Settings()
    tree = commits.tree_of(repository.objects, head)
    entry = repository.trees.lookup(tree, FILE)
    if entry is None:
        return Settings()
    key = f"toml-{entry.oid}"
    said = facts.find({key}).get(key) if facts is not None else None
    if not isinstance(said, dict):
        said = _read(repository, head, entry.oid)
        if facts is not None:
            _remember(facts, key, said)
    _check_known(head, said, TABLES, "the file", "the tables ")
    gates = _table(head, said, "gate")
    return Settings(
        tuple(_gate(head, name, _table(head, gates, name, "gate.")) for name in gates),
        _pool(head, _table(head, said, "pool")),
        _policy(head, _table(head, said, "policy")),
        _builtin(head, _table(head, said, "builtin")),
    )


def _read(repository: Repository, head: str, oid: str) -> dict[str, Any]:
    import tomllib  # only a repository that has the file pays for it

    try:
        return tomllib.loads(repository.objects.blob(oid).decode())
    except (ValueError, RecursionError) as fault:
        raise _broken(head, f"cannot be read: {fault}") from None


def _remember(facts: FactFile, key: str, said: dict[str, Any]) -> None:
    with suppress(TypeError):  # a date, which no key here takes
        facts.add({key: said})


def _pool(head: str, said: Mapping[str, Any]) -> Pool:
    _check_known(head, said, Pool._fields, "[pool]")
    setup = said.get("setup")
    if setup is not None and (not isinstance(setup, str) or not setup.strip() or "\0" in setup):
        raise _broken(head, "[pool] setup is a command, a string")
    return Pool(setup, _names(head, said, "setup_when"), _names(head, said, "share"))


def _gate(head: str, name: str, said: Mapping[str, Any]) -> Gate:
    where = f"[gate.{name}]"
    if not _GATE_NAME.match(name):
        raise _broken(head, f"{where}: a gate's name has letters, digits, dots, - and _")
    if name.replace("-", "_") in Builtin._fields[:4]:
        raise _broken(head, f"{where}: {name} is the name of a built-in check")
    _check_known(head, said, Gate._fields[1:], where)
    run, timeout_s = said.get("run"), said.get("timeout_s", 3600)
    if not isinstance(run, str) or not run.strip() or "\0" in run:
        raise _broken(head, f"{where} run is a command, a string")
    is_number = isinstance(timeout_s, int) and not isinstance(timeout_s, bool)
    if not is_number or not 0 < timeout_s <= _LONGEST_S:
        raise _broken(head, f"{where} timeout_s is a number of seconds, 1 to {_LONGEST_S}")
    table = f"gate.{name}"
    return Gate(
        name,
        run,
        timeout_s,
        _globs(head, said, table, "paths"),
        tuple(_texts(head, said, table, "versions", "commands")),
        tuple(_texts(head, said, table, "files", "files")),
        tuple(_texts(head, said, table, "variables", "names of variables")),
    )


def _policy(head: str, said: Mapping[str, Any]) -> Policy:
    _check_known(head, said, Policy._fields, "[policy]")
    counts = {key: said[key] for key in Policy._fields[1:] if key in said}
    for key, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise _broken(head, f"[policy] {key} is a number, 0 or more")
    return Policy(_globs(head, said, "policy", "protected"), **counts)


def _builtin(head: str, said: Mapping[str, Any]) -> Builtin:
    _check_known(head, said, Builtin._fields, "[builtin]")
    switches = {key: said[key] for key in Builtin._fields[:4] if key in said}
    for key, switch in switches.items():
        if not isinstance(switch, bool):
            raise _broken(head, f"[builtin] {key} is true or false")
    marks = _texts(head, said, "builtin", "allow_lines", "marks of lines")
    for mark in marks:
        if not _LINE_MARK.match(mark):
            raise _broken(head, f"[builtin] allow_lines: {mark!r} is no mark of a line")
    return Builtin(
        **switches, allow=_globs(head, said, "builtin", "allow"), allow_lines=tuple(marks)
    )


def _names(head: str, said: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of paths inside the project."""
    names = _texts(head, said, "pool", key, "paths")
    for name in names:
        try:
            paths.check(paths.from_text(name))
        except SlipError as fault:
            raise _broken(head, f"[pool] {key}: {fault.message}") from None
    return tuple(names)


def _globs(head: str, said: Mapping[str, Any], table: str, key: str) -> tuple[str, ...]:
    globs = _texts(head, said, table, key, "globs")
    try:
        scopes.compile_globs(globs)
    except SlipError as fault:
        raise _broken(head, f"[{table}] {key}: {fault.message}") from None
    return tuple(globs)


def _texts(head: str, said: Mapping[str, Any], table: str, key: str, what: str) -> list[str]:
    texts = said.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _broken(head, f"[{table}] {key} is a list of {what}")
    if any("\0" in text for text in texts):
        raise _broken(head, f"[{table}] {key}: no text may hold a NUL")
    return texts


def _table(head: str, said: Mapping[str, Any], key: str, above: str = "") -> Mapping[str, Any]:
    table = said.get(key, {})
    if not isinstance(table, dict):
        raise _broken(head, f"[{above}{key}] is a table")
    return table


def _check_known(
    head: str, said: Mapping[str, Any], known: Iterable[str], where: str, what: str = ""
) -> None:
    unknown = sorted(set(said).difference(known))
    if unknown:
        raise _broken(head, f"{where} has no {unknown[0]!r}; it has {what}{', '.join(known)}")


def _broken(head: str, why: str) -> SlipError:
    return SlipError(
        "policy",
        f".slip.toml of {head[:10]}: {why}",
        hint=hints.of("git", "show", f"{head[:10]}:.slip.toml"),
    )
