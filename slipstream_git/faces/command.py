"""One command from its words to its exit status, whoever parsed the words.

Plain words are read by `argv`; help, completion, faults and everything unusual go to click, whose
import costs more than a small edit. Whatever goes wrong is one line on stderr, a hint, and an exit
status; with `--json`, stdout holds exactly one JSON object, also for usage errors. A fault of
ours writes a report and exits 70.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from slipstream_git import codec
from slipstream_git.errors import INTERRUPTED, SlipError
from slipstream_git.faces import reports
from slipstream_git.faces.calls import Call
from slipstream_git.operations import calling
from slipstream_git.operations.registry import Operation, Parameter

if TYPE_CHECKING:  # its import is paid for by commands that need a repository
    from slipstream_git.faces.standing import Standing
    from slipstream_git.workspace import Workspace

LARGEST_INPUT = 512 << 20
PIECE = 1 << 20


def run(arguments: Sequence[str]) -> int:
    """Run the command line ``arguments``; the exit status. Prints; never raises."""
    # A guess for faults of parsing: after it, the parse says.
    as_json = "--json" in arguments[: _end_of_options(arguments)]
    try:
        call = _parsed(arguments)
        if call is not None:
            as_json = call.json
            value = _answer(call, arguments)
            _reply(call, value)
            # What was run for the caller says how it ended.
            return value.exit if call.operation.name == "run" else 0
    except SystemExit as answered:  # click's shell completion ends so
        return answered.code if isinstance(answered.code, int) else 0
    except BaseException as fault:  # noqa: BLE001  (the one place where everything ends)
        return _failed(fault, as_json=as_json)
    return 0


def _end_of_options(arguments: Sequence[str]) -> int:
    return arguments.index("--") if "--" in arguments else len(arguments)


def _parsed(arguments: Sequence[str]) -> Call | None:
    """The call; None when click has answered already (help, version, completion)."""
    if "_SLIP_COMPLETE" not in os.environ:
        from slipstream_git.faces import argv

        found = argv.parse(arguments)
        if found is not None:
            return found
    from slipstream_git.faces import cli

    return cli.parse(arguments)


def _answer(call: Call, arguments: Sequence[str]) -> Any:
    row = call.operation
    values = _filled(row, call.values)
    if row.context == "env":
        return row.handler(os.environ, **values)
    if row.context == "face":
        from slipstream_git.faces.serving import daemon

        return row.handler(daemon, **values)
    from slipstream_git.workspace import open_workspace

    in_process = os.environ.get("SLIP_STORE") == "libgit2"
    workspace = open_workspace(
        call.directory,
        os.environ,
        in_process=in_process,
        notify=_print_notice,
        output=2 if call.json else 1,
    )
    with workspace.repository:
        try:
            edited = _wants_editor(row, values)
            answer = (_edited if edited else calling.call)(row, workspace, values)
        except SlipError as fault:
            _place_hints(fault, call, arguments, workspace)
            raise
        standing = _standing(call, workspace)
        return answer if standing is None else standing.in_answer(answer)


def _place_hints(
    fault: SlipError, call: Call, arguments: Sequence[str], workspace: Workspace
) -> None:
    """Let the hints of an error be what can be typed from here."""
    if fault.code == "session-required" and fault.hint and "-s" in fault.hint.commands[0]:
        from slipstream_git.faces import standing

        # It names the likeliest of them.
        fault.hint = standing.named(call, arguments, str(fault.hint.commands[0][-1]))
        return
    if fault.code == "missing":
        _tell_of_root(fault, call, workspace)
    place = _standing(call, workspace)
    if place is not None:
        place.in_error(fault)


_NOT_FOUND = (": there is no such file", " is not a path that is left")


def _tell_of_root(fault: SlipError, call: Call, workspace: Workspace) -> None:
    """Where a path was not found in a subdirectory, say that it is not looked for there."""
    root = os.path.realpath(workspace.repository.layout.root or "")
    here = os.path.relpath(os.path.realpath(call.directory), root)
    if workspace.repository.layout.root is None or here.split(os.sep)[0] in (".", ".."):
        return
    for parameter in call.operation.parameters:
        given = call.values.get(parameter.name) if parameter.positional else None
        for word in filter(None, given if isinstance(given, tuple) else (given,)):
            name = str(word).partition(":")[0]
            if any(f"{name}{said}" in fault.message for said in _NOT_FOUND):
                fault.message += f" (paths start at the root of the repository, not in {here})"
                return


def _standing(call: Call, workspace: Workspace) -> Standing | None:
    """Where the user stands; None at the root, where hints are right as they are."""
    layout = workspace.repository.layout
    try:
        here = os.getcwd()
    except OSError:  # a directory that is gone
        return None
    if here == (layout.root or layout.git_dir):
        return None
    from slipstream_git.faces.standing import Standing
    from slipstream_git.gitdb.repository import git_dir_at

    def is_same() -> bool:
        return call.directory == "." and git_dir_at(here, workspace.env) == layout.git_dir

    return Standing(layout, here, is_same)


def _edited(row: Operation, workspace: Workspace, values: dict[str, Any]) -> Any:
    """A commit whose message the person writes first; a refusal does not lose what was written."""
    from slipstream_git.faces import editor

    values["message_file"], path = editor.message(workspace, values["session"])
    try:
        answer = calling.call(row, workspace, values)
    except SlipError as fault:
        fault.message += f" (your message is kept in {path})"
        raise
    os.unlink(path)
    return answer


def _wants_editor(row: Operation, values: Mapping[str, Any]) -> bool:
    given = values.get("message") or values.get("message_file") is not None
    return row.name == "commit" and not given and sys.stdin.isatty() and sys.stdout.isatty()


# Parameters --------------------------------------------------------------------------------------


READ_KINDS = ("file", "batch")


def _filled(row: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the handler takes them: files read, what was not given at its default."""
    filled: dict[str, Any] = {}
    for parameter in row.parameters:
        value = values.get(parameter.name)
        kind = parameter.kind.value
        if kind == "stdin" or (kind in READ_KINDS and _wants_stdin(parameter, value)):
            filled[parameter.name] = _standard_input(row)
        elif kind in READ_KINDS and value is not None:
            filled[parameter.name] = _given(kind, value)
        elif value is None and parameter.default is not ...:
            filled[parameter.name] = parameter.default
        else:
            filled[parameter.name] = value
    return filled


