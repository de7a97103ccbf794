"""JSON text to ops and back, and results to JSON; strict on the way in.

A typing error in a field's name must not be ignored: it is refused with the nearest known name.
Faults of shape are all found before anything is tried, each with its place (``$.ops[2].old_str``).
Bytes travel as text under their own name where they are UTF-8, and as base64 under
``<name>_b64`` where they are not; both spellings are accepted for every bytes field.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from slipstream_git.errors import SlipError
from slipstream_git.model import OPS, Op
from slipstream_git.records import NamedTuple

MOST_OPS = 100_000
DEEPEST_CAUSE = "nested too deeply"
MODES = {"100644": 0o100644, "100755": 0o100755}

# What the ancestors of these ops and the editors' own tools call the same fields.
ALIASES = {
    "old_str": "old",
    "old_string": "old",
    "new_str": "new",
    "new_string": "new",
    "file": "path",
    "file_path": "path",
    "method": "op",
}
BYTES_FIELDS = frozenset(
    {
        "path", "to", "old", "new", "content", "text", "before", "after", "target", "diff",
        "pattern", "replacement",
    }
)  # fmt: skip
OP_NAMES = {kind: name for name, kind in OPS.items()}


class Fault(NamedTuple):
    """One fault of shape: which op, where in the text, and what."""

    index: int | None  # type: ignore[assignment]  # hides tuple.index, never called
    place: str
    message: str
    op: str | None = None
    path: str | None = None
    code: str = "bad-op"


class _Wrong(Exception):
    """A fault inside one op, before its index is known."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


def decode_batch(text: bytes) -> tuple[Op, ...]:
    """The ops of a JSON array, of one JSON object, or of JSON lines."""
    return decode_ops(_batch_items(text))


def decode_labelled(text: bytes) -> tuple[tuple[Op, ...], tuple[str, ...]]:
    """The same where an op may also have a `group`: the ops, and the label of each or nothing."""
    items = _batch_items(text)
    labels: list[str] = []
    rows: list[object] = []
    for index, item in enumerate(items):
        label = item.get("group", "") if isinstance(item, dict) else ""
        if not isinstance(label, str):
            fault = Fault(index, f"$.ops[{index}].group", f"`group` is a text, not {_kind(label)}")
            raise _refusal([fault])
        labels.append(label)
        is_labelled = isinstance(item, dict) and "group" in item
        rows.append({k: v for k, v in item.items() if k != "group"} if is_labelled else item)
    return decode_ops(rows), tuple(labels)


def _batch_items(text: bytes) -> list[Any]:
    text = text.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise SlipError("bad-json", "the batch is empty; an empty list [] is a batch of nothing")
    try:
        value = decode_json(text)
    except SlipError:
        lines = [line for line in text.split(b"\n") if line.strip()]
        if len(lines) < 2 or not lines[0].lstrip().startswith(b"{"):
            raise
        return [decode_json(line, f"line {n}: ") for n, line in enumerate(lines, 1)]
    if isinstance(value, dict) and set(value) == {"ops"}:
        value = value["ops"]
    elif isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise SlipError("bad-op", f"$: a batch is a list of ops, not {_kind(value)}")
    return value


def decode_ops(items: Iterable[object]) -> tuple[Op, ...]:
    """Ops from decoded JSON objects. Raises `bad-op` with every fault in ``data.ops``."""
    ops: list[Op] = []
    faults: list[Fault] = []
    for index, item in enumerate(items):
        if index >= MOST_OPS:
            raise SlipError("too-large", f"a batch has at most {MOST_OPS} ops")
        try:
            ops.append(_decode_op(item))
        except _Wrong as wrong:
            name, path = _naming(item)
            place = f"$.ops[{index}]{wrong.place}"
            faults.append(Fault(index, place, wrong.message, name, path))
    if faults:
        raise _refusal(faults)
    return tuple(ops)


def _refusal(faults: list[Fault]) -> SlipError:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return SlipError(
        "bad-op",
        f"{first.place}: {first.message}{more}",
        hint="slip apply --help",
        data={"ops": [to_json(fault) for fault in faults]},
    )


def _naming(item: object) -> tuple[str | None, str | None]:
    if not isinstance(item, dict):
        return None, None
    name = item.get("op", item.get("method"))
    path = item.get("path", item.get("file", item.get("file_path")))
    return (name if isinstance(name, str) else None, path if isinstance(path, str) else None)


