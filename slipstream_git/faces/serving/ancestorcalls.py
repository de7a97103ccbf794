"""Operations of the table, called one after another for one of the ancestor's requests."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from slipstream_git.errors import SlipError
from slipstream_git.faces.serving import fields
from slipstream_git.model import File
from slipstream_git.operations import calling
from slipstream_git.operations.registry import Operation
from slipstream_git.records import NamedTuple
from slipstream_git.text import alignment, matching, paths
from slipstream_git.workspace import Workspace

OPEN: Final = "refs/slip/sessions/"
MOST_NEIGHBOURS: Final = 4096


class Calls:
    """One caller who is alone in a repository."""

    def __init__(self, ws: Workspace, row: Callable[[str], Operation]) -> None:
        self.notices: list[str] = []
        self.ws = ws._replace(notify=self.notices.append)
        self._row = row

    def __call__(self, operation: str, **given: Any) -> Any:
        row = self._row(operation)
        return calling.call(row, self.ws, fields.values(row, given))

    @property
    def root(self) -> str | None:
        return self.ws.repository.layout.root

    @property
    def place(self) -> str:
        return self.root or self.ws.repository.layout.git_dir

    def tips(self) -> Mapping[str, str]:
        """The newest step of every open session, by name."""
        refs = self.ws.repository.store.refs(OPEN)
        return {ref.removeprefix(OPEN): tip for ref, tip in refs.items()}

    def has(self, session: str) -> bool:
        paths.session_name(session)
        return self.ws.repository.store.ref(OPEN + session) is not None

    def path(self, text: str) -> bytes:
        """A path of the repository; an absolute one is one in this worktree. Raises `bad-path`."""
        if os.path.isabs(text):
            root = os.path.realpath(self.root or "/")
            directory, name = os.path.split(text)
            inside = os.path.relpath(os.path.join(os.path.realpath(directory), name), root)
            if self.root is None or inside == "." or inside.split("/")[0] == "..":
                raise SlipError("bad-path", f"{text} is not in the worktree at {self.place}")
            text = inside
        return paths.check_existing(paths.from_text(text))

    def on_disk(self, path: bytes) -> str | None:
        """Where a path's file is in the worktree; None where there is none."""
        if self.root is None:
            return None
        where = os.path.join(self.root, os.fsdecode(path))
        return where if os.path.lexists(where) else None

    def file(self, path: bytes, **view: str) -> File:
        """A text file of a session or revision. Raises `missing`, `encoding`, …"""
        found = self("read", paths=[os.fsdecode(path)], force=True, **view).files[0]
        if found.path != paths.display(path):  # `x:1-2`, where there is only `x`
            raise SlipError("missing", f"there is no file {paths.display(path)}")
        _check_text(path, lossy=found.lossy)
        return File(int(found.mode, 8), found.text.encode())

    def has_file(self, path: bytes, session: str) -> bool:
        try:
            self.file(path, session=session)
        except SlipError as fault:
            if fault.code == "missing":
                return False
            raise
        return True

    def text(self, path: bytes, **view: str) -> bytes:
        """The same as bytes; none where there is no such file."""
        try:
            return self.file(path, **view).data
        except SlipError as fault:
            if fault.code in ("missing", "bad-path"):
                return b""
            raise

    def disk_text(self, path: bytes) -> bytes | None:
        """A file of the working tree as git would store it; None where there is none."""
        if self.on_disk(path) is None:
            return None
        found = self("lines", path=os.fsdecode(path), untracked=True, tokens=0)
        _check_text(path, lossy=found.lossy)
        return bytes(found.text.encode())


def _check_text(path: bytes, *, lossy: bool | None) -> None:
    if lossy:
        raise SlipError("encoding", f"{paths.display(path)} is not UTF-8; `apply` edits it")


def ranges(old: bytes, new: bytes) -> list[list[int]]:
    """Which lines of ``old`` are otherwise in ``new``: half-open ranges, counted from 0."""
    found = alignment.quick_edits(matching.lines(old), matching.lines(new))
    return [[edit.start, edit.end] for edit in found]


class _Touched(NamedTuple):
    """What a session changes at one of its steps. ranges: by path, as far as they were asked."""

    tip: str
    base: str | None
    paths: frozenset[str]
    ranges: dict[str, list[list[int]]]


class Neighbours:
    """Which open sessions have edits of which files; worked out once for each step of each."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Touched] = OrderedDict()

    def changed(self, calls: Calls, session: str, tip: str) -> frozenset[str]:
        """The paths that a session changes, as they are shown."""
        return self._touched(calls, session, tip).paths

    def others(
        self, calls: Calls, session: str, wanted: Iterable[bytes]
    ) -> dict[bytes, list[dict[str, Any]]]:
        """For each path the other sessions with edits of it, and the lines that they edit.

        Lines are counted in what each of those sessions began with.
        """
        shown = {path: paths.display(path) for path in wanted}
        found: dict[bytes, list[dict[str, Any]]] = {}
        for name, tip in calls.tips().items() if shown else ():
            try:
                touched = self._touched(calls, name, tip) if name != session else None
            except SlipError:
                continue
            for path in (p for p, told in shown.items() if touched and told in touched.paths):
                dirty = self._ranges(calls, name, touched, path) if touched else []
                row = {"session": name, "dirty_ranges": dirty}
                found.setdefault(path, []).append(row)
        return found

    def _touched(self, calls: Calls, session: str, tip: str) -> _Touched:
        key = (calls.ws.repository.layout.common_dir, session)
        known = self._known.get(key)
        if known is None or known.tip != tip:
            told = calls("diff", session=session, stat=True)
            changed = frozenset(change.path for change in told.changes)
            known = self._known[key] = _Touched(tip, told.base, changed, {})
        while len(self._known) > MOST_NEIGHBOURS:
            self._known.popitem(last=False)
        return known

    def _ranges(
        self, calls: Calls, session: str, touched: _Touched, path: bytes
    ) -> list[list[int]]:
        shown = paths.display(path)
        if shown not in touched.ranges:
            touched.ranges[shown] = changed_ranges(calls, path, touched.base, session=session)
        return touched.ranges[shown]


def changed_ranges(calls: Calls, path: bytes, base: str | None, **view: str) -> list[list[int]]:
    """Which lines of a file at ``base`` a view has otherwise; none for what is no text."""
    try:
        old = calls.text(path, rev=base) if base else b""
        return ranges(old, calls.text(path, **view))
    except SlipError:
        return []
