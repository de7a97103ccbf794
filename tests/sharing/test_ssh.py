"""Landings and sessions over ssh, and a bot whom nobody lets in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.children import Children
from tests.gitservers import Ssh, needs_ssh
from tests.lab import Ground, Lab
from tests.sharing.hubs import Hub, staged

pytestmark = [pytest.mark.real_part, needs_ssh]
PATIENCE_S = 60.0


@pytest.fixture
def ssh(tmp_path: Path, children: Children, monkeypatch: pytest.MonkeyPatch) -> Ssh:
    server = Ssh(tmp_path / "ssh", children)
    server.start()
    monkeypatch.setenv("GIT_SSH_COMMAND", server.command())
    return server


@pytest.fixture
def hub(ground: Ground, ssh: Ssh) -> Hub:
    lab = ground.bare("hub.git")
    return Hub(ground, lab, ssh.url(lab.path))


def test_it_lands_and_comes_over_ssh(hub: Hub) -> None:
    one, two = hub.clone("one"), hub.clone("two")
    staged(one, "s1")
    one.slip("push")
    two.slip("pull")
    two.slip("commit", "-s", "s1", "--push", "origin")
    assert hub.subjects() == ["Do s1"]
    assert two.oid("main") == hub.lab.oid("main")
    two.slip("push")
    assert not hub.lab.refs("refs/slip/sessions/")


def test_who_is_not_let_in_is_told_and_not_asked(hub: Hub, ssh: Ssh) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    began = time.monotonic()
    env = {"GIT_SSH_COMMAND": ssh.command("stranger")}
    for arguments in (("commit", "-s", "s1", "--push", "origin"), ("push",), ("pull",)):
        error = _refused(one, env, *arguments)
        assert error["code"] == "git-failed"
        assert "Permission denied" in str(error["message"])
        assert "\n" not in str(error["message"])
    assert time.monotonic() - began < PATIENCE_S
    assert hub.subjects() == []


def _refused(lab: Lab, env: dict[str, str], *arguments: str) -> dict[str, object]:
    return lab.slip_json(*arguments, env=env, expect=1).error