def _decode_op(item: object) -> Op:
    if not isinstance(item, dict):
        raise _Wrong("", f"an op is an object with a field `op`, not {_kind(item)}")
    fields = _canonical(item)
    kind = _op_kind(fields.pop("op", None))
    if fields.get("replace_all") is not None and kind is OPS["str_replace"]:
        _apply_replace_all(fields)
    known: tuple[str, ...] = kind._fields
    values = {name: _field(name, value) for name, value in _joined(fields, known).items()}
    for name in known:
        if name not in values and name not in kind._field_defaults:
            raise _Wrong("", f"`{OP_NAMES[kind]}` needs the field `{name}`")
    _check_together(kind, values)
    return cast("Op", kind(**values))


def _canonical(item: Mapping[str, object]) -> dict[str, object]:
    """The fields under their own names."""
    fields: dict[str, object] = {}
    for key, value in item.items():
        name = ALIASES.get(key, key)
        if name in fields:
            raise _Wrong(f".{key}", f"`{key}` and `{name}` are the same field, given twice")
        fields[name] = value
    return fields


def _op_kind(name: object) -> Any:
    if name is None:
        raise _Wrong("", f"the field `op` is missing; it is one of {', '.join(OPS)}")
    if not isinstance(name, str):
        raise _Wrong(".op", f"`op` is a name, not {_kind(name)}")
    kind = OPS.get(name.removeprefix("file."))
    if kind is None:
        raise _Wrong(".op", f"unknown op {name!r}{_nearest(name, OPS)}; ops: {', '.join(OPS)}")
    return kind


def _apply_replace_all(fields: dict[str, object]) -> None:
    wanted = fields.pop("replace_all")
    if not isinstance(wanted, bool):
        raise _Wrong(".replace_all", f"`replace_all` is true or false, not {_kind(wanted)}")
    if wanted and fields.setdefault("count", "all") != "all":
        raise _Wrong(".count", "`replace_all` and another `count` contradict each other")


def _joined(fields: Mapping[str, object], known: tuple[str, ...]) -> dict[str, object]:
    """Fields by known name, ``x_b64`` decoded into ``x``; unknown names refused."""
    values: dict[str, object] = {}
    for key, value in fields.items():
        name = key.removesuffix("_b64")
        if name not in known or (name != key and name not in BYTES_FIELDS):
            names = [*known, *(alias for alias, own in ALIASES.items() if own in known)]
            if key == "group":
                raise _Wrong(".group", "`group` is read by `slip exec`; elsewhere --group labels")
            raise _Wrong(f".{key}", f"unknown field `{key}`{_nearest(key, names)}")
        if name in values:
            raise _Wrong(f".{key}", f"`{name}` is given twice, as text and as base64")
        values[name] = _base64(key, value) if name != key else value
    return values


def _field(name: str, value: object) -> object:
    if value is None:
        raise _Wrong(f".{name}", f"`{name}` is null; leave it out instead")
    if isinstance(value, bytes):
        return value
    if name in BYTES_FIELDS:
        return _text(name, value)
    try:
        return _READERS[name](value)
    except ValueError as fault:
        raise _Wrong(f".{name}", f"`{name}` {fault}") from None


def _text(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise _Wrong(f".{name}", f"`{name}` is a string, not {_kind(value)}")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _Wrong(f".{name}", f"`{name}` holds half of a surrogate pair") from None


def _base64(key: str, value: object) -> bytes:
    try:
        if isinstance(value, str):
            return a2b_base64(value, strict_mode=True)
    except (Base64Error, ValueError):
        pass
    raise _Wrong(f".{key}", f"`{key}` is not base64")


def _whole(value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"is a whole number, not {_kind(value)}")
    if value < least or value > 2**53:
        raise ValueError(f"is a number from {least} up, not {value if value < least else 'so big'}")
    return value


def _count(value: object) -> object:
    return value if value == "all" else _whole(value, 1)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"is true or false, not {_kind(value)}")
    return value


def _mode(value: object) -> int:
    if not isinstance(value, str) or value not in MODES:
        raise ValueError('is "100644" or "100755"')
    return MODES[value]


def _oid(value: object) -> str:
    digits = value if isinstance(value, str) else ""
    if len(digits) != 40 or digits.strip("0123456789abcdef"):
        raise ValueError("is a full object id: 40 lower-case hex digits")
    return digits


def _create(value: object) -> object:
    if value not in ("ok", "only", "never"):
        raise ValueError('is "ok", "only" or "never"')
    return value


def _globs(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(glob, str) and glob for glob in value):
        return tuple(value)
    raise ValueError("is a list of patterns")


