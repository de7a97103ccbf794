from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slipstream_git.text import explaining, matching
from slipstream_git.text.explaining import explain_no_match
from slipstream_git.text.matching import Found, Level, adapt, find

TEXTS = st.text("ab\r\n", max_size=14).map(str.encode) | st.lists(
    st.sampled_from([b"a\n", b"a\r\n", b"b\n", b"b\r\n", b"\n", b"\r\n", b"\r", b"a", b"b"]),
    max_size=8,
).map(b"".join)


# --- lines ----------------------------------------------------------------------------------------


def test_only_line_feeds_end_lines() -> None:
    data = "a\rb\x0c\x85\u2028c\r\nd".encode()
    assert matching.lines(data) == [data[:-1], b"d"]
    assert matching.lines(b"") == []
    assert matching.lines(b"\n\n") == [b"\n", b"\n"]


@given(TEXTS)
def test_lines_joined_are_the_data(data: bytes) -> None:
    pieces = matching.lines(data)
    assert b"".join(pieces) == data
    assert all(piece.endswith(b"\n") and piece.count(b"\n") == 1 for piece in pieces[:-1])
    assert all(pieces)


def test_binary_is_what_git_calls_binary() -> None:
    assert matching.is_binary(b"a\0")
    assert matching.is_binary(b"a" * 7999 + b"\0")
    assert not matching.is_binary(b"a" * 8000 + b"\0")
    assert not matching.is_binary(b"\xff\xfea")


@given(TEXTS, st.lists(st.integers(0, 14), max_size=5).map(sorted))
def test_line_numbers(data: bytes, offsets: list[int]) -> None:
    naive = [len(data[:offset].split(b"\n")) for offset in offsets]
    assert [matching.line_at(data, offset) for offset in offsets] == naive
    assert matching.lines_at(data, offsets) == naive


# --- find -----------------------------------------------------------------------------------------


def naive_exact(data: bytes, old: bytes) -> tuple[tuple[int, int], ...]:
    ends = ((start, start + len(old)) for start in range(len(data)))
    return tuple(
        (a, b) for a, b in ends if old and data[a:b] == old and data[:a][-1:] + old[:1] != b"\r\n"
    )


def tokens(text: bytes) -> list[bytes]:
    return re.findall(rb"\r\n|.", text, re.DOTALL)


def naive_eol(data: bytes, old: bytes) -> tuple[tuple[int, int], ...]:
    """Byte by byte, a line end being one letter."""
    ours = [b"\n" if token == b"\r\n" else token for token in tokens(old)]
    pieces = tokens(data)
    theirs = [b"\n" if piece == b"\r\n" else piece for piece in pieces]
    offsets = [len(b"".join(pieces[:index])) for index in range(len(pieces) + 1)]
    return tuple(
        (offsets[index], offsets[index + len(ours)])
        for index in range(len(pieces) - len(ours) + 1)
        if ours and theirs[index : index + len(ours)] == ours
    )


@given(TEXTS, TEXTS)
@example(b"aaa", b"aa")
@example(b"a\r\r\nb", b"\r\nb")
@example(b"a\r\nb\nc", b"a\nb\r\nc")
def test_find_is_the_naive_search(data: bytes, old: bytes) -> None:
    exact = naive_exact(data, old)
    eol = naive_eol(data, old)
    if exact:
        assert find(data, old) == Found("exact", exact)
    elif eol:
        assert find(data, old) == Found("eol", eol)
    else:
        assert find(data, old) == Found("exact", ())


def test_overlapping_matches_all_count() -> None:
    assert find(b"aaa", b"aa") == Found("exact", ((0, 2), (1, 3)))


def test_nothing_is_nowhere() -> None:
    assert find(b"abc", b"") == Found("exact", ())


