"""What is a number, and what only looks like one."""

from __future__ import annotations

import pytest

from slipstream_git.text.decimals import decimal


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("12", 12), ("007", 7), (b"34", 34), ("9" * 18, 10**18 - 1), ("9" * 19, None),
        ("9" * 5000, None), ("", None), (b"", None), ("²", None), ("1²", None), ("١", None),
        ("-1", None), ("+1", None), ("1_0", None), (" 1", None), ("1\n", None), (b"\xb2", None),
    ],
)  # fmt: skip
def test_decimal(text: str | bytes, number: int | None) -> None:
    assert decimal(text) == number
