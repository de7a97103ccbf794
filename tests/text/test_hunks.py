"""Where three versions collide, held against where `git merge-file` says that they do."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_git.gitdb import filemerge
from slipstream_git.gitdb.process import Git
from slipstream_git.text import hunks

BASE = b"a\nb\nc\nd\ne\n"
# Lines of their own, so that there is one way to align them.
KEPT = [b"%d\n" % n for n in range(8)]


def test_a_hunk_gives_ranges_and_texts_of_the_three() -> None:
    (hunk,) = hunks.colliding(BASE, BASE.replace(b"c", b"C\nC2"), BASE.replace(b"c\n", b"x\n"))
    assert (hunk.base, hunk.ours, hunk.theirs) == ([3, 3], [3, 4], [3, 3])
    assert (hunk.base_text, hunk.ours_text, hunk.theirs_text) == ("c\n", "C\nC2\n", "x\n")


def test_edits_apart_do_not_collide() -> None:
    assert hunks.colliding(BASE, BASE.replace(b"a", b"A"), BASE.replace(b"e", b"E")) == []
    assert hunks.colliding(BASE, BASE.replace(b"a", b"A"), BASE) == []
    same = BASE.replace(b"a", b"A")
    assert hunks.colliding(BASE, same, same) == []


def test_insertions_at_one_place_collide_with_an_empty_base_range() -> None:
    (hunk,) = hunks.colliding(b"a\nb\n", b"a\nX\nb\n", b"a\nY\nb\n")
    assert hunk.base == [2, 1]
    assert (hunk.ours_text, hunk.theirs_text) == ("X\n", "Y\n")


def test_files_without_a_common_base_collide_whole() -> None:
    (hunk,) = hunks.colliding(b"", b"x\n", b"y\n")
    assert (hunk.base, hunk.ours, hunk.theirs) == ([1, 0], [1, 1], [1, 1])


def test_binary_content_has_no_hunks() -> None:
    assert hunks.colliding(b"\0", b"a", b"b") == []


def edited(edits: list[int | None]) -> bytes:
    """KEPT with each line kept (None), removed (0) or rewritten."""
    rows = zip(KEPT, edits, strict=True)
    return b"".join(
        line if edit is None else b"%s-%d\n" % (line.strip(), edit) if edit else b""
        for line, edit in rows
    )


EDITS = st.lists(st.sampled_from([None, None, None, 0, 1, 2]), min_size=8, max_size=8).map(edited)


@settings(max_examples=60)
@given(EDITS, EDITS)
def test_there_are_hunks_where_git_finds_a_conflict(ours: bytes, theirs: bytes) -> None:
    base = b"".join(KEPT)
    merged = filemerge.by_git(Git("/", os.environ), base, ours, theirs)
    found = hunks.colliding(base, ours, theirs)
    assert bool(found) == (merged is None)
    for hunk in found:
        for text, side, span in (
            (hunk.base_text, base, hunk.base),
            (hunk.ours_text, ours, hunk.ours),
            (hunk.theirs_text, theirs, hunk.theirs),
        ):
            lines = side.splitlines(keepends=True)
            assert text.encode() == b"".join(lines[span[0] - 1 : span[1]])


def test_line_endings_are_part_of_the_texts() -> None:
    base = BASE.replace(b"\n", b"\r\n")
    (hunk,) = hunks.colliding(base, base.replace(b"c", b"C"), base.replace(b"c", b"x"))
    assert (hunk.base_text, hunk.ours_text, hunk.theirs_text) == ("c\r\n", "C\r\n", "x\r\n")
    # An ending is a change like any other.
    (hunk,) = hunks.colliding(BASE, BASE.replace(b"c\n", b"c\r\n"), BASE.replace(b"c", b"x"))
    assert hunk.ours_text == "c\r\n"


def test_a_last_line_without_its_end() -> None:
    (hunk,) = hunks.colliding(BASE, BASE[:-1], BASE.replace(b"e", b"E"))
    assert (hunk.base, hunk.base_text) == ([5, 5], "e\n")
    assert (hunk.ours_text, hunk.theirs_text) == ("e", "E\n")


def test_a_deletion_has_an_empty_range_of_its_side() -> None:
    (hunk,) = hunks.colliding(BASE, BASE.replace(b"c\n", b""), BASE.replace(b"c", b"x"))
    assert (hunk.base, hunk.ours, hunk.theirs) == ([3, 3], [3, 2], [3, 3])
    assert hunk.ours_text == ""


def test_text_that_is_not_utf8_is_lossy_and_says_so() -> None:
    (hunk,) = hunks.colliding(BASE, BASE.replace(b"c", b"\xe9"), BASE.replace(b"c", b"x"))
    assert (hunk.ours_text, hunk.lossy) == ("\ufffd\n", True)
    (hunk,) = hunks.colliding(BASE, BASE.replace(b"c", "\ufffd".encode()), BASE.replace(b"c", b"x"))
    assert (hunk.ours_text, hunk.lossy) == ("\ufffd\n", None)


def test_a_hunk_is_clipped_by_whole_lines_and_says_what_is_left_out() -> None:
    ours = b"".join(b"line %d\n" % number for number in range(100))
    (hunk,) = hunks.colliding(BASE, ours, b"theirs\n")
    clipped = hunks.clipped(hunk, 10, 1000)
    assert clipped.ours_text == "".join(f"line {number}\n" for number in range(10))
    assert clipped.left_out == {"ours": 90}
    assert (clipped.ours, clipped.theirs_text) == (hunk.ours, "theirs\n")
    assert hunks.clipped(hunk, 100, 20).ours_text == "line 0\nline 1\n"
    assert hunks.clipped(hunk, 100, 3).ours_text == "lin"
    assert hunks.clipped(hunk, 100, 10_000) == hunk


def test_texts_too_long_to_align_are_one_hunk_without_what_they_share() -> None:
    lines = [b"%d\n" % number for number in range(hunks.MOST_LINES + 50)]
    base = b"".join(lines)
    (hunk,) = hunks.colliding(
        base, base.replace(b"\n77\n", b"\nA\n"), base.replace(b"\n77\n", b"\nB\n")
    )
    assert (hunk.base, hunk.ours_text) == ([78, 78], "A\n")
    far = b"".join([b"first\n", *lines, b"last\n"])
    ends = [b"one" + far[5:-5] + b"ONE\n", b"two" + far[5:-5] + b"TWO\n"]
    (hunk,) = hunks.colliding(far, *ends)
    assert hunk.base == [1, len(lines) + 2]
