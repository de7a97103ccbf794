"""The empty locks of a landing that died, told from others by when its refs moved."""

from __future__ import annotations

import time

import pytest

from slipstream_git.gitdb import reflocks
from slipstream_git.gitdb.refs import RefMove
from slipstream_git.model import ZERO
from tests.lab import Lab

LONG_S = 60.0


@pytest.mark.parametrize("has_moved", [True, False])
def test_empty_locks_beside_a_branch(
    repo: Lab, monkeypatch: pytest.MonkeyPatch, *, has_moved: bool
) -> None:
    """A slow disk may lie between a landing's intent and its locks; its moved branch tells."""
    monkeypatch.setattr(reflocks, "PATIENCE_S", 0.0)
    old = repo.oid("main")
    new = repo.commit({"a": "1\n"}) if has_moved else ZERO
    lock = repo.common_dir / "HEAD.lock"
    lock.touch()
    moves = [RefMove("refs/heads/main", old, new)]
    reflocks.clear_dead(str(repo.common_dir), [], moves, intended_at_s=time.time() - LONG_S)
    assert lock.exists() is not has_moved
    lock.unlink(missing_ok=True)
