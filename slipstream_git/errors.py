"""Every way a command can end other than well, and the exit status that goes with it.

There is one exception type, because a caller tells faults apart by ``code`` on every
face (exit status, JSON, JSON-RPC, MCP): a tree of classes would be a second list of the
same names, and the two would drift apart.

    exit 1   refused, nothing changed      Refused codes
    exit 2   asked wrongly                 usage, bad-op, bad-json, bad-patch, bad-name
    exit 3   conflict
    exit 4   gate-failed
    exit 70  a bug of ours; never raised on purpose
    exit 130 interrupted
"""

from __future__ import annotations

from collections.abc import Mapping

from slipstream_git import hints

REFUSED = 1
ASKED_WRONGLY = 2
CONFLICT = 3
GATE_FAILED = 4
BUG = 70
INTERRUPTED = 130

EXIT_STATUS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "no-match", "ambiguous", "stale", "exists", "missing", "path-denied", "bad-path",
            "too-large", "binary", "encoding", "dirty", "session-missing", "session-exists",
            "session-required", "ref-moved", "unsupported", "git-failed", "hook-failed",
            "policy", "secret", "quota", "locked", "out-of-range", "batch", "not-tried",
        ),
        REFUSED,
    ),
    **dict.fromkeys(("usage", "bad-op", "bad-json", "bad-patch", "bad-name"), ASKED_WRONGLY),
    "conflict": CONFLICT,
    "gate-failed": GATE_FAILED,
    "bug": BUG,
    "interrupted": INTERRUPTED,
}  # fmt: skip


class SlipError(Exception):
    """A refusal, said in one line.

    code: a key of ``EXIT_STATUS``, stable, what programs test.
    message: one line, says what and where; may hold text from a repository, so a face
        escapes it before it reaches a terminal.
    hint: a command that can be typed as it stands, or None where there is none. Words that come
        from outside (a branch, a path) are put into one by `hints`.
    data: more for programs (JSON values only), for instance ``{"ops": [...]}``.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        if code not in EXIT_STATUS:
            raise ValueError(f"unknown error code {code!r}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint: hints.Hint | None = None if hint is None else hints.plain(hint)
        self.data = dict(data or {})

    @property
    def exit_status(self) -> int:
        return EXIT_STATUS[self.code]

    def as_json(self) -> dict[str, object]:
        """The `error` object of the contract."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "data": self.data}


def of_system(fault: OSError) -> SlipError:
    """The refusal by a system that says why."""
    where = f"{fault.filename}: " if fault.filename else ""
    return SlipError("git-failed", f"{where}{fault.strerror or fault}")
