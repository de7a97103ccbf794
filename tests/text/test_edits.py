"""Section 3 of the contract on bytes alone: every op, every refusal, every promise about bytes."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from slipstream_git.codec import decode_ops
from slipstream_git.errors import SlipError
from slipstream_git.gitdb import filemerge
from slipstream_git.gitdb.process import Git
from slipstream_git.model import EXECUTABLE, FILE, GITLINK, SYMLINK, TREE, Entry, File
from slipstream_git.text import edits, scopes
from slipstream_git.text.edits import Outcome, apply_all

BOM = b"\xef\xbb\xbf"
Json = dict[str, Any]
Contents = Mapping[str, bytes | File]


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Shelf:
    """A tree in memory (the `View` of a batch). ``past``: what earlier steps had, newest first."""

    def __init__(self, files: Contents, past: Mapping[str, Sequence[bytes]] | None = None) -> None:
        self.files = {
            os.fsencode(path): file if isinstance(file, File) else File(FILE, file)
            for path, file in files.items()
        }
        self.past = {os.fsencode(path): list(texts) for path, texts in (past or {}).items()}

    def entry(self, path: bytes) -> Entry | None:
        file = self.files.get(path)
        if file is not None:
            oid = file.data.decode() if file.mode == GITLINK else blob_id(file.data)
            return Entry(file.mode, oid)
        return Entry(TREE, "0" * 40) if any(self.below(path)) else None

    def blocker(self, path: bytes) -> tuple[bytes, Entry] | None:
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            parent = b"/".join(parts[:depth])
            entry = self.entry(parent)
            if entry is not None and entry.mode != TREE:
                return parent, entry
        return None

    def blob(self, oid: str) -> bytes | None:
        known = [file.data for file in self.files.values()]
        known += [text for texts in self.past.values() for text in texts]
        return next((data for data in known if blob_id(data) == oid), None)

    def below(self, path: bytes) -> Iterable[bytes]:
        return [found for found in self.files if found.startswith(path + b"/")]

    def siblings(self, directory: bytes) -> Iterable[bytes]:
        prefix = directory + b"/" if directory else b""
        return {
            path[len(prefix) :].split(b"/")[0] for path in self.files if path.startswith(prefix)
        }

    def select(self, globs: Sequence[str], literal: bytes | None) -> Iterable[bytes]:
        del literal  # those without it may be left out
        wanted = scopes.compile_globs(globs)
        return [p for p, f in self.files.items() if f.mode in (FILE, EXECUTABLE) and wanted(p)]

    def earlier(self, path: bytes) -> Iterator[bytes]:
        yield from self.past.get(path, ())

    def merge(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        return filemerge.by_git(Git("/", os.environ), base, ours, theirs)

    def substitute(
        self, change: Callable[[bytes], tuple[bytes, int]], data: bytes
    ) -> tuple[bytes, int]:
        return change(data)


def allow_all(_path: bytes) -> None:
    """A session without a scope."""


def run(files: Contents, *rows: Json, past: Mapping[str, Sequence[bytes]] | None = None) -> Outcome:
    return apply_all(decode_ops(rows), Shelf(files, past), allow_all)


def after(
    files: Contents, *rows: Json, past: Mapping[str, Sequence[bytes]] | None = None
) -> dict[str, bytes]:
    """Every file's bytes after the batch."""
    shelf = Shelf(files)
    outcome = run(files, *rows, past=past)
    merged = {**shelf.files, **outcome.files}
    return {os.fsdecode(p): f.data for p, f in sorted(merged.items()) if f is not None}


def edited(data: bytes, row: Json, past: Sequence[bytes] = ()) -> bytes:
    """One file `f` after one op on it."""
    return after({"f": data}, {"path": "f", **row}, past={"f": past})["f"]


def refusal(
    files: Contents, *rows: Json, past: Mapping[str, Sequence[bytes]] | None = None
) -> SlipError:
    with pytest.raises(SlipError) as caught:
        run(files, *rows, past=past)
    return caught.value


def failures(files: Contents, *rows: Json) -> list[tuple[int, str]]:
    """Index and code of every op that the refusal lists."""
    listed: Any = refusal(files, *rows).data["ops"]
    return [(row["index"], row["code"]) for row in listed]


def code(data: bytes, row: Json, past: Sequence[bytes] = ()) -> str:
    """The code with which one op on a file `f` is refused, listed in `data.ops` as well."""
    fault = refusal({"f": data}, {"path": "f", **row}, past={"f": past})
    listed: Any = fault.data["ops"]
    assert [(r["index"], r["code"], r["op"], r["path"]) for r in listed] == [
        (0, fault.code, row["op"], "f")
    ]
    return fault.code


