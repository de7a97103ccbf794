"""A batch equals the fold of its ops: against a model over bytes that knows nothing of the product.

The model goes through a batch op by op over `{path: (mode, bytes)}`, with the contract's words and
no cleverness; git itself merges where an op names an older blob. What it cannot judge without
repeating the product (new line ends in a file of mixed ones) it leaves out of the batch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from slipstream_git.errors import SlipError
from tests.desk import STORES, Desk
from tests.lab import Lab, Link, Script

FILE, TOOL, LINK = "100644", "100755", "120000"
BOM = b"\xef\xbb\xbf"
Row = dict[str, Any]
Files = dict[str, tuple[str, bytes]]


class Wrong(Exception):
    """The op is refused with this code."""


class Unsure(Exception):
    """The model does not judge this one."""


# --- the model ------------------------------------------------------------------------------------


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def line_end(data: bytes) -> bytes:
    """The one line end of a file; LF where there is none."""
    crlf = data.count(b"\r\n")
    if crlf and crlf != data.count(b"\n"):
        raise Unsure
    return b"\r\n" if crlf else b"\n"


def in_ends_of(data: bytes, text: bytes) -> bytes:
    if b"\n" not in text:
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\n", line_end(data))


def matches(data: bytes, old: bytes) -> list[tuple[int, int]]:
    """Where ``old`` stands, at the first level at which it does."""
    exact = [at for at in range(len(data)) if data.startswith(old, at)]
    if exact:
        return [(at, at + len(old)) for at in exact]
    found = []
    wanted = old.replace(b"\r\n", b"\n")
    for at in range(len(data)):
        end = at
        for byte in wanted:
            if byte == 10 and data.startswith(b"\r\n", end):
                end += 2
            elif data[end : end + 1] == bytes([byte]):
                end += 1
            else:
                break
        else:
            found.append((at, end))
    return found if b"\n" in old else []


def replaced(data: bytes, row: Row) -> bytes:
    old, new, count = bytes_of(row, "old"), bytes_of(row, "new"), row.get("count", 1)
    spans = matches(data, old)
    if not spans:
        raise Wrong("binary" if b"\0" in data[:8000] else "no-match")
    if count != "all" and len(spans) != count:
        raise Wrong("ambiguous" if len(spans) > count else "no-match")
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise Wrong("ambiguous")
    new = in_ends_of(data, new)
    for start, end in reversed(spans):
        data = data[:start] + new + data[end:]
    return data


def lines_of(data: bytes) -> list[bytes]:
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def with_lines(data: bytes, start: int, end: int, text: bytes) -> bytes:
    """Lines ``start`` to ``end`` (0-based, half-open) replaced by whole lines of text."""
    mark = BOM if data.startswith(BOM) else b""
    body = data[len(mark) :]
    eol = line_end(body)
    lines = lines_of(body)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    new = lines_of(in_ends_of(body, text) if text else b"")
    open_end = bool(body) and not body.endswith(b"\n") and end >= len(lines)
    made = lines[:start] + new + lines[end:]
    if open_end and (new or start < end) and made:
        made = [line if line.endswith(b"\n") else line + eol for line in made]
        made[-1] = made[-1][: -len(eol)]
    return mark + b"".join(made)


def inserted(data: bytes, row: Row) -> bytes:
    lines = lines_of(data.removeprefix(BOM))
    if row["after_line"] > len(lines):
        raise Wrong("out-of-range")
    return with_lines(data, row["after_line"], row["after_line"], bytes_of(row, "text"))


def lines_replaced(data: bytes, row: Row) -> bytes:
    if row["end"] > len(lines_of(data.removeprefix(BOM))):
        raise Wrong("out-of-range")
    return with_lines(data, row["start"] - 1, row["end"], bytes_of(row, "text"))


def merge_file(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """git's own merge of three files; None for a conflict."""
    if theirs in (base, ours):
        return ours
    if ours == base:
        return theirs
    with tempfile.TemporaryDirectory() as place:
        for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
            Path(place, name).write_bytes(data)
        command = ["git", "merge-file", "-p", "ours", "base", "theirs"]
        done = subprocess.run(command, cwd=place, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def bytes_of(row: Row, name: str) -> bytes:
    value = row[name]
    assert isinstance(value, bytes)
    return value


class Model:
    """The batch so far."""

    def __init__(self, base: Files) -> None:
        self.base = dict(base)
        self.files = dict(base)

    def do(self, row: Row) -> None:
        """One op; raises Wrong or Unsure, and then nothing has changed."""
        getattr(self, row["op"])(row)

    def directory(self, path: str) -> bool:
        return any(other.startswith(path + "/") for other in self.files)

    def there(self, path: str) -> tuple[str, bytes]:
        if path in self.files:
            return self.files[path]
        raise Wrong("bad-path" if self.directory(path) else "missing")

    def room(self, path: str, files: Files) -> None:
        parts = path.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts))}
        if above & set(files) or any(other.startswith(path + "/") for other in files):
            raise Wrong("bad-path")

    def whole(self, row: Row) -> tuple[str, bytes]:
        mode, data = self.there(row["path"])
        if row.get("oid", blob_id(data)) != blob_id(data):
            raise Wrong("stale")
        return mode, data

    def text(self, row: Row) -> tuple[str, bytes]:
        mode, data = self.there(row["path"])
        if mode == LINK:
            raise Wrong("unsupported")
        return mode, data

    def known(self, oid: str) -> bytes | None:
        return next((data for _, data in self.base.values() if blob_id(data) == oid), None)

    def edit(self, row: Row, change: Callable[[bytes, Row], bytes]) -> None:
        """A text edit, on the version that its author read."""
        mode, data = self.text(row)
        oid = row.get("oid", blob_id(data))
        if oid == blob_id(data):
            self.files[row["path"]] = mode, change(data, row)
            return
        read = self.known(oid)
        if read is None:
            raise Wrong("stale")
        merged = merge_file(read, data, change(read, row))
        if merged is None:
            raise Wrong("stale")
        self.files[row["path"]] = mode, merged

    def str_replace(self, row: Row) -> None:
        try:
            self.edit(row, replaced)
        except Wrong as wrong:
            if wrong.args[0] not in ("no-match", "binary") or "oid" in row:
                raise
            self.from_earlier(row)

    def from_earlier(self, row: Row) -> None:
        """`old` matched in what the session's base had at the path."""
        mode, data = self.text(row)
        lost = Wrong("binary" if b"\0" in data[:8000] else "no-match")
        before = self.base.get(row["path"])
        if before is None:
            raise lost
        try:
            theirs = replaced(before[1], row)
        except Wrong:
            raise lost from None
        merged = merge_file(before[1], data, theirs)
        if merged is None:
            raise lost
        self.files[row["path"]] = mode, merged

    def insert(self, row: Row) -> None:
        self.edit(row, inserted)

    def replace_lines(self, row: Row) -> None:
        self.edit(row, lines_replaced)

    def write(self, row: Row) -> None:
        path, content = row["path"], bytes_of(row, "content")
        self.room(path, self.files)
        if path not in self.files:
            if row.get("create") == "never":
                raise Wrong("missing")
            if "oid" in row:
                raise Wrong("stale")
            self.files[path] = row.get("mode", FILE), content
            return
        if row.get("create") == "only":
            raise Wrong("exists")
        self.edit(row, lambda _data, _row: content)
        mode, data = self.files[path]
        self.files[path] = row.get("mode", mode), data

    def delete(self, row: Row) -> None:
        self.whole(row)
        del self.files[row["path"]]

    def move(self, row: Row) -> None:
        found = self.whole(row)
        rest = {path: file for path, file in self.files.items() if path != row["path"]}
        self.arrive(row["to"], found, rest)

    def copy(self, row: Row) -> None:
        self.arrive(row["to"], self.whole(row), dict(self.files))

    def arrive(self, to: str, found: tuple[str, bytes], files: Files) -> None:
        self.room(to, files)
        if to in files:
            raise Wrong("exists")
        self.files = {**files, to: found}

    def chmod(self, row: Row) -> None:
        mode, data = self.whole(row)
        if mode == LINK:
            raise Wrong("unsupported")
        self.files[row["path"]] = row["mode"], data

    def symlink(self, row: Row) -> None:
        self.room(row["path"], self.files)
        if row["path"] in self.files:
            self.whole(row)
        elif "oid" in row:
            raise Wrong("stale")
        self.files[row["path"]] = LINK, bytes_of(row, "target")

    def sub(self, row: Row) -> None:
        pattern, total = bytes_of(row, "pattern"), 0
        made = dict(self.files)
        for path, (mode, data) in self.files.items():
            if mode != LINK and b"\0" not in data[:8000]:
                total += data.count(pattern)
                made[path] = mode, data.replace(pattern, bytes_of(row, "replacement"))
        expected = row.get("expect", total or -1)
        if total != expected:
            raise Wrong("ambiguous" if total > expected >= 0 else "no-match")
        self.files = made


