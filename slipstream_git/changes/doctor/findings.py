"""What a check comes to, and the words that its fix is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Final

from slipstream_git import hints
from slipstream_git.hints import Hint
from slipstream_git.records import NamedTuple

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
_BADNESS: Final = (OK, WARN, FAIL)
_MOST_NAMED: Final = 5


class Finding(NamedTuple):
    """One line about what was found; ``fix`` is a command line that mends it, if there is one."""

    detail: str
    status: str = OK
    fix: str | None = None


def all_of(found: Sequence[Finding], sound: str) -> Finding:
    """Several findings as one, as bad as the worst; ``sound`` where there is none."""
    if not found:
        return Finding(sound)
    status = max((finding.status for finding in found), key=_BADNESS.index)
    fixes = dict.fromkeys(finding.fix for finding in found if finding.fix)
    detail = "; ".join(finding.detail for finding in found)
    return Finding(detail, status, reduce(Hint.then, map(hints.plain, fixes)) if fixes else None)


def removing(paths: Iterable[str]) -> Hint:
    return hints.of("rm", "-f", *paths)


def some(names: Sequence[str]) -> str:
    """A few of many names."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
