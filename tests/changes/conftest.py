"""Every test of this room runs over both object stores: a git child, and libgit2 (see DRAWN)."""

from __future__ import annotations

import pytest

from tests.desk import STORES, Desk
from tests.lab import Lab


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    """Which object store the workspace is opened with."""
    name = request.param
    assert isinstance(name, str)
    return name


@pytest.fixture
def desk(repo: Lab, store: str) -> Desk:
    """The operations on `repo`, over the store of this run."""
    return Desk(repo, store)