def sr(old: str, new: str, **more: object) -> Json:
    return {"op": "str_replace", "old": old, "new": new, **more}


def b64(name: str, data: bytes) -> Json:
    return {f"{name}_b64": b64encode(data).decode()}


# --- str_replace ----------------------------------------------------------------------------------


def test_str_replace() -> None:
    assert edited(b"a = 1\nb = 1\n", sr("a = 1", "a = 2")) == b"a = 2\nb = 1\n"
    assert edited(b"one\ntwo\n", sr("one\n", "")) == b"two\n"
    assert edited(b"x", sr("x", "y\n")) == b"y\n"


@pytest.mark.parametrize(
    ("count", "want"), [(2, b"y y\n"), ("all", b"y y\n")], ids=["exact", "all"]
)
def test_str_replace_counts(count: object, want: bytes) -> None:
    assert edited(b"x x\n", sr("x", "y", count=count)) == want


def test_str_replace_must_match_exactly_as_often_as_it_says() -> None:
    assert code(b"x x x\n", sr("x", "y")) == "ambiguous"
    assert code(b"x x x\n", sr("x", "y", count=2)) == "ambiguous"
    assert code(b"x x x\n", sr("x", "y", count=4)) == "no-match"
    assert code(b"x x x\n", sr("z", "y", count="all")) == "no-match"


def test_ambiguous_tells_the_line_of_every_match() -> None:
    fault = refusal({"f": b"x\n.\nx\nx\n"}, {"path": "f", **sr("x", "y")})
    row: Any = fault.data["ops"]
    assert row[0]["lines"] == [1, 3, 4]


def test_near_line_chooses_among_matches() -> None:
    data = b"x\n.\n.\nx\n"
    assert edited(data, sr("x", "y", near_line=3)) == b"x\n.\n.\ny\n"
    assert edited(data, sr("x", "y", near_line=1)) == b"y\n.\n.\nx\n"
    assert code(b"x\n.\nx\n", sr("x", "y", near_line=2)) == "ambiguous"


def test_overlapping_matches_are_ambiguous() -> None:
    assert code(b"aaa", sr("aa", "b")) == "ambiguous"
    assert code(b"aaa", sr("aa", "b", count="all")) == "ambiguous"


def test_no_match_shows_the_nearest_lines_and_the_first_difference() -> None:
    fault = refusal(
        {"f": b"def f():\n\treturn 1\n"}, {"path": "f", **sr("def f():\n    return 1\n", "x\n")}
    )
    listed: Any = fault.data["ops"]
    assert listed[0]["nearest"][0]["start"] == 1
    assert listed[0]["first_difference"]["line"] == 2
    assert "→" in listed[0]["first_difference"]["found"]
    assert listed[0]["use_instead"] == "def f():\n\treturn 1\n"


def test_whitespace_is_never_ignored_and_no_other_file_is_tried() -> None:
    assert code(b"a  b\n", sr("a b", "c")) == "no-match"
    assert code(b"a\n", sr("a \n", "c\n")) == "no-match"
    assert failures({"f": b"1\n", "g": b"here\n"}, {"path": "f", **sr("here", "x")}) == [
        (0, "no-match")
    ]


def test_matching_order_exact_before_line_endings() -> None:
    # The exact LF line matches once; taken with CRLF alike there would be two.
    outcome = run({"f": b"x\r\ny\nx\ny\n"}, {"path": "f", **sr("x\ny", "z")})
    assert outcome.results[0].matched is None
    assert outcome.files[b"f"] == File(FILE, b"x\r\ny\nz\n")


def test_line_endings_are_normalised_second_and_the_files_own_are_written() -> None:
    outcome = run({"f": b"a\r\nb\r\nc\r\n"}, {"path": "f", **sr("a\nb\n", "a\nB\n!\n")})
    assert outcome.results[0].matched == "eol"
    assert outcome.files[b"f"] == File(FILE, b"a\r\nB\r\n!\r\nc\r\n")
    assert edited(b"a\nb\n", sr("a\r\nb", "c\r\nd")) == b"c\nd\n"


def test_count_is_judged_at_the_first_level_with_a_match() -> None:
    assert code(b"x\r\ny\r\nx\ny\n", sr("x\ny", "z", count=2)) == "no-match"