_READERS: Mapping[str, Callable[[object], object]] = {
    "count": _count,
    "near_line": lambda value: _whole(value, 1),
    "after_line": lambda value: _whole(value, 0),
    "start": lambda value: _whole(value, 1),
    "end": lambda value: _whole(value, 1),
    "expect": lambda value: _whole(value, 0),
    "regex": _boolean,
    "word": _boolean,
    "ignore_case": _boolean,
    "mode": _mode,
    "oid": _oid,
    "create": _create,
    "globs": _globs,
}


def _check_together(kind: Any, values: Mapping[str, Any]) -> None:
    """What one field says of another."""
    name = OP_NAMES[kind]
    if name == "str_replace":
        if not values["old"]:
            raise _Wrong(".old", "`old` is empty; use `insert` or `write`")
        if values["old"] == values["new"]:
            raise _Wrong(".new", "`old` and `new` are the same")
    if name == "sub" and not values["pattern"]:
        raise _Wrong(".pattern", "`pattern` is empty")
    if name == "insert" and sum(key in values for key in ("after_line", "before", "after")) != 1:
        raise _Wrong("", "`insert` needs exactly one of `after_line`, `before`, `after`")
    if name == "insert" and b"" in (values.get("before"), values.get("after")):
        raise _Wrong("", "the anchor of an `insert` is empty")
    if name in ("move", "copy") and values["path"] == values["to"]:
        raise _Wrong(".to", f"`{name}` to the same path changes nothing")
    start, end = values.get("start"), values.get("end")
    if start is not None and end is not None and end < start:
        raise _Wrong(".end", f"`end` {end} comes before `start` {start}")


def decode_json(text: bytes, where: str = "") -> Any:
    """A JSON value. Raises `bad-json`, also for a key twice in an object and for NaN."""
    try:
        # Decoded here because json.loads guesses UTF-16 and UTF-32 from bytes.
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as fault:
        message = f"not UTF-8 at byte {fault.start + 1}"
    except RecursionError:
        message = DEEPEST_CAUSE
    except json.JSONDecodeError as fault:
        message = f"line {fault.lineno} column {fault.colno}: {fault.msg}"
    except ValueError as fault:
        message = str(fault).split(";")[0]
    raise SlipError("bad-json", f"{where}{message}")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only on the way to an error

    close = get_close_matches(name.lower(), list(known), 1, 0.5)
    return f"; did you mean `{close[0]}`?" if close else ""


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a string", int: "a number", float: "a fraction"}
    names |= {list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def describe_ops() -> list[str]:
    """One line for each op: its name and fields, those that may be left out in brackets."""
    lines = []
    for name, kind in OPS.items():
        spec: Any = kind
        fields = [f"[{f}]" if f in spec._field_defaults else f for f in spec._fields]
        lines.append(f"{name}: {', '.join(fields)}")
    return lines


def encode_op(op: Op) -> dict[str, Any]:
    """The op as a JSON object that `decode_ops` reads back as the same op."""
    out: dict[str, Any] = {"op": OP_NAMES[type(op)]}
    for name, value in op._asdict().items():
        if value == op._field_defaults.get(name, ...):
            continue
        if isinstance(value, bytes):
            key, text = bytes_field(name, value)
            out[key] = text
        elif name == "mode":
            out[name] = f"{value:o}"
        else:
            out[name] = list(value) if isinstance(value, tuple) else value
    return out


def bytes_field(name: str, value: bytes) -> tuple[str, str]:
    """The field's spelling and its text: ``name`` for UTF-8, ``name_b64`` for other bytes."""
    try:
        return name, value.decode()
    except UnicodeDecodeError:
        return f"{name}_b64", b2a_base64(value, newline=False).decode()


def json_bytes(row: Mapping[str, Any], name: str) -> bytes:
    """A bytes field of a row that `bytes_field` wrote."""
    return a2b_base64(row[f"{name}_b64"]) if f"{name}_b64" in row else str(row[name]).encode()


_LEAVES = frozenset({str, int, bool, float})


def to_json(value: object) -> Any:
    """A result as JSON values: named tuples become objects without their absent fields."""
    if value is None or type(value) in _LEAVES:
        return value
    fields: Any = value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        defaults = fields._field_defaults
        return {
            name: to_json(item)
            for name, item in fields._asdict().items()
            if item is not None or name not in defaults
        }
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def dumps(value: object) -> str:
    """One line of JSON text for a result."""
    text = json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))
    # Bytes that were not UTF-8 (in a diff, say): JSON has no way to hold them.
    return (
        text
        if text.isascii()
        else "".join(c if not "\ud800" <= c <= "\udfff" else "\ufffd" for c in text)
    )
