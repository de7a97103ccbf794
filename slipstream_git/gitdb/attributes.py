"""gitattributes of the tree that lands, asked of git: which files are not their own blobs.

git 2.39 cannot read attributes from a tree, so the `.gitattributes` files above the paths in
question go into an index of their own, and `git check-attr --cached` reads that. Where there are
none, and no such file of the user, the system or the repository either, git is not asked.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from slipstream_git.gitdb import quarantine, settingfiles
from slipstream_git.gitdb.process import Git
from slipstream_git.gitdb.repository import Attributes, Repository
from slipstream_git.model import REGULAR, Entry
from slipstream_git.text.objectid import digest

ASKED = ("filter", "ident", "working-tree-encoding", "text", "eol", "crlf")
# An index of our own is no sparse checkout's: in cone mode git would not even read the attributes
# of what is left out. And it keeps nothing in the git directory.
PRIVATE_INDEX = ("core.sparseCheckout=false", "core.splitIndex=false", "core.untrackedCache=false")
UNSET = ("unspecified", "unset")
LONGEST_IN_FLAGS = 0xFFF


@contextmanager
def remembering(repository: Repository) -> Iterator[None]:
    """Inside, the attributes of the same paths in the same tree are asked of git once."""
    repository.attributes = {}
    try:
        yield
    finally:
        repository.attributes = None


def of_paths(repository: Repository, tree: str, paths: Collection[bytes]) -> Attributes:
    """The attributes of ``paths`` as ``tree`` gives them: values by name, by path."""
    if not paths:
        return {}
    known, key = repository.attributes, (tree, frozenset(paths))
    if known is not None and key in known:
        return known[key]
    above = list(files_above(repository, tree, paths))
    if above or some_elsewhere(repository):
        found = _of_files(repository, above, paths)
    else:
        found = {path: dict.fromkeys(ASKED, "unspecified") for path in paths}
    if known is not None:
        known[key] = found
    return found


def of_contents(
    repository: Repository, files: Iterable[tuple[bytes, Entry]]
) -> tuple[set[bytes], set[bytes]]:
    """Which of a tree's files have attributes that say they are binary, and which text.

    files: all of the tree, or those that matter and the attribute files above them.
    """
    named = dict(files)
    above = sorted(item for item in named.items() if _says_content(repository, *item))
    if not above and not some_elsewhere(repository):
        return set(), set()
    found = _of_files(repository, above, named, ("diff",))
    said = [(path, values.get("diff")) for path, values in found.items()]
    return {path for path, value in said if value == "unset"}, {p for p, v in said if v == "set"}


def _says_content(repository: Repository, path: bytes, entry: Entry) -> bool:
    """Whether this is an attribute file that may say so."""
    if path.rpartition(b"/")[2] != b".gitattributes" or entry.mode not in REGULAR:
        return False
    text = repository.objects.blob(entry.oid)
    return b"diff" in text or b"binary" in text or b"[attr]" in text


def _of_files(
    repository: Repository,
    above: Iterable[tuple[bytes, Entry]],
    paths: Collection[bytes],
    names: Sequence[str] = ASKED,
) -> Attributes:
    """What these attribute files, and those of no tree, say of paths."""
    with quarantine.opened(repository) as room:
        index = os.path.join(room.directory, "index")
        with open(index, "wb") as stream:
            stream.write(_index(above))
        env = {**room.env, "GIT_INDEX_FILE": index}
        return _asked(repository.git.setting(*PRIVATE_INDEX), ("--cached",), paths, env, names)


def elsewhere(repository: Repository) -> tuple[object, ...]:
    """What tells one state of the attributes that no tree has from another; costs no process.

    The system's own are left out: who changes those begins anew.
    """
    layout, config, env = repository.layout, repository.config, repository.git.caller
    named = config.get("core.attributesfile")
    places = [os.path.join(layout.common_dir, "info", "attributes")]
    places += settingfiles.of_user(env, "attributes")
    if named:
        places.append(os.path.join(env.get("HOME", ""), named.removeprefix("~/")))
    head = repository.head() if layout.bare else None
    return named, config.get("attr.tree"), head, *map(settingfiles.state, places)


def some_elsewhere(repository: Repository) -> bool:
    """Whether attributes may come from anywhere but a tree: the user's, the system's, info/."""
    layout, config, git = repository.layout, repository.config, repository.git
    if layout.bare or config.get("attr.tree") or config.get("core.attributesfile") is not None:
        return True  # a bare repository's come from HEAD in some gits
    places = [os.path.join(layout.common_dir, "info", "attributes")]
    places += settingfiles.of_user(git.caller, "attributes")
    if any(map(os.path.lexists, places)):
        return True
    system = settingfiles.system_attributes(git, layout)
    return system is None or os.path.lexists(system)


def of_worktree(git: Git, paths: Collection[bytes]) -> Attributes:
    """The attributes of ``paths`` as the worktree in which ``git`` runs gives them now."""
    return _asked(git, (), paths, {})


def _asked(
    git: Git,
    options: Collection[str],
    paths: Collection[bytes],
    env: Mapping[str, str],
    names: Sequence[str] = ASKED,
) -> Attributes:
    listed = b"".join(path + b"\0" for path in paths)
    out = git.run("check-attr", *options, "--stdin", "-z", *names, stdin=listed, env=env).out
    fields = out.split(b"\0")
    found: dict[bytes, dict[str, str]] = {path: {} for path in paths}
    for path, name, value in zip(*[iter(fields)] * 3, strict=False):
        found[path][name.decode()] = value.decode("utf-8", "replace")
    return found


def _index(entries: Iterable[tuple[bytes, Entry]]) -> bytes:
    """An index file (version 2) with these entries, sorted by path, that no file was looked at."""
    written = [_index_entry(path, entry) for path, entry in entries]
    data = struct.pack(">4sII", b"DIRC", 2, len(written)) + b"".join(written)
    return data + digest(data)


def _index_entry(path: bytes, entry: Entry) -> bytes:
    unknown = (0,) * 6
    owner_and_size = (0, 0, 0)
    data = struct.pack(
        ">10I20sH", *unknown, entry.mode, *owner_and_size, bytes.fromhex(entry.oid),
        min(len(path), LONGEST_IN_FLAGS),
    )  # fmt: skip
    return data + path + bytes(8 - (len(data) + len(path)) % 8)


def files_above(
    repository: Repository, tree: str, paths: Iterable[bytes]
) -> Iterator[tuple[bytes, Entry]]:
    """The `.gitattributes` files that ``tree`` has for ``paths``; git reads no symlinks here."""
    for path in sorted(_attribute_files(paths)):
        entry = repository.trees.lookup(tree, path)
        if entry is not None and entry.mode in REGULAR:
            yield path, entry


def _attribute_files(paths: Iterable[bytes]) -> set[bytes]:
    found = {b".gitattributes"}
    for path in paths:
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            found.add(b"/".join([*parts[:depth], b".gitattributes"]))
    return found


def filtered(repository: Repository, attributes: Attributes) -> dict[bytes, str]:
    """Paths whose content a filter, an encoding or ident would change, and which it is."""
    found = {}
    for path, values in attributes.items():
        name = values.get("filter", "unspecified")
        if name not in UNSET and repository.config.below(f"filter.{name}"):
            found[path] = f"filter={name}"
        elif values.get("working-tree-encoding", "unspecified") not in UNSET:
            found[path] = f"working-tree-encoding={values['working-tree-encoding']}"
        elif values.get("ident") == "set":
            found[path] = "ident"
    return found


def with_crlf(repository: Repository, attributes: Attributes) -> set[bytes]:
    """Paths whose files may get CRLF endings in the worktree though their blobs have LF."""
    config = repository.config
    automatic = config.flag("core.autocrlf")
    by_default = automatic or (config.get("core.eol") or "").lower() == "crlf"
    return {
        path for path, values in attributes.items() if _may_have_crlf(values, automatic, by_default)
    }


def _may_have_crlf(values: Mapping[str, str], automatic: bool, by_default: bool) -> bool:  # noqa: FBT001
    text = values.get("text", "unspecified")
    legacy = values.get("crlf", "unspecified")
    if text == "unset" or (text == "unspecified" and legacy == "unset"):
        return False
    if values.get("eol") in ("crlf", "lf"):
        return values["eol"] == "crlf"
    declared = text in ("set", "auto") or legacy in ("set", "input")
    return by_default if declared else automatic


def converted_in(repository: Repository, attributes: Attributes) -> dict[bytes, str]:
    """Paths whose files `git add` may store as other bytes, and what makes it do so."""
    automatic = (repository.config.get("core.autocrlf") or "").lower() == "input"
    automatic = automatic or repository.config.flag("core.autocrlf")
    ends = {p: "line ends" for p, v in attributes.items() if _may_lose_cr(v, automatic=automatic)}
    return ends | filtered(repository, attributes)


def _may_lose_cr(values: Mapping[str, str], *, automatic: bool) -> bool:
    text = values.get("text", "unspecified")
    legacy = values.get("crlf", "unspecified")
    if text == "unset" or (text == "unspecified" and legacy == "unset"):
        return False
    declared = text in ("set", "auto") or legacy in ("set", "input")
    return automatic or declared or values.get("eol") in ("crlf", "lf")


def cleaned(git: Git, path: bytes, data: bytes) -> str | None:
    """The blob id that git gives a file which holds ``data``; None where its filter fails.

    git: at the root of the worktree, whose own `.gitattributes` count. Nothing is written.
    """
    asking = git.setting("core.safecrlf=false")
    done = asking.run("hash-object", "--stdin", b"--path=" + path, stdin=data, accept=(0, 1, 128))
    return done.out.decode().strip() if done.status == 0 else None
