"""Numbers as people and files write them."""

from __future__ import annotations

# What fits 64 bits; `int` itself refuses text of more than 4,300 digits.
LONGEST = 18


def decimal(text: str | bytes) -> int | None:
    """The number that ASCII digits alone write; None for anything else, and above 18 digits.

    `str.isdigit` is true of more than `int` reads: of a superscript two, say.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST else None
