"""Where the lines of a text that was read are by now, for a reader who edited it since by number.

Numbers begin at 0 and ranges are half-open. Only edits whose lines are known count, so a line is
never taken for another that reads alike, as a comparison of two texts may.
"""

from __future__ import annotations

from slipstream_git.records import NamedTuple


class Row(NamedTuple):
    """Lines ``start`` to ``end`` of what was read are so many ``lines`` now."""

    start: int
    end: int
    lines: int


class LineShifts(NamedTuple):
    """All that was edited since, in order; two rows never overlap."""

    rows: tuple[Row, ...] = ()

    def now(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a range of what was read is now.

        None where an edit took a part of it together with lines outside of it.
        """
        before = inside = 0
        for row in self.rows:
            grown = row.lines - (row.end - row.start)
            if row.end <= start:
                before += grown
            elif row.start >= end:
                break
            elif start <= row.start and row.end <= end:
                inside += grown
            else:
                return None
        return start + before, end + before + inside

    def edited(self, start: int, end: int, lines: int) -> LineShifts:
        """The same after a range of what was read, of which `now` tells, became so many ``lines``.

        What is inserted where lines were removed stays in front of these, as it was asked for.
        """
        before = [row for row in self.rows if row.end <= start]
        after = [row for row in self.rows[len(before) :] if row.start >= end]
        return LineShifts((*before, Row(start, end, lines), *after))

    def replaced(self, start: int, end: int, lines: int) -> LineShifts:
        """The same after lines ``start`` to ``end``, as they are now, became so many ``lines``."""
        before: list[Row] = []
        after: list[Row] = []
        first, last = start, end
        shift = lead = 0
        met: Row | None = None
        read_start = read_end = 0
        for row in self.rows:
            at = row.start + shift
            to = at + row.lines
            shift += row.lines - (row.end - row.start)
            if to <= start:
                before.append(row)
                lead = shift
            elif at >= end:
                after.append(row)
            else:
                read_start = row.start - max(0, at - start) if met is None else read_start
                read_end = row.end + max(0, end - to)
                first, last = min(first, at), max(last, to)
                met = row
        if met is None:
            read_start, read_end = start - lead, end - lead
        made = Row(read_start, read_end, last - first - (end - start) + lines)
        return LineShifts((*before, made, *after))