def test_an_earlier_version_is_merged_third() -> None:
    older = b"a\n1\n2\n3\n4\n5\nz\n"
    current = b"A\n1\n2\n3\n4\n5\nz\n"
    told = run({"f": current}, {"path": "f", **sr("a\n1\n2\n3\n4\n5\nz", "a\n1\n2\n3\n4\n5\nZ")},
               past={"f": [older]})  # fmt: skip
    assert told.results[0].matched == "earlier-version"
    assert told.files[b"f"] == File(FILE, b"A\n1\n2\n3\n4\n5\nZ\n")


def test_an_earlier_version_that_conflicts_is_no_match() -> None:
    assert code(b"A\n", sr("a", "b"), past=[b"a\n"]) == "no-match"


# --- oid ------------------------------------------------------------------------------------------

READ = b"a\n1\n2\n3\nz\n"
NOW = b"A\n1\n2\n3\nz\n"


def test_an_op_with_the_blob_that_is_there_is_plain() -> None:
    outcome = run({"f": READ}, {"path": "f", **sr("z", "Z", oid=blob_id(READ))})
    assert outcome.results[0].matched is None
    assert outcome.files[b"f"] == File(FILE, b"a\n1\n2\n3\nZ\n")


@pytest.mark.parametrize(
    "row",
    [
        sr("z", "Z"),
        {"op": "replace_lines", "start": 5, "end": 5, "text": "Z"},
        {"op": "write", "content": "a\n1\n2\n3\nZ\n"},
    ],
    ids=["str_replace", "replace_lines", "write"],
)
def test_an_edit_of_the_version_read_is_merged(row: Json) -> None:
    outcome = run({"f": NOW}, {"path": "f", **row, "oid": blob_id(READ)}, past={"f": [READ]})
    assert outcome.results[0].matched == "earlier-version"
    assert outcome.files[b"f"] == File(FILE, b"A\n1\n2\n3\nZ\n")


def test_insert_is_placed_by_the_lines_of_the_version_read() -> None:
    now = b"new\n" + READ
    row = {"op": "insert", "after_line": 4, "text": "4", "oid": blob_id(READ)}
    assert edited(now, row, past=[READ]) == b"new\na\n1\n2\n3\n4\nz\n"


@pytest.mark.parametrize(
    "row",
    [
        sr("a", "B"),
        {"op": "replace_lines", "start": 1, "end": 1, "text": "B"},
        {"op": "insert", "after_line": 0, "text": "B"},
        {"op": "write", "content": "B\n"},
        {"op": "delete"},
        {"op": "move", "to": "g"},
        {"op": "copy", "to": "g"},
        {"op": "chmod", "mode": "100755"},
        {"op": "symlink", "target": "g"},
        {"op": "read"},
    ],
    ids=lambda row: row["op"],
)
def test_another_blob_that_cannot_be_merged_is_stale(row: Json) -> None:
    assert code(NOW, {**row, "oid": blob_id(READ)}, past=[READ]) == "stale"
    assert code(NOW, {**row, "oid": "1" * 40}) == "stale"


def test_a_file_gone_since_it_was_read_is_stale_or_missing() -> None:
    assert code_at({}, {"op": "write", "path": "f", "content": "", "oid": "1" * 40}) == "stale"
    assert code_at({}, {"op": "delete", "path": "f", "oid": "1" * 40}) in ("stale", "missing")


def code_at(files: Contents, *rows: Json) -> str:
    return refusal(files, *rows).code


def test_oid_of_a_patch_is_of_its_one_file() -> None:
    diff = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n"
    row = {"op": "patch", "diff": diff}
    assert after({"f": b"1\n"}, {**row, "oid": blob_id(b"1\n")}) == {"f": b"2\n"}
    assert failures({"f": b"1\n"}, {**row, "oid": blob_id(b"0\n")}) == [(0, "stale")]
    two = diff + diff.replace("/f", "/g")
    assert failures({"f": b"1\n", "g": b"1\n"}, {"op": "patch", "diff": two, "oid": "1" * 40}) == [
        (0, "bad-op")
    ]


# --- write ----------------------------------------------------------------------------------------


def test_write_creates_and_replaces() -> None:
    assert after({}, {"op": "write", "path": "d/f", "content": "x"}) == {"d/f": b"x"}
    assert edited(b"old\r\n", {"op": "write", "content": "new\n"}) == b"new\n"
    raw = bytes(range(256))
    assert edited(b"", {"op": "write", **b64("content", raw)}) == raw
    assert edited(b"x", {"op": "write", "content": ""}) == b""


