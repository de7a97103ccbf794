"""Locks of refs that a killed git left, in the way of one that reaches another repository."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.children import Children
from tests.lab import Lab, typed
from tests.sharing.hubs import Hub, push, staged

LONG_AGO_S = 3600


def left(lab: Lab, ref: str) -> Path:
    """A lock as a killed git leaves it, empty."""
    path = lab.common_dir / f"{ref}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def head_there(lab: Lab) -> str:
    """Where what the remote's branch holds is kept here."""
    [ref] = [ref for ref in lab.refs("refs/slip/remotes/") if "/head-" in ref]
    return ref


def pushed_once(hub: Hub) -> Lab:
    one = hub.clone("one")
    staged(one, "s0")
    push(one, "s0")
    staged(one, "s1")
    hub.commit({"theirs": "1\n"}, "theirs")
    return one


def test_one_that_a_killed_fetch_left_stops_no_push(hub: Hub) -> None:
    one = pushed_once(hub)
    path = left(one, head_there(one))
    reply = push(one, "s1")
    assert reply.json["pushed"]["followed"]
    assert b"trying again" not in reply.err
    assert hub.subjects() == ["Do s0", "theirs", "Do s1"]
    assert not path.exists()


def test_nor_a_session_that_goes_or_comes(hub: Hub) -> None:
    one, two = hub.clone("one"), hub.clone("two")
    staged(one, "s1")
    paths = [left(lab, "refs/slip/remotes/origin/sessions/s1") for lab in (one, two)]
    one.slip("push")
    assert two.slip_json("pull").json["sessions"] == ["s1"]
    assert not any(path.exists() for path in paths)


def test_one_that_somebody_holds_is_left_to_him(hub: Hub, children: Children) -> None:
    """As long as it changes it is nobody's who has died."""
    one = pushed_once(hub)
    path = left(one, head_there(one))
    holding = f"while sleep 0.2; do touch {path}; done"
    holder = children.start(["sh", "-c", holding], cwd=one.path, env=dict(os.environ))
    base = one.oid("main")
    error = push(one, "s1", expect=1).error
    assert error["code"] == "locked"
    assert path.exists()
    assert (one.oid("main"), hub.subjects()) == (base, ["Do s0", "theirs"])
    holder.kill()
    holder.wait()
    push(one, "s1")
    assert hub.subjects() == ["Do s0", "theirs", "Do s1"]


def test_one_of_a_ref_of_the_users_stays_and_so_does_the_ref(hub: Hub) -> None:
    one = pushed_once(hub)
    before = one.oid("origin/main")
    path = left(one, "refs/remotes/origin/main")
    assert push(one, "s1").json["pushed"]["followed"]
    assert hub.subjects() == ["Do s0", "theirs", "Do s1"]
    assert one.oid("origin/main") == before
    assert path.exists()
    # A fetch of the user's own is told of it, and no remote is blamed.
    hub.clone("two").slip("push")
    reply = one.slip("pull")
    said = reply.err.decode()
    assert "refs/remotes/origin/main" in said
    assert "cannot be reached" not in said
    old = time.time() - LONG_AGO_S
    os.utime(path, (old, old))
    typed(said.partition("(try: ")[2].rpartition(")")[0], one.path)
    assert not path.exists()
    assert one.slip("pull").err == b""
    assert one.oid("origin/main") == hub.lab.oid("main")


def test_one_of_the_other_repository_is_its_own(hub: Hub) -> None:
    one = pushed_once(hub)
    path = left(hub.lab, "refs/heads/main")
    error = push(one, "s1", expect=1).error
    assert error["code"] == "git-failed"
    assert "origin did not take the push" in error["message"]
    path.unlink()
    push(one, "s1")
    assert hub.subjects() == ["Do s0", "theirs", "Do s1"]