# --- adapt ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "old", "new", "result"),
    [
        # one kind of line end: all of new takes it
        (b"a\r\nb\r\nc\r\n", b"b\n", b"x\ny\n", b"a\r\nx\r\ny\r\nc\r\n"),
        (b"a\r\nb\r\nc\r\n", b"b", b"x\ny", b"a\r\nx\r\ny\r\nc\r\n"),
        (b"a\nb\nc\n", b"b\r\n", b"x\r\ny\r\n", b"a\nx\ny\nc\n"),
        (b"a\nb\nc\n", b"b\n", b"x\ny\n", b"a\nx\ny\nc\n"),
        # a deletion leaves no blank line
        (b"a\r\nb\r\nc\r\n", b"b\n", b"", b"a\r\nc\r\n"),
        # mixed: each kept line keeps its own
        (b"a\nb\r\nc\n", b"a\nb\nc\n", b"a\nx\nb\nc\n", b"a\nx\nb\r\nc\n"),
        (b"a\r\nb\nc\r\n", b"a\nb\nc\n", b"a\nB\nc\n", b"a\r\nB\nc\r\n"),
        (b"a\r\nb\nc\r\n", b"a\r\nb\nc\r\n", b"a\nb\nc\nd\n", b"a\r\nb\nc\r\nd\r\n"),
        # no line end in the match: that of its line, or of the line before
        (b"a\nb\r\nc", b"b", b"x\ny", b"a\nx\r\ny\r\nc"),
        (b"a\r\nb\nc", b"c", b"x\ny", b"a\r\nb\nx\ny"),
        (b"a\r\nc", b"c", b"x\ny", b"a\r\nx\r\ny"),
        # a file of one line says nothing
        (b"abc", b"b", b"x\ny", b"ax\nyc"),
        (b"abc", b"b", b"x\r\ny", b"ax\r\nyc"),
        # an exact match takes a written CRLF as it is
        (b"a\nb\n", b"b\n", b"x\r\ny\n", b"a\nx\r\ny\n"),
        # old begins inside a pair: its CR is not doubled
        (b"a\r\nb", b"\nb", b"\nc", b"a\r\nc"),
        (b"a\r\nb", b"\nb", b"\n\nb", b"a\r\n\r\nb"),
        (b"a\r\nb", b"\nb", b"\r\nc\r\n", b"a\r\nc\r\n"),
        (b"a\r\nb\r\n", b"\nb\n", b"\nx\ny\n", b"a\r\nx\r\ny\r\n"),
        # a lone CR is a letter
        (b"a\rb\rc", b"b", b"x\ny", b"a\rx\ny\rc"),
    ],
)
def test_replacing_keeps_the_line_ends_of_the_file(
    data: bytes, old: bytes, new: bytes, result: bytes
) -> None:
    found = find(data, old)
    (span,) = found.spans
    written = adapt(data, span, new, found.level)
    assert matching.replace(data, [span], [written]) == result


def test_an_insertion_takes_the_end_of_the_line_before() -> None:
    data = b"a\r\nb\nc"
    assert adapt(data, (3, 3), b"x\n", "exact") == b"x\r\n"
    assert adapt(data, (5, 5), b"x\n", "exact") == b"x\n"
    assert adapt(data, (0, 0), b"x\n", "exact") == b"x\r\n"
    assert adapt(data, (6, 6), b"\nx", "exact") == b"\nx"
    assert adapt(b"", (0, 0), b"x\n", "exact") == b"x\n"


LEVELS: st.SearchStrategy[Level] = st.sampled_from(["exact", "eol"])


@given(TEXTS, TEXTS, TEXTS, LEVELS)
def test_putting_back_what_was_found_changes_nothing(
    head: bytes, old: bytes, tail: bytes, level: Level
) -> None:
    data = head + old + tail
    span = (len(head), len(head) + len(old))
    assert adapt(data, span, old, level) == old
    for found in find(data, old).spans:
        assert adapt(data, found, data[found[0] : found[1]], "eol") == data[found[0] : found[1]]


@given(TEXTS, TEXTS)
def test_a_file_of_one_kind_stays_so(text: bytes, new: bytes) -> None:
    for end in (b"\n", b"\r\n"):
        data = end.join([b"z", *text.replace(b"\r", b"").split(b"\n"), b"z"])
        plain = new.replace(b"\r", b"")
        for span in find(data, b"a\nb").spans + find(data, b"b").spans:
            written = adapt(data, span, plain, "exact")
            assert written.replace(b"\r\n", b"\n") == plain
            after = matching.replace(data, [span], [written])
            assert after.count(b"\n") == after.count(end)
            assert after.count(b"\r") == (0 if end == b"\n" else after.count(end))


@given(TEXTS, TEXTS, st.lists(st.tuples(st.integers(0, 14), st.integers(0, 3))), LEVELS)
def test_many_at_once_are_each_alone(
    data: bytes, new: bytes, places: list[tuple[int, int]], level: Level
) -> None:
    spans = [(min(a, len(data)), min(a + size, len(data))) for a, size in sorted(places)]
    alone = [adapt(data, span, new, level) for span in spans]
    assert matching.adapt_all(data, spans, new, level) == alone
    for written in alone:
        assert written.replace(b"\r", b"") == new.replace(b"\r", b"")


# --- replace and line ranges ----------------------------------------------------------------------


EDITS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.text("a\n", max_size=4).map(str.encode)),
    max_size=4,
)