def test_write_keeps_the_mode_unless_it_is_told_another() -> None:
    tool = {"f": File(EXECUTABLE, b"old")}
    row = {"op": "write", "path": "f", "content": "new"}
    assert run(tool, row).files[b"f"] == File(EXECUTABLE, b"new")
    assert run(tool, {**row, "mode": "100644"}).files[b"f"] == File(FILE, b"new")
    assert run({}, {**row, "mode": "100755"}).files[b"f"] == File(EXECUTABLE, b"new")


def test_write_with_create() -> None:
    only = {"op": "write", "path": "f", "content": "1", "create": "only"}
    never = {**only, "create": "never"}
    assert after({}, only) == {"f": b"1"}
    assert code_at({"f": b""}, only) == "exists"
    assert after({"f": b""}, never) == {"f": b"1"}
    assert code_at({}, never) == "missing"


def test_a_file_stands_where_no_directory_does_and_the_other_way_round() -> None:
    assert code_at({"d/f": b""}, {"op": "write", "path": "d", "content": ""}) == "bad-path"
    assert code_at({"d": b""}, {"op": "write", "path": "d/f", "content": ""}) == "bad-path"
    link = {"d": File(SYMLINK, b"elsewhere")}
    assert code_at(link, {"op": "write", "path": "d/f", "content": ""}) == "bad-path"
    module = {"d": File(GITLINK, b"1" * 40)}
    assert code_at(module, {"op": "write", "path": "d/f", "content": ""}) == "bad-path"


def test_what_an_earlier_op_removed_is_in_nobodys_way() -> None:
    gone = {"op": "delete", "path": "d/f"}
    assert after({"d/f": b""}, gone, {"op": "write", "path": "d", "content": "1"}) == {"d": b"1"}
    gone = {"op": "delete", "path": "d"}
    assert after({"d": b""}, gone, {"op": "write", "path": "d/f", "content": "1"}) == {"d/f": b"1"}


# --- insert ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "place", "want"),
    [
        (b"a\nb\n", {"after_line": 0}, b"T\na\nb\n"),
        (b"a\nb\n", {"after_line": 1}, b"a\nT\nb\n"),
        (b"a\nb\n", {"after_line": 2}, b"a\nb\nT\n"),
        (b"a\nb\n", {"before": "b"}, b"a\nT\nb\n"),
        (b"a\nb\n", {"after": "a"}, b"a\nT\nb\n"),
        (b"a\nb\n", {"after": "a\nb\n"}, b"a\nb\nT\n"),
        (b"a\nb", {"after": "b"}, b"a\nb\nT"),
        (b"a\nb", {"after_line": 2}, b"a\nb\nT"),
        (b"a\nb", {"after_line": 1}, b"a\nT\nb"),
        (b"", {"after_line": 0}, b"T\n"),
        (BOM + b"a\n", {"after_line": 0}, BOM + b"T\na\n"),
        (BOM + b"a\n", {"before": "a"}, BOM + b"T\na\n"),
        (b"a\r\nb\r\n", {"after_line": 1}, b"a\r\nT\r\nb\r\n"),
        (b"a\r\nb", {"after_line": 2}, b"a\r\nb\r\nT"),
        (b"a\r\nb\n", {"after_line": 1}, b"a\r\nT\r\nb\n"),
        (b"a\r\nb\n", {"after_line": 2}, b"a\r\nb\nT\n"),
    ],
)
@pytest.mark.parametrize("text", ["T", "T\n"])
def test_insert(data: bytes, place: Json, want: bytes, text: str) -> None:
    assert edited(data, {"op": "insert", "text": text, **place}) == want


def test_insert_of_nothing_changes_nothing() -> None:
    for data in (b"", b"a\n", b"a", b"a\r", b"a\r\n", BOM):
        for line in range(data.count(b"\n") + bool(data and not data.endswith(b"\n")) + 1):
            assert edited(data, {"op": "insert", "after_line": line, "text": ""}) == data, data


def test_insert_needs_its_line_or_its_one_anchor() -> None:
    assert code(b"a\n", {"op": "insert", "text": "x", "after_line": 2}) == "out-of-range"
    assert code(b"", {"op": "insert", "text": "x", "after_line": 1}) == "out-of-range"
    assert code(b"a\n", {"op": "insert", "text": "x", "after": "z"}) == "no-match"
    assert code(b"a\na\n", {"op": "insert", "text": "x", "after": "a"}) == "ambiguous"
    assert code(b"a a\n", {"op": "insert", "text": "x", "before": "a"}) == "ambiguous"


