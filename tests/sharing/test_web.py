"""Landings through a real web server, many at once, and one that dies in the middle."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.children import Children
from tests.gitservers import Web, needs_web
from tests.sharing.hubs import Hub, hook, push, staged

pytestmark = [pytest.mark.real_part, needs_web]
PATIENCE_S = 120.0


def test_it_lands_over_http(web_hub: Hub) -> None:
    one = web_hub.clone("one")
    staged(one, "s1")
    web_hub.commit({"theirs": "1\n"}, "theirs")
    reply = push(one, "s1").json
    assert reply["commit"] == web_hub.lab.oid("main") == one.oid("main")
    assert web_hub.subjects() == ["theirs", "Do s1"]


def test_a_server_that_dies_after_the_push_has_the_commit_once(
    web: Web, web_hub: Hub, children: Children
) -> None:
    one = web_hub.clone("one")
    staged(one, "s1")
    place = hook(web_hub.lab, "post-receive", 'touch "$place/began"; sleep 60')
    child = one.start(
        children, "--json", "commit", "-s", "s1", "--push", "origin", out=subprocess.PIPE
    )
    until = time.monotonic() + PATIENCE_S
    while not (place / "began").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    web.kill()
    (web_hub.lab.git_dir / "hooks" / "post-receive").unlink()
    time.sleep(1)
    web.start()
    out, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0, (out, err)
    assert b'"tries":1' in out
    assert web_hub.subjects() == ["Do s1"]
    assert one.oid("main") == web_hub.lab.oid("main")


def test_a_server_that_is_down_is_waited_for(web: Web, web_hub: Hub, children: Children) -> None:
    one = web_hub.clone("one")
    staged(one, "s1")
    web.kill()
    child = one.start(children, "commit", "-s", "s1", "--push", "origin", out=subprocess.PIPE)
    time.sleep(2)
    assert child.poll() is None
    web.start()
    out, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0, (out, err)
    assert b"trying again" in err
    assert web_hub.subjects() == ["Do s1"]


def test_clones_that_land_at_once(web_hub: Hub, children: Children) -> None:
    names = [f"c{n}" for n in range(5)]
    works = {name: [f"{name}-{n}" for n in range(3)] for name in names}
    started = []
    for name in names:
        lab = web_hub.clone(name)
        for work in works[name]:
            staged(lab, work)
    for name in names:
        lab = web_hub.ground.at(web_hub.ground.place / name)
        started.append(lab.start(children, "land", "--all", "--push", "origin"))
        started.append(lab.start(children, "commit", "-s", works[name][0], "--push", "origin"))
    assert [child.wait(PATIENCE_S) for child in started] == [0] * len(started)
    assert sorted(web_hub.subjects()) == sorted(f"Do {w}" for own in works.values() for w in own)
    assert web_hub.is_linear()
    # Nobody needs help: each follows once it has something to land, or with a plain pull.
    for name in names:
        lab = web_hub.ground.at(web_hub.ground.place / name)
        lab.git("pull", "--quiet", "--ff-only")
        assert lab.git("status", "--porcelain") == ""
        assert not lab.refs("refs/slip/sessions/")
