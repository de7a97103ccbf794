"""The command line of this process: its words parsed, answered here, its exit status.

Plain words are read by `argv`; help, completion, faults and everything unusual go to click, whose
import costs more than a small edit. Whatever goes wrong is one line on stderr, a hint, and an exit
status.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from slipstream_git.faces import replies
from slipstream_git.faces.callers import OwnProcess
from slipstream_git.faces.calls import Call


def run(arguments: Sequence[str], given: bytes | None = None) -> int:
    """Run the command line ``arguments``; the exit status. Prints; never raises.

    given: standard input, where it has been read already.
    """
    try:
        call = _parsed(arguments)
        return 0 if call is None else _answered(call, arguments, given)
    except SystemExit as answered:  # click's shell completion ends so
        return answered.code if isinstance(answered.code, int) else 0
    except BaseException as fault:  # noqa: BLE001  (the one place where everything ends)
        return failed(fault, arguments)


def failed(fault: BaseException, arguments: Sequence[str]) -> int:
    """Tell of a fault of a command that was not parsed; the exit status."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return replies.failed(fault, OwnProcess(), as_json="--json" in ours)


def unheard(fault: OSError, arguments: Sequence[str]) -> int:
    """Tell that a command is done whose answer could not be written; the exit status."""
    call = _parsed(arguments)
    name = call.operation.name if call else "this"
    return failed(replies.unwritten(fault, name), arguments)


def _answered(call: Call, arguments: Sequence[str], given: bytes | None) -> int:
    if call.operation.context != "face":
        return replies.answer(call, arguments, OwnProcess(given))
    return replies.answer(call, arguments, OwnProcess(given), _face(call.operation.name))


def _face(name: str) -> object:
    """The face that an operation starts."""
    if name == "mcp":
        from slipstream_git.faces.mcp import hosting

        return hosting
    from slipstream_git.faces.serving import daemon

    return daemon


def _parsed(arguments: Sequence[str]) -> Call | None:
    """The call; None when click has answered already (help, version, completion)."""
    if "_SLIP_COMPLETE" not in os.environ:
        from slipstream_git.faces import argv

        found = argv.parse(arguments)
        if found is not None:
            return found
    from slipstream_git.faces import cli

    return cli.parse(arguments)