# --- replace_lines --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "span", "text", "want"),
    [
        (b"a\nb\nc\n", (2, 2), "B", b"a\nB\nc\n"),
        (b"a\nb\nc\n", (1, 3), "X\nY\n", b"X\nY\n"),
        (b"a\nb\nc\n", (2, 3), "", b"a\n"),
        (b"a\nb", (2, 2), "B\n", b"a\nB"),
        (b"a\nb", (1, 1), "A", b"A\nb"),
        (b"a\nb", (2, 2), "", b"a"),
        (b"a", (1, 1), "B\nC\n", b"B\nC"),
        (b"a\r\nb\r\n", (2, 2), "B\nC", b"a\r\nB\r\nC\r\n"),
        (b"a\r\nb", (2, 2), "B\nC\n", b"a\r\nB\r\nC"),
        (BOM + b"a\nb\n", (1, 1), "A", BOM + b"A\nb\n"),
        (b"a\x0cb\nc\n", (2, 2), "C", b"a\x0cb\nC\n"),
        (b"a\rb\nc\n", (1, 1), "A", b"A\nc\n"),
    ],
)
def test_replace_lines(data: bytes, span: tuple[int, int], text: str, want: bytes) -> None:
    row = {"op": "replace_lines", "start": span[0], "end": span[1], "text": text}
    assert edited(data, {**row, "oid": blob_id(data)}) == want


def test_replace_lines_stays_within_the_file() -> None:
    row = {"op": "replace_lines", "start": 2, "end": 3, "text": "", "oid": blob_id(b"a\nb\n")}
    assert code(b"a\nb\n", row) == "out-of-range"
    assert code(b"", {**row, "start": 1, "end": 1, "oid": blob_id(b"")}) == "out-of-range"


# --- delete, move, copy, chmod, symlink -----------------------------------------------------------


def test_delete() -> None:
    assert after({"f": b"", "g": b""}, {"op": "delete", "path": "f"}) == {"g": b""}
    assert code_at({}, {"op": "delete", "path": "f"}) == "missing"
    assert code_at({"d/f": b""}, {"op": "delete", "path": "d"}) == "bad-path"
    twice = {"op": "delete", "path": "f"}
    assert failures({"f": b""}, twice, twice) == [(1, "missing")]


def test_move_takes_content_and_mode_along() -> None:
    tool = {"f": File(EXECUTABLE, b"\x00x")}
    outcome = run(tool, {"op": "move", "path": "f", "to": "d/g"})
    assert outcome.files == {b"f": None, b"d/g": File(EXECUTABLE, b"\x00x")}


def test_move_and_copy_land_on_nothing() -> None:
    both = {"f": b"1", "g": b"2"}
    for name in ("move", "copy"):
        assert code_at(both, {"op": name, "path": "f", "to": "g"}) == "exists"
        assert code_at(both, {"op": name, "path": "h", "to": "i"}) == "missing"
        assert code_at(both, {"op": name, "path": "f", "to": "../x"}) == "bad-path"
        assert code_at(both, {"op": name, "path": "f", "to": "g/x"}) == "bad-path"


def test_a_file_moves_into_a_directory_of_its_own_name_and_back() -> None:
    assert after({"f": b"1"}, {"op": "move", "path": "f", "to": "f/g"}) == {"f/g": b"1"}
    assert after({"f/g": b"1"}, {"op": "move", "path": "f/g", "to": "f"}) == {"f": b"1"}
    assert code_at({"f": b"1"}, {"op": "copy", "path": "f", "to": "f/g"}) == "bad-path"


def test_copy() -> None:
    assert after({"f": b"1"}, {"op": "copy", "path": "f", "to": "g"}) == {"f": b"1", "g": b"1"}


def test_chmod() -> None:
    row = {"op": "chmod", "path": "f", "mode": "100755"}
    assert run({"f": b"1"}, row).files[b"f"] == File(EXECUTABLE, b"1")
    assert code_at({"f": File(SYMLINK, b"g")}, row) == "unsupported"
    assert code_at({}, row) == "missing"


def test_symlink() -> None:
    row = {"op": "symlink", "path": "l", "target": "d/f"}
    assert run({}, row).files[b"l"] == File(SYMLINK, b"d/f")
    assert run({"l": File(SYMLINK, b"old")}, row).files[b"l"] == File(SYMLINK, b"d/f")
    for target in ("../out", "/etc/passwd", ".git/config", ""):
        assert code_at({}, {**row, "target": target}) == "bad-path", target
    moved = {"op": "move", "path": "d/l", "to": "l"}
    assert code_at({"d/l": File(SYMLINK, b"../f")}, moved) == "bad-path"


