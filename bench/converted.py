"""A stretch of a real history, stored as attributes and filters would have had it stored.

Attributes are appended to the repository's own, and every file that one of them converts (line
ends, a keyword, a filter driver, git-lfs) becomes the blob that `git add` makes of it; all else
stays as it is. So the commits keep their changes, and their files need converting on the way out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bench.git import environment

KINDS = {
    "eol=crlf": (".md", ".yml", ".rb"),
    "ident": (".py", ".h", ".js"),
    "filter": (".json", ".conf", ".tcl", ".ts"),
    "lfs": (".txt", ".snap"),
}
VALUES = {
    "eol=crlf": "text eol=crlf",
    "ident": "ident",
    "filter": "filter=sealed",
    "lfs": "filter=lfs diff=lfs merge=lfs -text",
}
ATTRIBUTES = "\n* text=auto\n" + "".join(
    f"*{suffix} {VALUES[kind]}\n" for kind, suffixes in KINDS.items() for suffix in suffixes
)
_SED = "LC_ALL=C sed"
_SWAP = "-e 'y/abcdefghijklmnopqrstuvwxyz/nopqrstuvwxyzabcdefghijklm/'"
CONFIG = {
    # Like an encryption, it marks what it made, and so knows it again: a file that would come back
    # alike either way is taken for what git stores, and slip and `git add` must differ on it.
    "filter.sealed.clean": f"{_SED} -e '1{{/^sealed$/{{:a;n;ba}}' -e 'i sealed' -e '}}' {_SWAP}",
    "filter.sealed.smudge": f"{_SED} -e '1{{/^sealed$/!{{:a;n;ba}}' -e d -e '}}' {_SWAP}",
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.required": "true",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
}
DATE = "1767323045 +0000"
_FILES = ("100644", "100755")
_GITLINK = "160000"
_NOTHING = "0" * 40


class Step(NamedTuple):
    """A commit of the stretch and the one before it, both as converted."""

    parent: str
    commit: str
    message: bytes


class Row(NamedTuple):
    """What a path becomes; mode "000000" is its removal."""

    mode: str
    oid: str
    path: bytes


def kind_of(path: bytes) -> str:
    """Which attribute converts a path; "" where only `text=auto` might."""
    suffix = PurePosixPath(os.fsdecode(path)).suffix
    return next((kind for kind, suffixes in KINDS.items() if suffix in suffixes), "")


def run(
    directory: Path,
    *arguments: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    expect: int | None = 0,
) -> subprocess.CompletedProcess[bytes]:
    """Run git, always the same second. Raises CalledProcessError, unless any status will do."""
    dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    done = subprocess.run(
        ["git", "-C", str(directory), *arguments],
        input=stdin, capture_output=True, check=False, env=environment() | dates | dict(env or {}),
    )  # fmt: skip
    if expect is not None and done.returncode != expect:
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
    return done


def out(directory: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    return run(directory, *arguments, stdin=stdin).stdout


def clone(source: Path, place: Path) -> None:
    """A clone that borrows the objects of ``source``, converting as `CONFIG` says, still empty."""
    run(
        place.parent, "clone", "--quiet", "--shared", "--no-checkout", "--template=",
        str(source), str(place),
    )  # fmt: skip
    for name, value in CONFIG.items():
        run(place, "config", name, value)


class Converter:
    """Makes the commits of the stretch, in a clone of its own at ``place``."""

    def __init__(self, repository: Path, place: Path) -> None:
        clone(repository, place)
        self.place = place
        self._work = place.parent / "being-converted"
        run(place, "read-tree", "--empty")
        run(place, "config", "uploadpack.allowAnySHA1InWant", "true")

    def steps(self, count: int) -> Iterator[Step]:
        """The newest ``count`` commits of the first-parent line, oldest first."""
        line = out(self.place, "rev-list", "--first-parent", f"-n{count + 1}", "HEAD").decode()
        before, *rest = line.split()[::-1]
        parent = self._commit(self._everything(before), None, b"before\n")
        for oid in rest:
            message = out(self.place, "log", "-1", "--format=%B", oid)
            commit = self._commit(self._changed(before, oid), parent, message)
            yield Step(parent, commit, message)
            before, parent = oid, commit

    def _everything(self, commit: str) -> list[Row]:
        rows = out(self.place, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]
        heads = (row.split(b"\t", 1) for row in rows)
        return [Row(*_mode_and_oid(head.decode().split()), path) for head, path in heads]

    def _changed(self, old: str, new: str) -> list[Row]:
        fields = iter(
            out(self.place, "diff-tree", "-r", "-z", "--no-renames", "--raw", old, new)
            .split(b"\0")[:-1]
        )  # fmt: skip
        found = []
        for head in fields:
            _, mode, _, oid, _ = head.decode().split(" ")
            found.append(Row(mode, oid, next(fields)))
        return found

    def _commit(self, rows: list[Row], parent: str | None, message: bytes) -> str:
        rows = [row for row in rows if row.mode != _GITLINK]
        made = {row.path: row.oid for row in rows}
        stays = {row.path for row in rows if row.mode not in _FILES}
        attributes = [p for p in made if p == b".gitattributes"] or [b".gitattributes"] * (
            parent is None
        )
        for path in attributes:
            made[path] = self._attributes(made.get(path, _NOTHING))
        self._index({r.path: r.mode for r in rows} | dict.fromkeys(attributes, "100644"), made)
        odd = [p for p in made if kind_of(p) and p not in stays and not _is_hard_to_name(p)]
        converted = self._converted({path: made[path] for path in odd})
        self._index({r.path: r.mode for r in rows if r.path in converted}, converted)
        tree = out(self.place, "write-tree").decode().strip()
        line = ["-p", parent] if parent else []
        return out(self.place, "commit-tree", tree, *line, stdin=message).decode().strip()

    def _attributes(self, oid: str) -> str:
        own = b"" if oid == _NOTHING else out(self.place, "cat-file", "blob", oid)
        text = own + ATTRIBUTES.encode()
        return out(self.place, "hash-object", "-w", "--stdin", stdin=text).decode().strip()

    def _index(self, modes: Mapping[bytes, str], oids: Mapping[bytes, str]) -> None:
        records = (b"%b %b\t%b" % (modes[p].encode(), oids[p].encode(), p) for p in modes)
        run(self.place, "update-index", "-z", "--index-info", stdin=b"\0".join([*records, b""]))

    def _converted(self, oids: Mapping[bytes, str]) -> dict[bytes, str]:
        """The blobs that `git add` makes of files with these contents."""
        if not oids:
            return {}
        shutil.rmtree(self._work, ignore_errors=True)
        names = out(self.place, "ls-files", "-z", "*.gitattributes", ".gitattributes").split(b"\0")
        for name in filter(None, names):
            text = out(self.place, "cat-file", "blob", f":{os.fsdecode(name)}")
            _put(self._work / os.fsdecode(name), text)
        for path, data in zip(oids, self._blobs(oids.values()), strict=True):
            keyword = b"" if kind_of(path) != "ident" or b"$Id" in data else b"$Id$\n"
            _put(self._work / os.fsdecode(path), data + keyword)
        env = {"GIT_DIR": str(self.place / ".git"), "GIT_WORK_TREE": str(self._work)}
        listed = b"".join(path + b"\n" for path in oids)
        done = run(self._work, "hash-object", "-w", "--stdin-paths", stdin=listed, env=env)
        return dict(zip(oids, done.stdout.decode().split(), strict=True))

    def _blobs(self, oids: Iterable[str]) -> Iterator[bytes]:
        data = out(
            self.place, "cat-file", "--batch", stdin="".join(f"{o}\n" for o in oids).encode()
        )
        at = 0
        while at < len(data):
            end = data.index(b"\n", at)
            size = int(data[at:end].split()[2])
            yield data[end + 1 : end + 1 + size]
            at = end + size + 2


def _mode_and_oid(words: list[str]) -> tuple[str, str]:
    return words[0], words[2]


def _is_hard_to_name(path: bytes) -> bool:
    """Not one plain line, as `hash-object --stdin-paths` wants it."""
    return b"\n" in path or path.startswith(b'"')


def _put(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
