"""Where lines are by now, held against a list that was really edited."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.text.lineshifts import LineShifts, Row

EDITS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8
)


@given(edits=EDITS, start=st.integers(0, 10), size=st.integers(0, 5))
def test_a_range_is_where_its_lines_went(
    edits: list[tuple[int, int, int]], start: int, size: int
) -> None:
    """Each line bears its number; a new one bears None."""
    lines: list[int | None] = list(range(10))
    shifts = LineShifts()
    for at, removed, added in edits:
        first = min(at, len(lines))
        last = min(first + removed, len(lines))
        lines[first:last] = [None] * added
        shifts = shifts.replaced(first, last, added)
    start = min(start, 10)
    end = min(start + size, 10)
    assert sum(row.lines - (row.end - row.start) for row in shifts.rows) == len(lines) - 10
    found = shifts.now(start, end)
    kept = [number for number in lines if number is not None]
    if found is not None:
        now = lines[found[0] : found[1]]
        assert [n for n in now if n is not None] == [n for n in kept if start <= n < end]
        assert all(n < start for n in lines[: found[0]] if n is not None)


def test_what_an_edit_took_in_part_is_nowhere() -> None:
    shifts = LineShifts().replaced(3, 6, 1)
    assert shifts.rows == (Row(3, 6, 1),)
    assert shifts.now(3, 6) == (3, 4)
    assert shifts.now(2, 7) == (2, 5)
    assert shifts.now(4, 5) is None
    assert shifts.now(5, 8) is None
    assert shifts.now(6, 6) == (4, 4)
    assert shifts.now(3, 3) == (3, 3)


def test_edits_at_one_place_stay_in_order() -> None:
    shifts = LineShifts().replaced(5, 5, 1)
    assert shifts.now(5, 5) == (6, 6)
    assert shifts.now(5, 6) == (6, 7)
    assert shifts.replaced(6, 7, 3).rows == (Row(5, 5, 1), Row(5, 6, 3))