@pytest.mark.parametrize(
    "row",
    [
        sr("a", "b"),
        {"op": "insert", "after_line": 0, "text": "x"},
        {"op": "replace_lines", "start": 1, "end": 1, "text": "x", "oid": "1" * 40},
    ],
    ids=lambda row: row["op"],
)
@pytest.mark.parametrize("mode", [SYMLINK, GITLINK])
def test_links_and_submodules_have_no_text(row: Json, mode: int) -> None:
    there = {"f": File(mode, b"a" * 40)}
    assert code_at(there, {"path": "f", **row}) == "unsupported"


@pytest.mark.parametrize("row", [{"op": "delete"}, {"op": "move", "to": "g"}, {"op": "read"}])
def test_a_submodule_is_not_touched(row: Json) -> None:
    assert code_at({"f": File(GITLINK, b"1" * 40)}, {"path": "f", **row}) == "unsupported"


# --- sub ------------------------------------------------------------------------------------------

FILES = {"a.py": b"foo food\n", "d/b.py": b"foo\n", "c.txt": b"Foo\n", "bin.py": b"foo\0foo"}


def sub(pattern: str, replacement: str, *globs: str, **more: object) -> Json:
    return {
        "op": "sub", "globs": list(globs), "pattern": pattern, "replacement": replacement, **more
    }  # fmt: skip


def test_sub_reaches_every_text_file_in_scope() -> None:
    outcome = run(FILES, sub("foo", "bar"))
    assert {p: f.data for p, f in outcome.files.items() if f} == {
        b"a.py": b"bar bard\n",
        b"d/b.py": b"bar\n",
    }
    assert (outcome.results[0].replaced, outcome.results[0].files) == (3, 2)


@pytest.mark.parametrize(
    ("row", "want"),
    [
        (sub("foo", "x", "*.py", word=True), {"a.py": b"x food\n", "d/b.py": b"x\n"}),
        (sub("foo", "x", "/*.py"), {"a.py": b"x xd\n"}),
        (sub("foo", "x", "*.py", "!d/"), {"a.py": b"x xd\n"}),
        (sub("foo", "x", "*.txt", ignore_case=True), {"c.txt": b"x\n"}),
        (sub(r"^f(o+)", r"\1", "d/**", regex=True), {"d/b.py": b"oo\n"}),
        (sub("$", "!", "d/**", regex=True), {"d/b.py": b"foo!\n!"}),
    ],
)
def test_sub_with_its_options(row: Json, want: dict[str, bytes]) -> None:
    outcome = run(FILES, row)
    assert {os.fsdecode(p): f.data for p, f in outcome.files.items() if f} == want


def test_sub_is_literal_unless_it_is_told_otherwise() -> None:
    assert after({"f": b"a.b axb\n"}, sub("a.b", r"\1")) == {"f": b"\\1 axb\n"}


def test_sub_counts() -> None:
    assert code_at(FILES, sub("nowhere", "x")) == "no-match"
    assert code_at(FILES, sub("foo", "x", expect=4)) == "no-match"
    assert code_at(FILES, sub("foo", "x", expect=2)) == "ambiguous"
    assert run(FILES, sub("nowhere", "x", expect=0)).files == {}
    assert run(FILES, sub("foo", "x", expect=3)).results[0].replaced == 3


def test_a_wrong_pattern_is_asked_wrongly() -> None:
    assert code_at(FILES, sub("(", "x", regex=True)) == "bad-op"
    assert code_at(FILES, sub("a", r"\3", regex=True)) == "bad-op"


def test_sub_sees_what_the_batch_has_made_and_not_what_it_removed() -> None:
    made = after(
        FILES,
        {"op": "delete", "path": "a.py"},
        {"op": "write", "path": "new.py", "content": "foo"},
        sub("foo", "x", "*.py"),
    )
    assert made == {"bin.py": b"foo\0foo", "c.txt": b"Foo\n", "d/b.py": b"x\n", "new.py": b"x"}


# --- patch and read -------------------------------------------------------------------------------


def test_patch_changes_several_files_or_none() -> None:
    diff = (
        "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n"
        "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\n"
        "--- a/g\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
    )
    row = {"op": "patch", "diff": diff}
    assert after({"f": b"1\n", "g": b"gone\n"}, row) == {"f": b"2\n", "n": b"new\n"}
    assert failures({"f": b"1\n", "g": b"other\n"}, row) == [(0, "no-match")]
    assert failures({"f": b"1\n", "g": b"gone\n", "n": b""}, row) == [(0, "exists")]
    assert failures({"f": b"1\n"}, row) == [(0, "missing")]


