"""Whatever was raised as the one error that a face shows; a fault of ours leaves a report."""

from __future__ import annotations

import os
import sys

from slipstream_git.errors import SlipError, of_system


def translated(fault: BaseException) -> SlipError:
    """What was raised, as a refusal; one that nobody foresaw is `bug`, and leaves a report."""
    if isinstance(fault, SlipError):
        return fault
    if isinstance(fault, KeyboardInterrupt):
        return SlipError("interrupted", "what was not acknowledged did not happen")
    if isinstance(fault, OSError):
        return of_system(fault)
    if isinstance(fault, MemoryError):
        return SlipError("too-large", "not enough memory for this")
    return SlipError("bug", _report(fault))


def _report(fault: BaseException) -> str:
    """Write a fault of ours to a file; the line that says so."""
    try:
        return f"a fault of slip itself ({type(fault).__name__}); the report is in {_filed(fault)}"
    except (OSError, ImportError) as second:  # no disk, no descriptors: neither for a report
        return f"a fault of slip itself ({fault!r}), and no report could be written: {second}"


def _filed(fault: BaseException) -> str:
    import tempfile
    import traceback

    from slipstream_git import __version__

    lines = [f"slip {__version__}, Python {sys.version}", *traceback.format_exception(fault)]
    handle, path = tempfile.mkstemp(prefix="slip-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write("\n".join(lines))
    return path
