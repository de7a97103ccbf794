"""A patch of several files over an overlay: every file or none.

As with ``git apply``, a copy reads its source as it was before the patch, though the patch changes
it too, and two renames may swap their names. Else a later part sees what the ones before it made,
so that a series of patches can come as one text.
"""

from __future__ import annotations

from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.model import FILE, GITLINK, SYMLINK, File, Patch
from slipstream_git.text import paths
from slipstream_git.text.effects import Effect, parsed
from slipstream_git.text.objectid import blob_id
from slipstream_git.text.overlay import Changes, Overlay
from slipstream_git.text.patches import FilePatch, Patched, apply_file


def patch(op: Patch, overlay: Overlay) -> Effect:
    """What a patch changes, and what it tells: lines, and the largest offset where there is one."""
    oid = op.oid
    patches = parsed(op)
    if oid is not None and len(patches) != 1:
        raise SlipError("bad-op", f"`oid` is for one file; this patch has {len(patches)}")
    application = _Application(overlay, oid)
    for file in patches:
        application.take(file)
    return Effect(*application.outcome())


class _Application:
    """The files of one patch in the making."""

    def __init__(self, overlay: Overlay, oid: str | None) -> None:
        self._before = overlay
        self._oid = oid
        self._removed: dict[bytes, None] = {}
        self._written: dict[bytes, File] = {}
        self._edited_in_place: set[bytes] = set()
        self._lines: list[list[int]] = []
        self._offset = 0
        self._matched: str | None = None

    def outcome(self) -> tuple[Changes, dict[str, Any]]:
        changes: Changes = {path: None for path in self._removed if path not in self._written}
        changes |= self._written
        self._check_room(changes)
        told: dict[str, Any] = {"lines": self._lines or None, "matched": self._matched}
        if self._offset:
            told["offset"] = self._offset
        return changes, told

    def take(self, patch: FilePatch) -> None:
        if patch.change == "add":
            self._add(patch)
        elif patch.change == "delete":
            self._patched(patch, self._source(patch))
            self._remove(patch.old_path)
        else:
            self._edit(patch)

    def _add(self, patch: FilePatch) -> None:
        path = _required(patch.new_path)
        there = self._before.find(path) if path not in self._removed else None
        if there is not None or path in self._written:
            raise SlipError("exists", f"{paths.display(path)} exists already")
        patched = self._patched(patch, File(patch.new_mode or FILE, b""))
        self._write(path, File(patch.new_mode or FILE, patched.data))
        self._edited_in_place.add(path)

    def _edit(self, patch: FilePatch) -> None:
        source = self._source(patch)
        path = _required(patch.new_path)
        patched = self._patched(patch, source)
        if patch.change == "rename":
            self._remove(patch.old_path)
        if patch.change != "modify":
            self._check_target(path)
        elif path not in self._written:
            self._edited_in_place.add(path)
        self._write(path, File(patch.new_mode or source.mode, patched.data))

    def _check_target(self, path: bytes) -> None:
        if path in self._written:
            raise SlipError("exists", f"{paths.display(path)} is made twice by this patch")

    def _source(self, patch: FilePatch) -> File:
        path = _required(patch.old_path)
        if path in self._written and not self._means_before(patch, path):
            file = self._written[path]
        elif patch.change in ("modify", "delete") and path in self._removed:
            raise SlipError("missing", f"{paths.display(path)}: this patch removed it before")
        else:
            file = self._before.existing(path)
        self._check_kind(patch, path, file)
        return file

    def _means_before(self, patch: FilePatch, path: bytes) -> bool:
        """Whether it copies or renames what stood there before, and not what the patch made."""
        if patch.change not in ("copy", "rename") or self._before.find(path) is None:
            return False
        return patch.change == "copy" or path not in self._edited_in_place

    def _check_kind(self, patch: FilePatch, path: bytes, file: File) -> None:
        if file.mode == GITLINK:
            raise SlipError("unsupported", f"{paths.display(path)} is a submodule")
        if (file.mode == SYMLINK) != (patch.old_mode == SYMLINK) and patch.old_mode is not None:
            raise SlipError(
                "no-match", f"{paths.display(path)} is of another kind than the patch says"
            )
        if file.mode == SYMLINK and patch.old_mode is None and patch.change == "modify":
            raise SlipError("unsupported", f"{paths.display(path)} is a symbolic link")
        self._check_read(path, file)

    def _check_read(self, path: bytes, file: File) -> None:
        if self._oid is not None and self._oid != blob_id(file.data):
            raise SlipError(
                "stale",
                f"{paths.display(path)} is now blob {blob_id(file.data)}, not {self._oid}",
                data={"oid": blob_id(file.data)},
            )

    def _patched(self, patch: FilePatch, source: File) -> Patched:
        patched = apply_file(patch, source.data)
        for placed in patched.placed:
            self._lines.append(list(placed.lines))
            if abs(placed.offset) > abs(self._offset):
                self._offset = placed.offset
            if placed.matched != "exact":
                self._matched = placed.matched
        return patched

    def _remove(self, path: bytes | None) -> None:
        path = _required(path)
        self._removed[path] = None
        if path in self._edited_in_place or self._before.find(path) is None:
            self._written.pop(path, None)
            self._edited_in_place.discard(path)

    def _write(self, path: bytes, file: File) -> None:
        if file.mode == SYMLINK:
            paths.check_symlink_target(path, file.data)
        self._written[path] = file

    def _check_room(self, changes: Changes) -> None:
        """That every written path is valid, in scope and free, once the removals are made."""
        held = {path for path in changes if self._is_held(path)}
        with self._before.trying(changes):
            for path in self._written:
                with self._before.without(path):
                    self._before.vacant(path)
                if path in held:
                    raise SlipError("exists", f"{paths.display(path)} exists already")

    def _is_held(self, path: bytes) -> bool:
        """Whether a file stands at a written path that this patch neither edits nor removes."""
        if path in self._edited_in_place or path in self._removed:
            return False
        return self._before.find(path) is not None


def _required(path: bytes | None) -> bytes:
    if path is None:
        raise SlipError("bad-patch", "a file of the patch has no name")
    return path
