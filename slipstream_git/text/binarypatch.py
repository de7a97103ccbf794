"""``GIT binary patch``: base85 rows, zlib, and git's deltas, read and applied.

The one part of a patch that can make much out of little. Every size is checked before it is
believed: the declared one against a limit, the inflated one against the declared one, and the
result of a delta against the size the delta names.
"""

from __future__ import annotations

import re
import zlib
from typing import Final, Literal

from slipstream_git.errors import SlipError
from slipstream_git.text.filepatch import Binary, FilePatch
from slipstream_git.text.patchfaults import fault, said

MAX_BINARY_BYTES: Final = 1 << 30

_BINARY = re.compile(rb"(literal|delta) (\d{1,19})\n")


def read_binary(text: bytes, pos: int) -> tuple[Binary, int]:
    pos = text.find(b"\n", pos) + 1 or len(text)
    head = _BINARY.match(text, pos)
    if head is None:
        fault(text, pos, "a binary patch begins with 'literal SIZE' or 'delta SIZE'")
    rows, end = _binary_rows(text, head)
    data = _inflate(text, head, b"".join(rows))
    kind: Literal["literal", "delta"] = "literal" if head[1] == b"literal" else "delta"
    if kind == "delta":
        _check_result_size(text, pos, data)
    backward = _BINARY.match(text, end)
    if backward is not None:  # the way back, which git prints too; only its shape matters here
        _, end = _binary_rows(text, backward)
    return Binary(kind, data), end


def _binary_rows(text: bytes, head: re.Match[bytes]) -> tuple[list[bytes], int]:
    """The decoded rows, up to the empty line that ends them, and the place after it."""
    if int(head[2]) > MAX_BINARY_BYTES:
        fault(text, head.start(), f"a binary of {int(head[2])} bytes", "too-large")
    end = text.find(b"\n\n", head.end())
    if end < 0:
        fault(text, head.start(), "the patch ends within a binary")
    from base64 import b85decode

    rows: list[bytes] = []
    at = head.end()
    for row in text[at:end].split(b"\n"):
        try:
            rows.append(_binary_row(row, b85decode(row[1:])))
        except ValueError:
            fault(text, at, "a bad line in a binary patch")
        at += len(row) + 1
    return rows, end + 2


def _binary_row(row: bytes, raw: bytes) -> bytes:
    if not row:
        raise ValueError
    size = row[0] - (64 if row[0] < 97 else 70)  # A to Z are 1 to 26, a to z 27 to 52
    if not row[:1].isalpha() or len(row) % 5 != 1 or not len(raw) - 4 < size <= len(raw):
        raise ValueError
    return raw[:size]


def _inflate(text: bytes, head: re.Match[bytes], packed: bytes) -> bytes:
    """Never makes more than one byte above the size declared, however the data was packed."""
    size, inflater = int(head[2]), zlib.decompressobj()
    try:
        data = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        fault(text, head.start(), f"a binary that does not inflate ({error})")
    if len(data) > size:
        fault(text, head.start(), f"a binary larger than the {size} bytes it says", "too-large")
    if len(data) < size or not inflater.eof or inflater.unused_data:
        fault(text, head.start(), f"a binary that is not of the {size} bytes it says")
    return data


def _check_result_size(text: bytes, pos: int, delta: bytes) -> None:
    try:
        size, _ = _size_at(delta, _size_at(delta, 0)[1])
    except (IndexError, ValueError):
        fault(text, pos, "a broken binary delta")
    if size > MAX_BINARY_BYTES:
        fault(text, pos, f"a binary delta that makes {size} bytes", "too-large")


def apply_binary(patch: FilePatch, binary: Binary, data: bytes) -> bytes:
    result = binary.data
    if binary.kind == "delta":
        result = _apply_delta(patch, data, binary.data)
    if patch.change == "delete" and result:
        raise SlipError(
            "no-match", f"{said(patch)}: content is left of a file that is to be deleted"
        )
    return result


def _apply_delta(patch: FilePatch, base: bytes, delta: bytes) -> bytes:
    """A delta has no context: sizes and, where the index line has them, object ids stand for it."""
    base_size, pos = _size_at(delta, 0)
    size, pos = _size_at(delta, pos)
    if base_size != len(base) or not _is_blob(base, patch.old_oid):
        raise SlipError(
            "no-match",
            f"{said(patch)}: the binary patch was made for other content ({base_size} bytes)",
            data={"expected_bytes": base_size, "found_bytes": len(base)},
        )
    try:
        result = _delta_result(base, delta, pos, size)
    except (IndexError, ValueError) as error:
        raise SlipError("bad-patch", f"{said(patch)}: a broken binary delta") from error
    if not _is_blob(result, patch.new_oid):
        raise SlipError(
            "no-match", f"{said(patch)}: the binary patch makes other content than it says"
        )
    return result


def _size_at(delta: bytes, pos: int) -> tuple[int, int]:
    size, shift = 0, 0
    while True:
        byte = delta[pos]
        size |= (byte & 0x7F) << shift
        pos, shift = pos + 1, shift + 7
        if byte < 0x80:
            return size, pos
        if shift > 63:
            raise ValueError


def _delta_result(base: bytes, delta: bytes, pos: int, size: int) -> bytes:
    made = bytearray()
    while pos < len(delta):
        command = delta[pos]
        pos += 1
        if command & 0x80:
            start, length, pos = _copy_command(delta, pos, command)
            made += _slice(base, start, length)
        else:
            made += _slice(delta, pos, command)
            pos += command
        if len(made) > size:
            raise ValueError
    if len(made) != size:
        raise ValueError
    return bytes(made)


def _copy_command(delta: bytes, pos: int, command: int) -> tuple[int, int, int]:
    numbers = [0] * 7  # four bytes of start, three of length, each there if its bit is set
    for bit in range(7):
        if command >> bit & 1:
            numbers[bit] = delta[pos]
            pos += 1
    length = int.from_bytes(bytes(numbers[4:]), "little") or 0x10000
    return int.from_bytes(bytes(numbers[:4]), "little"), length, pos


def _slice(data: bytes, start: int, length: int) -> bytes:
    if not length or start + length > len(data):
        raise ValueError
    return data[start : start + length]


def _is_blob(data: bytes, oid: bytes | None) -> bool:
    """Whether data has this (abbreviated) object id; true where there is none to ask."""
    if oid is None:
        return True
    import hashlib

    hasher = hashlib.sha256 if len(oid) > 40 else hashlib.sha1
    name = hasher(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return name.encode().startswith(oid)