def laid_out(data: bytes, edits: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    placed, done = [], 0
    for gap, size, text in edits:
        start, end = min(done + gap, len(data)), min(done + gap + size, len(data))
        placed.append((start, end, text))
        done = end
    return placed


@given(TEXTS, EDITS)
def test_replace_and_ranges(data: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    placed = laid_out(data, edits)
    spans = [(start, end) for start, end, _ in placed]
    texts = [text for _, _, text in placed]
    after = data
    for start, end, text in reversed(placed):
        after = after[:start] + text + after[end:]
    assert matching.replace(data, spans, texts) == after

    total = max(1, len(matching.lines(after)))
    offset = 0
    ranges = matching.line_ranges(data, spans, texts)
    for (start, end, text), (first, last) in zip(placed, ranges, strict=True):
        begin = start + offset
        assert 1 <= first <= last <= total
        assert first == min(total, matching.line_at(after, begin))
        final = max(begin, begin + len(text) - 1)
        assert last == min(total, matching.line_at(after, final))
        offset += len(text) - (end - start)


def test_a_deletion_is_at_the_line_that_is_there_now() -> None:
    assert matching.line_ranges(b"a\nb\nc\n", [(2, 4)], [b""]) == [(2, 2)]
    assert matching.line_ranges(b"a\nb\nc\n", [(4, 6)], [b""]) == [(2, 2)]
    assert matching.line_ranges(b"a\n", [(0, 2)], [b""]) == [(1, 1)]


def test_overlapping_spans_are_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        matching.replace(b"aaa", [(0, 2), (1, 3)], [b"", b""])


# --- explain --------------------------------------------------------------------------------------

SOURCE = b"""\
import os


def first(a, b):
\treturn a + b


def second(a, b):
    if a:
        return a - b
    return  b


def third(a, b):
    return a * b
"""


def test_nearest_lines_are_found_and_ranked() -> None:
    answer = explain_no_match(SOURCE, b"def second(a, c):\n    if a:\n")
    nearest = answer["nearest"]
    assert isinstance(nearest, list)
    assert nearest[0]["start"] == 8
    assert nearest[0]["end"] == 9
    assert nearest[0]["text"] == "def second(a, b):\n    if a:\n"
    assert nearest[0]["score"] > 0.8
    scores = [window["score"] for window in nearest]
    assert scores == sorted(scores, reverse=True)
    assert len(nearest) <= 3
    assert answer["first_difference"] == {
        "line": 8,
        "expected": "def second(a, c):",
        "found": "def second(a, b):",
    }
    assert "use_instead" not in answer


@pytest.mark.parametrize(
    ("data", "old", "instead", "difference"),
    [
        (
            SOURCE, b"def first(a, b):\n    return a + b\n", "def first(a, b):\n\treturn a + b\n",
            {"line": 5, "expected": "    return a + b", "found": "→return a + b"},
        ),
        (
            SOURCE, b"    return b\n", "    return  b\n",
            {"line": 11, "expected": "    return b", "found": "    return  b"},
        ),
        (
            b"x = 1  \ny = 2\n", b"x = 1\ny = 2\n", "x = 1  \ny = 2\n",
            {"line": 1, "expected": "x = 1", "found": "x = 1··"},
        ),
        (
            "say(\u201chi\u201d)\n".encode(), b'say("hi")', "say(\u201chi\u201d)",
            {"line": 1, "expected": 'say("hi")', "found": "say(<U+201C>hi<U+201D>)"},
        ),
        (
            b'it("works")\n', "it(\u201cworks\u201d)".encode(), 'it("works")',
            {"line": 1, "expected": "it(<U+201C>works<U+201D>)", "found": 'it("works")'},
        ),
        (
            "n\u0430me = 1\n".encode(), b"name = 1\n", "n\u0430me = 1\n",
            {"line": 1, "expected": "name = 1", "found": "n<U+0430>me = 1"},
        ),
        (
            "foo\u00a0bar = 1\n".encode(), b"foo bar = 1", "foo\u00a0bar = 1",
            {"line": 1, "expected": "foo bar = 1", "found": "foo<U+00A0>bar = 1"},
        ),
        (
            "foo\u200bbar = 1\n".encode(), b"foobar = 1", "foo\u200bbar = 1",
            {"line": 1, "expected": "foobar = 1", "found": "foo<U+200B>bar = 1"},
        ),
        (
            "cafe\u0301 one = 1\n".encode(), "café one = 1".encode(), "cafe\u0301 one = 1",
            {"line": 1, "expected": "café one = 1", "found": "cafe<U+0301> one = 1"},
        ),
        (
            "wait\u2026 more \u2013 yes\n".encode(), b"wait... more - yes",
            "wait\u2026 more \u2013 yes",
            {"line": 1, "expected": "wait... more - yes",
             "found": "wait<U+2026> more <U+2013> yes"},
        ),
        (
            b"one two\rthree\nfour\n", b"one two\nthree\n", None,
            {"line": 1, "expected": "one two", "found": "one two<CR>three"},
        ),
        (
            b"q = f(a,  b) + 1\n", b"f(a, b)", "f(a,  b)",
            {"line": 1, "expected": "f(a, b)", "found": "q = f(a,  b) + 1"},
        ),
        (
            "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 one\n".encode(),
            "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 two".encode(), None,
            {"line": 1, "expected": "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 two",
             "found": "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 one"},
        ),
    ],
)  # fmt: skip
def test_what_the_eye_misses(
    data: bytes, old: bytes, instead: str | None, difference: dict[str, object]
) -> None:
    assert find(data, old).spans == ()
    answer = explain_no_match(data, old)
    assert answer["first_difference"] == difference
    assert answer.get("use_instead") == instead


def test_two_places_are_no_advice() -> None:
    data = b"\tfoo(1)\n bar\n    foo(1)\n"
    assert "use_instead" not in explain_no_match(data, b"  foo( 1)\n")
    assert "use_instead" not in explain_no_match(b"a b c\na  b c\n", b"a   b c")


def test_near_line_decides_between_equals() -> None:
    data = b"alpha beta gamma\n" * 1 + b"other\n" * 30 + b"alpha beta gamma\n" + b"other\n" * 9
    for near, start in ((1, 1), (30, 32)):
        nearest = explain_no_match(data, b"alpha beta gamba", near)["nearest"]
        assert isinstance(nearest, list)
        assert nearest[0]["start"] == start


def test_in_a_very_long_line_the_place_is_shown() -> None:
    data = b"x" * 500_000 + b" needle = haystack(1) " + b"y" * 500_000
    answer = explain_no_match(data, b"needle = haystack(2)")
    nearest = answer["nearest"]
    assert isinstance(nearest, list)
    assert "haystack(1)" in nearest[0]["text"]
    assert len(json.dumps(answer)) < 2000
    assert explain_no_match(data, b"needle  = haystack(1)")["use_instead"] == "needle = haystack(1)"


def test_a_slip_in_a_common_word_of_a_long_file() -> None:
    data = b"".join(b"return value_%d of the thing\n" % number for number in range(5000))
    nearest = explain_no_match(data, b"retrun value_4000 of the thing\n")["nearest"]
    assert isinstance(nearest, list)
    assert nearest[0]["start"] == 4001


@pytest.mark.parametrize(
    ("data", "old"),
    [(b"", b"a"), (b"a", b"\n"), (b"a", b""), (b"\n\n", b" \n"), (b"\0\xff\n", b"\xff\xfe")],
)
def test_edges(data: bytes, old: bytes) -> None:
    assert isinstance(explain_no_match(data, old)["nearest"], list)


LINES = st.lists(
    st.sampled_from(
        [b"alpha beta", b"\talpha beta", b"  alpha  beta ", b"gamma(delta)", b"", b" ", b"\xff\xfe",
         "gamm\u0430(delta)".encode(), "alpha\u200b\u00a0beta".encode(), b"alpha\rbeta", b"\0"]
    ),
    max_size=6,
)  # fmt: skip
ENDED = st.builds(bytes.join, st.sampled_from([b"\n", b"\r\n"]), LINES)


@given(ENDED | st.binary(max_size=30), ENDED, st.none() | st.integers(-3, 99))
def test_an_explanation_is_json_and_its_advice_works(
    data: bytes, old: bytes, near: int | None
) -> None:
    answer = explain_no_match(data, old, near)
    json.dumps(answer, allow_nan=False).encode()
    assert set(answer) <= {"nearest", "first_difference", "use_instead"}
    instead = answer.get("use_instead")
    if instead is not None:
        assert isinstance(instead, str)
        assert len(find(data, instead.encode()).spans) == 1
    nearest = answer["nearest"]
    assert isinstance(nearest, list)
    for window in nearest:
        assert 1 <= window["start"] <= window["end"] <= max(1, len(matching.lines(data)))


def test_visible() -> None:
    assert explaining.visible("a\tb \t\n  c") == "a→b·→\n  c"
    assert explaining.visible("a→·\r\x00\x1b") == "a<U+2192><U+00B7><CR><U+0000><U+001B>"
    assert explaining.visible("é文🙂") == "é文🙂"
    assert explaining.visible("\u0430", letters=False) == "\u0430"
    assert explaining.visible(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf<0xE9>"


def test_starting_up_is_cheap() -> None:
    code = (
        "import sys; from slipstream_git.text import matching, paths, scopes;"
        "print({'difflib', 'unicodedata', 'pathspec', 'dataclasses'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"set()\n"
