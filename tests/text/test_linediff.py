"""Lines added and removed, against git's own count."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.text import linediff

LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n"]), max_size=12).map(b"".join)
TEXTS = st.builds(lambda body, end: body + end, LINES, st.sampled_from([b"", b"a", b"b"]))


def longest_common(a: list[bytes], b: list[bytes]) -> int:
    """The length of a longest common subsequence, by the textbook table."""
    row = [0] * (len(b) + 1)
    for left in a:
        before = 0
        for n, right in enumerate(b):
            here = row[n + 1]
            row[n + 1] = before + 1 if left == right else max(here, row[n])
            before = here
    return row[-1]


@given(TEXTS, TEXTS)
def test_counts_are_those_of_a_shortest_script(old: bytes, new: bytes) -> None:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    common = longest_common(before, after)
    assert linediff.count(old, new) == (len(after) - common, len(before) - common)


def test_binary_content_has_no_lines() -> None:
    assert linediff.count(b"\0", b"a\n") is None
    assert linediff.count(b"a\n", b"\0") is None
    assert linediff.count(b"", b"") == (0, 0)


def test_unlike_files_cost_no_more_than_like_ones() -> None:
    old = b"".join(b"a%d\n" % n for n in range(20_000))
    new = b"".join(b"b%d\n" % n for n in range(30_000))
    assert linediff.count(old, new) == (30_000, 20_000)


@pytest.mark.parametrize("step", range(2, 10))
def test_git_counts_alike(tmp_path: Path, step: int) -> None:
    old = b"".join(b"%d\n" % n for n in range(200))
    new = b"".join(b"%d\n" % (n if n % step else n + 1000) for n in range(3, 220) if n % 7)
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    out = subprocess.run(
        ["git", "diff", "--no-index", "--numstat", "old", "new"],
        cwd=tmp_path, capture_output=True, check=False,
    ).stdout  # fmt: skip
    added, removed = (int(word) for word in out.split()[:2])
    assert linediff.count(old, new) == (added, removed)
