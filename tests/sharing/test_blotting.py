"""What servers, hooks and git say is told without the credentials that are in it."""

from __future__ import annotations

import random

import pytest

from tests.lab import typed
from tests.sharing.hubs import Hub, hook, staged
from tests.text.secret_corpus import BASE62

TOKEN = "ghp_" + "".join(random.Random(3).choices(BASE62, k=36))  # noqa: S311
SAID = f"denied for https://ada:hunter2@host/x?access_token=hunter2, Authorization: Bearer {TOKEN}"


@pytest.mark.parametrize("where", ["pre-receive", "pre-push"])
@pytest.mark.parametrize("command", ["commit", "push"])
def test_a_refusal_tells_no_credentials(hub: Hub, where: str, command: str) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    hook(hub.lab if where == "pre-receive" else one, where, f"echo '{SAID}' >&2; exit 1")
    words = ("commit", "-s", "s1", "--push", "origin") if command == "commit" else ("push",)
    for form in (one.slip, one.slip_json):
        reply = form(*words, expect=1)
        told = (reply.out + reply.err).decode()
        assert "denied for" in told
        assert "hunter2" not in told
        assert TOKEN not in told


def test_a_program_that_reaches_the_other_side_tells_none(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    one.git("config", "remote.origin.uploadpack", f"echo '{SAID}' >&2; false")
    for words in (("commit", "-s", "s1", "--push", "origin"), ("pull",), ("push",)):
        reply = one.slip_json(*words, expect=1)
        told = (reply.out + reply.err).decode()
        assert "hunter2" not in told
        assert TOKEN not in told


def test_a_hint_repeats_no_password_and_can_be_typed(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1", "mine\n", "README.md")
    hub.commit({"README.md": "theirs\n"}, "theirs")
    url = "http://ada:hunter2@127.0.0.1:9/x.git"
    one.git("config", f"url.{hub.lab.path}.insteadOf", "http://127.0.0.1:9/x.git")
    one.git("config", f"url.{hub.lab.path}/.insteadOf", url)
    for words in (("commit", "-s", "s1", "--push", url), ("land", "--all", "--push", url)):
        reply = one.slip_json(*words, expect=3)
        assert b"hunter2" not in reply.out + reply.err
    error = one.slip_json("commit", "-s", "s1", "--push", url, expect=3).error
    typed(error["hint"], one.path)
    one.slip("resolve", "-s", "s1", "README.md", "--theirs")
    one.slip("commit", "-s", "s1", "--push", url)
    assert hub.subjects() == ["theirs", "Do s1"]
