"""The `sub` op: one counted substitution over many files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from slipstream_git.errors import SlipError
from slipstream_git.model import REGULAR, File, Sub
from slipstream_git.text import matching, paths
from slipstream_git.text.effects import Effect, named
from slipstream_git.text.overlay import Changes, Overlay

MOST_NAMED = 5  # files, in an error


def sub(op: Sub, overlay: Overlay) -> Effect:
    change = _substitution(op)
    changes: Changes = {}
    total = 0
    literal = None if op.regex or op.ignore_case else op.pattern
    for path in _selected(op, overlay, literal):
        file = overlay.find(path)
        if file is None or file.mode not in REGULAR or matching.is_binary(file.data):
            continue
        data, count = overlay.view.substitute(change, file.data)
        if count:
            overlay.existing(path)
            changes[path] = File(file.mode, data)
            total += count
    _check_expected(op, total, changes)
    return Effect(changes, {"replaced": total, "files": len(changes)})


def _selected(op: Sub, overlay: Overlay, literal: bytes | None) -> list[bytes]:
    from slipstream_git.text import scopes

    wanted = scopes.compile_globs(op.globs) if op.globs else overlay.permits
    made = {path for path, file in overlay.changes.items() if file and wanted(path)}
    gone = {path for path, file in overlay.changes.items() if file is None}
    # Without a glob every file in scope is meant; with one, a file out of scope is refused.
    selected = {path for path in overlay.view.select(op.globs, literal) if wanted(path)}
    return sorted((selected - gone) | made)


def _substitution(op: Sub) -> Callable[[bytes], tuple[bytes, int]]:
    pattern = op.pattern if op.regex else re.escape(op.pattern)
    if op.word:
        # Bytes beyond ASCII belong to words, so that no letter is cut in two.
        pattern = rb"(?<![\w\x80-\xff])(?:" + pattern + rb")(?![\w\x80-\xff])"
    flags = re.MULTILINE | (re.IGNORECASE if op.ignore_case else 0)
    try:
        compiled = re.compile(pattern, flags)
        if op.regex:
            compiled.sub(op.replacement, b"")  # a wrong template fails here, before any file
    except (re.error, IndexError, OverflowError, RecursionError) as fault:
        raise SlipError("bad-op", f"the pattern or its replacement is wrong: {fault}") from None
    template: Any = op.replacement if op.regex else lambda _match: op.replacement
    return lambda data: compiled.subn(template, data)


def _check_expected(op: Sub, total: int, changes: Changes) -> None:
    pattern = op.pattern.decode("utf-8", "replace")
    where = [paths.display(path) for path in sorted(changes)[:MOST_NAMED]]
    found = {"replaced": total, "files": len(changes), "paths": where}
    if op.expect is None and total == 0:
        raise SlipError("no-match", f"{pattern!r} occurs nowhere in {named(op)}", data=found)
    if op.expect is not None and total != op.expect:
        code = "no-match" if total < op.expect else "ambiguous"
        raise SlipError(
            code,
            f"{pattern!r} occurs {total} times in {len(changes)} files, not {op.expect}"
            + (f": {', '.join(where)}" if changes else ""),
            data=found,
        )
