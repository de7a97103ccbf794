"""The command line as click has it: help, usage errors, completion, and every unusual spelling.

Built by walking the table of operations; the only file that knows click. Global options (`-C`,
`--json`, `--no-color`) stand before or after the command's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import click

from slipstream_git import __version__, codec, hints
from slipstream_git.errors import SlipError
from slipstream_git.faces.calls import Call
from slipstream_git.operations import registry
from slipstream_git.operations.registry import Operation, Parameter

# \b keeps click from filling the lines that follow, up to the next empty one.
BATCH_HELP = """\b
A batch, for instance:
[{{"op": "str_replace", "path": "a.py", "old": "x = 1", "new": "x = 2"}},
 {{"op": "write", "path": "docs/new.md", "content": "Hello.\\n"}}]

\b
Ops and their fields, those in brackets optional:
{ops}

\b
count: how often `old` must occur (default 1; "all": any number), else nothing is changed.
Files keep their line endings: a line break in `new` or `text` becomes CRLF among CRLF lines.
Paths are from the root of the repository, whatever directory you are in.
oid: the blob id that `slip read` printed. Where another one is by now, the edit is carried over if
it still fits (told as matched: earlier-version), else refused as stale.
Without oid, an `old` that is not there any more is carried over from an earlier version of this
session in the same way, and told so, too. A batch that is sent twice is made twice, so that an
insert may double its text; with oid it is made once.
create: "ok", "only" (it must be new) or "never" (it must exist). mode: "100644" or "100755".
insert takes one of after_line (0: at the top), before, after (text on a unique line).
Any text field NAME may be given as NAME_b64, in base64.

\b
The same edit in the other formats (or as a unified diff, as git prints it):
*** Begin Patch            a.py
*** Update File: a.py      <<<<<<< SEARCH
-x = 1                     x = 1
+x = 2                     =======
*** End Patch              x = 2
                           >>>>>>> REPLACE
"""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def parse(arguments: Sequence[str]) -> Call | None:
    """The call that these words make; None when click answered itself. Raises `usage`."""
    try:
        outcome = group().main(list(arguments), prog_name="slip", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as fault:
        click.echo(fault.format_message())
        return None
    except click.UsageError as fault:
        behind = _behind_dashes(fault, list(arguments))
        if behind is not None:
            raise behind from None
        command = fault.ctx.command_path if fault.ctx else "slip"
        message = fault.format_message().rstrip(".")
        raise SlipError("usage", message, hint=f"{command} --help") from None
    except click.Abort:
        raise KeyboardInterrupt from None
    return outcome if isinstance(outcome, Call) else None


def _behind_dashes(fault: click.UsageError, arguments: list[str]) -> SlipError | None:
    """The refusal of an option that seems to be the user's command's, which goes behind ``--``."""
    row = registry.find(fault.ctx.command.name or "") if fault.ctx else None
    if not isinstance(fault, click.NoSuchOption) or row is None or "--" in arguments:
        return None
    if not any(parameter.is_command for parameter in row.parameters):
        return None
    valued = {"-C"}
    for parameter in row.parameters:
        if not parameter.positional and parameter.kind.value not in ("flag", "switch"):
            valued |= {parameter.option, parameter.short}
    at = arguments.index(row.name) + 1
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if arguments[at] in valued else 1
    if fault.option_name in (word.partition("=")[0] for word in arguments[:at]):
        return None  # it stands before the command
    words = ["slip", *arguments[:at], "--", *arguments[at:]]
    said = f"slip {row.name} has no option {fault.option_name}; a command's own go behind --"
    return SlipError("usage", said, hint=hints.of(*words))


def group() -> click.Group:
    """The `slip` command with every operation of the table below it."""
    version = click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_version,
        help="Show the version and exit.",
    )
    return _Table(
        name="slip",
        help="Change sets for git: begin, apply, commit.\n\nEach session is a tree of git objects "
        "beside your work: no worktree, no stash, and no branch of yours moves until it lands.",
        context_settings=CONTEXT,
        params=[*_global_options(), version],
        callback=_keep_globals,
        no_args_is_help=True,
    )


def _print_version(context: click.Context, _parameter: click.Parameter, *given: bool) -> None:
    if any(given) and not context.resilient_parsing:
        click.echo(f"slip {__version__}")
        context.exit()


def _global_options() -> list[click.Parameter]:
    return [
        click.Option(["-C", "directory"], metavar="DIR", help="Work as if started in DIR."),
        click.Option(["--json", "as_json"], is_flag=True, help="Answer with one JSON object."),
        click.Option(["--no-color", "no_color"], is_flag=True, help="Do not use colours."),
    ]


def _keep_globals(**given: Any) -> None:
    click.get_current_context().obj = given


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
        for area, names in registry.AREAS.items():
            rows = [(name, cast("Operation", registry.find(name)).summary) for name in names]
            title, page = registry.TITLES[area]
            with formatter.section(f"{title} ({page})"):
                formatter.write_dl(rows)


def _command(row: Operation) -> click.Command:
    parameters = [_click_parameter(parameter) for parameter in row.parameters]
    takes_ops = any(parameter.name == "ops" for parameter in row.parameters)
    return click.Command(
        row.name,
        callback=_caller(row),
        params=[*filter(None, parameters), *_global_options()],
        help="\n\n".join(filter(None, (row.summary + ".", row.description))),
        epilog=BATCH_HELP.format(ops="\n".join(codec.describe_ops())) if takes_ops else None,
        short_help=row.summary,
        context_settings=CONTEXT,
    )


def _caller(row: Operation) -> Callable[..., Call]:
    def call(directory: str | None, *, as_json: bool, no_color: bool, **values: Any) -> Call:
        before = click.get_current_context().find_root().obj
        return Call(
            row,
            directory or before["directory"] or ".",
            values,
            as_json or before["as_json"],
            no_color or before["no_color"],
        )

    return call


def _click_parameter(parameter: Parameter) -> click.Parameter | None:
    if parameter.kind.value == "stdin":
        return None
    if parameter.positional:
        return _argument(parameter)
    if parameter.kind.value in ("flag", "switch"):
        return _flag(parameter)
    return click.Option(
        [*filter(None, (parameter.short,)), parameter.option, parameter.name],
        metavar=parameter.metavar,
        multiple=parameter.kind.many,
        required=parameter.default is ...,
        type=_type(parameter),
        help=parameter.help,
    )


def _argument(parameter: Parameter) -> click.Argument:
    name = parameter.in_usage
    return click.Argument(
        [parameter.name],
        nargs=-1 if parameter.kind.many else 1,
        required=not parameter.kind.optional,
        metavar=f"[{name}]" if parameter.kind.optional else name,
        type=_type(parameter),
    )


def _flag(parameter: Parameter) -> click.Option:
    spelled = parameter.option
    if parameter.kind.value == "switch":
        spelled = f"{spelled}/{parameter.negative}"
    return click.Option(
        [*filter(None, (parameter.short,)), spelled, parameter.name],
        is_flag=True,
        default=parameter.default,
        help=parameter.help,
    )


def _type(parameter: Parameter) -> click.types.IntParamType | click.types.StringParamType:
    return click.INT if parameter.kind.value == "number" else click.STRING