class Foretold(NamedTuple):
    """What the model says: the batch as it is sent, and its outcome."""

    rows: list[Row]
    files: Files
    failing: list[tuple[int, str]]


def foretell(base: Files, wishes: list[Row], *, keep_failing: bool) -> Foretold:
    """``keep_failing``: else what would be refused is left out, as random batches mostly fail."""
    model = Model(base)
    rows: list[Row] = []
    failing: list[tuple[int, str]] = []
    spoiled: set[str] = set()
    for wish in wishes:
        row = resolved(model, wish)
        named = {row[key] for key in ("path", "to") if key in row}
        index = len(rows)
        try:
            judge(model, row, named & spoiled)
        except Unsure:
            continue
        except Wrong as wrong:
            if not keep_failing:
                continue
            failing.append((index, wrong.args[0]))
            spoiled |= named
        rows.append(row)
    return Foretold(rows, model.files, failing)


def judge(model: Model, row: Row, spoiled: set[str]) -> None:
    if spoiled:
        raise Wrong("not-tried")
    model.do(row)


def resolved(model: Model, wish: Row) -> Row:
    """The op with the blob id that its author would have read."""
    which = wish.get("oid")
    row = {key: value for key, value in wish.items() if key != "oid"}
    if which is None:
        return row
    shelf = {"now": model.files, "base": model.base}.get(which, {})
    known = shelf.get(row["path"])
    return {**row, "oid": blob_id(known[1]) if known else "1" * 40}


