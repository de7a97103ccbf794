"""Commit messages are cleaned as git cleans them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_git.changes import messages

PIECES = [
    "a",
    "  b",
    "é".encode().decode("latin-1"),
    "# c",
    " ",
    "\t",
    "\r",
    "\n",
    "\n",
    "\v",
    "\f",
]


def by_git(text: bytes) -> bytes:
    return subprocess.run(["git", "stripspace"], input=text, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    "text",
    [b"", b"\n\n", b"a", b"\n\na \n\n\n  b\t\r\n\n", b"a\x0b\n\x0c\nb", b"a\r\nb\r", b"\xff\n"],
)
def test_stripspace(text: bytes) -> None:
    assert messages.stripspace(text) == by_git(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_stripspace_of_anything(pieces: list[str]) -> None:
    text = "".join(pieces).encode("latin-1")
    assert messages.stripspace(text) == by_git(text)
