"""The command line, built by walking the table of operations; the only file that knows click.

Global options (`-C`, `--json`, `--no-color`) stand before or after the command's name. With
`--json`, stdout holds exactly one JSON object, also for usage errors. Whatever goes wrong is one
line on stderr, a hint, and an exit status; a fault of ours writes a report and exits 70.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

import click

from slipstream_git import __version__, codec
from slipstream_git.errors import INTERRUPTED, SlipError
from slipstream_git.operations import calling, registry
from slipstream_git.operations.registry import Operation, Parameter

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Settings(NamedTuple):
    """The global options of one call."""

    directory: str = "."
    json: bool = False
    color: bool = True


class Reply(NamedTuple):
    """A result, with what its rendering needs."""

    operation: str
    value: Any


def run(arguments: Sequence[str]) -> int:
    """Run the command line ``arguments``; the exit status. Prints; never raises."""
    settings = _settings(arguments)
    try:
        reply = _group().main(list(arguments), prog_name="slip", standalone_mode=False)
        if isinstance(reply, Reply):
            _print_reply(settings, reply)
            return _status_of(reply)
    except BaseException as fault:  # noqa: BLE001  (the one place where everything ends)
        return _failed(settings, fault)
    return reply if isinstance(reply, int) else 0


def _settings(arguments: Sequence[str]) -> Settings:
    """The global options, wherever they stand; also known when the rest cannot be parsed."""
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ and "--no-color" not in words
    return Settings(json="--json" in words, color=color)


def _group() -> click.Group:
    group = _Table(
        name="slip",
        help="Change sets for git: begin, apply, commit.\n\nEach session is a tree of git objects "
        "beside your work: no worktree, no stash, no branch of yours moves until it lands.",
        context_settings=CONTEXT,
        params=[
            *_global_options(),
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Show the version and exit.",
            ),
        ],  # fmt: skip
        callback=_keep_globals,
        no_args_is_help=True,
    )
    return group


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and not context.resilient_parsing:
        click.echo(f"slip {__version__}")
        context.exit()


def _global_options() -> list[click.Parameter]:
    return [
        click.Option(["-C", "directory"], metavar="DIR", help="Work as if started in DIR."),
        click.Option(["--json", "as_json"], is_flag=True, help="Answer with one JSON object."),
        click.Option(["--no-color", "no_color"], is_flag=True, help="Do not use colours."),
    ]


def _keep_globals(directory: str | None, *, as_json: bool, no_color: bool) -> None:
    del as_json, no_color  # read from the words themselves: they count for errors, too
    click.get_current_context().obj = directory


class _Table(click.Group):
    """Commands made from the table's rows, each only when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(registry.names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        row = registry.find(cmd_name)
        return None if row is None else _command(row)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in registry.names():
            from difflib import get_close_matches

            close = get_close_matches(args[0], registry.names(), 1)
            hint = f"; did you mean `slip {close[0]}`?" if close else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        rows = [(name, cast("Operation", registry.find(name)).summary) for name in registry.names()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _command(row: Operation) -> click.Command:
    parameters = [_click_parameter(parameter) for parameter in row.parameters]
    text = "\n\n".join(filter(None, (row.summary + ".", row.description)))
    return click.Command(
        row.name,
        callback=_caller(row),
        params=[*filter(None, parameters), *_global_options()],
        help=text,
        short_help=row.summary,
        context_settings=CONTEXT,
    )


def _click_parameter(parameter: Parameter) -> click.Parameter | None:
    kind = parameter.kind
    if kind.value == "stdin":
        return None
    if parameter.positional:
        return click.Argument(
            [parameter.name],
            nargs=-1 if kind.many else 1,
            required=not kind.optional,
            metavar=_metavar(parameter),
            type=_click_type(parameter),
        )
    names = [*filter(None, (parameter.short,)), parameter.option, parameter.name]
    if kind.value == "switch":
        names[-2] = f"{parameter.option}/--no-{parameter.name.replace('_', '-')}"
    return click.Option(
        names,
        metavar=None if kind.value in ("flag", "switch") else parameter.metavar,
        is_flag=kind.value in ("flag", "switch"),
        multiple=kind.many,
        default=parameter.default if kind.value == "flag" else None,
        type=None if kind.value in ("flag", "switch") else _click_type(parameter),
        help=parameter.help,
    )


def _metavar(parameter: Parameter) -> str:
    name = parameter.metavar + ("…" if parameter.kind.many else "")
    return f"[{name}]" if parameter.kind.optional else name


def _click_type(parameter: Parameter) -> click.types.IntParamType | click.types.StringParamType:
    return click.INT if parameter.kind.value == "number" else click.STRING


def _caller(row: Operation) -> Callable[..., Reply]:
    def call(directory: str | None, **values: Any) -> Reply:
        del values["as_json"], values["no_color"]
        where = directory or click.get_current_context().find_root().obj or "."
        return Reply(row.name, _call(row, where, _filled(row, values)))

    return call


def _filled(row: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the handler takes them: files read, what was not given at its default."""
    filled: dict[str, Any] = {}
    for parameter in row.parameters:
        value = values.get(parameter.name)
        kind = parameter.kind.value
        if kind == "stdin" or (kind == "file" and _wants_stdin(row, parameter, value)):
            filled[parameter.name] = _standard_input(row)
        elif kind == "file":
            filled[parameter.name] = None if value is None else _file(value)
        elif value is None and parameter.default is not ...:
            filled[parameter.name] = parameter.default
        else:
            filled[parameter.name] = value
    return filled


def _wants_stdin(row: Operation, parameter: Parameter, value: str | None) -> bool:
    return value == "-" or (value is None and parameter.positional and row.name == "apply")


def _standard_input(row: Operation) -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        return b""
    if sys.stdin.isatty():
        raise SlipError("usage", f"slip {row.name} reads standard input, which is a terminal",
                        hint=f"slip {row.name} --help")  # fmt: skip
    return sys.stdin.buffer.read()


def _file(name: str) -> bytes:
    """A file's bytes; text that is itself JSON stands for itself."""
    if name[:1] in ("[", "{"):
        return name.encode("utf-8", "surrogateescape")
    try:
        with open(name, "rb") as stream:
            return stream.read()
    except OSError as fault:
        raise SlipError("usage", f"{name}: {fault.strerror}") from None


def _call(row: Operation, directory: str, values: dict[str, Any]) -> Any:
    if not row.needs_repository:
        return row.handler(**values)
    from slipstream_git.workspace import open_workspace

    in_process = os.environ.get("SLIP_STORE") == "libgit2"
    workspace = open_workspace(directory, os.environ, in_process=in_process)
    with workspace.repository:
        return calling.call(row, workspace, values)


def _status_of(reply: Reply) -> int:
    return int(getattr(reply.value, "exit_status", None) or 0)


def _print_reply(settings: Settings, reply: Reply) -> None:
    if settings.json:
        body = codec.to_json(reply.value)
        text = codec.dumps({"ok": True, **body})
    else:
        from slipstream_git.faces import text as rendering

        text = rendering.render(reply.operation, reply.value, color=settings.color)
    if text:
        _write(sys.stdout.buffer, text)


def _write(stream: Any, text: str) -> None:
    ending = "" if text.endswith("\n") else "\n"
    stream.write((text + ending).encode("utf-8", "backslashreplace"))
    stream.flush()


# Everything that ends badly ----------------------------------------------------------------------


def _failed(settings: Settings, fault: BaseException) -> int:
    if isinstance(fault, BrokenPipeError):
        # Whoever read us has gone; a second complaint at exit would be a traceback.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    if isinstance(fault, click.exceptions.Exit):
        return int(fault.exit_code)
    error = _translated(fault)
    with suppress(OSError, ValueError):
        _print_error(settings, error)
    return error.exit_status


def _translated(fault: BaseException) -> SlipError:
    if isinstance(fault, SlipError):
        return fault
    if isinstance(fault, click.UsageError):
        command = fault.ctx.command_path if fault.ctx else "slip"
        return SlipError("usage", fault.format_message().rstrip("."), hint=f"{command} --help")
    if isinstance(fault, (KeyboardInterrupt, click.Abort)):
        return SlipError("interrupted", "interrupted; what was not acknowledged did not happen")
    if isinstance(fault, OSError):
        where = f"{fault.filename}: " if fault.filename else ""
        return SlipError("git-failed", f"{where}{fault.strerror or fault}")
    if isinstance(fault, MemoryError):
        return SlipError("too-large", "not enough memory for this")
    return SlipError("bug", _report(fault))


def _report(fault: BaseException) -> str:
    """Write a fault of ours to a file; the line that says so."""
    import tempfile

    lines = [f"slip {__version__}, Python {sys.version}", *traceback.format_exception(fault)]
    handle, path = tempfile.mkstemp(prefix="slip-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write("\n".join(lines))
    return f"a fault of slip itself ({type(fault).__name__}); nothing is known to be lost. {path}"


def _print_error(settings: Settings, error: SlipError) -> None:
    if settings.json:
        body = {"code": error.code, "message": error.message, "hint": error.hint,
                "data": error.data}  # fmt: skip
        _write(sys.stdout.buffer, codec.dumps({"ok": False, "error": body}))
        return
    from slipstream_git.faces import text as rendering

    _write(sys.stderr.buffer, rendering.render_error(error))