# --- what is tried --------------------------------------------------------------------------------

PATHS = st.sampled_from(["a", "a", "b", "b", "d", "d/c", "d/e/f", "g"])
OPEN_ENDED = [b"one", b"one\ntwo", b"one\r\ntwo", b"1\none", b"1\r\none"]
CONTENTS = st.sampled_from(
    [
        b"", b"", b"one\n", b"one\ntwo\n", b"one\r\ntwo\r\n", *OPEN_ENDED, *OPEN_ENDED,
        b"one\r\ntwo\nthree\n", BOM + b"one\n", b"caf\xe9 one\n", b"one\0two\n", b"\n", b"\r\n",
        b"one\n\x0ctwo\n\n", b"one one\n", b"a\n1\n2\n3\n4\none\n", b"A\n1\n2\n3\n4\none\n",
    ]
)  # fmt: skip
OLDS = st.sampled_from(
    [b"one", b"two", b"o", b"one\n", b"one\r\n", b"one\ntwo", b"two\n", b"oo", b"\xe9", b"A\n1\n"]
)
NEWS = st.sampled_from([b"", b"ONE", b"x\ny", b"one\n\n", b"\xe8", b"one\0", b"B\n1\n"])
TEXTS = st.sampled_from([b"", b"", b"T", b"T\n", b"T\nU", b"\xff\n", b"T\nU\n"])
SPANS = st.sampled_from([(1, 1), (1, 1), (2, 2), (2, 2), (1, 2), (2, 3)])
OIDS = st.sampled_from([None, None, None, None, None, "now", "base", "none"])
TARGETS = st.sampled_from([b"a", b"b", b"nowhere"])


def op(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({"op": st.just(name), **fields}).map(
        lambda row: {key: value for key, value in row.items() if value is not None}
    )


def spread(row: Row) -> Row:
    """`span` as the two fields that it stands for."""
    start, end = row.pop("span")
    return {**row, "start": start, "end": end}


def maybe(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *values])


def elsewhere(row: Row) -> Row:
    """`to` the same path is a fault of shape."""
    return {**row, "to": "h"} if row["path"] == row["to"] else row


