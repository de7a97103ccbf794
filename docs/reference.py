"""The command line and protocol references, read off the table of operations."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_type_hints

from slipstream_git import codec, guides, meetings, model, outcomes, results
from slipstream_git.operations import registry
from slipstream_git.operations.registry import Operation, Parameter

CLI_HEAD = """\
# Commands

Every command takes `-C DIR` (work as if started there), `--json` (one JSON object on stdout) and
`--no-color`, before or after its name, and `--help`. Exit statuses are in [errors.md](errors.md).
"""
PROTOCOL_HEAD = """\
# Protocol

What `--json` prints, and what every other face answers: the same operations, the same fields.
A reply is `{"ok": true, ...}` with the fields below, or
`{"ok": false, "error": {"code", "message", "hint", "data"}}`. Fields marked `?` are left out when
there is nothing to say. Paths are text; where a path is not plain UTF-8 it is C-quoted as git
quotes it, and `path_b64` has its bytes.
"""
OPS_HEAD = """\
## Ops

A batch is a JSON list of these (or JSON lines, or `{"ops": [...]}`). Every field of text may be
given as `<name>_b64` instead, in base64, for bytes that are not UTF-8. Also accepted: `old_str`,
`old_string`, `new_str`, `new_string`, `file`, `file_path`, `method`, and `replace_all: true`.
Unknown fields are refused.

| op | fields |
|---|---|"""
FIELD_KINDS = {
    "count": 'number or "all"',
    "mode": '"100644" or "100755"',
    "create": '"ok", "only" or "never"',
    "globs": "list of patterns",
    "regex": "boolean",
    "word": "boolean",
    "ignore_case": "boolean",
    "near_line": "line",
    "after_line": "line, 0 for the top",
    "start": "line",
    "end": "line",
    "expect": "number",
    "oid": "blob id",
}


def cli_page() -> str:
    """Every command with its arguments and options."""
    rows = [_row(name) for name in registry.names()]
    index = [f"- [`slip {row.name}`](#slip-{row.name}): {row.summary.lower()}" for row in rows]
    return "\n".join([CLI_HEAD, *index, "", *(_command(row) for row in rows)])


def _row(name: str) -> Operation:
    row = registry.find(name)
    if row is None:
        raise SystemExit(f"the table names {name}, and no module declares it")
    return row


def _command(row: Operation) -> str:
    shown = [p for p in row.parameters if p.kind.value != "stdin"]
    # What goes behind -- goes behind the options.
    in_order = sorted(shown, key=lambda parameter: parameter.is_command)
    usage = " ".join(["slip", row.name, *(_usage(p) for p in in_order)])
    parts = [f"## slip {row.name}\n", f"{row.summary}.\n", f"    {usage}\n"]
    if row.description:
        parts.append(f"{row.description}\n")
    if shown:
        parts += ["| | |", "|---|---|", *(_explained(p) for p in shown), ""]
    return "\n".join(parts)


def _usage(parameter: Parameter) -> str:
    if parameter.positional:
        text = parameter.in_usage
        return f"[{text}]" if parameter.kind.optional else text
    more = "…" if parameter.kind.many else ""
    return f"[{_spelling(parameter)}]{more}"


def _spelling(parameter: Parameter) -> str:
    if parameter.kind.value == "switch":
        return f"{parameter.option}|{parameter.negative}"
    value = "" if parameter.kind.value == "flag" else f" {parameter.metavar}"
    short = f"{parameter.short}|" if parameter.short else ""
    return f"{short}{parameter.option}{value}"


def _explained(parameter: Parameter) -> str:
    name = parameter.metavar if parameter.positional else _spelling(parameter)
    return f"| `{name}` | {parameter.help} |".replace("|--", "\\|--")


def protocol_page() -> str:
    """Every operation's fields and reply, every op's fields, every shape."""
    parts = [PROTOCOL_HEAD, OPS_HEAD, *(_op(name, kind) for name, kind in model.OPS.items()), ""]
    parts += ["## Operations\n", "| operation | fields | reply |", "|---|---|---|"]
    parts += [_method(_row(name)) for name in registry.names()]
    parts += ["", "## Replies\n"]
    for name, shape in _shapes():
        parts += [f"### {name}\n", f"{cleandoc(shape.__doc__ or '')}\n"]
        parts += [f"- `{field}`: {kind}" for field, kind in _fields(shape)]
        parts.append("")
    return "\n".join(parts)


def _op(name: str, kind: Any) -> str:
    fields = []
    for field in kind._fields:
        mark = "?" if field in kind._field_defaults else ""
        what = FIELD_KINDS.get(field, "text" if field in codec.BYTES_FIELDS else "")
        fields.append(f"`{field}{mark}` ({what})")
    return f"| `{name}` | {', '.join(fields)} |"


def _method(row: Operation) -> str:
    fields = ", ".join(
        f"`{p.name}{'' if p.default is ... and not p.kind.optional else '?'}`"
        for p in row.parameters
    )
    shapes = str(row.handler.__annotations__["return"]).split(" | ")
    replies = (shape.rpartition(".")[2] for shape in shapes)
    links = ", ".join(f"[{reply}](#{reply.lower()})" for reply in replies)
    return f"| `{row.name}` | {fields} | {links} |"


def _shapes() -> Iterator[tuple[str, Any]]:
    for module in (results, outcomes, meetings, guides):
        for name, shape in vars(module).items():
            if hasattr(shape, "_fields") and shape.__module__ == module.__name__:
                yield name, shape


def _fields(shape: Any) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(shape)
    for field in shape._fields:
        optional = field in shape._field_defaults
        yield f"{field}{'?' if optional else ''}", _kind(hints[field], optional=optional)


def _kind(hint: Any, *, optional: bool) -> str:
    text = hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
    for module in (results, outcomes, meetings, guides):
        text = text.replace(f"{module.__name__}.", "")
    text = text.replace("typing.", "")
    text = text.replace("list[", "list of ").replace("]", "").replace("Any", "object")
    return text.removesuffix(" | None") if optional else text.replace("None", "null")