def test_patch_tells_its_offset_and_takes_no_fuzz() -> None:
    diff = "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
    outcome = run({"f": b"0\n0\na\nb\nc\n"}, {"op": "patch", "diff": diff})
    assert outcome.results[0].offset == 2
    assert failures({"f": b"a\nb\nX\n"}, {"op": "patch", "diff": diff}) == [(0, "no-match")]


def test_a_patch_that_is_none_is_a_fault_of_the_patch() -> None:
    assert code_at({}, {"op": "patch", "diff": "hello\n"}) == "bad-patch"


def test_a_gitlink_in_a_patch_is_unsupported() -> None:
    diff = (
        "diff --git a/m b/m\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n+++ b/m\n"
        "@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n"
    )
    assert code_at({}, {"op": "patch", "diff": diff}) == "unsupported"


def test_read_reads_what_the_batch_has_made() -> None:
    outcome = run(
        {"f": b"a\nb\nc\n"},
        {"path": "f", **sr("b", "B")},
        {"op": "read", "path": "f", "start": 2, "end": 9},
    )
    told = outcome.results[1]
    assert (told.text, told.start, told.end, told.total_lines) == ("B\nc\n", 2, 3, 3)
    assert told.oid == blob_id(b"a\nB\nc\n")
    assert outcome.files == {b"f": File(FILE, b"a\nB\nc\n")}


def test_read_refuses_what_is_not_there() -> None:
    assert code_at({}, {"op": "read", "path": "f"}) == "missing"
    assert code(b"a\n", {"op": "read", "start": 2}) == "out-of-range"
    assert run({"f": b""}, {"op": "read", "path": "f"}).results[0].text == ""


def test_read_says_when_the_text_is_not_the_bytes() -> None:
    told = run({"f": b"caf\xe9\n"}, {"op": "read", "path": "f"}).results[0]
    assert (told.text, told.lossy) == ("caf\ufffd\n", True)
    plain = run({"f": "caf\ufffd\n".encode()}, {"op": "read", "path": "f"}).results[0]
    assert plain.lossy is None


# --- the batch ------------------------------------------------------------------------------------


def test_ops_see_what_those_before_them_made() -> None:
    made = after(
        {"f": b"1\n"},
        {"op": "move", "path": "f", "to": "g"},
        {"path": "g", **sr("1", "2")},
        {"op": "write", "path": "f", "content": "again"},
        {"op": "copy", "path": "g", "to": "h"},
        {"op": "delete", "path": "g"},
    )
    assert made == {"f": b"again", "h": b"2\n"}


def test_all_failing_ops_are_reported_and_those_behind_them_not_tried() -> None:
    rows = [
        {"path": "f", **sr("nowhere", "x")},
        {"path": "f", **sr("1", "2")},
        {"path": "g", **sr("1", "2")},
        {"op": "delete", "path": "missing"},
        {"op": "move", "path": "f", "to": "h"},
        {"op": "write", "path": "h", "content": ""},
    ]
    fault = refusal({"f": b"1\n", "g": b"1\n"}, *rows)
    assert fault.code == "batch"
    listed: Any = fault.data["ops"]
    assert [(row["index"], row["code"]) for row in listed] == [
        (0, "no-match"), (1, "not-tried"), (3, "missing"), (4, "not-tried"), (5, "not-tried"),
    ]  # fmt: skip
    assert [row["path"] for row in listed] == ["f", "f", "missing", "f", "h"]


def test_one_failing_op_gives_its_own_code_also_when_others_were_not_tried() -> None:
    fault = refusal({"f": b"1\n"}, {"path": "f", **sr("x", "y")}, {"path": "f", **sr("1", "2")})
    assert fault.code == "no-match"
    assert fault.exit_status == 1


def test_a_patch_behind_a_failed_op_on_its_file_is_not_tried() -> None:
    diff = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n"
    assert failures(
        {"f": b"1\n"}, {"path": "f", **sr("x", "y")}, {"op": "patch", "diff": diff}
    ) == [(0, "no-match"), (1, "not-tried")]
    assert failures(
        {"f": b"0\n"}, {"op": "patch", "diff": diff}, {"op": "delete", "path": "f"}
    ) == [(0, "no-match"), (1, "not-tried")]


