"""A batch of the ancestor's edits on texts alone, held against lists that are edited likewise."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from slipstream_git.faces.serving.ancestoredits import Seen, Trial
from slipstream_git.model import FILE, File, ReplaceLines
from slipstream_git.text.objectid import blob_id

PATH = b"f"


def trial(data: bytes) -> Trial:
    return Trial(lambda _path: File(FILE, data), {}, {}, {})


def text_of(made: Trial) -> str:
    told = made.read(PATH, {})
    return "".join(f"{line}\n" for line in told["lines"])


@given(
    cuts=st.lists(st.tuples(st.integers(0, 35), st.integers(1, 9)), min_size=1, max_size=5),
    new=st.sampled_from(["", "x", "x\n", "\n", "x\ny", "\nx\n"]),
    ends=st.booleans(),
)
def test_lines_that_no_replacement_touched_are_found_again(
    cuts: list[tuple[int, int]], new: str, *, ends: bool
) -> None:
    lines = [f"{letter}{letter}" for letter in "abcdefghijkl"]
    data = "\n".join(lines) + "\n" * ends
    made = trial(data.encode())
    made.read(PATH, {})
    now = data
    for start, size in cuts:
        old = now[start : start + size]
        if not old or len(re.findall(f"(?={re.escape(old)})", now)) != 1 or old == new:
            continue
        made.str_replace(PATH, {"old_str": old, "new_str": new})
        now = now.replace(old, new)
    shifts = made.seen[PATH].shifts
    touched = {n for row in shifts.rows for n in range(row.start, row.end)}
    by_now = now.split("\n")
    for number, line in enumerate(lines):
        found = shifts.now(number, number + 1)
        if number not in touched:
            assert found is not None
            assert by_now[found[0] : found[1]] == [line], (now, shifts)


@example(ranges=[(1, 1, 0), (1, 0, 1), (1, 0, 1)])
@given(
    ranges=st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6
    )
)
def test_ranges_in_one_batch(ranges: list[tuple[int, int, int]]) -> None:
    """Ranges of the text as it was read, none of which meets another, in any order."""
    taken: list[tuple[int, int]] = []
    wanted = [[f"{n}"] for n in range(8)] + [[]]
    before: list[list[str]] = [[] for _ in range(9)]
    made = trial(b"".join(b"%d\n" % n for n in range(8)))
    items = []
    for index, (at, size, count) in enumerate(ranges):
        start, end = min(at, 8), min(at + size, 8)
        if any(start < high and low < end for low, high in taken):
            continue
        if start == end and any(low < start < high for low, high in taken):
            continue
        if any(low == high and start < low < end for low, high in taken):
            continue
        content = [f"new {index} {n}" for n in range(count)]
        items.append(("file.write", PATH, {"start": start, "end": end, "content": content}))
        taken.append((start, end))
        if start == end:
            before[start] += content
        else:
            wanted[start:end] = [content, *([[]] * (end - start - 1))]
    made.run([("file.read", PATH, {}), *items])
    expected = "".join(
        f"{line}\n" for lead, own in zip(before, wanted, strict=True) for line in (*lead, *own)
    )
    assert text_of(made) == expected


def test_what_others_did_is_for_the_staging() -> None:
    made = trial(b"a\nb\n")
    made.seen[PATH] = Seen(blob_id(b"a\n"))
    tried = made.run([("file.write", PATH, {"start": 0, "end": 1, "content": "x"})])
    assert [op.oid for op in tried.ops if isinstance(op, ReplaceLines)] == [blob_id(b"a\n")]
    assert made.seen[PATH] == Seen("")
    assert made.final() == {}
