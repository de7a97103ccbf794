"""What a push hints at leads on when it is typed, whatever the branch here is like."""

from __future__ import annotations

import pytest

from tests.lab import Ground, Lab, typed
from tests.sharing.hubs import Hub, push, staged
from tests.sharing.test_pushing import sessions, typeable

LINES = "".join(f"{number}\n" for number in range(9))


@pytest.mark.parametrize("here", ["behind", "own", "dirty", "elsewhere", "bare", "url", "onto"])
def test_what_a_conflict_hints_at_leads_to_the_landing(hub: Hub, here: str) -> None:
    """Whatever the branch here is like, nobody has to know another command."""
    hub.commit({"lines": LINES}, "lines")
    one = hub.clone("one", *(["--bare"] if here == "bare" else []))
    one.slip("begin", "s1", "--onto", "main", "--title", "Do s1")
    one.slip("write", "lines", "-s", "s1", stdin=LINES.replace("4", "mine").encode())
    hub.commit({"lines": LINES.replace("4", "theirs")}, "theirs")
    if here == "own":
        one.commit({"own": "1\n"}, "own")
    elif here == "dirty":
        one.write("lines", "not committed\n")
    elif here == "elsewhere":
        one.git("switch", "--quiet", "--create", "else")
    elif here == "onto":
        hub.lab.git("branch", "side")
    remote = hub.url if here in ("url", "bare") else "origin"
    options = ["--onto", "side"] if here == "onto" else []
    asked = ("commit", "-s", "s1", "--push", remote, *options)
    before = one.oid("main")
    _followed(one, asked)
    branch = "side" if here == "onto" else "main"
    assert hub.subjects(branch) == ["lines", "theirs", "Do s1"]
    assert hub.lab.tree(branch)["lines"] == LINES.replace("4", "mine").encode()
    if here in ("own", "dirty"):
        assert one.oid("main") == before


def _followed(lab: Lab, asked: tuple[str, ...]) -> None:
    """Ask, type what is hinted at, and ask again until it is done."""
    said = []
    for _ in range(4):
        reply = lab.slip_json(*asked, expect=None)
        if not reply.status:
            return
        said.append(reply.error["hint"])
        typed(said[-1], lab.path)
    raise AssertionError(said)


def test_what_collides_in_a_queue_is_led_to_the_landing(hub: Hub) -> None:
    one = hub.clone("one")
    for name in ("s1", "s2"):
        staged(one, name, f"{name}\n", "README.md")
    hub.commit({"README.md": "theirs\n"}, "theirs")
    for _ in range(6):
        reply = one.slip_json("land", "--all", "--push", "origin", expect=None)
        rows = reply.error["data"]["refused"] if reply.status else []
        if not rows:
            break
        for row in rows:
            typed(row["hint"], one.path)
    assert sorted(hub.subjects()[1:]) == ["Do s1", "Do s2"]
    assert sessions(one) == []


def test_a_rebase_onto_a_branch_that_is_not_there(hub: Hub) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    before = one.refs("refs/slip/")
    error = one.slip_json("rebase", "--onto", "none", "--fetch", "origin", expect=1).error
    assert (error["code"], "none" in error["message"]) == ("missing", True)
    typed(error["hint"], one.path)
    assert one.refs("refs/slip/") == before


@pytest.mark.parametrize("has_own", [False, True])
@pytest.mark.parametrize("is_linked", [False, True])
def test_a_branch_that_is_not_checked_out_here_is_brought_along_by_the_hint(
    hub: Hub, ground: Ground, *, has_own: bool, is_linked: bool
) -> None:
    one = hub.clone("one")
    staged(one, "s1")
    if has_own:
        one.commit({"mine": "1\n"}, "mine")
    one.git("switch", "--quiet", "--create", "else")
    linked = ground.at(ground.place / "linked")
    if is_linked:
        one.git("worktree", "add", "--quiet", str(linked.path), "main")
        linked.write("s1", "in the way\n")
    elif not has_own:
        one.git("branch", "--quiet", "-D", "main")
    reply = push(one, "s1")
    assert not reply.json["pushed"]["followed"]
    if is_linked:
        (linked.path / "s1").unlink()
    typed(typeable(reply.err), one.path)
    subjects = one.git("log", "--format=%s", "main").splitlines()
    assert subjects[:2] == (["mine", "Do s1"] if has_own else ["Do s1", "start"])