def test_paths_outside_the_scope_are_denied() -> None:
    def permit(path: bytes) -> None:
        if not path.startswith(b"in/"):
            raise SlipError("path-denied", "outside")

    shelf = Shelf({"in/f": b"1", "out/f": b"1"})
    rows: list[Json] = [
        {"op": "write", "path": "out/n", "content": ""},
        {"op": "delete", "path": "out/f"},
        {"op": "move", "path": "in/f", "to": "out/g"},
        sub("1", "2", "*"),
    ]
    for row in rows:
        with pytest.raises(SlipError) as caught:
            apply_all(decode_ops([row]), shelf, permit)
        assert caught.value.code == "path-denied", row
    # With no glob, `sub` means what is in scope.
    for row in (sub("1", "2"), sub("1", "2", "in/")):
        assert set(apply_all(decode_ops([row]), shelf, permit).files) == {b"in/f"}


@pytest.mark.parametrize(
    "path", ["", "/abs", "../up", "a/../b", ".git/config", "a/.GIT/x", "nul\0", "a//b", "a/", "./a"]
)
def test_bad_paths(path: str) -> None:
    assert code_at({}, {"op": "write", "path": path, "content": ""}) == "bad-path"


def test_paths_that_fold_alike_are_refused_when_made() -> None:
    write = {"op": "write", "content": ""}
    assert code_at({"README": b""}, {**write, "path": "readme"}) == "bad-path"
    assert code_at({"d/x": b""}, {**write, "path": "D/y"}) == "bad-path"
    assert code_at({}, {**write, "path": "a"}, {**write, "path": "A"}) == "bad-path"
    assert after({"README": b""}, {"op": "move", "path": "README", "to": "readme"}) == {
        "readme": b""
    }


def test_a_file_over_the_limit_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "LARGEST_FILE", 3)
    assert code_at({}, {"op": "write", "path": "f", "content": "1234"}) == "too-large"
    assert after({}, {"op": "write", "path": "f", "content": "123"}) == {"f": b"123"}


def test_a_batch_of_nothing_makes_nothing() -> None:
    assert run({"f": b""}) == Outcome({}, ())


# --- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"k=1\r\nx\r\n", b"k=2\r\nx\r\n"),
        (b"k=1\r\nx\n", b"k=2\r\nx\n"),
        (BOM + b"k=1\n", BOM + b"k=2\n"),
        (b"k=1", b"k=2"),
        (b"\x0ck=1\x0c\n\x0b\x1c\x85", b"\x0ck=2\x0c\n\x0b\x1c\x85"),
        (b"caf\xe9 k=1\n", b"caf\xe9 k=2\n"),
        (b"\0k=1\0", b"\0k=2\0"),
        (b"\rk=1\r", b"\rk=2\r"),
        ("k=1\u2028\u0085".encode(), "k=2\u2028\u0085".encode()),
        ("k=1".encode("utf-16"), None),
    ],
)
def test_every_byte_that_is_not_edited_stays(data: bytes, want: bytes | None) -> None:
    if want is None:
        assert code(data, sr("k=1", "k=2")) == "binary"
    else:
        assert edited(data, sr("k=1", "k=2")) == want


def test_bytes_that_are_no_text_are_edited_as_base64() -> None:
    row = {"op": "str_replace", **b64("old", b"\xe9"), **b64("new", b"\xe8")}
    assert edited(b"caf\xe9\n", row) == b"caf\xe8\n"


def test_new_lines_take_the_ending_of_the_line_matched() -> None:
    assert edited(b"a\r\nb\nc\n", sr("a", "a\nA")) == b"a\r\nA\r\nb\nc\n"
    assert edited(b"a\r\nb\nc\n", sr("b", "b\nB")) == b"a\r\nb\nB\nc\n"


def test_a_file_can_be_emptied_and_filled() -> None:
    assert edited(b"a\n", sr("a\n", "")) == b""
    assert edited(b"a\nb\n", {"op": "replace_lines", "start": 1, "end": 2, "text": "",
                              "oid": blob_id(b"a\nb\n")}) == b""  # fmt: skip
    assert edited(b"", {"op": "insert", "after_line": 0, "text": "x"}) == b"x\n"
    assert code(b"", sr("a", "b")) == "no-match"


def test_an_edit_keeps_the_executable_bit() -> None:
    outcome = run({"f": File(EXECUTABLE, b"1\n")}, {"path": "f", **sr("1", "2")})
    assert outcome.files[b"f"] == File(EXECUTABLE, b"2\n")


def test_lines_tell_where_the_edit_stands_now() -> None:
    outcome = run(
        {"f": b"a\nb\nc\n"},
        {"path": "f", **sr("b\n", "1\n2\n")},
        {"op": "insert", "path": "f", "after_line": 1, "text": "x\ny"},
    )
    assert [r.lines for r in outcome.results] == [[[2, 3]], [[2, 3]]]
