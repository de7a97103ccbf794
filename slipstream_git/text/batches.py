"""A batch as it arrives: whichever format it is written in, as ops."""

from __future__ import annotations

from slipstream_git import codec
from slipstream_git.errors import SlipError
from slipstream_git.model import Op

FORMATS = ("auto", "json", "jsonl", "diff", "v4a", "blocks")
LARGEST_BATCH = 256 << 20


def decode(text: bytes, form: str, largest: int = LARGEST_BATCH) -> tuple[Op, ...]:
    """The ops of a batch text. Raises `bad-json`, `bad-op`, `bad-patch` or `too-large`.

    largest: how many bytes the text may have.
    """
    return _decoded(text, _form(text, form, largest))


def _form(text: bytes, form: str, largest: int) -> str:
    """The format that the text is in."""
    if form not in FORMATS:
        raise SlipError("usage", f"--format is one of {', '.join(FORMATS)}, not {form!r}")
    if len(text) > largest:
        raise SlipError("too-large", f"a batch has at most {largest} bytes, not {len(text)}")
    if form == "auto":
        # JSON is by far the most common, and the other dialects cost an import.
        if text.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"", b"[", b"{"):
            form = "json"
        else:
            from slipstream_git.text import dialects

            form = dialects.detect(text)
    return form


def _decoded(text: bytes, form: str) -> tuple[Op, ...]:
    if form in ("json", "jsonl"):
        return codec.decode_batch(text)
    from slipstream_git.text import dialects

    return dialects.to_ops(text, form)


def decode_labelled(
    text: bytes, form: str, largest: int = LARGEST_BATCH
) -> tuple[tuple[Op, ...], tuple[str, ...]]:
    """The same for a batch whose ops may have labels: each op's `group`, empty where it has none.

    Labels are a matter of the JSON formats; in the others no op has one.
    """
    form = _form(text, form, largest)
    if form in ("json", "jsonl"):
        return codec.decode_labelled(text)
    ops = _decoded(text, form)
    return ops, ("",) * len(ops)


def one(name: str, **fields: object) -> tuple[Op, ...]:
    """One op from a command's own arguments, through the same gate as a batch.

    None means not given. Text that came from the system's bytes (a path that is not UTF-8) goes
    as those bytes.
    """
    row: dict[str, object] = {"op": name}
    for key, value in fields.items():
        if isinstance(value, str):
            data = value.encode("utf-8", "surrogateescape")
            spelled, text = codec.bytes_field(key, data)
            row[spelled] = text
        elif value is not None:
            row[key] = value
    return codec.decode_ops([row])
