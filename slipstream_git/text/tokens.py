"""What texts cost a language model: estimated, at a cautious number of bytes a token."""

from __future__ import annotations

from typing import Final

BYTES_A_TOKEN: Final = 3.6


def tokens_of(size: int) -> int:
    """How many tokens so many bytes are."""
    return int(-(-size // BYTES_A_TOKEN))
