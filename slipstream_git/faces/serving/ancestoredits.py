"""A batch of the ancestor's reads and edits, tried on the texts that a session has, in memory.

What comes of it is one batch of slip's own ops, which is staged as a whole: each of them names the
blob that it is meant for, so that what another process does meanwhile is merged with or refused.

A range is counted in the text that its client read last. What the same client edited since is
known line by line (`LineShifts`); what others did since is merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from slipstream_git.errors import SlipError
from slipstream_git.model import Entry, File, Insert, Op, ReplaceLines, StrReplace, Write
from slipstream_git.records import NamedTuple
from slipstream_git.text import edits, matching, paths
from slipstream_git.text.lineshifts import LineShifts
from slipstream_git.text.objectid import blob_id

_BOM: Final = b"\xef\xbb\xbf"


class Seen(NamedTuple):
    """What a client knows of a file: the blob it read last, with its own edits ``made`` of it.

    made: a blob id; empty where the edits of others were merged in, so that it has to read again.
    """

    made: str
    shifts: LineShifts = LineShifts()


class Tried(NamedTuple):
    """A batch that was tried. numbers: which entry of it each op stands for."""

    ops: Sequence[Op]
    numbers: Sequence[int]
    results: Sequence[Any]


class Held:
    """Texts by path, as `edits` looks at a tree; there is nothing else in it."""

    def __init__(self) -> None:
        self.files: dict[bytes, File] = {}
        self.oids: dict[bytes, str] = {}

    def put(self, path: bytes, file: File) -> None:
        self.files[path] = file
        self.oids[path] = blob_id(file.data)

    def entry(self, path: bytes) -> Entry | None:
        file = self.files.get(path)
        return Entry(file.mode, self.oids[path]) if file else None

    def blocker(self, _path: bytes) -> None:
        return None

    def blob(self, oid: str) -> bytes | None:
        return next((self.files[path].data for path, own in self.oids.items() if own == oid), None)

    def below(self, _path: bytes) -> Iterable[bytes]:
        return ()

    def siblings(self, _directory: bytes) -> Iterable[bytes]:
        return ()

    def select(self, _globs: Sequence[str], _literal: bytes | None) -> Iterable[bytes]:
        return ()

    def earlier(self, _path: bytes) -> Iterator[bytes]:
        return iter(())

    def merge(self, _base: bytes, _ours: bytes, _theirs: bytes) -> None:
        return None

    def substitute(
        self, change: Callable[[bytes], tuple[bytes, int]], data: bytes
    ) -> tuple[bytes, int]:
        return change(data)


class Trial:
    """One batch in the making.

    load: a file's content as the session has it. seen, cursors, pending: what is known by path;
    they are changed here, and count once the batch is staged. merged: paths whose content is only
    known when it is. have_read: those that the batch reads.
    """

    def __init__(
        self,
        load: Callable[[bytes], File],
        seen: dict[bytes, Seen],
        cursors: dict[bytes, int],
        pending: dict[bytes, int],
    ) -> None:
        self._load = load
        self._held = Held()
        self.seen = seen
        self.cursors = cursors
        self.pending = pending
        self.merged: set[bytes] = set()
        self.have_read: set[bytes] = set()
        self._ops: list[Op] = []
        self._numbers: list[int] = []
        self._number = 0

    def run(self, items: Iterable[tuple[str, bytes, Mapping[str, Any]]]) -> Tried:
        """Try every entry (method, path, fields). Raises what the first that fails raises."""
        results = []
        for self._number, (method, path, given) in enumerate(items):
            try:
                results.append(_METHODS[method](self, path, given))
            except SlipError as fault:
                raise renumbered(fault, [self._number]) from None
        return Tried(self._ops, self._numbers, results)

    def final(self) -> dict[bytes, str]:
        """The blobs that the batch makes of what it touched, as far as they are known."""
        return {path: oid for path, oid in self._held.oids.items() if path not in self.merged}

    def _data(self, path: bytes) -> bytes:
        if path in self.merged:
            raise _read_again(path, "was merged with what others did")
        if path not in self._held.files:
            self._held.put(path, self._load(path))
        return self._held.files[path].data

    # Reading -------------------------------------------------------------------------------------

    def read(self, path: bytes, given: Mapping[str, Any]) -> dict[str, Any]:
        data = self._data(path)
        lines = matching.lines(data.removeprefix(_BOM))
        start, end = self._range(path, given, len(lines))
        self.seen[path] = Seen(self._oid(path))
        self.have_read.add(path)
        self.cursors[path] = end
        told = [line.removesuffix(b"\n").removesuffix(b"\r") for line in lines[start:end]]
        return {
            "lines": [line.decode() for line in told],
            "cursor": end,
            "trailing_newline": data.endswith(b"\n"),
        }

    def _range(self, path: bytes, given: Mapping[str, Any], total: int) -> tuple[int, int]:
        start, end, count = (given.get(name) for name in ("start", "end", "count"))
        if start is None:
            start = 0 if count is None else min(self.cursors.get(path, 0), total)
        _check_within(path, start, total)
        if count is not None:
            end = start + count
        return start, total if end is None else max(start, min(end, total))

    def move(self, path: bytes, given: Mapping[str, Any]) -> dict[str, Any]:
        _check_within(path, given["to"], _line_count(self._data(path)))
        self.cursors[path] = given["to"]
        return {"status": "ok"}

    # Editing -------------------------------------------------------------------------------------

    def write(self, path: bytes, given: Mapping[str, Any]) -> dict[str, Any]:
        data = self._data(path)
        content = given["content"]
        text = "".join(f"{line}\n" for line in content) if isinstance(content, list) else content
        if given.get("start") is None and given.get("end") is None:
            return self._write_whole(path, data, text.encode())
        start = given.get("start", 0)
        end = given.get("end", start)
        if start == 0:
            text = text.removeprefix("\ufeff") if data.startswith(_BOM) else text
        text += "" if not text or text.endswith("\n") else "\n"
        return self._write_range(path, data, (start, end), text.encode())

    def _write_whole(self, path: bytes, data: bytes, text: bytes) -> dict[str, Any]:
        whole = text if text.startswith(_BOM) or not data.startswith(_BOM) else _BOM + text
        whole = matching.adapt(data, (0, len(data)), whole, "exact")
        if whole.removeprefix(_BOM) and data.endswith(b"\n") and not whole.endswith(b"\n"):
            whole += b"\r\n" if data.endswith(b"\r\n") else b"\n"
        seen = self._known(path)
        oid = seen.made if seen else self._oid(path)
        self._edit(path, data, Write(path, whole, create="never", oid=oid))
        if path not in self.merged:
            self.seen[path] = Seen(self._oid(path))
        return self._pending(path)

    def _write_range(
        self, path: bytes, data: bytes, wanted: tuple[int, int], text: bytes
    ) -> dict[str, Any]:
        seen = self._known(path)
        now = seen.shifts.now(*wanted) if seen else wanted
        if now is None:
            raise _read_again(path, "has an edit of yours across the end of this range")
        oid = seen.made if seen else self._oid(path)
        if oid == self._oid(path):
            _check_within(path, now[1], _line_count(data))
        start, end = now
        if start < end:
            self._edit(path, data, ReplaceLines(path, start + 1, end, text, oid))
        elif text:
            self._edit(path, data, Insert(path, text, after_line=start, oid=oid))
        if seen and path not in self.merged:
            shifts = seen.shifts.edited(*wanted, _line_count(text))
            self.seen[path] = Seen(self._oid(path), shifts)
        return self._pending(path)

    def str_replace(self, path: bytes, given: Mapping[str, Any]) -> dict[str, Any]:
        data, oid = self._data(path), self._oid(path)
        old, new = given["old_str"].encode(), given["new_str"].encode()
        if not old:
            raise SlipError("bad-op", "old_str is empty")
        spans = matching.find(data, old).spans
        every = bool(given.get("replace_all"))
        if old != new or not spans or (len(spans) > 1 and not every):
            self._edit(path, data, StrReplace(
                path, old, new, "all" if every else 1, oid=oid
            ))  # fmt: skip
        seen = self.seen.get(path)
        if seen and seen.made == oid:
            shifts = _shifted(seen.shifts, data, spans, new)
            self.seen[path] = Seen(self._oid(path), shifts)
        line = matching.line_at(data, spans[0][0]) - 1
        return {**self._pending(path), "match_line": line, "match_count": len(spans)}

    def _known(self, path: bytes) -> Seen | None:
        seen = self.seen.get(path)
        if seen and not seen.made:
            raise _read_again(path, "was merged with what others did")
        return seen

    def _edit(self, path: bytes, data: bytes, op: Any) -> None:
        """Try an op; one that is meant for another text than is there is merged when it is staged.

        From then on its result is not known here.
        """
        self._ops.append(op)
        self._numbers.append(self._number)
        if op.oid != self._oid(path):
            self.merged.add(path)
            self.seen[path] = Seen("")
            self.pending[path] = self.pending.get(path, 0) + 1
            return
        made = edits.apply_all([op], self._held, lambda _path: None).files.get(path)
        if made is not None and made.data != data:
            self._held.put(path, made)
            self.pending[path] = self.pending.get(path, 0) + 1

    def _oid(self, path: bytes) -> str:
        """The blob that a path is now; its text has been asked for."""
        return self._held.oids[path]

    def _pending(self, path: bytes) -> dict[str, Any]:
        return {"edits_pending": self.pending.get(path, 0)}


_METHODS: Final[Mapping[str, Callable[[Trial, bytes, Mapping[str, Any]], dict[str, Any]]]] = {
    "file.read": Trial.read,
    "file.write": Trial.write,
    "file.str_replace": Trial.str_replace,
    "cursor.move": Trial.move,
}


def renumbered(fault: SlipError, numbers: Sequence[int]) -> SlipError:
    """The refusal of ops, told by the entries that they stand for."""
    rows = fault.data.get("ops")
    if not isinstance(rows, list) or not all("index" in row for row in rows):
        return fault
    told = edits.refusal([{**row, "index": numbers[row["index"]]} for row in rows])
    told.hint = fault.hint
    return told


def _shifted(
    shifts: LineShifts, data: bytes, spans: Sequence[tuple[int, int]], new: bytes
) -> LineShifts:
    """After a replacement of these spans: every line that one of them touches is another."""
    total = _line_count(data)
    for start, end in reversed(spans):
        first = matching.line_at(data, start) - 1
        last = matching.line_at(data, end - 1)
        removed = data.count(b"\n", start, end)
        if data[end - 1 : end] == b"\n" and not _ends_line(data, start, new):
            last = min(last + 1, total)  # the next line goes on where this one ended
        shifts = shifts.replaced(first, last, last - first + new.count(b"\n") - removed)
    return shifts


def _ends_line(data: bytes, start: int, new: bytes) -> bool:
    return new.endswith(b"\n") if new else data[:start][-1:] in (b"", b"\n")


def _line_count(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


def _check_within(path: bytes, line: int, total: int) -> None:
    if line > total:
        raise SlipError(
            "out-of-range",
            f"{paths.display(path)} has {total} lines; {line} is behind their end",
            data={"total_lines": total},
        )


def _read_again(path: bytes, why: str) -> SlipError:
    shown = paths.display(path)
    return SlipError("stale", f"{shown} {why}; read it again", data={"path": shown})