def _wants_stdin(parameter: Parameter, value: str | None) -> bool:
    return value == "-" or (value is None and parameter.positional)


def _standard_input(row: Operation) -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        return b""
    if sys.stdin.isatty():
        raise SlipError(
            "usage",
            f"slip {row.name} reads standard input, which is a terminal",
            hint=f"slip {row.name} --help",
        )
    return _all_of(sys.stdin.buffer, "standard input")


def _given(kind: str, text: str) -> bytes:
    """A file's bytes; for a batch that is no file's name, the JSON text itself."""
    if kind == "batch" and text.lstrip()[:1] in ("[", "{") and not os.path.exists(text):
        return text.encode("utf-8", "surrogateescape")
    return _file(text)


def _file(name: str) -> bytes:
    try:
        with open(name, "rb") as stream:
            return _all_of(stream, name)
    except OSError as fault:
        raise SlipError("usage", f"{name}: {fault.strerror}") from None


def _all_of(stream: BinaryIO, name: str) -> bytes:
    """What is left in a stream, which may be a device that never ends."""
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_INPUT:
            raise SlipError("too-large", f"{name} holds over {LARGEST_INPUT} bytes")
    return b"".join(pieces)


# Answers -----------------------------------------------------------------------------------------


def _reply(call: Call, value: Any) -> None:
    """Print an answer; where that fails, what was asked for is done all the same, and said so."""
    try:
        _print_reply(call, value)
    except BrokenPipeError:
        raise
    except OSError as fault:
        name = call.operation.name
        said = f"{name} is done, but its answer cannot be written: {fault.strerror}"
        raise SlipError("git-failed", said) from None


def _print_reply(call: Call, value: Any) -> None:
    if call.json:
        text = codec.dumps({"ok": True, **codec.to_json(value)})
    else:
        from slipstream_git.faces import text as rendering

        terminal = sys.stdout is not None and sys.stdout.isatty()
        color = terminal and not call.plain and "NO_COLOR" not in os.environ
        text = rendering.render(call.operation.name, value, color=color, terminal=terminal)
    if text:
        # The standard output of `slip run` is its command's.
        is_theirs = call.operation.name == "run" and not call.json
        _write(sys.stderr if is_theirs else sys.stdout, text)


def _print_notice(text: str) -> None:
    from slipstream_git.text.paths import escape_for_terminal

    _write(sys.stderr, f"slip: {escape_for_terminal(text)}")


def _write(stream: Any, text: str) -> None:
    if stream is None:
        return
    ending = "" if text.endswith("\n") else "\n"
    try:
        data = (text + ending).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that is not a byte: from a batch's own text
        data = (text + ending).encode("utf-8", "backslashreplace")
    stream.buffer.write(data)
    stream.buffer.flush()


def _failed(fault: BaseException, *, as_json: bool) -> int:
    if isinstance(fault, BrokenPipeError):
        # Whoever read us has gone; a second complaint at exit would be a traceback.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    error = reports.translated(fault)
    with suppress(OSError, ValueError):
        _print_error(error, as_json=as_json)
    return error.exit_status


def _print_error(error: SlipError, *, as_json: bool) -> None:
    if as_json:
        _write(sys.stdout, codec.dumps({"ok": False, "error": error.as_json()}))
        return
    from slipstream_git.faces import faults

    _write(sys.stderr, faults.render_error(error))
