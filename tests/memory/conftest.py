"""A repository with a file of functions, and the operations on it."""

from __future__ import annotations

import pytest

from tests.desk import Desk
from tests.lab import Lab

SOURCE = "def first(x):\n    return x\n\n\ndef second():\n    return first(1)\n"


@pytest.fixture
def desk(repo: Lab) -> Desk:
    repo.commit({"src/m.py": SOURCE, "docs/a.md": "# A\n"}, "files")
    return Desk(repo, "git")
