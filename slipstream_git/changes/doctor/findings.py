"""What a check comes to, and the words that its fix is made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
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
    """One line about what was found; ``fix`` is a command line that mends it, if there is one.

    mend: does it, where nothing of a user's can be lost by it; gives what it did.
    """

    detail: str
    status: str = OK
    fix: str | None = None
    mend: Callable[[], str] | None = None


def all_of(found: Sequence[Finding], sound: str) -> Finding:
    """Several findings as one, as bad as the worst; ``sound`` where there is none."""
    if not found:
        return Finding(sound)
    status = max((finding.status for finding in found), key=_BADNESS.index)
    fixes = dict.fromkeys(finding.fix for finding in found if finding.fix)
    detail = "; ".join(finding.detail for finding in found)
    fix = reduce(Hint.then, map(hints.plain, fixes)) if fixes else None
    mends = [finding.mend for finding in found if finding.mend]
    return Finding(detail, status, fix, _each(mends) if mends else None)


def _each(mends: Sequence[Callable[[], str]]) -> Callable[[], str]:
    return lambda: "; ".join(mend() for mend in mends)


def removed(paths: Sequence[str]) -> str:
    """Remove files that are known to be of no use; what was done. Raises OSError."""
    for path in paths:
        with suppress(FileNotFoundError):
            os.remove(path)
    return f"removed {some(paths)}"


def removing(paths: Iterable[str]) -> Hint:
    return hints.of("rm", "-f", *paths)


def some(names: Sequence[str]) -> str:
    """A few of many names."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
