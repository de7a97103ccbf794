"""Where servers of tests listen."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.children import Children
from tests.servers import Place


@pytest.fixture
def place(children: Children) -> Iterator[Place]:
    """A short path: a socket's has room for a hundred bytes."""
    directory = Path(tempfile.mkdtemp(prefix="slip-t-", dir="/tmp"))
    made = Place(directory, children)
    yield made
    made.end()
    shutil.rmtree(directory)