REPLACED_LINES = op(
    "replace_lines",
    path=PATHS,
    span=SPANS,
    text=TEXTS,
    oid=st.sampled_from(["now", "now", "now", "now", "base", "none"]),
).map(spread)
WISHES: st.SearchStrategy[Row] = st.one_of(
    op("str_replace", path=PATHS, old=OLDS, new=NEWS, oid=OIDS, count=maybe(1, 2, "all")),
    op("insert", path=PATHS, after_line=st.integers(0, 3), text=TEXTS, oid=OIDS),
    REPLACED_LINES,
    REPLACED_LINES,
    op(
        "write", path=PATHS, content=CONTENTS, oid=OIDS, create=maybe("ok", "only", "never"),
        mode=maybe(FILE, TOOL),
    ),
    op("delete", path=PATHS, oid=OIDS),
    op("move", path=PATHS, to=PATHS, oid=OIDS).map(elsewhere),
    op("copy", path=PATHS, to=PATHS, oid=OIDS).map(elsewhere),
    op("chmod", path=PATHS, mode=st.sampled_from([FILE, TOOL]), oid=OIDS),
    op("symlink", path=st.sampled_from(["a", "b", "g"]), target=TARGETS, oid=OIDS),
    op("sub", pattern=st.sampled_from([b"one", b"o", b"zzz", b"\n"]), expect=maybe(0, 1, 2, 3),
       replacement=st.sampled_from([b"", b"1", b"one\n"])),
)  # fmt: skip
BATCHES = st.lists(WISHES, min_size=4, max_size=12)
BASES = st.lists(
    st.tuples(PATHS, st.sampled_from([FILE, FILE, FILE, TOOL]), CONTENTS), min_size=2, max_size=5
).map(lambda rows: consistent({path: (mode, data) for path, mode, data in rows}))


def consistent(files: Files) -> Files:
    """Without the files that stand where others need a directory."""
    return {
        path: file
        for path, file in files.items()
        if not any(other.startswith(path + "/") for other in files)
    }


def sendable(row: Row) -> Row:
    """As JSON: bytes as base64."""
    out: Row = {"globs": []} if row["op"] == "sub" else {}
    for key, value in row.items():
        if isinstance(value, bytes):
            out[key + "_b64"] = b64encode(value).decode()
        else:
            out[key] = value
    return out


# --- held against the product ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("model")
    yield place
    shutil.rmtree(place, ignore_errors=True)


def laid_out(place: Path, base: Files) -> Lab:
    """A bare repository with one commit of these files."""
    lab = Lab(Path(tempfile.mkdtemp(dir=place)))
    lab.git("init", "--quiet", "--bare", "--template=")
    kinds = {FILE: bytes, TOOL: Script, LINK: lambda data: Link(os.fsdecode(data))}
    lab.commit({path: kinds[mode](data) for path, (mode, data) in base.items()})  # type: ignore[operator]
    return lab


class Case(NamedTuple):
    base: Files
    wishes: list[Row]
    keep_failing: bool
    store: str


CASES = st.builds(
    Case, BASES, BATCHES, st.sampled_from([False, False, True]), st.sampled_from(STORES)
)


def check(place: Path, case: Case) -> None:
    base = case.base
    told = foretell(base, case.wishes, keep_failing=case.keep_failing)
    assume(told.rows)
    lab = laid_out(place, base)
    desk = Desk(lab, case.store)
    desk.begin("work")
    tip = "refs/slip/sessions/work"
    before = lab.oid(tip)
    try:
        made = desk.apply(*map(sendable, told.rows))
    except SlipError as fault:
        event("refused")
        listed: Any = fault.data["ops"]
        assert [(row["index"], row["code"]) for row in listed] == told.failing
        assert lab.oid(tip) == before
    else:
        event("accepted")
        assert told.failing == []
        contents = lab.tree(tip)
        entries = {path: (mode, contents[path]) for path, (mode, _) in lab.entries(tip).items()}
        assert entries == told.files
        assert made.get("unchanged", False) == (lab.oid(tip) == before) == (told.files == base)
    shutil.rmtree(lab.path)


QUIET = [HealthCheck.too_slow]


@settings(max_examples=120, suppress_health_check=QUIET)
@given(CASES)
def test_a_batch_is_the_fold_of_its_ops(bench: Path, case: Case) -> None:
    check(bench, case)


@pytest.mark.slow
@settings(max_examples=10_000, suppress_health_check=QUIET)
@given(CASES)
def test_a_batch_is_the_fold_of_its_ops_at_length(bench: Path, case: Case) -> None:
    check(bench, case)
