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
    merged = filemerge.merge(Git("/", os.environ), base, ours, theirs)
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
