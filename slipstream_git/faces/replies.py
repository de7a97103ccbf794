"""One command, parsed already, run for its caller and answered to them.

With `--json`, what they hear on stdout is exactly one JSON object, also for a refusal. A fault of
ours writes a report and exits 70.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from slipstream_git import codec
from slipstream_git.errors import INTERRUPTED, SlipError
from slipstream_git.faces import reports
from slipstream_git.faces.callers import Caller, Elsewhere
from slipstream_git.faces.calls import Call
from slipstream_git.operations.registry import Kind, Operation, Parameter

if TYPE_CHECKING:  # its import is paid for by commands that need a repository
    from slipstream_git.faces.standing import Standing
    from slipstream_git.workspace import Workspace


def answer(call: Call, arguments: Sequence[str], caller: Caller, face: object = None) -> int:
    """Run a command as it was parsed; the exit status. Tells the caller.

    face: what an operation that starts one is given. Raises `Elsewhere` alone.
    """
    try:
        value = _answer(call, arguments, caller, face)
        _reply(call, value, caller)
    except Elsewhere:
        raise
    except BaseException as fault:  # noqa: BLE001  (the one place where everything ends)
        return failed(fault, caller, as_json=call.json)
    # What was run for the caller says how it ended.
    return value.exit if call.operation.name == "run" else 0


def _answer(call: Call, arguments: Sequence[str], caller: Caller, face: object) -> Any:
    row = call.operation
    values = _filled(row, call.values, caller)
    if row.context == "env":
        return row.handler(caller.env, **values)
    if row.context == "ground":
        from slipstream_git.faces import grounds

        return row.handler(grounds.of(caller, call.directory), **values)
    if row.context == "face":
        return row.handler(face, **values)
    from slipstream_git.operations import calling

    with caller.entered(call.directory, output=2 if call.json else 1) as workspace:
        place = _standing(call, workspace, caller)
        try:
            edited = _wants_editor(row, values, caller)
            value = (_edited if edited else calling.call)(row, workspace, values)
        except SlipError as fault:
            _place_hints(fault, call, arguments, workspace, place)
            raise
        return value if place is None else place.in_answer(value)


def _place_hints(
    fault: SlipError,
    call: Call,
    arguments: Sequence[str],
    workspace: Workspace,
    place: Standing | None,
) -> None:
    """Let the hints of an error be what can be typed from here."""
    if fault.code == "session-required" and fault.hint and "-s" in fault.hint.commands[0]:
        from slipstream_git.faces import standing

        # It names the likeliest of them.
        fault.hint = standing.named(call, arguments, str(fault.hint.commands[0][-1]))
        return
    if fault.code == "missing":
        _tell_of_root(fault, call, workspace)
    if place is not None:
        place.in_error(fault)


_NOT_FOUND = (": there is no such file", " is not a path that is left")


def _tell_of_root(fault: SlipError, call: Call, workspace: Workspace) -> None:
    """Where a path was not found in a subdirectory, say that it is not looked for there."""
    root = os.path.realpath(workspace.repository.layout.root or "")
    here = os.path.relpath(os.path.realpath(workspace.directory), root)
    if workspace.repository.layout.root is None or here.split(os.sep)[0] in (".", ".."):
        return
    for parameter in call.operation.parameters:
        given = call.values.get(parameter.name) if parameter.positional else None
        for word in filter(None, given if isinstance(given, tuple) else (given,)):
            name = str(word).partition(":")[0]
            if any(f"{name}{said}" in fault.message for said in _NOT_FOUND):
                fault.message += f" (paths start at the root of the repository, not in {here})"
                return


def _standing(call: Call, workspace: Workspace, caller: Caller) -> Standing | None:
    """Where the caller stands; None at the root, where hints are right as they are."""
    layout = workspace.repository.layout
    here = caller.here()
    if here is None or here == (layout.root or layout.git_dir):
        return None
    from slipstream_git.faces.standing import Standing
    from slipstream_git.gitdb.repository import git_dir_at

    def is_same() -> bool:
        return call.directory == "." and git_dir_at(here, workspace.env) == layout.git_dir

    return Standing(layout, here, is_same)


def _edited(row: Operation, workspace: Workspace, values: dict[str, Any]) -> Any:
    """A commit whose message the person writes first; a refusal does not lose what was written."""
    from slipstream_git.faces import editor
    from slipstream_git.operations import calling

    values["message_file"], path = editor.message(workspace, values["session"])
    try:
        answer = calling.call(row, workspace, values)
    except SlipError as fault:
        fault.message += f" (your message is kept in {path})"
        raise
    os.unlink(path)
    return answer


def _wants_editor(row: Operation, values: Mapping[str, Any], caller: Caller) -> bool:
    given = values.get("message") or values.get("message_file") is not None or values.get("series")
    return row.name == "commit" and not given and caller.has_terminal and sys.stdin.isatty()


# Parameters --------------------------------------------------------------------------------------


READ_KINDS = ("file", "batch")


def _filled(row: Operation, values: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """Parameters as the handler takes them: files read, what was not given at its default."""
    filled: dict[str, Any] = {}
    for parameter in row.parameters:
        value = values.get(parameter.name)
        kind = parameter.kind.value
        if kind == "stdin" or (kind in READ_KINDS and _wants_stdin(parameter, value)):
            filled[parameter.name] = _standard_input(row, caller)
        elif kind in READ_KINDS and value is not None:
            filled[parameter.name] = _given(parameter.kind, value, caller)
        elif value is None and parameter.default is not ...:
            filled[parameter.name] = parameter.default
        else:
            filled[parameter.name] = value
    return filled


def _wants_stdin(parameter: Parameter, value: str | None) -> bool:
    return value == "-" or (value is None and parameter.positional)


def _standard_input(row: Operation, caller: Caller) -> bytes:
    found = caller.input()
    if found is None:
        said = f"slip {row.name} reads standard input, which is a terminal"
        raise SlipError("usage", said, hint=f"slip {row.name} --help")
    return found


def _given(kind: Kind, text: str, caller: Caller) -> bytes:
    """A file's bytes; for a batch that is no file's name, the JSON text itself."""
    if kind.value == "batch" and text.lstrip()[:1] in ("[", "{") and not caller.has_file(text):
        return text.encode("utf-8", "surrogateescape")
    return caller.file(text, stored=kind.stored)


# Answers -----------------------------------------------------------------------------------------


def _reply(call: Call, value: Any, caller: Caller) -> None:
    """Print an answer; where that fails, what was asked for is done all the same, and said so."""
    try:
        _print_reply(call, value, caller)
    except OSError as fault:
        raise unwritten(fault, call.operation.name) from None


def unwritten(fault: OSError, name: str) -> OSError | SlipError:
    """The fault of an answer that could not be written; what was asked for is done."""
    if isinstance(fault, BrokenPipeError):
        return fault
    said = f"{name} is done, but its answer cannot be written: {fault.strerror}"
    return SlipError("git-failed", said)


def _print_reply(call: Call, value: Any, caller: Caller) -> None:
    if call.json:
        text = codec.dumps({"ok": True, **codec.to_json(value)})
    else:
        from slipstream_git.faces import text as rendering

        terminal = caller.has_terminal
        color = terminal and not call.plain and "NO_COLOR" not in caller.env
        text = rendering.render(call.operation.name, value, color=color, terminal=terminal)
    if text:
        # The standard output of `slip run` is its command's.
        caller.tell(text, aside=call.operation.name == "run" and not call.json)


def failed(fault: BaseException, caller: Caller, *, as_json: bool) -> int:
    """Tell a caller what went wrong; the exit status."""
    if isinstance(fault, BrokenPipeError) and caller.gone():
        return INTERRUPTED
    error = reports.translated(fault)
    with suppress(OSError, ValueError):
        _print_error(error, caller, as_json=as_json)
    return error.exit_status


def _print_error(error: SlipError, caller: Caller, *, as_json: bool) -> None:
    if as_json:
        caller.tell(codec.dumps({"ok": False, "error": error.as_json()}))
        return
    from slipstream_git.faces import faults

    caller.tell(faults.render_error(error), aside=True)
