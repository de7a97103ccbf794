"""A patch text as values, and what each file's part of it makes of that file's bytes.

Two functions: ``parse`` turns a unified diff (git's or plain) or a ``*** Begin Patch`` text into
``FilePatch`` values, ``apply_file`` puts one of them on bytes. A patch either fits exactly or is
refused: no fuzz, no whitespace leniency, no line that is silently skipped. A tool that takes what
it does not understand for prose makes half of a change and reports success, so a hunk longer
or shorter than its header, two names that disagree, or a cut text is ``bad-patch``.

Each format has its reader, ``unified`` (with ``patchnames`` and ``hunkrows``) and ``v4a``;
both make the nouns of ``filepatch`` and refuse by ``patchfaults``. ``placement`` puts hunks on
rows, ``v4a`` those without line numbers; ``binarypatch`` reads and makes binary content.

The parser is our own and works on offsets into the bytes; why not unidiff, with figures, stands in
docs/adr/0003-patch-parser.md. git's apply.c is the model where this page is silent. Where we differ
on purpose: git takes the nearest of several matching places, we refuse (``ambiguous``); git ignores
rows after a hunk's end, we refuse; git needs ``--unidiff-zero`` for hunks without context, we
place them by their number.

Not here: whether a path may be touched (absolute names and ``..`` come out as they stand, for
the path gate), whether a file exists, combined diffs, submodule changes.
"""

from __future__ import annotations

from typing import Final

from slipstream_git.errors import SlipError
from slipstream_git.text.binarypatch import apply_binary
from slipstream_git.text.filepatch import Binary, Change, FilePatch, Hunk, Patched, Placed
from slipstream_git.text.patchfaults import fault, said
from slipstream_git.text.placement import apply_numbered
from slipstream_git.text.unified import read_files
from slipstream_git.text.v4a import START, apply_unnumbered, parse_v4a

__all__ = ["Binary", "Change", "FilePatch", "Hunk", "Patched", "Placed", "apply_file", "parse"]

_BOM: Final = b"\xef\xbb\xbf"


def parse(diff: bytes) -> tuple[FilePatch, ...]:
    """Every file of a patch, in its order; prose and mail headers around the files are left out.

    Takes time and memory linear in the text. Raises ``bad-patch`` with the line for any fault of
    shape (an empty text and mere prose are ones), ``bad-path`` for a NUL in a name, ``unsupported``
    for a submodule, ``too-large`` for a binary declared above ``binarypatch.MAX_BINARY_BYTES``.
    """
    text = diff.removeprefix(_BOM)
    start = START.search(text)
    if start is not None and start[0].startswith(b"***"):
        return parse_v4a(text, start.start())
    files = tuple(read_files(text))
    if not files:
        what = "no file header in this patch" if text.strip() else "the patch is empty"
        fault(text, start.start() if start else 0, what)
    return files


def apply_file(patch: FilePatch, data: bytes) -> Patched:
    """The file after the patch. ``data`` is the content of ``old_path``, empty for an add.

    A hunk goes where its header says if it fits there to the byte; else to the one place after the
    hunk before it where it fits; once a hunk was found elsewhere the numbers are no longer believed
    and each later one must fit exactly once. Without context a hunk stands by its number alone;
    without any after the change it moves only to the file's end; one from line 1 with less context
    before than after stays at the top. A hunk without numbers must fit once below its anchors, or
    stand right below the last of them. Raises ``no-match`` (data: hunk, line, expected, found,
    nearest), ``ambiguous`` (data: hunk, lines), ``exists``, ``bad-patch`` for a broken delta.
    """
    if patch.change == "add" and data:
        raise SlipError("exists", f"{said(patch)}: the patch adds it, but it exists")
    if patch.binary is not None:
        return Patched(apply_binary(patch, patch.binary, data), ())
    if patch.dialect == "v4a" and patch.change == "delete":
        return Patched(b"", ())
    if patch.hunks and patch.hunks[0].old_start is None:
        return apply_unnumbered(patch, data)
    return apply_numbered(patch, data)
